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
import type { CheckpointKind, FrameTarget } from "../machines/effects.ts";
import type { TurnHook } from "../machines/turn.context.ts";
import type { ComponentBody } from "../stores/contract.ts";
import type { Tool } from "../tools/contract.ts";
import type { Emit } from "./model-call.ts";
import type { Resident } from "./resident.ts";
import type { TurnPlan } from "./turn-plan.ts";

/** The plugins of one opened session. */
export interface SessionPlugins {
  /** In their order; recorded with every turn. */
  readonly recorded: readonly RecordedPlugin[];
  readonly tools: readonly Tool[];
  /** Parts of a turn that some plugin takes part in. */
  readonly hooks: readonly TurnHook[];
  /** Whether they add to the prompt while a turn runs. */
  readonly addsToPrompt: boolean;
  /** Of the plugins, highest priority first; undefined where none has one. */
  readonly compactor: Compactor | undefined;

  /** State is that of a commit now (PT-26). @throws LashError `plugin_snapshot`. */
  restore(base: ComponentBody | undefined): void;
  /**
   * What a commit on top of `base` has to write; undefined where nothing changed, or where it could not be captured (PT-25).
   *
   * @param within - `turn`: the commit ends the turn that runs. Else what a turn that did not end had changed is taken back.
   */
  capture(base: ComponentBody | undefined, within: "turn" | "session"): Json | undefined;
  /** The commit is made: `base` is what is stored now. */
  committed(base: ComponentBody | undefined): void;
  /** Whether something has changed that no commit and no turn in flight holds. */
  isDirty(): boolean;

  /** @param ids - those that the turn was accepted with; others take no part in it. */
  turn(turn: PluggedTurn, ids: readonly string[]): TurnPlugins;

  /** Apply-at-open (PT-22). @throws LashError `plugin_session`. */
  materialize(): Promise<void>;
  /** S-29 (16). Failures are logged. */
  restored(messages: readonly Message[]): Promise<void>;
  /** The policy that a change comes to; a mutator that throws is skipped (S-27). */
  changeConfig(previous: SessionPolicy, next: SessionPolicy): Promise<SessionPolicy>;
  configChanged(previous: SessionPolicy, current: SessionPolicy): Promise<void>;
  /** The session is left, or could not be opened (PT-6). */
  close(): void;
}

/** The turn that plugins take part in. */
export interface PluggedTurn {
  readonly turnId: string;
  readonly resident: () => Resident;
  /** What the turn has said so far. */
  readonly log: () => readonly Message[];
  readonly emit: Emit;
}

/** Why a turn does not go on. */
export interface Refusal {
  readonly issue: TurnIssue;
}

export interface ToolQuestion {
  readonly callId: string;
  readonly toolName: string;
  readonly args: Json;
}

/** After the hooks before a call: its arguments, or what it comes to without being run. */
export type ToolVerdict = { readonly args: Json } | { readonly output: ToolCallOutput };

/** After the hooks on a result. JSON: recorded with the attempt, so that a replay asks nobody (PT-54). */
export interface SettledCall {
  readonly output: ToolCallOutput;
  readonly messages?: readonly PluginMessage[];
  /** What the model is shown, where that is not what it would be shown anyway. */
  readonly shown?: string;
  /** State of all plugins, where it has changed since it was last recorded. */
  readonly pluginState?: Json;
}

export interface EndedTurn {
  readonly outcome: TurnOutcome;
  readonly issues: readonly TurnIssue[];
  readonly usage: TokenUsage;
}

/** The plugins of one turn, as long as one process drives it. */
export interface TurnPlugins {
  /**
   * State is what the turn begins or goes on with.
   *
   * @param base - of the commit that the turn builds on.
   * @param recorded - that the turn itself recorded last, where it is taken up.
   * @throws LashError `plugin_snapshot`.
   */
  begin(base: ComponentBody | undefined, recorded: Json | undefined): void;
  /** What has to be recorded with the outcome of an effect; undefined where nothing changed since the last time. */
  unrecorded(): Json | undefined;

  /** T-11. Run again where a turn is taken up. @throws LashError `context_prepare_turn`. */
  prepareContext(signal: AbortSignal): Promise<void>;
  /** T-12. @throws LashError `plugin_prepare_turn`. */
  beforeTurn(signal: AbortSignal): Promise<readonly PluginMessage[] | Refusal>;
  /** What the turn runs with now: once per iteration, by whoever drives it (T-33). */
  planFor(base: TurnPlan, iteration: number, signal: AbortSignal): Promise<TurnPlan | Refusal>;
  /** A frame to go on in instead of the next model call (T-66). */
  beforeModelCall(iteration: number, signal: AbortSignal): Promise<FrameTarget | Refusal | undefined>;

  /** T-51. Undefined where no plugin looks at calls. */
  readonly beforeToolCall: ((call: ToolQuestion, signal: AbortSignal) => Promise<ToolVerdict>) | undefined;
  /** T-54: hooks on the result, then the projection. Undefined where no plugin does either. */
  readonly afterToolCall: ((call: ToolQuestion, output: ToolCallOutput, signal: AbortSignal) => Promise<SettledCall>) | undefined;
  /** The model's view of a result that no attempt made. */
  project(call: ToolQuestion, output: ToolCallOutput): Promise<string | undefined>;

  /** T-55. Undefined where no plugin takes part. @throws LashError `plugin_checkpoint`. */
  readonly atCheckpoint: ((checkpoint: CheckpointKind, signal: AbortSignal) => Promise<readonly PluginMessage[] | Refusal>) | undefined;
  /** T-72. @throws LashError `plugin_finalize_turn`. */
  finalize(ended: EndedTurn): Promise<readonly PluginMessage[]>;
  /** After the commit; failures are logged (PT-20). */
  persisted(ended: EndedTurn): Promise<void>;
}
