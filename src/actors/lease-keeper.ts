// Lease keeper: keeps the lease of a running turn alive, and knows at once when it is gone (S-57, S-60).

import type { Clock } from "../domain/clock.ts";
import { LashError } from "../domain/errors.ts";
import type { LeaseFacet, LeaseFence, SessionLease } from "../stores/contract.ts";

export interface LeaseTimings {
  /** How long a lease lives without renewal. Default 30,000 ms. */
  readonly ttlMs: number;
  /** How often it is renewed; at most a third of the TTL. Default 10,000 ms. */
  readonly renewMs: number;
}

export const defaultLeaseTimings: LeaseTimings = { ttlMs: 30_000, renewMs: 10_000 };

export function fenceOf({ sessionId, owner, leaseToken, fencingToken }: SessionLease): LeaseFence {
  return { sessionId, ownerId: owner.ownerId, incarnationId: owner.incarnationId, leaseToken, fencingToken };
}

export interface KeeperEvents {
  readonly renewing: () => void;
  readonly renewed: () => void;
  readonly renewFailed: () => void;
  readonly lost: () => void;
}

export class LeaseKeeper {
  readonly #leases: LeaseFacet;
  readonly #clock: Clock;
  readonly #timings: LeaseTimings;
  readonly #events: KeeperEvents;
  #lease: SessionLease;
  #cancelTimer: () => void = () => undefined;
  #stopped = false;
  #isEnding = false;

  constructor(leases: LeaseFacet, clock: Clock, timings: LeaseTimings, lease: SessionLease, events: KeeperEvents) {
    this.#leases = leases;
    this.#clock = clock;
    this.#timings = timings;
    this.#lease = lease;
    this.#events = events;
    this.#arm();
  }

  get fence(): LeaseFence {
    return fenceOf(this.#lease);
  }

  /** Renews where less than one renewal interval is left, so that a commit does not race the expiry (S-60). */
  async ensureLive(): Promise<void> {
    if (this.#lease.expiresAtMs - this.#clock.now() < this.#timings.ttlMs - 2 * this.#timings.renewMs) await this.#renew();
  }

  /**
   * Called before the write that ends the turn. It frees the lease, which a renewal beside it would take for a loss; from
   * here on that write finds out by itself whether the lease is still held (S-60).
   */
  ending(): void {
    this.#isEnding = true;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
  }

  #arm(): void {
    this.#cancelTimer = this.#clock.setTimer(this.#timings.renewMs, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    this.#cancelTimer();
    if (this.#stopped) return;
    this.#events.renewing();
    try {
      this.#lease = await this.#leases.renew(this.fence, this.#timings.ttlMs);
      if (this.#stopped) return;
      this.#events.renewed();
    } catch (error) {
      if (this.#stopped) return;
      // A store that fails for a moment is asked again until the lease has expired by our own clock.
      const expired = LashError.is(error) && error.isCode("session_execution_lease_expired");
      if (expired || this.#clock.now() >= this.#lease.expiresAtMs) {
        this.stop();
        if (!this.#isEnding) this.#events.lost();
        return;
      }
      this.#events.renewFailed();
    }
    this.#arm();
  }
}
