// Leases of sessions: who may drive one, and until when (P-24..P-27, S-56..S-62). Part of the persistence contract.
//
// A store never compares a holder's `expiresAtMs` with its own wall clock: clocks of two machines differ, and each may jump (SC-2).
// Whoever wants a lease that somebody else holds brings evidence with the claim, and the store compares it with the row.


/** How a claimant may learn that an owner is dead. */
export type OwnerLiveness =
  | { readonly kind: "opaque" }
  | { readonly kind: "local_process"; readonly hostId: string; readonly bootId: string; readonly pid: number; readonly processStart: string }
  | { readonly kind: "web_lock"; readonly lockName: string }
  | OwnersLiveness;

/** Liveness of an engine from elsewhere. Its kind has a colon in it, such as `postgres:lock`; the rest is what that engine needs. */
export interface OwnersLiveness {
  readonly kind: `${string}:${string}`;
  readonly [fact: string]: string | number | boolean;
}

export interface LeaseOwner {
  readonly ownerId: string;
  readonly incarnationId: string;
  readonly liveness: OwnerLiveness;
}

/** What a write must still match: owner, token and fencing number. */
export interface LeaseFence {
  readonly sessionId: string;
  readonly ownerId: string;
  readonly incarnationId: string;
  readonly leaseToken: string;
  readonly fencingToken: number;
}

export interface SessionLease {
  readonly sessionId: string;
  readonly owner: LeaseOwner;
  readonly leaseToken: string;
  /** Starts at 1, +1 per fresh acquisition, never on renewal or re-entry. */
  readonly fencingToken: number;
  readonly claimedAtMs: number;
  /** By the holder's wall clock. Each renewal and re-entry makes it later, so it tells others that the holder lives. */
  readonly expiresAtMs: number;
  /** How long the holder may be silent. */
  readonly ttlMs: number;
}

/** A holder that a claimant has seen unchanged for one time to live, by the claimant's monotonic clock. */
export interface SilentHolder {
  readonly fence: LeaseFence;
  /** As it was seen all that time. */
  readonly expiresAtMs: number;
}

export interface LeaseClaim {
  readonly sessionId: string;
  readonly owner: LeaseOwner;
  readonly ttlMs: number;
  /** Random token for a fresh acquisition, made outside the transaction. */
  readonly leaseToken: string;
  /** A live holder that this claimant has proved dead; taken over only if it is still exactly that one. */
  readonly deadHolder?: LeaseFence;
  /** A holder that this claimant has watched; taken over only if it has given no sign of life since. */
  readonly silentHolder?: SilentHolder;
}

export type ClaimOutcome =
  | { readonly kind: "acquired"; readonly lease: SessionLease; /** Same owner and incarnation held it already. */ readonly reentered: boolean }
  | { readonly kind: "busy"; readonly holder: SessionLease };

export interface LeaseFacet {
  /** Claims a free or own lease, or one whose holder the claim proves dead or silent; never another one. */
  claim(claim: LeaseClaim): Promise<ClaimOutcome>;
  /**
   * Lets the lease live on from now. One that nobody claimed is still its holder's, however late the renewal comes: timers of a
   * hidden tab are held back, and nobody wanted the lease.
   *
   * @throws `session_execution_lease_expired` - released, or claimed by somebody else.
   */
  renew(fence: LeaseFence, ttlMs: number): Promise<SessionLease>;
  /** Clears on full match, otherwise does nothing; the fencing counter stays. */
  release(fence: LeaseFence): Promise<void>;
  /** The lease as stored, whether its holder lives or not; undefined when nobody holds it. */
  current(sessionId: string): Promise<SessionLease | undefined>;
}
