// Messages and parts: what a conversation is made of, as stored and sent to models.

import type { Json } from "./json.ts";

export type Role = "User" | "Assistant" | "System" | "Event";
export type PartKind =
  | "Text" | "Image" | "Code" | "Output" | "Error" | "Prose" | "ToolCall" | "ToolResult" | "Reasoning";

/** Content-addressed reference to bytes kept outside the conversation; `id` is the lowercase SHA-256. */
export interface AttachmentRef {
  readonly id: string;
  readonly mime: string;
  readonly byteLength: number;
}

/** Replay metadata of a tool call: opaque to the runtime, sent back verbatim (PP-6). */
export interface ToolReplay {
  readonly itemId?: string;
  readonly opaque?: string;
}

/** Replay metadata of reasoning: opaque to the runtime, sent back verbatim (PP-6, T-38). */
export interface ReasoningMeta {
  readonly itemId?: string;
  readonly encryptedContent?: string;
  readonly signature?: string;
  readonly redacted?: boolean;
  readonly summary?: readonly string[];
  readonly opaque?: string;
}

/** What the provider said about a piece of text; `phase` decides what counts as prose (T-27). */
export interface ResponseMeta {
  readonly id?: string;
  readonly status?: string;
  readonly phase?: string;
  readonly providerPayload?: string;
  readonly originProvider?: string;
  readonly originModel?: string;
}

/** Content taken out of the prompt but not out of history; absent on a part means it is intact. */
export type PruneState =
  | "Cleared"
  | { readonly Deleted: { readonly breadcrumb: string; readonly archiveHash: string } }
  | { readonly Summarized: { readonly summary: string; readonly archiveHash: string } };

export interface Part {
  /** `<messageId>.p<index>`. */
  readonly id: string;
  readonly kind: PartKind;
  /** Text; for a tool call its arguments exactly as the model wrote them (T-30). */
  readonly content: string;
  readonly attachment?: { readonly reference: AttachmentRef };
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly toolReplay?: ToolReplay;
  readonly pruneState?: PruneState;
  readonly reasoningMeta?: ReasoningMeta;
  readonly responseMeta?: ResponseMeta;
}

/** Absent: said by the user, or by the model in answer. */
export type MessageOrigin =
  | { readonly kind: "plugin"; readonly pluginId: string; readonly transient?: boolean }
  | {
      readonly kind: "process";
      readonly processId: string;
      readonly eventType: string;
      readonly sequence: number;
      readonly wakeId?: string;
      readonly causedBy?: Json;
    };

export interface Message {
  readonly id: string;
  readonly role: Role;
  readonly parts: readonly Part[];
  readonly origin?: MessageOrigin;
}

export type PartDraft = Omit<Part, "id">;

/** Builds a message whose part ids follow from its own id. */
export function createMessage(id: string, role: Role, parts: readonly PartDraft[], origin?: MessageOrigin): Message {
  const numbered = parts.map((part, index): Part => ({ id: `${id}.p${index}`, ...part }));
  return origin ? { id, role, parts: numbered, origin } : { id, role, parts: numbered };
}

/** Transient messages live in prompts of their turn only and are never persisted (T-57b). */
export function isTransient(message: Message): boolean {
  return message.origin?.kind === "plugin" && message.origin.transient === true;
}

/** Visible text of a message: its text and prose parts, at least two newlines apart (T-27). */
export function messageText(message: Message): string {
  return joinProse(message.parts.filter((part) => part.kind === "Text" || part.kind === "Prose").map((part) => part.content));
}

/** Joins pieces of prose with at least two newlines between them (T-27). */
export function joinProse(pieces: readonly string[]): string {
  let joined = "";
  for (const piece of pieces) {
    if (piece === "") continue;
    if (joined === "") {
      joined = piece;
      continue;
    }
    const trailing = joined.length - trimEndNewlines(joined).length;
    const leading = piece.length - trimStartNewlines(piece).length;
    joined += "\n".repeat(Math.max(0, 2 - trailing - leading)) + piece;
  }
  return joined;
}

function trimEndNewlines(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === "\n") end--;
  return text.slice(0, end);
}

function trimStartNewlines(text: string): string {
  let start = 0;
  while (start < text.length && text[start] === "\n") start++;
  return text.slice(start);
}
