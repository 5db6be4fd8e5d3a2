// A storage engine in one screen: a sorted array in memory. docs/write-an-engine.md walks through it.

import { type Bound, CheckedTransaction, compareKeys, defineEngine, type Engine, type Entry, type Key, Lane, Lifetime, runBodyOf, sealValue, type Value } from "../../src/stores/engine-kit.ts";

export function arrayEngine(): Engine {
  let committed: readonly Entry[] = [];
  const lifetime = new Lifetime("the array store");
  const writers = new Lane();

  return defineEngine({
    name: "array",
    durable: false,
    // A snapshot is the array that is current when the read begins; nobody changes that one (E3).
    read: (body) => lifetime.during(() => runBodyOf(new ArrayTransaction("read", [...committed]), body, (result) => result)),
    // Writers take turns on a copy of their own, and a copy that is not kept never happened (E2).
    write: (body) =>
      lifetime.during(() =>
        writers.run(() => {
          const tx = new ArrayTransaction("write", [...committed]);
          return runBodyOf(tx, body, (result) => {
            tx.finish();
            committed = tx.entries;
            return result;
          });
        }),
      ),
    close: () => lifetime.close(() => {}),
  });
}

class ArrayTransaction extends CheckedTransaction {
  readonly entries: Entry[];

  constructor(mode: "read" | "write", entries: Entry[]) {
    super(mode);
    this.entries = entries;
  }

  protected override lookup(key: Key): Value | undefined {
    const entry = this.entries[this.#place(key)];
    return entry !== undefined && compareKeys(entry.key, key) === 0 ? own(entry.value) : undefined;
  }

  protected override scan(from: Bound, to: Bound, limit: number, reverse: boolean): readonly Entry[] {
    const found = this.entries.slice(this.#place(from), this.#place(to));
    return (reverse ? found.reverse() : found).slice(0, limit).map(({ key, value }) => ({ key, value: own(value) }));
  }

  protected override put(key: Key, value: Value): void {
    sealValue(value);
    this.remove(key);
    this.entries.splice(this.#place(key), 0, { key: Object.freeze([...key]), value: own(value) });
  }

  protected override remove(key: Key): void {
    const at = this.#place(key);
    const entry = this.entries[at];
    if (entry !== undefined && compareKeys(entry.key, key) === 0) this.entries.splice(at, 1);
  }

  /** Index of the first entry that is not before `bound`. */
  #place(bound: Bound): number {
    const at = this.entries.findIndex((entry) => compareKeys(entry.key, bound) >= 0);
    return at < 0 ? this.entries.length : at;
  }
}

/** JSON is frozen and can be shared; bytes cannot be frozen, so each side has its own (E5). */
const own = (value: Value): Value => (value instanceof Uint8Array ? value.slice() : value);
