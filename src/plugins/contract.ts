// What a plugin is, in types: what it may contribute to a session, what its hooks are told, and what they may answer.

import type { ChildRequest } from "../children/contract.ts";
import type { Compactor } from "../domain/compaction.ts";
import type { Clock } from "../domain/clock.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import type { MessageDraft } from "../domain/message-draft.ts";
import type { Message } from "../domain/messages.ts";
import type { HostOutcome, TurnIssue } from "../domain/outcome.ts";
import type { PluginEvent } from "../domain/plugin-message.ts";
import type { PromptParts } from "../domain/prompt-input.ts";
import type { ModelSpec, SessionPolicy } from "../domain/session.ts";
import type { ToolCallOutput } from "../domain/tool-output.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { LlmResponse } from "../providers/contract.ts";
import type { Tool } from "../tools/contract.ts";
import type { PluginKit } from "./kit.ts";
import type { Operation } from "./operations/contract.ts";

/** Made by `plugin(...)`; one for all sessions of a lash, so it holds nothing of a session. */
export interface Plugin {
  readonly id: string;
  /** Kept with the plugin's state, for `load` to migrate by. Default "1". */
  readonly version: string;
  readonly build: (session: PluginSession) => PluginContributions;
  /** @internal Brings along what runs plugins. */
  readonly kit: PluginKit;
}

/** The session that a plugin is built for. */
export interface PluginSession {
  readonly sessionId: string;
  /** The plugin's own entry of `pluginOptions`; undefined where the host gave none. The plugin checks it: a throw fails the open. */
  readonly options: Json | undefined;
}

// ---- what hooks are told ------------------------------------------------------------------------------------------

export interface SessionContext {
  readonly sessionId: string;
  readonly clock: Clock;
}

export interface TurnContext extends SessionContext {
  readonly turnId: string;
  /** Committed messages of the current frame, oldest first; copied when asked for. */
  readonly history: readonly Message[];
  /** What this turn has said so far, its input first. */
  readonly messages: readonly Message[];
  readonly model: ModelSpec;
  /** Of the latest model call before this turn; undefined where it is not known. */
  readonly lastPromptUsage: TokenUsage | undefined;
  /** Aborts when the turn is cancelled, or no longer driven here. */
  readonly signal: AbortSignal;
}

export interface ModelCallContext extends TurnContext {
  /** Model round of the turn, from 0. */
  readonly iteration: number;
}

/** What transforms of higher priority have made of it so far. */
export interface ContextView extends TurnContext {
  /** What the model is to be shown of the history. */
  readonly view: readonly Message[];
}

export interface ToolCallContext extends TurnContext {
  readonly callId: string;
  readonly toolName: string;
  /** As they are by now. */
  readonly args: Json;
}

export interface ToolResultContext extends ToolCallContext {
  /** As it is by now. */
  readonly output: ToolCallOutput;
}

export interface CheckpointContext extends TurnContext {
  readonly checkpoint: "after_work" | "before_completion";
}

export interface EndedTurnContext extends TurnContext {
  readonly outcome: HostOutcome;
  readonly issues: readonly TurnIssue[];
  readonly usage: TokenUsage;
}

export interface StreamContext {
  readonly sessionId: string;
  readonly turnId: string;
  /** 1, 2, 3.. within one model call: a new attempt takes back what the one before it said. */
  readonly attempt: number;
}

export interface ConfigChange extends SessionContext {
  readonly previous: SessionPolicy;
  readonly current: SessionPolicy;
}

// ---- what hooks may answer ----------------------------------------------------------------------------------------

export interface AbortTurn {
  readonly type: "abort_turn";
  /** The plugin's own; it is the code of the turn's issue. */
  readonly code: string;
  readonly message: string;
}

export interface EnqueueMessages {
  readonly type: "enqueue_messages";
  readonly messages: readonly QueuedMessage[];
}

export interface QueuedMessage {
  readonly role: "User" | "System";
  readonly text: string;
  /** Shown to the model for the rest of this turn, and never committed. Default false. */
  readonly transient?: boolean;
}

export interface ReplaceToolArgs {
  readonly type: "replace_tool_args";
  readonly args: Json;
}

export interface ShortCircuitTool {
  readonly type: "short_circuit_tool";
  /** See `toolSuccess` and `toolFailure`. It has to be complete: a pending one is the failure `pending_tool_short_circuit`. */
  readonly output: ToolCallOutput;
}

export interface EmitRuntimeEvents {
  readonly type: "emit_runtime_events";
  readonly events: readonly PluginEvent[];
}

/**
 * Makes a child of the session, as `session.children.create` does; it is made when the hook has answered, and stays whatever becomes of
 * the turn. Its id follows from turn, plugin and hook, so a hook that is run again finds the one it made. Who made it
 * is in the `causedBy` of `session.children.list()`. Needs `createLash({ children: childSessions() })`, else `missing_child_sessions`.
 */
export interface CreateSession {
  readonly type: "create_session";
  readonly request: HookedSession;
}

/** A child without what lives in memory only: it is opened by whoever wants to use it. */
export interface HookedSession extends Omit<ChildRequest, "provider" | "tools"> {
  /** Tells the sessions apart that one answer of a hook makes. Default: the how manyth directive of its answer it is. */
  readonly key?: string;
}

/** A record of type `custom` in the trace, under `plugin.<pluginId>.<name>`. Nothing happens where nobody traces. */
export interface EmitTrace {
  readonly type: "emit_trace";
  readonly name: string;
  /** Bounded and redacted like everything in a trace; what is no object is its `value`. */
  readonly payload: Json;
  /** Part of the record's context; session and turn are the runtime's to say. */
  readonly context?: { readonly metadata?: JsonObject };
}

/** What every hook that answers with directives may give. */
type Everywhere = CreateSession | EmitRuntimeEvents | EmitTrace;
export type Directive = AbortTurn | EnqueueMessages | ReplaceToolArgs | ShortCircuitTool | Everywhere;
export type BeforeTurnDirective = AbortTurn | EnqueueMessages | Everywhere;
export type BeforeToolDirective = AbortTurn | ReplaceToolArgs | ShortCircuitTool | Everywhere;
export type AfterToolDirective = AbortTurn | EnqueueMessages | ShortCircuitTool | Everywhere;
export type CheckpointDirective = AbortTurn | EnqueueMessages | Everywhere;
export type AfterTurnDirective = EnqueueMessages | Everywhere;

/** Nothing, one or several of them, now or later. */
export type Answer<Given> = Now<Given> | Promise<Now<Given>>;
type Now<Given> = Given | readonly Given[] | undefined | void;

/** What a transform makes of the turn's context; what it leaves out stays. */
export interface PreparedContext {
  /** In place of the history, for this turn's model calls only. Drafts in it are never committed. */
  readonly view?: readonly (Message | MessageDraft)[];
  readonly prompt?: PromptParts["slots"];
  /** For this turn only; they take the place of tools of the same name. */
  readonly tools?: readonly Tool[];
  /** false hides all tools but those that transforms bring. Default true. */
  readonly includeBaseTools?: boolean;
}

/** What a stream hook makes of a chunk. */
export interface ChunkAnswer {
  /** In place of the chunk; default: the chunk. */
  readonly text?: string;
  /** Shown as reasoning. */
  readonly reasoning?: string;
  readonly events?: readonly PluginEvent[];
  /** Ends the call with what was said so far, as a success. */
  readonly abortStream?: boolean;
}

export interface SavedState {
  readonly state: Json;
  /** Of the plugin that saved it. */
  readonly version: string;
}

/** State that lives and dies with the commits of its session. */
export interface PluginState {
  /** Goes up with every change: state is saved only when it has. */
  revision(): number;
  /** JSON. One that throws is logged, and the state that was saved last is kept. */
  save(): Json;
  /** At every open, and whenever state has to be what is stored: replaces everything, with undefined as in a new session. */
  load(saved: SavedState | undefined): void;
}

export type Prioritized<Run> = Run | { readonly priority?: number; readonly run: Run };

/**
 * What a plugin brings into a session. Hooks of several plugins run one after another, in the order of the plugins.
 *
 * A turn that is taken up after a crash runs `prompt`, `transformContext`, `hideTools` and `beforeToolCall` again, and those before
 * the first model call if it had not been reached. They have to answer the same then, from what is committed and recorded, and
 * must not change the plugin's state. What the other hooks answer is recorded with the step that they belong to.
 *
 * The turn waits for its hooks, so none of them may wait for another turn of the same session.
 */
export interface PluginContributions {
  readonly tools?: readonly Tool[];
  /** What hosts may ask of it through `session.plugins`, each `definition.handle(run)`. */
  readonly operations?: readonly Operation[];
  /** Names of tools that the turn shall not have; asked before every model round. Can only remove. */
  hideTools?(turn: ModelCallContext, names: readonly string[]): readonly string[];
  /** Text for the system prompt, by slot; a plain text goes to `guidance`. Asked before every model round. */
  prompt?(turn: ModelCallContext): PromptAnswer | Promise<PromptAnswer>;
  /** Shapes what a turn starts from; higher priority first, each gets what the one before it made. */
  readonly transformContext?: Prioritized<(turn: ContextView) => PreparedContext | undefined | void | Promise<PreparedContext | undefined | void>>;
  beforeTurn?(turn: TurnContext): Answer<BeforeTurnDirective>;
  /** Before a model call: a frame to go on in instead, or nothing. The turn ends, and one with `task` as its input follows there. */
  beforeModelCall?(turn: ModelCallContext): FrameAnswer | Promise<FrameAnswer>;
  /** Each piece of visible text, as it streams. What it gives in place of a piece is shown and kept. */
  onText?(call: StreamContext, text: string): string | ChunkAnswer | undefined | void | Promise<string | ChunkAnswer | undefined | void>;
  /** Once per finished answer: one in its place, or nothing. */
  onResponse?(call: StreamContext, response: LlmResponse): LlmResponse | undefined | void | Promise<LlmResponse | undefined | void>;
  /** After every model call; for cleaning up. A throw is logged. */
  onStreamFinished?(call: StreamContext, reason: "complete" | "aborted" | "cancelled" | "provider_error"): void | Promise<void>;
  /** Before arguments are validated. Of several answers an abort beats a failure, a failure beats a success. */
  beforeToolCall?(call: ToolCallContext): Answer<BeforeToolDirective>;
  /** After every attempt that was not cancelled, and once after a pending call was answered. */
  afterToolCall?(call: ToolResultContext): Answer<AfterToolDirective>;
  /**
   * What the model is shown of a result; one plugin of a session may have it. The record keeps the whole output. A text is shown
   * as it is, however long; with undefined the model is shown `shown`, cut where that is over the tool's `maxModelBytes`.
   */
  projectToolResult?(call: ToolResultContext, shown: string): string | undefined | Promise<string | undefined>;
  /** After tools, and before the turn completes. Messages go on with the turn. */
  atCheckpoint?(turn: CheckpointContext): Answer<CheckpointDirective>;
  /** The turn has ended and is not committed yet; messages are part of its commit. A throw leaves it in flight. */
  afterTurn?(turn: EndedTurnContext): Answer<AfterTurnDirective>;
  readonly state?: PluginState;

  // These only observe: together, not in turn; what they throw is logged (PT-20).
  onTurnFinalized?(turn: EndedTurnContext): void | Promise<void>;
  /** The turn waits for it, its commit does not. Not run again after a crash. */
  onTurnPersisted?(turn: EndedTurnContext): void | Promise<void>;
  onSessionRestored?(session: SessionContext & { readonly history: readonly Message[] }): void | Promise<void>;
  onSessionConfigChanged?(change: ConfigChange): void | Promise<void>;

  /** The policy that a change of settings comes to: model and limit are the plugin's to change. A throw skips this change. */
  changeConfig?(change: ConfigChange): Pick<Partial<SessionPolicy>, "model" | "maxTurns"> | undefined | void;
  /** For `session.compact()`; higher priority first, the first that makes something of the conversation wins. */
  readonly compact?: Prioritized<Compactor>;
  /** At every open, before the first turn and after state was loaded. A throw fails the open. */
  materialize?(session: SessionContext & { readonly options: Json | undefined; readonly isRootSession: boolean }): void | Promise<void>;
  /** The session is closed, or could not be opened. */
  onSessionClosed?(): void;
}

export type PromptAnswer = string | PromptParts["slots"] | undefined | void;
export type FrameAnswer = { readonly frameId: string; readonly task: string } | undefined | void;
