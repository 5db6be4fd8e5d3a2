// A finished call, with what the model is shown of it (T-54).

import { projectOutput } from "../domain/tool-output.ts";
import type { Json } from "../domain/json.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { FinishedCall } from "./tool-group.ts";

interface NamedCall {
  readonly callId: string;
  readonly toolName: string;
  readonly args: Json;
}

export function toolResultOf({ callId, toolName, args }: NamedCall, { output, durationMs, stopsTurn, messages, shown }: FinishedCall): ToolResult {
  return {
    callId,
    toolName,
    args,
    output,
    durationMs,
    ...(stopsTurn && { stopsTurn }),
    ...(messages && { messages }),
    ...(shown !== undefined && { shown }),
    modelReturn: [
      { kind: "ToolResult", content: shown ?? projectOutput(output), toolCallId: callId, toolName, ...(output.outcome.status !== "success" && { isError: true }) },
      ...(output.attachments ?? []).map((reference) => ({ kind: "Image" as const, content: "", attachment: { reference } })),
    ],
  };
}
