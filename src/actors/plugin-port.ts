// What a session and its turns ask of plugins. An interface only: who uses plugins brings what is behind it, everybody else
// loads nothing of it and waits for nothing (decision 0014).
//
//   G1. Whatever a plugin does wrong comes back as what the table of PT section 3 says, or is thrown with its code.
//   G2. State in memory is the base's plus what happened since; `begin` and the captures keep to that, so that a turn which is
//       taken up anywhere starts from the state that its record holds.

import type { Compactor } from "../domain/compaction.ts";
import type { Json } from "../domain/json.ts";
import type { Message } from "../domain/messages.ts";
import type { TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import type { PluginMessage } from "../domain/plugin-message.ts";
import type { SessionPolicy } from "../domain/session.ts";
import type { ToolCallOutput } from "../domain/tool-output.ts";
import type { RecordedPlugin } from "../domain/turn-config.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { CheckpointKind, EffectOutcome, PhaseName, TurnEvent } from "../machines/effects.ts";
import type { TurnHook } from "../machines/turn.context.ts";
import type { ComponentBody, JournaledOutcome, TurnRecord } from "../stores/contract.ts";
import type { Tool } from "../tools/contract.ts";
import type { Journaled } from "./durable/contract.ts";
import type { Emit } from "./model-call.ts";
import type { Resident } from "./resident.ts";
import type { RecordedPending } from "./turn/tools/completion.ts";
import type { SettingsChange } from "./session-settings.ts";
import type { TurnPlan } from "./turn-plan.ts";

/** The plugins of one opened session. */
export interface SessionPlugins {
  /** In their order; recorded with every turn. */
  readonly recorded: readonly RecordedPlugin[];
  readonly tools: readonly Tool[];
  /** Ids of plugins by the ids of their tools. */
  readonly toolOwners: ReadonlyMap<string, string>;
  /** Parts of a turn that some plugin takes part in. */
  readonly hooks: readonly TurnHook[];
  /** Whether they add to the prompt while a turn runs. */
  readonly addsToPrompt: boolean;
  /** Of the plugins, highest priority first; undefined where none has one. */
  readonly compactor: Compactor | undefined;

  /** State is that of a commit now. @throws LashError `plugin_snapshot`. */
  restore(base: ComponentBody | undefined): void;
  /**
   * What a commit on top of `base` has to write; undefined where nothing changed, or where it could not be captured.
   *
   * @param within - `turn`: the commit ends the turn that runs. Else what a turn that did not end had changed is taken back.
   */
  capture(base: ComponentBody | undefined, within: "turn" | "session"): Json | undefined;
  /** The commit is made: `base` is what is stored now. */
  committed(base: ComponentBody | undefined): void;
  /** Whether something has changed that no commit and no turn in flight holds. */
  isDirty(): boolean;

  /** What a host asks of them through `session.plugins`. @param closed - aborts when the handle that asks is let go of. */
  operate(request: OperationRequest, closed: AbortSignal): Promise<unknown>;

  /** Those that the turn was accepted with; others take no part in it. */
  turn(turn: PluggedTurn): TurnPlugins;

  /** Apply-at-open. @throws LashError `plugin_session`. */
  materialize(): Promise<void>;
  /** Failures are logged. @param messages - asked for where a plugin wants to know of them. @throws what that throws. */
  restored(messages: () => readonly Message[]): Promise<void>;
  /** A change of settings as its mutators leave it, recorded, and told to all. @throws what `record` does. */
  configure(previous: SessionPolicy, change: SettingsChange, record: (change: SettingsChange) => Promise<void>): Promise<void>;
  /** The session is left, or could not be opened. */
  close(): void;
}

/** As the host gave it. */
export interface OperationRequest {
  readonly kind: "query" | "command" | "task";
  readonly operation: string | { readonly name: string };
  readonly args?: unknown;
  readonly options?: { readonly signal?: AbortSignal };
}

/** The turn that plugins take part in. */
export interface PluggedTurn {
  readonly turnId: string;
  /** As it was accepted. */
  readonly plan: TurnPlan;
  /** That, with the session's tools as they are by now. */
  readonly base: () => TurnPlan;
  readonly resident: () => Resident;
  /** What the turn has said so far. */
  readonly log: () => readonly Message[];
  readonly emit: Emit;
}

export interface ToolQuestion {
  /** Of the call in its session; the same for all that is asked about it. */
  readonly key: string;
  readonly callId: string;
  readonly toolName: string;
  readonly args: Json;
}

/** After the hooks before a call: its arguments, or what it comes to without being run. */
export type ToolVerdict = { readonly args: Json } | { readonly output: ToolCallOutput };

/** How an attempt ended: with an output, or waiting for an answer from outside. */
export type AttemptEnd = { readonly output: ToolCallOutput } | { readonly pending: RecordedPending };

/** What an attempt is recorded as. A pending one has no result yet, but may have changed its plugin's state. */
export type SettledAttempt = SettledCall | { readonly pending: RecordedPending; readonly pluginState?: Json };

/** After the hooks on a result. JSON: recorded with the attempt, so that a replay asks nobody. */
export interface SettledCall {
  readonly output: ToolCallOutput;
  readonly messages?: readonly PluginMessage[];
  /** What the model is shown, where that is not what it would be shown anyway. */
  readonly shown?: string;
  /** State of all plugins, where it has changed since it was last recorded. */
  readonly pluginState?: Json;
}

export interface EndedTurn {
  readonly outcome: TurnOutcome | null;
  readonly issues: readonly TurnIssue[];
  readonly usage: TokenUsage;
}

/** The plugins of one turn, as long as one process drives it. */
export interface TurnPlugins {
  /** What the turn runs with by now. */
  readonly plan: TurnPlan;
  /**
   * State is what the turn begins or goes on with: that of the commit it builds on, or what it recorded itself.
   *
   * @throws LashError `plugin_snapshot`.
   */
  begin(base: ComponentBody | undefined, turn: TurnRecord): void;
  /** The outcome of an effect, together with the state that plugins have come to with it. */
  withState(outcome: JournaledOutcome): JournaledOutcome;

  /**
   * A phase of the outer pipeline: what the turn's machine is told of it.
   *
   * @param signal - aborts what comes before the first model call, when the turn is cancelled.
   * @throws LashError `context_prepare_turn`, `plugin_prepare_turn`, `plugin_finalize_turn` - the turn stays in flight.
   */
  phase(phase: PluginPhase, ended: () => EndedTurn, signal: AbortSignal): Promise<TurnEvent>;
  /** Before each model call, by whoever drives the turn: `plan` is that of this round. */
  sync(iteration: number, signal: AbortSignal): Promise<EffectOutcome>;
  /** For a turn that is taken up in the middle of a round. @throws LashError `context_prepare_turn`. */
  rebuild(iteration: number): Promise<void>;

  /** Undefined where no plugin looks at calls. */
  readonly beforeToolCall: ((call: ToolQuestion, signal: AbortSignal) => Promise<ToolVerdict>) | undefined;
  /** Hooks on the result, then the projection. Undefined where no plugin does either, and none has state. */
  readonly afterToolCall: ((call: ToolQuestion, ended: AttemptEnd, signal: AbortSignal) => Promise<SettledAttempt>) | undefined;
  /** The model's view of a result that no attempt made. */
  project(call: ToolQuestion, output: ToolCallOutput): Promise<string | undefined>;
  /**
   * Undefined where no plugin takes part.
   *
   * @param from - where its messages stand in the log.
   * @param execute - makes what hooks answer the outcome of the checkpoint, so that nobody is asked twice.
   * @throws LashError `plugin_checkpoint`.
   */
  readonly atCheckpoint:
    | ((checkpoint: CheckpointKind, from: number, signal: AbortSignal, execute: (run: () => Promise<JournaledOutcome>) => Promise<Journaled>) => Promise<Collected>)
    | undefined;
}

export type PluginPhase = Extract<PhaseName, "prepareContext" | "beforeTurn" | "buildTurn" | "finalize" | "afterPersist">;

export interface Collected {
  readonly messages: readonly Message[];
  readonly abort?: TurnIssue;
}
