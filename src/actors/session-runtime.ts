// Session runtime: one opened session, as its handles and the lash see it.
//
// Owns: its parts and what they know of each other. Residence has the resident state, SessionActors the residency machine,
// SessionLane what may run when, TurnDriver the turns, SessionChanges what is committed beside them.

import type { TurnCancellation, TurnCancelOutcome } from "../domain/cancellation.ts";
import { errorFields } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { SessionSettings } from "../domain/turn-config.ts";
import { sessionStillInUse } from "../domain/wiring-errors.ts";
import { SESSION_MACHINE } from "../machines/session.machine.ts";
import { persistSnapshot } from "../machines/snapshot.ts";
import type { Provider } from "../providers/contract.ts";
import type { SessionCommit } from "../stores/contract.ts";
import { requestCancel } from "./cancel-request.ts";
import { InputLane, type LaneListener, queueTopic } from "./input-lane.ts";
import { LaneClaims, type Acceptance } from "./lane-claims.ts";
import { needsJsonCheck } from "./output-check.ts";
import type { SessionPlugins } from "./plugin-port.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import type { Publisher } from "./publisher.ts";
import { Residence } from "./residence.ts";
import type { Committed, Resident } from "./resident.ts";
import { SessionActors, type SessionActor } from "./session-actors.ts";
import { SessionChanges } from "./session-changes.ts";
import { SessionFeed } from "./session-feed.ts";
import { SessionLane } from "./session-lane.ts";
import { settingsOf, StatedSettings, takeChanges } from "./session-settings.ts";
import { StandIn } from "./stand-in.ts";
import { hasMedia, type TakenMedia, untakenMedia } from "./taken-media.ts";
import { TurnDriver } from "./turn-driver.ts";
import { type TurnOverlay, TurnPlans } from "./turn-plan.ts";
import type { TurnEnd } from "./turn-run.ts";
import type { TurnSession } from "./turn-session.ts";
import { type FoundTurn, NOTHING_TO_DRAIN, type QueuedTurnStart, type TurnStart, unattended } from "./turn-start.ts";

export class SessionRuntime {
  readonly ports: RuntimePorts;
  /** What happens here and, where there is a channel, in other tabs. */
  readonly feed: SessionFeed;
  /** What is shown of the session, to all its handles in this runtime. */
  readonly publisher: Publisher;
  /** Inputs that wait for turns of this session. */
  readonly inputs: InputLane;
  /** What happens to the session beside its turns. */
  readonly changes: SessionChanges;
  /** Hears of what happens in the lanes. */
  readonly lanes: LaneListener;
  readonly #standIn: StandIn;
  readonly #lease: LaneClaims;
  readonly #plans: TurnPlans;
  readonly #stated: StatedSettings;
  readonly #actors: SessionActors;
  readonly #residence: Residence;
  readonly #lane: SessionLane;
  readonly #driver: TurnDriver;

  constructor(ports: RuntimePorts, wiring: SessionWiring) {
    const { sessionId, owner } = wiring;
    this.ports = ports;
    this.#stated = new StatedSettings(wiring);
    this.#lease = new LaneClaims(ports, wiring);
    this.#plans = new TurnPlans(() => this.wiring);
    this.publisher = ports.publishers.open(sessionId);
    this.#residence = new Residence({ ports, wiring: () => this.wiring, publisher: this.publisher, isDriving: () => this.#driver.isDriving });
    this.#actors = new SessionActors({
      ports,
      sessionId,
      residence: this.#residence,
      flush: () => this.changes.flush(),
      collect: (message) => this.#driver.collect(message),
    });
    this.#lane = new SessionLane(() => this.#actors.ready());
    this.#driver = new TurnDriver({
      session: () => this.#turnSession(),
      actors: this.#actors,
      lane: this.#lane,
      lease: this.#lease,
      means: (overlay) => this.#plans.means(overlay),
      lacks: (turnId) => this.#standIn.lacks(turnId),
      feed: () => this.feed,
      settle: () => this.changes.settle(),
    });
    this.lanes = {
      changed: (kind, batchIds) => {
        this.feed.queueChanged({ type: "queue_changed", kind, batchIds });
        ports.changes.notify(queueTopic(sessionId));
      },
      poke: (reason) => ports.poke?.(sessionId, reason),
    };
    this.inputs = new InputLane(ports, sessionId, this.lanes, () => this.#driver.turnId, () => this.taken());
    this.changes = new SessionChanges({
      ports,
      lease: this.#lease,
      stated: this.#stated,
      residence: this.#residence,
      lane: this.#lane,
      driving: () => (this.#lease.isHeld || this.#actors.root.getSnapshot().value.residency !== "acquiring" ? this.#driver.turnId : undefined),
      finish: (turnId) => this.#finish(turnId),
      committed: () => this.feed.committed(),
    });
    this.#standIn = new StandIn({
      ...ports,
      sessionId,
      staysReady: ports.peers !== undefined,
      finish: (turnId) => this.#finish(turnId),
    });
    this.feed = new SessionFeed({
      driver: owner.incarnationId,
      channel: ports.peers,
      clock: ports.clock,
      publisher: this.publisher,
      read: (revision) => this.#residence.catchUp(revision),
      onElsewhere: () => this.#standIn.standBy(),
    });
  }

  /** As stated at open and configured since. */
  get wiring(): SessionWiring {
    return this.#stated.wiring;
  }

  /** What a turn that begins now would find. */
  get settings(): SessionSettings {
    return settingsOf(this.wiring, this.resident);
  }

  /** That the session's next turn would have. @throws LashError `provider_unconfigured`, `provider_mismatch`. */
  get provider(): Provider {
    return this.#plans.providerOf(this.settings);
  }

  /** What its next turn's model takes; undefined where nobody can say which that is. */
  taken(): TakenMedia | undefined {
    try {
      return this.#plans.taken(this.resident);
    } catch {
      return undefined;
    }
  }

  get resident(): Resident {
    return this.#residence.resident;
  }

  /** The residency machine, for readers and inspectors. */
  get actor(): SessionActor {
    return this.#actors.root;
  }

  /** Loads the session. @throws the store's error where it cannot be read. */
  async open(): Promise<void> {
    await this.#actors.load({ type: "session.open" });
  }

  /** Lets go of everything that the session holds here. */
  discard(): void {
    this.#standIn.close();
    this.#lease.letGo();
    this.feed.close();
    this.ports.publishers.release(this.wiring.sessionId);
    this.wiring.plugins?.close();
    this.#actors.stop();
  }

  /** Gives the session its plugins, in the state that is stored; only before its first turn. */
  equip(plugins: SessionPlugins): void {
    this.#stated.equip(plugins);
    this.wiring.tools.adopt(this.resident.toolState);
    plugins.restore(this.resident.plugins);
  }

  /** Finishes what others left, now and, in tabs, as soon as another driver is gone; without a provider there is nothing it could do. */
  standIn(): void {
    if (!this.wiring.provider) return;
    void this.#standIn.finishLeftover();
    this.lanes.poke("session_open");
  }

  /** An answer came for a turn of this session, which is open, or its end was asked for: drives it on if nobody does. */
  finishLeftover(): void {
    if (!this.#driver.isDriving) void this.#standIn.finishLeftover();
  }

  /** Tools came, or somebody asked for its end: a turn that was left alone may have what it needs now. */
  lookAgain(): void {
    // Also behind an attempt that is going on: it may have looked before.
    if (this.#standIn.isLacking) void this.#standIn.finishLeftover();
  }

  /**
   * Accepts an input and drives its turn; turns of this session wait for each other.
   *
   * A turn that another process left in flight is driven first, so that no accepted input is ever passed over.
   */
  runTurn(start: TurnStart): Promise<TurnEnd> {
    return this.#driver.attend(start, "asked", async (start) => {
      // Before anything is accepted (PP-26).
      const taken = this.#plans.taken(this.resident, start.overlay);
      if (needsJsonCheck(this.#plans.next(this.resident, start.overlay))) await this.ports.loadJsonCheck();
      if (hasMedia(start.input)) await this.#checkMedia(start, taken);
      return this.#driver.drive(start, () => this.#lease.accept(start, this.#acceptance(start.overlay)), "asked");
    });
  }

  /** @throws LashError `unsupported_media` - unless the turn was accepted before: then it is not asked anew. */
  async #checkMedia({ turnId, input: { items }, attachments }: TurnStart, taken: TakenMedia): Promise<void> {
    const { persistence } = this.ports;
    const { sessionId } = this.wiring;
    const refused = await untakenMedia({ sessionId, items, attachments }, taken, persistence.attachments);
    if (!refused || (await persistence.turns.settled(sessionId, turnId))) return;
    if (!(await persistence.turns.inFlight(sessionId)).some((turn) => turn.turnId === turnId)) throw refused;
  }

  /** Applies the commands that come first, then accepts and drives one turn of what waits. @returns undefined where no turn was run. */
  async runQueued({ drainId, batchIds, emitFor, ...attended }: QueuedTurnStart): Promise<TurnEnd | undefined> {
    // Behind the turns of this runtime: what they leave to the next turn is part of it.
    const turnId = drainId ?? batchIds?.[0] ?? (await this.#lane.run(() => this.inputs.nextTurnId()));
    if (turnId === undefined) return undefined;
    try {
      return await this.#driver.attend({ turnId, emit: emitFor(turnId), ...attended }, "asked", async (start) => {
        try {
          if (needsJsonCheck(this.#plans.next(this.resident))) await this.ports.loadJsonCheck();
        } catch (error) {
          await this.#drainCommands(error);
        }
        return this.#driver.drive(start, () => this.#lease.acceptQueued({ turnId, batchIds }, this.#acceptance()), "asked");
      });
    } catch (error) {
      if (LashError.is(error) && NOTHING_TO_DRAIN.has(error.code)) return undefined;
      throw error;
    }
  }

  /** Drives a turn that was accepted and not finished to its end. @throws LashError as `LaneClaims.resume`. */
  recoverTurn(found: FoundTurn): Promise<TurnEnd> {
    return this.#driver.attend(found, "found", (request) =>
      this.#driver.drive(request, () => this.#lease.resume(request.turnId, request.abandonment === undefined ? this.#plans.means() : undefined), "found"),
    );
  }

  /** Leaves a turn that only waits for answers from outside in flight, so that the session can be closed. */
  async suspend(): Promise<void> {
    // Where the session cannot be left anyway, nothing must happen (S-42).
    if (this.#actors.handles > 1 || !this.#driver.suspend()) return;
    await this.idle();
  }

  /** Waits for running turns to end; those that only wait for answers are left in flight. */
  async drain(): Promise<void> {
    this.#standIn.close();
    this.#driver.leave();
    await this.idle();
  }

  /** Stops driving what runs; it stays in flight. What waits behind it is not begun: the lash is closed. */
  abandonTurns(): void {
    this.#lane.abandon(runtimeError("lash_closed", "the lash was closed"));
    this.#driver.abandon();
  }

  /** Cancels the turns that run or wait on this runtime. @returns how many. */
  cancelTurns(): number {
    return this.#driver.cancelAll();
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
      if (!this.#lane.isFree) throw sessionStillInUse(this.wiring.sessionId, then);
      await this.#actors.leave(then, this.wiring.plugins?.isDirty() ?? false);
    } catch (error) {
      // It stays open, and its turns wait again.
      this.#driver.stay();
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
    return this.#lane.idle();
  }

  openHandle(): void {
    this.#actors.send({ type: "handle.opened" });
  }

  /** @returns whether this was not the last handle, so that there is nothing else to do. */
  releaseHandle(): boolean {
    if (this.#actors.handles <= 1) return false;
    this.#actors.send({ type: "handle.released" });
    return true;
  }

  /** Drives a turn that nobody watches. */
  #finish(turnId: string): Promise<TurnEnd> {
    return this.recoverTurn({ turnId, ...unattended() });
  }

  #turnSession(): TurnSession {
    return {
      ports: this.ports,
      wiring: this.wiring,
      root: this.#actors.root,
      effects: this.#actors.effects,
      resident: () => this.resident,
      refresh: (headRevision) => this.#residence.refresh(headRevision),
      planOf: (turn, overlay) => this.#plans.of(turn, overlay),
      synced: (plan) => this.#plans.synced(plan),
      settingsAfter: (turn) => settingsOf(this.wiring, this.resident, turn),
      takeChanges: (turn) => takeChanges(this.#stated, this.resident, turn),
      machineSnapshot: () => persistSnapshot(SESSION_MACHINE, this.#actors.root.getSnapshot()),
      adopt: (committed, commit) => this.#adopt(committed, commit),
      drainCommands: () => this.#drainCommands(),
      releaseLane: () => this.#lease.release(),
      giveBack: (fence) => this.#lease.giveBack(fence),
      ended: ({ completedWork = [] }, leaves) => {
        this.#standIn.ended();
        if (completedWork.length > 0) this.ports.changes.notify(queueTopic(this.wiring.sessionId));
        if (leaves) this.lanes.poke("turn_ended");
      },
      left: (wasDriven) => this.#standIn.leftHere(wasDriven),
      report: (event) => this.#actors.send(event),
    };
  }

  #acceptance(overlay?: TurnOverlay): Acceptance {
    return {
      config: () => ({ value: this.#plans.next(this.resident, overlay).config, madeFrom: this.resident.headRevision }),
      means: () => this.#plans.means(overlay),
      finishFirst: (turnId) => this.#driver.finishFirst(turnId),
      refresh: (headRevision) => this.#residence.refresh(headRevision),
    };
  }

  #adopt(adopted: Committed, commit: SessionCommit): void {
    this.#residence.adopt(adopted, commit);
    this.feed.committed();
  }

  /** @param problem - why no turn can follow: then commands are all that is done. */
  async #drainCommands(problem?: unknown): Promise<void> {
    const { ports, wiring } = this;
    const committed = (made: Committed, commit: SessionCommit): void => {
      this.#adopt(made, commit);
      ports.changes.notify(queueTopic(wiring.sessionId));
    };
    const { drainCommands, drainCommandsAlone } = await import("./command-drain.ts");
    const session = { ports, wiring, lease: this.#lease, signal: this.#lane.abandoned, refresh: (headRevision: number) => this.#residence.refresh(headRevision), committed };
    await (problem === undefined ? drainCommands(session) : drainCommandsAlone(problem, session));
  }
}
