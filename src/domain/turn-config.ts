// What a turn is run with beside its input and its history, as far as it is data (T-16). Live parts - provider, tools - are
// found again by the ids and names in here.

import type { Json, JsonObject } from "./json.ts";
import type { PromptLayer } from "./prompt.ts";
import type { TurnAsk } from "./turn-ask.ts";
import { turnLimit, type SessionPolicy } from "./session.ts";

/** A tool as the model sees it. */
export interface ToolSpec {
  /** Where it is not the name. */
  readonly id?: string;
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly inputSchema: { readonly [keyword: string]: unknown };
  /** Where it came from, if that is something that may be there without offering it (`sourceOf`). The model is not shown this. */
  readonly source?: string;
}

/** What a tool is known by, whatever it is called at the time. */
export const toolIdOf = ({ id, name }: { readonly id?: string; readonly name: string }): string => id ?? name;

/** Sources of tools, as `ToolSpec.source` names them: a plugin, and functions that were added to an open session. */
export const sourceOf = { plugin: (id: string) => `plugin:${id}`, added: "added" } as const;

/** Tools as the model is shown them: the same value where nothing is left out. */
export const shownTools = (tools: readonly ToolSpec[]): readonly ToolSpec[] =>
  tools.some(({ source }) => source !== undefined) ? tools.map(({ source: _source, ...spec }) => spec) : tools;

/** What a session records of its configuration (design 7.5). */
export interface SessionSettings {
  readonly policy: SessionPolicy;
  /** The session's own layer of the prompt, beneath the lash's and above the turn's. */
  readonly prompt: PromptLayer;
  /** State of its tools, where it is not the recorded one. */
  readonly tools?: JsonObject;
}

/** A plugin as a turn remembers it. */
export interface RecordedPlugin {
  readonly id: string;
  /** As the host gave them to the session. */
  readonly options?: Json;
}

/** What ends a turn beside the count of its model calls. */
export interface TurnLimits {
  /** From its acceptance, in milliseconds. */
  readonly timeoutMs?: number;
  /** Of all its model calls together: prompts, cached or not, and answers. */
  readonly tokens?: number;
}

/** Fixed when the turn is accepted and used again by whoever finishes it. */
export interface TurnConfig {
  /** Provider, model and limit of this turn. */
  readonly policy: SessionPolicy;
  /** System prompt; blank means none. */
  readonly system: string;
  readonly tools: readonly ToolSpec[];
  /** Those that take part in the turn, with the options they were built with; absent where there are none. */
  readonly plugins?: readonly RecordedPlugin[];
  /** What `system` was made of, where plugins add to it while the turn runs. */
  readonly layers?: readonly PromptLayer[];
  /** Absent: none but the count of model calls, which is in the policy. */
  readonly limits?: TurnLimits;
  /** What is asked of the model beside the conversation; absent: nothing. */
  readonly ask?: TurnAsk;
  /** The session's own settings, where they are not all in `policy`: what the turn's commit records. */
  readonly session?: { readonly policy?: SessionPolicy; readonly prompt?: PromptLayer };
}

/** What ends a turn before another model call; null where nothing does. */
export interface CallLimits {
  /** Model calls. */
  readonly maxTurns: number | null;
  /** Tokens of all model calls together. */
  readonly tokenBudget: number | null;
}

export const callLimitsOf = ({ policy, limits }: TurnConfig): CallLimits => ({ maxTurns: turnLimit(policy), tokenBudget: limits?.tokens ?? null });

/** Whether a version of lash-runtime that knows only records of version 1 would misread this. */
export const configNeedsVersion2 = ({ limits, ask, tools }: TurnConfig): boolean =>
  limits !== undefined || ask !== undefined || tools.some(({ source }) => source !== undefined);

/** The session's settings when the turn was accepted. */
export const settingsIn = ({ policy, session }: TurnConfig): SessionSettings => ({ policy: session?.policy ?? policy, prompt: session?.prompt ?? NO_PROMPT });

/** One value, so that it is known by its identity. */
export const NO_PROMPT: PromptLayer = {};
