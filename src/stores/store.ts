// Store: what a host hands to createLash. An engine, and what this place can find out about owners of leases.

import type { Engine } from "./engine.ts";
import type { LeaseOwner } from "./contract.ts";

/** Who a claimant is, and whether another owner is dead for sure (S-62, OP-14). */
export interface Liveness {
  self(): Promise<LeaseOwner["liveness"]>;
  /** True only with proof; anything uncertain is false, and the lease's expiry decides. */
  isDead(owner: LeaseOwner): Promise<boolean>;
}

export interface Store {
  readonly engine: Engine;
  readonly liveness: Liveness;
}

/** Knows nothing of anybody: only time tells. */
export const opaqueLiveness: Liveness = {
  self: () => Promise.resolve({ kind: "opaque" }),
  isDead: () => Promise.resolve(false),
};
