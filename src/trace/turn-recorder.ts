// Turn recorder: the records of one drive of a turn. What was begun is ended before the turn is, in whatever way the turn ends;
// what comes later is not told any more (TR-3, TR-4, TR-12).

import type { EffectTrace, TraceContext, TracedTurn, TurnTrace } from "../actors/trace-port.ts";
import type { FinishedCall } from "../actors/turn/tools/group.ts";
import type { PlannedCall } from "../actors/turn/tools/plan.ts";
import type { TurnEnd } from "../actors/turn/types.ts";
import { LashError } from "../domain/errors.ts";
import { toHostOutcome } from "../domain/outcome.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { EffectRequest } from "../machines/effects.ts";
import type { Provider } from "../providers/contract.ts";
import type { RecordedTurn } from "../stores/contract.ts";
import { shownPolicy, shownReference, shownText, shownUsage, shownValue } from "./content.ts";
import { promptBuilt } from "./prompt-built.ts";
import type { Recorder } from "./recorder.ts";
import type { ToolCallCompleted, TurnCompleted } from "./records.ts";
import { watchedProvider, type OpenCall } from "./watched-provider.ts";

export class TurnRecorder implements TurnTrace {
  readonly #recorder: Recorder;
  readonly #sessionId: string;
  readonly #turnId: string;
  readonly #startedAt: number;
  /** Told of the code that the turn failed with, before that is recorded. */
  readonly #onFailed: (context: TraceContext, code: string) => void;
  readonly #open = new Set<OpenCall>();
  /** Replay keys of the tool calls that are done here, and not only read from the journal. */
  readonly #ran = new Set<string>();
  #turnIndex: number;
  #model: string;
  /** Undefined once the beginning of the turn is told. */
  #start: ((recoveries: number) => void) | undefined;
  #isOver = false;
  #hasPrompt = false;

  constructor(recorder: Recorder, { sessionId, turnId, turnIndex, policy, origin }: TracedTurn, onFailed: (context: TraceContext, code: string) => void) {
    this.#recorder = recorder;
    this.#sessionId = sessionId;
    this.#turnId = turnId;
    this.#turnIndex = turnIndex;
    this.#model = policy.model.id;
    this.#onFailed = onFailed;
    this.#startedAt = recorder.clock.monotonic();
    this.#start = (recoveries) => recorder.record(this.#context, "turn_started", () => ({ metadata: { ...shownPolicy(policy), ...(recoveries > 0 && { recoveries }) } }));
    if (origin === "asked") this.claimed(0);
  }

  get #context(): TraceContext {
    return { session_id: this.#sessionId, turn_id: this.#turnId, turn_index: this.#turnIndex };
  }

  claimed(recoveries: number): void {
    this.#start?.(recoveries);
    this.#start = undefined;
  }

  async ending(end: Promise<TurnEnd>): Promise<TurnEnd> {
    try {
      const ended = await end;
      this.#close("cancelled");
      this.#completed(() => completionOf(ended.result));
      return ended;
    } catch (error) {
      const { code, message } = LashError.is(error) ? error : { code: "other", message: String(error) };
      this.#close(code);
      this.#onFailed(this.#context, code);
      this.#completed(() => ({ status: "failed", done_reason: code, error: { code, message: shownText(message, 4_000) } }));
      throw error;
    }
  }

  #close(code: string): void {
    this.#isOver = true;
    for (const call of this.#open) call.cutOff(code);
  }

  #completed(content: () => Omit<TurnCompleted, "type" | "duration_ms">): void {
    // Found, and left to whoever has it.
    if (this.#start) return;
    this.#recorder.record(this.#context, "turn_completed", () => ({ ...content(), duration_ms: this.#since(this.#startedAt) }));
  }

  effect({ effectId, command }: EffectRequest, turnIndex: number): EffectTrace {
    this.#turnIndex = turnIndex;
    const context: TraceContext = { ...this.#context, protocol_iteration: command.iteration, effect_id: String(effectId) };
    const started = new Map<string, OpenToolCall>();
    const graphKey = `effect:${this.#sessionId}:${this.#turnId}:${effectId}`;
    return {
      watchProvider: (provider, source, config) => {
        if (config) this.#prompt(context, config);
        return this.#watch(provider, source, context);
      },
      toolStarted: (call) => {
        if (this.#isOver) return;
        const open = new OpenToolCall(this.#recorder, context, call, graphKey, () => this.#open.delete(open));
        this.#open.add(open);
        started.set(call.key, open);
      },
      toolRan: ({ key }) => void this.#ran.add(key),
      toolCompleted: (call, finished) => started.get(call.key)?.completed(finished, call.kind === "launch" && !this.#ran.has(call.key)),
    };
  }

  used({ effectId, command }: EffectRequest, usage: TokenUsage, cumulative: TokenUsage): void {
    if (this.#isOver) return;
    const context = { ...this.#context, protocol_iteration: command.iteration, effect_id: String(effectId) };
    this.#recorder.record(context, "token_usage", () => ({ source: "turn", model: this.#model, usage: shownUsage(usage), cumulative: shownUsage(cumulative) }));
  }

  #watch(provider: Provider, source: string, context: TraceContext): Provider {
    return watchedProvider(this.#recorder, provider, { context, source, open: () => (this.#isOver ? undefined : this.#open) });
  }

  /** One prompt for all calls of the turn: its configuration is fixed. */
  #prompt(context: TraceContext, config: TurnConfig): void {
    if (this.#hasPrompt || this.#isOver) return;
    this.#hasPrompt = true;
    const { id, limits } = config.policy.model;
    this.#model = id;
    this.#recorder.record(context, "prompt_built", () => promptBuilt(config));
    // Design 7.14.
    if (!limits) this.#recorder.customOnce(context, "model_limits.unknown", id, { model: id });
  }

  #since(startedAt: number): number {
    return Math.round(this.#recorder.clock.monotonic() - startedAt);
  }
}

class OpenToolCall implements OpenCall {
  readonly #recorder: Recorder;
  readonly #context: TraceContext;
  readonly #fields: Pick<ToolCallCompleted, "call_id" | "call_key" | "parent_call_id" | "tool" | "graph_key" | "args">;
  readonly #onEnd: () => void;
  readonly #startedAt: number;
  #isOver = false;

  constructor(recorder: Recorder, context: TraceContext, { callId, key, parentCallId, toolName, args }: PlannedCall, graphKey: string, onEnd: () => void) {
    this.#recorder = recorder;
    this.#context = context;
    this.#onEnd = onEnd;
    this.#startedAt = recorder.clock.monotonic();
    this.#fields = {
      call_id: shownText(callId, 500),
      call_key: shownText(key, 2_000),
      ...(parentCallId !== undefined && { parent_call_id: shownText(parentCallId, 500) }),
      tool: shownText(toolName, 500),
      graph_key: graphKey,
      args: shownValue(args),
    };
    recorder.record(context, "tool_call_started", () => this.#fields);
  }

  completed({ output, durationMs }: FinishedCall, replayed: boolean): void {
    const { outcome, attachments = [] } = output;
    this.#end(() => ({
      status: outcome.status,
      result: shownValue(outcome.payload),
      ...(attachments.length > 0 && { attachments: attachments.map(shownReference) }),
      duration_ms: durationMs,
      ...(replayed && { replayed: true as const }),
    }));
  }

  cutOff(): void {
    this.#end(() => ({ status: "interrupted", duration_ms: Math.round(this.#recorder.clock.monotonic() - this.#startedAt) }));
  }

  #end(content: () => Omit<ToolCallCompleted, "type" | "call_id" | "call_key" | "parent_call_id" | "tool" | "graph_key" | "args">): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onEnd();
    this.#recorder.record(this.#context, "tool_call_completed", () => ({ ...this.#fields, ...content() }));
  }
}

function completionOf({ outcome, issues }: RecordedTurn): Omit<TurnCompleted, "type" | "duration_ms"> {
  const ended = toHostOutcome(outcome);
  const told = issues.slice(0, 100).map(({ kind, code, message }) => ({ kind, ...(code !== undefined && { code: shownText(code, 200) }), message: shownText(message, 4_000) }));
  return {
    ...(ended.kind === "stopped" ? { status: "stopped", done_reason: ended.stop } : { status: "completed", done_reason: ended.kind === "finished" ? ended.finish : ended.kind }),
    ...(ended.kind === "agent_frame_switch" && { agent_frame_switch: { frame_id: ended.frameId, task: shownText(ended.task) } }),
    ...(told.length > 0 && { issues: told }),
  };
}
