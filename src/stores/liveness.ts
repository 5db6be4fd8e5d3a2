// Liveness: what can be known about the owners of leases beyond their expiry.

import { onAbort } from "../domain/abort.ts";
import type { LeaseOwner } from "./lease-contract.ts";

/** Who a claimant is, and whether another owner is dead for sure. */
export interface Liveness {
  /** Asked at every claim: what proves this owner alive may change in its life (a tab that was frozen). */
  self(): Promise<LeaseOwner["liveness"]>;
  /** True only with proof; anything uncertain is false, and the lease's expiry decides. */
  isDead(owner: LeaseOwner): Promise<boolean>;
  /** Resolves once the owner is dead for sure, at once if this place is told; never where it cannot be. Rejects when aborted. */
  death(owner: LeaseOwner, signal: AbortSignal): Promise<void>;
  /** The runtime is closed: from now on others may find its owners dead. */
  close(): void;
}

/** Knows nothing of anybody: only time tells. */
export const opaqueLiveness: Liveness = {
  self: () => Promise.resolve({ kind: "opaque" }),
  isDead: () => Promise.resolve(false),
  death: (_owner, signal) => aborted(signal),
  close: () => undefined,
};

/** For liveness that is never told: waits until nobody wants to know any more. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    onAbort(signal, () => reject(signal.reason));
  });
}
