// Turn run: drives one turn machine. Collects what a macrostep asked for, has it done, reports back what became of it.
//
//   D1. Nothing runs when it is asked for: only after the macrostep is over and, for acting effects, its step is durable.
//   D2. Nothing in memory is load-bearing: another instance with the same record finishes the turn (E-45).

import { createActor, type ActorRefFrom } from "xstate";
import type { TurnCancellation } from "../domain/cancellation.ts";
import { isOutcomeUnknown, runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import type { Message } from "../domain/messages.ts";
import { addUsage, zeroUsage } from "../domain/usage.ts";
import type { EffectRequest, EffectsMessage, PhaseName, ToolResult, TurnEvent } from "../machines/effects.ts";
import { persistSnapshot, restoreTurn } from "../machines/snapshot.ts";
import type { TurnHook } from "../machines/turn.context.ts";
import { TURN_MACHINE, turnMachine, type TurnMachine } from "../machines/turn.machine.ts";
import type { MachineSnapshot, RecordedTurn, SessionLease, TurnRecord } from "../stores/contract.ts";
import { cancelTopic, CancelWatch } from "./cancel-watch.ts";
import { closedLog, isCancelled, type FinishedTurn } from "./committer.ts";
import { fenceOf, LeaseKeeper } from "./lease-keeper.ts";
import type { Emit } from "./model-call.ts";
import { loadOpening, loggedBy, openingAtHand, openKeys } from "./opening.ts";
import type { PluginPhase, SessionPlugins, TurnPlugins } from "./plugin-port.ts";
import type { SessionWiring } from "./ports.ts";
import { sendFrom } from "./relay.ts";
import { referenceOf } from "./resident.ts";
import { suspendedError } from "./tool-completion.ts";
import type { TurnTrace } from "./trace-port.ts";
import { TurnEffects, type Settled } from "./turn-effects.ts";
import { commitTurn, settleTurn } from "./turn-ending.ts";
import { TurnLog } from "./turn-log.ts";
import type { TurnOverlay, TurnPlan } from "./turn-plan.ts";
import type { TurnSession } from "./turn-session.ts";

export interface TurnRequest {
  readonly turnId: string;
  readonly emit: Emit;
  readonly trace: TurnTrace | undefined;
  /** What its host gives for this turn alone. */
  readonly overlay?: TurnOverlay | undefined;
  /** Told when the turn only waits for answers from outside: it may be suspended then. */
  readonly onParked?: () => void;
}

/** How this run came to its turn: by accepting an input, or by finding one in flight. */
export type Claimed =
  | { readonly kind: "claimed"; readonly lease: SessionLease; readonly turn: TurnRecord; readonly headRevision: number }
  | { readonly kind: "settled"; readonly result: RecordedTurn }
  /** Session commands come first (T-4). */
  | { readonly kind: "commands" }
  | { readonly kind: "busy" };

export interface TurnEnd {
  readonly result: RecordedTurn;
  /** Tool calls with arguments and outputs; empty for a turn that had ended before. */
  readonly toolResults: readonly ToolResult[];
}

/** What a claimed lane brings: the turn's record, its lease, and who does its effects. */
interface Lane {
  readonly turn: TurnRecord;
  readonly headRevision: number;
  readonly keeper: LeaseKeeper;
  readonly effects: TurnEffects;
  readonly watch: CancelWatch;
}

type TurnActor = ActorRefFrom<TurnMachine>;

export class TurnRun {
  readonly #session: TurnSession;
  readonly #request: TurnRequest;
  readonly #claim: () => Promise<Claimed>;
  readonly #startedAtMs: number;
  readonly #startedAt: number;
  readonly #end = Promise.withResolvers<TurnEnd>();
  readonly #log = new TurnLog();
  #actor: TurnActor;
  /** Asked for in the macrostep that is going on. */
  #asked: EffectsMessage[] = [];
  /** A request that the machine cannot take yet. */
  #mail: TurnEvent | undefined;
  #claiming: Promise<Claimed> | undefined;
  #draining: Promise<void> | undefined;
  #lane: Lane | undefined;
  /** As it was accepted. */
  #accepted: TurnPlan | undefined;
  #plugins: TurnPlugins | undefined;
  /** What the machine was last asked to wait for; whatever answers for an earlier one comes too late. */
  #awaited: PhaseName | undefined;
  /** Aborts hooks that run before the first model call. */
  readonly #preparing = new AbortController();
  #result: RecordedTurn | undefined;
  #cancellation: TurnCancellation | undefined;
  #failure: LashError | undefined;

  constructor(session: TurnSession, request: TurnRequest, claim: () => Promise<Claimed>) {
    this.#session = session;
    this.#request = request;
    this.#claim = claim;
    const { clock } = session.ports;
    this.#startedAtMs = clock.now();
    this.#startedAt = clock.monotonic();
    this.#actor = this.#createActor();
  }

  get turnId(): string {
    return this.#request.turnId;
  }

  /** Runs to the end. Rejects where the turn could not end: busy, lease lost, store failed. */
  run(): Promise<TurnEnd> {
    const { trace } = this.#request;
    this.#actor.start();
    return trace ? trace.ending(this.#end.promise) : this.#end.promise;
  }

  /**
   * Ends the turn as cancelled. A request that comes before the turn runs waits in the mailbox until it does.
   *
   * @param request - what the result names as the reason; the first one does.
   */
  cancel(request?: TurnCancellation): void {
    this.#cancellation ??= request;
    this.#preparing.abort();
    this.#mail = { type: "turn.cancel" };
    this.#deliverMail();
  }

  /** Leaves the turn in flight, if all it does is wait (OP-8). @returns whether it did. */
  suspend(): boolean {
    if (!this.#actor.getSnapshot().can({ type: "turn.suspend" })) return false;
    this.#lane?.effects.detach();
    this.#send({ type: "turn.suspend" });
    return true;
  }

  /** Stops driving at once and records nothing more; the turn stays in flight and its lease is released (OP-8). */
  abandon(): void {
    this.#fail(runtimeError("lash_closed", "the lash was closed before this turn ended; it stays in flight and is finished by whoever recovers it"));
  }

  #deliverMail(): void {
    const mail = this.#mail;
    if (!mail || !this.#actor.getSnapshot().can(mail)) return;
    this.#mail = undefined;
    this.#send(mail);
  }

  /** A message of the machine to the effects actor; done when its macrostep is over (D1). */
  collect(message: EffectsMessage): void {
    this.#asked.push(message);
  }

  #createActor(snapshot?: ReturnType<typeof restoreTurn>): TurnActor {
    const { ports, wiring, root } = this.#session;
    const machine = turnMachine(ports.protocol);
    const { turnId } = this.#request;
    const actor = createActor(machine, {
      id: `turn:${wiring.sessionId}:${turnId}`,
      parent: root,
      input: { sessionId: wiring.sessionId, turnId, hooks: hooksOf(wiring) },
      ...(snapshot && { snapshot }),
    });
    actor.subscribe({ next: () => this.#onMacrostep(actor), error: (error) => this.#fail(error), complete: () => this.#onDone(actor) });
    return actor;
  }

  #send(event: TurnEvent): void {
    // A turn that has failed hears no more of what was still going on for it.
    if (this.#actor.getSnapshot().status !== "active") return;
    sendFrom(this.#session.effects, this.#actor, event);
  }

  // ---- macrosteps -------------------------------------------------------------------------------------------------

  #onMacrostep(actor: TurnActor): void {
    if (actor !== this.#actor) return;
    const asked = this.#asked;
    this.#asked = [];
    for (const message of asked) {
      if (message.type === "log.appended") this.#log.append(message.messages);
      else if (message.type === "effect.aborted") this.#lane?.effects.abort(message.effectId);
    }
    for (const message of asked) {
      if (message.type === "phase.requested") this.#runPhase(message.phase);
      else if (message.type === "effect.requested") this.#runEffect(message.request, persistSnapshot(TURN_MACHINE, actor.getSnapshot()));
    }
    this.#deliverMail();
  }

  #onDone(actor: TurnActor): void {
    if (actor !== this.#actor) return;
    this.#lane?.keeper.stop();
    this.#lane?.watch.stop();
    this.#preparing.abort();
    const { output, value } = actor.getSnapshot();
    if (value === "suspended") {
      const error = suspendedError(this.#session.wiring.sessionId, this.#request.turnId);
      void this.#letGo(error.code).then(() => this.#end.reject(error));
      return;
    }
    if (this.#result && output?.kind !== "failed") {
      this.#end.resolve({ result: this.#result, toolResults: this.#log.toolResults });
      return;
    }
    const failure = output?.kind === "failed" ? output : { code: "other", message: "the turn ended without a result" };
    const details = { sessionId: this.#session.wiring.sessionId, turnId: this.#request.turnId };
    void this.#letGo(failure.code).then(() =>
      this.#end.reject(
        this.#failure?.code === failure.code
          ? this.#failure
          : runtimeError(failure.code as never, failure.message, { details, ...(this.#failure && { cause: this.#failure }) }),
      ),
    );
  }

  /** S-63: other errors release the lease; after an ambiguous commit or a loss it is left to expire. */
  async #letGo(code: string): Promise<void> {
    if (!this.#lane) return this.#giveBack();
    const { effects, keeper } = this.#lane;
    effects.stop();
    if (code === "session_execution_lease_lost" || (this.#failure && isOutcomeUnknown(this.#failure))) return;
    await this.#session.ports.persistence.leases.release(keeper.fence).catch(() => undefined);
  }

  #fail(error: unknown): void {
    // The turn is committed: what fails from here on is not the turn (PT-20).
    if (this.#awaited === "afterPersist") return this.#send({ type: "turn.persisted" });
    // OP-11: asked for again with another input is the caller's mistake, and nothing of it became durable.
    const failure = LashError.is(error) && error.isCode("runtime_turn_commit_conflict") && !this.#lane ? error : runtimeErrorOfStore(error);
    this.#failure = failure;
    // What is open is cut off and not cancelled: whoever goes on with this turn goes on with it.
    this.#lane?.effects.detach();
    if (failure.isCode("session_execution_lease_lost")) {
      this.#session.report({ type: "lease.lost" });
      this.#send({ type: "lease.lost" });
    } else {
      const { code, message } = failure;
      // What the store holds is unknown now: the session reads it again before its next turn (S-54).
      if (this.#lane && code === "store_commit_failed") this.#session.report({ type: "turn.commitFailed", code, message });
      this.#send({ type: "phase.failed", code, message });
    }
  }

  /** A lane that was being claimed when the turn was abandoned: nobody drives it, so nobody else should have to wait for it. */
  async #giveBack(): Promise<void> {
    const claimed = await this.#claiming?.catch(() => undefined);
    await this.#draining?.catch(() => undefined);
    if (claimed?.kind === "commands") await this.#session.leaveLane();
    if (claimed?.kind !== "claimed") return;
    await this.#session.ports.persistence.leases.release(fenceOf(claimed.lease)).catch(() => undefined);
  }

  // ---- phases -----------------------------------------------------------------------------------------------------

  #runPhase(phase: PhaseName): void {
    this.#awaited = phase;
    try {
      const done = this.#phase(phase);
      // A turn that was cancelled meanwhile is not failed by a hook that it no longer waits for.
      if (done instanceof Promise) done.catch((error: unknown) => this.#awaited === phase && this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  #phase(phase: PhaseName): Promise<void> | void {
    switch (phase) {
      case "claimLane":
        return this.#claimLane();
      case "refreshHead":
        return this.#refreshHead();
      case "normalizeInput":
        return this.#normalizeInput();
      case "commit":
        return this.#commit();
      case "settle":
        return this.#settle();
      case "drainCommands":
        return this.#drainCommands();
      default:
        return this.#pluginPhase(phase);
    }
  }

  /** Without plugins nothing is waited for (M4). */
  #pluginPhase(phase: PluginPhase): Promise<void> | void {
    const plugins = this.#plugins;
    if (phase === "buildTurn" && !plugins) return this.#send({ type: "turn.built", maxTurns: this.#planned.config.policy.maxTurns });
    if (!plugins) return this.#send(phase === "finalize" ? { type: "turn.finalized", messages: [] } : { type: "turn.persisted" });
    const ended = () => this.#actor.getSnapshot().context;
    return plugins.phase(phase, ended, this.#preparing.signal).then((event) => this.#send(event));
  }

  async #claimLane(): Promise<void> {
    const claiming = this.#claim();
    this.#claiming = claiming;
    const claimed = await claiming;
    // Abandoned meanwhile: whoever waits for its end gives the lane back.
    if (this.#failure) return;
    if (claimed.kind === "busy") return this.#send({ type: "lane.busy" });
    if (claimed.kind === "commands") return this.#send({ type: "commands.waiting" });
    if (claimed.kind === "settled") {
      this.#result = claimed.result;
      // Ended by somebody else since this session was read: what is shown here has to have it, too.
      if (claimed.result.headRevision > this.#session.resident().headRevision) await this.#session.refresh(claimed.result.headRevision);
      const { outcome, issues, usage } = claimed.result;
      return this.#send({ type: "turn.recorded", outcome, issues, usage });
    }
    this.#lane = this.#openLane(claimed);
    const { turn } = claimed;
    for (const claim of turn.claims) if (claim.replayKey === undefined) this.#log.recordClaim(claim);
    if (turn.cancellation) this.cancel(turn.cancellation);
    if (turn.recoveries > this.#session.ports.maxRecoveries) return this.#giveUp(turn);
    const plan = this.#session.planOf(turn, this.#request.overlay);
    const { plugins } = this.#session.wiring;
    this.#accepted = plan;
    if (plugins) this.#plugins = await this.#plug(plugins, turn, plan);
    if (this.#failure) return;
    if (turn.snapshot) return this.#takeUp(turn, turn.snapshot);
    const { claims: [first], input: { causes = [] } } = turn;
    if (first?.lane === "work") void this.#request.emit({ type: "queued_work_started", boundary: "idle", batchIds: first.rows.ids, causes }, "queue");
    this.#send(this.#prepared() ?? { type: "lane.claimed" });
  }

  async #drainCommands(): Promise<void> {
    this.#draining = this.#session.drainCommands();
    await this.#draining;
    this.#send({ type: "commands.drained" });
  }

  /** Those that the turn was accepted with, in the state that it begins or goes on with. */
  async #plug(all: SessionPlugins, turn: TurnRecord, plan: TurnPlan): Promise<TurnPlugins> {
    const { resident, refresh } = this.#session;
    const { effects } = this.#claimed;
    await refresh(this.#claimed.headRevision);
    const plugins = all.turn({ turnId: turn.turnId, plan, base: () => effects.base, resident, log: () => this.#log.messages, emit: this.#request.emit });
    plugins.begin(resident().plugins, turn);
    return plugins;
  }

  /** What the phases up to the first model call would say, unless one of them has to wait (M4). */
  #prepared(): TurnEvent | undefined {
    const { headRevision, turn } = this.#claimed;
    const resident = this.#session.resident();
    const messages = openingAtHand(turn);
    if (resident.headRevision !== headRevision || !messages || this.#plugins) return undefined;
    const { maxTurns } = this.#planned.config.policy;
    return { type: "turn.prepared", history: referenceOf(resident), messages, maxTurns };
  }

  #openLane({ lease, turn, headRevision }: Extract<Claimed, { kind: "claimed" }>): Lane {
    const { ports, report } = this.#session;
    const keeper = new LeaseKeeper(ports.persistence.leases, ports.clock, ports.leaseTimings, lease, {
      renewing: () => report({ type: "lease.renewing" }),
      renewed: () => report({ type: "lease.renewed" }),
      renewFailed: () => report({ type: "lease.renewFailed" }),
      lost: () => this.#fail(runtimeError("session_execution_lease_lost", "the session's lease expired or was taken over")),
    });
    report({ type: "lease.acquired", fencingToken: lease.fencingToken });
    const effects = new TurnEffects({
      session: this.#session,
      turn,
      host: ports.effectHost.scoped({ turn, fence: keeper.fence, ensureLive: () => keeper.ensureLive(), onCancelRequest: (request) => this.cancel(request) }),
      log: this.#log,
      emit: this.#request.emit,
      accepted: () => this.#planned,
      plugins: () => this.#plugins,
      trace: this.#request.trace,
      onParked: (parked) => {
        this.#send({ type: parked ? "tools.parked" : "tools.resumed" });
        if (parked) this.#request.onParked?.();
      },
    });
    const watch = new CancelWatch({
      hub: ports.changes,
      clock: ports.clock,
      topic: cancelTopic(turn.sessionId, turn.turnId),
      isShared: ports.persistence.durable,
      look: () => ports.persistence.turns.cancellation(turn.sessionId, turn.turnId),
      onRequest: (request) => this.cancel(request),
    });
    return { turn, headRevision, keeper, effects, watch };
  }

  /** OP-6: a turn that fails every time it is taken up must not keep its session for ever. */
  async #giveUp(turn: TurnRecord): Promise<void> {
    await this.#session.refresh(this.#claimed.headRevision);
    const open = openKeys(turn.snapshot);
    this.#log.restore(turn, loggedBy(turn), (replayKey) => open.includes(replayKey));
    const usage = turn.modelCalls.reduce((sum, { source, usage }) => (source === "turn" && usage ? addUsage(sum, usage) : sum), zeroUsage);
    this.#send({
      type: "turn.exhausted",
      usage,
      issue: { kind: "runtime", code: "turn_recovery_exhausted", message: `the turn was taken up ${turn.recoveries} times without getting any further`, retryable: false },
    });
  }

  /** Goes on where the last durable step left off: entry actions do not run again, so open effects are re-sent (T-22). */
  async #takeUp(turn: TurnRecord, stored: MachineSnapshot): Promise<void> {
    await this.#session.refresh(this.#claimed.headRevision);
    const snapshot = this.#restorable(turn, stored);
    if (!snapshot) return this.#send({ type: "lane.claimed" });
    const { logLength, open } = snapshot.context;
    this.#log.restore(turn, logLength, (replayKey) => open.some((request) => request.replayKey === replayKey));
    // A turn that ends as cancelled needs none of it, and nothing of it must keep the turn from ending.
    if (this.#plugins && !this.#mail) await this.#plugins.rebuild(open[0]?.command.iteration ?? 0);
    // Lost or abandoned meanwhile: nothing may begin any more.
    if (this.#failure) return;
    const claiming = this.#actor;
    this.#actor = this.#createActor(snapshot);
    claiming.send({ type: "turn.takenUp" });
    this.#actor.start();
    // A cancel overtakes the effects that are sent again: they are told before they begin anything (T-63).
    this.#deliverMail();
    for (const request of snapshot.context.open) this.#runEffect(request, undefined);
  }

  /** A snapshot of another machine version is refused, and the turn starts again from its input (design 4). */
  #restorable(turn: TurnRecord, stored: MachineSnapshot): ReturnType<typeof restoreTurn> | undefined {
    try {
      return restoreTurn(turnMachine(this.#session.ports.protocol), stored);
    } catch (error) {
      if (!LashError.is(error) || !error.isCode("machine_version_unsupported")) throw error;
      this.#session.ports.logger({ level: "warn", event: "turn.restarted", sessionId: turn.sessionId, code: error.code, message: error.message });
      return undefined;
    }
  }

  #refreshHead(): Promise<void> | void {
    const resident = this.#session.resident();
    if (resident.headRevision === this.#claimed.headRevision) return this.#send({ type: "head.refreshed", history: referenceOf(resident) });
    return this.#session.refresh(this.#claimed.headRevision).then((fresh) => this.#send({ type: "head.refreshed", history: referenceOf(fresh) }));
  }

  #normalizeInput(): Promise<void> | void {
    const { turn } = this.#claimed;
    const messages = openingAtHand(turn);
    return messages ? this.#send({ type: "input.normalized", messages }) : loadOpening(turn, this.#session.ports.persistence).then((loaded) => this.#normalized(loaded));
  }

  #normalized(messages: readonly Message[] | string): void {
    if (typeof messages !== "string") return this.#send({ type: "input.normalized", messages });
    this.#send({ type: "input.refused", issue: { kind: "input_validation", code: "invalid_turn_input", message: messages, retryable: false } });
  }

  async #commit(): Promise<void> {
    const commitment = await commitTurn(this.#session, this.#claimed, () => this.#finished());
    if (commitment.kind === "inputWaits") return this.#send({ type: "input.waiting" });
    if (commitment.kind === "cancelled") return this.#yieldTo(commitment.by, this.#finished());
    this.#result = commitment.result;
    this.#send({ type: "turn.committed" });
  }

  /** Somebody asked for the end of this turn before it ended: it keeps what was said and ends as cancelled (OP-20). */
  #yieldTo(request: TurnCancellation, { context, log }: FinishedTurn): Promise<void> | void {
    this.#cancellation = request;
    // Cancelled here, by nobody's request, at the same moment: only the evidence was missing.
    if (isCancelled(context.outcome)) return this.#commit();
    this.#send({ type: "cancel.won", messages: closedLog(context, log).slice(log.length) });
  }

  async #settle(): Promise<void> {
    this.#result = await settleTurn(this.#session, this.#claimed, () => this.#finished());
    this.#send({ type: "turn.settled" });
  }

  #finished(): FinishedTurn {
    const { clock } = this.#session.ports;
    return {
      context: this.#actor.getSnapshot().context,
      inputHash: this.#claimed.turn.inputHash,
      log: this.#log.messages,
      toolResults: this.#log.toolResults,
      modelCalls: this.#log.modelCalls,
      claims: this.#log.claims,
      startedAtMs: this.#startedAtMs,
      durationMs: Math.round(clock.monotonic() - this.#startedAt),
      cancellation: this.#cancellation,
    };
  }

  get #claimed(): Lane {
    if (!this.#lane) throw new LashError("runtime", "other", "the turn's lane was not claimed yet");
    return this.#lane;
  }

  /** Bound once the lane is claimed; a turn that is given up needs none. */
  get #planned(): TurnPlan {
    if (!this.#accepted) throw new LashError("runtime", "other", "the turn's plan was not made yet");
    return this.#accepted;
  }

  // ---- effects ----------------------------------------------------------------------------------------------------

  #runEffect(request: EffectRequest, snapshot: MachineSnapshot | undefined): void {
    this.#claimed.effects.run(request, snapshot).then(
      (settled) => this.#settleEffect(request, settled),
      (error: unknown) => this.#onBoundaryFault(request, error),
    );
  }

  #settleEffect(request: EffectRequest, { outcome, source, claims = [] }: Settled): void {
    const { effectId, command } = request;
    for (const claim of claims) this.#log.recordClaim(claim);
    if (outcome.kind === "tool_batch") this.#log.recordResults(outcome.results);
    if (outcome.kind === "llm_call" || outcome.kind === "llm_failure") {
      const { call } = outcome;
      this.#log.recordCall(call);
      if (call.usage) {
        // The machine counts this call when it hears of it, which is after this (T-78).
        const cumulative = addUsage(this.#actor.getSnapshot().context.usage, call.usage);
        if (source === "run") this.#request.trace?.used(request, call.usage, cumulative);
        void this.#request.emit({ type: "usage", protocolIteration: command.iteration, usage: call.usage, cumulative }, `llm:${effectId}`);
      }
    }
    this.#send({ type: "effect.settled", effectId, outcome, source });
    if (outcome.kind === "checkpoint" && command.kind === "checkpoint" && outcome.messages.length > 0 && source === "run") {
      const { checkpoint } = command;
      void this.#request.emit({ type: "queued_messages_committed", checkpoint, messages: outcome.messages }, `checkpoint:${effectId}`);
    }
  }

  /** Faults of the boundary: those of the store end the run, others become an outcome of the turn (ER-6). */
  #onBoundaryFault({ effectId }: EffectRequest, error: unknown): void {
    if (this.#actor.getSnapshot().status !== "active") return;
    if (!LashError.is(error) || error.family === "store" || error.isCode("session_execution_lease_lost")) return this.#fail(error);
    const { code, message } = error;
    this.#send({ type: "effect.settled", effectId, outcome: { kind: "fault", code, message }, source: "run" });
  }
}

function hooksOf({ plugins, tools }: SessionWiring): readonly TurnHook[] {
  const hooks = plugins?.hooks ?? [];
  // Tools that can change while the turn runs are looked at before each model call (T-33).
  const syncs = tools.isManaged && !hooks.includes("syncsEnvironment") ? (["syncsEnvironment"] as const) : [];
  return ["takesInput", ...hooks, ...syncs];
}
