// Messages and parts: what a conversation is made of, as stored and sent to models.

import type { Json, JsonObject } from "./json.ts";

export type Role = "User" | "Assistant" | "System" | "Event";
export type PartKind =
  | "Text" | "Image" | "Code" | "Output" | "Error" | "Prose" | "ToolCall" | "ToolResult" | "Reasoning"
  // Since records of version 2 (see `needsVersion2`).
  | "File" | "ReasoningFile" | "Source" | "ApprovalRequest" | "Opaque";

/** Content-addressed reference to bytes kept outside the conversation; `id` is the lowercase SHA-256. */
export interface AttachmentRef {
  readonly id: string;
  readonly mime: string;
  readonly byteLength: number;
}

/** Replay metadata of a tool call: opaque to the runtime, sent back verbatim. */
export interface ToolReplay {
  readonly itemId?: string;
  readonly opaque?: string;
}

/** Replay metadata of reasoning: opaque to the runtime, sent back verbatim. */
export interface ReasoningMeta {
  readonly itemId?: string;
  readonly encryptedContent?: string;
  readonly signature?: string;
  readonly redacted?: boolean;
  readonly summary?: readonly string[];
  readonly opaque?: string;
}

/** What the provider said about a piece of text; `phase` decides what counts as prose. */
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

/** Something a provider said that no other kind of part can hold; kept and sent back as it came. */
export interface OpaqueContent {
  /** Provider that said it, as the model names itself. */
  readonly provider: string;
  /** The provider's or the client's word for what it is. */
  readonly type: string;
  readonly json: Json;
}

export interface Part {
  /** `<messageId>.p<index>`. */
  readonly id: string;
  readonly kind: PartKind;
  /**
   * Text; for a tool call its arguments exactly as the model wrote them; for the result of a provider-executed call its JSON;
   * for a source its title or address; empty for files and opaque parts.
   */
  readonly content: string;
  /** Bytes of an image or a file. */
  readonly attachment?: { readonly reference: AttachmentRef };
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly toolReplay?: ToolReplay;
  readonly pruneState?: PruneState;
  readonly reasoningMeta?: ReasoningMeta;
  readonly responseMeta?: ResponseMeta;
  /** Metadata of the provider, verbatim, on parts that have no field of their own for it. */
  readonly metadata?: JsonObject;
  /** The provider ran this call itself, or this is the result it gave. The runtime never runs such a call. */
  readonly providerExecuted?: true;
  /** On a tool result: the call failed. */
  readonly isError?: true;
  /** On a tool result: most bytes of its text that a model is shown; absent means all. */
  readonly shownBytes?: number;
  /** On a file: its media type as its maker named it, where that is not the attachment's. */
  readonly mime?: string;
  /** On a tool result that is shown in part: the tool with which the model reads the rest. */
  readonly restTool?: string;
  /** On a file: its name, where one is known. */
  readonly filename?: string;
  /** On a file or source that is known by address. */
  readonly url?: string;
  /** On text: what the provider cites for it, verbatim. */
  readonly citations?: Json;
  /** On a source: all that the provider said of it. */
  readonly source?: JsonObject;
  /** On a request of the provider to approve a call that it would run. */
  readonly approvalId?: string;
  readonly opaque?: OpaqueContent;
}

/** The model call that a message answers. Its parts are bound to this origin. */
export interface AnswerInfo {
  /** Id of the runtime's provider that was asked. Absent on what versions before 0.2 wrote: their rows tell the model only. */
  readonly provider?: string;
  /** Model id that was asked for; the one that answered may be named otherwise. */
  readonly model: string;
  readonly servedModel?: string;
  readonly responseId?: string;
  /** How the answer ended: in common words, and in the provider's own. */
  readonly finish?: { readonly unified: string; readonly raw?: string };
  /** What the provider said at the end of the answer, verbatim. */
  readonly metadata?: JsonObject;
  readonly warnings?: readonly Json[];
  /** The provider rested in the middle of its answer; the next message of the turn goes on with it. */
  readonly paused?: true;
}

/** Why an answer was cut off. */
export type IncompleteReason = "output_limit" | "content_filter" | "cancelled" | "failed";

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
  /** On what a model said. Absent in rows that older versions wrote, and on what the host or a plugin made. */
  readonly answer?: AnswerInfo;
  /** The answer was cut off: its text is sent again with a note, nothing else of it. */
  readonly incomplete?: IncompleteReason;
}

/** Kinds and fields that version 1 does not know. */
const NEW_KINDS: ReadonlySet<PartKind> = new Set<PartKind>(["File", "ReasoningFile", "Source", "ApprovalRequest", "Opaque"]);
const NEW_FIELDS = [
  "metadata", "providerExecuted", "isError", "shownBytes", "restTool", "mime", "filename", "url", "citations", "source", "approvalId", "opaque",
] as const satisfies readonly (keyof Part)[];

/**
 * Whether a record that holds this message has to be of version 2, because a version that reads only 1 would misread it. What the
 * answer says about itself is not among it: a reader that passes it by reads the conversation right.
 */
export const needsVersion2 = ({ parts, incomplete }: Message): boolean =>
  incomplete !== undefined || parts.some((part) => NEW_KINDS.has(part.kind) || NEW_FIELDS.some((field) => part[field] !== undefined));

export type PartDraft = Omit<Part, "id">;

/** What a message may carry beside its parts. */
export type MessageFacts = Pick<Message, "answer" | "incomplete">;

/** Builds a message whose part ids follow from its own id. */
export function createMessage(id: string, role: Role, parts: readonly PartDraft[], origin?: MessageOrigin, facts?: MessageFacts): Message {
  const numbered = parts.map((part, index): Part => ({ id: `${id}.p${index}`, ...part }));
  return { id, role, parts: numbered, ...(origin && { origin }), ...facts };
}

/** A call that is the runtime's to run and to answer, not one that the provider ran itself. */
export const isOwnCall = ({ kind, providerExecuted }: PartDraft): boolean => kind === "ToolCall" && providerExecuted !== true;

/** The result of such a call. */
export const isOwnResult = ({ kind, providerExecuted }: PartDraft): boolean => kind === "ToolResult" && providerExecuted !== true;

/** Whether a part carries something that only the model which gave it understands. */
export const isBound = ({ reasoningMeta, toolReplay, responseMeta }: PartDraft): boolean => Boolean(reasoningMeta ?? toolReplay ?? responseMeta);

/** Transient messages live in prompts of their turn only and are never persisted. */
export function isTransient(message: Message): boolean {
  return message.origin?.kind === "plugin" && message.origin.transient === true;
}

/** What the text of a message follows from. */
export type Spoken = Pick<Message, "role" | "answer"> & { readonly parts: readonly PartDraft[] };

/**
 * Visible text of a message. Of an answer: its text as it is, with two newlines where anything but text was between, and
 * without commentary once there is a final answer. Of other messages, and of those that older versions wrote: all text and prose,
 * two newlines apart.
 */
export function messageText(message: Spoken): string {
  return message.answer?.provider === undefined ? plainText(message) : answerText(message.parts);
}

/** All text of a message, at least two newlines apart. */
export const plainText = ({ parts }: Pick<Spoken, "parts">): string => joinProse(parts.filter(isSpoken).map((part) => part.content));

const isSpoken = ({ kind }: PartDraft): boolean => kind === "Text" || kind === "Prose";

/** Parts that are no words of the answer, and nothing that stands between them either. */
const UNSEEN: ReadonlySet<PartKind> = new Set<PartKind>(["Source", "ApprovalRequest", "Opaque"]);

function answerText(parts: readonly PartDraft[]): string {
  let text = "";
  for (const { part, isApart } of spokenParts(parts)) text += (isApart ? missingNewlines(text, part.content) : "") + part.content;
  return text;
}

/** Parts of an answer that people read as its text, in order; `isApart` where something else stands between one and the one before. */
export function spokenParts<Spoken extends PartDraft>(parts: readonly Spoken[]): readonly { readonly part: Spoken; readonly isApart: boolean }[] {
  const isFinal = parts.some((part) => isSpoken(part) && part.responseMeta?.phase === "final_answer");
  const spoken: { readonly part: Spoken; readonly isApart: boolean }[] = [];
  let isApart = false;
  for (const part of parts) {
    if (UNSEEN.has(part.kind)) continue;
    if (!isSpoken(part) || (isFinal && part.responseMeta?.phase === "commentary")) isApart = true;
    else if (part.content !== "") {
      spoken.push({ part, isApart: isApart && spoken.length > 0 });
      isApart = false;
    }
  }
  return spoken;
}

/** Joins pieces of prose with at least two newlines between them. */
export function joinProse(pieces: readonly string[]): string {
  let joined = "";
  for (const piece of pieces) {
    if (piece !== "") joined += missingNewlines(joined, piece) + piece;
  }
  return joined;
}

/** What two pieces of text lack to be two newlines apart; nothing before the first one. */
export function missingNewlines(before: string, piece: string): string {
  if (before === "") return "";
  let there = 0;
  while (there < before.length && before[before.length - 1 - there] === "\n") there++;
  for (let at = 0; at < piece.length && piece[at] === "\n"; at++) there++;
  return "\n".repeat(Math.max(0, 2 - there));
}
