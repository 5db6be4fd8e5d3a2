// Parts of an AI SDK answer that come in one piece, as parts of ours and back. What none of our kinds can hold is kept whole (ME-1).

import type { LanguageModelV4Content } from "@ai-sdk/provider";
import { bytesOfBase64, base64Of } from "../../domain/base64.ts";
import type { Json, JsonObject } from "../../domain/json.ts";
import type { LlmOutputPart } from "../contract.ts";
import { encodeMetadata } from "./prompt.ts";

/** Parts of an answer that come in one piece, streamed or not. */
export type WholePart = Exclude<LanguageModelV4Content, { type: "text" | "reasoning" }>;

/**
 * @param provider - of the model, for what only it understands.
 * @param part - may be of a kind that is not known here.
 */
export function outputPartOf(part: WholePart, provider: string): LlmOutputPart {
  switch (part.type) {
    case "tool-call": {
      const opaque = encodeMetadata(part.providerMetadata);
      return {
        type: "toolCall",
        callId: part.toolCallId,
        toolName: part.toolName,
        inputJson: part.input,
        ...(opaque !== undefined && { replay: { opaque } }),
        ...(part.providerExecuted === true && { providerExecuted: true }),
      };
    }
    case "tool-result":
      return {
        type: "toolResult",
        callId: part.toolCallId,
        toolName: part.toolName,
        result: jsonOf(part.result),
        ...(part.isError === true && { isError: true }),
        ...metadataOf(part),
      };
    case "tool-approval-request":
      return { type: "approvalRequest", approvalId: part.approvalId, callId: part.toolCallId, ...metadataOf(part) };
    case "file":
    case "reasoning-file":
      return fileOf(part) ?? opaqueOf(part, provider);
    case "source":
      return { type: "source", source: jsonOf({ ...part, type: undefined }) as JsonObject };
    case "custom":
      return { type: "opaque", content: { provider, type: part.kind, json: jsonOf(part) } };
    default:
      return opaqueOf(part satisfies never, provider);
  }
}

function fileOf(part: Extract<WholePart, { type: "file" | "reasoning-file" }>): LlmOutputPart | undefined {
  const type = part.type === "file" ? "file" : "reasoningFile";
  const { data, mediaType: mime } = part;
  if (data.type === "url") return { type, mime, url: String(data.url), ...metadataOf(part) };
  const bytes = typeof data.data === "string" ? bytesOfBase64(data.data) : data.data;
  // What stands for no bytes is evidence all the same.
  return bytes instanceof Uint8Array && bytes.length > 0 ? { type, mime, data: bytes, ...metadataOf(part) } : undefined;
}

/** A part as it came, whatever it is. */
function opaqueOf(part: { readonly type: string }, provider: string): LlmOutputPart {
  return { type: "opaque", content: { provider, type: part.type, json: jsonOf(part) } };
}

const metadataOf = ({ providerMetadata }: { readonly providerMetadata?: unknown }): { readonly metadata?: JsonObject } =>
  providerMetadata === undefined || providerMetadata === null ? {} : { metadata: jsonOf(providerMetadata) as JsonObject };

/** As JSON, bytes in base64. What has no text at all is null. */
export function jsonOf(value: unknown): Json {
  const text = JSON.stringify(value, (_key, member: unknown) => (member instanceof Uint8Array ? base64Of(member) : member));
  return text === undefined ? null : (JSON.parse(text) as Json);
}
