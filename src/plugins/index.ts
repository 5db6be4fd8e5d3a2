export { plugin } from "./plugin.ts";
export type { PluginOptions } from "./plugin.ts";
export { defineCommand, defineQuery, defineTask } from "./operations/define.ts";
export type { OperationOptions } from "./operations/define.ts";
export type {
  CommandContext, InferInput, Operation, OperationDefinition, OperationHandler, OperationKind, OperationOutcome, OperationReceipt, QueryContext, QueueTurn, SessionOperations, TaskContext,
  TaskOptions,
} from "./operations/contract.ts";
export { toolFailure, toolSuccess } from "./tool-outputs.ts";
export type {
  AbortTurn, AfterToolDirective, AfterTurnDirective, Answer, BeforeToolDirective, BeforeTurnDirective, CheckpointContext, CheckpointDirective, ChunkAnswer,
  ConfigChange, ContextView, CreateSession, EmitRuntimeEvents, EmitTrace, EndedTurnContext, EnqueueMessages, FrameAnswer, HookedSession, ModelCallContext, Plugin, PluginContributions, PluginSession,
  PluginState, PreparedContext, Prioritized, PromptAnswer, QueuedMessage, ReplaceToolArgs, SavedState, SessionContext, ShortCircuitTool, StreamContext,
  ToolCallContext, ToolResultContext, TurnContext,
} from "./contract.ts";
export type { PluginEvent } from "../domain/plugin-message.ts";
