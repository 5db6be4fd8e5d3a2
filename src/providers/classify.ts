// Default meaning of a provider failure (PP-18, ER-12, ER-13). Later rules override earlier ones.
// The text is the provider's and so hostile: only substring search, no regular expressions.

import type { ProviderFailure, ProviderFailureKind } from "./contract.ts";

const RETRYABLE_STATUS: ReadonlySet<number> = new Set([408, 409, 425, 429, 500, 502, 503, 504]);

const KIND_BY_STATUS: ReadonlyMap<number, ProviderFailureKind> = new Map([
  [400, "validation"],
  [401, "auth"],
  [403, "auth"],
  [413, "validation"],
  [422, "validation"],
  [429, "quota"],
]);

const CONTEXT_OVERFLOW = [
  "context_length_exceeded",
  "context_window_exceeded",
  "context length",
  "maximum context",
  "exceeds the context window",
  "exceed the context window",
  "exceeded the context window",
  "context window exceeded",
  "exceed context limit",
  "exceeds context limit",
  "context size has been exceeded",
  "exceeds the available context size",
  "prompt is too long",
  "prompt too long",
  "input is too long",
  "input length exceeds",
  "input token count exceeds",
  "input tokens exceed",
  "too many input tokens",
  "too many tokens",
  "reduce the length of the messages",
  "exceeds the maximum number of tokens",
  "maximum prompt length",
  "maximum model length",
  "exceeds max length",
  "context window exceeds limit",
  "exceeded model token limit",
  "tokens + `max_new_tokens` must be",
];

/** A throttled provider may mention tokens or lengths too; that is never an overflow (toy trap 2). */
const RATE_LIMITING = [
  "rate limit",
  "rate_limit",
  "rate-limit",
  "ratelimit",
  "throttl",
  "tokens per minute",
  "tokens per min",
  "too many requests",
  "please wait",
  "quota",
];

const QUOTA = ["quota", "usage_limit_reached", "usage_not_included"];
const CONTENT_FILTER = ["content_filter", "content filter", "prohibited_content", "safety", "sensitive"];
const UNSUPPORTED = ["model_not_found", "unsupported model", "does not exist"];

const mentions = (text: string, phrases: readonly string[]): boolean => phrases.some((phrase) => text.includes(phrase));

/**
 * Decides kind, retryability and terminal reason from status, code and text, and reads Retry-After from the headers
 * when the failure does not carry it already. Classifying twice changes nothing.
 */
export function classifyFailure(failure: ProviderFailure): ProviderFailure {
  if (failure.terminalReason === "cancelled") return failure;
  const text = `${failure.code ?? ""}\n${failure.message}\n${failure.raw ?? ""}`.toLowerCase();
  return byText(byStatus(withRetryAfter(failure)), text);
}

/** Delay in milliseconds from a `retry-after` header of whole seconds; other forms are ignored. */
export function readRetryAfterMs(headers: ProviderFailure["headers"]): number | undefined {
  const value = headers.find(([name]) => name.toLowerCase() === "retry-after")?.[1].trim();
  if (value === undefined || value === "" || value.length > 9) return undefined;
  for (const character of value) if (character < "0" || character > "9") return undefined;
  return Number(value) * 1000;
}

function withRetryAfter(failure: ProviderFailure): ProviderFailure {
  if (failure.retryAfterMs !== undefined) return failure;
  const retryAfterMs = readRetryAfterMs(failure.headers);
  return retryAfterMs === undefined ? failure : { ...failure, retryAfterMs };
}

function byStatus(failure: ProviderFailure): ProviderFailure {
  const status = failure.status ?? numericCode(failure.code);
  if (status === undefined) {
    const reachable = failure.kind !== "transport" && failure.kind !== "timeout";
    return reachable ? failure : { ...failure, retryable: true };
  }
  const fallback = failure.kind === "unknown" ? "http" : failure.kind;
  return { ...failure, retryable: RETRYABLE_STATUS.has(status), kind: KIND_BY_STATUS.get(status) ?? fallback };
}

function byText(failure: ProviderFailure, text: string): ProviderFailure {
  let result = failure;
  const isTooLarge = (failure.status ?? numericCode(failure.code)) === 413;
  if ((isTooLarge || mentions(text, CONTEXT_OVERFLOW)) && !mentions(text, RATE_LIMITING)) {
    result = { ...result, kind: "validation", retryable: false, terminalReason: "context_overflow" };
  }
  if (mentions(text, QUOTA)) result = { ...result, kind: "quota", retryable: false };
  if (mentions(text, CONTENT_FILTER)) result = { ...result, terminalReason: "content_filter" };
  if (mentions(text, UNSUPPORTED)) result = { ...result, kind: "unsupported", retryable: false };
  return result;
}

/** Some gateways put the status into the code. */
function numericCode(code: string | undefined): number | undefined {
  if (code === undefined || code.length !== 3) return undefined;
  const status = Number(code);
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined;
}
