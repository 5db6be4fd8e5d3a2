// Rolling history: long conversations are shown to the model in part, and compacted when the host asks for it (PP-53, PP-54).
// A view for one turn at a time: what is stored stays as it is, and no model is asked to sum anything up on the way.

import { SUMMARY_HEADING, summarize, type SummarizeOptions } from "./compaction.ts";
import { type Message, messageText, type Part } from "./domain/messages.ts";
import { estimatedTokens, isImage, isSaidByUser } from "./domain/token-estimate.ts";
import { totalTokens } from "./domain/usage.ts";
import type { ContextView, Plugin, PreparedContext } from "./plugins/contract.ts";
import { plugin } from "./plugins/plugin.ts";

export interface RollingHistoryOptions {
  /** Share of the context window from which older images are left out. Default 0.6. */
  readonly imagesUntil?: number;
  /** Tokens that are kept free: from the window less this on, only the end of the conversation is shown. Default 20 000. */
  readonly reserveTokens?: number;
  /** About how many tokens of the end are shown. Default 20 000. */
  readonly tailTokens?: number;
  /** For `session.compact()` without a compactor. */
  readonly summary?: SummarizeOptions;
}

/**
 * A plugin that keeps prompts within the context window. It needs `model.contextWindowTokens`: without it, or before the first
 * model call, everything is shown. Turns are shown whole or not at all, and the latest one always.
 */
export function rollingHistory({ imagesUntil = 0.6, reserveTokens = 20_000, tailTokens = 20_000, summary }: RollingHistoryOptions = {}): Plugin {
  const shape = (context: ContextView): PreparedContext | undefined => {
    const window = context.model.limits?.contextWindowTokens;
    if (window === undefined || context.lastPromptUsage === undefined) return undefined;
    const used = totalTokens(context.lastPromptUsage);
    if (used < Math.min(imagesUntil * window, window - reserveTokens)) return undefined;
    const whole = used >= imagesUntil * window ? withoutOldImages(context.view) : context.view;
    // More than half of a small window would leave no room for an answer.
    return { view: used >= window - reserveTokens ? ending(whole, Math.min(tailTokens, window / 2)) : whole };
  };
  return plugin({ id: "rolling_history", build: () => ({ transformContext: shape, compact: summarize(summary) }) });
}

/** What the turn itself is asked is the latest thing said; of the history, images up to the one before it go. */
function withoutOldImages(messages: readonly Message[]): readonly Message[] {
  const until = messages.findLastIndex(isAsked);
  return messages.map((message, index) => (index <= until && message.parts.some(isImage) ? { ...message, parts: message.parts.map(cleared) } : message));
}

const cleared = (part: Part): Part => (isImage(part) ? { ...part, pruneState: "Cleared" } : part);

/** System messages at the beginning, the latest summary, and as many of the last turns as fit. */
function ending(messages: readonly Message[], most: number): readonly Message[] {
  const from = cutOf(messages, most);
  const start = messages.findIndex(({ role }) => role !== "System");
  const prefix = messages.slice(0, Math.min(start < 0 ? messages.length : start, from));
  const summary = messages.slice(prefix.length, from).findLast(isSummary);
  return [...prefix, ...(summary ? [summary] : []), ...messages.slice(from)];
}

/** Where the earliest turn begins that fits together with all that follow; the last one is shown however long it is. */
function cutOf(messages: readonly Message[], most: number): number {
  let size = 0;
  let cut: number | undefined;
  for (let index = messages.length - 1; index >= 0; index--) {
    const message = messages[index];
    if (!message) continue;
    size += estimatedTokens([message]);
    if (size > most && cut !== undefined) break;
    if (isAsked(message)) cut = index;
    if (size > most && cut !== undefined) break;
  }
  return cut ?? 0;
}

/** Versions before 0.2 had the assistant say it. */
const isSummary = (message: Message): boolean => (message.role === "User" || message.role === "Assistant") && messageText(message).startsWith(SUMMARY_HEADING);

const isAsked = (message: Message): boolean => isSaidByUser(message) && !isSummary(message);
