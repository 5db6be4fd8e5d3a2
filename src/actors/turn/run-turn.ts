// Runs a turn of a session to its end: machine, record and executors put together, and what the session does around a run.

import { onAbort } from "../../domain/abort.ts";
import { CancelSignal, type TurnCancellation } from "../../domain/cancellation.ts";
import { isOutcomeUnknown } from "../../domain/error-mapping.ts";
import { LashError, runtimeError } from "../../domain/errors.ts";
import { askedAs, errorOfTurn } from "../../domain/turn-error.ts";
import { isLack } from "../../domain/turn-means.ts";
import { toAudience } from "../audience.ts";
import type { SessionEvent } from "../../machines/session.machine.ts";
import { cancelTopic, CancelWatch } from "../cancel-watch.ts";
import { Runner, type RunEnd, type RunState } from "../durable/runner.ts";
import { followTurnId } from "../frames.ts";
import type { SessionParts } from "../session/parts.ts";
import { drainCommands } from "../session/commands.ts";
import { settingsOf } from "../session-settings.ts";
import { suspendedError } from "./tools/completion.ts";
import { claimTurn } from "./claim-turn.ts";
import { DrivenTurn } from "./driven-turn.ts";
import { durableTurn } from "./durable-turn.ts";
import { openTurn } from "./open-turn.ts";
import { awaitLane, laneTopic } from "./lane-wait.ts";
import { Place, type TurnAhead } from "./place.ts";
import { TurnRunRecord } from "./record.ts";
import { headless, type TurnRequest } from "./request.ts";
import type { ComesFirst, TurnEnd, TurnTypes } from "./types.ts";

/** Has everything at hand before anything is accepted. @returns what is to be run: a turn that has ended is found by its id. */
type Prepare = (request: TurnRequest) => Promise<TurnRequest>;

/**
 * Has a turn run when the session is free for it.
 *
 * @throws errors that concern the turn under the id that it is asked for by, whatever turn they arose in.
 */
export async function runTurn(session: SessionParts, request: TurnRequest, prepare: Prepare = async (asked) => asked): Promise<TurnEnd> {
  const { runs, lane, takeover } = session;
  const { waitMs } = request;
  const ahead = waitMs === undefined ? undefined : runs.ahead(request.turnId);
  try {
    return await runs.attach(request, (signal) => {
      const attached = { ...request, signal };
      return waitMs === undefined ? lane.run(() => runPrepared(session, attached, prepare)) : runInPlace(session, attached, new Place(session, attached, waitMs), ahead, prepare);
    });
  } catch (error) {
    const left = isLack(error) ? error.details["turnId"] : undefined;
    if (typeof left === "string") takeover.lacks(left);
    throw asAsked(session, error, request);
  }
}

/** Whoever asked hears of it at once when its place is given up, whatever is still done in the lane until its time comes. */
function runInPlace(session: SessionParts, request: TurnRequest, place: Place, ahead: TurnAhead | undefined, prepare: Prepare): Promise<TurnEnd> {
  const { runs, lane } = session;
  if (ahead) place.isBehind(ahead);
  const { after } = request;
  if ((ahead ?? after) && !place.mayWait) {
    place.close();
    return Promise.reject(place.refused());
  }
  const run = async (): Promise<TurnEnd> => {
    if (after) await Promise.race([after, aborted(place.over)]);
    const left = await place.whenItsTimeComes();
    return left ?? runPrepared(session, { ...request, place }, prepare);
  };
  const ended = lane.run(run).finally(() => place.close());
  return runs.keep(place, () => Promise.race([place.left, ended]));
}

const runPrepared = (session: SessionParts, request: TurnRequest, prepare: Prepare): Promise<TurnEnd> =>
  request.isGivenUp?.()
    ? Promise.reject(runtimeError("session_execution_busy", "another owner is running this session"))
    : prepare(request).then((prepared) => driveChain(session, prepared)).finally(() => session.changes.settle());

/** Drives a turn that was left in flight, and that nobody watches, to its end. */
export const finishTurn = (session: SessionParts, turnId: string, whenClaimed: () => void = () => undefined): Promise<TurnEnd> =>
  runTurn(session, { turnId, origin: { kind: "found" }, whenClaimed, ...headless() });

/** Errors of a run name its turn already; what failed before there was a run has accepted nothing. */
function asAsked({ stated: { wiring: { sessionId } } }: SessionParts, error: unknown, { turnId, origin }: TurnRequest): unknown {
  const isTold = LashError.is(error) && typeof error.details["accepted"] === "boolean";
  return isTold ? askedAs(error, sessionId, turnId) : errorOfTurn(error, { sessionId, turnId, accepted: origin.kind === "found" });
}

/**
 * A turn that switched frames goes on there, under the same lease; the host gets the last turn. The commit of the switch accepted the
 * turn that follows: where it opened nothing, there is none.
 */
async function driveChain(session: SessionParts, request: TurnRequest): Promise<TurnEnd> {
  let last = await drive(session, request);
  for (;;) {
    const { outcome, turnId } = last.result;
    if (!("agent_frame_switch" in outcome)) return last;
    try {
      last = await drive(session, { ...request, turnId: followTurnId(turnId), origin: { kind: "found" }, place: undefined });
    } catch (error) {
      if (LashError.is(error) && error.isCode("unknown_turn")) return last;
      throw error;
    }
  }
}

async function drive(session: SessionParts, request: TurnRequest): Promise<TurnEnd> {
  const { actors, runs, feed } = session;
  const { turnId, signal } = request;
  const run = new TurnRun(session, request);
  actors.send({ type: "turn.started" });
  const onCancel = (): void => run.cancel(CancelSignal.of(signal));
  signal.addEventListener("abort", onCancel, { once: true });
  try {
    return await runs.during(run, () => {
      const ended = run.run();
      if (signal.aborted) onCancel();
      return ended;
    });
  } finally {
    signal.removeEventListener("abort", onCancel);
    feed.ended(turnId);
  }
}

/** One run of a turn. */
class TurnRun {
  readonly #session: SessionParts;
  readonly #request: TurnRequest;
  readonly #driven: DrivenTurn;
  readonly #runner: Runner<TurnTypes>;
  #stopWatching = (): void => undefined;
  #stopExpiry = (): void => undefined;
  /** A takeover of it did not fail, because it came to where it only waits. */
  #hasWaited = false;
  #isParked = false;

  constructor(session: SessionParts, request: TurnRequest) {
    const { ports, stated: { wiring }, actors, feed, runs, residence } = session;
    const { turnId, origin } = request;
    const { sessionId } = wiring;
    const { resident } = residence;
    const { journals } = ports;
    const trace = ports.trace?.turn({ sessionId, turnId, turnIndex: resident.head.turnIndex, policy: settingsOf(wiring, resident).policy, origin: origin.kind === "found" ? "found" : "asked" });
    this.#session = session;
    this.#request = request;
    this.#driven = new DrivenTurn(session, request, toAudience(request, feed, runs.watchers), trace);
    this.#runner = new Runner<TurnTypes>({
      id: `turn:${sessionId}:${turnId}`,
      machine: durableTurn(ports.protocol),
      record: new TurnRunRecord({ persistence: ports.persistence, turnId, isDurable: journals === undefined, claim: () => claimInPlace(session, request), onAnswered: (keyIds) => ports.waits.look(keyIds) }),
      first: (first) => this.#doFirst(first),
      open: (claimed) => {
        request.whenClaimed?.();
        this.#watch();
        const { cancellation } = claimed.start.turn;
        if (cancellation) this.cancel(cancellation);
        return openTurn(this.#driven, claimed).finally(() => this.#expireInTime());
      },
      ...(journals && { memory: () => journals.of(JSON.stringify([sessionId, turnId])) }),
      parent: actors.keeper,
      inspect: ports.inspect,
      onNote: ({ messages }) => this.#driven.log.append(messages),
      onState: (state) => this.#onState(state),
      onCancel: (asked) => this.cancel(asked),
    });
  }

  get turnId(): string {
    return this.#request.turnId;
  }

  get isParked(): boolean {
    return this.#isParked;
  }

  get isClaimed(): boolean {
    return this.#runner.wasClaimed;
  }

  run(): Promise<TurnEnd> {
    const ended = this.#run();
    const { trace } = this.#driven;
    return trace ? trace.ending(ended) : ended;
  }

  /** Ends the turn as cancelled; a request that comes before the turn runs waits until it does. */
  cancel(request: TurnCancellation | undefined): void {
    this.#driven.cancel(request);
    this.#runner.unpost("turn.expire");
    this.#runner.post({ type: "turn.cancel" });
  }

  suspend(): boolean {
    return this.#runner.suspend();
  }

  abandon(): void {
    this.#runner.fail(runtimeError("lash_closed", "the lash was closed"));
  }

  async #run(): Promise<TurnEnd> {
    try {
      const end = await this.#runner.run().catch((error: unknown) => this.#failed(error));
      return await this.#endOf(end);
    } finally {
      this.#stopExpiry();
      this.#stopWatching();
      this.#driven.preparing.abort(OVER);
      this.#driven.here.isOver = true;
      const { ports, stated: { wiring: { sessionId } } } = this.#session;
      if (this.#runner.wasClaimed) ports.changes.notify(laneTopic(sessionId));
    }
  }

  async #endOf(end: RunEnd<TurnTypes>): Promise<TurnEnd> {
    const { residence, actors, stated: { wiring: { sessionId } } } = this.#session;
    const { turnId } = this.#request;
    if (end.kind !== "ended") actors.send({ type: end.kind === "parked" ? "turn.parked" : "turn.left" });
    switch (end.kind) {
      case "ended":
        return { result: end.result.recorded, toolResults: this.#driven.log.toolResults };
      case "over": {
        const { recorded } = end.result;
        // Ended by somebody else since this session was read: what is shown here has to have it, too.
        if (recorded.headRevision > residence.resident.headRevision) await residence.refresh(recorded.headRevision);
        return { result: recorded, toolResults: [], hadEnded: true };
      }
      case "parked":
        throw suspendedError(sessionId, turnId);
      default: {
        const busy = runtimeError("session_execution_busy", "another owner is running this session; nothing was changed, try again with backoff", { details: { sessionId, turnId } });
        throw errorOfTurn(busy, { sessionId, turnId, accepted: await this.#isDrivenElsewhere() });
      }
    }
  }

  async #failed(error: unknown): Promise<never> {
    const { stated: { wiring: { sessionId } }, takeover, actors, claims } = this.#session;
    const { wasClaimed } = this.#runner;
    actors.send(sessionEventOf(error, wasClaimed));
    // Held for commands, where no turn took it.
    if (!wasClaimed && this.#request.origin.kind !== "found") await claims.release();
    if (!LashError.is(error)) throw error;
    const accepted = wasClaimed || this.#request.origin.kind === "found" || isOutcomeUnknown(error);
    const isLeft = error.isCode("store_commit_failed") || error.isCode("session_execution_lease_lost");
    if (accepted && isLeft) takeover.leftHere(wasClaimed);
    throw errorOfTurn(error, { sessionId, turnId: this.turnId, accepted });
  }

  async #isDrivenElsewhere(): Promise<boolean> {
    const { ports, stated: { wiring } } = this.#session;
    const [inFlight] = await ports.persistence.turns.inFlight(wiring.sessionId).catch(() => []);
    return this.#request.origin.kind === "found" || inFlight?.turnId === this.turnId;
  }

  async #doFirst(first: ComesFirst): Promise<void> {
    const { residence, actors, feed, runs } = this.#session;
    switch (first.kind) {
      case "commands":
        return drainCommands(this.#session);
      case "head":
        await residence.refresh(first.headRevision);
        return undefined;
      case "owner": {
        const { place } = this.#request;
        if (!place) return undefined;
        actors.send({ type: "turn.left" });
        await runs.aside(place, () => awaitLane(this.#session, place));
        actors.send({ type: "turn.started" });
        return undefined;
      }
      case "turn": {
        // Nothing is accepted before it has ended. Nobody watches it.
        const run = new TurnRun(this.#session, { turnId: first.turnId, origin: { kind: "found" }, ...headless() });
        const ended = runs.during(run, () => run.run()).finally(() => feed.ended(first.turnId));
        // Somebody else was faster: that one is waited for.
        await (this.#request.place?.mayWait ? ended.catch(ifBusy) : ended);
        actors.send({ type: "turn.started" });
      }
    }
  }

  #watch(): void {
    const { ports, stated: { wiring: { sessionId } } } = this.#session;
    const watch = new CancelWatch({
      hub: ports.changes,
      clock: ports.clock,
      topic: cancelTopic(sessionId, this.turnId),
      isShared: ports.persistence.durable,
      look: () => ports.persistence.turns.cancellation(sessionId, this.turnId),
      onRequest: (request) => this.cancel(request),
    });
    this.#stopWatching = () => watch.stop();
  }

  /** Counted from its acceptance, whoever drives it by now. */
  #expireInTime(): void {
    const { session: { ports: { clock } }, givenUp } = this.#driven;
    if (givenUp || this.#runner.state === "over") return;
    const { acceptedAtMs, config: { limits } } = this.#driven.turn;
    const timeoutMs = limits?.timeoutMs;
    if (timeoutMs === undefined) return;
    this.#stopExpiry = clock.setTimer(Math.max(0, acceptedAtMs + timeoutMs - clock.now()), () => this.#runner.post({ type: "turn.expire", timeoutMs }));
  }

  #onState(state: RunState): void {
    const isParked = state === "parked" || (this.#isParked && state === "parking");
    if (isParked !== this.#isParked) {
      this.#isParked = isParked;
      this.#session.runs.changed();
    }
    if (state === "parked") this.#onParked();
  }

  #onParked(): void {
    const { runs } = this.#session;
    const { whenParked } = this.#request;
    if (typeof whenParked === "function") whenParked();
    if ((whenParked === "suspend" || runs.isLeaving) && this.#runner.suspend()) return;
    // A process that is killed while its turn waits has not failed to get it further.
    if (this.#driven.turn.recoveries === 0 || this.#hasWaited) return;
    this.#hasWaited = true;
    void this.#runner.step(undefined, { waiting: true }).catch(() => undefined);
  }
}

function ifBusy(error: unknown): void {
  if (!LashError.is(error) || !error.isCode("session_execution_busy")) throw error;
}

const claimInPlace = (session: SessionParts, request: TurnRequest) => (request.place ? request.place.ask(() => claimTurn(session, request)) : claimTurn(session, request));

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => void onAbort(signal, resolve));

/** What the session's machine is told of a run that failed. */
function sessionEventOf(error: unknown, wasClaimed: boolean): SessionEvent {
  if (LashError.is(error) && error.isCode("session_execution_lease_lost")) return { type: "lease.lost" };
  // What the store holds is unknown now: the session reads it again before its next turn (S-54).
  if (LashError.is(error) && wasClaimed && error.isCode("store_commit_failed")) return { type: "turn.commitFailed", code: error.code, message: error.message };
  return { type: "turn.left" };
}

/** One for all: every turn ends, and making one costs as much as two transitions. */
const OVER = new DOMException("the turn is over", "AbortError");
