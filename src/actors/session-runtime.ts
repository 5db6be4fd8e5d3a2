// Session runtime: one opened session. Runs its residency machine, loads and keeps its resident state, drives its turns.
//
// Owns: the lane inside this process (turns of one session run one after another) and the resident state.
// The store's lease is the truth between processes.

import { createActor, fromCallback, type ActorRefFrom, type AnyActorRef } from "xstate";
import { CancelSignal, type TurnCancellation, type TurnCancelOutcome } from "../domain/cancellation.ts";
import { runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { SessionSettings } from "../domain/turn-config.ts";
import type { Provider } from "../providers/contract.ts";
import { sessionStillInUse } from "../domain/wiring-errors.ts";
import { EFFECTS, type EffectsMessage } from "../machines/effects.ts";
import { sessionMachine, SESSION_MACHINE, type SessionEvent, type SessionRequest } from "../machines/session.machine.ts";
import { persistSnapshot } from "../machines/snapshot.ts";
import type { SessionCommit } from "../stores/contract.ts";
import { toAudience } from "./audience.ts";
import { requestCancel } from "./cancel-request.ts";
import { followTurnId } from "./frames.ts";
import { InputLane, type LaneListener, queueTopic } from "./input-lane.ts";
import { LaneClaims, type Acceptance } from "./lane-claims.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import type { SessionPlugins } from "./plugin-port.ts";
import type { Publisher } from "./publisher.ts";
import { Residence } from "./residence.ts";
import type { Committed, Resident } from "./resident.ts";
import { SessionFeed } from "./session-feed.ts";
import { StandIn } from "./stand-in.ts";
import { SessionChanges } from "./session-changes.ts";
import { settingsOf, StatedSettings, takeChanges } from "./session-settings.ts";
import { type TurnOverlay, TurnPlans } from "./turn-plan.ts";
import { TurnRun, type Claimed, type TurnEnd, type TurnRequest } from "./turn-run.ts";
import type { TurnSession } from "./turn-session.ts";
import { type Attended, NOTHING_TO_DRAIN, type QueuedTurnStart, type TurnAttendance, type TurnStart, unattended } from "./turn-start.ts";

type SessionActor = ActorRefFrom<typeof sessionMachine>;

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
  readonly #root: SessionActor;
  readonly #effects: AnyActorRef;
  readonly #residence: Residence;
  /** Turns of this runtime that run or wait, by what cancels them. */
  readonly #attended = new Set<Attended>();
  /** The session is being left: turns that only wait are suspended from then on. */
  #isLeaving = false;
  /** Aborted once nothing is to be begun here any more. */
  readonly #abandoned = new AbortController();
  #run: TurnRun | undefined;
  #lane: Promise<unknown> = Promise.resolve();
  /** In the lane: what runs, and what waits for it. */
  #turns = 0;
  #loading: PromiseWithResolvers<void> | undefined;
  #flushing: PromiseWithResolvers<void> | undefined;

  constructor(ports: RuntimePorts, wiring: SessionWiring) {
    this.ports = ports;
    this.#stated = new StatedSettings(wiring);
    this.#lease = new LaneClaims(ports, wiring);
    this.#plans = new TurnPlans(() => this.wiring);
    this.publisher = ports.publishers.open(wiring.sessionId);
    this.lanes = {
      changed: (kind, batchIds) => {
        this.feed.queueChanged({ type: "queue_changed", kind, batchIds });
        ports.changes.notify(queueTopic(wiring.sessionId));
      },
      poke: (reason) => ports.poke?.(wiring.sessionId, reason),
    };
    this.inputs = new InputLane(ports, wiring.sessionId, this.lanes);
    this.changes = new SessionChanges({
      ports,
      lease: this.#lease,
      stated: this.#stated,
      resident: () => this.resident,
      inLane: (body) => this.#inLane(body),
      driving: () => (this.#lease.isHeld || this.#root.getSnapshot().value.residency !== "acquiring" ? this.#run?.turnId : undefined),
      refresh: (headRevision) => this.#residence.refresh(headRevision),
      finish: (turnId) => this.#finish(turnId),
      committed: async () => {
        await this.#residence.read();
        this.feed.committed();
      },
    });
    this.#residence = new Residence({ ports, wiring: () => this.wiring, publisher: this.publisher, isDriving: () => this.#run !== undefined });
    const { sessionId, owner } = wiring;
    this.#standIn = new StandIn({ ...ports, sessionId, staysReady: ports.peers !== undefined, finish: (turnId) => this.#finish(turnId) });
    this.feed = new SessionFeed({ driver: owner.incarnationId, channel: ports.peers, clock: ports.clock, publisher: this.publisher, read: (revision) => this.#residence.catchUp(revision), onElsewhere: () => this.#standIn.standBy() });
    this.#root = createActor(sessionMachine, {
      id: `session:${wiring.sessionId}`,
      input: { sessionId: wiring.sessionId, residency: ports.residency, hasStore: true },
      ...(ports.inspect && { inspect: ports.inspect }),
    });
    this.#effects = createActor(
      fromCallback<EffectsMessage | SessionRequest>(({ receive }) => receive((message) => this.#receive(message))),
      { id: `effects:${wiring.sessionId}`, parent: this.#root, systemId: EFFECTS },
    );
    this.#root.start();
    this.#effects.start();
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

  get resident(): Resident {
    return this.#residence.resident;
  }

  /** The residency machine, for readers and inspectors. */
  get actor(): SessionActor {
    return this.#root;
  }

  /** Loads the session. @throws the store's error where it cannot be read. */
  async open(): Promise<void> {
    await this.#load({ type: "session.open" });
  }

  /** Lets go of everything that the session holds here. */
  discard(): void {
    this.#standIn.close();
    this.feed.close();
    this.ports.publishers.release(this.wiring.sessionId);
    this.wiring.plugins?.close();
    this.#root.stop();
  }

  /** Gives the session its plugins, in the state that is stored; only before its first turn (S-29). */
  equip(plugins: SessionPlugins): void {
    this.#stated.equip(plugins);
    this.wiring.tools.adopt(this.resident.toolState);
    plugins.restore(this.resident.plugins);
  }

  /** Finishes what others left, now and, in tabs, as soon as another driver is gone. Needs a provider. */
  finishOthers(): void {
    if (!this.wiring.provider) return;
    void this.#standIn.finishLeftover();
    this.lanes.poke("session_open");
  }

  /** An answer came for a turn of this session, which is open: drives it on if nobody does (OP-8). */
  finishLeftover(): void {
    if (this.wiring.provider && !this.#run) void this.#standIn.finishLeftover();
  }

  /**
   * Accepts an input and drives its turn; turns of this session wait for each other.
   *
   * A turn that another process left in flight is driven first, so that no accepted input is ever passed over.
   */
  runTurn(start: TurnStart): Promise<TurnEnd> {
    return this.#attend(start, async (start) => {
      // Before anything is accepted (PP-26).
      this.#plans.next(this.resident, start.overlay);
      return this.#follow(start, await this.#drive(start, () => this.#lease.accept(start, this.#acceptance(start.overlay)), "asked"));
    });
  }

  /** Applies the commands that come first, then accepts and drives one turn of what waits (I-25). @returns undefined where no turn was run. */
  async runQueued({ drainId, batchIds, emitFor, ...attended }: QueuedTurnStart): Promise<TurnEnd | undefined> {
    // Behind the turns of this runtime: what they leave to the next turn is part of it.
    const turnId = drainId ?? batchIds?.[0] ?? (await this.#inLane(() => this.inputs.nextTurnId()));
    if (turnId === undefined) return undefined;
    try {
      return await this.#attend({ turnId, emit: emitFor(turnId), ...attended }, async (start) => {
        try {
          this.#plans.next(this.resident);
        } catch (error) {
          await this.#drainCommands(error);
        }
        return this.#follow(start, await this.#drive(start, () => this.#lease.acceptQueued({ turnId, batchIds }, this.#acceptance()), "asked"));
      });
    } catch (error) {
      if (LashError.is(error) && NOTHING_TO_DRAIN.has(error.code)) return undefined;
      throw error;
    }
  }

  /** Drives a turn that was accepted and not finished to its end. @throws LashError `unknown_turn` - it is not in flight and never ended. */
  recoverTurn(attendance: TurnAttendance): Promise<TurnEnd> {
    return this.#attend(attendance, async (request) => {
      this.#plans.requireProvider();
      const { turnId } = request;
      return this.#follow(request, await this.#drive(request, () => this.#lease.resume(turnId)));
    });
  }

  /** Drives a turn that nobody watches. */
  #finish(turnId: string): Promise<TurnEnd> {
    return this.recoverTurn({ turnId, ...unattended() });
  }

  /** Leaves a turn that only waits for answers from outside in flight, so that the session can be closed (OP-8). */
  async suspend(): Promise<void> {
    // Where the session cannot be left anyway, nothing must happen (S-42).
    if (this.#root.getSnapshot().context.handles > 1 || !this.#run?.suspend()) return;
    this.#isLeaving = true;
    await this.idle();
  }

  /** Waits for running turns to end; those that only wait for answers are left in flight. */
  async drain(): Promise<void> {
    this.#standIn.close();
    this.#isLeaving = true;
    this.#run?.suspend();
    await this.idle();
  }

  /** Stops driving what runs; it stays in flight. What waits behind it is not begun: the lash is closed. */
  abandonTurns(): void {
    this.#abandoned.abort(runtimeError("lash_closed", "the lash was closed before this turn began; nothing of it is durable"));
    this.#run?.abandon();
  }

  /** Cancels the turns that run or wait on this runtime. @returns how many (T-62). */
  cancelTurns(): number {
    const attended = [...this.#attended];
    for (const { cancel } of attended) cancel.abort();
    return attended.length;
  }

  /** Records that a turn is to end as cancelled, wherever it runs (OP-20). */
  requestCancel(turnId: string, request: TurnCancellation): Promise<TurnCancelOutcome> {
    return requestCancel(this.ports, this.wiring.sessionId, turnId, request).then(({ status }) => ({ status }));
  }

  /** Ends all waits for answers that are open now as cancelled; a turn that only waited for one goes on (FA-39). */
  async revokeWaits(): Promise<number> {
    const revoked = await this.ports.waits.cancelOutstanding(this.wiring.sessionId);
    if (revoked > 0) this.finishLeftover();
    return revoked;
  }

  /** S-42: needs the only handle and no running turn. */
  async close(then: "session.park" | "session.close"): Promise<void> {
    if (this.#turns > 0 || !this.#root.getSnapshot().can({ type: then })) {
      // It stays open, and its turns wait again.
      this.#isLeaving = false;
      throw sessionStillInUse(this.wiring.sessionId, then);
    }
    // R1: what its plugins know is ahead of the last commit.
    if (this.wiring.plugins?.isDirty()) this.#send({ type: "session.changed" });
    this.#flushing = Promise.withResolvers<void>();
    const { promise } = this.#flushing;
    this.#send({ type: then });
    if (!this.#isFlushing()) this.#flushing.resolve();
    try {
      await promise;
    } catch (error) {
      // As above: nothing was left.
      this.#isLeaving = false;
      throw error;
    }
    this.discard();
  }

  /** Resolves when no turn runs or waits. */
  async idle(): Promise<void> {
    while (this.#turns > 0) await this.#lane;
  }

  openHandle(): void {
    this.#send({ type: "handle.opened" });
  }

  /** @returns whether this was not the last handle, so that there is nothing else to do. */
  releaseHandle(): boolean {
    if (this.#root.getSnapshot().context.handles <= 1) return false;
    this.#send({ type: "handle.released" });
    return true;
  }

  // ---- the lane ---------------------------------------------------------------------------------------------------

  /**
   * Gives the turn a signal that the session can abort, too. Who asks for a turn that is driven already, because it was found
   * in flight, watches it and may cancel it from now on, and not only when the lane is free.
   */
  async #attend<Request extends TurnAttendance>(request: Request, body: (request: Request) => Promise<TurnEnd>): Promise<TurnEnd> {
    const { signal } = request;
    const cancel = new AbortController();
    const attended: Attended = { turnId: request.turnId, emit: request.emit, cancel, signal: cancel.signal };
    const onHostAbort = (): void => cancel.abort(signal.reason);
    const onAbort = (): void => {
      if (this.#run?.turnId === request.turnId) this.#run.cancel(CancelSignal.of(cancel.signal));
    };
    this.#attended.add(attended);
    cancel.signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onHostAbort();
    else signal.addEventListener("abort", onHostAbort, { once: true });
    try {
      return await this.#inLane(() => body({ ...request, signal: cancel.signal }).finally(() => this.changes.settle()));
    } finally {
      signal.removeEventListener("abort", onHostAbort);
      this.#attended.delete(attended);
    }
  }

  #inLane<T>(body: () => Promise<T>): Promise<T> {
    this.#turns += 1;
    const turn = this.#lane.then(async () => {
      this.#abandoned.signal.throwIfAborted();
      await this.#ready();
      return body();
    });
    this.#lane = turn.catch(() => undefined);
    return turn.finally(() => {
      this.#turns -= 1;
    });
  }

  /** After a loss, what is resident may be behind the store: it is read again before anything else happens (R2). */
  async #ready(): Promise<void> {
    const { residency } = this.#root.getSnapshot().value;
    if (residency === "lost" || residency === "stale" || residency === "failed") await this.#load({ type: "session.reopen" });
  }

  async #drive(request: TurnAttendance, claim: () => Promise<Claimed>, origin: "asked" | "found" = "found"): Promise<TurnEnd> {
    this.#send({ type: "turn.started" });
    const onParked = (): void => {
      if (typeof request.whenParked === "function") request.whenParked();
      if (request.whenParked === "suspend" || this.#isLeaving) run.suspend();
    };
    const run: TurnRun = this.#newRun({ ...request, onParked }, claim, origin);
    this.#run = run;
    const onAbort = (): void => run.cancel(CancelSignal.of(request.signal));
    request.signal.addEventListener("abort", onAbort, { once: true });
    try {
      const running = run.run();
      const aborted = [request, ...this.#attended].find(({ turnId, signal }) => turnId === request.turnId && signal.aborted);
      if (aborted) run.cancel(CancelSignal.of(aborted.signal));
      return await running;
    } catch (error) {
      if (LashError.is(error) && error.isCode("session_execution_busy")) this.#send({ type: "lease.busy" });
      throw error;
    } finally {
      request.signal.removeEventListener("abort", onAbort);
      this.#run = undefined;
      this.feed.ended(request.turnId);
      // After a commit, a loss or a busy lane the machine is elsewhere already.
      if (this.#isDriving()) this.#send({ type: "turn.ended" });
    }
  }

  /** A run whose turn can be watched from the moment its lane is claimed. */
  #newRun(request: Omit<TurnRequest, "trace">, claim: () => Promise<Claimed>, origin: "asked" | "found"): TurnRun {
    const { turnId } = request;
    const emit = toAudience(request, this.feed, this.#attended);
    const trace = this.ports.trace?.turn({ sessionId: this.wiring.sessionId, turnId, turnIndex: this.resident.head.turnIndex, policy: this.settings.policy, origin });
    return new TurnRun(this.#turnSession(), { ...request, emit, trace }, async () => {
      const claimed = await claim();
      if (claimed.kind !== "claimed") return claimed;
      const { recoveries, journal } = claimed.turn;
      this.feed.started(turnId, recoveries > 0);
      trace?.claimed(recoveries);
      if (journal.length > 0) await this.#takeUpTools(claimed);
      return claimed;
    });
  }

  /**
   * A turn that switched frames goes on there, under the same lease; the host gets the last turn (T-67). The commit of the
   * switch accepted the turn that follows: where it opened nothing, there is none.
   */
  async #follow(request: TurnAttendance, end: TurnEnd): Promise<TurnEnd> {
    let last = end;
    for (;;) {
      const { outcome, turnId } = last.result;
      if (!("agent_frame_switch" in outcome)) return last;
      const next = { ...request, turnId: followTurnId(turnId) };
      try {
        last = await this.#drive(next, () => this.#lease.resume(next.turnId));
      } catch (error) {
        if (LashError.is(error) && error.isCode("unknown_turn")) return last;
        throw error;
      }
    }
  }

  /** What the turn changed about its tools before it was found here. */
  async #takeUpTools({ turn, headRevision }: Extract<Claimed, { kind: "claimed" }>): Promise<void> {
    await this.#residence.refresh(headRevision);
    await this.wiring.tools.takeUp(turn.journal);
  }

  #turnSession(): TurnSession {
    return {
      ports: this.ports,
      wiring: this.wiring,
      root: this.#root,
      effects: this.#effects,
      resident: () => this.resident,
      refresh: (headRevision) => this.#residence.refresh(headRevision),
      planOf: (turn, overlay) => this.#plans.of(turn, overlay),
      synced: (plan) => this.#plans.synced(plan),
      settingsAfter: (turn) => settingsOf(this.wiring, this.resident, turn),
      takeChanges: (turn) => takeChanges(this.#stated, this.resident, turn),
      machineSnapshot: () => persistSnapshot(SESSION_MACHINE, this.#root.getSnapshot()),
      adopt: (committed, commit) => this.#adopt(committed, commit),
      drainCommands: () => this.#drainCommands(),
      leaveLane: () => this.#lease.leave(),
      ended: ({ completedWork = [] }, leaves) => {
        if (completedWork.length > 0) this.ports.changes.notify(queueTopic(this.wiring.sessionId));
        if (leaves) this.lanes.poke("turn_ended");
      },
      report: (event) => this.#send(event),
    };
  }

  #receive(message: EffectsMessage | SessionRequest): void {
    if (message.type === "session.load") void this.#loadFromStore();
    else if (message.type === "session.flush") void this.#flush();
    else if ("type" in message && !message.type.startsWith("xstate.")) this.#run?.collect(message);
  }

  #send(event: SessionEvent): void {
    this.#root.send(event);
    if (this.#flushing && !this.#isFlushing()) this.#flushing.resolve();
  }

  #isDriving(): boolean {
    const { residency } = this.#root.getSnapshot().value;
    return residency === "acquiring" || residency === "running" || residency === "committing";
  }

  #isFlushing(): boolean {
    const { residency } = this.#root.getSnapshot().value;
    return residency === "parking" || residency === "closing";
  }

  #acceptance(overlay?: TurnOverlay): Acceptance {
    return {
      config: () => ({ value: this.#plans.next(this.resident, overlay).config, madeFrom: this.resident.headRevision }),
      finishOther: (turnId) => this.#finishOther(turnId),
      refresh: (headRevision) => this.#residence.refresh(headRevision),
    };
  }

  /** Another turn was accepted before and its owner is gone: it comes first. Nobody watches it. */
  async #finishOther(turnId: string): Promise<void> {
    const waiting = this.#run;
    const onParked = (): void => {
      if (this.#isLeaving) run.suspend();
    };
    const run: TurnRun = this.#newRun({ turnId, emit: () => undefined, onParked }, () => this.#lease.resume(turnId), "found");
    this.#run = run;
    try {
      await run.run();
    } finally {
      this.#run = waiting;
      this.feed.ended(turnId);
    }
    this.#send({ type: "turn.started" });
  }

  // ---- resident state ---------------------------------------------------------------------------------------------

  #load(event: { readonly type: "session.open" | "session.reopen" }): Promise<void> {
    this.#loading = Promise.withResolvers<void>();
    const { promise } = this.#loading;
    this.#send(event);
    const { failure, residency } = { ...this.#root.getSnapshot().context, residency: this.#root.getSnapshot().value.residency };
    if (residency === "failed" && failure) this.#loading.reject(new LashError("session", failure.code, failure.message));
    return promise;
  }

  async #loadFromStore(): Promise<void> {
    const loading = this.#loading;
    const { event, error } = await this.#residence.load();
    this.#send(event);
    if (error) loading?.reject(error);
    else loading?.resolve();
  }

  /** S-44: what no commit holds gets one of its own, before the session is left. */
  async #flush(): Promise<void> {
    const flushing = this.#flushing;
    try {
      await this.changes.flush();
      this.#send({ type: "session.flushed" });
    } catch (error) {
      const failure = runtimeErrorOfStore(error);
      flushing?.reject(failure);
      this.#send({ type: "session.flushFailed", code: failure.code, message: failure.message });
    }
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
    const session = { ports, wiring, lease: this.#lease, signal: this.#abandoned.signal, refresh: (headRevision: number) => this.#residence.refresh(headRevision), committed };
    await (problem === undefined ? drainCommands(session) : drainCommandsAlone(problem, session));
  }
}
