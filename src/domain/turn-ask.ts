// What a host asks of the model beside the conversation: a form for the answer, a tool that has to be called, how to generate (ME-17).
// JSON: stored with the turn that was accepted with it, and used again by whoever finishes that turn.

import type { JsonObject } from "./json.ts";

export interface GenerationSettings {
  /** Most tokens of one answer. */
  readonly outputTokenCap?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly seed?: number;
  readonly stopSequences?: readonly string[];
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
}

export type ReasoningEffort = "provider-default" | "none" | "minimal" | "low" | "medium" | "high" | "xhigh";

/** Whether the model has to call a tool, and which one. */
export type ToolDemand = "auto" | "none" | "required" | { readonly tool: string };

export interface TurnAsk {
  /** What the turn is to end with. */
  readonly output?: { readonly name: string; readonly schema: JsonObject };
  /** `first`: of the turn's first model call only; the others are free. */
  readonly toolChoice?: { readonly demand: ToolDemand; readonly calls: "first" | "all" };
  readonly generation?: GenerationSettings;
  readonly reasoning?: ReasoningEffort;
  /** By provider name, as the provider's client takes them. */
  readonly providerOptions?: { readonly [provider: string]: JsonObject };
}

/** What is said later wins, field by field. */
export function askOver(before: TurnAsk, after: TurnAsk): TurnAsk {
  const generation = { ...before.generation, ...after.generation };
  const providerOptions = { ...before.providerOptions };
  for (const [provider, options] of Object.entries(after.providerOptions ?? {})) providerOptions[provider] = { ...providerOptions[provider], ...options };
  return {
    ...before,
    ...after,
    ...(Object.keys(generation).length > 0 && { generation }),
    ...(Object.keys(providerOptions).length > 0 && { providerOptions }),
  };
}

/** What the model may do about tools at this call. */
export const demandAt = ({ toolChoice }: TurnAsk, isFirstCall: boolean): ToolDemand =>
  toolChoice && (toolChoice.calls === "all" || isFirstCall) ? toolChoice.demand : "auto";

/** What is asked of one model call; what a turn's own limits are is none of it. */
export const asksNothing = (ask: TurnAsk): boolean => Object.keys(ask).length === 0;
