// Claiming queued work inside whatever transaction needs it: a claim of its own, a step at a checkpoint, the acceptance of a
// turn. Candidates are looked for only where the lane counts any (lease-rules.ts).

import { jsonEqual } from "../../domain/json.ts";
import type { SessionLease } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import type { WorkBoundary, WorkClaim } from "../ingress-contract.ts";
import { claimRows, isClaimable } from "./claim-rows.ts";
import { classOf, queuedWork, setWork, toBatch, type WorkRow } from "./work-rows.ts";

/** Who looks for work, and when. */
export interface WorkSearch {
  /** Fencing token of the lease under which it is claimed. */
  readonly generation: number;
  readonly now: number;
  /** The session's turn in flight: what that took is its own. */
  readonly inFlight: string | undefined;
}

export const isTakenBy = ({ turn }: WorkRow, inFlight: string | undefined): boolean => turn !== undefined && turn === inFlight;

/** Candidates, filtered before any limit: an unready or claimed row neither hides nor separates those behind it. */
export function* readyWork(tx: ReadTransaction, sessionId: string, { generation, now, inFlight }: WorkSearch): Generator<WorkRow, void> {
  for (const row of queuedWork(tx, sessionId)) {
    if (row.availableAtMs <= now && isClaimable(row, generation) && !isTakenBy(row, inFlight)) yield row;
  }
}

/** The session command that stands before everything else. */
export function leadingCommand(ready: Iterable<WorkRow>): WorkRow | undefined {
  for (const row of ready) return classOf(row) === "session_command" ? row : undefined;
  return undefined;
}

/** The group that the first candidate opens; nothing behind a command, or at a checkpoint behind later work. */
export function nextGroup(ready: Iterable<WorkRow>, boundary: WorkBoundary, max: number): readonly WorkRow[] {
  const group: WorkRow[] = [];
  if (max === 0) return group;
  for (const row of ready) {
    const [head] = group;
    if (head === undefined) {
      const isBlocked = boundary === "active_turn_checkpoint" && row.delivery !== "earliest_safe_boundary";
      if (classOf(row) === "session_command" || isBlocked) break;
    } else if (!joins(row, head)) break;
    group.push(row);
    if (group.length === max || row.slot === "exclusive") break;
  }
  return group;
}

/** Exactly these batches, if they are the next group in this order; else nothing. */
export function exactGroup(ready: Iterable<WorkRow>, boundary: WorkBoundary, batchIds: readonly string[]): readonly WorkRow[] {
  const group = nextGroup(ready, boundary, batchIds.length);
  const isWanted = group.length === batchIds.length && group.every((row, index) => row.id === batchIds[index]);
  return isWanted ? group : [];
}

const joins = (row: WorkRow, head: WorkRow): boolean =>
  classOf(row) === "turn_work" &&
  row.slot === "join" &&
  row.delivery === head.delivery &&
  row.merge !== "never" &&
  jsonEqual(row.merge, head.merge);

/** The row as it belongs to that turn, or to none. */
export function ofTurn(row: WorkRow, turnId: string | undefined): WorkRow {
  const { turn: _, ...free } = row;
  return turnId === undefined ? free : { ...free, turn: turnId };
}

/**
 * Writes a claim on rows, which are not empty.
 *
 * @param turnId - the turn that they belong to from here on; without one they are lent to the lease.
 */
export function takeWork(tx: WriteTransaction, rows: readonly WorkRow[], lease: SessionLease, claimToken: string, turnId?: string): WorkClaim {
  const { sessionId, owner, fencingToken: generation } = lease;
  const claimed = claimRows("qwc", rows, lease, claimToken);
  const taken = claimed.rows.map((row) => ofTurn(row, turnId));
  for (const row of taken) setWork(tx, sessionId, row);
  return {
    sessionId,
    claimId: claimed.claimId,
    owner,
    claimToken,
    fencingToken: claimed.fencingToken,
    sessionLeaseGeneration: generation,
    batches: taken.map((row) => toBatch(sessionId, row)),
  };
}
