// The outcome of a `batch` call: the outcomes of its calls in one value (T-35, PP-42).

import type { Json } from "../../../domain/json.ts";
import type { Limits } from "../../../domain/limits.ts";
import type { PluginMessage } from "../../../domain/plugin-message.ts";
import { tellValue } from "../../../domain/tell-value.ts";
import { shownOutput, type ToolCallOutput } from "../../../domain/tool-output.ts";
import type { ToolResult } from "../../../machines/effects.ts";

export interface FinishedCall {
  readonly output: ToolCallOutput;
  readonly durationMs: number;
  /** Those that it ran with, where the model wrote others. */
  readonly args?: Json;
  readonly stopsTurn?: boolean;
  readonly messages?: readonly PluginMessage[];
  readonly shown?: string;
}

/** What a batch puts around each result. */
const LEVELS = 3;
const FIELDS = 10;

/**
 * Made of recorded outcomes only, so that a recovery comes to the same. The first call that asks something of the turn is
 * heard, as it would be outside. Together the results keep the limit of one: what no longer fits is cut.
 */
export function groupResult(calls: readonly ToolResult[], { toolResultBytes, jsonDepth, jsonValues }: Limits): FinishedCall {
  const results = calls.map(({ toolName, output, durationMs, shown: text }, index): Json => {
    const entry = { index, tool: toolName, success: output.outcome.status === "success", duration_ms: durationMs };
    return { ...entry, ...(text === undefined ? shownOutput(output) : { result: text }) };
  });
  const within = { bytes: toolResultBytes, depth: jsonDepth + LEVELS, values: (jsonValues + FIELDS) * (calls.length + 1) };
  const { value: payload, converted } = tellValue({ results }, within);
  const control = calls.find(({ output }) => output.outcome.status === "success" && output.control)?.output.control;
  const messages = calls.flatMap((call) => call.messages ?? []);
  const attachments = calls.flatMap(({ output }) => output.attachments ?? []);
  return {
    output: {
      outcome: { status: "success", payload },
      ...(converted.length > 0 && { converted }),
      ...(control && { control }),
      ...(attachments.length > 0 && { attachments }),
    },
    durationMs: Math.max(...calls.map(({ durationMs }) => durationMs)),
    ...(calls.some(({ stopsTurn }) => stopsTurn) && { stopsTurn: true }),
    ...(messages.length > 0 && { messages }),
  };
}
