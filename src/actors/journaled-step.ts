// Journaled step: one durable step of a turn, as the store answers or as it is found when the store could not say (SC-1).

import type { TurnCancellation } from "../domain/cancellation.ts";
import { storeError } from "../domain/errors.ts";
import type { LeaseFence, Persistence, SessionLease, TurnClaim, TurnStep } from "../stores/contract.ts";
import type { PendingTurnInput, QueuedBatch } from "../stores/ingress-contract.ts";
import { type Collected, collectedNow } from "./effect-host.ts";

export type MadeStep =
  | { readonly kind: "recorded"; readonly cancellation?: TurnCancellation; /** What its checkpoint claimed, if anything. */ readonly collected?: Collected }
  /** The turn had ended before: nothing was written. */
  | { readonly kind: "settled" };

export async function makeStep({ turns }: Persistence, step: TurnStep): Promise<MadeStep> {
  const outcome = await turns.recordStep(step);
  if (outcome.kind === "settled") return { kind: "settled" };
  const { cancellation } = outcome;
  const collected = step.collect && collectedNow(step.collect.replayKey, outcome);
  return { kind: "recorded", ...(cancellation && { cancellation }), ...(collected && { collected }) };
}

/**
 * Nobody else writes under this fence, so the step of that number is this one.
 *
 * @throws LashError `session_execution_lease_expired` - somebody else has the turn, or has ended it.
 */
export async function findStep(persistence: Persistence, { fence, turnId, step, collect }: TurnStep): Promise<(() => Promise<MadeStep>) | undefined> {
  const { sessionId } = fence;
  const turn = await persistence.turns.load(sessionId, turnId);
  // Read after the turn: who holds it now held it then.
  const lease = await persistence.leases.current(sessionId);
  if (!turn || !lease || !isHeldUnder(lease, fence)) throw storeError("session_execution_lease_expired", `session ${sessionId} is not held by this writer any more`, { details: { sessionId } });
  if (turn.step < step) return undefined;
  const { cancellation, claims } = turn;
  const claimed = claims.filter(({ replayKey }) => collect !== undefined && replayKey === collect.replayKey);
  return async () => ({
    kind: "recorded",
    ...(cancellation && { cancellation }),
    ...(claimed.length > 0 && { collected: { ...(await rowsOfClaims(persistence, claimed)), source: "run" as const } }),
  });
}

const isHeldUnder = ({ owner, leaseToken, fencingToken }: SessionLease, fence: LeaseFence): boolean =>
  owner.ownerId === fence.ownerId && owner.incarnationId === fence.incarnationId && leaseToken === fence.leaseToken && fencingToken === fence.fencingToken;

/** What was claimed, read again. */
export async function rowsOfClaims({ inputs: inputLane, queue }: Persistence, claims: readonly TurnClaim[]): Promise<Omit<Collected, "source">> {
  const inputs: PendingTurnInput[] = [];
  const batches: QueuedBatch[] = [];
  for (const { lane, rows } of claims) {
    if (lane === "inputs") inputs.push(...(await inputLane.claimed(rows)));
    else batches.push(...(await queue.claimed(rows)));
  }
  return { claims, inputs, batches };
}
