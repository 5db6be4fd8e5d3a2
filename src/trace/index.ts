/**
 * Traces: what a runtime did, record by record, for diagnosis. `createLash({ trace: { sink: memoryTrace() } })`.
 * Everything here loads in a browser; files are in `lash-runtime/trace/node`.
 *
 * @module
 */
export type { TraceContext, TraceLevel, TraceOptions, TraceTarget } from "../actors/trace-port.ts";
export type {
  LlmCallCompleted,
  LlmCallFailed,
  PromptBuilt,
  ProviderStreamEvent,
  StreamSummary,
  TokenUsageRecord,
  ToolCallCompleted,
  ToolCallStarted,
  TraceBody,
  TracedAttachment,
  TracedAttempt,
  TracedRequest,
  TracedUsage,
  TraceEnvelope,
  TraceRecord,
  TraceSink,
  TurnCompleted,
} from "./records.ts";
export { TRACE_SCHEMA_VERSION } from "./records.ts";
export { memoryTrace, teeTrace, traceSink, type MemoryTrace } from "./sinks.ts";
