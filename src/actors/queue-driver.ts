// Queue driver: drains sessions of this process as their queues fill (I-45, I-46). Loaded by a lash that drains by itself.
//
//   Q1. A poke says that something may wait; nothing else makes a pass, and there is no clock in here.
//   Q2. One loop per session, until a pass finds nothing and no poke came meanwhile. That a batch is run once is the business of
//       lease and claims: several drivers, here or elsewhere, do no harm.
//   Q3. Whoever pokes neither waits nor hears of failures: what it enqueued is durable, and the next poke tries again.

import { errorFields } from "../domain/error-mapping.ts";
import { LashError } from "../domain/errors.ts";
import type { Logger } from "../domain/logger.ts";
import type { QueueFacet } from "../stores/ingress-contract.ts";
import type { SessionRuntime } from "./session-runtime.ts";
import { headless } from "./turn/request.ts";

export interface QueueDriverOptions {
  readonly queue: Pick<QueueFacet, "isWaiting" | "waiting">;
  /** The session, where it is open in this process. */
  readonly find: (sessionId: string) => SessionRuntime | undefined;
  /** Opens it, to be closed after the pass. */
  readonly open: (sessionId: string) => Promise<SessionRuntime>;
  /** What was opened is closed again. */
  readonly closed: (runtime: SessionRuntime) => void;
  readonly logger: Logger;
}

/** Somebody else has the turn, or it only waits. */
const ELSEWHERE: ReadonlySet<string> = new Set(["session_execution_lease_lost", "turn_suspended", "lash_closed"]);

export class QueueDriver {
  readonly #options: QueueDriverOptions;
  readonly #poked = new Set<string>();
  readonly #driving = new Map<string, Promise<void>>();
  #isClosed = false;

  constructor(options: QueueDriverOptions) {
    this.#options = options;
  }

  poke(sessionId: string): void {
    if (this.#isClosed) return;
    this.#poked.add(sessionId);
    if (!this.#driving.has(sessionId)) this.#driving.set(sessionId, this.#drive(sessionId));
  }

  /** Drains what dead processes left in the queues of the store, and resolves when that is done. */
  async leftovers(): Promise<void> {
    for (const sessionId of await this.#options.queue.waiting()) this.poke(sessionId);
    await this.idle();
  }

  /** Resolves when nothing is being drained. */
  async idle(): Promise<void> {
    while (this.#driving.size > 0) await Promise.all(this.#driving.values());
  }

  /** Begins no other pass. */
  close(): void {
    this.#isClosed = true;
  }

  async #drive(sessionId: string): Promise<void> {
    // Whoever pokes goes on first.
    await Promise.resolve();
    try {
      while (!this.#isClosed && this.#poked.delete(sessionId)) await this.#drainAll(sessionId);
    } finally {
      // At once with the last look: a poke from here on begins another loop.
      this.#driving.delete(sessionId);
    }
  }

  async #drainAll(sessionId: string): Promise<void> {
    try {
      while (!this.#isClosed && (await this.#pass(sessionId)));
    } catch (error) {
      this.#options.logger({ level: "warn", event: "queue.drain_failed", sessionId, ...errorFields(error) });
    }
  }

  /** @returns whether a turn was run, so that there may be more. */
  async #pass(sessionId: string): Promise<boolean> {
    const { queue, find, open, closed } = this.#options;
    // Asked first, since a session that is idle must stay one that can be closed.
    if (!(await queue.isWaiting(sessionId)) || this.#isClosed) return false;
    const found = find(sessionId);
    const runtime = found ?? (await open(sessionId));
    const { emit, signal } = headless();
    try {
      return (await runtime.runQueued({ emitFor: () => emit, signal, whenParked: found ? "wait" : "suspend" })) !== undefined;
    } catch (error) {
      if (LashError.is(error) && ELSEWHERE.has(error.code)) return false;
      throw error;
    } finally {
      if (!found) await runtime.leave();
      if (!found) closed(runtime);
    }
  }
}
