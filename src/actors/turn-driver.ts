// Turn driver: the turns of one opened session that run or wait in this runtime, and who watches them.
//
//   TD1. One run at a time: the session's lane sees to that. While a turn waits for one that was found, that one is what runs.
//   TD2. Who asks for a turn that is driven already watches it, and may cancel it, from then on.
//   TD3. A session that is being left waits for no answer from outside: turns that only wait are suspended.

import { onAbort } from "../domain/abort.ts";
import { CancelSignal } from "../domain/cancellation.ts";
import { LashError } from "../domain/errors.ts";
import { askedAs, errorOfTurn } from "../domain/turn-error.ts";
import { isLack, type TurnMeans } from "../domain/turn-means.ts";
import type { EffectsMessage } from "../machines/effects.ts";
import { toAudience } from "./audience.ts";
import { followTurnId } from "./frames.ts";
import type { Claimed, LaneClaims } from "./lane-claims.ts";
import type { SessionActors } from "./session-actors.ts";
import type { SessionFeed } from "./session-feed.ts";
import type { SessionLane } from "./session-lane.ts";
import { settingsOf } from "./session-settings.ts";
import type { TurnOverlay } from "./turn-plan.ts";
import { TurnRun, type TurnEnd } from "./turn-run.ts";
import type { TurnSession } from "./turn-session.ts";
import type { Attended, TurnAttendance, TurnOrigin, TurnRequest } from "./turn-start.ts";

type DrivenTurn = TurnAttendance & Pick<TurnRequest, "overlay" | "abandonment">;

export interface TurnDriverOptions {
  /** As it is wired by now. */
  readonly session: () => TurnSession;
  readonly actors: SessionActors;
  readonly lane: SessionLane;
  readonly lease: LaneClaims;
  /** What turns that are in flight may be driven on with. */
  readonly means: (overlay?: TurnOverlay) => TurnMeans;
  /** Told of a turn in flight that needs what is not here. */
  readonly lacks: (turnId: string) => void;
  readonly feed: () => SessionFeed;
  /** A turn is over: what it was to record and did not is recorded now. */
  readonly settle: () => Promise<void>;
}

export class TurnDriver {
  readonly #options: TurnDriverOptions;
  /** Turns that run or wait, by what cancels them. */
  readonly #attended = new Set<Attended>();
  #isLeaving = false;
  #run: TurnRun | undefined;

  constructor(options: TurnDriverOptions) {
    this.#options = options;
  }

  /** A turn runs. */
  get isDriving(): boolean {
    return this.#run !== undefined;
  }

  /** The turn that runs. */
  get turnId(): string | undefined {
    return this.#run?.turnId;
  }

  /**
   * Has a turn run when the lane is free, under a signal that the session can abort, too (TD2).
   *
   * @throws errors that concern the turn under the id that it is asked for by, whatever turn they arose in.
   */
  async attend<Request extends TurnAttendance>(request: Request, origin: TurnOrigin, body: (request: Request) => Promise<TurnEnd>): Promise<TurnEnd> {
    const { lane, settle, lacks } = this.#options;
    const { signal } = request;
    const cancel = new AbortController();
    const attended: Attended = { turnId: request.turnId, emit: request.emit, cancel, signal: cancel.signal };
    this.#attended.add(attended);
    onAbort(cancel.signal, () => {
      if (this.#run?.turnId === request.turnId) this.#run.cancel(CancelSignal.of(cancel.signal));
    });
    const unlisten = onAbort(signal, () => cancel.abort(signal.reason));
    try {
      return await lane.run(() => body({ ...request, signal: cancel.signal }).finally(settle));
    } catch (error) {
      const left = isLack(error) ? error.details["turnId"] : undefined;
      if (typeof left === "string") lacks(left);
      throw this.#asAsked(error, request.turnId, origin);
    } finally {
      unlisten();
      this.#attended.delete(attended);
    }
  }

  /** Errors of a run name its turn already; what failed before there was a run has accepted nothing. */
  #asAsked(error: unknown, turnId: string, origin: TurnOrigin): unknown {
    const { sessionId } = this.#options.session().wiring;
    const isTold = LashError.is(error) && typeof error.details["accepted"] === "boolean";
    return isTold ? askedAs(error, sessionId, turnId) : errorOfTurn(error, { sessionId, turnId, accepted: origin === "found" });
  }

  /**
   * Drives a turn to its end. One that switched frames goes on there, under the same lease; the host gets the last turn.
   * The commit of the switch accepted the turn that follows: where it opened nothing, there is none.
   */
  async drive(request: DrivenTurn, claim: () => Promise<Claimed>, origin: TurnOrigin): Promise<TurnEnd> {
    let last = await this.#drive(request, claim, origin);
    for (;;) {
      const { outcome, turnId } = last.result;
      if (!("agent_frame_switch" in outcome)) return last;
      const next = { ...request, turnId: followTurnId(turnId) };
      try {
        last = await this.#drive(next, () => this.#options.lease.resume(next.turnId, this.#options.means(request.overlay)), "found");
      } catch (error) {
        if (LashError.is(error) && error.isCode("unknown_turn")) return last;
        throw error;
      }
    }
  }

  /** Another turn was accepted before and its owner is gone: it comes first. Nobody watches it. */
  async finishFirst(turnId: string): Promise<void> {
    const { lease, feed, actors, means } = this.#options;
    const waiting = this.#run;
    const run = this.#newRun({ turnId, emit: () => undefined }, () => lease.resume(turnId, means()), "found");
    this.#run = run;
    try {
      await run.run();
    } finally {
      this.#run = waiting;
      feed().ended(turnId);
    }
    actors.send({ type: "turn.started" });
  }

  /** A message of the running turn's machine. */
  collect(message: EffectsMessage): void {
    this.#run?.collect(message);
  }

  /** Leaves the turn that runs in flight, if all it does is wait; only then the session is being left (TD3). @returns whether it did. */
  suspend(): boolean {
    if (!this.#run?.suspend()) return false;
    this.#isLeaving = true;
    return true;
  }

  /** The session is being left (TD3). */
  leave(): void {
    this.#isLeaving = true;
    this.#run?.suspend();
  }

  /** It is not left after all. */
  stay(): void {
    this.#isLeaving = false;
  }

  /** Stops driving what runs; it stays in flight. */
  abandon(): void {
    this.#run?.abandon();
  }

  /** @returns how many turns that were. */
  cancelAll(): number {
    const attended = [...this.#attended];
    for (const { cancel } of attended) cancel.abort();
    return attended.length;
  }

  async #drive(request: DrivenTurn, claim: () => Promise<Claimed>, origin: TurnOrigin): Promise<TurnEnd> {
    const { actors, feed } = this.#options;
    actors.send({ type: "turn.started" });
    const run = this.#newRun(request, claim, origin);
    this.#run = run;
    const onCancel = (): void => run.cancel(CancelSignal.of(request.signal));
    request.signal.addEventListener("abort", onCancel, { once: true });
    try {
      const running = run.run();
      const aborted = [request, ...this.#attended].find(({ turnId, signal }) => turnId === request.turnId && signal.aborted);
      if (aborted) run.cancel(CancelSignal.of(aborted.signal));
      return await running;
    } catch (error) {
      if (LashError.is(error) && error.isCode("session_execution_busy")) actors.send({ type: "lease.busy" });
      throw error;
    } finally {
      request.signal.removeEventListener("abort", onCancel);
      this.#run = undefined;
      feed().ended(request.turnId);
      // After a commit, a loss or a busy lane the machine is elsewhere already.
      if (actors.isDriving) actors.send({ type: "turn.ended" });
    }
  }

  /** A run whose turn can be watched from the moment its lane is claimed. */
  #newRun(request: Omit<TurnRequest, "trace" | "onParked" | "origin"> & Pick<TurnAttendance, "whenParked">, claim: () => Promise<Claimed>, origin: TurnOrigin): TurnRun {
    const feed = this.#options.feed();
    const session = this.#options.session();
    const { ports, wiring, resident } = session;
    const { turnId, whenParked } = request;
    const trace = ports.trace?.turn({ sessionId: wiring.sessionId, turnId, turnIndex: resident().head.turnIndex, policy: settingsOf(wiring, resident()).policy, origin });
    const onParked = (): void => {
      if (typeof whenParked === "function") whenParked();
      if (whenParked === "suspend" || this.#isLeaving) run.suspend();
    };
    const run = new TurnRun(session, { ...request, origin, emit: toAudience(request, feed, this.#attended), onParked, trace }, async () => {
      const claimed = await claim();
      if (claimed.kind !== "claimed") return claimed;
      const { turn, headRevision } = claimed;
      feed.started(turnId, turn.recoveries > 0);
      trace?.claimed(turn.recoveries);
      if (turn.journal.length > 0) {
        // What the turn changed about its tools before it was found here.
        await session.refresh(headRevision);
        await wiring.tools.takeUp(turn.journal);
      }
      return claimed;
    });
    return run;
  }
}
