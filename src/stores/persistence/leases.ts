// Facet `leases`: the execution lease of a session (P-24..P-27). Its row is ["s", sid, 0, "lease"].

import type { ClaimOutcome, LeaseFacet, SessionLease } from "../contract.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { leaseKey, retiredKey } from "./layout.ts";
import { decideClaim, readLane, releaseIfHeld, renewed, requireFence, writeLease } from "./lease-rules.ts";
import { inSession } from "./scopes.ts";

export function createLeases(context: StoreContext): LeaseFacet {
  const { engine } = context;
  return {
    async claim(claim) {
      checkBinding(context, claim.sessionId);
      const now = context.now();
      return engine.write((tx): ClaimOutcome => {
        tx.prefetch([leaseKey(claim.sessionId), retiredKey(claim.sessionId)]);
        const decided = decideClaim(tx, claim, now);
        if (decided.kind === "busy") return { kind: "busy", holder: decided.holder };
        writeLease(tx, decided.lease, decided.work);
        return { kind: "acquired", lease: decided.lease, reentered: decided.reentered };
      }, inSession(claim.sessionId));
    },

    async renew(fence, ttlMs) {
      checkBinding(context, fence.sessionId);
      const now = context.now();
      return engine.write((tx): SessionLease => {
        const { lease, work } = requireFence(tx, fence.sessionId, fence);
        const later = renewed(lease, now, ttlMs);
        writeLease(tx, later, work);
        return later;
      }, inSession(fence.sessionId));
    },

    async release(fence) {
      checkBinding(context, fence.sessionId);
      await engine.write((tx) => releaseIfHeld(tx, fence), inSession(fence.sessionId));
    },

    async current(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => readLane(tx, sessionId).lease);
    },
  };
}
