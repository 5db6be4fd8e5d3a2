// How long messages are for a model, roughly: without its tokenizer nobody knows better.

import { shownContent } from "./shown-result.ts";
import { isOwnResult, type Message, type Part } from "./messages.ts";

export const CHARS_PER_TOKEN = 4;
const TOKENS_PER_IMAGE = 1_200;

export function estimatedTokens(messages: readonly Message[]): number {
  let tokens = 0;
  for (const { parts } of messages) for (const part of parts) tokens += hasBytes(part) ? TOKENS_PER_IMAGE : partLength(part) / CHARS_PER_TOKEN;
  return tokens;
}

/** An image that is shown. */
export const isImage = ({ kind, pruneState }: Part): boolean => kind === "Image" && pruneState === undefined;

/** Images that came from users and tools, and files of whoever made them; those of a model go back to it as they came. */
const hasBytes = (part: Part): boolean => isImage(part) || (part.attachment !== undefined && part.pruneState === undefined);

const partLength = (part: Part): number => shownContent(part).length + (part.opaque ? JSON.stringify(part.opaque.json).length : 0);

/** Begins a turn, or was said while one ran: tool results and what plugins say belong to what came before them. */
export const isSaidByUser = ({ role, origin, parts }: Message): boolean => role === "User" && origin === undefined && !parts.some(isOwnResult);
