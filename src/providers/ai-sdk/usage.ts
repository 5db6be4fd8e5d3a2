// Token counts of the AI SDK in our buckets (PP-5).

import type { LanguageModelV4Usage } from "@ai-sdk/provider";
import { isZeroUsage, tokenCount as count, type TokenUsage } from "../../domain/usage.ts";
import type { LlmStreamEvent } from "../contract.ts";

/** A provider that counted nothing has said nothing, which is not the same as zero. */
export function usageEvent(reported: LanguageModelV4Usage): LlmStreamEvent | null {
  const usage = usageOf(reported);
  return isZeroUsage(usage) ? null : { type: "usage", usage };
}

/** Cached tokens leave the input bucket, reasoning stays inside the output. */
export function usageOf({ inputTokens, outputTokens }: LanguageModelV4Usage): TokenUsage {
  const cacheRead = count(inputTokens.cacheRead);
  const cacheWrite = count(inputTokens.cacheWrite);
  return {
    inputTokens: count(inputTokens.noCache ?? count(inputTokens.total) - cacheRead - cacheWrite),
    outputTokens: count(outputTokens.total ?? count(outputTokens.text) + count(outputTokens.reasoning)),
    cacheReadInputTokens: cacheRead,
    cacheWriteInputTokens: cacheWrite,
    reasoningOutputTokens: count(outputTokens.reasoning),
  };
}
