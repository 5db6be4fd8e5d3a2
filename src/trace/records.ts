// Trace records as they are written, version 2. Additions are new types and optional fields; a rename or removal raises the
// version, and readers keep what they do not know (TR-10).

import type { TraceContext } from "../actors/trace-port.ts";
import type { Json, JsonObject } from "../domain/json.ts";

export const TRACE_SCHEMA_VERSION = 2;

export type TraceRecord = TraceEnvelope & TraceBody;

export interface TraceEnvelope {
  readonly schema_version: typeof TRACE_SCHEMA_VERSION;
  readonly id: string;
  /** RFC 3339, of the runtime's clock. */
  readonly timestamp: string;
  readonly context: TraceContext;
}

export type TraceBody =
  | { readonly type: "session_started"; readonly metadata: JsonObject }
  | { readonly type: "turn_started"; readonly metadata: JsonObject }
  | PromptBuilt
  | { readonly type: "llm_call_started"; readonly source: string; readonly provider: string; readonly request: TracedRequest }
  | LlmCallCompleted
  | LlmCallFailed
  | ProviderStreamEvent
  | { readonly type: "runtime_stream_event"; readonly sequence: number; readonly elapsed_ms: number; readonly event: JsonObject }
  | ToolCallStarted
  | ToolCallCompleted
  | TokenUsageRecord
  | TurnCompleted
  | { readonly type: "custom"; readonly name: string; readonly payload: JsonObject };

/** What a turn gives every one of its model calls beside the history. */
export interface PromptBuilt {
  readonly type: "prompt_built";
  /** SHA-256 of the system prompt. */
  readonly prompt_hash: string;
  readonly prompt_chars: number;
  readonly components: readonly { readonly id: string; readonly kind: "system_prompt" | "tool"; readonly hash: string; readonly chars: number }[];
}

export interface TracedRequest {
  readonly model: string;
  readonly model_variant?: string;
  /** All that were sent, also where `messages` holds only the latest of them. */
  readonly message_count: number;
  /** Names of the tools, joined by commas. */
  readonly tool_names: string;
  /** The latest ones, up to 64 Ki characters, on `extended` 256 Ki. Frozen: records share them. */
  readonly messages: readonly JsonObject[];
  readonly attachments: readonly TracedAttachment[];
  readonly tools: readonly { readonly name: string; readonly description: string }[];
  readonly tool_choice: string;
  readonly output_spec?: Json;
  readonly stream: boolean;
}

/** Never the bytes themselves. */
export interface TracedAttachment {
  readonly mime: string;
  readonly bytes_sha256?: string;
  readonly bytes_len?: number;
}

export interface TracedAttempt {
  readonly attempt: number;
  readonly status: "completed" | "failed" | "aborted";
  readonly started_at_ms: number;
  readonly duration_ms: number;
  readonly usage: TracedUsage | null;
  readonly error?: { readonly kind: string; readonly code?: string; readonly message: string };
}

export interface StreamSummary {
  readonly events: number;
  readonly text_chars: number;
  readonly reasoning_chars: number;
  /** Attempts whose text was withdrawn. */
  readonly resets: number;
  /** Until the first event. */
  readonly first_event_ms?: number;
}

/** A call is one ladder of attempts: one pair, however often it was tried. */
export interface LlmCallCompleted {
  readonly type: "llm_call_completed";
  readonly source: string;
  readonly response: {
    readonly text: string;
    readonly duration_ms: number;
    readonly terminal_reason: string;
    readonly terminal_diagnostic?: string;
    readonly served_model?: string;
    readonly parts: readonly JsonObject[];
  };
  readonly usage: TracedUsage;
  readonly provider_usage?: Json;
  readonly attempts?: readonly TracedAttempt[];
  readonly stream_summary: StreamSummary;
}

export interface LlmCallFailed {
  readonly type: "llm_call_failed";
  readonly source: string;
  readonly error: {
    readonly message: string;
    readonly retryable: boolean;
    readonly terminal_reason: string;
    readonly kind?: string;
    readonly code?: string;
    readonly raw?: string;
  };
  readonly duration_ms: number;
  readonly attempts?: readonly TracedAttempt[];
  readonly stream_summary: StreamSummary;
}

export interface ProviderStreamEvent {
  readonly type: "provider_stream_event";
  readonly provider: string;
  readonly sequence: number;
  readonly elapsed_ms: number;
  readonly event_name: string;
  readonly item_id?: string;
  readonly output_index?: number;
  /** Of the event's JSON text, in UTF-16 units. */
  readonly raw_len: number;
  readonly raw_sha256: string;
  /** Without secrets, signatures, encrypted content and bytes; cut where it is long. */
  readonly raw_json: Json;
}

interface ToolCallFields {
  /** The provider's id; models use one again. */
  readonly call_id: string;
  /** One of its own for each call, the same in every process that drives the turn: it joins the two records. */
  readonly call_key: string;
  /** The `batch` call that made this one. */
  readonly parent_call_id?: string;
  readonly tool: string;
  /** `effect:<session>:<turn>:<effect>`. */
  readonly graph_key: string;
}

export interface ToolCallStarted extends ToolCallFields {
  readonly type: "tool_call_started";
  readonly args: Json;
}

export interface ToolCallCompleted extends ToolCallFields {
  readonly type: "tool_call_completed";
  readonly args: Json;
  /** `interrupted`: this process stopped driving the turn while the call was running; what became of it is not known here. */
  readonly status: "success" | "failure" | "cancelled" | "interrupted";
  /** What the tool answered, or how it failed, whatever the model is shown of it. Absent for `interrupted`. */
  readonly result?: Json;
  readonly attachments?: readonly TracedAttachment[];
  readonly duration_ms: number;
  /** The outcome was recorded by an earlier process; nothing was run here. */
  readonly replayed?: true;
}

export interface TokenUsageRecord {
  readonly type: "token_usage";
  readonly source: string;
  readonly model: string;
  readonly usage: TracedUsage;
  /** Of the turn so far, in all processes that drove it; only for its own calls. */
  readonly cumulative?: TracedUsage;
}

export interface TurnCompleted {
  readonly type: "turn_completed";
  /** `failed`: it threw, and may still be in flight. */
  readonly status: "completed" | "stopped" | "failed";
  /** How it finished, why it stopped, or the wire code of what it threw. */
  readonly done_reason: string;
  readonly agent_frame_switch?: { readonly frame_id: string; readonly task: string };
  readonly error?: { readonly code: string; readonly message: string };
  readonly issues?: readonly { readonly kind: string; readonly code?: string; readonly message: string }[];
  readonly duration_ms: number;
}

export interface TracedUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_write_input_tokens: number;
  readonly reasoning_output_tokens: number;
}

/** Where records go. Called synchronously and not awaited: it must not block. What it throws is ignored. */
export interface TraceSink {
  append(record: TraceRecord): void;
  /** Makes what was appended durable, as far as the sink can. */
  flush?(): void | Promise<void>;
}
