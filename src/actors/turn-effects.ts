// Turn effects: does what a turn's machine asked for. Makes the step durable first, then runs it under the turn's host.
//
//   X1. The control state of a step is that of the macrostep which asked, not that of the moment the write begins.
//   X2. Every nondeterministic operation goes through the host, under an envelope that names history by reference (E-1).

import { refusedBy } from "../domain/suspect-media.ts";
import { copyJson } from "../domain/copy-json.ts";
import { LashError, effectError, sessionError } from "../domain/errors.ts";
import { isPlainObject } from "../domain/json.ts";
import type { CheckpointKind, EffectOutcome, EffectRequest } from "../machines/effects.ts";
import type { ToolSpec } from "../domain/turn-config.ts";
import type { MachineSnapshot, TurnClaim, TurnRecord } from "../stores/contract.ts";
import type { Tool } from "../tools/contract.ts";
import type { EffectController, StepDraft } from "./effect-host.ts";
import { announce, deliver, MOST_INPUTS } from "./checkpoint.ts";
import { effectEnvelope, type Envelope } from "./envelope.ts";
import { storeFile } from "./images.ts";
import { callModel, modelOutcome, type Emit } from "./model-call.ts";
import { compactTurn, readCompaction } from "./turn-compaction.ts";
import { runTools } from "./turn/tools/batch.ts";
import { scopeOverController } from "./turn/tools/scope-over-controller.ts";
import type { TurnTrace } from "./trace-port.ts";
import type { TurnLog } from "./turn-log.ts";
import type { TurnPlugins } from "./plugin-port.ts";
import type { TurnPlan } from "./turn-plan.ts";
import type { TurnSession } from "./turn-session.ts";
import type { TurnWrites } from "./turn-writes.ts";

export interface Settled {
  readonly outcome: EffectOutcome;
  readonly source: "run" | "journal";
  /** What the turn has said with this outcome. */
  readonly claims?: readonly TurnClaim[];
}

export interface TurnEffectsOptions {
  readonly session: TurnSession;
  readonly turn: TurnRecord;
  readonly host: EffectController;
  readonly writes: TurnWrites;
  readonly log: TurnLog;
  readonly emit: Emit;
  /** What the turn was accepted with. */
  readonly accepted: () => TurnPlan;
  readonly trace: TurnTrace | undefined;
  readonly plugins: () => TurnPlugins | undefined;
  /** Told whether all that is open are waits for answers from outside. */
  readonly onParked: (parked: boolean) => void;
}

export class TurnEffects {
  readonly #options: TurnEffectsOptions;
  readonly #aborts = new Map<number, AbortController>();
  /** Aborted before they were run: a cancel may overtake the effects that a recovery sends again. */
  readonly #abortedBefore = new Set<number>();
  readonly #detach = new AbortController();
  /** The plan since the tools were changed while the turn runs. */
  #synced: TurnPlan | undefined;
  #parked = false;
  #hasWaited = false;

  constructor(options: TurnEffectsOptions) {
    this.#options = options;
  }

  /**
   * @param snapshot - control state to make durable first; undefined for an effect that a durable step has named already.
   * @throws where the boundary itself failed; what providers and tools do wrong is in the outcome.
   */
  async run(request: EffectRequest, snapshot: MachineSnapshot | undefined): Promise<Settled> {
    const abort = new AbortController();
    this.#aborts.set(request.effectId, abort);
    if (this.#abortedBefore.has(request.effectId)) abort.abort(cancelled());
    try {
      return await this.#perform(request, snapshot, abort.signal);
    } finally {
      this.#aborts.delete(request.effectId);
    }
  }

  /** Stops waiting without recording anything: what is open goes on in another process. */
  detach(): void {
    this.#detach.abort();
  }

  /**
   * The same where the run has failed: nothing of it is written any more, by whoever.
   *
   * @param reason - what those get that try.
   */
  fail(reason: Error): void {
    this.#options.writes.end(reason);
    this.detach();
  }

  /** The turn has ended. */
  ended(): void {
    this.#options.host.ended();
  }

  abort(effectId: number): void {
    this.#abortedBefore.add(effectId);
    this.#aborts.get(effectId)?.abort(cancelled());
  }

  /**
   * Ends everything without recording anything more: a call that is cut off because its turn is no longer driven here has
   * not been cancelled, and whoever goes on asks its tool's own policy.
   */
  stop(): void {
    this.detach();
    for (const abort of this.#aborts.values()) abort.abort(cancelled());
  }

  async #perform(request: EffectRequest, snapshot: MachineSnapshot | undefined, signal: AbortSignal): Promise<Settled> {
    switch (request.command.kind) {
      case "llm_call":
        return this.#callModel(request, request.command.logLength, snapshot, signal);
      case "tool_batch":
        return this.#runTools(request, request.command.logIndex, snapshot, signal);
      case "checkpoint":
        return this.#collect(request, request.command.checkpoint, snapshot, signal);
      case "sync_execution_environment":
        return this.#sync(request, signal);
      case "compact":
        return this.#compact(request, request.command.logLength, snapshot, signal);
      case "exec_code":
        throw sessionError("code_execution_unavailable", "this session has no code executor; a protocol that runs code brings one");
    }
  }

  async #callModel(request: EffectRequest, logLength: number, snapshot: MachineSnapshot | undefined, signal: AbortSignal): Promise<Settled> {
    const { session, turn, host, log, emit, trace } = this.#options;
    const { effectId, command } = request;
    const { head, history, suspects } = session.resident();
    const plan = this.#plan;
    const { compaction } = log;
    const plugins = this.#options.plugins();
    // Where nothing settled since the last durable state - acceptance, or a checkpoint - that state leads to this very call,
    // which then needs no step of its own (design 9).
    if (snapshot && host.hasUnsaved) await this.#step(snapshot, []);
    this.#show("effect.durable", request);
    const envelope = (): Envelope =>
      this.#envelope(request, {
        kind: "llm_call",
        history: { frame_id: head.currentFrameId, leaf_node_id: head.leafNodeId ?? null },
        log: log.digest(logLength),
        plan: plan.digest,
        ...(compaction && { compaction: compaction.digest }),
      });
    // A turn that was cancelled before its first call makes none (T-63).
    if (!signal.aborted) void emit({ type: "model_request_started", protocolIteration: command.iteration }, `llm:${effectId}`);
    const { outcome, source } = await host.execute(request.replayKey, envelope, () => {
      this.#show("effect.running", request);
      const { policy } = plan.config;
      const refused = refusedBy(suspects, { provider: policy.providerId, model: policy.model.id });
      const recorded = callModel({
        plan,
        trace: trace?.effect(request, session.resident().head.turnIndex),
        prompt: (compaction?.view ?? plan.view ?? history).prompt(log.messages.slice(compaction?.from ?? 0, logLength), policy, refused),
        loadImages: session.ports.loadImages,
        storeFile: (bytes, mime) => storeFile(turn.sessionId, bytes, mime, session.ports.persistence.attachments, (write) => this.#options.writes.record(write)),
        scope: {
          sessionId: turn.sessionId,
          agentFrameId: head.currentFrameId,
          requestId: `${turn.sessionId}:turn:${turn.turnId}:llm:${command.iteration}`,
        },
        effectId,
        isFirst: command.iteration === 0,
        checkJson: session.ports.checkJson,
        signal,
        clock: session.ports.clock,
        emit,
        failureOf: session.ports.failureOf,
        maxResponseBytes: session.ports.limits.modelResponseBytes,
      });
      return plugins ? recorded.then((outcome) => plugins.withState(outcome)) : recorded;
    });
    if ("error" in outcome) return { outcome: { kind: "fault", ...outcome.error }, source };
    return { outcome: modelOutcome(outcome.ok, effectId, plan), source };
  }

  /** Makes the conversation shorter for what follows in this turn; its commit opens a frame that begins with what was made. */
  async #compact(request: EffectRequest, logLength: number, snapshot: MachineSnapshot | undefined, signal: AbortSignal): Promise<Settled> {
    const { session, turn, host, log } = this.#options;
    const { head } = session.resident();
    const { config, provider, digest } = this.#plan;
    if (snapshot && host.hasUnsaved) await this.#step(snapshot, []);
    this.#show("effect.durable", request);
    const envelope = (): Envelope =>
      this.#envelope(request, { kind: "compact", history: { frame_id: head.currentFrameId, leaf_node_id: head.leafNodeId ?? null }, log: log.digest(logLength), plan: digest });
    const { outcome, source } = await host.execute(request.replayKey, envelope, async () => {
      this.#show("effect.running", request);
      return compactTurn({ session, provider, model: config.policy.model, own: log.messages.slice(0, logLength), signal });
    });
    const recorded = readCompaction(outcome, turn);
    if (!recorded) return { outcome: { kind: "compact", isShorter: false }, source };
    const { compaction, usage, model = config.policy.model.id } = recorded;
    log.recordCompaction(compaction);
    // A recorded outcome was recorded together with what it cost.
    if (source === "run" && usage) log.recordCall({ effectId: request.effectId, source: "compaction", model, usage, status: "completed" });
    return { outcome: { kind: "compact", isShorter: true }, source };
  }

  /** What changed about the tools is in the next model call, and what plugins make of it. */
  async #sync(request: EffectRequest, signal: AbortSignal): Promise<Settled> {
    const { plugins } = this.#options;
    await this.#syncTools(request);
    const outcome = await plugins()?.sync(request.command.iteration, signal);
    return { outcome: outcome ?? { kind: "sync_execution_environment" }, source: "run" };
  }

  /** A change that is in no journal yet is recorded with the sync that found it. */
  async #syncTools(request: EffectRequest): Promise<void> {
    const { session, host } = this.#options;
    const before = this.base;
    this.#synced = session.synced(before);
    const toolChange = this.#synced === before ? undefined : session.wiring.tools.takeChange();
    if (toolChange) await host.execute(request.replayKey, () => this.#envelope(request, { kind: request.command.kind }), () => Promise.resolve({ ok: copyJson({ toolChange }) }));
  }

  /** What the turn was accepted with, with its session's tools as they were when they were last looked at. */
  get base(): TurnPlan {
    const { session, turn, accepted } = this.#options;
    // A turn that was found goes on with the tools as its last sync would find them.
    if (!this.#synced && wasSynced(turn)) this.#synced = session.synced(accepted());
    return this.#synced ?? accepted();
  }

  /** By now. */
  get #plan(): TurnPlan {
    return this.#options.plugins()?.plan ?? this.base;
  }

  /** The tools of a plan that are the session's own; the others are lent to this turn by a plugin. */
  #ownSpecs({ config }: TurnPlan): readonly ToolSpec[] {
    const own = new Set(this.base.config.tools);
    return config.tools.filter((spec) => own.has(spec));
  }

  /** Tools that may run now: the session's own as its registry has them. */
  #callable(plan: TurnPlan): ReadonlyMap<string, Tool> {
    const { tools } = this.#options.session.wiring;
    if (!tools.isManaged) return plan.tools;
    const own = this.#ownSpecs(plan);
    const lent = plan.config.tools.filter((spec) => !own.includes(spec)).map(({ name }) => name);
    return new Map([...tools.bind(own), ...[...plan.tools].filter(([name]) => lent.includes(name))]);
  }

  async #runTools(request: EffectRequest, logIndex: number, snapshot: MachineSnapshot | undefined, cancel: AbortSignal): Promise<Settled> {
    const { session, turn, host, log, emit, writes } = this.#options;
    const message = log.messages[logIndex];
    if (!message) throw effectError("runtime_effect_tool_batch_id", "the message whose tools are to run is not in the turn's log");
    const plan = this.#plan;
    const scope = scopeOverController({
      host,
      writes,
      turn,
      cancel,
      detach: this.#detach.signal,
      step: (issued) => this.#step(undefined, issued),
      open: snapshot && ((issued) => this.#step(snapshot, issued)),
      onOpened: () => {
        this.#show("effect.durable", request);
        this.#show("effect.running", request);
      },
      onParked: (parked) => this.#report(parked),
    });
    const trace = this.#options.trace?.effect(request, session.resident().head.turnIndex);
    const batch = { session, turn, request, message, plan, tools: this.#callable(plan), ownSpecs: this.#ownSpecs(plan), log, plugins: this.#options.plugins(), trace, emit };
    const { results, source } = await runTools(batch, scope);
    return { outcome: { kind: "tool_batch", results }, source };
  }

  /** Claims what waits for this turn, in the step that makes what it did before durable. */
  async #collect(request: EffectRequest, checkpoint: CheckpointKind, snapshot: MachineSnapshot | undefined, signal: AbortSignal): Promise<Settled> {
    const { session, turn, host, log, emit } = this.#options;
    // A turn that is being cancelled takes nothing more; what waits for it, its commit leaves to the next turn.
    const { replayKey } = request;
    const isKnown = turn.claims.some((claim) => claim.replayKey === replayKey);
    if (signal.aborted && !isKnown) return { outcome: { kind: "checkpoint", messages: [] }, source: "run" };
    const collected = await host.collect({ replayKey, checkpoint, claimToken: session.ports.newId(), max: MOST_INPUTS }, this.#draft(snapshot, []));
    this.#show("effect.durable", request);
    const atCheckpoint = this.#options.plugins()?.atCheckpoint;
    if (!collected && !atCheckpoint) return { outcome: { kind: "checkpoint", messages: [] }, source: "run" };
    const { claims, source } = collected ?? { claims: [], source: "run" as const };
    const place = { sessionId: turn.sessionId, turnId: turn.turnId, log: log.messages };
    const delivered = collected && (await deliver(collected, place, session.ports.persistence));
    if (collected && delivered && source === "run") announce(delivered, collected, checkpoint, (body) => void emit(body, `checkpoint:${request.effectId}`));
    const messages = delivered?.messages ?? [];
    const asked = (): Envelope => this.#envelope(request, { kind: "checkpoint", checkpoint, log: log.digest(log.messages.length) });
    // Behind the input (T-55): what waited longest is said first.
    const hooked = atCheckpoint && (await atCheckpoint(checkpoint, log.messages.length + messages.length, signal, (run) => host.execute(replayKey, asked, run)));
    const outcome: EffectOutcome = { kind: "checkpoint", messages, ...(hooked && { ...hooked, messages: [...messages, ...hooked.messages] }) };
    return { outcome, source, claims };
  }

  #report(parked: boolean): void {
    if (this.#options.host.tier !== "durable" || parked === this.#parked) return;
    this.#parked = parked;
    if (parked) this.#countAsProgress();
    this.#options.onParked(parked);
  }

  /** A process that was killed while its turn waited had not failed to get it further. */
  #countAsProgress(): void {
    const { turn, host } = this.#options;
    if (turn.recoveries === 0 || this.#hasWaited) return;
    this.#hasWaited = true;
    // A turn that is suspended at once has lost its fence to this write, and is not counted either: it releases its lane.
    void host.step({ appended: [], modelCalls: [], issued: [], waiting: true }).catch(() => undefined);
  }

  /** For inspectors: how far an effect has come between being asked for and being settled. */
  #show(type: "effect.durable" | "effect.running", { effectId, command }: EffectRequest): void {
    const { ports, effects } = this.#options.session;
    if (ports.inspect) effects.send({ type, effectId, kind: command.kind });
  }

  /** Without a snapshot only outcomes and what they cost are journaled; messages and control state wait for the machine to move. */
  async #step(snapshot: MachineSnapshot | undefined, issued: readonly string[]): Promise<void> {
    await this.#options.host.step(this.#draft(snapshot, issued));
  }

  #draft(snapshot: MachineSnapshot | undefined, issued: readonly string[]): StepDraft {
    const { log, writes } = this.#options;
    writes.assertGoingOn();
    this.#detach.signal.throwIfAborted();
    const unsaved = snapshot ? log.takeUnsaved() : { appended: [], modelCalls: log.takeUnsavedCalls() };
    return { ...unsaved, issued, ...(snapshot && { snapshot }) };
  }

  #envelope({ replayKey, effectId, command: { iteration } }: EffectRequest, command: Envelope["command"]): Envelope {
    const { session, turn: { sessionId, turnId } } = this.#options;
    return effectEnvelope({ sessionId, turnId, turnIndex: session.resident().head.turnIndex, iteration, effectId }, replayKey, command);
  }
}

/** Whether the tools of a turn that was found have been looked at since its acceptance: after every iteration, where it syncs at all. */
function wasSynced({ snapshot }: TurnRecord): boolean {
  const { hooks, iteration } = isPlainObject(snapshot?.context) ? snapshot.context : {};
  return Array.isArray(hooks) && hooks.includes("syncsEnvironment") && iteration !== 0;
}

const cancelled = (): LashError => new LashError("issue", "cancelled", "the turn was cancelled");
