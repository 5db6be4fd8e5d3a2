// Steps a turn machine by hand, without an actor: what it asks for is data.

import { initialTransition, transition, type SnapshotFrom } from "xstate";
import type { Message } from "../../src/domain/messages.ts";
import type { TurnIssue } from "../../src/domain/outcome.ts";
import type { CallLimits } from "../../src/domain/turn-config.ts";
import { zeroUsage, type TokenUsage } from "../../src/domain/usage.ts";
import type { EffectOutcome, EffectRequest, EffectsMessage, HistoryReference, ToolResult, TurnEvent, TurnOutput } from "../../src/machines/effects.ts";
import type { Decision, NextMove, ProtocolDriver } from "../../src/machines/protocol.ts";
import type { TurnContext, TurnHook, TurnMachineInput } from "../../src/machines/turn.context.ts";
import { turnMachine, type TurnMachine } from "../../src/machines/turn.machine.ts";
import { standardProtocol } from "../../src/protocols/standard.ts";
import type { LlmOutputPart, LlmResponse, PartialAnswer } from "../../src/providers/contract.ts";
import type { ToolCallOutput } from "../../src/domain/tool-output.ts";

export type TurnSnapshot = SnapshotFrom<TurnMachine>;

/** What one step asked for. */
export interface Step {
  readonly snapshot: TurnSnapshot;
  readonly asked: readonly EffectsMessage[];
}

export const history: HistoryReference = { headRevision: 3, frameId: "f", leafNodeId: "old:1", turnIndex: 7, messageCount: 4 };
export const hello: Message = { id: "t:0", role: "User", parts: [{ id: "t:0.p0", kind: "Text", content: "hello" }] };
export const issue: TurnIssue = { kind: "plugin", code: "nope", message: "no" };

export const turnInput = (overrides: Partial<TurnMachineInput> = {}): TurnMachineInput => ({ sessionId: "s", turnId: "t", hooks: [], ...overrides });

const askedOf = (actions: readonly { readonly type: string; readonly params: unknown }[]): readonly EffectsMessage[] =>
  actions.flatMap(({ type, params }) => (type === "xstate.sendTo" ? [(params as { event: EffectsMessage }).event] : []));

export class Stepper {
  readonly machine: TurnMachine;
  snapshot: TurnSnapshot;
  /** Of the latest step. */
  asked: readonly EffectsMessage[];
  readonly all: EffectsMessage[] = [];

  constructor(input: TurnMachineInput, protocol: ProtocolDriver = standardProtocol, from?: TurnSnapshot) {
    this.machine = turnMachine(protocol);
    if (from) {
      this.snapshot = from;
      this.asked = [];
      return;
    }
    const [snapshot, actions] = initialTransition(this.machine, input);
    this.snapshot = snapshot;
    this.asked = askedOf(actions);
    this.all.push(...this.asked);
  }

  send(...events: readonly TurnEvent[]): this {
    for (const event of events) {
      const [snapshot, actions] = transition(this.machine, this.snapshot, event);
      this.snapshot = snapshot;
      this.asked = askedOf(actions);
      this.all.push(...this.asked);
    }
    return this;
  }

  /** Settles the effect that is open. */
  settle(outcome: EffectOutcome, effectId = this.open.effectId): this {
    return this.send({ type: "effect.settled", effectId, outcome, source: "run" });
  }

  get open(): EffectRequest {
    const [request] = this.context.open;
    if (!request) throw new Error("no effect is open");
    return request;
  }

  get context(): TurnContext {
    return this.snapshot.context;
  }

  get value(): unknown {
    return this.snapshot.value;
  }

  get output(): TurnOutput | undefined {
    return this.snapshot.output;
  }

  /** Messages appended by the latest step. */
  get appended(): readonly Message[] {
    return this.asked.flatMap((message) => (message.type === "log.appended" ? message.messages : []));
  }
}

/** No limit at all. */
export const unlimited: CallLimits = { maxTurns: null, tokenBudget: null };

/** The phases' replies up to the first model call. */
export function opening(hooks: readonly TurnHook[] = [], maxTurns: number | null = null): readonly TurnEvent[] {
  return [
    { type: "turn.opened" },
    { type: "head.refreshed", history },
    { type: "input.normalized", messages: [hello] },
    ...(hooks.includes("preparesContext") ? [{ type: "context.prepared" } as const] : []),
    ...(hooks.includes("beforeTurn") ? [{ type: "hooks.passed", messages: [] } as const] : []),
    { type: "turn.built", limits: { ...unlimited, maxTurns } },
  ];
}

/** A machine at its first model call, or at the environment sync before it. */
export function running({ maxTurns = null, ...overrides }: Partial<TurnMachineInput> & { readonly maxTurns?: number | null } = {}, protocol?: ProtocolDriver): Stepper {
  const input = turnInput(overrides);
  return new Stepper(input, protocol).send(...opening(input.hooks, maxTurns));
}

export const call: TokenUsage = { ...zeroUsage, inputTokens: 10, outputTokens: 5 };

const record = (usage: TokenUsage | null, status: "completed" | "failed" = "completed") => ({ effectId: 0, source: "turn", model: "m", usage, status });

export const reply = (parts: readonly LlmOutputPart[], rest: Partial<LlmResponse> = {}): EffectOutcome => ({
  kind: "llm_call",
  response: { fullText: "", parts, usage: call, terminalReason: parts.some(({ type }) => type === "toolCall") ? "tool_use" : "stop", ...rest },
  call: record(call),
});

export const says = (text: string, phase?: string): LlmOutputPart => ({ type: "text", text, ...(phase !== undefined && { responseMeta: { phase } }) });
export const calls = (toolName: string, callId = toolName): LlmOutputPart => ({ type: "toolCall", toolName, callId, inputJson: "{}" });
export const thinks = (text: string): LlmOutputPart => ({ type: "reasoning", text, replay: { signature: "s" } });

export const fails = (overrides: Partial<Extract<EffectOutcome, { kind: "llm_failure" }>["failure"]> = {}, partial: PartialAnswer = []): EffectOutcome => ({
  kind: "llm_failure",
  failure: { kind: "auth", message: "no key", retryable: false, headers: [], terminalReason: "provider_error", ...overrides },
  call: record(null, "failed"),
  ...(partial.length > 0 && { partial }),
});

export const ok = (payload: string, control?: ToolCallOutput["control"]): ToolCallOutput => ({ outcome: { status: "success", payload }, ...(control && { control }) });

export const result = (toolName: string, output: ToolCallOutput = ok(`${toolName} did it`), callId = toolName): ToolResult => ({
  callId,
  toolName,
  args: {},
  output,
  durationMs: 1,
  modelReturn: [{ kind: "ToolResult", content: JSON.stringify(output.outcome.payload), toolCallId: callId, toolName }],
});

export const results = (...each: readonly ToolResult[]): EffectOutcome => ({ kind: "tool_batch", results: each });

export const fault: EffectOutcome = { kind: "fault", code: "runtime_effect_controller", message: "the boundary broke" };

/** On to the next model call, by way of a checkpoint that nobody may take part in. */
const iterate: NextMove = { type: "checkpoint", checkpoint: "after_work", onEmpty: { type: "iterate" } };

/** A protocol that runs code: every reply with text runs it, every result of it ends the turn. */
export const codeProtocol: ProtocolDriver = {
  id: "code",
  version: 1,
  onModelReply: (_view, { parts }): Decision => {
    const text = parts.find((part) => part.type === "text");
    return text?.type === "text" && text.text !== ""
      ? { next: { type: "runCode", language: "lashlang", code: text.text } }
      : { next: iterate, advanceIteration: true };
  },
  onToolResults: () => ({ next: { type: "finish", outcome: { stopped: "runtime_error" } } }),
  onCodeResult: (_view, value): Decision =>
    value === "again"
      ? { advanceIteration: true, next: iterate }
      : { next: { type: "finish", outcome: { finished: { final_value: { value } } } } },
};

export { zeroUsage as zero };
