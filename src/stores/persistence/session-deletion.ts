// Deleting a session: one write, or for a long one several, of which the first makes it unusable for good (P-52).
//
//   SD1. After the first write nobody finds the session any more: its head, its directory entry, its queues and its turn are gone, and
//        its id is retired. What is left are rows of its history.
//   SD2. Every write deletes at most so many of those that others are not kept waiting. What died between two of them is gone on with
//        by whoever opens the session, deletes it again or recovers the store.

import { type Bound, prefixRange, type WriteTransaction } from "../engine.ts";
import { dropBytes } from "./attachment-bytes.ts";
import { isHeld, removeManifest } from "./attachment-rows.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { noteErasure } from "./erasure.ts";
import { childKey, historicRows, manifestPrefix, parkedPrefix, retiredKey, sessionKey, sessionPrefix, textAt, turnControlKey, turnPrefix, usableRows } from "./layout.ts";
import { parentIn } from "./meta-row.ts";
import { unlistSession } from "./ready-index.ts";
import { deletionIn, setDeletion } from "./session-region.ts";
import { revokeWaits } from "./waits.ts";

/** Rows deleted per range: a long session is not read at once. */
const PAGE = 512;

/** History rows that one write deletes. */
const ROWS_AT_ONCE = 2_048;

/** @returns whether there was anything to delete. */
export async function deleteSession(context: StoreContext, sessionId: string): Promise<boolean> {
  checkBinding(context, sessionId);
  const { engine, place } = context;
  const now = context.now();
  let [existed, done] = [false, false];
  while (!done) {
    const step = await engine.write((tx) => deleteSome(tx, sessionId, now));
    done = step !== "some";
    existed ||= step !== "nothing";
  }
  // The session is gone whatever becomes of this; what is left here falls to the next sweep.
  await place?.clear(context).catch(() => undefined);
  return existed;
}

function deleteSome(tx: WriteTransaction, sessionId: string, now: number): "nothing" | "some" | "all" {
  const isBegun = deletionIn(tx.get(turnControlKey(sessionId))) !== undefined;
  const entry = tx.get(sessionKey(sessionId));
  const hasRows = tx.range(...prefixRange(sessionPrefix(sessionId)), { limit: 1 }).length > 0;
  if (!isBegun && entry === undefined && !hasRows) return "nothing";
  const isHere = entry !== undefined || tx.get(retiredKey(sessionId)) === undefined;
  if (isHere) {
    for (const { key } of tx.range(...prefixRange(manifestPrefix(sessionId)))) release(tx, sessionId, textAt(key, 3), now);
    deleteWithin(tx, prefixRange(turnPrefix(sessionId)));
    revokeWaits(tx, sessionId);
    unlistSession(tx, sessionId);
    deleteWithin(tx, prefixRange(parkedPrefix(sessionId)));
    const parent = parentIn(entry);
    if (parent !== undefined) tx.delete(childKey(parent, sessionId));
    tx.delete(sessionKey(sessionId));
    tx.set(retiredKey(sessionId), { retiredAtMs: now });
  }
  for (const rows of usableRows(sessionId)) deleteWithin(tx, rows);
  const isOver = deleteWithin(tx, historicRows(sessionId), ROWS_AT_ONCE);
  setDeletion(tx, sessionId, isOver ? undefined : "history");
  noteErasure(tx);
  return isOver ? "all" : "some";
}

/** Drops a session's reference; the bytes go with the last one (C-46). */
function release(tx: WriteTransaction, sessionId: string, attachmentId: string, now: number): void {
  removeManifest(tx, sessionId, attachmentId);
  if (!isHeld(tx, attachmentId)) dropBytes(tx, attachmentId, now);
}

/** @param most - rows. @returns whether none is left. */
function deleteWithin(tx: WriteTransaction, rows: readonly [Bound, Bound], most = Number.POSITIVE_INFINITY): boolean {
  for (let left = most; left > 0; ) {
    const limit = Math.min(PAGE, left);
    const page = tx.range(...rows, { limit });
    for (const { key } of page) tx.delete(key);
    if (page.length < limit) return true;
    left -= limit;
  }
  return false;
}
