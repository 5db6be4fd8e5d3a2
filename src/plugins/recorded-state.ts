// State of plugins as a turn records it: with the outcomes of its effects, so that it is as durable as what brought it about.

import { isPlainObject, type Json, type JsonObject } from "../domain/json.ts";
import type { JournaledOutcome, TurnRecord } from "../stores/contract.ts";

/** Whose outcomes are ours alone, so that nothing which came from outside can pass for a state (E-19). */
const WITH_STATE = /:(?:attempt:\d+|after|llm_call:\d+|checkpoint:\d+)$/;

/** State of its plugins that the turn recorded last; undefined where it recorded none. */
export function pluginStateOf({ journal }: TurnRecord): Json | undefined {
  for (const { replayKey, outcome } of journal.toReversed()) {
    if (!WITH_STATE.test(replayKey) || !("ok" in outcome) || !isPlainObject(outcome.ok)) continue;
    const { pluginState } = outcome.ok as { readonly pluginState?: Json };
    if (pluginState !== undefined) return pluginState;
  }
  return undefined;
}

export function withPluginState(outcome: JournaledOutcome, pluginState: Json | undefined): JournaledOutcome {
  if (pluginState === undefined || !("ok" in outcome) || !isPlainObject(outcome.ok)) return outcome;
  return { ok: { ...(outcome.ok as JsonObject), pluginState } };
}
