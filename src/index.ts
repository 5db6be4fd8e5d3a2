export { createLash, Lash } from "./lash.ts";
export type { Recovered } from "./recovery.ts";
export type { Completions, LashOptions, Maintenance, ModelOptions, RecoverOptions, SessionOptions, TurnAddress } from "./lash-options.ts";
export type { TraceContext, TraceLevel, TraceOptions, TraceTarget } from "./actors/trace-port.ts";
export { Session } from "./session.ts";
export type { SessionViewStore } from "./session.ts";
export type { SessionCommands } from "./session-lanes.ts";
export type { QueuedTurnOptions, RunOptions, TurnOptions } from "./turn-options.ts";
export type { ToolAdmin } from "./tool-admin.ts";
export type { RestoredTools, ToolManifest, ToolSet, ToolSourceHandle, ToolState, ToolStateEntry } from "./tools/registry/contract.ts";
export type { SessionPatch, TurnSettings } from "./settings-options.ts";
export type { Prompt, PromptParts } from "./domain/prompt-input.ts";
export type { PromptContribution, PromptSlot, PromptTemplate } from "./domain/prompt.ts";
export type { EnqueueOptions } from "./enqueue.ts";
export type { TurnInputPolicies } from "./queued-work.ts";
export type { CommandReceipt } from "./actors/work-lane.ts";
export type { TurnCause } from "./domain/turn-cause.ts";
export type { CancelOutcome, CancelTarget, PendingTurnInput, QueuedBatch, SuffixCancelOutcome } from "./stores/ingress-contract.ts";
export { Turn } from "./turn.ts";
export type { ToolCallRecord, TurnResult } from "./turn-result.ts";
export type { TurnCancellation, TurnCancelOutcome } from "./domain/cancellation.ts";
export type { InputFile, TurnInput, TurnInputItem, TurnInputPart, UserInput } from "./domain/turn-input.ts";
export type {
  GapRecovery, LiveReplayGap, PersistedSessionState, SessionObservation, SessionResume, SessionSubscription, SubscriptionItem, ToolDescription,
} from "./observe/observation.ts";
export type { SessionUsageReport, UsageTotals } from "./domain/usage-report.ts";
export { inMemoryLiveReplay } from "./live-replay.ts";
export type { LiveReplayOptions } from "./live-replay.ts";
export type {
  GapReason, LiveReplayStore, LiveReplaySubscription, ObservationPayload, SessionObservationEvent, SessionReadView, SessionSighting, TurnActivity, TurnActivityBody,
} from "./observe/contract.ts";

export { tool } from "./tools/tool.ts";
export { readResultTool, type ReadResultOptions } from "./tools/read-result-tool.ts";
export { batchTool } from "./tools/batch-tool.ts";
export type { JsonToolOptions, ToolOptions } from "./tools/tool.ts";
export type { AnswerOutcome, ApprovalRequest, ApproveOptions, CallAnswer, DenyOptions, PendingCall } from "./domain/approvals.ts";
export type { ApprovalVerdict, AskedCall, DirectAnswer, NeedsApproval, OnInterrupted, StandardSchema, ToJsonSchema, Tool, ToolCall, ToolRetryPolicy } from "./tools/contract.ts";
export { pending } from "./domain/tool-pending.ts";
export type { PendingOptions } from "./domain/tool-pending.ts";
export type { Resolution, ResolveOutcome } from "./domain/waits.ts";
export { failTurn, finishTurn, switchFrame, type ToolFile, withFiles, withImages } from "./domain/tool-reply.ts";
export type { FrameSwitch, ToolReply } from "./domain/tool-reply.ts";
export type { ChildUsage } from "./domain/child-usage.ts";
export type { CompactOptions } from "./actors/compaction.ts";
export type { Compaction, CompactionRequest, Compactor } from "./domain/compaction.ts";
export type { MessageDraft } from "./domain/message-draft.ts";
export { ToolError } from "./domain/tool-error.ts";
export type { ConvertedFrom, ConvertedValue } from "./domain/tell-value.ts";
export type { CallApproval, ToolCallOutput, ToolFailure } from "./domain/tool-output.ts";

export { LashError } from "./domain/errors.ts";
export type { ErrorCode, ErrorFamily } from "./domain/error-codes.ts";
export type { HostOutcome, TurnIssue } from "./domain/outcome.ts";
export type { Message, Part } from "./domain/messages.ts";
export type { TokenUsage } from "./domain/usage.ts";
export type { Json } from "./domain/json.ts";
export type { Clock } from "./domain/clock.ts";
export type { Limits } from "./domain/limits.ts";
export type { LogRecord, Logger } from "./domain/logger.ts";
export type { RedactRules } from "./domain/redactor.ts";

export { memory } from "./stores/memory/store.ts";
export type { Liveness, PeerChannel, Store } from "./stores/store.ts";
export type { Engine } from "./stores/engine.ts";
export type { Provider } from "./providers/contract.ts";
export { fallback, type FallbackMember, type FallbackOptions } from "./providers/fallback.ts";
export type { IdRule, NameRule, Wire } from "./providers/wire.ts";
export type { DirectRequest } from "./providers/direct.ts";
