// Who may write: the rules of the session lease, inside whatever transaction needs them.
//
// The row outlives its holder, because the fencing counter only ever grows (S-59). It also counts the session's queued batches:
// every write that may have to look at them reads this row anyway, so a session without queued work never looks (decision 0017).

import * as z from "zod/mini";
import { type LashError, storeError } from "../../domain/errors.ts";
import type { ClaimOutcome, LeaseClaim, LeaseFence, LeaseOwner, SessionLease } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import { requireNotRetired } from "./retired.ts";
import { leaseKey } from "./layout.ts";
import { count, fitting, parseRow } from "./schema.ts";

const liveness = z.union([
  z.strictObject({ kind: z.literal("opaque") }),
  z.strictObject({ kind: z.literal("local_process"), hostId: z.string(), bootId: z.string(), pid: z.number(), processStart: z.string() }),
  z.strictObject({ kind: z.literal("web_lock"), lockName: z.string() }),
  z.catchall(z.object({ kind: z.templateLiteral([z.string(), ":", z.string()]) }), z.union([z.string(), z.number(), z.boolean()])),
]);

export const ownerRow = z.strictObject({ ownerId: z.string(), incarnationId: z.string(), liveness });

const leaseRow = z.strictObject({
  fencing: count,
  /** Queued batches; absent where there are none. */
  work: z.exactOptional(count),
  /** Absent: released. */
  holder: z.exactOptional(
    z.strictObject({
      owner: ownerRow,
      token: z.string(),
      claimedAtMs: z.number(),
      expiresAtMs: z.number(),
    }),
  ),
});
type LeaseRow = z.output<typeof leaseRow>;

/** The lane of a session as stored; fencing 0 when nobody ever held it. */
export interface Lane {
  readonly fencing: number;
  /** As stored, live or expired; undefined when released. */
  readonly lease: SessionLease | undefined;
  /** Queued batches. */
  readonly work: number;
}

/** A lane that the caller holds. */
export interface HeldLane {
  readonly lease: SessionLease;
  readonly work: number;
}

export function readLane(tx: ReadTransaction, sessionId: string): Lane {
  const key = leaseKey(sessionId);
  const value = tx.get(key);
  if (value === undefined) return { fencing: 0, lease: undefined, work: 0 };
  const { fencing, holder, work = 0 } = parseRow(leaseRow, "session lease", key, value);
  if (holder === undefined) return { fencing, lease: undefined, work };
  const { owner, token, claimedAtMs, expiresAtMs } = holder;
  return { fencing, lease: { sessionId, owner, leaseToken: token, fencingToken: fencing, claimedAtMs, expiresAtMs }, work };
}

/** @param work - queued batches, as they are once the write happens. */
export function writeLease(tx: WriteTransaction, lease: SessionLease, work: number): void {
  const { owner, leaseToken: token, fencingToken: fencing, claimedAtMs, expiresAtMs } = lease;
  const row: LeaseRow = { fencing, ...(work > 0 && { work }), holder: { owner: { ...owner }, token, claimedAtMs, expiresAtMs } };
  tx.set(leaseKey(lease.sessionId), fitting(leaseRow, row));
}

/** Frees the lane and keeps its counters. */
export function writeReleased(tx: WriteTransaction, sessionId: string, fencing: number, work: number): void {
  tx.set(leaseKey(sessionId), fitting(leaseRow, { fencing, ...(work > 0 && { work }) }));
}

/** Counts a batch that was queued or taken back, whoever holds the lane. */
export function countWork(tx: WriteTransaction, sessionId: string, by: 1 | -1): void {
  const { fencing, lease, work } = readLane(tx, sessionId);
  if (lease === undefined) writeReleased(tx, sessionId, fencing, work + by);
  else writeLease(tx, lease, work + by);
}

/**
 * Decides a claim against the stored lane; writes nothing.
 *
 * @throws LashError `session_id_retired` - nobody holds the lane because the session was deleted.
 */
export function decideClaim(tx: ReadTransaction, claim: LeaseClaim, now: number): ClaimOutcome & { readonly abandoned: boolean; readonly work: number } {
  const lane = readLane(tx, claim.sessionId);
  if (lane.fencing === 0) requireNotRetired(tx, claim.sessionId);
  const { lease, work } = lane;
  const live = lease !== undefined && lease.expiresAtMs > now;
  if (live && isSameOwner(lease.owner, claim.owner)) {
    // Re-entry extends and never shortens (S-58).
    const expiresAtMs = Math.max(lease.expiresAtMs, now + claim.ttlMs);
    return { kind: "acquired", lease: { ...lease, expiresAtMs }, reentered: true, abandoned: false, work };
  }
  if (live && !(claim.deadHolder !== undefined && isHeldBy(lease, claim.deadHolder))) return { kind: "busy", holder: lease, abandoned: false, work };
  const { sessionId, owner, leaseToken, ttlMs } = claim;
  const acquired = { sessionId, owner, leaseToken, fencingToken: lane.fencing + 1, claimedAtMs: now, expiresAtMs: now + ttlMs };
  return { kind: "acquired", lease: acquired, reentered: false, abandoned: lease !== undefined, work };
}

/**
 * The lane behind a fence.
 *
 * @throws LashError `session_execution_lease_expired` - no fence, or one that is stale, released or expired.
 * @throws LashError `session_id_retired` - the session was deleted meanwhile.
 */
export function requireFence(
  tx: ReadTransaction,
  sessionId: string,
  fence: LeaseFence | undefined,
  now: number,
): HeldLane {
  const lane = requireUnclaimed(tx, sessionId, fence);
  if (lane.lease.expiresAtMs <= now) throw leaseExpired(sessionId);
  return lane;
}

/**
 * The lane behind a fence, its lease live or expired: nobody claimed the lane since, as every claim changes its fence. A holder
 * whose timers came late, as in a hidden tab, may renew it.
 *
 * @throws LashError `session_execution_lease_expired` - no fence, or one that is stale or released.
 * @throws LashError `session_id_retired` - the session was deleted meanwhile.
 */
export function requireUnclaimed(tx: ReadTransaction, sessionId: string, fence: LeaseFence | undefined): HeldLane {
  const { fencing, lease, work } = readLane(tx, sessionId);
  if (lease !== undefined && fence !== undefined && fence.sessionId === sessionId && isHeldBy(lease, fence)) return { lease, work };
  if (fencing === 0) requireNotRetired(tx, sessionId);
  throw leaseExpired(sessionId);
}

/** Releases the lane if `fence` still holds it, expired or not; otherwise does nothing. */
export function releaseIfHeld(tx: WriteTransaction, fence: LeaseFence): void {
  const { fencing, lease, work } = readLane(tx, fence.sessionId);
  if (lease !== undefined && isHeldBy(lease, fence)) writeReleased(tx, fence.sessionId, fencing, work);
}

const isSameOwner = (a: LeaseOwner, b: LeaseOwner): boolean => a.ownerId === b.ownerId && a.incarnationId === b.incarnationId;

const isHeldBy = (lease: SessionLease, fence: LeaseFence): boolean =>
  lease.owner.ownerId === fence.ownerId &&
  lease.owner.incarnationId === fence.incarnationId &&
  lease.leaseToken === fence.leaseToken &&
  lease.fencingToken === fence.fencingToken;

const leaseExpired = (sessionId: string): LashError =>
  storeError("session_execution_lease_expired", `the execution lease of session ${sessionId} is not held by this writer`, {
    details: { sessionId },
  });
