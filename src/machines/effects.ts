// What machines say to the effects actor, and what they hear back. JSON, named by reference (design section 2, idea B).

import type { Json } from "../domain/json.ts";
import type { Message, PartDraft } from "../domain/messages.ts";
import type { PluginMessage } from "../domain/plugin-message.ts";
import type { ModelCallRecord, TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import type { CompletedToolCall } from "../domain/tool-output.ts";
import type { CallLimits } from "../domain/turn-config.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { LlmOrigin, LlmResponse, PartialAnswer, ProviderFailure } from "../providers/contract.ts";

/** System id under which a machine finds the actor that does what it asks for. */
export const RUNNER = "runner";

export type CheckpointKind = "after_work" | "before_completion";

/** What a turn machine can ask for; history and messages are meant by reference: the first `logLength` of the turn's log. */
export type EffectCommand =
  | { readonly kind: "llm_call"; readonly iteration: number; readonly logLength: number }
  /** The calls are the tool-call parts of that message of the turn's log. */
  | { readonly kind: "tool_batch"; readonly iteration: number; readonly logIndex: number }
  | { readonly kind: "exec_code"; readonly iteration: number; readonly language: string; readonly code: string }
  | { readonly kind: "checkpoint"; readonly iteration: number; readonly checkpoint: CheckpointKind }
  | { readonly kind: "sync_execution_environment"; readonly iteration: number }
  /** Makes the conversation shorter: what was committed, and the log up to there as far as it has to be. */
  | { readonly kind: "compact"; readonly iteration: number; readonly logLength: number };

export interface EffectRequest {
  /** 1, 2, 3.. per turn; global only as the full replay key. */
  readonly effectId: number;
  readonly replayKey: string;
  readonly command: EffectCommand;
}

/** A finished tool call with what the model will be shown of it. */
export interface ToolResult extends CompletedToolCall {
  readonly modelReturn: readonly PartDraft[];
  /** The tool declared that this failure ends the turn. */
  readonly stopsTurn?: boolean;
  /** What the model is shown in place of the output. */
  readonly shown?: string;
  /** What hooks on this call have to say; it stands behind the results of the batch. */
  readonly messages?: readonly PluginMessage[];
}

/** Whether an answer is what its turn is to end with: the value as the model said it, or what is wrong with it. */
export type OutputCheck = { readonly value: Json } | { readonly problem: string };

/** A frame to go on in, and what for. */
export interface FrameTarget {
  readonly frameId: string;
  readonly task: string;
}

/** What became of an effect. Failures of providers and tools are outcomes; boundary faults are `fault`. */
export type EffectOutcome =
  | { readonly kind: "llm_call"; readonly response: LlmResponse; readonly call: ModelCallRecord; readonly output?: OutputCheck }
  /** `partial`: what the last attempt had said by then; `origin`: who was asked. */
  | { readonly kind: "llm_failure"; readonly failure: ProviderFailure; readonly call: ModelCallRecord; readonly partial?: PartialAnswer; readonly origin?: LlmOrigin }
  | { readonly kind: "tool_batch"; readonly results: readonly ToolResult[] }
  | { readonly kind: "exec_code"; readonly result: Json }
  | { readonly kind: "checkpoint"; readonly messages: readonly Message[]; readonly abort?: TurnIssue }
  | {
      readonly kind: "sync_execution_environment";
      /** The tools or the prompt of the next model call could not be made. */
      readonly issue?: TurnIssue;
      /** Instead of the next model call the turn goes on in another frame. */
      readonly switchTo?: FrameTarget;
    }
  /** The messages are not in here: whoever asks the model next has them. */
  | { readonly kind: "compact"; readonly isShorter: boolean }
  | { readonly kind: "fault"; readonly code: string; readonly message: string };

/** Steps of the outer pipeline that the host carries out; re-executable, so they are not journaled. */
export type PhaseName =
  | "open" | "refreshHead" | "normalizeInput" | "prepareContext" | "beforeTurn" | "buildTurn"
  | "finalize" | "settle" | "commit" | "afterPersist";

/** What a turn machine says to whoever drives it. */
export type EffectsMessage =
  | { readonly type: "phase.requested"; readonly phase: PhaseName }
  | { readonly type: "effect.requested"; readonly request: EffectRequest }
  | { readonly type: "effect.aborted"; readonly effectId: number }
  | { readonly type: "log.appended"; readonly messages: readonly Message[] };

/** Where a turn starts from: committed history by reference. */
export interface HistoryReference {
  readonly headRevision: number;
  readonly frameId: string;
  readonly leafNodeId: string | null;
  readonly turnIndex: number;
  /** Messages of the frame's read model. */
  readonly messageCount: number;
}

/** Messages to a turn machine. */
export type TurnEvent =
  /** The turn begins; phase by phase. */
  | { readonly type: "turn.opened" }
  /** Nothing before the first model call has to be waited for or is taken part in. */
  | { readonly type: "turn.prepared"; readonly history: HistoryReference; readonly messages: readonly Message[]; readonly limits: CallLimits; readonly isLong?: true }
  /** The turn ends without being driven: what it finished is committed, and why it does not go on. */
  | { readonly type: "turn.givenUp"; readonly outcome: TurnOutcome; readonly issues: readonly TurnIssue[]; readonly usage: TokenUsage }
  | { readonly type: "head.refreshed"; readonly history: HistoryReference }
  | { readonly type: "input.normalized"; readonly messages: readonly Message[] }
  | { readonly type: "input.refused"; readonly issue: TurnIssue }
  | { readonly type: "context.prepared" }
  | { readonly type: "hooks.passed"; readonly messages: readonly Message[] }
  | { readonly type: "hooks.aborted"; readonly issue: TurnIssue }
  /** With the limits that the turn was accepted with. `isLong`: the conversation is to be made shorter before a model is asked. */
  | { readonly type: "turn.built"; readonly limits: CallLimits; readonly isLong?: true }
  | { readonly type: "turn.unbuildable"; readonly issue: TurnIssue }
  | { readonly type: "turn.finalized"; readonly messages: readonly Message[] }
  | { readonly type: "turn.settled" }
  | { readonly type: "turn.committed" }
  /** The commit was not made, because an input waits for this turn. */
  | { readonly type: "input.waiting" }
  /** The commit was refused, because a request to cancel came first. What the turn was about to say is in the messages. */
  | { readonly type: "cancel.won"; readonly messages: readonly Message[] }
  | { readonly type: "turn.persisted" }
  | { readonly type: "turn.failed"; readonly code: string; readonly message: string }
  | { readonly type: "lease.lost" }
  /** All that is open waits for answers from outside, or no longer does. */
  | { readonly type: "tools.parked" }
  | { readonly type: "tools.resumed" }
  /** Stop driving this turn; it stays in flight. */
  | { readonly type: "turn.suspend" }
  | { readonly type: "turn.cancel"; readonly reason?: string }
  /** The time that the turn was given is over. */
  | { readonly type: "turn.expire"; readonly timeoutMs: number }
  | { readonly type: "effect.settled"; readonly effectId: number; readonly outcome: EffectOutcome; readonly source: "run" | "journal" };

/** What a finished turn machine says. */
export type TurnOutput =
  | {
      readonly kind: "ended";
      readonly outcome: TurnOutcome;
      readonly issues: readonly TurnIssue[];
      readonly usage: TokenUsage;
    }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };
