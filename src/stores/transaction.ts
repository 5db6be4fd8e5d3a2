// What transactions of every engine have in common: keys, bounds and values are checked before the engine sees them, nothing
// works after the end, and a write that refused a `set` or `delete` cannot commit although its body swallowed the error.
//
//   X1. An engine overrides `lookup`, `scan`, `put` and `remove`, and gets only what passed its checks. One whose rows are not at
//       hand works with a FetchingTransaction instead (fetching.ts).
//   X2. `finish` is called exactly once, when the body has settled; it throws what dooms the transaction.

import { runtimeError } from "../domain/errors.ts";
import type { Body, Bound, Entry, Key, RangeOptions, Read, Value, WriteTransaction } from "./engine.ts";
import { checkBound, checkKey, compareKeys } from "./keys.ts";
import { runBody } from "./unwaiting-body.ts";

/** Runs `body` on `tx` and ends it. `commit` gets what the body gave, and does not run where that failed. */
export function runBodyOf<Transaction extends CheckedTransaction, T, Committed>(tx: Transaction, body: Body<Transaction, T>, commit: (result: T) => Committed): Committed | Promise<Committed> {
  const succeed = (result: T): Committed => {
    try {
      return commit(result);
    } finally {
      tx.end();
    }
  };
  const fail = (error: unknown): never => {
    tx.end();
    throw error;
  };
  let given: T | Promise<T>;
  try {
    given = runBody(() => body(tx));
  } catch (error) {
    return fail(error);
  }
  return given instanceof Promise ? given.then(succeed, fail) : succeed(given);
}

/** `owned`: fresh values need not be frozen. `later`: they may be made when they are first looked at. */
export type ValuesWanted = Required<Pick<RangeOptions, "owned" | "later">>;

export abstract class CheckedTransaction implements WriteTransaction {
  readonly #mode: "read" | "write";
  #open = true;
  #refusal: { readonly error: unknown } | null = null;

  constructor(mode: "read" | "write") {
    this.#mode = mode;
  }

  protected abstract lookup(key: Key): Value | undefined;
  /** Gets `from < to` and a limit of at least 1, Infinity when there is none. */
  protected abstract scan(from: Bound, to: Bound, limit: number, reverse: boolean, values: ValuesWanted): readonly Entry[];
  /** Checks the value, too: what that costs and copies differs between engines. */
  protected abstract put(key: Key, value: Value): void;
  protected abstract remove(key: Key): void;

  get(key: Key): Value | undefined {
    this.#mustBeOpen();
    checkKey(key);
    return this.lookup(key);
  }

  range(from: Bound, to: Bound, options: RangeOptions = {}): readonly Entry[] {
    this.#mustBeOpen();
    checkBound(from);
    checkBound(to);
    const { limit = Number.POSITIVE_INFINITY, reverse = false, owned = false, later = false } = options;
    if (limit !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(limit) && limit >= 0)) {
      throw runtimeError("invalid_argument", `the limit of a range is a whole number >= 0, not ${limit}`);
    }
    return limit === 0 || compareKeys(from, to) >= 0 ? [] : this.scan(from, to, limit, reverse, { owned, later });
  }

  prefetch(_reads: readonly Read[]): void {}

  widen(_sessionId: string): void {}

  set(key: Key, value: Value): void {
    this.#mustBeWritable();
    try {
      checkKey(key);
      this.put(key, value);
    } catch (error) {
      throw this.doom(error);
    }
  }

  delete(key: Key): void {
    this.#mustBeWritable();
    try {
      checkKey(key);
      this.remove(key);
    } catch (error) {
      throw this.doom(error);
    }
  }

  /** Nothing works any more in this transaction, and it cannot commit. @returns the error. */
  protected doom(error: unknown): unknown {
    this.#refusal ??= { error };
    return error;
  }

  finish(): void {
    this.end();
    if (this.#refusal !== null) throw this.#refusal.error;
  }

  /** Closes the transaction without asking whether it may commit: after a read, or when the body threw. */
  end(): void {
    this.#open = false;
  }

  #mustBeWritable(): void {
    this.#mustBeOpen();
    if (this.#mode === "read") throw runtimeError("invalid_argument", "a read transaction changes nothing; use write()");
  }

  #mustBeOpen(): void {
    if (!this.#open) {
      throw runtimeError("invalid_argument", "this transaction is over; use it only inside the body that got it, and await what you ask of it");
    }
    if (this.#refusal !== null) throw this.#refusal.error;
  }
}
