// Bodies on storages whose rows are not at hand: a server, or a browser's database, has to be asked for them.
//
//   F1. A body runs on the rows that were fetched so far. Asking for another one notes it and throws. Whatever becomes of such an
//       attempt is forgotten: what it missed is fetched, all at once, and the body is run again (E4).
//   F2. Sets and deletes are kept back until an attempt missed nothing. Its own reads see them; the storage gets them in one piece.
//   F3. Sessions that an attempt took into its scope are in it before anything is read for the next attempt.

import { runtimeError } from "../domain/errors.ts";
import type { Body, Bound, Entry, Key, RangeRead, Read, Value, WriteTransaction } from "./engine.ts";
import { orderText } from "./order-text.ts";
import { CheckedTransaction } from "./transaction.ts";
import { runBody } from "./unwaiting-body.ts";
import { freezeJson, sealValue } from "./values.ts";

/** What an attempt missed. */
export interface Missing {
  readonly keys: readonly Key[];
  readonly ranges: readonly Required<RangeRead>[];
  /** New in the scope of the write. */
  readonly sessions: readonly string[];
}

/** The rows that were missing, each list in the order in which it was asked for. */
export interface Fetched {
  readonly values: readonly (Value | undefined)[];
  readonly ranges: readonly (readonly Entry[])[];
}

/** A set or a delete. */
export interface Change {
  readonly key: Key;
  /** undefined: deleted. */
  readonly value: Value | undefined;
}

/** Attempts that miss rows; a body that always asks for new ones would never end. */
const ATTEMPTS = 10_000;

/**
 * Runs `body` until it has all the rows that it asks for.
 *
 * @param fetch - gets them, out of one snapshot or under locks: whatever the engine's isolation asks for.
 * @returns what the body gave and what it changed, with the last change of a key alone.
 */
export async function runFetching<T>(mode: "read" | "write", body: Body<WriteTransaction, T>, fetch: (missing: Missing) => Promise<Fetched>): Promise<{ readonly result: T; readonly changes: readonly Change[] }> {
  const known = new KnownRows();
  const sessions = new Set<string>();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const tx = new FetchingTransaction(mode, known, sessions);
    const outcome = await outcomeOf(tx, body);
    const missing = tx.missing();
    if (missing === undefined) {
      if ("error" in outcome) throw outcome.error;
      return { result: outcome.result, changes: tx.changes() };
    }
    known.add(missing, await fetch(missing));
    for (const session of missing.sessions) sessions.add(session);
  }
  throw runtimeError("invalid_argument", `the body of a transaction asked for other rows each time it was run, ${ATTEMPTS} times`);
}

type Outcome<T> = { readonly result: T } | { readonly error: unknown };

function outcomeOf<T>(tx: FetchingTransaction, body: Body<WriteTransaction, T>): Outcome<T> | Promise<Outcome<T>> {
  const succeed = (result: T): Outcome<T> => {
    try {
      if (tx.missing() === undefined) tx.finish();
      return { result };
    } catch (error) {
      return { error };
    } finally {
      tx.end();
    }
  };
  const fail = (error: unknown): Outcome<T> => {
    tx.end();
    return { error };
  };
  try {
    const given = runBody(() => body(tx));
    return given instanceof Promise ? given.then(succeed, fail) : succeed(given);
  } catch (error) {
    return fail(error);
  }
}

/** Thrown where a row has to be fetched first. */
class NotFetched extends Error {
  override readonly name = "NotFetched";
}

interface FetchedRange extends Required<RangeRead> {
  readonly fromOrder: string;
  readonly toOrder: string;
  readonly entries: readonly Entry[];
  /** Whether these are all entries between its bounds. */
  readonly isComplete: boolean;
}

class KnownRows {
  readonly #values = new Map<string, Value | undefined>();
  readonly #ranges: FetchedRange[] = [];

  /** @returns undefined where it is not known whether there is one. */
  find(order: string): { readonly value: Value | undefined } | undefined {
    if (this.#values.has(order)) return { value: this.#values.get(order) };
    const range = this.#ranges.find(({ isComplete, fromOrder, toOrder }) => isComplete && fromOrder <= order && order < toOrder);
    return range && { value: range.entries.find(({ key }) => orderText(key) === order)?.value };
  }

  between(from: string, to: string, limit: number, reverse: boolean): readonly Entry[] | undefined {
    for (const range of this.#ranges) {
      const isSame = range.fromOrder === from && range.toOrder === to;
      if (isSame && range.reverse === reverse && (range.isComplete || range.limit >= limit)) return range.entries.slice(0, limit);
      if (!range.isComplete || range.fromOrder > from || range.toOrder < to) continue;
      const entries = isSame ? range.entries : range.entries.filter(({ key }) => isBetween(orderText(key), from, to));
      return (range.reverse === reverse ? entries : entries.toReversed()).slice(0, limit);
    }
    return undefined;
  }

  add({ keys, ranges }: Missing, fetched: Fetched): void {
    keys.forEach((key, i) => {
      const value = fetched.values[i];
      freezeStored(value);
      this.#values.set(orderText(key), value);
    });
    ranges.forEach((range, i) => {
      const entries = fetched.ranges[i] ?? [];
      for (const { value } of entries) freezeStored(value);
      this.#ranges.push({ ...range, fromOrder: orderText(range.from), toOrder: orderText(range.to), entries, isComplete: entries.length < range.limit });
    });
  }
}

class FetchingTransaction extends CheckedTransaction {
  readonly #known: KnownRows;
  readonly #sessions: ReadonlySet<string>;
  readonly #changes = new Map<string, Change>();
  readonly #keys = new Map<string, Key>();
  readonly #ranges = new Map<string, Required<RangeRead>>();
  readonly #widened = new Set<string>();

  constructor(mode: "read" | "write", known: KnownRows, sessions: ReadonlySet<string>) {
    super(mode);
    this.#known = known;
    this.#sessions = sessions;
  }

  /** What has to be fetched before the body can be run again; undefined where nothing was missing. */
  missing(): Missing | undefined {
    if (this.#keys.size + this.#ranges.size + this.#widened.size === 0) return undefined;
    return { keys: [...this.#keys.values()], ranges: [...this.#ranges.values()], sessions: [...this.#widened] };
  }

  changes(): readonly Change[] {
    return [...this.#changes.values()];
  }

  override prefetch(reads: readonly Read[]): void {
    for (const read of reads) {
      if (isRange(read)) this.#needRange({ from: read.from, to: read.to, limit: read.limit ?? Number.POSITIVE_INFINITY, reverse: read.reverse ?? false });
      else if (!this.#changes.has(orderText(read)) && this.#known.find(orderText(read)) === undefined) this.#keys.set(orderText(read), read);
    }
    if (this.#keys.size + this.#ranges.size > 0) throw new NotFetched();
  }

  override widen(sessionId: string): void {
    if (!this.#sessions.has(sessionId)) this.#widened.add(sessionId);
  }

  protected override lookup(key: Key): Value | undefined {
    const order = orderText(key);
    const change = this.#changes.get(order);
    if (change !== undefined) return handOut(change.value);
    const found = this.#known.find(order);
    if (found !== undefined) return handOut(found.value);
    this.#keys.set(order, key);
    throw new NotFetched();
  }

  protected override scan(from: Bound, to: Bound, limit: number, reverse: boolean): readonly Entry[] {
    const [fromOrder, toOrder] = [orderText(from), orderText(to)];
    const changes = [...this.#changes].filter(([order]) => isBetween(order, fromOrder, toOrder));
    // Each change hides at most one stored entry.
    const wanted = limit + changes.length;
    const stored = this.#known.between(fromOrder, toOrder, wanted, reverse);
    if (stored === undefined) {
      this.#needRange({ from, to, limit: wanted, reverse });
      throw new NotFetched();
    }
    return changes.length === 0 ? stored.map(own) : merge(stored, changes, reverse).slice(0, limit);
  }

  #needRange(range: Required<RangeRead>): void {
    const { from, to, limit, reverse } = range;
    const [fromOrder, toOrder] = [orderText(from), orderText(to)];
    if (this.#known.between(fromOrder, toOrder, limit, reverse) === undefined) this.#ranges.set(`${fromOrder}\u0001${toOrder}\u0001${limit}${reverse}`, range);
  }

  protected override put(key: Key, value: Value): void {
    sealValue(value);
    this.#change(key, handOut(value));
  }

  protected override remove(key: Key): void {
    this.#change(key, undefined);
  }

  #change(key: Key, value: Value | undefined): void {
    this.#changes.set(orderText(key), { key: Object.freeze([...key]), value });
  }
}

const isRange = (read: Read): read is RangeRead => "from" in read;
const isBetween = (order: string, from: string, to: string): boolean => from <= order && order < to;

/** Fetched rows are this transaction's own; only freezing makes them as immutable as on other engines (E5). */
function freezeStored(value: Value | undefined): void {
  if (value !== undefined && !(value instanceof Uint8Array)) freezeJson(value);
}

/** Bytes cannot be frozen, so whoever asks gets some of its own. */
const handOut = <V extends Value | undefined>(value: V): V => (value instanceof Uint8Array ? (value.slice() as V) : value);
const own = (entry: Entry): Entry => (entry.value instanceof Uint8Array ? { key: entry.key, value: handOut(entry.value) } : entry);

function merge(stored: readonly Entry[], changes: readonly (readonly [string, Change])[], reverse: boolean): Entry[] {
  const all = new Map<string, Entry>(stored.map((entry) => [orderText(entry.key), own(entry)]));
  for (const [order, { key, value }] of changes) {
    if (value === undefined) all.delete(order);
    else all.set(order, { key, value: handOut(value) });
  }
  const direction = reverse ? -1 : 1;
  return [...all].sort(([a], [b]) => (a < b ? -direction : direction)).map(([, entry]) => entry);
}
