import { expect, test } from "vitest";
import { addUsage, isZeroUsage, totalTokens, zeroUsage, type TokenUsage } from "../../src/domain/usage.ts";

const usage: TokenUsage = {
  inputTokens: 1,
  outputTokens: 20,
  cacheReadInputTokens: 300,
  cacheWriteInputTokens: 4_000,
  reasoningOutputTokens: 15,
};

test("reasoning is inside the output and not added to the total (PP-5, toy trap 6)", () => {
  expect(totalTokens(usage)).toBe(4_321);
});

test("usages add up bucket by bucket, and zero changes nothing", () => {
  expect(addUsage(usage, zeroUsage)).toEqual(usage);
  expect(totalTokens(addUsage(usage, usage))).toBe(8_642);
  expect(addUsage(usage, usage).reasoningOutputTokens).toBe(30);
});

test("only a usage without any tokens is zero", () => {
  expect(isZeroUsage(zeroUsage)).toBe(true);
  expect(isZeroUsage(usage)).toBe(false);
});
