// What records show of what models and tools said: bounded in size, without secrets, and never bytes, signatures or encrypted
// content (TR-2). Everything here is a copy, so that no sink reaches what the runtime works with.

import type { TraceLevel } from "../actors/trace-port.ts";
import { deepFreeze, type Json, type JsonObject } from "../domain/json.ts";
import type { AttachmentRef } from "../domain/messages.ts";
import { redact, redactText } from "../domain/redact.ts";
import { turnLimit, type SessionPolicy } from "../domain/session.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { LlmAttachment, LlmContentBlock, LlmMessage, LlmOutputPart } from "../providers/contract.ts";
import type { TracedAttachment, TracedUsage } from "./records.ts";

/** UTF-16 units of one text. */
const MAX_TEXT = 16_384;
/** Of one JSON value in all. */
const MAX_VALUE = 131_072;
/** Of all messages of one request. */
const MAX_MESSAGES: Readonly<Record<TraceLevel, number>> = { standard: 65_536, extended: 262_144 };
/** Of all parts of one answer. */
const MAX_PARTS = 262_144;
/** That a block counts for beside its text. */
const BLOCK = 64;

/** Bytes in text, as models and tools write them. */
const DATA_URL = /(data:[\w.+/-]{0,100};base64,)[\w+/=-]{64,}/g;

export function shownText(text: string, maxLength = MAX_TEXT): string {
  const clean = redactText(text, maxLength);
  return clean.includes(";base64,") ? clean.replace(DATA_URL, "$1[bytes]") : clean;
}

/** Of any JSON: arguments, results, what a provider reported. */
export const shownValue = (value: unknown, maxTotalLength = MAX_VALUE): Json =>
  redact(value, { maxTextLength: MAX_TEXT, maxTotalLength, maxValues: 5_000, text: shownText });

export const shownUsage = (usage: TokenUsage): TracedUsage => ({
  input_tokens: usage.inputTokens,
  output_tokens: usage.outputTokens,
  cache_read_input_tokens: usage.cacheReadInputTokens,
  cache_write_input_tokens: usage.cacheWriteInputTokens,
  reasoning_output_tokens: usage.reasoningOutputTokens,
});

/** Metadata of sessions and turns. */
export const shownPolicy = (policy: SessionPolicy): JsonObject => ({ provider_id: policy.providerId, model: policy.model.id, max_turns: turnLimit(policy) });

interface ShownMessage {
  readonly message: JsonObject;
  readonly length: number;
}

/** Messages are immutable and keep their identity from call to call: those of the history are read once. */
const known = new WeakMap<LlmMessage, ShownMessage>();

/** The latest messages that fit, in order. */
export function shownMessages(messages: readonly LlmMessage[], level: TraceLevel): readonly JsonObject[] {
  const shown: JsonObject[] = [];
  let left = MAX_MESSAGES[level];
  for (let index = messages.length - 1; index >= 0 && left > 0; index--) {
    const message = messages[index];
    if (!message) continue;
    const whole = known.get(message);
    const { message: copy, length } = whole && whole.length <= left ? whole : shownMessage(message, left);
    left -= length;
    shown.push(copy);
  }
  return shown.reverse();
}

function shownMessage(message: LlmMessage, room: number): ShownMessage {
  const { blocks, length } = shownBlocks(message.blocks, room);
  // Shared by records from here on, so that no sink may write to it.
  const shown = { message: deepFreeze({ role: message.role, blocks }), length };
  if (length < room) known.set(message, shown);
  return shown;
}

export const shownParts = (parts: readonly LlmOutputPart[]): readonly JsonObject[] => shownBlocks(parts, MAX_PARTS).blocks;

function shownBlocks(blocks: readonly (LlmContentBlock | LlmOutputPart)[], room: number): { readonly blocks: readonly JsonObject[]; readonly length: number } {
  let left = room;
  const text = (source: string): string => {
    const copied = shownText(source, Math.max(0, Math.min(MAX_TEXT, left)));
    left -= copied.length;
    return copied;
  };
  const shown: JsonObject[] = [];
  for (const block of blocks) {
    if (left <= 0) break;
    left -= BLOCK;
    shown.push(shownBlock(block, text));
  }
  return { blocks: shown, length: room - left };
}

function shownBlock(block: LlmContentBlock | LlmOutputPart, text: (source: string) => string): JsonObject {
  switch (block.type) {
    case "text":
      return { type: "text", text: text(block.text), ...(block.responseMeta?.phase !== undefined && { phase: text(block.responseMeta.phase) }) };
    case "image":
      return { type: "image", attachment_index: block.attachmentIndex };
    case "toolCall":
      return { type: "tool_call", call_id: text(block.callId), tool_name: text(block.toolName), input_json: text(block.inputJson), ...(block.replay?.opaque !== undefined && { has_encrypted: true }) };
    case "toolResult": {
      const content = "content" in block ? block.content : JSON.stringify(block.result);
      return { type: "tool_result", call_id: text(block.callId), ...(block.toolName !== undefined && { tool_name: text(block.toolName) }), content: text(content), ...(block.isError && { is_error: true }) };
    }
    case "file":
    case "reasoningFile":
      return { type: block.type === "file" ? "file" : "reasoning_file", mime: text(block.mime), ...(block.url !== undefined && { url: text(block.url) }) };
    case "source":
      return { type: "source", source: text(JSON.stringify(block.source)) };
    case "approvalRequest":
      return { type: "approval_request", approval_id: text(block.approvalId), call_id: text(block.callId) };
    case "opaque":
      // Nobody knows what is in it: a provider may have wrapped up signatures or encrypted content.
      return { type: "opaque", provider: text(block.content.provider), content_type: text(block.content.type), has_encrypted: true };
    case "reasoning": {
      // Opaque is what a provider wrapped up in its own form: signatures and encrypted content among it.
      const { signature, encryptedContent, redacted, opaque } = block.replay ?? {};
      return {
        type: "reasoning",
        text: text(block.text),
        ...((signature !== undefined || opaque?.toLowerCase().includes('signature"')) && { has_signature: true }),
        ...((encryptedContent !== undefined || opaque !== undefined || redacted) && { has_encrypted: true }),
      };
    }
  }
}

const SHA_256 = /^[0-9a-f]{64}$/;

/** Stored images are named by the hash of their bytes. */
export function shownAttachment({ mime, data, reference = "" }: LlmAttachment): TracedAttachment {
  const hash = SHA_256.test(reference) ? reference : data.length > 0 ? sha256Hex(data) : undefined;
  return { mime: shownText(mime, 100), ...(hash !== undefined && { bytes_sha256: hash }), ...(data.length > 0 && { bytes_len: data.length }) };
}

export const shownReference = ({ id, mime, byteLength }: AttachmentRef): TracedAttachment => ({ mime: shownText(mime, 100), bytes_sha256: id, bytes_len: byteLength });
