// From our messages to an AI SDK prompt.
//   P1. What a message becomes depends on the message alone, so it is converted once and kept as long as the message
//       lives: history is immutable and long. Messages with images or files are the exception, their indexes are the request's.
//   P2. Replay metadata goes back as it came (PP-6), every part in its place (ME-2); reasoning without any is dropped.

import type { LanguageModelV4Message, LanguageModelV4Prompt, LanguageModelV4ToolResultOutput, SharedV4ProviderOptions } from "@ai-sdk/provider";
import { imageMime, resolvedAttachment } from "../attachments.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { OpaqueContent } from "../../domain/messages.ts";
import type { LlmContentBlock, LlmFileBlock, LlmMessage, LlmRequest, LlmToolResultBlock } from "../contract.ts";

type Of<Role extends LanguageModelV4Message["role"]> = Extract<LanguageModelV4Message, { role: Role }>;
type AssistantPart = Of<"assistant">["content"][number];
type UserPart = Of<"user">["content"][number];

/** What one message became, and which of those end a prefix that the caller wants cached (PP-24). */
interface Converted {
  readonly messages: readonly LanguageModelV4Message[];
  readonly breakpoint: boolean;
}

export interface ConvertedPrompt {
  readonly prompt: LanguageModelV4Prompt;
  /** Positions in `prompt` that end a prefix worth caching. */
  readonly breakpoints: readonly number[];
}

export class PromptConverter {
  private readonly converted = new WeakMap<LlmMessage, Converted>();
  private readonly systemAnywhere: boolean;

  /** @param systemAnywhere - send later system messages as such; most models accept them only at the start. */
  constructor(systemAnywhere: boolean) {
    this.systemAnywhere = systemAnywhere;
  }

  convert(request: LlmRequest): ConvertedPrompt {
    const prompt: LanguageModelV4Prompt = [];
    const breakpoints: number[] = [];
    let leading = true;
    for (const message of request.messages) {
      leading &&= message.role === "system";
      const { messages, breakpoint } =
        message.role === "system"
          ? convertSystem(message, leading || this.systemAnywhere)
          : this.convertOnce(message, request);
      for (const one of messages) prompt.push(one);
      if (breakpoint) breakpoints.push(prompt.length - 1);
    }
    return { prompt, breakpoints };
  }

  private convertOnce(message: LlmMessage, request: LlmRequest): Converted {
    const known = this.converted.get(message);
    if (known !== undefined) return known;
    const converted = message.role === "assistant" ? convertAssistant(message, request) : convertUser(message, request);
    if (!message.blocks.some(hasAttachment)) this.converted.set(message, converted);
    return converted;
  }
}

function convertSystem(message: LlmMessage, asSystem: boolean): Converted {
  const content = message.blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n\n");
  if (content === "") return { messages: [], breakpoint: false };
  const one: LanguageModelV4Message = asSystem
    ? { role: "system", content }
    : { role: "user", content: [{ type: "text", text: content }] };
  return { messages: [one], breakpoint: endsPrefix(message) };
}

/** Tool results have a role of their own there, so a message may become several; the order of blocks is kept. */
function convertUser(message: LlmMessage, request: LlmRequest): Converted {
  const messages: LanguageModelV4Message[] = [];
  let results: Of<"tool"> | null = null;
  let user: Of<"user"> | null = null;
  for (const block of message.blocks) {
    if (block.type === "toolResult") {
      if (results === null) messages.push((results = { role: "tool", content: [] }));
      results.content.push(convertResult(block, request));
      user = null;
      continue;
    }
    const part = convertUserBlock(block, request);
    if (part === null) continue;
    if (user === null) messages.push((user = { role: "user", content: [] }));
    user.content.push(part);
    results = null;
  }
  return { messages, breakpoint: messages.length > 0 && endsPrefix(message) };
}

const hasAttachment = (block: LlmContentBlock): boolean =>
  block.type === "image" || ((block.type === "file" || block.type === "reasoningFile") && block.attachmentIndex !== undefined);

function convertUserBlock(block: LlmContentBlock, request: LlmRequest): UserPart | null {
  if (block.type === "text") return block.text === "" ? null : { type: "text", text: block.text };
  if (block.type === "file") return filePart(block, request);
  if (block.type !== "image") return null;
  const { mime, data } = resolvedAttachment(request, block.attachmentIndex);
  return { type: "file", mediaType: imageMime(mime), data: { type: "data", data } };
}

function convertResult(block: LlmToolResultBlock, request: LlmRequest): Of<"tool">["content"][number] {
  return {
    type: "tool-result",
    toolCallId: block.callId,
    toolName: block.toolName ?? calledTool(request, block.callId),
    output: { type: block.isError === true ? "error-text" : "text", value: block.content },
  };
}

function calledTool(request: LlmRequest, callId: string): string {
  for (const { blocks } of request.messages) {
    for (const block of blocks) if (block.type === "toolCall" && block.callId === callId) return block.toolName;
  }
  return "";
}

function convertAssistant(message: LlmMessage, request: LlmRequest): Converted {
  const content = message.blocks.flatMap((block) => convertAssistantBlock(block, request) ?? []);
  if (content.length === 0) return { messages: [], breakpoint: false };
  return { messages: [{ role: "assistant", content }], breakpoint: endsPrefix(message) };
}

function convertAssistantBlock(block: LlmContentBlock, request: LlmRequest): AssistantPart | null {
  switch (block.type) {
    case "text": {
      const options = withOptions(decodeMetadata(block.responseMeta?.providerPayload));
      return block.text === "" && options.providerOptions === undefined ? null : { type: "text", text: block.text, ...options };
    }
    case "reasoning": {
      const metadata = decodeMetadata(block.replay?.opaque);
      return metadata === undefined ? null : { type: "reasoning", text: block.text, ...withOptions(metadata) };
    }
    case "toolCall":
      return {
        type: "tool-call",
        toolCallId: block.callId,
        toolName: block.toolName,
        input: parsedInput(block.inputJson),
        ...(block.providerExecuted === true && { providerExecuted: true }),
        ...withOptions(decodeMetadata(block.replay?.opaque)),
      };
    case "toolResult":
      return block.providerExecuted === true ? convertOwnResult(block, request) : null;
    case "file":
      return filePart(block, request);
    case "reasoningFile": {
      const data = fileData(block, request);
      return data && { type: "reasoning-file", data, mediaType: block.mime, ...withOptions(block.metadata as SharedV4ProviderOptions | undefined) };
    }
    case "opaque":
      return opaquePart(block.content);
    default:
      return null;
  }
}

/** The result of a call that the provider ran, in the form in which clients give it back. */
function convertOwnResult(block: LlmToolResultBlock, request: LlmRequest): AssistantPart {
  const value = parsed(block.content);
  const failed = block.isError === true;
  const output: LanguageModelV4ToolResultOutput =
    value === undefined
      ? { type: failed ? "error-text" : "text", value: block.content }
      : { type: failed ? "error-json" : "json", value: value as JsonObject };
  return {
    type: "tool-result",
    toolCallId: block.callId,
    toolName: block.toolName ?? calledTool(request, block.callId),
    output,
    ...withOptions(block.metadata as SharedV4ProviderOptions | undefined),
  };
}

function filePart(block: LlmFileBlock, request: LlmRequest): Extract<UserPart, { type: "file" }> | null {
  const data = fileData(block, request);
  if (data === null) return null;
  const { mime: mediaType, filename, metadata } = block;
  return { type: "file", data, mediaType, ...(filename !== undefined && { filename }), ...withOptions(metadata as SharedV4ProviderOptions | undefined) };
}

function fileData({ attachmentIndex, url = "" }: LlmFileBlock, request: LlmRequest): { readonly type: "data"; readonly data: Uint8Array } | { readonly type: "url"; readonly url: URL } | null {
  if (attachmentIndex !== undefined) return { type: "data", data: resolvedAttachment(request, attachmentIndex).data };
  return URL.canParse(url) ? { type: "url", url: new URL(url) } : null;
}

/** The part as it came, with its metadata where prompts have it: its kind is the client's own to understand. */
function opaquePart({ json }: OpaqueContent): AssistantPart | null {
  if (!isObject(json)) return null;
  const { providerMetadata, ...part } = json as JsonObject;
  const back = { ...part, ...withOptions(providerMetadata as SharedV4ProviderOptions | undefined) };
  return typeof part["type"] === "string" ? (back as unknown as AssistantPart) : null;
}

const endsPrefix = (message: LlmMessage): boolean =>
  message.blocks.some((block) => block.type === "text" && block.cacheBreakpoint === true);

const withOptions = (options: SharedV4ProviderOptions | undefined): { providerOptions?: SharedV4ProviderOptions } =>
  options === undefined ? {} : { providerOptions: options };

/** Provider metadata that came with a part, as the opaque string that is stored. */
export function encodeMetadata(metadata: SharedV4ProviderOptions | undefined): string | undefined {
  return metadata === undefined ? undefined : JSON.stringify(metadata);
}

/** Foreign or damaged metadata is dropped silently (PP-6). */
function decodeMetadata(opaque: string | undefined): SharedV4ProviderOptions | undefined {
  const value = opaque === undefined ? undefined : parsed(opaque);
  return isObject(value) ? (value as SharedV4ProviderOptions) : undefined;
}

/** Models see their own malformed arguments as an empty object, as the protocol does (PP-37). */
function parsedInput(inputJson: string): unknown {
  const value = parsed(inputJson);
  return isObject(value) ? value : {};
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null && !Array.isArray(value);
