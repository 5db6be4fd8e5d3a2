// A finished call, with what the model is shown of it (T-54).

import { projectOutput } from "../../../domain/tool-output.ts";
import type { Json } from "../../../domain/json.ts";
import type { PartDraft } from "../../../domain/messages.ts";
import { utf8Length } from "../../../domain/utf8.ts";
import type { ToolResult } from "../../../machines/effects.ts";
import type { FinishedCall } from "./group.ts";
import { partOfFile } from "../../images.ts";

interface NamedCall {
  readonly callId: string;
  readonly toolName: string;
  readonly args: Json;
}

/** How much of a result a model is shown, and the tool that reads the rest, where there is one. */
export interface ResultBound {
  /** Bytes of UTF-8. */
  readonly most: number;
  readonly restTool?: string | undefined;
}

export function toolResultOf({ callId, toolName, args }: NamedCall, { output, durationMs, stopsTurn, messages, shown }: FinishedCall, bound: ResultBound): ToolResult {
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
      {
        kind: "ToolResult",
        ...(shown === undefined ? bounded(projectOutput(output), bound) : { content: shown }),
        toolCallId: callId,
        toolName,
        ...(output.outcome.status !== "success" && { isError: true }),
      },
      ...(output.attachments ?? []).map(partOfFile),
    ],
  };
}

/** Kept whole, with how much of it a model is shown; what a plugin shows in its place is the plugin's to bound. */
function bounded(content: string, { most, restTool }: ResultBound): Pick<PartDraft, "content" | "shownBytes" | "restTool"> {
  // One character takes 1 to 3 bytes, or 2 of them 4.
  if (content.length * 3 <= most || utf8Length(content) <= most) return { content };
  return { content, shownBytes: most, ...(restTool !== undefined && { restTool }) };
}
