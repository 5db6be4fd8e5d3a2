// The outcome of a `batch` call: the outcomes of its calls in one value (T-35, PP-42).

import type { Json } from "../domain/json.ts";
import { utf8Length } from "../domain/utf8.ts";
import type { Limits } from "../domain/limits.ts";
import type { PluginMessage } from "../domain/plugin-message.ts";
import { shownOutput, type ToolCallOutput } from "../domain/tool-output.ts";
import type { ToolResult } from "../machines/effects.ts";

export interface FinishedCall {
  readonly output: ToolCallOutput;
  readonly durationMs: number;
  readonly stopsTurn?: boolean;
  readonly messages?: readonly PluginMessage[];
  readonly shown?: string;
}

/**
 * Made of recorded outcomes only, so that a recovery comes to the same. The first call that asks something of the turn is
 * heard, as it would be outside (T-31). Together the results keep the limit of one: what no longer fits says so.
 */
export function groupResult(calls: readonly ToolResult[], { toolResultBytes }: Limits): FinishedCall {
  let room = toolResultBytes;
  const results = calls.map(({ toolName, output, durationMs, shown: text }, index): Json => {
    const entry = { index, tool: toolName, success: output.outcome.status === "success", duration_ms: durationMs };
    const shown: Json = { ...entry, ...(text === undefined ? shownOutput(output) : { result: text }) };
    const size = utf8Length(JSON.stringify(shown));
    if (size > room) return { ...entry, error: { class: "resource_limit", code: "limit_exceeded", message: "the call ended, but with the results before it its own is too large for one batch" } };
    room -= size;
    return shown;
  });
  const control = calls.find(({ output }) => output.outcome.status === "success" && output.control)?.output.control;
  const messages = calls.flatMap((call) => call.messages ?? []);
  const attachments = calls.flatMap(({ output }) => output.attachments ?? []);
  return {
    output: {
      outcome: { status: "success", payload: { results } },
      ...(control && { control }),
      ...(attachments.length > 0 && { attachments }),
    },
    durationMs: Math.max(...calls.map(({ durationMs }) => durationMs)),
    ...(calls.some(({ stopsTurn }) => stopsTurn) && { stopsTurn: true }),
    ...(messages.length > 0 && { messages }),
  };
}
