// A compactor that asks the model for a summary (PP-56). An entry of its own: most pages never need it.

import type { Compactor } from "./domain/compaction.ts";
import type { Message, Part } from "./domain/messages.ts";
import { shownContent } from "./domain/shown-result.ts";
import { completeDirect } from "./providers/direct-client.ts";
import { jsonSchemaProblem } from "./providers/json-schema.ts";

export interface SummarizeOptions {
  /** Default: the session's model. Its provider has to know it. */
  readonly model?: string;
  /** Most tokens of the summary. Default: what the provider allows. */
  readonly outputTokenCap?: number;
}

/** @internal What a summary begins with. */
export const SUMMARY_HEADING = "Compaction summary:";

const TASK = `You write the notes from which an assistant goes on with a conversation that it can no longer read.
Keep what was asked for, what was decided and why, names, numbers and identifiers to the letter, what was done and what is still open.
Leave out greetings, and detours that came to nothing. If the conversation begins with such notes, bring them up to date.
Answer with the notes only.`;

/**
 * One model call without tools or images that sums the conversation up; an empty answer changes nothing.
 *
 * @throws DirectCompletionError - from `session.compact`: the model gave no answer; nothing changed.
 */
export function summarize({ model, outputTokenCap }: SummarizeOptions = {}): Compactor {
  return async ({ sessionId, messages, provider, model: own, instructions, signal, clock }) => {
    const asked = [TASK, ...(instructions.trim() === "" ? [] : [`Besides: ${instructions}`])].join("\n\n");
    const { response } = await completeDirect(
      provider,
      {
        model: model ?? own.id,
        ...(model === undefined && own.variant !== undefined && { modelVariant: own.variant }),
        messages: [
          { role: "system", content: asked },
          { role: "user", content: messages.map(linesOf).join("\n\n") },
        ],
        ...(outputTokenCap !== undefined && { generation: { outputTokenCap } }),
        sessionId,
        cause: "compaction",
      },
      { requestId: `${sessionId}:rolling-history-compaction`, validate: jsonSchemaProblem, signal, clock },
    );
    const summary = response.fullText.trim();
    if (summary === "") return null;
    return { messages: [{ role: "Assistant", text: `${SUMMARY_HEADING}\n${summary}` }], usage: response.usage, model: model ?? own.id };
  };
}

const linesOf = ({ role, parts }: Message): string => [`${role}:`, ...parts.map(textOf).filter((text) => text !== "")].join("\n");

function textOf(part: Part): string {
  const { kind, content, toolName, filename } = part;
  switch (kind) {
    case "Image":
      return "[image]";
    case "File":
      return filename === undefined ? "[file]" : `[file ${filename}]`;
    case "Reasoning":
    case "ReasoningFile":
    case "Source":
    case "ApprovalRequest":
    case "Opaque":
      return "";
    case "ToolCall":
      return `[calls ${toolName ?? "a tool"} with ${content}]`;
    case "ToolResult":
      return `[${toolName ?? "the tool"} answered ${shownContent(part)}]`;
    default:
      return content;
  }
}
