/**
 * Tokens of one model call, or a sum of calls.
 *
 * The first four buckets do not overlap, so their sum is the total. `reasoningOutputTokens` is a share of
 * `outputTokens` and never added to it.
 */
export interface TokenUsage {
  /** Prompt tokens that were neither read from nor written to a provider cache. */
  readonly inputTokens: number;
  /** Everything the model produced, reasoning included. */
  readonly outputTokens: number;
  readonly cacheReadInputTokens: number;
  readonly cacheWriteInputTokens: number;
  /** The part of `outputTokens` spent on reasoning. */
  readonly reasoningOutputTokens: number;
}

export const zeroUsage: TokenUsage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  cacheReadInputTokens: 0,
  cacheWriteInputTokens: 0,
  reasoningOutputTokens: 0,
});

/** What somebody else says that was used: a provider without types may leave out, or make up, anything. */
export type ReportedUsage = { readonly [Bucket in keyof TokenUsage]?: unknown } | null | undefined;

/** More than any call uses: who says more counts something else, and sums have to stay whole numbers. */
const MOST_TOKENS = 1e9;

const BUCKETS = Object.keys(zeroUsage) as readonly (keyof TokenUsage)[];

/** A row takes whole numbers only. What is no number of tokens counts as not reported, which is zero. */
export const tokenCount = (value: unknown): number => (isTokenCount(value) ? Math.round(value) : 0);

const isTokenCount = (value: unknown): value is number => typeof value === "number" && value >= 0 && value <= MOST_TOKENS;

/** @returns itself where it may be stored and summed as it is. */
export function countedUsage(reported: ReportedUsage): TokenUsage {
  if (BUCKETS.every((bucket) => reported?.[bucket] === tokenCount(reported?.[bucket]))) return reported as TokenUsage;
  return Object.fromEntries(BUCKETS.map((bucket) => [bucket, tokenCount(reported?.[bucket])])) as unknown as TokenUsage;
}

/** Buckets that were reported with what is no number of tokens. */
export const miscountedIn = (reported: ReportedUsage): readonly string[] => BUCKETS.filter((bucket) => !isTokenCount(reported?.[bucket] ?? 0));

/** Sums two usages bucket by bucket. */
export function addUsage(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadInputTokens: a.cacheReadInputTokens + b.cacheReadInputTokens,
    cacheWriteInputTokens: a.cacheWriteInputTokens + b.cacheWriteInputTokens,
    reasoningOutputTokens: a.reasoningOutputTokens + b.reasoningOutputTokens,
  };
}

/** What all of them used together, on top of `start`. */
export const usageOf = (entries: readonly { readonly usage: TokenUsage | null }[], start = zeroUsage): TokenUsage =>
  entries.reduce((sum, { usage }) => (usage ? addUsage(sum, usage) : sum), start);

/** Tokens that were paid for or read from cache; reasoning is already inside the output. */
export function totalTokens(usage: TokenUsage): number {
  return usage.inputTokens + usage.outputTokens + usage.cacheReadInputTokens + usage.cacheWriteInputTokens;
}

/** True when every bucket is zero: a call that reported nothing, or a zero delta that a ledger skips. */
export function isZeroUsage(usage: TokenUsage): boolean {
  return totalTokens(usage) === 0 && usage.reasoningOutputTokens === 0;
}
