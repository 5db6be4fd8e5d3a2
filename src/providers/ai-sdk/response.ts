// From AI SDK stream parts to our events and our response.
//   B1. One event per delta and nothing else is allocated for it.
//   B2. Only a `finish` that is neither an error nor an interruption makes a response (toy trap 13).
//   B3. Parts stand in the order in which the model began them: a call where its arguments began, a result where it was first
//       shown in part (ME-1).
//   B4. Nothing is passed over: kinds that are not known here are kept as they came.

import type {
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4ResponseMetadata,
  LanguageModelV4StreamPart,
  LanguageModelV4Text,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
  SharedV4Warning,
} from "@ai-sdk/provider";
import type { Json, JsonObject } from "../../domain/json.ts";
import { joinText } from "../accumulate.ts";
import type { LlmOutputPart, LlmResponse, LlmStreamEvent, LlmTerminalReason } from "../contract.ts";
import { ProviderError, providerFailure } from "../failure.ts";
import { merged } from "./caching.ts";
import { jsonOf, outputPartOf, type WholePart } from "./content.ts";
import { failureOfStreamError } from "./errors.ts";
import { encodeMetadata } from "./prompt.ts";
import { usageEvent, usageOf } from "./usage.ts";

export interface BuilderOptions {
  readonly originProvider: string;
  readonly originModel: string;
  readonly exposeThinking: boolean;
}

type Citations = NonNullable<LanguageModelV4Text["citations"]>;

interface Block {
  readonly type: "text" | "reasoning";
  /** The AI SDK's id, which some clients use for several blocks in a row. */
  readonly sourceId: string;
  readonly itemId: string;
  text: string;
  metadata: SharedV4ProviderMetadata | undefined;
  citations: Citations | undefined;
}

/** The place of a part that comes in one piece; null until it has come. */
interface Place {
  readonly type: "whole";
  part: LlmOutputPart | null;
}

interface Finish {
  readonly reason: LanguageModelV4FinishReason;
  readonly usage: LanguageModelV4Usage;
}

export class ResponseBuilder {
  private readonly options: BuilderOptions;
  private readonly items: (Block | Place)[] = [];
  private readonly used = new Set<string>();
  private readonly open = new Map<string, Block>();
  private current: Block | null = null;
  /** Of calls whose arguments have begun, by id: several where a provider uses one id again. */
  private readonly begun = new Map<string, Place[]>();
  /** Of results that have been shown in part, by the id of their call. */
  private readonly preliminary = new Map<string, Place>();
  private finish: Finish | null = null;
  private servedModel: string | undefined;
  private responseId: string | undefined;
  private metadata: SharedV4ProviderMetadata | undefined;
  private readonly warnings: SharedV4Warning[] = [];
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
        return part.delta === "" ? null : { type: "toolInputDelta", callId: part.id, text: part.delta };
      case "text-start":
        this.start("text", part.id, part.providerMetadata);
        return null;
      case "reasoning-start":
        this.start("reasoning", part.id, part.providerMetadata);
        return null;
      case "text-end":
        return this.end("text", part.id, part.providerMetadata, part.citations);
      case "reasoning-end":
        return this.end("reasoning", part.id, part.providerMetadata);
      case "tool-input-start":
        this.begin(part.id);
        return { type: "toolInputStart", callId: part.id, toolName: part.toolName, ...(part.providerExecuted === true && { providerExecuted: true }) };
      case "tool-input-end":
        return { type: "toolInputEnd", callId: part.id };
      case "ping":
      case "raw":
        return null;
      case "stream-start":
        this.warnings.push(...part.warnings);
        return null;
      case "response-metadata":
        this.describe(part);
        return null;
      case "finish":
        this.finish = { reason: part.finishReason, usage: part.usage };
        this.metadata = part.providerMetadata;
        return usageEvent(part.usage);
      case "error":
        throw new ProviderError(failureOfStreamError(part.error), { cause: part.error });
      case "tool-result":
        if (part.preliminary === true) return this.preview(part);
        return this.whole(part);
      case "custom":
        return isNotice(part.kind) ? null : this.whole(part);
      case "tool-call":
      case "tool-approval-request":
      case "file":
      case "reasoning-file":
      case "source":
        return this.whole(part);
      default:
        return this.whole(part satisfies never);
    }
  }

  /** Takes an answer that came in one piece. */
  takeWhole({ content, finishReason, usage, providerMetadata, response, warnings }: LanguageModelV4GenerateResult): void {
    for (const part of content) {
      if (part.type !== "text" && part.type !== "reasoning") {
        this.whole(part);
        continue;
      }
      const block = this.extend(part.type, String(this.items.length), part.text, part.providerMetadata);
      if (part.type === "text") block.citations = part.citations;
    }
    this.describe(response ?? {});
    this.warnings.push(...warnings);
    this.finish = { reason: finishReason, usage };
    this.metadata = providerMetadata;
  }

  /** @throws ProviderError of kind `stream` when there was no proper end. */
  response(): LlmResponse {
    const finish = this.finish;
    if (finish === null) throw brokenStream("the stream ended without a finish");
    const { unified, raw } = finish.reason;
    if (unified === "error" || unified === "interrupted") throw brokenStream(`the stream ended as "${unified}"`);
    const parts = this.items.flatMap((item) => this.partOf(item) ?? []);
    return {
      fullText: joinText(parts),
      parts,
      usage: usageOf(finish.usage),
      terminalReason: terminalReasonOf(finish.reason, parts),
      ...(raw !== undefined && { terminalDiagnostic: raw }),
      ...(finish.usage.raw !== undefined && { providerUsage: finish.usage.raw }),
      ...(this.servedModel !== undefined && { servedModel: this.servedModel }),
      ...(this.responseId !== undefined && { responseId: this.responseId }),
      finish: { unified, ...(raw !== undefined && { raw }) },
      ...(this.metadata !== undefined && { metadata: jsonOf(this.metadata) as JsonObject }),
      ...(this.warnings.length > 0 && { warnings: jsonOf(this.warnings) as readonly Json[] }),
    };
  }

  private describe({ id, modelId }: LanguageModelV4ResponseMetadata): void {
    this.responseId = id ?? this.responseId;
    this.servedModel = modelId ?? this.servedModel;
  }

  private start(type: Block["type"], sourceId: string, metadata: SharedV4ProviderMetadata | undefined): Block {
    let itemId = sourceId;
    for (let round = 2; this.used.has(`${type}:${itemId}`); round += 1) itemId = `${sourceId}~${round}`;
    this.used.add(`${type}:${itemId}`);
    const block: Block = { type, sourceId, itemId, text: "", metadata, citations: undefined };
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
    citations?: Citations,
  ): LlmStreamEvent | null {
    const block = this.open.get(`${type}:${sourceId}`);
    if (block === undefined) return null;
    if (metadata !== undefined) block.metadata = merged(block.metadata, metadata);
    if (citations !== undefined) block.citations = citations;
    this.open.delete(`${type}:${sourceId}`);
    if (this.current === block) this.current = null;
    const part = this.partOf(block);
    return part === null ? null : { type: "part", part };
  }

  private begin(callId: string): void {
    const place: Place = { type: "whole", part: null };
    this.items.push(place);
    const waiting = this.begun.get(callId);
    if (waiting === undefined) this.begun.set(callId, [place]);
    else waiting.push(place);
  }

  private whole(given: WholePart): LlmStreamEvent {
    const part = outputPartOf(given, this.options.originProvider);
    const place = this.placeOf(given);
    if (place === undefined) this.items.push({ type: "whole", part });
    else place.part = part;
    return { type: "part", part };
  }

  /** Where the part began, if that was before it came. */
  private placeOf(part: WholePart): Place | undefined {
    if (part.type === "tool-call") return this.begun.get(part.toolCallId)?.shift();
    if (part.type !== "tool-result") return undefined;
    const place = this.preliminary.get(part.toolCallId);
    this.preliminary.delete(part.toolCallId);
    return place;
  }

  /** Each state of a result takes the place of the one before; the last one stands if no final one comes. */
  private preview(given: Extract<WholePart, { type: "tool-result" }>): null {
    const part = outputPartOf(given, this.options.originProvider);
    const place = this.preliminary.get(given.toolCallId) ?? { type: "whole", part };
    if (!this.preliminary.has(given.toolCallId)) this.items.push(place);
    place.part = part;
    this.preliminary.set(given.toolCallId, place);
    return null;
  }

  private partOf(item: Block | Place): LlmOutputPart | null {
    if (item.type === "whole") return item.part;
    const { type, text, itemId, metadata, citations } = item;
    const opaque = encodeMetadata(metadata);
    if (text === "" && opaque === undefined && citations === undefined) return null;
    if (type === "reasoning") {
      return { type, text, itemId, ...(opaque !== undefined && { replay: { opaque } }) };
    }
    const cited = citations !== undefined && { citations: jsonOf(citations) };
    if (opaque === undefined) return { type, text, itemId, ...cited };
    const { originProvider, originModel } = this.options;
    const phase = phaseOf(metadata);
    const responseMeta = { providerPayload: opaque, originProvider, originModel, ...(phase !== null && { phase }) };
    return { type, text, itemId, responseMeta, ...cited };
  }
}

/** Not content: it says again what the metadata of the response and its usage say, and whole answers do not have it. */
const isNotice = (kind: string): boolean => kind === "anthropic.message_start";

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
      return parts.some((part) => part.type === "toolCall" && part.providerExecuted !== true) ? "tool_use" : "stop";
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
