// What a turn came to, as its row keeps it. The same row holds the turn's messages, so what follows from them is left out: the
// answer of most turns is the last message, and the tool calls are those of the messages, in their order.

import * as z from "zod/mini";
import { isOwnCall, type Message, messageText, plainText, type Part } from "../../domain/messages.ts";
import { type ModelCallRecord, outcomeText, type TurnOutcome } from "../../domain/outcome.ts";
import type { SessionNode } from "../../domain/session.ts";
import type { ToolCallReference, TurnResultRecord } from "../contract.ts";
import { opaque } from "./schema.ts";
import { modelCallRow, readModelCall, readUsage, usageRow, writeModelCall, writeUsage } from "./usage-row.ts";

const stop = z.union([
  z.enum(["cancelled", "incomplete", "invalid_input", "max_turns", "tool_failure", "provider_error", "plugin_abort", "runtime_error"]),
  z.strictObject({ submitted_error: z.strictObject({ value: opaque }) }),
  z.strictObject({ tool_error: z.strictObject({ tool_name: z.string(), value: opaque }) }),
]);

const outcome = z.union([
  z.strictObject({
    finished: z.union([
      z.strictObject({ assistant_message: z.strictObject({ text: z.string() }) }),
      z.strictObject({ final_value: z.strictObject({ value: opaque }) }),
      z.strictObject({ tool_value: z.strictObject({ tool_name: z.string(), value: opaque }) }),
    ]),
  }),
  z.strictObject({ agent_frame_switch: z.strictObject({ frame_id: z.string(), task: z.string() }) }),
  z.strictObject({ stopped: stop }),
]);

const issue = z.strictObject({
  kind: z.string(),
  code: z.exactOptional(z.string()),
  terminalReason: z.exactOptional(z.string()),
  message: z.string(),
  raw: z.exactOptional(z.string()),
  retryable: z.exactOptional(z.boolean()),
  providerFailureKind: z.exactOptional(z.string()),
});

export const cancellationRow = z.strictObject({
  requestId: z.string(),
  origin: z.enum(["turn", "lash"]),
  reason: z.exactOptional(z.string()),
  requestedAtMs: z.number(),
});

const toolStatus = z.enum(["success", "failure", "cancelled"]);

export const turnResultRow = z.strictObject({
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
  /** Status, duration in ms, and call id and tool name unless the messages have this call at this place. */
  tools: z.exactOptional(z.array(z.union([z.tuple([toolStatus, z.number()]), z.tuple([toolStatus, z.number(), z.string(), z.string()])]))),
  calls: z.exactOptional(z.array(modelCallRow)),
  /** Start in epoch ms, duration in ms. */
  time: z.tuple([z.number(), z.number()]),
  cancel: z.exactOptional(cancellationRow),
});
export type TurnResultRow = z.output<typeof turnResultRow>;
type ToolRow = NonNullable<TurnResultRow["tools"]>[number];

/** A result, the model calls it took, and the hash of its commit if there was one. */
export interface TurnEnding {
  readonly commitHash?: string;
  readonly result: TurnResultRecord;
  readonly modelCalls: readonly ModelCallRecord[];
}

/** @param nodes - what is stored beside the result. */
export function writeTurnResult({ result, modelCalls, commitHash }: TurnEnding, nodes: readonly SessionNode[]): TurnResultRow {
  const { issues, toolCalls } = result;
  return {
    id: result.turnId,
    inputHash: result.inputHash,
    ...(commitHash !== undefined && { commitHash }),
    ...(!isSaid(result.outcome, lastSaid(nodes)) && { outcome: result.outcome }),
    ...(result.text !== outcomeText(result.outcome) && { text: result.text }),
    usage: writeUsage(result.usage),
    ...(issues.length > 0 && { issues: [...issues] }),
    ...(toolCalls.length > 0 && { tools: writeTools(toolCalls, calledIn(nodes)) }),
    ...(modelCalls.length > 0 && { calls: modelCalls.map(writeModelCall) }),
    time: [result.startedAtMs, result.durationMs],
    ...(result.cancellation && { cancel: result.cancellation }),
  };
}

export function readTurnResult(row: TurnResultRow, nodes: readonly SessionNode[]): TurnEnding {
  const said = lastSaid(nodes);
  const ended: TurnOutcome = row.outcome ?? { finished: { assistant_message: { text: said ? messageText(said) : "" } } };
  const [startedAtMs, durationMs] = row.time;
  const result: TurnResultRecord = {
    turnId: row.id,
    inputHash: row.inputHash,
    outcome: ended,
    text: row.text ?? outcomeText(ended) ?? "",
    usage: readUsage(row.usage),
    issues: row.issues ?? [],
    toolCalls: readTools(row.tools ?? [], calledIn(nodes)),
    startedAtMs,
    durationMs,
    ...(row.cancel && { cancellation: row.cancel }),
  };
  const modelCalls = (row.calls ?? []).map(readModelCall);
  return { result, modelCalls, ...(row.commitHash !== undefined && { commitHash: row.commitHash }) };
}

/** The last node, if that is something the assistant said. */
function lastSaid(nodes: readonly SessionNode[]): Message | undefined {
  const body = nodes.at(-1)?.body;
  return body?.kind === "message" && body.message.role === "Assistant" ? body.message : undefined;
}

/** Older versions, which read this row too, take the text of the message for all of its text: then both have to say the same. */
function isSaid(ended: TurnOutcome, said: Message | undefined): boolean {
  if (said === undefined || !("finished" in ended) || !("assistant_message" in ended.finished)) return false;
  const { text } = ended.finished.assistant_message;
  return text === messageText(said) && text === plainText(said);
}

/** The tool calls of the messages. */
const calledIn = (nodes: readonly SessionNode[]): readonly Part[] =>
  nodes.flatMap(({ body }) => (body.kind === "message" ? body.message.parts.filter(isOwnCall) : []));

function writeTools(toolCalls: readonly ToolCallReference[], called: readonly Part[]): ToolRow[] {
  return toolCalls.map(({ callId, toolName, status, durationMs }, index) => {
    const part = called[index];
    return part?.toolCallId === callId && part.toolName === toolName ? [status, durationMs] : [status, durationMs, callId, toolName];
  });
}

function readTools(rows: readonly ToolRow[], called: readonly Part[]): ToolCallReference[] {
  return rows.map(([status, durationMs, callId, toolName], index) => ({
    callId: callId ?? called[index]?.toolCallId ?? "",
    toolName: toolName ?? called[index]?.toolName ?? "",
    status,
    durationMs,
  }));
}
