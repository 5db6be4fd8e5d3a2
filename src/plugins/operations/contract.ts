// Operations of plugins: what a host may ask a plugin of an open session to tell or to do. Types only.

import type { Clock } from "../../domain/clock.ts";
import type { Json } from "../../domain/json.ts";
import type { Message } from "../../domain/messages.ts";
import type { PluginEvent } from "../../domain/plugin-message.ts";
import type { SessionNode } from "../../domain/session.ts";
import type { TurnInput, TurnInputItem } from "../../domain/turn-input.ts";
import type { PendingTurnInput } from "../../stores/ingress-contract.ts";
import type { InferOutput, StandardSchema } from "../../tools/contract.ts";

export type OperationKind = "query" | "command" | "task";

/** What a schema is given; the runtime's own types do not say it elsewhere. */
export type InferInput<Schema> = Schema extends StandardSchema<infer Input, infer _Output> ? Input : never;

/** What an operation is called by, on both sides; made by `defineQuery`, `defineCommand` or `defineTask`, once for all sessions. */
export interface OperationDefinition<Kind extends OperationKind, In extends StandardSchema, Out extends StandardSchema> {
  readonly kind: Kind;
  readonly name: string;
  readonly description: string;
  readonly input: In;
  readonly output: Out;
  /** What a plugin has among its `operations`, for the session that it is built for. */
  handle(run: OperationHandler<Kind, In, Out>): Operation;
}

export type OperationHandler<Kind extends OperationKind, In, Out> = (
  args: InferOutput<In>,
  context: Kind extends "query" ? QueryContext : Kind extends "command" ? CommandContext : TaskContext,
) => Kind extends "query" ? InferInput<Out> | Promise<InferInput<Out>> : OperationOutcome<InferInput<Out>> | Promise<OperationOutcome<InferInput<Out>>>;

/** An operation as a plugin contributes it. */
export interface Operation {
  readonly definition: OperationDefinition<OperationKind, StandardSchema, StandardSchema>;
  /** A method, so that operations of different arguments fit into one list. */
  run(args: unknown, context: TaskContext): unknown;
}

/** The session, as it is committed; nothing in it can be changed. */
export interface QueryContext {
  readonly sessionId: string;
  readonly clock: Clock;
  /** Of the latest commit; 0 where nothing was ever committed. */
  readonly revision: number;
  /** Committed messages of the current frame, oldest first; copied when asked for. */
  readonly history: readonly Message[];
  /** Any node of the session's history, also off the active path; undefined for one that is unknown or tombstoned. */
  historicNode(nodeId: string): Promise<SessionNode | undefined>;
}

export interface CommandContext extends QueryContext {
  /**
   * Aborts when the call is cancelled, the session's lease is lost, or the handle that asked is let go of. The operation has failed
   * then, whoever listens or not: what still runs must not change its plugin's state any more.
   */
  readonly signal: AbortSignal;
}

export interface TaskContext extends CommandContext {
  /** `<session>:plugin_task:<name>:<id>`, another one for every call: for whatever the task does outside. */
  readonly scopeId: string;
}

/** What a command or a task came to. All of it is one commit, or nothing of it is. */
export interface OperationOutcome<Output> {
  readonly output: Output;
  /** Kept in the session's history as nodes of the plugin, which no model is shown. */
  readonly events?: readonly PluginEvent[];
  readonly directives?: readonly QueueTurn[];
}

/** Leaves an input to the session's next turn, as `session.enqueue` does. */
export interface QueueTurn {
  readonly type: "queue_turn";
  /** Images by the id of one that the session has. */
  readonly input: string | (Omit<TurnInput, "items" | "imageBlobs" | "fileBlobs" | "traceTurnId"> & { readonly items: readonly TurnInputItem[] });
  /** Makes it repeatable: under a key of this plugin that was used before, the input that is there stands. */
  readonly sourceKey?: string;
}

/** Durable when it is told. */
export interface OperationReceipt<Output> {
  readonly output: Output;
  /** Ids of the nodes that hold the events, in order. */
  readonly eventNodeIds: readonly string[];
  readonly queuedTurns: readonly PendingTurnInput[];
}

export interface TaskOptions {
  /** Aborting it ends the task, and nothing of it is committed. */
  readonly signal?: AbortSignal;
}

/**
 * Operations of a session's plugins, by their definitions or, without types, by name.
 *
 * All throw LashError `plugin_operation_unknown` - no plugin of this session has such an operation; `invalid_argument` - arguments
 * that are not what its schema says; `plugin_operation_failed` - it threw, or gave something that its schema refuses: nothing of it
 * is durable, and its plugin's state is what it was.
 */
export interface SessionOperations {
  /** Asks about what is committed. At once: waits for no turn and takes no lease. */
  query<In extends StandardSchema, Out extends StandardSchema>(query: OperationDefinition<"query", In, Out>, args: InferInput<In>): Promise<InferOutput<Out>>;
  query(name: string, args?: Json): Promise<Json>;
  /**
   * Changes the session between its turns: waits for those of this runtime, and finishes one that nobody drives. Never to be awaited
   * by a tool or hook of the session's own turn, which would wait for itself. Its events, the state of plugins and its turns are
   * committed together; a command that died with its process has done all or nothing.
   *
   * @throws LashError `session_execution_busy` - another owner runs the session; `store_commit_failed` - unknown whether it was done.
   */
  runCommand<In extends StandardSchema, Out extends StandardSchema>(command: OperationDefinition<"command", In, Out>, args: InferInput<In>): Promise<OperationReceipt<InferOutput<Out>>>;
  runCommand(name: string, args?: Json): Promise<OperationReceipt<Json>>;
  /** As `runCommand`, for what takes its time: its lease is kept, and it can be cancelled. The session's turns wait for it. */
  runTask<In extends StandardSchema, Out extends StandardSchema>(task: OperationDefinition<"task", In, Out>, args: InferInput<In>, options?: TaskOptions): Promise<OperationReceipt<InferOutput<Out>>>;
  runTask(name: string, args?: Json, options?: TaskOptions): Promise<OperationReceipt<Json>>;
}
