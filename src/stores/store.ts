// Store: what a host hands to createLash. An engine, what this place can find out about owners of leases, and, where several
// runtimes may look at one session, how they tell each other what happens.

import { onAbort } from "../domain/abort.ts";
import type { Engine } from "./engine.ts";
import type { BytesPlace } from "./persistence/attachment-bytes.ts";
import type { LeaseOwner } from "./contract.ts";
import type { Json } from "../domain/json.ts";

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

/**
 * Carries messages between the runtimes that share a store. A message is a hint and may get lost: rows are the truth.
 * Never comes back to its sender.
 */
export interface PeerChannel {
  /** Must not throw; where it cannot send, it does not. */
  post(message: Json): void;
  /** What arrives is foreign: check it. @returns what stops it. */
  listen(listener: (message: unknown) => void): () => void;
  close(): void;
}

export interface Store {
  readonly engine: Engine;
  readonly liveness: Liveness;
  /** Left out where nobody watches live, as between processes on a server. */
  readonly peers?: PeerChannel;
  /** Where the bytes of attachments live; left out: in the engine, with everything else. */
  readonly attachments?: BytesPlace;
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
