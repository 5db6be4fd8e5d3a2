// FaultyEngine: lets a process "die" at a chosen engine call, for crash-matrix tests.
//
//   F1. Calls of `read` and `write` count from 1 in the order in which they are made; operations (get, range, set, delete)
//       count from 1 within a call.
//   F2. A crash leaves the wrapped engine as a killed process would: a transaction that had not committed is rolled back, one
//       that had committed stays, although its caller never hears of it.
//   F3. After the crash nothing of this wrapper answers any more except with `store_unavailable`. To "restart the process",
//       wrap the same engine again.
//
// ```ts
// const rehearsal = faultyEngine(memoryEngine());
// await scenario(rehearsal);
// for (const crash of crashPoints(rehearsal.calls)) {
//   const disk = memoryEngine();
//   await scenario(faultyEngine(disk, crash)).catch(() => {});
//   await scenario(faultyEngine(disk)); // recovers, and must end as the rehearsal did
// }
// ```

import { storeError } from "../domain/errors.ts";
import type { Body, Bound, DefinedEngine, Engine, Entry, Key, RangeOptions, ReadTransaction, Scope, Topics, Value, WriteTransaction } from "../stores/engine.ts";
import { wholeEngine } from "../stores/define-engine.ts";
import type { Liveness } from "../stores/liveness.ts";
import { Lifetime } from "../stores/lifetime.ts";

/**
 * - `before`: the call never reaches the storage.
 * - `inside`: the transaction dies when its body has done that many operations (0: before the first) and is rolled back.
 * - `after`: the transaction has committed, its caller never learns of it.
 */
export type CrashPoint =
  | { readonly when: "before" | "after"; readonly call: number }
  | { readonly when: "inside"; readonly call: number; readonly operations: number };

/** One call that reached the storage. */
export interface EngineCall {
  readonly kind: "read" | "write";
  /** Operations its body did. */
  readonly operations: number;
}

export interface FaultyEngine extends DefinedEngine {
  /** All calls so far, in order; call n of a crash point is `calls[n - 1]`. */
  readonly calls: readonly EngineCall[];
  readonly isCrashed: boolean;
  /** Resolves at the crash; never, when there is none. */
  readonly crashed: Promise<void>;
}

/** Wraps `engine`. Without `crash` it only counts. Closing the wrapper leaves the wrapped engine open. */
export function faultyEngine(engine: Engine, crash?: CrashPoint): FaultyEngine {
  return new Faulty(engine, crash);
}

/** Every point at which a process that makes these calls could die with a different storage left behind, and before each read. */
export function crashPoints(calls: readonly EngineCall[]): readonly CrashPoint[] {
  return calls.flatMap(({ kind, operations }, i): CrashPoint[] => {
    const call = i + 1;
    if (kind === "read") return [{ when: "before", call }];
    const inside = Array.from({ length: operations + 1 }, (_, done): CrashPoint => ({ when: "inside", call, operations: done }));
    return [{ when: "before", call }, ...inside, { when: "after", call }];
  });
}

type Watch<T> = (body: (step: Step) => T | Promise<T>) => T | Promise<T>;

class Faulty implements FaultyEngine {
  readonly name: string;
  readonly durable: boolean;
  readonly calls: { kind: "read" | "write"; operations: number }[] = [];
  readonly crashed: Promise<void>;
  readonly #engine: DefinedEngine;
  readonly #crash: CrashPoint | undefined;
  readonly #lifetime: Lifetime;
  #announce: () => void = () => {};
  #isCrashed = false;

  constructor(engine: Engine, crash: CrashPoint | undefined) {
    this.name = engine.name;
    this.durable = engine.durable;
    this.#engine = wholeEngine(engine);
    this.#crash = crash;
    this.#lifetime = new Lifetime(engine.name);
    this.crashed = new Promise((resolve) => {
      this.#announce = resolve;
    });
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  get topics(): Topics {
    return this.#engine.topics;
  }

  get liveness(): Liveness {
    return this.#engine.liveness;
  }

  now(): number | undefined {
    return this.#engine.now();
  }

  erase(): Promise<void> {
    return this.#engine.erase();
  }

  read<T>(body: Body<ReadTransaction, T>): Promise<T> {
    return this.#call("read", (watch) => this.#engine.read((tx) => watch((step) => body(watchedRead(tx, step)))));
  }

  write<T>(body: Body<WriteTransaction, T>, scope?: Scope): Promise<T> {
    return this.#call("write", (watch) => this.#engine.write((tx) => watch((step) => body(watchedWrite(tx, step))), scope));
  }

  close(): Promise<void> {
    return this.#lifetime.close(() => {});
  }

  async #call<T>(kind: "read" | "write", run: (watch: Watch<T>) => Promise<T>): Promise<T> {
    this.#lifetime.enter();
    try {
      this.#mustLive();
      const record = { kind, operations: 0 };
      const call = this.calls.push(record);
      this.#dieAt("before", call);
      const mustLive = (given: T): T => {
        this.#mustLive();
        return given;
      };
      const result = await run((body) => {
        // An engine may run a body again (E4).
        record.operations = 0;
        this.#dieAt("inside", call, 0);
        const given = body(() => this.#dieAt("inside", call, ++record.operations));
        return given instanceof Promise ? given.then(mustLive) : mustLive(given);
      });
      this.#dieAt("after", call);
      return result;
    } finally {
      this.#lifetime.leave();
    }
  }

  #dieAt(when: CrashPoint["when"], call: number, operations = 0): void {
    const crash = this.#crash;
    const isHere = crash?.call === call && crash.when === when && (crash.when !== "inside" || crash.operations === operations);
    if (isHere) this.#die();
    // Another call may have crashed meanwhile: this one died with it.
    this.#mustLive();
  }

  #die(): void {
    this.#isCrashed = true;
    this.#announce();
  }

  #mustLive(): void {
    if (this.#isCrashed) throw storeError("store_unavailable", `${this.name}: the process that used this store has crashed (simulated)`);
  }
}

/** Called after each operation; throws when the process dies there. */
type Step = () => void;

const watchedRead = (tx: ReadTransaction, step: Step): ReadTransaction => ({
  get(key: Key): Value | undefined {
    const value = tx.get(key);
    step();
    return value;
  },
  range(from: Bound, to: Bound, options?: RangeOptions): readonly Entry[] {
    const entries = tx.range(from, to, options);
    step();
    return entries;
  },
  prefetch: (reads) => tx.prefetch(reads),
});

const watchedWrite = (tx: WriteTransaction, step: Step): WriteTransaction => ({
  ...watchedRead(tx, step),
  set(key: Key, value: Value): void {
    tx.set(key, value);
    step();
  },
  delete(key: Key): void {
    tx.delete(key);
    step();
  },
  widen: (sessionId) => tx.widen(sessionId),
});
