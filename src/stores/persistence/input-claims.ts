// Claiming inputs inside whatever transaction needs it: a claim of its own, a step at a checkpoint, the acceptance of a turn.

import type { SessionLease } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import type { CheckpointKind, ClaimedRows, InputClaimMode, TurnInputClaim } from "../ingress-contract.ts";
import { belongsTo, claimRows, isClaimable } from "./claim-rows.ts";
import { type InputRow, isFor, liveInputs, setInput, toInput } from "./input-rows.ts";

/** The rows that a claim would take, by sequence. */
export function selectInputs(
  tx: ReadTransaction,
  sessionId: string,
  { generation, max, isWanted }: { readonly generation: number; readonly max: number; readonly isWanted: (row: InputRow) => boolean },
): InputRow[] {
  const rows: InputRow[] = [];
  if (max === 0) return rows;
  for (const row of liveInputs(tx, sessionId)) {
    if (!isWanted(row) || !isClaimable(row, generation)) continue;
    if (rows.push(row) === max) break;
  }
  return rows;
}

/**
 * Writes a claim on rows, which are not empty.
 *
 * @param accepts - the rows belong to a turn from here on and are no longer only lent to a lease.
 */
export function takeInputs(
  tx: WriteTransaction,
  rows: readonly InputRow[],
  lease: SessionLease,
  claim: { readonly claimToken: string; readonly mode: InputClaimMode; readonly accepts: boolean },
): TurnInputClaim {
  const { sessionId } = lease;
  const claimed = claimRows("tic", rows, lease, claim.claimToken);
  const taken = claimed.rows.map((row): InputRow => (claim.accepts ? { ...row, state: "accepted" } : row));
  for (const row of taken) setInput(tx, sessionId, row);
  return {
    sessionId,
    claimId: claimed.claimId,
    owner: lease.owner,
    claimToken: claim.claimToken,
    fencingToken: claimed.fencingToken,
    sessionLeaseGeneration: lease.fencingToken,
    mode: claim.mode,
    inputs: taken.map((row) => toInput(sessionId, row)),
  };
}

/** `after_work` admits both checkpoints, `before_completion` only itself; an accepted input only its own turn. */
export function isActiveFor(row: InputRow, turnId: string, checkpoint: CheckpointKind): boolean {
  const { ingress, state } = row;
  if (ingress.scope !== "active_turn" || !isFor(row, turnId) || (state !== "pending_active" && state !== "accepted")) return false;
  return ingress.minBoundary === "after_work" || ingress.minBoundary === checkpoint;
}

/**
 * The same for a turn that remembers its claims: an earlier generation's is still its own, and is not taken a second time.
 *
 * @param remembered - what the turn has claimed so far.
 */
export const isNewFor = (row: InputRow, turnId: string, checkpoint: CheckpointKind, remembered: readonly ClaimedRows[]): boolean =>
  isActiveFor(row, turnId, checkpoint) && !remembered.some((rows) => belongsTo(row, rows));
