// A protocol: the policy that turns replies into moves. Pure: no clock, randomness, I/O (PP-31), so a replay is exact.

import type { Json } from "../domain/json.ts";
import type { MessageFacts, PartDraft, Role } from "../domain/messages.ts";
import type { TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import type { LlmResponse } from "../providers/contract.ts";
import type { CheckpointKind, ToolResult } from "./effects.ts";

/** What a protocol may look at: where the turn stands, never its history. */
export interface ProtocolView {
  readonly iteration: number;
  /** Whether the last message so far is a tool result. */
  readonly endsWithToolResult: boolean;
}

/** A message to append; the machine gives it its deterministic id. */
export interface MessageDraft extends MessageFacts {
  readonly role: Role;
  readonly parts: readonly PartDraft[];
  /** Scope in the synthetic id of messages that no model or tool wrote. */
  readonly synthetic?: "checkpoint" | "turn_limit" | "output";
}

export type NextMove =
  /** Runs the tool calls of the message appended last, except those that the provider ran itself. */
  | { readonly type: "runTools" }
  | { readonly type: "runCode"; readonly language: string; readonly code: string }
  /** Collects what arrived meanwhile and goes on with it; `onEmpty` says what follows if there was nothing. */
  | CheckpointMove
  /** The next model call, with nothing between. */
  | IterateMove
  | FinishMove;

export interface CheckpointMove {
  readonly type: "checkpoint";
  readonly checkpoint: CheckpointKind;
  readonly onEmpty: IterateMove | FinishMove;
}

export interface IterateMove {
  readonly type: "iterate";
}

export interface FinishMove {
  readonly type: "finish";
  readonly outcome: TurnOutcome;
}

/**
 * What to do after a reply: append, then perhaps advance the iteration, then move. A decision that leads to another model call
 * advances the iteration; the turn's limits are looked at by the machine, not here.
 */
export interface Decision {
  readonly append?: readonly MessageDraft[];
  readonly advanceIteration?: boolean;
  /** The next model call asks again for an answer of the wanted form. Of the machine, not of protocols. */
  readonly asksForOutput?: boolean;
  readonly issues?: readonly TurnIssue[];
  readonly next: NextMove;
}

/** Every iteration begins with a model call; a driver says what each reply leads to. */
export interface ProtocolDriver {
  /** Recorded with the session; a stored session opened with another protocol is refused. */
  readonly id: string;
  readonly version: number;
  /** Only replies that ended in `stop`, `tool_use` or `unknown` arrive here. */
  onModelReply(view: ProtocolView, reply: LlmResponse): Decision;
  onToolResults(view: ProtocolView, results: readonly ToolResult[]): Decision;
  onCodeResult(view: ProtocolView, result: Json): Decision;
}
