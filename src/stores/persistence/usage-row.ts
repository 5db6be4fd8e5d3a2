// Token counts as rows keep them: five numbers in the order of TokenUsage, because hot rows hold several.

import * as z from "zod/mini";
import type { ModelCallRecord } from "../../domain/outcome.ts";
import type { TokenLedgerEntry } from "../../domain/session.ts";
import { addUsage, isZeroUsage, type TokenUsage } from "../../domain/usage.ts";
import type { ReadTransaction } from "../engine.ts";
import { usageKey } from "./layout.ts";
import { count, fitting, parseRow } from "./schema.ts";

export const usageRow = z.tuple([count, count, count, count, count]);
export type UsageRow = z.output<typeof usageRow>;

export const writeUsage = (usage: TokenUsage): UsageRow => [
  usage.inputTokens,
  usage.outputTokens,
  usage.cacheReadInputTokens,
  usage.cacheWriteInputTokens,
  usage.reasoningOutputTokens,
];

export function readUsage(row: UsageRow): TokenUsage {
  const [inputTokens, outputTokens, cacheReadInputTokens, cacheWriteInputTokens, reasoningOutputTokens] = row;
  return { inputTokens, outputTokens, cacheReadInputTokens, cacheWriteInputTokens, reasoningOutputTokens };
}

/** One attempt at a model call (OP-21): effect, source, model, status, usage if the provider said any. */
const status = z.enum(["completed", "failed", "aborted"]);
const ownCall = z.tuple([count, z.string(), z.string(), status, z.nullable(usageRow)]);
/** With session and turn of the child whose calls these are. */
const childCalls = z.tuple([count, z.string(), z.string(), status, z.nullable(usageRow), z.string(), z.string()]);
export const modelCallRow = z.union([ownCall, childCalls]);
export type ModelCallRow = z.output<typeof modelCallRow>;

export function writeModelCall({ effectId, source, model, status, usage, child }: ModelCallRecord): ModelCallRow {
  const used = usage === null ? null : writeUsage(usage);
  return child ? [effectId, source, model, status, used, child.sessionId, child.turnId] : [effectId, source, model, status, used];
}

export function readModelCall([effectId, source, model, status, usage, sessionId, turnId]: ModelCallRow): ModelCallRecord {
  const call: ModelCallRecord = { effectId, source, model, status, usage: usage === null ? null : readUsage(usage) };
  return sessionId === undefined || turnId === undefined ? call : { ...call, child: { sessionId, turnId } };
}

/** What a session cost so far, per source and model in the order they were first seen. */
export const ledgerRow = z.array(z.tuple([z.string(), z.string(), usageRow]));
export type LedgerRow = z.output<typeof ledgerRow>;

export const readLedger = (row: LedgerRow): TokenLedgerEntry[] =>
  row.map(([source, model, usage]) => ({ source, model, usage: readUsage(usage) }));

/** Adds deltas; all-zero ones leave no trace. */
export function addToLedger(row: LedgerRow, deltas: readonly TokenLedgerEntry[]): LedgerRow {
  const sums = row.map((entry): LedgerRow[number] => [...entry]);
  for (const { source, model, usage } of deltas) {
    if (isZeroUsage(usage)) continue;
    const known = sums.find((entry) => entry[0] === source && entry[1] === model);
    if (known === undefined) sums.push([source, model, writeUsage(usage)]);
    else known[2] = writeUsage(addUsage(readUsage(known[2]), usage));
  }
  return fitting(ledgerRow, sums);
}

export function readLedgerRow(tx: ReadTransaction, sessionId: string): LedgerRow {
  const key = usageKey(sessionId);
  const value = tx.get(key);
  return value === undefined ? [] : parseRow(ledgerRow, "usage ledger", key, value);
}
