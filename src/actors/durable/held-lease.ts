// Held lease: a lease that this runtime holds, kept alive for as long as something runs under it (S-57, S-60).
//
// Owns: the live lease machine, the renewal timer and the renewal that is under way. The machine knows whether the lease is held.
//   HL1. All times here are the runtime's own monotonic clock; a lease is over one TTL after its last renewal was begun (SC-2).
//   HL2. A timer that is due and a write that finds too little left share one renewal.

import { createActor, type ActorRefFrom, type AnyActorRef } from "xstate";
import type { Clock } from "../../domain/clock.ts";
import { isShort, type LeaseEvent, leaseMachine } from "../../machines/lease/lease.machine.ts";
import type { Held } from "./contract.ts";

export interface LeaseTimings {
  /** How long a lease lives without renewal. Default 30,000 ms. */
  readonly ttlMs: number;
  /** How often it is renewed; at most a third of the TTL. Default 10,000 ms. */
  readonly renewMs: number;
}

export const defaultLeaseTimings: LeaseTimings = { ttlMs: 30_000, renewMs: 10_000 };

export interface HeldLeaseOptions<Fence> {
  readonly fence: Fence;
  /** Names what is leased, for inspectors. */
  readonly subject: string;
  readonly clock: Clock;
  readonly timings: LeaseTimings;
  /** When the claim was begun, by the monotonic clock. Default: now. */
  readonly sinceMs?: number;
  /** Rejects where the store could not be asked. */
  readonly renew: () => Promise<"renewed" | "refused">;
  /** Must not reject; where the lease cannot be given back, it runs out. */
  readonly release: () => Promise<unknown>;
  /** What `lost` aborts with, and what `ensureLive` rejects with after that. */
  readonly lostError: () => Error;
  /** Under which inspectors show the lease. */
  readonly parent?: AnyActorRef;
}

const live = Promise.resolve();

export class HeldLease<Fence> implements Held<Fence> {
  readonly fence: Fence;
  readonly #options: HeldLeaseOptions<Fence>;
  readonly #actor: ActorRefFrom<typeof leaseMachine>;
  readonly #lost = new AbortController();
  #cancelTimer: (() => void) | undefined;
  #renewal: Promise<void> | undefined;

  constructor(options: HeldLeaseOptions<Fence>) {
    const { fence, subject, clock, timings, sinceMs = clock.monotonic(), parent } = options;
    this.fence = fence;
    this.#options = options;
    const input = { ...timings, untilMs: sinceMs + timings.ttlMs };
    this.#actor = createActor(leaseMachine, { id: `lease:${subject}`, input, ...(parent && { parent }) });
    this.#actor.on("timer.requested", ({ dueInMs }) => this.#arm(dueInMs));
    this.#actor.on("timer.cancelled", () => this.#cancelTimer?.());
    this.#actor.on("renewal.requested", () => void (this.#renewal = this.#renew()));
    this.#actor.on("release.requested", () => void this.#release());
    this.#actor.on("lease.lost", () => this.#lost.abort(options.lostError()));
    this.#actor.start();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  ensureLive(): Promise<void> {
    const { signal } = this.#lost;
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    return this.#isShort() ? this.#lengthen() : live;
  }

  ending(): void {
    this.#send({ type: "end.coming" });
  }

  goingOn(): void {
    this.#send({ type: "end.refused" });
  }

  /** Resolves once nothing is done about the lease here any more. */
  letGo(how: "release" | "leave" | "freed"): Promise<void> {
    this.#send({ type: `lease.${how}` });
    if (this.#isOver) return live;
    return new Promise((resolve) => this.#actor.subscribe({ complete: resolve }));
  }

  async #lengthen(): Promise<void> {
    // A renewal that is under way may have begun too long ago to bring enough.
    await this.#renewal;
    if (this.#isShort()) this.#send({ type: "write.coming", atMs: this.#options.clock.monotonic() });
    await this.#renewal;
    this.#lost.signal.throwIfAborted();
  }

  #isShort(): boolean {
    return isShort(this.#actor.getSnapshot().context, this.#options.clock.monotonic());
  }

  #arm(dueInMs: number): void {
    this.#cancelTimer = this.#options.clock.setTimer(dueInMs, () => this.#send({ type: "timer.due" }));
  }

  async #renew(): Promise<void> {
    const { clock, timings, renew } = this.#options;
    const begunMs = clock.monotonic();
    try {
      if ((await renew()) === "refused") {
        this.#send({ type: "renewal.refused" });
        return;
      }
    } catch {
      // The machine asks again, until the lease is over.
      this.#send({ type: "renewal.failed", atMs: clock.monotonic() });
      return;
    }
    this.#send({ type: "renewal.granted", untilMs: begunMs + timings.ttlMs });
  }

  async #release(): Promise<void> {
    await this.#options.release();
    this.#send({ type: "release.settled" });
  }

  get #isOver(): boolean {
    return this.#actor.getSnapshot().status !== "active";
  }

  /** What comes after the end, as the answer to a renewal may, is not said: XState warns of events to a machine that has ended. */
  #send(event: LeaseEvent): void {
    if (!this.#isOver) this.#actor.send(event);
  }
}
