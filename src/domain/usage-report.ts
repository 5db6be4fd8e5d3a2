// What a session cost: its ledger, and the sums that hosts ask for (observation.md section 10).

import type { TokenLedgerEntry } from "./session.ts";
import { addUsage, isZeroUsage, totalTokens, usageOf, zeroUsage, type TokenUsage } from "./usage.ts";

export interface UsageTotals extends TokenUsage {
  /** Input, output and both caches; reasoning is part of the output. */
  readonly totalTokens: number;
}

/** Of everything that was committed. Sources: `turn`, `compaction`, and what plugins and tools name. */
export interface SessionUsageReport {
  readonly entryCount: number;
  readonly usage: UsageTotals;
  /** Keys sorted. */
  readonly bySource: Readonly<Record<string, UsageTotals>>;
  readonly byModel: Readonly<Record<string, UsageTotals>>;
  /** In the order in which they were first seen. */
  readonly bySourceModel: readonly { readonly source: string; readonly model: string; readonly usage: UsageTotals }[];
}

/** The ledger after a commit, as a store keeps it: one entry per source and model, and none for nothing. */
export function addToLedger(ledger: readonly TokenLedgerEntry[], deltas: readonly TokenLedgerEntry[]): readonly TokenLedgerEntry[] {
  const sums = [...ledger];
  for (const delta of deltas) {
    if (isZeroUsage(delta.usage)) continue;
    const at = sums.findIndex(({ source, model }) => source === delta.source && model === delta.model);
    const known = sums[at];
    if (known) sums[at] = { ...known, usage: addUsage(known.usage, delta.usage) };
    else sums.push(delta);
  }
  return sums;
}

export function usageReportOf(ledger: readonly TokenLedgerEntry[]): SessionUsageReport {
  return {
    entryCount: ledger.length,
    usage: totalsOf(usageOf(ledger)),
    bySource: sumsBy(ledger, ({ source }) => source),
    byModel: sumsBy(ledger, ({ model }) => model),
    bySourceModel: ledger.map(({ source, model, usage }) => ({ source, model, usage: totalsOf(usage) })),
  };
}

function sumsBy(ledger: readonly TokenLedgerEntry[], keyOf: (entry: TokenLedgerEntry) => string): Readonly<Record<string, UsageTotals>> {
  const sums = new Map<string, TokenUsage>();
  for (const entry of ledger) sums.set(keyOf(entry), addUsage(sums.get(keyOf(entry)) ?? zeroUsage, entry.usage));
  return Object.fromEntries([...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, usage]) => [key, totalsOf(usage)]));
}

const totalsOf = (usage: TokenUsage): UsageTotals => ({ ...usage, totalTokens: totalTokens(usage) });
