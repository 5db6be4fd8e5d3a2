// Rows about attachments: the manifest says which session refers to which bytes, and whether a commit stands behind it (P-44).
//   ["s", sid, 13, id]   when the intent was recorded, when a commit stamped it
//   ["intent", sid, id]  the same intent while no commit has stamped it: what a sweep reads
//   ["held", id, sid]    the sessions that refer to these bytes: what deleting them asks

import * as z from "zod/mini";
import { type Key, prefixRange, type ReadTransaction, type WriteTransaction } from "../engine.ts";
import { ATTACHMENT_BYTES, type PlacedBytes, setBytes } from "./attachment-bytes.ts";
import { contentKey, heldKey, heldPrefix, intentKey, manifestKey } from "./layout.ts";
import { parseRow } from "./schema.ts";

const manifestRow = z.strictObject({ intentAtMs: z.number(), committedAtMs: z.exactOptional(z.number()) });
export type ManifestRow = z.output<typeof manifestRow>;

/** All that is read where new bytes of a session are stored. */
export const readsOfAttachment = (sessionId: string, id: string): readonly Key[] => [manifestKey(sessionId, id), contentKey(ATTACHMENT_BYTES, id)];

/** Stores bytes with their intents. */
export function setAttachments(tx: WriteTransaction, sessionId: string, attachments: readonly PlacedBytes[], now: number): void {
  for (const placed of attachments) {
    recordIntent(tx, sessionId, placed.id, now);
    setBytes(tx, placed);
  }
}

export function readManifest(tx: ReadTransaction, sessionId: string, attachmentId: string): ManifestRow | undefined {
  const key = manifestKey(sessionId, attachmentId);
  const value = tx.get(key);
  return value === undefined ? undefined : parseRow(manifestRow, "attachment manifest", key, value);
}

/** An intent that waits for its commit is made young again: bytes that are put once more must not fall to a sweep of the old one. */
export function recordIntent(tx: WriteTransaction, sessionId: string, attachmentId: string, now: number): void {
  if (readManifest(tx, sessionId, attachmentId)?.committedAtMs !== undefined) return;
  tx.set(manifestKey(sessionId, attachmentId), { intentAtMs: now });
  tx.set(intentKey(sessionId, attachmentId), now);
  tx.set(heldKey(attachmentId, sessionId), true);
}

/** Stamps rows of this session once; unknown ids are ignored, never created. */
export function stampAttachments(tx: WriteTransaction, sessionId: string, attachmentIds: readonly string[], now: number): void {
  for (const id of attachmentIds) {
    const row = readManifest(tx, sessionId, id);
    if (row === undefined || row.committedAtMs !== undefined) continue;
    tx.set(manifestKey(sessionId, id), { ...row, committedAtMs: now });
    tx.delete(intentKey(sessionId, id));
  }
}

export function removeManifest(tx: WriteTransaction, sessionId: string, attachmentId: string): void {
  tx.delete(manifestKey(sessionId, attachmentId));
  tx.delete(intentKey(sessionId, attachmentId));
  tx.delete(heldKey(attachmentId, sessionId));
}

/** Whether any session refers to these bytes. */
export function isHeld(tx: ReadTransaction, attachmentId: string): boolean {
  return tx.range(...prefixRange(heldPrefix(attachmentId)), { limit: 1 }).length > 0;
}
