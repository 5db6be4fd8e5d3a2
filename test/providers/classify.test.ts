import { describe, expect, test } from "vitest";
import { classifyFailure, readRetryAfterMs } from "../../src/providers/classify.ts";
import type { ProviderFailure } from "../../src/providers/contract.ts";
import { cancelledFailure, parseFailureKind, ProviderError, providerFailure } from "../../src/providers/failure.ts";

const classified = (fields: Partial<ProviderFailure>): ProviderFailure =>
  classifyFailure(providerFailure(fields.kind ?? "unknown", fields.message ?? "", fields));

describe("classification by status (PP-18, ER-12)", () => {
  test.each([
    [400, "validation", false],
    [401, "auth", false],
    [403, "auth", false],
    [404, "http", false],
    [408, "http", true],
    [409, "http", true],
    [422, "validation", false],
    [425, "http", true],
    [429, "quota", true],
    [500, "http", true],
    [501, "http", false],
    [502, "http", true],
    [503, "http", true],
    [504, "http", true],
    [529, "http", false],
  ] as const)("status %i is %s, retryable %s", (status, kind, retryable) => {
    expect(classified({ status })).toMatchObject({ kind, retryable, terminalReason: "provider_error" });
  });

  test("a request that is too large is a context overflow, unless a rate is what it is too large for (ME-16)", () => {
    expect(classified({ status: 413 })).toMatchObject({ kind: "validation", retryable: false, terminalReason: "context_overflow" });
    expect(classified({ code: "413" })).toMatchObject({ terminalReason: "context_overflow" });
    expect(classified({ status: 413, message: "Request too large for the limit of tokens per minute" })).toMatchObject({ kind: "validation", terminalReason: "provider_error" });
  });

  test("a numeric code counts as a status, a word does not", () => {
    expect(classified({ code: "429" })).toMatchObject({ kind: "quota", retryable: true });
    expect(classified({ code: "abc" })).toMatchObject({ kind: "unknown", retryable: false });
  });

  test("without a status, transport and timeout are retryable and others stay as they are", () => {
    expect(classified({ kind: "transport" }).retryable).toBe(true);
    expect(classified({ kind: "timeout" }).retryable).toBe(true);
    expect(classified({ kind: "stream", retryable: true }).retryable).toBe(true);
    expect(classified({ kind: "unknown" }).retryable).toBe(false);
  });
});

describe("classification by text (PP-18, ER-13)", () => {
  test.each([
    "This model's maximum context length is 8192 tokens",
    "Prompt is too long: 210000 tokens > 200000 maximum",
    "CONTEXT_LENGTH_EXCEEDED",
    "Your input exceeds the context window of this model",
    "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, decrease input length or `max_tokens` and try again",
    "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
    "Input is too long for requested model.",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "The decoder prompt (length 50000) is longer than the maximum model length of 32768.",
    "the request exceeds the available context size. try increasing the context size or enable context shift",
    "Please reduce the length of the messages or completion.",
    "Invalid request: Your request exceeded model token limit: 262144",
  ])("%j is a context overflow", (message) => {
    expect(classified({ status: 400, message })).toMatchObject({
      kind: "validation",
      retryable: false,
      terminalReason: "context_overflow",
    });
  });

  test.each([
    "Rate limit reached: too many tokens per minute",
    "ThrottlingException: too many tokens, please wait before trying again",
    "Too many requests; maximum context usage per minute",
  ])("%j is a rate limit and no overflow", (message) => {
    expect(classified({ status: 429, message })).toMatchObject({
      kind: "quota",
      retryable: true,
      terminalReason: "provider_error",
    });
  });

  test("a spent quota is not retried, although its status is 429", () => {
    for (const code of ["insufficient_quota", "usage_limit_reached", "usage_not_included"]) {
      expect(classified({ status: 429, code })).toMatchObject({ kind: "quota", retryable: false });
    }
  });

  test("content filter words set the terminal reason", () => {
    for (const raw of ["content_filter", "PROHIBITED_CONTENT", "blocked for safety", "sensitive"]) {
      expect(classified({ status: 400, raw }).terminalReason).toBe("content_filter");
    }
  });

  test("an unknown model is unsupported, whatever the status", () => {
    expect(classified({ status: 503, message: "The model `x` does not exist" })).toMatchObject({
      kind: "unsupported",
      retryable: false,
    });
  });

  test("classifying twice changes nothing, and a cancelled call stays one", () => {
    const once = classified({ status: 429, message: "slow down", headers: [["Retry-After", "3"]] });
    expect(classifyFailure(once)).toEqual(once);
    expect(classifyFailure(cancelledFailure())).toEqual(cancelledFailure());
  });

  test("a hostile text of four million characters is classified without backtracking", () => {
    // A pattern that backtracks over it would run into the test's timeout.
    expect(classified({ message: "too many input ".repeat(270_000) })).toMatchObject({ kind: "unknown" });
  });
});

describe("Retry-After (PP-19)", () => {
  test.each([
    ["7", 7_000],
    [" 7 ", 7_000],
    ["0", 0],
    ["1.5", undefined],
    ["-1", undefined],
    ["Wed, 21 Oct 2026 07:28:00 GMT", undefined],
    ["", undefined],
    ["9999999999", undefined],
  ])("%j reads as %s ms", (value, expected) => {
    expect(readRetryAfterMs([["rEtry-AFTER", value]])).toBe(expected);
  });
});

describe("failures", () => {
  test("an unknown kind decodes as unknown (PP-21)", () => {
    expect(parseFailureKind("quota")).toBe("quota");
    expect(parseFailureKind("telepathy")).toBe("unknown");
  });

  test("raw text over 4000 characters keeps head and tail (ER section 2)", () => {
    const { raw } = providerFailure("http", "x", { raw: `${"a".repeat(3_000)}${"b".repeat(3_000)}` });
    expect(raw).toBe("a".repeat(2_000) + "b".repeat(2_000));
  });

  test("a ProviderError is recognised by its brand and carries its cause", () => {
    const cause = new Error("socket");
    const error = new ProviderError(cancelledFailure(), { cause });
    expect(ProviderError.is(error)).toBe(true);
    expect(ProviderError.is(new Error("x"))).toBe(false);
    expect(error).toMatchObject({ name: "ProviderError", cause, failure: { code: "cancelled" }, attempts: [] });
  });
});
