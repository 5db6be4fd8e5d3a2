// What a turn is run with beside its input and its history, as far as it is data (T-16). Live parts - provider, tools - are
// found again by the ids and names in here.

import type { SessionPolicy } from "./session.ts";

/** A tool as the model sees it. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly inputSchema: { readonly [keyword: string]: unknown };
}

/** Fixed when the turn is accepted and used again by whoever finishes it (OP-7). */
export interface TurnConfig {
  /** Provider, model and limit of this turn. */
  readonly policy: SessionPolicy;
  /** System prompt; blank means none. */
  readonly system: string;
  readonly tools: readonly ToolSpec[];
}
