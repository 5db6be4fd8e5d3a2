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

/** Gives a lane back. Where that fails, its lease runs out. @returns whether it did not fail. */
export const releaseLane = (leases: LeaseFacet, fence: LeaseFence): Promise<boolean> => leases.release(fence).then(yes, no);
const yes = (): boolean => true;
const no = (): boolean => false;

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
  #state: "keeping" | "ending" | "stopped" = "keeping";
  #renewal: Promise<void> | undefined;

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

  /** Renews where less than one renewal interval is left, so that a commit does not race the expiry. */
  async ensureLive(): Promise<void> {
    // A renewal that is under way may have begun too long ago to bring enough.
    if (this.#isShort()) await this.#renewal;
    if (this.#isShort()) await this.#renew();
  }

  #isShort(): boolean {
    return this.#lease.expiresAtMs - this.#clock.now() < this.#timings.ttlMs - 2 * this.#timings.renewMs;
  }

  /**
   * Called before the write that ends the turn. It frees the lease, which a renewal beside it would take for a loss; from
   * here on that write finds out by itself whether the lease is still held.
   */
  ending(): void {
    this.#state = "ending";
  }

  /** That write was not made: the turn runs on. */
  goingOn(): void {
    if (this.#state === "ending") this.#state = "keeping";
  }

  stop(): void {
    this.#state = "stopped";
    this.#cancelTimer();
  }

  /** A question of its own, since it may be answered differently after every await. */
  #isStopped(): boolean {
    return this.#state === "stopped";
  }

  #arm(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.setTimer(this.#timings.renewMs, () => void this.#renew());
  }

  /** A write that finds the lease short and a timer that is due share one renewal. */
  #renew(): Promise<void> {
    this.#renewal ??= this.#renewOnce().finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  async #renewOnce(): Promise<void> {
    this.#cancelTimer();
    if (this.#isStopped()) return;
    this.#events.renewing();
    try {
      this.#lease = await this.#leases.renew(this.fence, this.#timings.ttlMs);
      if (this.#isStopped()) return;
      this.#events.renewed();
    } catch (error) {
      if (this.#isStopped()) return;
      // A store that fails for a moment is asked again until the lease has expired by our own clock. A timer that comes later
      // than that still asks once: what expired and was not claimed is held again.
      const expired = LashError.is(error) && error.isCode("session_execution_lease_expired");
      if (expired || this.#clock.now() >= this.#lease.expiresAtMs) {
        const wasKeeping = this.#state === "keeping";
        this.stop();
        if (wasKeeping) this.#events.lost();
        return;
      }
      this.#events.renewFailed();
    }
    this.#arm();
  }
}
