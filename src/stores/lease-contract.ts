// Leases of sessions: who may drive one, and until when (P-24..P-27, S-56..S-62). Part of the persistence contract.


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
}

export type ClaimOutcome =
  | { readonly kind: "acquired"; readonly lease: SessionLease; /** Same owner and incarnation held it already. */ readonly reentered: boolean }
  | { readonly kind: "busy"; readonly holder: SessionLease };

export interface LeaseFacet {
  /** Claims a free, expired, own or provably dead lease; never a live one. */
  claim(claim: LeaseClaim): Promise<ClaimOutcome>;
  /**
   * Lets the lease live on from now. One that expired and that nobody claimed since is its holder's again: timers of a hidden
   * tab come late, and nobody wanted the lane.
   *
   * @throws `session_execution_lease_expired` - released, or claimed by somebody else.
   */
  renew(fence: LeaseFence, ttlMs: number): Promise<SessionLease>;
  /** Clears on full match, otherwise does nothing; the fencing counter stays. */
  release(fence: LeaseFence): Promise<void>;
  /** The lease as stored, live or expired; undefined when nobody holds it. */
  current(sessionId: string): Promise<SessionLease | undefined>;
}
