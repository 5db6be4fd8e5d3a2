// Rows of the object store: fetched for a body, and sent once it is through.

import { promisifyRequest } from "idb-keyval";
import { type Bound, END, type Entry, type RangeRead, type Value } from "../engine.ts";
import type { Change, Fetched, Missing } from "../fetching.ts";
import { fromIndexedDb } from "./idb-errors.ts";

/** Asks for all rows at once; the transaction lives for as long as its requests. */
export async function fetchRows(entries: IDBObjectStore, store: string, { keys, ranges }: Missing): Promise<Fetched> {
  try {
    const [values, found] = await Promise.all([
      Promise.all(keys.map((key) => promisifyRequest(entries.get(toIdbKey(key))) as Promise<Value | undefined>)),
      Promise.all(ranges.map((range) => fetchRange(entries, range))),
    ]);
    return { values, ranges: found };
  } catch (error) {
    throw fromIndexedDb(error, store);
  }
}

/** Nothing is sent before. A failure aborts the transaction, as an event. */
export function sendChanges(entries: IDBObjectStore, store: string, changes: readonly Change[]): void {
  try {
    for (const { key, value } of changes) {
      if (value === undefined) entries.delete(toIdbKey(key));
      else entries.put(value, toIdbKey(key));
    }
  } catch (error) {
    throw fromIndexedDb(error, store);
  }
}

async function fetchRange(entries: IDBObjectStore, { from, to, limit, reverse }: Required<RangeRead>): Promise<readonly Entry[]> {
  const range = IDBKeyRange.bound(toIdbKey(from), toIdbKey(to), false, true);
  if (reverse && limit !== Number.POSITIVE_INFINITY) return fetchLast(entries, range, limit);
  const count = limit === Number.POSITIVE_INFINITY ? undefined : limit;
  const [keys, values] = await Promise.all([promisifyRequest(entries.getAllKeys(range, count)), promisifyRequest(entries.getAll(range, count)) as Promise<Value[]>]);
  const found = values.map((value, i) => toEntry(keys[i], value));
  return reverse ? found.reverse() : found;
}

/** Only a cursor reads from the end. */
function fetchLast(entries: IDBObjectStore, range: IDBKeyRange, limit: number): Promise<readonly Entry[]> {
  return new Promise((resolve, reject) => {
    const found: Entry[] = [];
    const request = entries.openCursor(range, "prev");
    request.addEventListener("error", () => reject(request.error));
    request.addEventListener("success", () => {
      const cursor = request.result;
      if (cursor !== null) found.push(toEntry(cursor.key, cursor.value as Value));
      if (cursor === null || found.length >= limit) resolve(found);
      else cursor.continue();
    });
  });
}

/** IndexedDB sorts numbers before strings before arrays, so an empty array stands for END. */
const toIdbKey = (key: Bound): IDBValidKey => key.map((part) => (part === END ? [] : part));

const toEntry = (key: IDBValidKey | undefined, value: Value): Entry => ({ key: key as (string | number)[], value });
