// Session runtime: one opened session, as its handles and the lash see it.
//
// Owns: its parts (session/parts.ts), which are given each other through it.

import type { TurnCancellation, TurnCancelOutcome } from "../domain/cancellation.ts";
import { errorFields } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { SessionSettings } from "../domain/turn-config.ts";
import { inputHashOf } from "../domain/turn-input.ts";
import { sessionStillInUse } from "../domain/wiring-errors.ts";
import type { Provider } from "../providers/contract.ts";
import { requestCancel } from "./cancel-request.ts";
import { askedFromInside, insideError, turnAround, type TurnHere } from "./inside-turn.ts";
import { InputLane, type LaneListener, queueTopic } from "./input-lane.ts";
import { LaneClaims } from "./lane-claims.ts";
import { needsJsonCheck } from "./output-check.ts";
import type { SessionPlugins } from "./plugin-port.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import type { Publisher } from "./publisher.ts";
import { Residence } from "./residence.ts";
import type { Resident } from "./resident.ts";
import { drainCommandsAlone } from "./session/commands.ts";
import type { SessionParts } from "./session/parts.ts";
import { SessionActors, type SessionActor } from "./session-actors.ts";
import { SessionChanges } from "./session-changes.ts";
import { SessionFeed } from "./session-feed.ts";
import { SessionLane } from "./session-lane.ts";
import { settingsOf, StatedSettings } from "./session-settings.ts";
import { StandIn } from "./stand-in.ts";
import { hasMedia, type TakenMedia, untakenMedia } from "./taken-media.ts";
import { TurnPlans } from "./turn-plan.ts";
import { NOTHING_TO_DRAIN, type QueuedTurnStart, type TurnRequest } from "./turn/request.ts";
import { finishTurn, runTurn } from "./turn/run-turn.ts";
import { TurnRuns } from "./turn/turn-runs.ts";
import type { TurnEnd } from "./turn/types.ts";

export class SessionRuntime implements SessionParts {
  readonly ports: RuntimePorts;
  readonly stated: StatedSettings;
  readonly plans: TurnPlans;
  readonly claims: LaneClaims;
  readonly residence: Residence;
  readonly actors: SessionActors;
  readonly lane: SessionLane;
  readonly runs = new TurnRuns();
  readonly changes: SessionChanges;
  readonly takeover: StandIn;
  readonly publisher: Publisher;
  /** What happens here and, where there is a channel, in other tabs. */
  readonly feed: SessionFeed;
  readonly lanes: LaneListener;
  /** Inputs that wait for turns of this session. */
  readonly inputs: InputLane;

  constructor(ports: RuntimePorts, wiring: SessionWiring) {
    const { sessionId, owner } = wiring;
    this.ports = ports;
    this.stated = new StatedSettings(wiring);
    this.claims = new LaneClaims(ports, wiring);
    this.plans = new TurnPlans(this.stated);
    this.publisher = ports.publishers.open(sessionId);
    this.residence = new Residence(this);
    this.changes = new SessionChanges(this);
    this.actors = new SessionActors({ ports, sessionId, residence: this.residence, changes: this.changes });
    this.lane = new SessionLane(this.actors);
    this.lanes = {
      changed: (kind, batchIds) => {
        this.feed.queueChanged({ type: "queue_changed", kind, batchIds });
        ports.changes.notify(queueTopic(sessionId));
      },
      poke: (reason) => ports.poke?.(sessionId, reason),
    };
    this.inputs = new InputLane(ports, sessionId, this.lanes, () => this.runs.turnId, () => this.taken());
    this.takeover = new StandIn({
      ...ports,
      sessionId,
      staysReady: ports.peers !== undefined,
      finish: (turnId, whenClaimed) => finishTurn(this, turnId, whenClaimed),
    });
    this.feed = new SessionFeed({
      driver: owner.incarnationId,
      channel: ports.peers,
      clock: ports.clock,
      publisher: this.publisher,
      read: (revision) => this.residence.catchUp(revision),
      onElsewhere: () => this.takeover.standBy(),
    });
  }

  /** As stated at open and configured since. */
  get wiring(): SessionWiring {
    return this.stated.wiring;
  }

  /** What a turn that begins now would find. */
  get settings(): SessionSettings {
    return settingsOf(this.wiring, this.resident);
  }

  /** That the session's next turn would have. @throws LashError `provider_unconfigured`, `provider_mismatch`. */
  get provider(): Provider {
    return this.plans.providerOf(this.settings);
  }

  /** What its next turn's model takes; undefined where nobody can say which that is. */
  taken(): TakenMedia | undefined {
    try {
      return this.plans.taken(this.resident);
    } catch {
      return undefined;
    }
  }

  get resident(): Resident {
    return this.residence.resident;
  }

  /** The residency machine, for readers and inspectors. */
  get actor(): SessionActor {
    return this.actors.root;
  }

  /** Loads the session. @throws the store's error where it cannot be read. */
  async open(): Promise<void> {
    await this.actors.load({ type: "session.open" });
  }

  /** Lets go of everything that the session holds here. */
  discard(): void {
    this.takeover.close();
    this.claims.letGo();
    this.feed.close();
    this.ports.publishers.release(this.wiring.sessionId);
    this.wiring.plugins?.close();
    this.actors.stop();
  }

  /** Gives the session its plugins, in the state that is stored; only before its first turn. */
  equip(plugins: SessionPlugins): void {
    this.stated.equip(plugins);
    this.wiring.tools.adopt(this.resident.toolState);
    plugins.restore(this.resident.plugins);
  }

  /** Finishes what others left, now and, in tabs, as soon as another driver is gone; without a provider there is nothing it could do. */
  standIn(): void {
    if (!this.wiring.provider) return;
    // Where runtimes hear of each other, another one may have begun a turn since the session was read.
    if (this.actors.durable !== "idle" || this.ports.peers) void this.takeover.finishLeftover();
    this.lanes.poke("session_open");
  }

  /** An answer came for a turn of this session, which is open, or its end was asked for: drives it on if nobody does. */
  finishLeftover(): void {
    if (!this.runs.isDriving) void this.takeover.finishLeftover();
  }

  /** Tools came, or somebody asked for its end: a turn that was left alone may have what it needs now. */
  lookAgain(): void {
    // Also behind an attempt that is going on: it may have looked before.
    if (this.takeover.isLacking) void this.takeover.finishLeftover();
  }

  /**
   * Runs a turn to its end: accepts it, or finds it in flight; turns of this session wait for each other.
   *
   * A turn that another process left in flight is driven first, so that no accepted input is ever passed over.
   */
  runTurn(request: TurnRequest): Promise<TurnEnd> {
    return runTurn(this, request, (attached) => this.#prepare(attached));
  }

  /** Before anything is accepted (PP-26). */
  async #prepare(request: TurnRequest): Promise<TurnRequest> {
    const { overlay, origin, turnId } = request;
    if (origin.kind === "found") return request;
    try {
      const taken = origin.kind === "input" ? this.plans.taken(this.resident, overlay) : undefined;
      if (needsJsonCheck(this.plans.next(this.resident, overlay))) await this.ports.loadJsonCheck();
      if (origin.kind === "input" && taken && hasMedia(origin.input)) await this.#checkMedia(turnId, origin, taken);
      return request;
    } catch (error) {
      if (origin.kind === "queued") await drainCommandsAlone(this, error);
      // Asked for again once it has ended, a turn needs nothing: its result is recorded.
      const ended = await this.ports.persistence.turns.settled(this.wiring.sessionId, turnId).catch(() => undefined);
      if (origin.kind === "input" && ended?.inputHash === inputHashOf(origin.input)) return { ...request, origin: { kind: "found" } };
      throw error;
    }
  }

  /** @throws LashError `unsupported_media` - unless the turn was accepted before: then it is not asked anew. */
  async #checkMedia(turnId: string, { input: { items }, attachments }: Extract<TurnRequest["origin"], { kind: "input" }>, taken: TakenMedia): Promise<void> {
    const { persistence } = this.ports;
    const { sessionId } = this.wiring;
    const refused = await untakenMedia({ sessionId, items, attachments }, taken, persistence.attachments);
    if (!refused || (await persistence.turns.settled(sessionId, turnId))) return;
    if (!(await persistence.turns.inFlight(sessionId)).some((turn) => turn.turnId === turnId)) throw refused;
  }

  /**
   * The turn that whoever asks for one is a part of.
   *
   * @throws LashError `session_execution_busy` - one of this session: who asks would wait for himself.
   */
  asker(turnId: string | undefined, isDrain = false): TurnHere | undefined {
    const asker = turnAround();
    const around = askedFromInside(asker, this.ports, this.wiring.sessionId);
    if (around) throw insideError(around, isDrain ? undefined : turnId);
    return asker;
  }

  /** Applies the commands that come first, then accepts and drives one turn of what waits. @returns undefined where no turn was run. */
  async runQueued(start: QueuedTurnStart): Promise<TurnEnd | undefined> {
    if (this.runs.awaitsOwner) return undefined;
    const left = Promise.withResolvers<undefined>();
    let isLeft = false;
    const undo = this.runs.onAwaitsOwner(() => {
      isLeft = true;
      left.resolve(undefined);
    });
    return Promise.race([left.promise, this.#drain(start, () => isLeft)]).finally(undo);
  }

  async #drain({ drainId, batchIds, emitFor, ...watcher }: QueuedTurnStart, isGivenUp: () => boolean): Promise<TurnEnd | undefined> {
    // Behind the turns of this runtime: what they leave to the next turn is part of it.
    const turnId = drainId ?? batchIds?.[0] ?? (await this.lane.run(() => this.inputs.nextTurnId()));
    if (turnId === undefined) return undefined;
    try {
      return await this.runTurn({ turnId, emit: emitFor(turnId), ...watcher, origin: { kind: "queued", batchIds }, isGivenUp });
    } catch (error) {
      if (LashError.is(error) && NOTHING_TO_DRAIN.has(error.code)) return undefined;
      throw error;
    }
  }

  /** Leaves a turn that only waits for answers from outside in flight, so that the session can be closed. */
  async suspend(): Promise<void> {
    // Where the session cannot be left anyway, nothing must happen (S-42).
    if (this.actors.handles > 1 || !this.runs.suspend()) return;
    await this.idle();
  }

  /** Waits for running turns to end; those that only wait for answers are left in flight. */
  async drain(): Promise<void> {
    this.takeover.close();
    const { sessionId } = this.wiring;
    this.stopWaiting(runtimeError("session_closed", `session ${sessionId} is closed; open it again with lash.openSession`, { details: { sessionId } }));
    this.runs.leave();
    await this.idle();
  }

  /** Turns that wait for another owner of the session are not accepted any more. */
  stopWaiting(error: LashError): void {
    this.runs.refuseWaiting(error);
  }

  /** Stops driving what runs; it stays in flight. What waits behind it is not begun: the lash is closed. */
  abandonTurns(): void {
    const closed = runtimeError("lash_closed", "the lash was closed");
    this.lane.abandon(closed);
    this.runs.abandon();
    this.stopWaiting(closed);
  }

  /** Cancels the turns that run or wait on this runtime. @returns how many. */
  cancelTurns(): number {
    return this.runs.cancelAll();
  }

  /** Records that a turn is to end as cancelled, wherever it runs; one that nobody drives is ended here. */
  async requestCancel(turnId: string, request: TurnCancellation): Promise<TurnCancelOutcome> {
    const { status } = await requestCancel(this.ports, this.wiring.sessionId, turnId, request);
    if (status === "accepted") this.lookAgain();
    return { status };
  }

  /** Ends all waits for answers that are open now as cancelled; a turn that only waited for one goes on. */
  async revokeWaits(): Promise<number> {
    const revoked = await this.ports.waits.cancelOutstanding(this.wiring.sessionId);
    if (revoked > 0) this.finishLeftover();
    return revoked;
  }

  /** Needs the only handle and no running turn. */
  async close(then: "session.park" | "session.close"): Promise<void> {
    try {
      // A takeover that only asks for what was left does not keep whoever opened the session to read it.
      if (!this.lane.isFree && this.runs.claimedTurnId === undefined && !this.runs.isAskedFor) await this.takeover.attempt;
      if (!this.lane.isFree) throw sessionStillInUse(this.wiring.sessionId, then);
      await this.actors.leave(then, this.wiring.plugins?.isDirty() ?? false);
    } catch (error) {
      // It stays open, and its turns wait again.
      this.runs.stay();
      throw error;
    }
    this.discard();
  }

  /** Closes the session for those who opened it on their own: what could not be flushed is lost, and nothing of it stays here. */
  async leave(): Promise<void> {
    await this.close("session.close").catch((error: unknown) => {
      this.ports.logger({ level: "warn", event: "session.close_failed", sessionId: this.wiring.sessionId, ...errorFields(error) });
      this.discard();
    });
  }

  /** Resolves when no turn runs or waits. */
  idle(): Promise<void> {
    return this.lane.idle();
  }

  openHandle(): void {
    this.actors.send({ type: "handle.opened" });
  }

  /** @returns whether this was not the last handle, so that there is nothing else to do. */
  releaseHandle(): boolean {
    if (this.actors.handles <= 1) return false;
    this.actors.send({ type: "handle.released" });
    return true;
  }
}
