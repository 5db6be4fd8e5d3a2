// What the runtime and a model provider say to each other. Types only.
//
// Vendor matters (message mapping, auth, cache markers, token field names) stay behind `Provider` (PP-1).
// Everything here except `ProviderCall` and attachment bytes is plain JSON, so requests can be hashed and
// responses journaled. Discriminators are `type`; codes that also travel on the wire stay snake_case.

import type { Clock } from "../domain/clock.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { AttachmentRef, IncompleteReason, OpaqueContent } from "../domain/messages.ts";
import type { GenerationSettings, ReasoningEffort, ToolDemand } from "../domain/turn-ask.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { Wire } from "./wire.ts";

/** A JSON Schema document. Only keywords a provider understands have an effect. */
export type JsonSchema = { readonly [keyword: string]: unknown };

// ---- request -------------------------------------------------------------------------------------------------

/**
 * One model call. Message objects are treated as immutable: a provider may cache what it derives from one for as
 * long as the object lives, so history should keep the identity of its messages from call to call.
 */
export interface LlmRequest {
  /** Model id; empty means the provider's own (`Provider.modelId`). */
  readonly model: string;
  /** A named variant of the model. */
  readonly modelVariant?: string;
  readonly messages: readonly LlmMessage[];
  /** What image blocks point into by index. */
  readonly attachments: readonly LlmAttachment[];
  readonly tools: readonly LlmToolSpec[];
  /** `{ tool }`: that one has to be called. */
  readonly toolChoice: ToolDemand;
  readonly generation: GenerationSettings;
  /** How hard the model is to think. Absent: as the provider has it. */
  readonly reasoning?: ReasoningEffort;
  /** By provider name, as the provider's client takes them. */
  readonly providerOptions?: { readonly [provider: string]: JsonObject };
  /** Sent with the request; never stored. */
  readonly headers?: { readonly [name: string]: string };
  /** Media types that the model takes, where its host says so. Absent: as the provider has it (`Provider.wire`). */
  readonly media?: readonly string[];
  readonly scope: LlmScope;
  /** Absent: plain text. */
  readonly outputSpec?: LlmOutputSpec;
}

/** Who asks. Continuation caches are keyed by `sessionId` and `agentFrameId` together. */
export interface LlmScope {
  readonly sessionId: string;
  readonly agentFrameId: string;
  /** `<session>:turn:<turnId>:llm:<iteration>`, or `direct:<uuid>` without a session. */
  readonly requestId: string;
}

export type LlmOutputSpec =
  | { readonly type: "jsonObject" }
  | { readonly type: "jsonSchema"; readonly name: string; readonly schema: JsonSchema; readonly strict: boolean };

export interface LlmToolSpec {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  /** Ask the provider to hold the model to the schema, where it can. Default: the provider's default. */
  readonly strict?: boolean;
}

export interface LlmMessage {
  readonly role: "user" | "assistant" | "system";
  readonly blocks: readonly LlmContentBlock[];
  /** Who said it, on what a model said. Absent: nobody knows, so nothing in it is bound to a model. */
  readonly origin?: LlmOrigin;
  /** Why it was cut off; then its blocks are text alone. */
  readonly incomplete?: IncompleteReason;
}

/** What an answer is bound to: metadata of one origin means nothing to another, or is refused by it. */
export interface LlmOrigin {
  /** Id of the provider that was asked. */
  readonly provider: string;
  /** Model id that was asked for. */
  readonly model: string;
}

export type LlmContentBlock =
  | LlmTextBlock
  | LlmImageBlock
  | LlmFileBlock
  | LlmToolCallBlock
  | LlmToolResultBlock
  | LlmReasoningBlock
  | LlmOpaqueBlock;

export interface LlmTextBlock {
  readonly type: "text";
  readonly text: string;
  readonly responseMeta?: ResponseTextMeta;
  /** Ends a prefix worth caching, for providers that want to be told. Default false. */
  readonly cacheBreakpoint?: boolean;
}

export interface LlmImageBlock {
  readonly type: "image";
  /** Index into `LlmRequest.attachments`. */
  readonly attachmentIndex: number;
}

/** A file of any media type, from a user, a tool or a model. Images from users and tools are image blocks. */
export interface LlmFileBlock {
  /** `reasoningFile`: made by a model while it reasoned. */
  readonly type: "file" | "reasoningFile";
  /** Index into `LlmRequest.attachments`. Absent: known by `url` only. */
  readonly attachmentIndex?: number;
  readonly url?: string;
  readonly mime: string;
  readonly filename?: string;
  readonly metadata?: JsonObject;
}

export interface LlmToolCallBlock {
  readonly type: "toolCall";
  readonly callId: string;
  readonly toolName: string;
  /** Arguments exactly as the model wrote them; may be malformed. */
  readonly inputJson: string;
  readonly replay?: ToolCallReplay;
  /** The provider ran it; its result stands behind it in the same message, if there is one. */
  readonly providerExecuted?: true;
}

export interface LlmToolResultBlock {
  readonly type: "toolResult";
  readonly callId: string;
  readonly content: string;
  readonly toolName?: string;
  /** The tool failed; providers with an error flag set it. Default false. */
  readonly isError?: boolean;
  /** Result of a call that the provider ran, in an assistant message; `content` is its JSON. */
  readonly providerExecuted?: true;
  readonly metadata?: JsonObject;
}

/** Something that only its provider understands; sent back as it came. */
export interface LlmOpaqueBlock {
  readonly type: "opaque";
  readonly content: OpaqueContent;
}

export interface LlmReasoningBlock {
  readonly type: "reasoning";
  readonly text: string;
  readonly replay?: ReasoningReplay;
}

/** What a provider needs to see again. Stored and sent back verbatim, never interpreted. */
export interface ToolCallReplay {
  readonly itemId?: string;
  readonly opaque?: string;
}

/**
 * What a provider needs to see again with a reasoning block. Stored and sent back verbatim, never interpreted.
 * Reasoning without it is for display only and is not sent again.
 */
export interface ReasoningReplay {
  readonly itemId?: string;
  readonly encryptedContent?: string;
  readonly signature?: string;
  readonly redacted?: true;
  readonly summary?: readonly string[];
  /** Anything else, in the provider's own encoding. */
  readonly opaque?: string;
}

export interface ResponseTextMeta {
  readonly id?: string;
  readonly status?: string;
  /** `commentary` is hidden from prose once a `final_answer` exists. Other phases are kept as they are. */
  readonly phase?: string;
  /** Verbatim provider data to send back with the text. */
  readonly providerPayload?: string;
  readonly originProvider?: string;
  readonly originModel?: string;
}

/** Bytes of an image or a file. Empty `data` with a `reference` is unresolved: resolve it before the call. */
export interface LlmAttachment {
  /** Media type, e.g. `image/png`. */
  readonly mime: string;
  readonly data: Uint8Array;
  /** Where the bytes are kept; opaque to providers. */
  readonly reference?: string;
}

// ---- response ------------------------------------------------------------------------------------------------

/** A finished answer. A provider never returns one for a stream that broke off. */
export interface LlmResponse {
  /** All visible text, joined. */
  readonly fullText: string;
  /** In the order the model produced them. */
  readonly parts: readonly LlmOutputPart[];
  /** All zero: not reported; the streamed usage is taken instead. What is no number of tokens counts as zero, too, with a warning. */
  readonly usage: TokenUsage;
  readonly terminalReason: LlmTerminalReason;
  /** The provider's own word for how it ended. */
  readonly terminalDiagnostic?: string;
  /** Usage as the provider reported it: JSON, for traces. */
  readonly providerUsage?: unknown;
  /** Model that answered, only when the provider said so. */
  readonly servedModel?: string;
  /** Who was asked. Set where the call is made, unless the provider that was asked says that it had another one answer. */
  readonly origin?: LlmOrigin;
  /** The provider's id of this answer. */
  readonly responseId?: string;
  /** How the answer ended, as the model interface says it and in the provider's own word. */
  readonly finish?: { readonly unified: string; readonly raw?: string };
  /** What the provider said at the end of the answer. */
  readonly metadata?: JsonObject;
  readonly warnings?: readonly Json[];
  /** Set by the retry ladder: text went to the sink live, so it is not shown again. */
  readonly textStreamed?: boolean;
  /** Set by the retry ladder: every transport call made for this answer, the last one completed. */
  readonly attempts?: readonly LlmAttempt[];
}

/** In the order in which the provider began them, each with its metadata as it came. */
export type LlmOutputPart =
  | LlmTextPart
  | LlmReasoningPart
  | LlmToolCallPart
  | LlmToolResultPart
  | LlmFilePart
  | LlmSourcePart
  | LlmApprovalRequestPart
  | LlmOpaquePart;

export interface LlmTextPart {
  readonly type: "text";
  readonly text: string;
  /** Equal to the `itemId` of the deltas that built this part. */
  readonly itemId?: string;
  readonly responseMeta?: ResponseTextMeta;
  /** What the provider cites for this text, as it came. */
  readonly citations?: Json;
}

export interface LlmReasoningPart {
  readonly type: "reasoning";
  readonly text: string;
  readonly itemId?: string;
  readonly replay?: ReasoningReplay;
}

export interface LlmToolCallPart {
  readonly type: "toolCall";
  readonly callId: string;
  readonly toolName: string;
  /** Arguments exactly as the model wrote them; may be malformed. */
  readonly inputJson: string;
  readonly replay?: ToolCallReplay;
  /** The provider runs this call itself; the runtime never does. */
  readonly providerExecuted?: true;
}

/** What a call that the provider ran came to. */
export interface LlmToolResultPart {
  readonly type: "toolResult";
  readonly callId: string;
  readonly toolName: string;
  readonly result: Json;
  readonly isError?: true;
  readonly metadata?: JsonObject;
}

/** A file that the model made. */
export interface LlmFilePart {
  /** `reasoningFile`: made while it reasoned. */
  readonly type: "file" | "reasoningFile";
  readonly mime: string;
  /** As the provider gave them; the runtime stores them and puts `attachment` in their place before the outcome is recorded. */
  readonly data?: Uint8Array;
  readonly attachment?: AttachmentRef;
  /** Where the provider keeps it, if it gave an address instead of bytes. */
  readonly url?: string;
  readonly metadata?: JsonObject;
}

export interface LlmSourcePart {
  readonly type: "source";
  /** All that the provider said of it, metadata included. */
  readonly source: JsonObject;
}

/** The provider asks whether it may run a call. */
export interface LlmApprovalRequestPart {
  readonly type: "approvalRequest";
  readonly approvalId: string;
  readonly callId: string;
  readonly metadata?: JsonObject;
}

export interface LlmOpaquePart {
  readonly type: "opaque";
  readonly content: OpaqueContent;
}

/** What had been said when an answer was cut off, in order; nothing of it is bound to its model, and no call among it was whole. */
export type PartialAnswer = readonly { readonly type: "text" | "reasoning"; readonly text: string }[];

export type LlmTerminalReason =
  | "stop"
  /** The provider rests in the middle of its answer and wants to be asked to go on. */
  | "pause"
  | "tool_use"
  | "output_limit"
  | "context_overflow"
  | "content_filter"
  | "provider_error"
  | "cancelled"
  | "unknown";

/** One transport call: tokens are spent by failed and aborted ones too. */
export interface LlmAttempt {
  /** 1-based count of transport calls, waits for a throttled provider included. */
  readonly attempt: number;
  readonly status: "completed" | "failed" | "aborted";
  /** Null when the provider said nothing. */
  readonly usage: TokenUsage | null;
  /** Epoch milliseconds. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly failure?: { readonly kind: ProviderFailureKind; readonly code?: string; readonly message: string };
}

// ---- streaming -----------------------------------------------------------------------------------------------

/**
 * What happens during a call, in order.
 *
 * `itemId` tells text blocks apart and is unique within one attempt only: scope it by the call before using it as a
 * correlation id. Deltas are append-only; a `part` reconciles final state and replay metadata and is never shown as
 * live text. The last `usage` wins.
 */
export type LlmStreamEvent =
  | { readonly type: "textDelta"; readonly itemId: string; readonly text: string }
  /** `isAside`: said beside the answer, by a plugin; no part of it. */
  | { readonly type: "reasoningDelta"; readonly itemId: string; readonly text: string; readonly isAside?: true }
  /** The model has begun to write the arguments of a call, which follows as a part. */
  | { readonly type: "toolInputStart"; readonly callId: string; readonly toolName: string; readonly providerExecuted?: true }
  /** More of the arguments, as the model writes them: for watchers, no part of the answer. */
  | { readonly type: "toolInputDelta"; readonly callId: string; readonly text: string }
  | { readonly type: "toolInputEnd"; readonly callId: string }
  | { readonly type: "part"; readonly part: LlmOutputPart }
  | { readonly type: "usage"; readonly usage: TokenUsage }
  | RetryStatusEvent
  | ModelAttemptResetEvent;

/** Sent before each wait. */
export interface RetryStatusEvent {
  readonly type: "retryStatus";
  readonly waitSeconds: number;
  /** The counted attempt that starts after the wait; unchanged while a throttled provider is waited for. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly reason: string;
}

/**
 * Sent when a new attempt starts: everything streamed since the last reset under these item ids is withdrawn.
 * Empty lists mark the boundary only.
 */
export interface ModelAttemptResetEvent {
  readonly type: "modelAttemptReset";
  readonly proseItemIds: readonly string[];
  readonly reasoningItemIds: readonly string[];
}

// ---- failure -------------------------------------------------------------------------------------------------

export type ProviderFailureKind =
  | "transport"
  | "timeout"
  | "http"
  | "stream"
  | "auth"
  | "validation"
  | "quota"
  | "unsupported"
  | "unknown";

/** Why a call produced no answer. JSON; thrown as `ProviderError` (failure.ts). */
export interface ProviderFailure {
  readonly kind: ProviderFailureKind;
  readonly message: string;
  /** Trying again may help. */
  readonly retryable: boolean;
  /** HTTP status, when a response with an error status arrived. */
  readonly status?: number;
  readonly code?: string;
  /** Body or text of the failure, shortened. */
  readonly raw?: string;
  /** Allow-listed response headers, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** What the provider asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly terminalReason: LlmTerminalReason;
}

// ---- provider ------------------------------------------------------------------------------------------------

/** The live side of one call. */
export interface ProviderCall {
  /** Aborting it ends the call with a failure of code `cancelled`. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Awaited, so a slow sink slows the stream; what it throws or rejects with is ignored. */
  onStreamEvent?(event: LlmStreamEvent): void | Promise<void>;
  /**
   * To be called for content that arrives without an event of its own, such as tool arguments: it feeds the silence
   * timer and the size limit. `chars` is the length of that content.
   */
  onProgress?(chars: number): void;
  /** Given where stream events are traced: to be called with each one as it arrived. Must not be waited for. */
  onProviderTrace?(raw: unknown): void;
}

/**
 * A model provider: live wiring supplied by the host and never persisted; sessions keep only its `id`.
 * A host may wrap one; the wrapper sees every attempt with the full request and hands on `wire`, `sameOrigin` and `close`.
 */
export interface Provider {
  /** Recorded as the session's `providerId`; a session opened with another id fails at turn time. */
  readonly id: string;
  /** Model used when a request names none. */
  readonly modelId?: string;
  /** Names accepted as `modelVariant`. Absent: none. */
  readonly variants?: readonly string[];
  /** Read at the start of every call, so changing the property takes effect with the next one. */
  readonly options?: ProviderOptions;
  /** False when answers arrive in one piece: the chunk timeout then does not apply. Default true. */
  readonly streams?: boolean;
  /**
   * What it takes, where that is not the default. Each request is brought into this form before it gets here: blank text, tool names,
   * call ids, media, who speaks first. Read at the start of every call.
   */
  readonly wire?: Partial<Wire>;
  /**
   * Whether what a model of the one origin said may be sent back with its metadata to a model of the other: signatures, encrypted
   * reasoning, item ids, calls that the provider ran. Asked where the ids differ. Default: it may not.
   */
  sameOrigin?(a: LlmOrigin, b: LlmOrigin): boolean;
  /** Makes one attempt. @throws ProviderError; anything else thrown counts as a failure of kind `unknown`. */
  complete(request: LlmRequest, call: ProviderCall): Promise<LlmResponse>;
  /** Replaces the default classification of a failure. */
  classify?(failure: ProviderFailure): ProviderFailure;
  /** Releases sockets and tasks. */
  close?(): Promise<void>;
}

/** Host choices for one provider. Every part is optional; see `defaultReliability` for the defaults. */
export interface ProviderOptions {
  readonly reliability?: ReliabilityOptions;
  /** Forward reasoning to observers. Default true. */
  readonly exposeThinking?: boolean;
  /** Output cap for requests that name none. */
  readonly maxOutputTokens?: number;
  /** How long providers with explicit caching keep a prompt prefix. Default `short`. */
  readonly cacheRetention?: "none" | "short" | "long";
}

export interface ReliabilityOptions {
  /**
   * Milliseconds until a streamed answer must begin, or a whole answer must be there if the provider does not stream;
   * `false` turns it off. Default 300 000.
   */
  readonly requestTimeoutMs?: number | false;
  /** Longest silence in a stream, in milliseconds. Default 120 000. */
  readonly chunkTimeoutMs?: number;
  readonly retry?: Partial<RetryPolicy>;
  readonly rateLimits?: RateLimits;
}

/** How often and how far apart a failed call is made again. Times in milliseconds. */
export interface RetryPolicy {
  /** Default true. */
  readonly enabled: boolean;
  /** Calls in all, the first included. Default 4. */
  readonly maxAttempts: number;
  /** First delay; doubles with each counted attempt. Default 2 000. */
  readonly baseDelayMs: number;
  /** Default 10 000. */
  readonly maxDelayMs: number;
  /** A random share of this is added to every delay. Default 0. */
  readonly jitterMs: number;
  /** Longest Retry-After that is honoured. Default 60 000. */
  readonly retryAfterCapMs: number;
  /** How long in all a throttled provider may make us wait without using an attempt. Default 90 000. */
  readonly throttleWaitBudgetMs: number;
}

/** Limits kept on this side. Absent: unlimited. */
export interface RateLimits {
  readonly maxConcurrency?: number;
  readonly requestsPerWindow?: number;
  /** Default 60 000. */
  readonly requestWindowMs?: number;
  /** Estimated tokens. */
  readonly tokensPerWindow?: number;
  /** Default 60 000. */
  readonly tokenWindowMs?: number;
}
