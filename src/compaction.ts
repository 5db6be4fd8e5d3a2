// A compactor that asks the model for a summary (PP-56). An entry of its own: most pages never need it.

import type { Compactor } from "./domain/compaction.ts";
import type { Message, Part } from "./domain/messages.ts";
import { shownContent } from "./domain/shown-result.ts";
import { CHARS_PER_TOKEN } from "./domain/token-estimate.ts";
import { cutMiddle } from "./domain/truncate.ts";
import { addUsage, zeroUsage } from "./domain/usage.ts";
import type { LlmResponse } from "./providers/contract.ts";
import { completeDirect } from "./providers/direct-client.ts";
import { DirectCompletionError } from "./providers/direct.ts";
import { jsonSchemaProblem } from "./providers/json-schema.ts";
import { piecesOf, sliceOf } from "./summary-slices.ts";

export interface SummarizeOptions {
  /** Default: the session's model. Its provider has to know it. */
  readonly model?: string;
  /** Of that model, in tokens. Default: the session's for its own model, else unknown. */
  readonly contextWindowTokens?: number;
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
 * Model calls without tools or images that sum the conversation up, one after another where it does not fit into one: each is given
 * the notes so far and the next slice, oldest first. A message that does not fit on its own is cut in the middle. How much fits
 * follows from `contextWindowTokens`, and where the model refuses a prompt as too long, from that. An empty answer changes nothing.
 *
 * @throws DirectCompletionError - from `session.compact`: the model gave no answer; nothing changed.
 */
export function summarize({ model, contextWindowTokens, outputTokenCap }: SummarizeOptions = {}): Compactor {
  return async ({ sessionId, messages, provider, model: own, instructions, signal, clock }) => {
    const asked = [TASK, ...(instructions.trim() === "" ? [] : [`Besides: ${instructions}`])].join("\n\n");
    const ask = async (text: string, number: number): Promise<LlmResponse> => {
      const { response } = await completeDirect(
        provider,
        {
          model: model ?? own.id,
          ...(model === undefined && own.variant !== undefined && { modelVariant: own.variant }),
          messages: [
            { role: "system", content: asked },
            { role: "user", content: text },
          ],
          ...(outputTokenCap !== undefined && { generation: { outputTokenCap } }),
          sessionId,
          cause: "compaction",
        },
        { requestId: `${sessionId}:rolling-history-compaction${number === 0 ? "" : `:${number}`}`, validate: jsonSchemaProblem, signal, clock },
      );
      return response;
    };
    const window = contextWindowTokens ?? (model === undefined ? own.limits?.contextWindowTokens : undefined);
    let most = window === undefined ? Number.POSITIVE_INFINITY : Math.max(LEAST_CHARS, window * SHARE * CHARS_PER_TOKEN - asked.length);
    const pieces = piecesOf(messages, linesOf);
    let notes = "";
    let usage = zeroUsage;
    for (let next = 0, number = 0; next < pieces.length; number += 1) {
      signal.throwIfAborted();
      const before = notes === "" ? "" : `User:\n${cutMiddle(summaryOf(notes), most / 2)}\n\n`;
      const slice = sliceOf(pieces, next, most - before.length);
      const text = before + slice.text;
      try {
        const response = await ask(text, number);
        usage = addUsage(usage, response.usage);
        notes = response.fullText.trim();
        if (notes === "") return null;
        next = slice.next;
      } catch (error) {
        if (!isTooLong(error) || text.length <= LEAST_CHARS) throw error;
        most = Math.max(LEAST_CHARS, Math.floor(text.length / 2));
      }
    }
    return notes === "" ? null : { messages: [{ role: "User", text: summaryOf(notes) }], usage, model: model ?? own.id };
  };
}

/** Of the window, by a rough estimate; the rest is for the task, the notes, and for being wrong. */
const SHARE = 0.6;
/** A prompt that is still too long then is no matter of its length. */
const LEAST_CHARS = 1_000;

const summaryOf = (notes: string): string => `${SUMMARY_HEADING}\n${notes}`;

const isTooLong = (error: unknown): boolean =>
  DirectCompletionError.is(error) && (error.failure?.terminalReason === "context_overflow" || error.failure?.status === 413);

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
