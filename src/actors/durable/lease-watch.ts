// Lease watch: how long the leases of others have been seen unchanged, by this runtime's monotonic clock (SC-2).
//
//   LW1. Wall clocks of two machines differ, and each may jump. So what a row says of its expiry is compared with nothing but what
//        the same row said before: every sign of life of a holder changes it.
//   LW2. An observation that is forgotten only begins anew: nobody is taken over too early.

import type { Clock } from "../../domain/clock.ts";

/** A lease that somebody else holds, as it was read. */
export interface SeenLease {
  /** What is leased. */
  readonly subject: string;
  /** Differs after every claim, renewal and re-entry. */
  readonly sign: string;
  readonly ttlMs: number;
}

/** How the wait for a holder ended: it gave the lease up or lost it, it gave a sign of life, or it gave none for one TTL. */
export type HolderEnd = "moved" | "lives" | "silent";

interface Observation {
  readonly sign: string;
  readonly sinceMs: number;
}

/** Of so many leases at once; the one that was first seen longest ago is forgotten first (LW2). */
const MOST_OBSERVED = 10_000;

export class LeaseWatch {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Observation>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Notes a lease as it stands now.
   *
   * @param patienceMs - for holders whose timers may be held back: silence counts only that much later.
   * @returns how long it must yet be seen unchanged; 0 once its holder counts as silent.
   */
  look({ subject, sign, ttlMs }: SeenLease, patienceMs = 0): number {
    const nowMs = this.#clock.monotonic();
    const before = this.#seen.get(subject);
    const sinceMs = before?.sign === sign ? before.sinceMs : nowMs;
    if (before?.sign !== sign) this.#note(subject, { sign, sinceMs });
    return Math.max(0, sinceMs + ttlMs + patienceMs - nowMs);
  }

  /** Nobody else holds it any more. */
  forget(subject: string): void {
    this.#seen.delete(subject);
  }

  /**
   * Waits until a holder has been silent for long enough.
   *
   * @param read - the lease as it stands; undefined once that holder does not have it any more.
   * @param until - `sign`: the wait ends with the next sign of life, too.
   */
  async end(read: () => Promise<SeenLease | undefined>, { patienceMs = 0, until, signal }: { readonly patienceMs?: number; readonly until: "silent" | "sign"; readonly signal: AbortSignal }): Promise<HolderEnd> {
    let before: string | undefined;
    for (;;) {
      const lease = await read();
      if (!lease) return "moved";
      if (until === "sign" && before !== undefined && before !== lease.sign) return "lives";
      before = lease.sign;
      const remainingMs = this.look(lease, patienceMs);
      if (remainingMs === 0) return "silent";
      // A holder that lives shows it long before its time is over.
      await this.#clock.sleep(Math.min(remainingMs, Math.ceil(lease.ttlMs / 3)), signal);
    }
  }

  #note(subject: string, observation: Observation): void {
    this.#seen.delete(subject);
    const [oldest] = this.#seen.size >= MOST_OBSERVED ? this.#seen.keys() : [];
    if (oldest !== undefined) this.#seen.delete(oldest);
    this.#seen.set(subject, observation);
  }
}
