// What a turn came to, as hosts see it.

import { childrenUsageOf, type ChildUsage } from "./domain/child-usage.ts";
import type { TurnCancellation } from "./domain/cancellation.ts";
import type { Json } from "./domain/json.ts";
import { toHostOutcome, type HostOutcome, type TurnIssue } from "./domain/outcome.ts";
import type { ToolCallOutput } from "./domain/tool-output.ts";
import { usageOf, type TokenUsage } from "./domain/usage.ts";
import type { TurnEnd } from "./actors/turn/types.ts";

/** One tool call of the turn. `args` and `output` are there when the turn ended in this process. */
export interface ToolCallRecord {
  readonly callId: string;
  readonly toolName: string;
  readonly status: "success" | "failure" | "cancelled";
  readonly durationMs: number;
  readonly args?: Json;
  readonly output?: ToolCallOutput;
}

export interface TurnResult<Value = unknown> {
  readonly turnId: string;
  /** The assistant's words; for a turn that stopped, the last ones it said. */
  readonly text: string;
  readonly outcome: HostOutcome;
  /**
   * What the turn ended with, where that is a value: an answer of the form that `output` asked for, the value of a protocol, or what a
   * tool gave to `finishTurn`. Where this call, its session or its lash has the schema as an object, it is what that made of it.
   */
  readonly value?: Value;
  /** Finished, or went on in another frame. */
  readonly isSuccess: boolean;
  /** Tokens of this turn's own model calls. */
  readonly usage: TokenUsage;
  /** Of the turns that its tools ran in child sessions, by source and model; the session's ledger has them, too. */
  readonly childrenUsage: readonly ChildUsage[];
  /** Of both together. */
  readonly totalUsage: TokenUsage;
  readonly toolCalls: readonly ToolCallRecord[];
  /** What went wrong on the way; a turn may finish with issues. */
  readonly errors: readonly TurnIssue[];
  readonly execution: { readonly startedAtMs: number; readonly durationMs: number };
  /** The session's revision with this turn in it. */
  readonly headRevision: number;
  /** The request that ended a cancelled turn; absent where it was cancelled without one, as by `cancelRunningTurns()`. */
  readonly cancellation?: TurnCancellation;
}

export function turnResultOf({ result, toolResults }: TurnEnd): TurnResult {
  const outcome = toHostOutcome(result.outcome);
  const childrenUsage = childrenUsageOf(result.modelCalls);
  return {
    turnId: result.turnId,
    text: result.text,
    outcome,
    ...(outcome.kind === "finished" && outcome.finish !== "assistant_message" && { value: outcome.value ?? null }),
    isSuccess: outcome.kind !== "stopped",
    usage: result.usage,
    childrenUsage,
    totalUsage: usageOf(childrenUsage, result.usage),
    toolCalls: toolResults.length > 0
      ? toolResults.map(({ callId, toolName, args, output, durationMs }) => ({ callId, toolName, status: output.outcome.status, durationMs, args, output }))
      : result.toolCalls,
    errors: result.issues,
    execution: { startedAtMs: result.startedAtMs, durationMs: result.durationMs },
    headRevision: result.headRevision,
    ...(result.cancellation && { cancellation: result.cancellation }),
  };
}
