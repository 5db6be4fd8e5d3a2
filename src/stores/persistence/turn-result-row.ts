// What a turn came to, as its row keeps it. The answer of most turns is their last message, which the same row holds, so
// outcome and text are left out where they follow from it.

import * as z from "zod/mini";
import { outcomeText, type TurnIssue, type TurnOutcome } from "../../domain/outcome.ts";
import type { ModelCallRecord } from "../../domain/outcome.ts";
import type { TurnResultRecord } from "../contract.ts";
import { opaque } from "./schema.ts";
import { modelCallRow, readModelCall, readUsage, usageRow, writeModelCall, writeUsage } from "./usage-row.ts";

const stop = z.union([
  z.enum(["cancelled", "incomplete", "invalid_input", "max_turns", "tool_failure", "provider_error", "plugin_abort", "runtime_error"]),
  z.object({ submitted_error: z.object({ value: opaque }) }),
  z.object({ tool_error: z.object({ tool_name: z.string(), value: opaque }) }),
]);

const outcome = z.union([
  z.object({
    finished: z.union([
      z.object({ assistant_message: z.object({ text: z.string() }) }),
      z.object({ final_value: z.object({ value: opaque }) }),
      z.object({ tool_value: z.object({ tool_name: z.string(), value: opaque }) }),
    ]),
  }),
  z.object({ agent_frame_switch: z.object({ frame_id: z.string(), task: z.string() }) }),
  z.object({ stopped: stop }),
]);

const issue = z.object({
  kind: z.string(),
  code: z.exactOptional(z.string()),
  terminalReason: z.exactOptional(z.string()),
  message: z.string(),
  raw: z.exactOptional(z.string()),
  retryable: z.exactOptional(z.boolean()),
  providerFailureKind: z.exactOptional(z.string()),
});

export const turnResultRow = z.object({
  id: z.string(),
  inputHash: z.string(),
  /** Of the commit that ended the turn; a settled turn has none. */
  commitHash: z.exactOptional(z.string()),
  /** Absent: the assistant said what the last message of the row says. */
  outcome: z.exactOptional(outcome),
  /** Absent: the text that follows from the outcome. */
  text: z.exactOptional(z.string()),
  usage: usageRow,
  issues: z.exactOptional(z.array(issue)),
  tools: z.exactOptional(z.array(z.tuple([z.string(), z.string(), z.enum(["success", "failure", "cancelled"]), z.number()]))),
  calls: z.exactOptional(z.array(modelCallRow)),
  startedAtMs: z.number(),
  durationMs: z.number(),
});
export type TurnResultRow = z.output<typeof turnResultRow>;

/** A result, the model calls it took, and the hash of its commit if there was one. */
export interface TurnEnding {
  readonly commitHash?: string;
  readonly result: TurnResultRecord;
  readonly modelCalls: readonly ModelCallRecord[];
}

/** @param said - text of the last message that is stored beside the result, if it is the assistant's. */
export function writeTurnResult({ result, modelCalls, commitHash }: TurnEnding, said?: string): TurnResultRow {
  const { issues, toolCalls } = result;
  return {
    id: result.turnId,
    inputHash: result.inputHash,
    ...(commitHash !== undefined && { commitHash }),
    ...(!isSaid(result.outcome, said) && { outcome: result.outcome }),
    ...(result.text !== outcomeText(result.outcome) && { text: result.text }),
    usage: writeUsage(result.usage),
    ...(issues.length > 0 && { issues: [...issues] }),
    ...(toolCalls.length > 0 && { tools: toolCalls.map((call) => [call.callId, call.toolName, call.status, call.durationMs]) }),
    ...(modelCalls.length > 0 && { calls: modelCalls.map(writeModelCall) }),
    startedAtMs: result.startedAtMs,
    durationMs: result.durationMs,
  };
}

export function readTurnResult(row: TurnResultRow, said: string | undefined): TurnEnding {
  const ended: TurnOutcome = row.outcome ?? { finished: { assistant_message: { text: said ?? "" } } };
  const result: TurnResultRecord = {
    turnId: row.id,
    inputHash: row.inputHash,
    outcome: ended,
    text: row.text ?? outcomeText(ended) ?? "",
    usage: readUsage(row.usage),
    issues: (row.issues ?? []) satisfies TurnIssue[],
    toolCalls: (row.tools ?? []).map(([callId, toolName, status, durationMs]) => ({ callId, toolName, status, durationMs })),
    startedAtMs: row.startedAtMs,
    durationMs: row.durationMs,
  };
  const modelCalls = (row.calls ?? []).map(readModelCall);
  return { result, modelCalls, ...(row.commitHash !== undefined && { commitHash: row.commitHash }) };
}

const isSaid = (ended: TurnOutcome, said: string | undefined): boolean =>
  said !== undefined && "finished" in ended && "assistant_message" in ended.finished && ended.finished.assistant_message.text === said;
