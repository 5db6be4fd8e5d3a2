import { isPlainObject, type Json } from "./json.ts";
import { createMessage, type Message } from "./messages.ts";

/** A message in the making: who says it, and the text. */
export interface MessageDraft {
  readonly role: "User" | "Assistant" | "System";
  readonly text: string;
}

/** Reads a draft that came through a journal or a tool; undefined when it is none. */
export function readDraft(value: Json): MessageDraft | undefined {
  if (!isPlainObject(value)) return undefined;
  const { role, text } = value;
  const known = role === "User" || role === "Assistant" || role === "System";
  return known && typeof text === "string" ? { role, text } : undefined;
}

export const messageOfDraft = (id: string, { role, text }: MessageDraft): Message => createMessage(id, role, [{ kind: "Text", content: text }]);
