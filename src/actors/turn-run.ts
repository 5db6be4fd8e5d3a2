// Turn run: drives one turn machine. Collects what a macrostep asked for, makes the step durable, does it, reports back.
//
//   D1. Nothing runs when it is asked for: only after the macrostep is over and, for acting effects, its step is durable.
//   D2. The snapshot of a step is taken at its macrostep, not when the write begins.
//   D3. Nothing in memory is load-bearing: another instance with the same record finishes the turn (E-45).

import { createActor, fromPromise, type ActorRefFrom, type AnyActorRef } from "xstate";
import { runtimeErrorOfStore } from "../domain/error-mapping.ts";
import { LashError, runtimeError } from "../domain/errors.ts";
import { createMessage, type Message } from "../domain/messages.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import { normalizeItems, type AcceptedInput } from "../domain/turn-input.ts";
import { addUsage } from "../domain/usage.ts";
import type { EffectOutcome, EffectRequest, EffectsMessage, PhaseName, ToolResult, TurnEvent } from "../machines/effects.ts";
import { persistSnapshot, restoreTurn } from "../machines/snapshot.ts";
import { TURN_MACHINE, turnMachine, type TurnMachine } from "../machines/turn.machine.ts";
import type { MachineSnapshot, RecordedTurn, SessionLease, TurnRecord } from "../stores/contract.ts";
import { buildCommit, closedLog, resultOf, type FinishedTurn } from "./committer.ts";
import type { EffectController } from "./effect-host.ts";
import { chainDigest, type Envelope } from "./envelope.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { callModel, modelOutcome, type Emit, type TurnPlan } from "./model-call.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import { resultsOf } from "./recovered-results.ts";
import { sendFrom } from "./relay.ts";
import type { Resident } from "./resident.ts";
import { attemptKey, planBatch, type PlannedCall } from "./tool-plan.ts";
import { firstIssued, runBatch } from "./tool-batch.ts";

export interface TurnRequest {
  readonly turnId: string;
  readonly emit: Emit;
}

/** How this run came to its turn: by accepting an input, or by finding one in flight. */
export type Claimed =
  | { readonly kind: "claimed"; readonly lease: SessionLease; readonly turn: TurnRecord; readonly headRevision: number }
  | { readonly kind: "settled"; readonly result: RecordedTurn }
  | { readonly kind: "busy" };

/** The session a turn runs in, as far as a turn may touch it. */
export interface TurnSession {
  readonly ports: RuntimePorts;
  readonly wiring: SessionWiring;
  readonly root: AnyActorRef;
  readonly effects: AnyActorRef;
  readonly resident: () => Resident;
  /** Reads the head again where the store has moved on (T-6). */
  readonly refresh: (headRevision: number) => Promise<Resident>;
  readonly plan: () => TurnPlan;
  readonly machineSnapshot: () => MachineSnapshot;
  readonly adopt: (turn: RecordedTurn, log: readonly Message[], committed: Parameters<typeof buildCommit>[0]) => void;
  /** Tells the residency machine. */
  readonly report: (event: { readonly type: "turn.committing" | "turn.committed" | "lease.renewing" | "lease.renewed" | "lease.renewFailed" | "lease.lost" }
    | { readonly type: "lease.acquired"; readonly fencingToken: number }
    | { readonly type: "turn.commitFailed"; readonly code: string; readonly message: string }) => void;
}

export interface TurnEnd {
  readonly result: RecordedTurn;
  readonly toolResults: readonly ToolResult[];
}

type TurnActor = ActorRefFrom<TurnMachine>;

export class TurnRun {
  readonly #session: TurnSession;
  readonly #request: TurnRequest;
  readonly #claim: () => Promise<Claimed>;
  readonly #startedAtMs: number;
  readonly #startedAt: number;
  readonly #end = Promise.withResolvers<TurnEnd>();
  readonly #aborts = new Map<number, AbortController>();
  /** Asked for in the macrostep that is going on. */
  #asked: EffectsMessage[] = [];
  #actor: TurnActor;
  #turn: TurnRecord | undefined;
  #controller: EffectController | undefined;
  #keeper: LeaseKeeper | undefined;
  #plan: TurnPlan | undefined;
  #headRevision = 0;
  #log: Message[] = [];
  /** How much of the log, and of the calls, a step has made durable. */
  #savedLog = 0;
  #modelCalls: ModelCallRecord[] = [];
  #savedCalls = 0;
  #toolResults: ToolResult[] = [];
  #digest = { length: 0, value: "" };
  #mailbox: TurnEvent | undefined;
  #result: RecordedTurn | undefined;
  #failure: LashError | undefined;
  #issued: ReadonlySet<string> = new Set();

  constructor(session: TurnSession, request: TurnRequest, claim: () => Promise<Claimed>) {
    this.#session = session;
    this.#request = request;
    this.#claim = claim;
    const { clock } = session.ports;
    this.#startedAtMs = clock.now();
    this.#startedAt = clock.monotonic();
    this.#actor = this.#createActor();
  }

  /** Runs to the end. Rejects where the turn could not end: busy, lease lost, store failed. */
  run(): Promise<TurnEnd> {
    this.#actor.start();
    return this.#end.promise;
  }

  /** Ends the turn as cancelled. A request that comes before the turn runs waits in the mailbox until it does. */
  cancel(reason?: string): void {
    this.#mailbox = { type: "turn.cancel", ...(reason !== undefined && { reason }) };
    this.#deliverMail();
  }

  #deliverMail(): void {
    const mail = this.#mailbox;
    if (!mail || !this.#actor.getSnapshot().can(mail)) return;
    this.#mailbox = undefined;
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
      input: { sessionId: wiring.sessionId, turnId, maxTurns: wiring.policy.maxTurns, hooks: [] },
      ...(snapshot && { snapshot }),
    });
    actor.subscribe({ next: () => this.#onMacrostep(actor), error: (error) => this.#fail(error), complete: () => this.#onDone(actor) });
    return actor;
  }

  #send(event: TurnEvent): void {
    sendFrom(this.#session.effects, this.#actor, event);
  }

  // ---- macrosteps -------------------------------------------------------------------------------------------------

  #onMacrostep(actor: TurnActor): void {
    if (actor !== this.#actor) return;
    const asked = this.#asked;
    this.#asked = [];
    for (const message of asked) {
      if (message.type === "log.appended") this.#log.push(...message.messages);
      else if (message.type === "effect.aborted") this.#aborts.get(message.effectId)?.abort(runtimeError("cancelled" as never, "cancelled"));
    }
    for (const message of asked) {
      if (message.type === "phase.requested") this.#runPhase(message.phase);
      else if (message.type === "effect.requested") this.#runEffect(message.request, persistSnapshot(TURN_MACHINE, actor.getSnapshot()));
    }
    this.#deliverMail();
  }

  #onDone(actor: TurnActor): void {
    if (actor !== this.#actor) return;
    this.#keeper?.stop();
    const { output } = actor.getSnapshot();
    if (this.#result && output?.kind !== "failed") {
      this.#end.resolve({ result: this.#result, toolResults: this.#toolResults });
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
    for (const abort of this.#aborts.values()) abort.abort();
    if (!this.#keeper || code === "store_commit_failed" || code === "session_execution_lease_lost") return;
    await this.#session.ports.persistence.leases.release(this.#keeper.fence).catch(() => undefined);
  }

  #fail(error: unknown): void {
    const failure = runtimeErrorOfStore(error);
    this.#failure = failure;
    if (failure.isCode("session_execution_lease_lost")) {
      this.#session.report({ type: "lease.lost" });
      this.#send({ type: "lease.lost" });
    } else {
      this.#send({ type: "phase.failed", code: failure.code, message: failure.message });
    }
  }

  // ---- phases -----------------------------------------------------------------------------------------------------

  #runPhase(phase: PhaseName): void {
    const done = this.#phase(phase);
    if (done instanceof Promise) done.catch((error: unknown) => this.#fail(error));
  }

  #phase(phase: PhaseName): Promise<void> | void {
    switch (phase) {
      case "claimLane":
        return this.#claimLane();
      case "refreshHead":
        return this.#refreshHead();
      case "normalizeInput":
        return this.#normalizeInput();
      case "buildTurn":
        this.#plan = this.#session.plan();
        return this.#send({ type: "turn.built" });
      case "finalize":
        return this.#send({ type: "turn.finalized", messages: [] });
      case "commit":
        return this.#commit();
      case "settle":
        return this.#settle();
      case "drainCommands":
        return this.#send({ type: "commands.drained" });
      case "prepareContext":
        return this.#send({ type: "context.prepared" });
      case "beforeTurn":
        return this.#send({ type: "hooks.passed", messages: [] });
      case "afterPersist":
        return this.#send({ type: "turn.persisted" });
    }
  }

  async #claimLane(): Promise<void> {
    const claimed = await this.#claim();
    if (claimed.kind === "busy") return this.#send({ type: "lane.busy" });
    if (claimed.kind === "settled") {
      this.#result = claimed.result;
      const { outcome, issues, usage } = claimed.result;
      return this.#send({ type: "turn.recorded", outcome, issues, usage });
    }
    const { lease, turn, headRevision } = claimed;
    const { ports, report } = this.#session;
    this.#turn = turn;
    this.#headRevision = headRevision;
    this.#keeper = new LeaseKeeper(ports.persistence.leases, ports.clock, ports.leaseTimings, lease, {
      renewing: () => report({ type: "lease.renewing" }),
      renewed: () => report({ type: "lease.renewed" }),
      renewFailed: () => report({ type: "lease.renewFailed" }),
      lost: () => this.#fail(runtimeError("session_execution_lease_lost", "the session's lease expired or was taken over")),
    });
    report({ type: "lease.acquired", fencingToken: lease.fencingToken });
    this.#controller = ports.effectHost.scoped({ turn, fence: this.#keeper.fence });
    this.#issued = new Set(turn.issued);
    if (turn.snapshot) return this.#takeUp(turn, turn.snapshot);
    this.#send({ type: "lane.claimed" });
  }

  /** Goes on where the last durable step left off: entry actions do not run again, so open effects are re-sent (T-22). */
  async #takeUp(turn: TurnRecord, stored: MachineSnapshot): Promise<void> {
    await this.#session.refresh(this.#headRevision);
    const snapshot = this.#restorable(turn, stored);
    if (!snapshot) return this.#send({ type: "lane.claimed" });
    this.#log = [...turn.log];
    this.#savedLog = turn.log.length;
    this.#modelCalls = [...turn.modelCalls];
    this.#savedCalls = turn.modelCalls.length;
    this.#toolResults = resultsOf(turn);
    this.#plan = this.#session.plan();
    const claiming = this.#actor;
    this.#actor = this.#createActor(snapshot);
    claiming.send({ type: "turn.takenUp" });
    this.#actor.start();
    for (const request of snapshot.context.open) this.#runEffect(request, undefined);
    this.#deliverMail();
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
    if (resident.headRevision === this.#headRevision) return this.#send({ type: "head.refreshed", history: referenceOf(resident) });
    return this.#session.refresh(this.#headRevision).then((fresh) => this.#send({ type: "head.refreshed", history: referenceOf(fresh) }));
  }

  #normalizeInput(): void {
    const { input, turnId } = this.#accepted;
    const message = userMessage(turnId, input);
    if (message) return this.#send({ type: "input.normalized", messages: [message] });
    this.#send({
      type: "input.refused",
      issue: { kind: "input_validation", code: "invalid_turn_input", message: "an image of the input has no bytes", retryable: false },
    });
  }

  async #commit(): Promise<void> {
    const { ports, resident, wiring, machineSnapshot, report, adopt } = this.#session;
    const keeper = this.#keeper;
    if (!keeper) throw broken("committing without a lease");
    await keeper.ensureLive();
    keeper.ending();
    const finished = this.#finished();
    report({ type: "turn.committing" });
    const base = resident();
    const commit = buildCommit(finished, {
      resident: base,
      policy: policyOf(wiring, base),
      fence: keeper.fence,
      machine: machineSnapshot(),
      now: ports.clock.now(),
    });
    try {
      const { turn } = await ports.persistence.sessions.commit(commit);
      if (!turn) throw broken("the store recorded no result for the turn");
      this.#result = turn;
      adopt(turn, closedLog(finished.context, finished.log), finished);
    } catch (error) {
      const { code, message } = runtimeErrorOfStore(error);
      if (code !== "session_execution_lease_lost") report({ type: "turn.commitFailed", code, message });
      throw error;
    }
    report({ type: "turn.committed" });
    this.#send({ type: "turn.committed" });
  }

  async #settle(): Promise<void> {
    const keeper = this.#keeper;
    if (!keeper) throw broken("settling without a lease");
    keeper.ending();
    this.#result = await this.#session.ports.persistence.turns.settle({ fence: keeper.fence, result: resultOf(this.#finished()) });
    this.#send({ type: "turn.settled" });
  }

  #finished(): FinishedTurn {
    const { clock } = this.#session.ports;
    return {
      context: this.#actor.getSnapshot().context,
      inputHash: this.#accepted.inputHash,
      log: this.#log,
      toolResults: this.#toolResults,
      modelCalls: this.#modelCalls,
      startedAtMs: this.#startedAtMs,
      durationMs: Math.round(clock.monotonic() - this.#startedAt),
    };
  }

  get #accepted(): TurnRecord {
    if (!this.#turn) throw broken("the turn was not accepted yet");
    return this.#turn;
  }

  // ---- effects ----------------------------------------------------------------------------------------------------

  /** @param snapshot - control state to make durable first; undefined for an effect that a durable step has named already. */
  #runEffect(request: EffectRequest, snapshot: MachineSnapshot | undefined): void {
    const abort = new AbortController();
    this.#aborts.set(request.effectId, abort);
    this.#perform(request, snapshot, abort.signal)
      .then(
        ({ outcome, source }) => {
          this.#aborts.delete(request.effectId);
          this.#record(outcome);
          this.#send({ type: "effect.settled", effectId: request.effectId, outcome, source });
        },
        (error: unknown) => this.#onBoundaryFault(request, error),
      );
  }

  async #perform(request: EffectRequest, snapshot: MachineSnapshot | undefined, signal: AbortSignal): Promise<Settled> {
    switch (request.command.kind) {
      case "llm_call":
        return this.#callModel(request, request.command.logLength, snapshot, signal);
      case "tool_batch":
        return this.#runTools(request, request.command.logIndex, snapshot, signal);
      case "checkpoint":
        return { outcome: { kind: "checkpoint", messages: [] }, source: "run" };
      case "sync_execution_environment":
        return { outcome: { kind: "sync_execution_environment" }, source: "run" };
      case "exec_code":
        throw runtimeError("code_execution_unavailable" as never, "no code executor is wired");
    }
  }

  async #callModel(request: EffectRequest, logLength: number, snapshot: MachineSnapshot | undefined, signal: AbortSignal): Promise<Settled> {
    const { ports, wiring, resident } = this.#session;
    const plan = this.#plan ?? this.#session.plan();
    const { effectId, command } = request;
    const { head, history } = resident();
    // The first call of a turn needs no step of its own: acceptance is durable and leads to this very call (design 9).
    if (snapshot && this.#modelCalls.length > 0) await this.#step(snapshot, []);
    const envelope = this.#envelope(request, {
      kind: "llm_call",
      history: { frame_id: head.currentFrameId, leaf_node_id: head.leafNodeId ?? null },
      log: this.#logDigest(logLength),
      plan: plan.digest,
    });
    const { turnId } = this.#request;
    this.#emit({ type: "model_request_started", protocolIteration: command.iteration }, `llm:${effectId}`);
    const { outcome, source } = await this.#host.execute(envelope, () =>
      callModel({
        plan,
        messages: history.prompt(this.#log.slice(0, logLength)),
        scope: { sessionId: wiring.sessionId, agentFrameId: head.currentFrameId, requestId: `${wiring.sessionId}:turn:${turnId}:llm:${command.iteration}` },
        effectId,
        signal,
        clock: ports.clock,
        emit: this.#emit,
        failureOf: ports.failureOf,
      }),
    );
    if ("error" in outcome) return { outcome: { kind: "fault", ...outcome.error }, source };
    return { outcome: modelOutcome(outcome.ok, effectId, plan), source };
  }

  async #runTools(request: EffectRequest, logIndex: number, snapshot: MachineSnapshot | undefined, signal: AbortSignal): Promise<Settled> {
    const { ports, wiring, effects } = this.#session;
    const message = this.#log[logIndex];
    if (!message) throw runtimeError("runtime_effect_tool_batch_id" as never, "the message whose tools are to run is not in the turn's log");
    const plan = await planBatch(message, wiring.tools, request.replayKey);
    if (snapshot) {
      const issued = firstIssued(plan);
      await this.#step(snapshot, issued);
      this.#issued = new Set(issued);
    }
    const results = await runBatch(plan, {
      sessionId: wiring.sessionId,
      turnId: this.#request.turnId,
      batchKey: request.replayKey,
      controller: this.#host,
      signal,
      clock: ports.clock,
      emit: this.#emit,
      issued: this.#issued,
      step: (issued) => this.#step(undefined, issued),
      envelope: (replayKey, causedBy, command) => this.#envelope({ ...request, replayKey }, command, causedBy),
      asActor: (id, run) => {
        const running = run();
        createActor(fromPromise(() => running), { id, parent: effects }).start();
        return running;
      },
    });
    const source = plan.every((call) => this.#wasRecorded(call)) ? "journal" : "run";
    return { outcome: { kind: "tool_batch", results }, source };
  }

  #wasRecorded(call: PlannedCall): boolean {
    return this.#accepted.journal.some((entry) => entry.replayKey === attemptKey(call, 1));
  }

  async #step(snapshot: MachineSnapshot | undefined, issued: readonly string[]): Promise<void> {
    const appended = snapshot ? this.#log.slice(this.#savedLog) : [];
    const modelCalls = snapshot ? this.#modelCalls.slice(this.#savedCalls) : [];
    this.#savedLog += appended.length;
    this.#savedCalls += modelCalls.length;
    await this.#host.step({ appended, modelCalls, issued, ...(snapshot && { snapshot }) });
  }

  #record(outcome: EffectOutcome): void {
    if (outcome.kind === "llm_call" || outcome.kind === "llm_failure") {
      this.#modelCalls.push(outcome.call);
      if (outcome.call.usage) {
        const { context } = this.#actor.getSnapshot();
        // The machine counts this call when it hears of it, which is after this (T-78).
        const cumulative = addUsage(context.usage, outcome.call.usage);
        void this.#emit({ type: "usage", protocolIteration: context.iteration, usage: outcome.call.usage, cumulative }, `llm:${outcome.call.effectId}`);
      }
    } else if (outcome.kind === "tool_batch") {
      this.#toolResults.push(...outcome.results);
    }
  }

  /** Faults of the boundary: those of the store end the run, others become an outcome of the turn (ER-6). */
  #onBoundaryFault(request: EffectRequest, error: unknown): void {
    if (LashError.is(error) && error.family !== "store" && !error.isCode("session_execution_lease_lost")) {
      const { code, message } = error;
      this.#send({ type: "effect.settled", effectId: request.effectId, outcome: { kind: "fault", code, message }, source: "run" });
      return;
    }
    this.#fail(error);
  }

  get #host(): EffectController {
    if (!this.#controller) throw broken("an effect was asked for before the lane was claimed");
    return this.#controller;
  }

  #envelope(request: EffectRequest, command: Envelope["command"], causedBy?: string): Envelope {
    const { turnId } = this.#request;
    return {
      invocation: {
        scope: {
          session_id: this.#session.wiring.sessionId,
          turn_id: turnId,
          turn_index: this.#session.resident().head.turnIndex,
          protocol_iteration: request.command.iteration,
        },
        subject: { type: "effect", effect_id: String(request.effectId), kind: String(command["kind"]) },
        ...(causedBy !== undefined && { caused_by: causedBy }),
        replay: { key: request.replayKey },
      },
      command,
    };
  }

  /** Names the first messages of the log in 64 characters; grows by what is new. */
  #logDigest(length: number): string {
    if (length < this.#digest.length) this.#digest = { length: 0, value: "" };
    let { value } = this.#digest;
    for (const message of this.#log.slice(this.#digest.length, length)) value = chainDigest(value, message);
    this.#digest = { length, value };
    return value;
  }

  readonly #emit: Emit = (body, correlationId) => this.#request.emit(body, correlationId);
}

/** An invariant of this file does not hold; nothing a host could have done about it. */
const broken = (message: string): LashError => new LashError("runtime", "other", message);

interface Settled {
  readonly outcome: EffectOutcome;
  readonly source: "run" | "journal";
}

export function referenceOf({ headRevision, head, messageCount }: Resident) {
  return {
    headRevision,
    frameId: head.currentFrameId,
    leafNodeId: head.leafNodeId ?? null,
    turnIndex: head.turnIndex,
    messageCount,
  };
}

/** What the host stated wins and is recorded by the next commit; what it left out keeps its recorded value (design 7.5). */
export function policyOf({ policy, stated }: SessionWiring, { head, headRevision }: Resident) {
  if (headRevision === 0) return policy;
  return {
    providerId: head.policy.providerId,
    model: stated.model ? policy.model : head.policy.model,
    maxTurns: stated.maxTurns ? policy.maxTurns : head.policy.maxTurns,
  };
}

/** T-10: a turn without any input still has one empty text. Images need their bytes; undefined says they are missing. */
function userMessage(turnId: string, { items }: AcceptedInput): Message | undefined {
  const normalized = normalizeItems(items);
  if (normalized.some((item) => item.type === "image_ref")) return undefined;
  const texts = normalized.map((item) => ({ kind: "Text" as const, content: item.type === "text" ? item.text : "" }));
  return createMessage(`${turnId}:0`, "User", texts.length > 0 ? texts : [{ kind: "Text", content: "" }]);
}
