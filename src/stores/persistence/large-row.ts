// Rows that may outgrow what an engine takes (OP-2): a step with several large tool results, a long model response, a whole
// turn's history. Such a row is stored as `{ "$chunks": n }` with its JSON text in n byte rows right behind it.

import { isPlainObject, type Json, type JsonObject } from "../../domain/json.ts";
import { below, type Bound, END, type Entry, type Key, prefixRange, type RangeRead, type ReadTransaction, type Value, type WriteTransaction } from "../engine.ts";
import { invalidRow } from "./schema.ts";

/** Characters; engines take 8 MiB, and this estimate is a little lower than theirs. */
const MAX_ROW_SIZE = 6 * 1024 * 1024;
const CHUNK_BYTES = 4 * 1024 * 1024;
const MARKER = "$chunks";

/** A row that is ready to be set: splitting serializes, which has no place inside a transaction (E4). */
export interface PreparedRow {
  readonly value: Json;
  readonly chunks: readonly Uint8Array[];
}

export function prepareRow(value: Json, maxSize = MAX_ROW_SIZE, chunkBytes = CHUNK_BYTES): PreparedRow {
  if (roomAfter(value, maxSize) >= 0) return { value, chunks: [] };
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.slice(at, at + chunkBytes));
  return { value: { [MARKER]: chunks.length }, chunks };
}

/** About how many characters `value` takes as JSON text. */
export const sizeOf = (value: Json): number => -roomAfter(value, 0, Number.NEGATIVE_INFINITY);

/** `room` minus the size of `value`; stops soon after it falls below `floor`. */
function roomAfter(value: Json, room: number, floor = 0): number {
  if (typeof value === "string") return room - value.length - 2;
  if (typeof value !== "object" || value === null) return room - 8;
  let left = room - 2;
  // Every row passes here: pairs of `Object.entries`, or an array's indices as texts, would be most of its cost.
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= floor; i++) left = roomAfter((value as readonly Json[])[i] ?? null, left - 1, floor);
    return left;
  }
  for (const key of Object.keys(value)) {
    left = roomAfter((value as JsonObject)[key] ?? null, left - key.length - 4, floor);
    if (left < floor) return left;
  }
  return left;
}

export function setRow(tx: WriteTransaction, key: Key, row: PreparedRow): void {
  tx.set(key, row.value);
  row.chunks.forEach((chunk, index) => tx.set([...key, index], chunk));
}

export function getRow(tx: ReadTransaction, key: Key): Value | undefined {
  const value = tx.get(key);
  return value === undefined ? undefined : joinRow(tx, key, value);
}

/** The whole row behind what `get` or `range` gave for `key`. */
export function joinRow(tx: ReadTransaction, key: Key, value: Value): Value {
  const chunkCount = chunksOf(value);
  if (chunkCount === 0) return value;
  const entries = tx.range([...key, 0], prefixRange(key)[1]);
  if (entries.length !== chunkCount) throw invalidRow("chunked row", key, `it has ${entries.length} of ${chunkCount} chunks`);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    let text = "";
    for (const entry of entries) {
      if (!(entry.value instanceof Uint8Array)) throw new TypeError("a chunk is no bytes");
      text += decoder.decode(entry.value, { stream: true });
    }
    return JSON.parse(text + decoder.decode()) as Json;
  } catch {
    // Not the error's own message: parsers quote the text they stumble over.
    throw invalidRow("chunked row", key, "its chunks do not make a JSON text");
  }
}

const PAGE = 64;

/** What `scanRows` reads first, to be prefetched. */
export const firstRows = (prefix: Key): RangeRead => below(prefix, PAGE);

/** Whole rows below `prefix` that are one part longer than it, in key order; read in pages, so that a consumer can stop early. */
export function* scanRows(tx: ReadTransaction, prefix: Key): Generator<Entry, void> {
  const rowLength = prefix.length + 1;
  for (let from: Bound = prefix; ; ) {
    const page = tx.range(from, [...prefix, END], { limit: PAGE });
    for (const { key, value } of page) {
      // Chunks of a row lie behind it and are joined with it.
      if (key.length === rowLength) yield { key, value: joinRow(tx, key, value) };
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    from = [...last.key.slice(0, rowLength), END];
  }
}

/** Reads to the end, for those who change what they read. */
export const collect = <T>(rows: Iterable<T>): T[] => [...rows];

/** Deletes a row and its chunks. */
export function deleteRow(tx: WriteTransaction, key: Key): void {
  for (const entry of tx.range(...prefixRange(key))) tx.delete(entry.key);
}

/** Whether `joinRow` has something to do; asking first spares a long read a call per row. */
export const isChunked = (value: Value): boolean => chunksOf(value) > 0;

/** How many byte rows follow; 0 for a row that is whole. */
function chunksOf(value: Value): number {
  const chunks = isPlainObject(value) ? value[MARKER] : undefined;
  return typeof chunks === "number" ? chunks : 0;
}
