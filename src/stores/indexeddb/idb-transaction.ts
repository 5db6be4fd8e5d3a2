// A transaction on the object store. Its sets and deletes are kept back and sent at the end of the body.
//
//   T1. Nothing is sent before the body has settled. A body that waits for something else makes the browser commit at once, and
//       then it commits nothing: E2 holds although IndexedDB's own rules do not give it.
//   T2. Reads look at what is kept back first, so a transaction sees its own changes (engine.ts).

import { get, promisifyRequest, type UseStore } from "idb-keyval";
import { type Bound, END, type Entry, type Key, type Value } from "../engine.ts";
import { orderText } from "../order-text.ts";
import { CheckedTransaction, type ValuesWanted } from "../transaction.ts";
import { freezeJson, sealValue } from "../values.ts";
import { fromIndexedDb } from "./idb-errors.ts";

interface Change {
  readonly order: string;
  readonly key: Key;
  /** undefined: deleted. */
  readonly value: Value | undefined;
}

export class IdbTransaction extends CheckedTransaction {
  readonly #store: string;
  readonly #entries: IDBObjectStore;
  /** idb-keyval's view of this one transaction. */
  readonly #use: UseStore;
  readonly #changes = new Map<string, Change>();

  constructor(mode: "read" | "write", store: string, entries: IDBObjectStore) {
    super(mode);
    this.#store = store;
    this.#entries = entries;
    this.#use = async (_, callback) => callback(entries);
  }

  protected override async lookup(key: Key): Promise<Value | undefined> {
    const change = this.#changes.size > 0 ? this.#changes.get(orderText(key)) : undefined;
    if (change !== undefined) return change.value === undefined ? undefined : handOut(change.value);
    const value = await this.#ask(() => get<Value>(toIdbKey(key), this.#use));
    freezeStored(value);
    return value;
  }

  protected override async scan(from: Bound, to: Bound, limit: number, reverse: boolean, { owned }: ValuesWanted): Promise<readonly Entry[]> {
    const changes = this.#changesBetween(orderText(from), orderText(to));
    // Each change hides at most one stored entry.
    const stored = await this.#ask(() => this.#stored(from, to, limit + changes.length, reverse, owned));
    if (changes.length === 0) return stored;
    return merge(stored, changes, reverse).slice(0, limit);
  }

  protected override put(key: Key, value: Value): void {
    sealValue(value);
    // A view is stored with all of its buffer, so bytes are copied, which also keeps them from later changes.
    this.#change(key, handOut(value));
  }

  protected override remove(key: Key): void {
    this.#change(key, undefined);
  }

  #change(key: Key, value: Value | undefined): void {
    const order = orderText(key);
    this.#changes.set(order, { order, key: Object.freeze([...key]), value });
  }

  /** Sends what was kept back (T1). A failure aborts the transaction, as an event. */
  send(): void {
    try {
      for (const { key, value } of this.#changes.values()) {
        if (value === undefined) this.#entries.delete(toIdbKey(key));
        else this.#entries.put(value, toIdbKey(key));
      }
    } catch (error) {
      throw fromIndexedDb(error, this.#store);
    }
  }

  #changesBetween(from: string, to: string): Change[] {
    return [...this.#changes.values()].filter(({ order }) => from <= order && order < to);
  }

  async #stored(from: Bound, to: Bound, limit: number, reverse: boolean, owned: boolean): Promise<readonly Entry[]> {
    const range = IDBKeyRange.bound(toIdbKey(from), toIdbKey(to), false, true);
    if (reverse && limit !== Number.POSITIVE_INFINITY) return this.#lastStored(range, limit, owned);
    const count = limit === Number.POSITIVE_INFINITY ? undefined : limit;
    const [keys, values] = await Promise.all([
      promisifyRequest(this.#entries.getAllKeys(range, count)),
      promisifyRequest(this.#entries.getAll(range, count)) as Promise<Value[]>,
    ]);
    const found = values.map((value, i) => toEntry(keys[i], value, owned));
    return reverse ? found.reverse() : found;
  }

  /** Only a cursor reads from the end. */
  #lastStored(range: IDBKeyRange, limit: number, owned: boolean): Promise<readonly Entry[]> {
    return new Promise((resolve, reject) => {
      const found: Entry[] = [];
      const request = this.#entries.openCursor(range, "prev");
      request.addEventListener("error", () => reject(request.error));
      request.addEventListener("success", () => {
        const cursor = request.result;
        if (cursor !== null) found.push(toEntry(cursor.key, cursor.value as Value, owned));
        if (cursor === null || found.length >= limit) resolve(found);
        else cursor.continue();
      });
    });
  }

  async #ask<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw this.doom(fromIndexedDb(error, this.#store));
    }
  }
}

/** IndexedDB sorts numbers before strings before arrays, so an empty array stands for END. */
const toIdbKey = (key: Bound): IDBValidKey => key.map((part) => (part === END ? [] : part));

function toEntry(key: IDBValidKey | undefined, value: Value, owned: boolean): Entry {
  if (!owned) freezeStored(value);
  return { key: key as (string | number)[], value };
}

/** A structured clone is the reader's own; only freezing makes it as immutable as on other engines (E5). */
function freezeStored(value: Value | undefined): void {
  if (!(value instanceof Uint8Array)) freezeJson(value);
}

const handOut = (value: Value): Value => (value instanceof Uint8Array ? value.slice() : value);

function merge(stored: readonly Entry[], changes: readonly Change[], reverse: boolean): Entry[] {
  const all = new Map<string, Entry>(stored.map((entry) => [orderText(entry.key), entry]));
  for (const { order, key, value } of changes) {
    if (value === undefined) all.delete(order);
    else all.set(order, { key, value: handOut(value) });
  }
  const direction = reverse ? -1 : 1;
  return [...all].sort(([a], [b]) => (a < b ? -direction : direction)).map(([, entry]) => entry);
}
