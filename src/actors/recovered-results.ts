// Tool results of a turn that was taken up: what its log shows, with what the journal knows about it.

import type { Json } from "../domain/json.ts";
import { isOwnCall, isOwnResult, type Part } from "../domain/messages.ts";
import { failedOutput, projectOutput, type ShownToolError, type ToolCallOutput } from "../domain/tool-output.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { Resolution } from "../domain/waits.ts";
import type { TurnRecord } from "../stores/contract.ts";
import { outputOf } from "./turn/tools/completion.ts";

/** Results of the batches that had ended when the process died; those of an open batch come from running it again. */
export function resultsOf({ log, journal }: TurnRecord): ToolResult[] {
  const calls = new Map<string, Part>();
  const attempts = journal.flatMap(({ replayKey, outcome }) => {
    if (!("ok" in outcome)) return [];
    if (replayKey.endsWith(":await")) return [{ replayKey, output: outputOf(outcome.ok as unknown as Resolution), durationMs: 0, shown: undefined, args: undefined }];
    const { output, durationMs, shown, args } = outcome.ok as { readonly output?: ToolCallOutput; readonly durationMs?: number; readonly shown?: string; readonly args?: Json };
    const isCall = replayKey.includes(":attempt:") || replayKey.endsWith(":after");
    return isCall && output ? [{ replayKey, output, durationMs: durationMs ?? 0, shown, args }] : [];
  });
  const results: ToolResult[] = [];
  for (const part of log.flatMap((message) => message.parts)) {
    const callId = part.toolCallId ?? "";
    if (isOwnCall(part)) calls.set(callId, part);
    if (!isOwnResult(part)) continue;
    const ran = attempts.findLast(({ replayKey, output, shown }) => replayKey.includes(`:${callId}`) && (shown ?? projectOutput(output)) === part.content);
    const { output, durationMs, args } = ran ?? { output: outputShown(part.content), durationMs: 0, args: undefined };
    const { id: _, ...modelReturn } = part;
    results.push({ callId, toolName: part.toolName ?? "", args: args ?? argsOf(calls.get(callId)), output, durationMs, modelReturn: [modelReturn] });
  }
  return results;
}

/** Of a call without an attempt of its own: one that was refused before it ran, or a `batch` call, whose calls have them. */
function outputShown(content: string): ToolCallOutput {
  const shown = jsonOf(content);
  const { error } = shown as { readonly error?: ShownToolError };
  return error ? failedOutput(error) : { outcome: { status: "success", payload: shown } };
}

const argsOf = (call: Part | undefined): Json => jsonOf(call?.content ?? "{}");

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}
