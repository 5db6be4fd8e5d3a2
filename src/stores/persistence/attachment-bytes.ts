// Bytes of attachments: in pieces beside their header, or in a home outside the store under a key that the header names.
// What a home takes is apart (attachments-in-home.ts), so that programs without one do not carry it.

import { attachmentError, wiringError } from "../../domain/errors.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { NewAttachment } from "../content-contract.ts";
import type { ReadTransaction, Scope, WriteTransaction } from "../engine.ts";
import { type ContentHeader, deleteContent, describeContent, getBytes, hasContent, setContent, withId } from "./content.ts";
import type { StoreContext } from "./context.ts";
import { blobKey } from "./layout.ts";

/** Space of attachment bytes in content.ts. */
export const ATTACHMENT_BYTES = "attachment";

/** Bytes that a write may refer to; where a header for them is there already, it is left as it is. */
export interface PlacedBytes {
  readonly id: string;
  /** Writes the header. */
  set(tx: WriteTransaction): void;
}

/** A write that refers to new bytes. They are in their place before it begins (S-77, E4). */
export type WriteWithBytes = <T>(
  context: StoreContext,
  attachments: readonly NewAttachment[],
  body: (tx: WriteTransaction, placed: readonly PlacedBytes[]) => T,
  scope: Scope,
) => Promise<T>;

/** Where bytes go that are not to lie in rows. */
export interface BytesPlace {
  readonly durable: boolean;
  readonly write: WriteWithBytes;
  /** @returns undefined where the attachment was deleted meanwhile. */
  read(context: StoreContext, id: string, header: ContentHeader): Promise<StoredBytes | undefined>;
  /**
   * Deletes what headers let go of.
   *
   * @param cutoffMs - what was put up to then and never named goes, too.
   * @returns how many of the latter there were.
   */
  clear(context: StoreContext, cutoffMs?: number): Promise<number>;
}

export interface StoredBytes {
  readonly header: ContentHeader;
  readonly bytes: Uint8Array;
}

export const writeWithBytes: WriteWithBytes = (context, attachments, body, scope) => {
  if (context.place !== undefined && attachments.length > 0) return context.place.write(context, attachments, body, scope);
  const prepared = attachments.map(({ bytes, mime }): PlacedBytes => {
    const content = { ...withId(sha256Hex(bytes), bytes), mime };
    return { id: content.id, set: (tx) => setContent(tx, ATTACHMENT_BYTES, content) };
  });
  return context.engine.write((tx) => body(tx, prepared), scope);
};

/** Makes sure that there is a header for the bytes. */
export function setBytes(tx: WriteTransaction, placed: PlacedBytes): void {
  if (!hasContent(tx, ATTACHMENT_BYTES, placed.id)) placed.set(tx);
}

export const describeBytes = (tx: ReadTransaction, id: string): ContentHeader | undefined => describeContent(tx, ATTACHMENT_BYTES, id);

/** @throws LashError `attachment_not_found`, `attachment_damaged`, `missing_attachment_store`. */
export async function readBytes(context: StoreContext, id: string): Promise<StoredBytes> {
  const { engine, place } = context;
  const { header, bytes } = await engine.read((tx) => {
    const found = describeBytes(tx, id);
    return { header: found, bytes: found?.home === undefined ? getBytes(tx, ATTACHMENT_BYTES, id) : undefined };
  });
  const details = { attachmentId: id };
  if (header?.home !== undefined && place === undefined) {
    throw wiringError("missing_attachment_store", `the bytes of attachment ${id} are not in ${engine.name} but in a home of their own; open the store with the \`attachments\` it was written with`, { details });
  }
  const stored = header && (bytes ? { header, bytes } : await place?.read(context, id, header));
  if (stored === undefined) throw attachmentError("attachment_not_found", `there is no attachment ${id}`, { details });
  return stored;
}

/** Forgets where the bytes are; those in a home are deleted once this is durable (`BytesPlace.clear`). */
export function dropBytes(tx: WriteTransaction, id: string, droppedAtMs: number): void {
  const home = describeBytes(tx, id)?.home;
  if (home !== undefined) tx.set(blobKey(home), { droppedAtMs });
  deleteContent(tx, ATTACHMENT_BYTES, id);
}
