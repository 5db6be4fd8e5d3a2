// Prompt view: messages as a model is shown them (T-36..T-39). A projection only; committed history is never rewritten.

import { joinProse, type AttachmentRef, type Message, type Part } from "../domain/messages.ts";
import type { LlmContentBlock, LlmMessage } from "../providers/contract.ts";

/** Gives an image its place among the attachments of the request. */
export type PlaceImage = (reference: AttachmentRef) => number;

/** What a model sees of a message, if it sees anything. Cheap enough to be done anew for each call of a turn; a history keeps what it gave for its own messages. */
export function toLlmMessage(message: Message, place: PlaceImage): LlmMessage | undefined {
  switch (message.role) {
    case "User":
      return ofBlocks("user", message.parts, (part) => userBlock(part, place));
    case "Assistant":
      return ofBlocks("assistant", message.parts, assistantBlock);
    case "System":
      return { role: "system", blocks: [{ type: "text", text: `Runtime note:\n${joinProse(message.parts.map(systemText))}` }] };
    case "Event":
      return { role: "user", blocks: [{ type: "text", text: `Runtime event:\n${joinProse(message.parts.map(textOf))}` }] };
  }
}

/** What the turn that runs is told beside its user's words, said last and all at once (T-36); undefined where that is nothing. */
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

function userBlock(part: Part, place: PlaceImage): LlmContentBlock {
  switch (part.kind) {
    case "ToolResult":
      return {
        type: "toolResult",
        callId: part.toolCallId ?? "",
        content: textOf(part),
        ...(part.toolName !== undefined && { toolName: part.toolName }),
      };
    case "Image":
      // Images are sent from user messages only, and not once they were pruned (T-39).
      if (!part.attachment || part.pruneState !== undefined) return { type: "text", text: "[Image attached]" };
      return { type: "image", attachmentIndex: place(part.attachment.reference) };
    default:
      return { type: "text", text: textOf(part) };
  }
}

function assistantBlock(part: Part): LlmContentBlock | undefined {
  switch (part.kind) {
    case "Reasoning":
      // Display-only reasoning is never fed back (T-38).
      return part.reasoningMeta ? { type: "reasoning", text: part.content, replay: replayOf(part.reasoningMeta) } : undefined;
    case "ToolCall":
      return {
        type: "toolCall",
        callId: part.toolCallId ?? "",
        toolName: part.toolName ?? "",
        inputJson: part.content,
        ...(part.toolReplay && { replay: part.toolReplay }),
      };
    case "Image":
      return { type: "text", text: "[Image attached]" };
    default: {
      const text = textOf(part);
      return text === "" ? undefined : { type: "text", text, ...(part.responseMeta && { responseMeta: part.responseMeta }) };
    }
  }
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
  if (pruneState === undefined) return part.content;
  if (pruneState === "Cleared") return "[content cleared]";
  return "Deleted" in pruneState ? pruneState.Deleted.breadcrumb : pruneState.Summarized.summary;
}
