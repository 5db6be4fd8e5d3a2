// From AI SDK stream parts to our events and our response.
//   B1. One event per delta and nothing else is allocated for it.
//   B2. Only a `finish` that is neither an error nor an interruption makes a response (toy trap 13).
//   B3. Kinds of parts that are not known here are passed over.

import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import { isZeroUsage, type TokenUsage } from "../../domain/usage.ts";
import { joinText } from "../accumulate.ts";
import type { LlmOutputPart, LlmResponse, LlmStreamEvent, LlmTerminalReason, LlmToolCallPart } from "../contract.ts";
import { ProviderError, providerFailure } from "../failure.ts";
import { merged } from "./caching.ts";
import { failureOfStreamError } from "./errors.ts";
import { encodeMetadata } from "./prompt.ts";

export interface BuilderOptions {
  readonly originProvider: string;
  readonly originModel: string;
  readonly exposeThinking: boolean;
  /** Treat reasoning without provider metadata as replayable too. */
  readonly replayAllReasoning: boolean;
}

interface Block {
  readonly type: "text" | "reasoning";
  /** The AI SDK's id, which some clients use for several blocks in a row. */
  readonly sourceId: string;
  readonly itemId: string;
  text: string;
  metadata: SharedV4ProviderMetadata | undefined;
}

interface Finish {
  readonly reason: LanguageModelV4FinishReason;
  readonly usage: LanguageModelV4Usage;
}

export class ResponseBuilder {
  private readonly options: BuilderOptions;
  private readonly items: (Block | LlmToolCallPart)[] = [];
  private readonly used = new Set<string>();
  private readonly open = new Map<string, Block>();
  private current: Block | null = null;
  private finish: Finish | null = null;
  private servedModel: string | undefined;
  /** Length of content in the last part that has no event of its own. */
  silentChars = 0;

  constructor(options: BuilderOptions) {
    this.options = options;
  }

  /**
   * Takes the next part of a stream.
   *
   * @returns what observers are told about it, or null.
   * @throws ProviderError for an error part.
   */
  take(part: LanguageModelV4StreamPart): LlmStreamEvent | null {
    this.silentChars = 0;
    switch (part.type) {
      case "text-delta": {
        const block = this.extend("text", part.id, part.delta, part.providerMetadata);
        return part.delta === "" ? null : { type: "textDelta", itemId: block.itemId, text: part.delta };
      }
      case "reasoning-delta": {
        const block = this.extend("reasoning", part.id, part.delta, part.providerMetadata);
        if (part.delta === "") return null;
        if (this.options.exposeThinking) return { type: "reasoningDelta", itemId: block.itemId, text: part.delta };
        this.silentChars = part.delta.length;
        return null;
      }
      case "tool-input-delta":
        this.silentChars = part.delta.length;
        return null;
      case "text-start":
        this.start("text", part.id, part.providerMetadata);
        return null;
      case "reasoning-start":
        this.start("reasoning", part.id, part.providerMetadata);
        return null;
      case "text-end":
        return this.end("text", part.id, part.providerMetadata);
      case "reasoning-end":
        return this.end("reasoning", part.id, part.providerMetadata);
      case "tool-call":
        return this.call(part);
      case "response-metadata":
        this.servedModel = part.modelId ?? this.servedModel;
        return null;
      case "finish":
        this.finish = { reason: part.finishReason, usage: part.usage };
        return usageEvent(part.usage);
      case "error":
        throw new ProviderError(failureOfStreamError(part.error), { cause: part.error });
      default:
        return null;
    }
  }

  /** Takes an answer that came in one piece. */
  takeWhole(content: readonly LanguageModelV4Content[], reason: LanguageModelV4FinishReason, usage: LanguageModelV4Usage): void {
    for (const part of content) {
      if (part.type === "tool-call") this.call(part);
      if (part.type !== "text" && part.type !== "reasoning") continue;
      this.extend(part.type, String(this.items.length), part.text, part.providerMetadata);
    }
    this.finish = { reason, usage };
  }

  /** @throws ProviderError of kind `stream` when there was no proper end. */
  response(): LlmResponse {
    const finish = this.finish;
    if (finish === null) throw brokenStream("the stream ended without a finish");
    const { unified, raw } = finish.reason;
    if (unified === "error" || unified === "interrupted") throw brokenStream(`the stream ended as "${unified}"`);
    const parts = this.items.flatMap((item) => this.partOf(item) ?? []);
    const usage = usageOf(finish.usage);
    return {
      fullText: joinText(parts),
      parts,
      usage,
      terminalReason: terminalReasonOf(finish.reason, parts),
      ...(raw === undefined ? {} : { terminalDiagnostic: raw }),
      ...(finish.usage.raw === undefined ? {} : { providerUsage: finish.usage.raw }),
      ...(this.servedModel === undefined ? {} : { servedModel: this.servedModel }),
    };
  }

  private start(type: Block["type"], sourceId: string, metadata: SharedV4ProviderMetadata | undefined): Block {
    let itemId = sourceId;
    for (let round = 2; this.used.has(`${type}:${itemId}`); round += 1) itemId = `${sourceId}~${round}`;
    this.used.add(`${type}:${itemId}`);
    const block: Block = { type, sourceId, itemId, text: "", metadata };
    this.items.push(block);
    this.open.set(`${type}:${sourceId}`, block);
    this.current = block;
    return block;
  }

  private extend(
    type: Block["type"],
    sourceId: string,
    delta: string,
    metadata: SharedV4ProviderMetadata | undefined,
  ): Block {
    const block = this.blockOf(type, sourceId);
    block.text += delta;
    if (metadata !== undefined) block.metadata = merged(block.metadata, metadata);
    return block;
  }

  /** Nearly every delta continues the block before it, which saves the key and the lookup. */
  private blockOf(type: Block["type"], sourceId: string): Block {
    const current = this.current;
    if (current !== null && current.sourceId === sourceId && current.type === type) return current;
    const block = this.open.get(`${type}:${sourceId}`) ?? this.start(type, sourceId, undefined);
    this.current = block;
    return block;
  }

  private end(
    type: Block["type"],
    sourceId: string,
    metadata: SharedV4ProviderMetadata | undefined,
  ): LlmStreamEvent | null {
    const block = this.open.get(`${type}:${sourceId}`);
    if (block === undefined) return null;
    if (metadata !== undefined) block.metadata = merged(block.metadata, metadata);
    this.open.delete(`${type}:${sourceId}`);
    this.current = null;
    const part = this.partOf(block);
    return part === null ? null : { type: "part", part };
  }

  /** Calls that the provider runs itself are none of ours. */
  private call(part: Extract<LanguageModelV4StreamPart, { type: "tool-call" }>): LlmStreamEvent | null {
    if (part.providerExecuted === true) return null;
    const opaque = encodeMetadata(part.providerMetadata);
    const { toolCallId: callId, toolName, input: inputJson } = part;
    const call: LlmToolCallPart = {
      type: "toolCall",
      callId,
      toolName,
      inputJson,
      ...(opaque === undefined ? {} : { replay: { opaque } }),
    };
    this.items.push(call);
    return { type: "part", part: call };
  }

  private partOf(item: Block | LlmToolCallPart): LlmOutputPart | null {
    if (item.type === "toolCall") return item;
    const { type, text, itemId, metadata } = item;
    const opaque = encodeMetadata(metadata);
    if (text === "" && (type === "text" || opaque === undefined)) return null;
    if (type === "reasoning") {
      const replayed = opaque ?? (this.options.replayAllReasoning ? "{}" : undefined);
      return { type, text, itemId, ...(replayed === undefined ? {} : { replay: { opaque: replayed } }) };
    }
    if (opaque === undefined) return { type, text, itemId };
    const { originProvider, originModel } = this.options;
    const phase = phaseOf(metadata);
    const responseMeta = { providerPayload: opaque, originProvider, originModel, ...(phase === null ? {} : { phase }) };
    return { type, text, itemId, responseMeta };
  }
}

function brokenStream(message: string): ProviderError {
  return new ProviderError(providerFailure("stream", message, { code: "stream_interrupted", retryable: true }));
}

/** The one thing that is read from provider metadata, whoever wrote it: which text is the answer (PP-8). */
function phaseOf(metadata: SharedV4ProviderMetadata | undefined): string | null {
  for (const options of Object.values(metadata ?? {})) {
    if (typeof options["phase"] === "string") return options["phase"];
  }
  return null;
}

/** Some servers say `stop` after tool calls; clients fold an overfull window into `length`. */
function terminalReasonOf(reason: LanguageModelV4FinishReason, parts: readonly LlmOutputPart[]): LlmTerminalReason {
  if (reason.raw === "model_context_window_exceeded") return "context_overflow";
  // The unified word is `stop`, though the answer is not over (ME-12).
  if (reason.raw === "pause_turn") return "pause";
  switch (reason.unified) {
    case "stop":
      return parts.some((part) => part.type === "toolCall") ? "tool_use" : "stop";
    case "tool-calls":
      return "tool_use";
    case "length":
      return "output_limit";
    case "content-filter":
      return "content_filter";
    default:
      return "unknown";
  }
}

/** A provider that counted nothing has said nothing, which is not the same as zero (OP-21). */
function usageEvent(reported: LanguageModelV4Usage): LlmStreamEvent | null {
  const usage = usageOf(reported);
  return isZeroUsage(usage) ? null : { type: "usage", usage };
}

/** PP-5: cached tokens leave the input bucket, reasoning stays inside the output. */
export function usageOf({ inputTokens, outputTokens }: LanguageModelV4Usage): TokenUsage {
  const cacheRead = count(inputTokens.cacheRead);
  const cacheWrite = count(inputTokens.cacheWrite);
  return {
    inputTokens: count(inputTokens.noCache ?? count(inputTokens.total) - cacheRead - cacheWrite),
    outputTokens: count(outputTokens.total ?? count(outputTokens.text) + count(outputTokens.reasoning)),
    cacheReadInputTokens: cacheRead,
    cacheWriteInputTokens: cacheWrite,
    reasoningOutputTokens: count(outputTokens.reasoning),
  };
}

const count = (value: number | undefined): number => (value !== undefined && value > 0 && Number.isFinite(value) ? value : 0);
