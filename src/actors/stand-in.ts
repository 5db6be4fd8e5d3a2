// Stand-in: finishes turns of a session that somebody else left: those found at open (OP-7), and in tabs those whose driver
// ends while this runtime has the session open.
//
//   S1. Proof of death is acted on at once; silence only once it has lasted for one TTL here (lease-watch.ts), and for a while longer
//       where the driver is a tab: in a hidden one timers are held back (once a minute in Chromium).
//   S2. Whoever else takes over first has it: a claim that finds the lane busy waits again, for that one.
//   S3. A turn that was left here, because its store failed or its lease was lost, is taken up again after a while, as long as the
//       session is open (ME-24); not for ever, if it fails each time that it is driven: its tools may run again each time.
//   S5. Where runtimes do not hear of each other, this one waits for one driver only, and no longer than until that gives a sign of life.
//   S4. A turn that needs what is not here is left to whoever has it, and not tried again until something comes that it may need.

import type { Clock } from "../domain/clock.ts";
import { errorFields } from "../domain/error-mapping.ts";
import { LashError } from "../domain/errors.ts";
import type { Logger } from "../domain/logger.ts";
import type { Persistence, SessionLease } from "../stores/contract.ts";
import type { Liveness } from "../stores/store.ts";
import type { HolderEnd, LeaseWatch } from "./durable/lease-watch.ts";
import { seenLease } from "./session-lease.ts";

/** Longer than the slowest timer of a hidden tab is held back. */
export const PATIENCE_MS = 90_000;

/** Between two attempts to take up a turn that was left here: doubled each time. */
const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 30_000;

/** After so many runs that failed in a row the turn is left to the next open, turn or recovery. */
const MOST_FAILED_RUNS = 6;

/** Codes of failures that may pass. */
const MAY_PASS: ReadonlySet<string> = new Set(["session_execution_busy", "session_execution_lease_lost", "store_commit_failed"]);

/** Somebody else was faster, or there is nothing left to do. */
const ELSEWHERE: ReadonlySet<string> = new Set(["session_execution_busy", "session_execution_lease_lost", "unknown_turn", "turn_suspended", "provider_unconfigured"]);

export interface StandInOptions {
  readonly sessionId: string;
  readonly persistence: Persistence;
  readonly liveness: Liveness;
  readonly leaseWatch: LeaseWatch;
  readonly clock: Clock;
  /** Drives a turn that was left to its end. */
  readonly finish: (turnId: string, whenClaimed: () => void) => Promise<unknown>;
  readonly logger: Logger;
  /** Where runtimes hear of each other, this one stands by for the end of another; elsewhere it looks only when it opens (S5). */
  readonly staysReady: boolean;
}

export class StandIn {
  readonly #options: StandInOptions;
  readonly #closed = new AbortController();
  #hasBegun = false;
  /** Of the turn that was left to others (S4). */
  #lacking: string | undefined;
  #waiting: Promise<void> | undefined;
  /** Settles when the latest run of the turn has its lease, or has come to nothing. */
  #attempt: Promise<void> = Promise.resolve();
  /** Runs of the turn in flight that failed here, in a row. */
  #failedRuns = 0;
  #isRetrying = false;
  /** Aborted to end the wait for one holder, as the driver may be another one now. */
  #look = new AbortController();

  constructor(options: StandInOptions) {
    this.#options = options;
  }

  /** The session's turn in flight is driven first; new turns wait behind it. Whoever else runs it keeps it. */
  async finishLeftover(): Promise<void> {
    this.#hasBegun = true;
    let isElsewhere = false;
    try {
      const left = await this.#inFlight();
      // A session that was closed meanwhile begins nothing more.
      if (!left || this.#closed.signal.aborted) return;
      isElsewhere = !(await this.#finish(left.turnId));
    } catch (error) {
      this.#report(error);
    }
    if (isElsewhere) this.#begin();
    else this.standBy();
  }

  /** Stands by for the turn that is in flight, if one is; where it already does, looks again who drives it. Only after `finishLeftover`. */
  standBy(): void {
    if (this.#hasBegun && this.#options.staysReady) this.#begin();
  }

  #begin(): void {
    if (this.#closed.signal.aborted) return;
    this.#look.abort();
    if (this.#waiting) return;
    this.#waiting = this.#wait()
      .catch((error: unknown) => this.#report(error))
      .finally(() => (this.#waiting = undefined));
  }

  /** A turn stays in flight that was driven or asked for here (S3). @param wasDriven - it had its lane. */
  leftHere(wasDriven: boolean): void {
    if (wasDriven) this.#failedRuns += 1;
    if (this.#isRetrying || this.#closed.signal.aborted) return;
    this.#isRetrying = true;
    void this.#retry()
      .catch((error: unknown) => this.#report(error))
      .finally(() => (this.#isRetrying = false));
  }

  /** A turn has ended here: the store takes writes. */
  ended(): void {
    this.#failedRuns = 0;
  }

  /** Something that the turn in flight needs is missing here (S4). */
  lacks(turnId: string): void {
    this.#lacking = turnId;
  }

  /** A turn was left to others, because something that it needs is missing here (S4). */
  get isLacking(): boolean {
    return this.#lacking !== undefined;
  }

  /** Resolves when no run of it asks for a lease any more: it has it, or has come to nothing. */
  get attempt(): Promise<void> {
    return this.#attempt;
  }

  close(): void {
    this.#closed.abort();
  }

  async #retry(): Promise<void> {
    const { clock } = this.#options;
    for (let pause = FIRST_PAUSE_MS; this.#failedRuns < MOST_FAILED_RUNS; pause = Math.min(pause * 2, LAST_PAUSE_MS)) {
      await clock.sleep(pause, this.#closed.signal);
      try {
        const left = await this.#inFlight();
        if (left) await this.#drive(left.turnId);
        return;
      } catch (error) {
        if (!LashError.is(error) || (error.family !== "store" && !MAY_PASS.has(error.code))) throw error;
        if (!error.isCode("session_execution_busy")) this.#report(error);
      }
    }
  }

  async #wait(): Promise<void> {
    const { sessionId, persistence, staysReady } = this.#options;
    while (!this.#closed.signal.aborted) {
      this.#look = new AbortController();
      const left = await this.#inFlight();
      if (!left || left.turnId === this.#lacking) return;
      const lease = await persistence.leases.current(sessionId);
      const end = lease === undefined ? "moved" : await this.#end(lease, this.#look.signal);
      if (!staysReady && (end === "moved" || end === "lives")) return;
      if (end && !this.#closed.signal.aborted) await this.#finish(left.turnId);
    }
  }

  async #inFlight(): Promise<{ readonly turnId: string } | undefined> {
    const { sessionId, persistence } = this.#options;
    return (await persistence.turns.inFlight(sessionId))[0];
  }

  #report(error: unknown): void {
    if (this.#closed.signal.aborted) return;
    const { sessionId, logger } = this.#options;
    logger({ level: "warn", event: "turn.recovery_failed", sessionId, ...errorFields(error) });
  }

  /** @returns false where somebody else was faster. */
  async #finish(turnId: string): Promise<boolean> {
    try {
      await this.#drive(turnId);
      return true;
    } catch (error) {
      if (!LashError.is(error) || !ELSEWHERE.has(error.code)) throw error;
      return !error.isCode("session_execution_busy");
    }
  }

  async #drive(turnId: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#attempt = promise;
    await this.#options.finish(turnId, resolve).finally(resolve);
    this.#lacking = undefined;
  }

  /** Waits for this holder to be gone: dead, silent for too long, or done with the lane. @returns undefined when told to look again. */
  async #end({ sessionId, owner, fencingToken, leaseToken }: SessionLease, look: AbortSignal): Promise<HolderEnd | "dead" | undefined> {
    const { leaseWatch, liveness, persistence, staysReady } = this.#options;
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, look, this.#closed.signal]);
    const read = async () => {
      const lease = await persistence.leases.current(sessionId);
      return lease?.leaseToken === leaseToken && lease.fencingToken === fencingToken ? seenLease(lease) : undefined;
    };
    const patienceMs = owner.liveness.kind === "web_lock" ? PATIENCE_MS : 0;
    try {
      return await Promise.race([liveness.death(owner, signal).then(() => "dead" as const), leaseWatch.end(read, { patienceMs, until: staysReady ? "silent" : "sign", signal })]);
    } catch (error) {
      if (!signal.aborted) throw error;
      return undefined;
    } finally {
      done.abort();
    }
  }
}
