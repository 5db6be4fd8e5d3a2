// Session lease: the lease of a session as the durable parts see it: held here, or seen in the hands of somebody else.

import type { AnyActorRef } from "xstate";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { LeaseFacet, LeaseFence, SessionLease } from "../stores/contract.ts";
import { HeldLease, type HeldLeaseOptions } from "./durable/held-lease.ts";
import type { SeenLease } from "./durable/lease-watch.ts";
import type { RuntimePorts } from "./ports.ts";

export function fenceOf({ sessionId, owner, leaseToken, fencingToken }: SessionLease): LeaseFence {
  return { sessionId, ownerId: owner.ownerId, incarnationId: owner.incarnationId, leaseToken, fencingToken };
}

/** Gives a lane back. Where that fails, its lease runs out. @returns whether it did not fail. */
export const releaseLane = (leases: LeaseFacet, fence: LeaseFence): Promise<boolean> => leases.release(fence).then(yes, no);
const yes = (): boolean => true;
const no = (): boolean => false;

interface Holding extends Pick<HeldLeaseOptions<LeaseFence>, "sinceMs"> {
  readonly parent?: AnyActorRef;
  /** Default: once, and where that fails it runs out. */
  readonly giveBack?: (fence: LeaseFence) => Promise<unknown>;
}

/** Keeps the lease of a session that was claimed here. */
export function holdSession({ persistence: { leases }, clock, leaseTimings: timings }: RuntimePorts, lease: SessionLease, { giveBack, ...rest }: Holding = {}): HeldLease<LeaseFence> {
  const fence = fenceOf(lease);
  return new HeldLease({
    ...rest,
    fence,
    subject: lease.sessionId,
    clock,
    timings,
    renew: async () => {
      try {
        await leases.renew(fence, timings.ttlMs);
        return "renewed";
      } catch (error) {
        if (LashError.is(error) && error.isCode("session_execution_lease_expired")) return "refused";
        throw error;
      }
    },
    release: () => (giveBack ?? ((held: LeaseFence) => releaseLane(leases, held)))(fence),
    lostError: () => runtimeError("session_execution_lease_lost", "the session's lease expired or was taken over"),
  });
}

/** A lease of a session that somebody else holds, for whoever watches it. */
export const seenLease = ({ sessionId, owner, leaseToken, fencingToken, expiresAtMs, ttlMs }: SessionLease): SeenLease => ({
  subject: sessionId,
  sign: JSON.stringify([owner.ownerId, owner.incarnationId, leaseToken, fencingToken, expiresAtMs]),
  ttlMs,
});
