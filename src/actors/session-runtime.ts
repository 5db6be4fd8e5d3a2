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
import { requestCancel } from "./cancel-request.ts";
import { followTurnId } from "./frames.ts";
import { InputLane } from "./input-lane.ts";
import { LaneClaims, type Acceptance, type TurnToAccept } from "./lane-claims.ts";
import type { Emit } from "./model-call.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import type { SessionPlugins } from "./plugin-port.ts";
import { Residence } from "./residence.ts";
import type { Resident } from "./resident.ts";
import { SessionFeed } from "./session-feed.ts";
import { StandIn } from "./stand-in.ts";
import { SessionChanges } from "./session-changes.ts";
import { settingsOf, StatedSettings } from "./session-settings.ts";
import { type TurnOverlay, TurnPlans } from "./turn-plan.ts";
import { TurnRun, type Claimed, type TurnEnd, type TurnRequest } from "./turn-run.ts";
import type { TurnSession } from "./turn-session.ts";

/** Who watches a turn, and may cancel it. */
export interface TurnAttendance {
  readonly turnId: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** What to do once the turn only waits for answers from outside: go on waiting (default), or leave it in flight. */
  readonly whenParked?: "wait" | "suspend";
}

export interface TurnStart extends TurnAttendance, TurnToAccept {
  readonly overlay?: TurnOverlay | undefined;
}

/** A turn whose input is what waits. */
export interface QueuedTurnStart {
  /** Id of the turn; default: what an input asks for, else a fresh one (I-29). */
  readonly drainId?: string;
  readonly emitFor: (turnId: string) => Emit;
  readonly signal: AbortSignal;
}

/** A drain has nothing to do: nothing waits, or somebody else runs the session (I-24). */
const NOTHING_TO_DRAIN: ReadonlySet<string> = new Set(["unknown_turn", "session_execution_busy"]);

interface Attended {
  readonly turnId: string;
  readonly emit: Emit;
  readonly cancel: AbortController;
  /** Aborted by `cancel`, or by whoever asked. */
  readonly signal: AbortSignal;
}

type SessionActor = ActorRefFrom<typeof sessionMachine>;

export class SessionRuntime {
  readonly ports: RuntimePorts;
  /** What happens here and, where there is a channel, in other tabs. */
  readonly feed: SessionFeed;
  /** Inputs that wait for turns of this session. */
  readonly inputs: InputLane;
  /** What happens to the session beside its turns. */
  readonly changes: SessionChanges;
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
    this.inputs = new InputLane(ports, wiring.sessionId);
    this.changes = new SessionChanges({
      ports,
      lease: this.#lease,
      stated: this.#stated,
      resident: () => this.resident,
      inLane: (body) => this.#inLane(body),
      refresh: (headRevision) => this.#residence.refresh(headRevision),
      finish: (turnId) => this.#finish(turnId),
      committed: async () => this.feed.committed((await this.#residence.read()).resident.headRevision),
    });
    this.#residence = new Residence({ ports, wiring: () => this.wiring, isDriving: () => this.#run !== undefined });
    const { sessionId, owner } = wiring;
    this.#standIn = new StandIn({
      ...ports,
      sessionId,
      staysReady: ports.peers !== undefined,
      finish: (turnId) => this.#finish(turnId),
    });
    this.feed = new SessionFeed({ sessionId, driver: owner.incarnationId, channel: ports.peers, clock: ports.clock, onCommitted: (revision) => void this.#residence.catchUp(revision), onElsewhere: () => this.#standIn.standBy() });
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

  /** Calls the listener with every newly committed state. @returns what takes it back. */
  onCommit(listener: (resident: Resident) => void): () => void {
    return this.#residence.onCommit(listener);
  }

  /** Loads the session. @throws the store's error where it cannot be read. */
  async open(): Promise<void> {
    await this.#load({ type: "session.open" });
  }

  /** Lets go of everything that the session holds here. */
  discard(): void {
    this.#standIn.close();
    this.feed.close();
    this.wiring.plugins?.close();
    this.#root.stop();
  }

  /** Gives the session its plugins, in the state that is stored; only before its first turn (S-29). */
  equip(plugins: SessionPlugins): void {
    this.#stated.equip(plugins);
    plugins.restore(this.resident.plugins);
  }

  /** Finishes what others left, now and, in tabs, as soon as another driver is gone. Needs a provider. */
  finishOthers(): void {
    if (this.wiring.provider) void this.#standIn.finishLeftover();
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
      return this.#follow(start, await this.#drive(start, () => this.#lease.accept(start, this.#acceptance(start.overlay))));
    });
  }

  /** Accepts and drives one turn of the inputs that wait. @returns undefined where there is nothing to do. */
  async runQueued({ drainId, emitFor, signal }: QueuedTurnStart): Promise<TurnEnd | undefined> {
    // Behind the turns of this runtime: what they leave to the next turn is part of it.
    const turnId = drainId ?? (await this.#inLane(() => this.inputs.nextTurnId()));
    if (turnId === undefined) return undefined;
    try {
      return await this.#attend({ turnId, emit: emitFor(turnId), signal }, async (start) => {
        this.#plans.next(this.resident);
        return this.#follow(start, await this.#drive(start, () => this.#lease.acceptQueued(turnId, this.#acceptance())));
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
    return this.recoverTurn({ turnId, emit: () => undefined, signal: new AbortController().signal });
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
  async requestCancel(turnId: string, request: TurnCancellation): Promise<TurnCancelOutcome> {
    const { status } = await requestCancel(this.ports, this.wiring.sessionId, turnId, request);
    return { status };
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
      return await this.#inLane(() => body({ ...request, signal: cancel.signal }));
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

  async #drive(request: TurnAttendance, claim: () => Promise<Claimed>): Promise<TurnEnd> {
    this.#send({ type: "turn.started" });
    const onParked = (): void => {
      if (request.whenParked === "suspend" || this.#isLeaving) run.suspend();
    };
    const run: TurnRun = this.#newRun({ ...request, onParked }, claim);
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
  #newRun(request: TurnRequest, claim: () => Promise<Claimed>): TurnRun {
    const { turnId } = request;
    const emit: Emit = (body, correlationId) => {
      this.feed.activity(turnId, body, correlationId);
      for (const watcher of this.#attended) {
        // One that joined later watches at its own pace (T-46 is about the turn's own sink).
        if (watcher.turnId === turnId && watcher.emit !== request.emit) void watcher.emit(body, correlationId);
      }
      return request.emit(body, correlationId);
    };
    return new TurnRun(this.#turnSession(), { ...request, emit }, async () => {
      const claimed = await claim();
      if (claimed.kind === "claimed") this.feed.started(turnId, claimed.turn.recoveries > 0);
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

  #turnSession(): TurnSession {
    return {
      ports: this.ports,
      wiring: this.wiring,
      root: this.#root,
      effects: this.#effects,
      resident: () => this.resident,
      refresh: (headRevision) => this.#residence.refresh(headRevision),
      planOf: (turn, overlay) => this.#plans.of(turn, overlay),
      settingsAfter: (turn) => settingsOf(this.wiring, this.resident, turn),
      machineSnapshot: () => persistSnapshot(SESSION_MACHINE, this.#root.getSnapshot()),
      adopt: (turn, commit) => {
        this.#residence.adopt(turn, commit);
        this.feed.committed(turn.headRevision);
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
    const run: TurnRun = this.#newRun({ turnId, emit: () => undefined, onParked }, () => this.#lease.resume(turnId));
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
}
