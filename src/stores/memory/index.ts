// The memory engine: for tests, and for sessions that may vanish with their process or tab.
//
// A write works on a fork of the committed map and replaces it at the end, so rollback is forgetting the fork, and a read
// keeps the map that was committed when it began. Nothing is copied but the few tree nodes on the way to a changed entry.

import { defineEngine } from "../define-engine.ts";
import type { Body, Bound, DefinedEngine, Engine, Entry, Key, ReadTransaction, Value, WriteTransaction } from "../engine.ts";
import { Lane } from "../lane.ts";
import { Lifetime } from "../lifetime.ts";
import { CheckedTransaction, runBodyOf } from "../transaction.ts";
import { sealValue } from "../values.ts";
import { OrderedMap } from "./ordered-map.ts";
import { orderText } from "../order-text.ts";

/**
 * An engine that lives in this process only. Every call makes a new, empty one.
 *
 * Values handed to `set` are frozen in place; bytes are copied in and out.
 */
export function memoryEngine(): DefinedEngine {
  return defineEngine(new MemoryEngine());
}

class MemoryEngine implements Engine {
  readonly name = "memory";
  readonly durable = false;
  #committed = new OrderedMap<Entry>();
  readonly #lifetime = new Lifetime("the memory store");
  readonly #writers = new Lane();

  read<T>(body: Body<ReadTransaction, T>): Promise<T> {
    return this.#lifetime.during(() => {
      const tx = new MemoryTransaction("read", this.#committed);
      return runBodyOf(tx, body, (result) => result);
    });
  }

  write<T>(body: Body<WriteTransaction, T>): Promise<T> {
    return this.#lifetime.during(() => this.#writers.run(() => this.#transact(body)));
  }

  #transact<T>(body: Body<WriteTransaction, T>): T | Promise<T> {
    const draft = this.#committed.fork();
    const tx = new MemoryTransaction("write", draft);
    return runBodyOf(tx, body, (result) => {
      tx.finish();
      this.#committed = draft;
      return result;
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close(() => {
      this.#committed = new OrderedMap();
    });
  }
}

class MemoryTransaction extends CheckedTransaction {
  readonly #map: OrderedMap<Entry>;

  constructor(mode: "read" | "write", map: OrderedMap<Entry>) {
    super(mode);
    this.#map = map;
  }

  protected override lookup(key: Key): Value | undefined {
    const entry = this.#map.get(orderText(key));
    return entry === undefined ? undefined : handOut(entry.value);
  }

  protected override scan(from: Bound, to: Bound, limit: number, reverse: boolean): readonly Entry[] {
    const found = this.#map.between(orderText(from), orderText(to), limit, reverse);
    return found.map((entry) => (entry.value instanceof Uint8Array ? { key: entry.key, value: handOut(entry.value) } : entry));
  }

  protected override put(key: Key, value: Value): void {
    sealValue(value);
    this.#map.set(orderText(key), Object.freeze({ key: Object.freeze([...key]), value: handOut(value) }));
  }

  protected override remove(key: Key): void {
    this.#map.delete(orderText(key));
  }
}

/** JSON is frozen and can be shared; bytes cannot be frozen, so both sides get their own (E5). */
const handOut = (value: Value): Value => (value instanceof Uint8Array ? value.slice() : value);
