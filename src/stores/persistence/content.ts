// Content-addressed documents and bytes: put once under the hash of what they say, never changed (P-16, P-47).
//
// The header answers "is it there?" and "how large?" without reading the content, which may be megabytes.

import * as z from "zod/mini";
import { orderedJson, type Json } from "../../domain/json.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import { prefixRange, type ReadTransaction, type Value, type WriteTransaction } from "../engine.ts";
import { contentKey, pieceKey, piecesPrefix } from "./layout.ts";
import { count, invalidRow, parseRow } from "./schema.ts";

const PIECE_BYTES = 4 * 1024 * 1024;
const KIND = "content header";

const header = z.strictObject({ bytes: count, pieces: count, mime: z.exactOptional(z.string()), home: z.exactOptional(z.string()) });
export type ContentHeader = z.output<typeof header>;

/** Ready to be stored: hashing and serializing have no place inside a transaction (E4). */
export interface PreparedContent {
  readonly id: string;
  readonly bytes: number;
  readonly pieces: readonly Uint8Array[];
  /** Media type, where the kind of content has one. */
  readonly mime?: string;
  /** Key of the bytes in a home outside the store; there are no pieces then. */
  readonly home?: string;
}

/**
 * A document or bytes under an id that also says which of the two it is, so that equal text and bytes stay apart. A document keeps
 * the order of its keys: that of a tool's schema is part of what a model is shown, and of the prefix that its cache knows.
 */
export function prepareContent(body: Json | Uint8Array): PreparedContent {
  if (body instanceof Uint8Array) return withId(`bytes:${sha256Hex(body)}`, body);
  const text = new TextEncoder().encode(orderedJson(body));
  return withId(`json:${sha256Hex(text)}`, text);
}

/** Bytes under an id of the caller's choice. */
export function withId(id: string, bytes: Uint8Array): PreparedContent {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) pieces.push(bytes.slice(at, at + PIECE_BYTES));
  return { id, bytes: bytes.length, pieces };
}

export function hasContent(tx: ReadTransaction, space: string, id: string): boolean {
  return tx.get(contentKey(space, id)) !== undefined;
}

/** Stores content unless it is there already. */
export function putContent(tx: WriteTransaction, space: string, content: PreparedContent): void {
  if (hasContent(tx, space, content.id)) return;
  setContent(tx, space, content);
}

export function setContent(tx: WriteTransaction, space: string, { id, bytes, pieces, mime, home }: PreparedContent): void {
  tx.set(contentKey(space, id), { bytes, pieces: pieces.length, ...(mime !== undefined && { mime }), ...(home !== undefined && { home }) });
  pieces.forEach((piece, index) => tx.set(pieceKey(space, id, index), piece));
}

/** Stores content in place of what was there under its id. */
export function replaceContent(tx: WriteTransaction, space: string, content: PreparedContent): void {
  deleteContent(tx, space, content.id);
  setContent(tx, space, content);
}

/** Media type, size and home, without reading the content. */
export function describeContent(tx: ReadTransaction, space: string, id: string): ContentHeader | undefined {
  const key = contentKey(space, id);
  const value = tx.get(key);
  return value === undefined ? undefined : parseRow(header, KIND, key, value);
}

/** @returns the bytes, or undefined when there is no such content. */
export function getBytes(tx: ReadTransaction, space: string, id: string): Uint8Array | undefined {
  const key = contentKey(space, id);
  const value = tx.get(key);
  if (value === undefined) return undefined;
  const { bytes, pieces } = parseRow(header, KIND, key, value);
  const joined = new Uint8Array(bytes);
  let at = 0;
  let found = 0;
  for (const piece of tx.range(...prefixRange(piecesPrefix(space, id)))) {
    if (!(piece.value instanceof Uint8Array) || at + piece.value.length > bytes) throw invalidRow(KIND, key, "its pieces do not fit it");
    joined.set(piece.value, at);
    at += piece.value.length;
    found++;
  }
  if (at !== bytes || found !== pieces) throw invalidRow(KIND, key, `${found} of ${pieces} pieces are there`);
  return joined;
}

/** What `prepareContent` was given. */
export function getContent(tx: ReadTransaction, space: string, id: string): Value | undefined {
  return id.startsWith("json:") ? getDocument(tx, space, id) : getBytes(tx, space, id);
}

/** Content that is the text of a JSON document. */
export function getDocument(tx: ReadTransaction, space: string, id: string): Json | undefined {
  const bytes = getBytes(tx, space, id);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Json;
  } catch {
    throw invalidRow(KIND, contentKey(space, id), "its content is no JSON text");
  }
}

export function deleteContent(tx: WriteTransaction, space: string, id: string): void {
  const key = contentKey(space, id);
  const value = tx.get(key);
  if (value === undefined) return;
  const { pieces } = parseRow(header, KIND, key, value);
  tx.delete(key);
  for (let piece = 0; piece < pieces; piece++) tx.delete(pieceKey(space, id, piece));
}
