// Messages as rows keep them: the parts of a message usually have ids that follow from its own (`<messageId>.p<index>`),
// and those are not stored; a message of one plain text is just that text. Checked by hand, because a session of 1,000 turns reads thousands of them at once: zod/mini
// takes five times as long.

import type { Json, JsonObject } from "../../domain/json.ts";
import { type AnswerInfo, type IncompleteReason, isBound, type Message, type MessageOrigin, type Part, type PartKind, type Role } from "../../domain/messages.ts";

/** Makes the error for a row that says something else than it should. */
export type Fault = (problem: string) => Error;

const ROLES: ReadonlySet<unknown> = new Set<Role>(["User", "Assistant", "System", "Event"]);
const KINDS: ReadonlySet<unknown> = new Set<PartKind>([
  "Text", "Image", "Code", "Output", "Error", "Prose", "ToolCall", "ToolResult", "Reasoning",
  "File", "ReasoningFile", "Source", "ApprovalRequest", "Opaque",
]);
const INCOMPLETE: ReadonlySet<unknown> = new Set<IncompleteReason>(["output_limit", "content_filter", "cancelled", "failed"]);

/** Cheaper than `isPlainObject`: engines hand out nothing but JSON and bytes. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Role, content and origin of a message; the id is kept by whoever holds the row. */
export function writeMessage(message: Message): JsonObject {
  const { role, origin, answer, incomplete } = message;
  const parts = message.parts.map((part, index) => writePart(part, `${message.id}.p${index}`));
  const [only] = parts;
  const isPlain = parts.length === 1 && only !== undefined && only["kind"] === "Text" && Object.keys(only).length === 2;
  return {
    role,
    ...(isPlain ? { text: only["content"] ?? "" } : { parts }),
    ...(origin !== undefined && { origin: origin as unknown as Json }),
    ...(answer !== undefined && { answer: answer as unknown as Json }),
    ...(incomplete !== undefined && { incomplete }),
  };
}

function writePart(part: Part, derivedId: string): JsonObject {
  if (part.id !== derivedId) return part as unknown as JsonObject;
  const { id: _, ...rest } = part;
  return rest as unknown as JsonObject;
}

/** @param asked - model that the turn of this row asked: rows of the first versions say only there whose answers they hold. */
export function readMessage(row: Readonly<Record<string, unknown>>, id: string, fault: Fault, asked?: string): Message {
  const { role, origin, answer, incomplete } = row;
  if (!ROLES.has(role)) throw fault("a message has no known role");
  const message: { -readonly [Field in keyof Message]: Message[Field] } = { id, role: role as Role, parts: readParts(row, id, fault) };
  if (origin !== undefined) message.origin = readOrigin(origin, fault);
  if (answer !== undefined) message.answer = readAnswer(answer, fault);
  else if (asked !== undefined && role === "Assistant" && origin === undefined && message.parts.some(isBound)) message.answer = { model: asked };
  if (incomplete !== undefined) message.incomplete = readIncomplete(incomplete, fault);
  return message;
}

function readAnswer(answer: unknown, fault: Fault): AnswerInfo {
  const { provider, model } = isRecord(answer) ? answer : {};
  if ((provider !== undefined && typeof provider !== "string") || typeof model !== "string") throw fault("a message does not say which model it answers for");
  return answer as unknown as AnswerInfo;
}

function readIncomplete(reason: unknown, fault: Fault): IncompleteReason {
  if (!INCOMPLETE.has(reason)) throw fault("a message is incomplete for no known reason");
  return reason as IncompleteReason;
}

function readParts({ text, parts }: Readonly<Record<string, unknown>>, id: string, fault: Fault): Part[] {
  if (typeof text === "string") return [{ id: `${id}.p0`, kind: "Text", content: text }];
  if (!Array.isArray(parts)) throw fault("a message has neither text nor parts");
  const read: Part[] = [];
  for (let i = 0; i < parts.length; i++) read.push(readPart(parts[i], id, i, fault));
  return read;
}

function readPart(row: unknown, messageId: string, index: number, fault: Fault): Part {
  if (!isRecord(row)) throw fault("a part is no object");
  if (!KINDS.has(row["kind"])) throw fault("a part has no known kind");
  if (typeof row["content"] !== "string") throw fault("a part has no content");
  for (const field in row) if (!isPartField(field, row[field])) throw fault(`a part has an invalid "${field}"`);
  return { id: `${messageId}.p${index}`, ...row } as unknown as Part;
}

function isPartField(field: string, value: unknown): boolean {
  switch (field) {
    case "kind":
    case "content":
      return true;
    case "id":
    case "toolCallId":
    case "toolName":
    case "mime":
    case "restTool":
    case "filename":
    case "url":
    case "approvalId":
      return typeof value === "string";
    case "providerExecuted":
    case "isError":
      return value === true;
    case "shownBytes":
      return Number.isSafeInteger(value);
    case "citations":
      return true;
    case "opaque":
      return isRecord(value) && typeof value["provider"] === "string" && typeof value["type"] === "string" && value["json"] !== undefined;
    case "attachment":
      return isRecord(value) && isAttachmentRef(value["reference"]);
    case "toolReplay":
    case "reasoningMeta":
    case "responseMeta":
    case "metadata":
    case "source":
      return isRecord(value);
    case "pruneState":
      return value === "Cleared" || isRecord(value);
    default:
      return false;
  }
}

const isAttachmentRef = (value: unknown): boolean =>
  isRecord(value) && typeof value["id"] === "string" && typeof value["mime"] === "string" && typeof value["byteLength"] === "number";

function readOrigin(origin: unknown, fault: Fault): MessageOrigin {
  if (isRecord(origin)) {
    if (origin["kind"] === "plugin" && typeof origin["pluginId"] === "string") return origin as unknown as MessageOrigin;
    if (
      origin["kind"] === "process" &&
      typeof origin["processId"] === "string" &&
      typeof origin["eventType"] === "string" &&
      typeof origin["sequence"] === "number"
    ) {
      return origin as unknown as MessageOrigin;
    }
  }
  throw fault("a message has an invalid origin");
}
