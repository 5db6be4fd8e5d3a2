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
