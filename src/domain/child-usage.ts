// What child sessions used during a turn (T-78), as the turn's records of model calls tell it.

import type { ModelCallRecord } from "./outcome.ts";
import { addUsage, isZeroUsage, zeroUsage, type TokenUsage } from "./usage.ts";

/** Tokens that children used under one source and model. */
export interface ChildUsage {
  readonly source: string;
  readonly model: string;
  readonly usage: TokenUsage;
}

const NONE: readonly ChildUsage[] = Object.freeze([]);

/** Of one turn and model the latest record replaces earlier ones; what is left is summed by source and model. */
export function childrenUsageOf(calls: readonly ModelCallRecord[]): readonly ChildUsage[] {
  // Most turns have none, and every result asks.
  if (!calls.some(({ child }) => child)) return NONE;
  const latest = new Map<string, ModelCallRecord>();
  for (const call of calls) if (call.child) latest.set(JSON.stringify([call.child.sessionId, call.child.turnId, call.model]), call);
  return sumUsage([...latest.values()]);
}

/** What all calls used, their children's included, by model: what its parent counts for a child's turn. */
export function usageByModel(calls: readonly ModelCallRecord[]): readonly Omit<ChildUsage, "source">[] {
  const own = calls.filter(({ child }) => !child);
  const all = [...own, ...childrenUsageOf(calls)].map(({ model, usage }) => ({ source: "", model, usage }));
  return sumUsage(all).map(({ model, usage }) => ({ model, usage }));
}

/** Sums by source and model; what used nothing is left out. */
export function sumUsage(entries: readonly { readonly source: string; readonly model: string; readonly usage: TokenUsage | null }[]): readonly ChildUsage[] {
  const sums = new Map<string, ChildUsage>();
  for (const { source, model, usage } of entries) {
    if (usage === null || isZeroUsage(usage)) continue;
    const key = JSON.stringify([source, model]);
    sums.set(key, { source, model, usage: addUsage(sums.get(key)?.usage ?? zeroUsage, usage) });
  }
  return [...sums.values()];
}
