// Who may write: the rules of the session lease, inside whatever transaction needs them.
//
// The row outlives its holder, because the fencing counter only ever grows (S-59). It also counts the session's queued batches:
// every write that may have to look at them reads this row anyway, so a session without queued work never looks (decision 0017).
//
//   LR1. No rule compares a foreign `expiresAtMs` with the clock here: that is the holder's wall clock (SC-2).
//   LR2. Every sign of life of a holder changes its row, also where its wall clock stands still or goes back.

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
      /** Absent: the default one, so that the row stays readable for builds that know of no other. */
      ttlMs: z.exactOptional(z.number()),
    }),
  ),
});
type LeaseRow = z.output<typeof leaseRow>;

const DEFAULT_TTL_MS = 30_000;

/** The lane of a session as stored; fencing 0 when nobody ever held it. */
export interface Lane {
  readonly fencing: number;
  /** As stored, whether its holder lives or not; undefined when released. */
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
  const { owner, token, claimedAtMs, expiresAtMs, ttlMs = DEFAULT_TTL_MS } = holder;
  return { fencing, lease: { sessionId, owner, leaseToken: token, fencingToken: fencing, claimedAtMs, expiresAtMs, ttlMs }, work };
}

/** @param work - queued batches, as they are once the write happens. */
export function writeLease(tx: WriteTransaction, lease: SessionLease, work: number): void {
  const { owner, leaseToken: token, fencingToken: fencing, claimedAtMs, expiresAtMs, ttlMs } = lease;
  const holder = { owner: { ...owner }, token, claimedAtMs, expiresAtMs, ...(ttlMs !== DEFAULT_TTL_MS && { ttlMs }) };
  const row: LeaseRow = { fencing, ...(work > 0 && { work }), holder };
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
  const isOwn = lease !== undefined && isSameOwner(lease.owner, claim.owner);
  // Re-entry extends and never shortens (S-58). What is its own and has expired is acquired anew: whatever ran under it is over.
  if (isOwn && lease.expiresAtMs > now) {
    return { kind: "acquired", lease: { ...extended(lease, now, claim.ttlMs), ttlMs: Math.max(lease.ttlMs, claim.ttlMs) }, reentered: true, abandoned: false, work };
  }
  if (lease !== undefined && !isOwn && !isGivenUp(lease, claim)) return { kind: "busy", holder: lease, abandoned: false, work };
  const { sessionId, owner, leaseToken, ttlMs } = claim;
  const acquired = { sessionId, owner, leaseToken, fencingToken: lane.fencing + 1, claimedAtMs: now, expiresAtMs: now + ttlMs, ttlMs };
  return { kind: "acquired", lease: acquired, reentered: false, abandoned: lease !== undefined, work };
}

/** The same lease, told to live on: later than it was in any case (LR2). */
const extended = (lease: SessionLease, now: number, ttlMs: number): SessionLease => ({ ...lease, expiresAtMs: Math.max(lease.expiresAtMs + 1, now + ttlMs) });

export const renewed = (lease: SessionLease, now: number, ttlMs: number): SessionLease => ({ ...extended(lease, now, ttlMs), ttlMs });

/** The claim proves that the holder is dead, or has been silent for one time to live. */
function isGivenUp(lease: SessionLease, { deadHolder, silentHolder }: LeaseClaim): boolean {
  if (deadHolder !== undefined && isHeldBy(lease, deadHolder)) return true;
  return silentHolder !== undefined && isHeldBy(lease, silentHolder.fence) && lease.expiresAtMs === silentHolder.expiresAtMs;
}

/**
 * The lane behind a fence. Nobody has claimed it since, because every claim changes its fence; no clock is asked (LR1).
 *
 * @throws LashError `session_execution_lease_expired` - no fence, or one that is stale or released.
 * @throws LashError `session_id_retired` - the session was deleted meanwhile.
 */
export function requireFence(tx: ReadTransaction, sessionId: string, fence: LeaseFence | undefined): HeldLane {
  const { fencing, lease, work } = readLane(tx, sessionId);
  if (lease !== undefined && fence !== undefined && fence.sessionId === sessionId && isHeldBy(lease, fence)) return { lease, work };
  if (fencing === 0) requireNotRetired(tx, sessionId);
  throw leaseExpired(sessionId);
}

/** Releases the lane if `fence` still holds it; otherwise does nothing. */
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
