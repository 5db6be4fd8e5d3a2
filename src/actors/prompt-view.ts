// Prompt view: messages as a model is shown them (T-36..T-39). A projection only; committed history is never rewritten.

import { isBound, joinProse, type AttachmentRef, type Message, type Part } from "../domain/messages.ts";
import { shownContent } from "../domain/shown-result.ts";
import { leftOut } from "../domain/suspect-media.ts";
import type { LlmContentBlock, LlmMessage, LlmOrigin } from "../providers/contract.ts";

/** Gives an image or a file its place among the attachments of the request. */
export type PlaceAttachment = (reference: AttachmentRef) => number;

/** Parts whose media are left out, by id. */
export type HiddenParts = ReadonlySet<string> | undefined;

/**
 * What a model sees of a message, if it sees anything. Cheap enough to be done anew for each call of a turn; a history keeps what it gave for its own messages.
 *
 * @param recorded - who was asked by then, for answers that do not say it themselves.
 */
export function toLlmMessage(message: Message, place: PlaceAttachment, recorded?: LlmOrigin, hidden?: HiddenParts): LlmMessage | undefined {
  switch (message.role) {
    case "User":
      return ofBlocks("user", message.parts, (part) => userBlock(part, place, hidden));
    case "Assistant":
      return answered(message, place, recorded, hidden);
    case "System":
      return { role: "system", blocks: [{ type: "text", text: `Runtime note:\n${joinProse(message.parts.map(systemText))}` }] };
    case "Event":
      return { role: "user", blocks: [{ type: "text", text: `Runtime event:\n${joinProse(message.parts.map(textOf))}` }] };
  }
}

/** An answer goes back as it came, and says whose it is; one that was cut off is its text alone (ME-2, ME-3, ME-11). */
function answered(message: Message, place: PlaceAttachment, recorded: LlmOrigin | undefined, hidden: HiddenParts): LlmMessage | undefined {
  const { incomplete } = message;
  const parts = asSaid(message);
  const origin = originOf(message, recorded);
  const shown = ofBlocks("assistant", parts, (part) => assistantBlock(part, place, incomplete !== undefined, hidden));
  if (!shown || (!origin && !incomplete)) return shown;
  return {
    ...shown,
    ...(origin && { origin }),
    ...(incomplete && { incomplete }),
  };
}

/**
 * The first versions kept the words of an answer before everything else. Models think before they speak, and refuse to be told
 * otherwise: what an older row has of thoughts before its first call goes back to the front.
 */
function asSaid({ parts, answer }: Message): readonly Part[] {
  if (answer?.provider !== undefined) return parts;
  const firstCall = parts.findIndex(({ kind }) => kind === "ToolCall");
  const end = firstCall < 0 ? parts.length : firstCall;
  const thoughts = parts.slice(0, end).filter(isThought);
  if (thoughts.length === 0 || thoughts.length === end) return parts;
  return [...thoughts, ...parts.slice(0, end).filter((part) => !isThought(part)), ...parts.slice(end)];
}

const isThought = ({ kind }: Part): boolean => kind === "Reasoning";

/**
 * Messages of the first versions do not say who was asked: their rows know the model, and the session knows its provider. Where
 * nothing of a message is bound to a model, nobody has to know.
 */
function originOf({ answer, origin, parts }: Message, recorded: LlmOrigin | undefined): LlmOrigin | undefined {
  if (answer?.provider !== undefined) return { provider: answer.provider, model: answer.model };
  if (!recorded || origin || !parts.some(isBound)) return undefined;
  return answer ? { provider: recorded.provider, model: answer.model } : recorded;
}

/** What the turn that runs is told beside its user's words, said last and all at once; undefined where that is nothing. */
export function eventsText(turn: readonly Message[]): string | undefined {
  const events = turn.filter(({ role }) => role === "Event");
  if (events.length === 0) return undefined;
  const texts = events.map(({ id, origin, parts }, index) => {
    const [type, from] = origin?.kind === "process" ? [origin.eventType, `process ${origin.processId} #${origin.sequence}`] : ["event", "runtime"];
    return `--- event[${index}] · ${type} · ${id} ---\nOrigin: ${from}\n${joinProse(parts.map(textOf))}`;
  });
  return `=== TURN EVENTS ===\n${texts.join("\n\n")}`;
}

/** A loop, because a session that is opened again passes all its parts through here before its first call. */
function ofBlocks(role: LlmMessage["role"], parts: readonly Part[], blockOf: (part: Part) => LlmContentBlock | undefined): LlmMessage | undefined {
  const blocks: LlmContentBlock[] = [];
  for (const part of parts) {
    const block = blockOf(part);
    if (block) blocks.push(block);
  }
  return blocks.length > 0 ? { role, blocks } : undefined;
}

function userBlock(part: Part, place: PlaceAttachment, hidden: HiddenParts): LlmContentBlock {
  switch (part.kind) {
    case "ToolResult":
      return {
        type: "toolResult",
        callId: part.toolCallId ?? "",
        content: textOf(part),
        ...(part.toolName !== undefined && { toolName: part.toolName }),
        ...(part.isError && { isError: true }),
      };
    case "File":
      return fileBlock(part, place, hidden);
    case "Image":
      // Images are sent from user messages only, and not once they were pruned (T-39).
      if (!part.attachment || part.pruneState !== undefined) return { type: "text", text: "[Image attached]" };
      if (hidden?.has(part.id) === true) return { type: "text", text: leftOut(part) };
      return { type: "image", attachmentIndex: place(part.attachment.reference) };
    default:
      return { type: "text", text: textOf(part) };
  }
}

function assistantBlock(part: Part, place: PlaceAttachment, isText: boolean, hidden: HiddenParts): LlmContentBlock | undefined {
  switch (part.kind) {
    case "Reasoning":
      // Whether reasoning without metadata of its provider is sent is settled before the wire (ME-4).
      return isText ? undefined : { type: "reasoning", text: part.content, ...(part.reasoningMeta && { replay: replayOf(part.reasoningMeta) }) };
    case "ToolCall":
      return isText ? undefined : callBlock(part);
    case "ToolResult":
      return isText ? undefined : ownResultBlock(part);
    case "File":
    case "ReasoningFile":
      return isText ? undefined : fileBlock(part, place, hidden);
    case "Opaque":
      return isText || !part.opaque ? undefined : { type: "opaque", content: part.opaque };
    case "Source":
    case "ApprovalRequest":
      return undefined;
    case "Image":
      return { type: "text", text: "[Image attached]" };
    default: {
      const text = textOf(part);
      const responseMeta = isText ? undefined : part.responseMeta;
      return text === "" && !responseMeta ? undefined : { type: "text", text, ...(responseMeta && { responseMeta }) };
    }
  }
}

const callBlock = (part: Part): LlmContentBlock => ({
  type: "toolCall",
  callId: part.toolCallId ?? "",
  toolName: part.toolName ?? "",
  inputJson: part.content,
  ...(part.toolReplay && { replay: part.toolReplay }),
  ...(part.providerExecuted && { providerExecuted: true }),
});

/** What a call that the provider ran came to, as it came. */
const ownResultBlock = (part: Part): LlmContentBlock => ({
  type: "toolResult",
  callId: part.toolCallId ?? "",
  content: textOf(part),
  ...(part.toolName !== undefined && { toolName: part.toolName }),
  ...(part.isError && { isError: true }),
  ...(part.providerExecuted && { providerExecuted: true }),
  ...(part.metadata && { metadata: part.metadata }),
});

/** Not once it was pruned (T-39). */
function fileBlock(part: Part, place: PlaceAttachment, hidden: HiddenParts): LlmContentBlock {
  const { id, kind, attachment, url, mime, filename, metadata, pruneState } = part;
  if (pruneState !== undefined || (!attachment && url === undefined)) return { type: "text", text: "[File attached]" };
  if (hidden?.has(id) === true) return { type: "text", text: leftOut(part) };
  return {
    type: kind === "ReasoningFile" ? "reasoningFile" : "file",
    ...(attachment ? { attachmentIndex: place(attachment.reference) } : url !== undefined && { url }),
    mime: mime ?? attachment?.reference.mime ?? "application/octet-stream",
    ...(filename !== undefined && { filename }),
    ...(metadata && { metadata }),
  };
}

function replayOf({ redacted, ...meta }: NonNullable<Part["reasoningMeta"]>) {
  return redacted ? { ...meta, redacted: true as const } : meta;
}

function systemText(part: Part): string {
  if (part.kind === "Output") return `<output>${textOf(part)}</output>`;
  if (part.kind === "Error") return `<error>${textOf(part)}</error>`;
  return textOf(part);
}

/** Pruned parts show what stands in for them (T-39). */
function textOf(part: Part): string {
  const { pruneState } = part;
  if (pruneState === undefined) return shownContent(part);
  if (pruneState === "Cleared") return "[content cleared]";
  return "Deleted" in pruneState ? pruneState.Deleted.breadcrumb : pruneState.Summarized.summary;
}
