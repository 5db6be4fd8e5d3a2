// Recovery: finishes the turns of a store that nobody drives any more, or whose answer from outside has come.
//
//   RE1. A turn that another one's tool waits for is that one's to finish: callers come first (decision 0016).
//   RE2. In the background at most one turn of a session is finished at a time; who opens the session waits for it.
//   RE3. A turn is driven with what it was accepted with, or left alone (ME-22). Ending one needs none of that: where a session cannot
//        be opened with what the host says of it, a turn whose end was asked for is ended all the same.
//   RE4. What happens behind the host's back is logged, never thrown.

import type { SeenLease } from "./actors/durable/lease-watch.ts";
import { seenLease } from "./actors/session-lease.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import type { TurnEnd } from "./actors/turn/types.ts";
import { headless, type TurnRequest, type TurnWatcher } from "./actors/turn/request.ts";
import { errorFields, errorText } from "./domain/error-mapping.ts";
import { LashError, runtimeError } from "./domain/errors.ts";
import { isLack } from "./domain/turn-means.ts";
import type { RecoverOptions } from "./lash-options.ts";
import type { LashPorts } from "./runtime-ports.ts";
import type { SessionOpener } from "./session-opener.ts";
import type { InFlight } from "./stores/contract.ts";
import { emitTo } from "./swallow.ts";
import { turnResultOf, type TurnResult } from "./turn-result.ts";

/** One recovered turn: what it came to, or why it could not go on. */
export type Recovered =
  | { readonly sessionId: string; readonly turnId: string; readonly result: TurnResult }
  | { readonly sessionId: string; readonly turnId: string; readonly error: LashError }
  /** It waits for an answer from outside and goes on when that comes. */
  | { readonly sessionId: string; readonly turnId: string; readonly suspended: true };

export interface RecoveryOptions {
  readonly ports: LashPorts;
  readonly opener: SessionOpener;
  /** The session, each time that it is open in this process: one of them may have been given what another lacks. */
  readonly opened: (sessionId: string) => readonly SessionRuntime[];
  /** Told of a runtime that nobody has a handle on, so that it ends with the lash. @returns what takes it back. */
  readonly keep: (runtime: SessionRuntime) => () => void;
}

/** Turns that `recover()` drives at once, unless told otherwise (OP-7). */
const RECOVERIES_AT_ONCE = 8;

/** Codes that say that somebody else has the turn, or that there is nothing left to do. */
const ELSEWHERE: ReadonlySet<string> = new Set(["session_execution_busy", "unknown_turn", "turn_suspended"]);

export class Recovery {
  readonly #options: RecoveryOptions;
  /** Turns that an answer from outside woke, by session. */
  readonly #background = new Map<string, Promise<void>>();
  /** Take back what would wake suspended turns. */
  readonly #timers = new Set<() => void>();
  /** One of them, for turns that are parked until a time. */
  #nextDue: { readonly atMs: number; readonly cancel: () => void } | undefined;
  readonly #closed = new AbortController();

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** All turns in flight that can go on. @returns one entry per turn that was dealt with here. */
  async finishAll(options: RecoverOptions): Promise<readonly Recovered[]> {
    const { persistence, children, logger } = this.#options.ports;
    const { turns, nextDueAtMs, deleting = [] } = await persistence.turns.ready();
    if (nextDueAtMs !== undefined) this.#wakeDueAt(nextDueAtMs);
    for (const sessionId of deleting) {
      await persistence.sessions.delete(sessionId).catch((error: unknown) => logger({ level: "warn", event: "session.deletion_failed", sessionId, ...errorFields(error) }));
    }
    const callers = new Map<string, string>();
    for (const { sessionId, turnId } of turns) {
      const caller = await children?.callerOf(sessionId, turnId);
      if (caller) callers.set(sessionId, caller.sessionId);
    }
    const recovered: Recovered[] = [];
    const isOurs = (sessionId: string): boolean => recovered.some((entry) => entry.sessionId === callers.get(sessionId) && "result" in entry);
    for (const generation of (await children?.generations(turns)) ?? [turns]) {
      const silent: InFlight[] = [];
      await this.#each(generation, options, async (found) => {
        const outcome = await this.#finish(found, options, isOurs);
        if (outcome === "silent") silent.push(found);
        else if (outcome) recovered.push(outcome);
      });
      // All of them have been watched since the first look, so that they do not wait one after another.
      await this.#each(silent, options, async (found) => {
        const outcome = await this.#finishOnceSilent(found, options);
        if (outcome) recovered.push(outcome);
      });
    }
    return recovered;
  }

  async #each(found: readonly InFlight[], { signal, atOnce = RECOVERIES_AT_ONCE }: RecoverOptions, finish: (found: InFlight) => Promise<void>): Promise<void> {
    const waiting = [...found];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next && signal?.aborted !== true && !this.#closed.signal.aborted; next = waiting.shift()) await finish(next);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  /** The turn that is being finished in the background, of one session. */
  background(sessionId: string): Promise<void> | undefined {
    return this.#background.get(sessionId);
  }

  /** A turn can go on: here if its session is open, else in the background. */
  wake(sessionId: string, turnId: string): void {
    const opened = this.#options.opened(sessionId);
    for (const runtime of opened) runtime.finishLeftover();
    if (opened.length > 0) return;
    if (this.#background.has(sessionId)) return;
    const waking = this.#finishInBackground(sessionId, turnId).finally(() => this.#background.delete(sessionId));
    this.#background.set(sessionId, waking);
  }

  /** A turn that was suspended goes on when its time runs out, as long as this lash lives. */
  wakeAt(sessionId: string, turnId: string, dueAtMs: number): void {
    if (this.#closed.signal.aborted) return;
    const { clock } = this.#options.ports;
    const cancel = clock.setTimer(Math.max(0, dueAtMs - clock.now()), () => {
      this.#timers.delete(cancel);
      this.wake(sessionId, turnId);
    });
    this.#timers.add(cancel);
  }

  /** Turns that nobody drives go on when their time has come, as long as this lash lives: one timer for all of them. */
  #wakeDueAt(dueAtMs: number): void {
    if (this.#closed.signal.aborted || (this.#nextDue && this.#nextDue.atMs <= dueAtMs)) return;
    const { clock, persistence, logger } = this.#options.ports;
    if (this.#nextDue) this.#timers.delete(this.#nextDue.cancel);
    this.#nextDue?.cancel();
    const cancel = clock.setTimer(Math.max(0, dueAtMs - clock.now()), () => {
      this.#timers.delete(cancel);
      this.#nextDue = undefined;
      void wakeDue().catch((error: unknown) => logger({ level: "warn", event: "turn.recovery_failed", ...errorFields(error) }));
    });
    this.#nextDue = { atMs: dueAtMs, cancel };
    this.#timers.add(cancel);
    const wakeDue = async (): Promise<void> => {
      const { turns, nextDueAtMs } = await persistence.turns.ready();
      for (const { sessionId, turnId, why } of turns) if (why === "due") this.wake(sessionId, turnId);
      if (nextDueAtMs !== undefined) this.#wakeDueAt(nextDueAtMs);
    };
  }

  /** No timer wakes a turn any more, and no other is begun. */
  close(): void {
    this.#closed.abort();
    for (const cancel of this.#timers) cancel();
  }

  /** Resolves when the turns that are being finished in the background have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#background.values());
  }

  async #finishInBackground(sessionId: string, turnId: string): Promise<void> {
    const { ports } = this.#options;
    const caller = await ports.children?.callerOf(sessionId, turnId).catch(() => undefined);
    if (caller) this.wake(caller.sessionId, caller.turnId);
    if (caller) await this.#background.get(caller.sessionId);
    const recovered = await this.#finishOnceSilent({ sessionId, turnId }, {}).catch((error: unknown) => ({ error }));
    if (recovered && "error" in recovered) {
      ports.logger({ level: "warn", event: "turn.recovery_failed", sessionId, ...errorFields(recovered.error) });
    }
  }

  /**
   * Ends a turn that nobody can or shall drive on, with what it has finished.
   *
   * @throws LashError `session_execution_busy` - somebody drives it; `unknown_turn`, `session_id_retired`, `store_commit_failed`.
   */
  async abandon({ sessionId, turnId }: Required<Omit<InFlight, "damage">>, reason: string): Promise<TurnEnd> {
    return this.#with(await this.#options.opener.openToEnd(sessionId), async (runtime) => {
      try {
        return await runtime.runTurn({ turnId, origin: { kind: "found", abandonment: reason }, ...headless() });
      } catch (error) {
        if (!LashError.is(error) || !error.isCode("session_execution_busy")) throw error;
        throw runtimeError("session_execution_busy", `turn ${turnId} of session ${sessionId} is being driven, and can be cancelled with lash.cancelTurn; nothing was changed`, { details: { ...error.details, sessionId, turnId }, cause: error });
      }
    });
  }

  /** Waits for the proof, where the lease seems to have been left. */
  async #finishOnceSilent(found: InFlight, options: RecoverOptions): Promise<Recovered | undefined> {
    for (;;) {
      const outcome = await this.#finish(found, options);
      if (outcome !== "silent") return outcome;
      const signal = AbortSignal.any([this.#closed.signal, ...(options.signal ? [options.signal] : [])]);
      const end = await this.#options.ports.leaseWatch.end(() => this.#leaseOf(found.sessionId), { until: "sign", signal }).catch((error: unknown) => {
        if (signal.aborted) return "lives";
        throw error;
      });
      if (end === "lives") return undefined;
    }
  }

  async #leaseOf(sessionId: string): Promise<SeenLease | undefined> {
    const lease = await this.#options.ports.persistence.leases.current(sessionId);
    return lease && seenLease(lease);
  }

  /**
   * By its holder's clock the lease has expired. That is no proof, as the clocks may differ; it is a reason to watch the holder for
   * one TTL (SC-2).
   */
  async #seemsLeft(sessionId: string): Promise<boolean> {
    const { clock, persistence } = this.#options.ports;
    const lease = await persistence.leases.current(sessionId);
    return lease !== undefined && lease.expiresAtMs <= clock.now();
  }

  /**
   * @param isOurs - whether a turn that was finished here has finished this one.
   * @returns "silent": the turn seems to have been left, and that has to be proved.
   */
  async #finish(found: InFlight, { signal, onActivity }: RecoverOptions, isOurs: (sessionId: string) => boolean = () => false): Promise<Recovered | "silent" | undefined> {
    const { sessionId, turnId, damage } = found;
    if (damage) return { sessionId, turnId, error: asLashError(damage) };
    try {
      // A turn in flight whose tool waits for this one drives it itself, with what that needs (RE1).
      const { children, persistence } = this.#options.ports;
      if ((await children?.callerOf(sessionId, turnId)) && !(await persistence.turns.cancellation(sessionId, turnId))) return undefined;
      const emit = emitTo(turnId, onActivity && ((activity) => onActivity(activity, { sessionId, turnId })));
      const end = await this.#drive({ turnId, ...headless(signal), emit, whenParked: "suspend" }, sessionId);
      // Whoever ran it when it was looked for has finished it: another process, or a turn that was taken up here.
      if (end.hadEnded && !isOurs(sessionId)) return undefined;
      return { sessionId, turnId, result: turnResultOf(end) };
    } catch (error) {
      if (LashError.is(error) && error.isCode("turn_suspended")) return { sessionId, turnId, suspended: true };
      if (LashError.is(error) && error.isCode("session_execution_busy") && (await this.#seemsLeft(sessionId))) return "silent";
      if (LashError.is(error) && ELSEWHERE.has(error.code)) return undefined;
      return { sessionId, turnId, error: asLashError(error) };
    }
  }

  /** What is not here by itself may have been given to the session where it is open. */
  async #drive(turn: TurnWatcher, sessionId: string): Promise<TurnEnd> {
    const request: TurnRequest = { ...turn, origin: { kind: "found" } };
    try {
      return await this.#with(await this.#open(sessionId, turn.turnId), (runtime) => runtime.runTurn(request));
    } catch (error) {
      let refusal = error;
      for (const runtime of this.#options.opened(sessionId)) {
        if (!isLack(refusal)) break;
        try {
          return await runtime.runTurn(request);
        } catch (later) {
          refusal = later;
        }
      }
      throw refusal;
    }
  }

  async #open(sessionId: string, turnId: string): Promise<SessionRuntime> {
    const { ports, opener } = this.#options;
    try {
      return await opener.openFor(sessionId, turnId);
    } catch (error) {
      if (await ports.persistence.turns.cancellation(sessionId, turnId).catch(() => undefined)) return opener.openToEnd(sessionId);
      throw error;
    }
  }

  async #with(runtime: SessionRuntime, use: (runtime: SessionRuntime) => Promise<TurnEnd>): Promise<TurnEnd> {
    const forget = this.#options.keep(runtime);
    try {
      return await use(runtime);
    } finally {
      await runtime.leave();
      forget();
    }
  }
}

const asLashError = (error: unknown): LashError => (LashError.is(error) ? error : runtimeError("store_commit_failed", errorText(error), { cause: error }));
