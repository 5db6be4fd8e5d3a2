// Booking usage: a commit adds what it cost to its session's ledger and, for a child, to its parent's, that one's parent's and so
// on - in the transaction of the commit, so once and never twice, whoever dies when (S-69, decision 0016).

import type { TokenLedgerEntry } from "../../domain/session.ts";
import type { WriteTransaction } from "../engine.ts";
import { sessionKey, usageKey } from "./layout.ts";
import { findMeta } from "./meta-row.ts";
import { addToLedger, type LedgerRow, readLedgerRow } from "./usage-row.ts";

/**
 * @param isChild - as its head says: a session that is no child reads nothing for this.
 * @returns the session's own ledger, with what its children have booked.
 */
export function bookUsage(tx: WriteTransaction, sessionId: string, deltas: readonly TokenLedgerEntry[], isChild: boolean): LedgerRow {
  const own = addToLedger(readLedgerRow(tx, sessionId), deltas);
  tx.set(usageKey(sessionId), own);
  if (isChild) bookAbove(tx, sessionId, deltas);
  return own;
}

function bookAbove(tx: WriteTransaction, sessionId: string, deltas: readonly TokenLedgerEntry[]): void {
  // Damaged relations may form a ring.
  const booked = new Set([sessionId]);
  let meta = findMeta(tx, sessionId);
  while (meta?.relation.kind === "child" && meta.relation.assignment !== undefined) {
    const { parentSessionId, assignment } = meta.relation;
    tx.widen(parentSessionId);
    tx.prefetch([sessionKey(parentSessionId), usageKey(parentSessionId)]);
    const parent = booked.has(parentSessionId) ? undefined : findMeta(tx, parentSessionId);
    // A parent that was deleted books nothing any more; its id stays retired.
    if (parent === undefined) return;
    const { usageSource: source } = assignment;
    tx.set(usageKey(parentSessionId), addToLedger(readLedgerRow(tx, parentSessionId), deltas.map((delta) => ({ ...delta, source }))));
    booked.add(parentSessionId);
    meta = parent;
  }
}
