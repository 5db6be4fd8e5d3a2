// Host options of a provider: defaults, presets, validation (PP-10, PP-14).

import type { LlmRequest, ProviderOptions, RateLimits, RetryPolicy } from "./contract.ts";
import { ProviderError, providerFailure } from "./failure.ts";

/** Every reliability setting, filled in. */
export interface Reliability {
  readonly requestTimeoutMs: number | false;
  readonly chunkTimeoutMs: number;
  readonly retry: RetryPolicy;
  readonly rateLimits: RateLimits;
}

export const defaultRetry: RetryPolicy = Object.freeze({
  enabled: true,
  maxAttempts: 4,
  baseDelayMs: 2_000,
  maxDelayMs: 10_000,
  jitterMs: 0,
  retryAfterCapMs: 60_000,
  throttleWaitBudgetMs: 90_000,
});

/** One attempt and no waiting, for hosts that retry somewhere else. */
export const noRetry: RetryPolicy = Object.freeze({
  enabled: false,
  maxAttempts: 1,
  baseDelayMs: 0,
  maxDelayMs: 0,
  jitterMs: 0,
  retryAfterCapMs: 0,
  throttleWaitBudgetMs: 0,
});

export const defaultReliability: Reliability = Object.freeze({
  requestTimeoutMs: 300_000,
  chunkTimeoutMs: 120_000,
  retry: defaultRetry,
  rateLimits: Object.freeze({}),
});

/** Fills in the defaults of what a host left out. */
export function resolveReliability(options: ProviderOptions | undefined): Reliability {
  const given = options?.reliability;
  if (given === undefined) return defaultReliability;
  return {
    requestTimeoutMs: given.requestTimeoutMs ?? defaultReliability.requestTimeoutMs,
    chunkTimeoutMs: given.chunkTimeoutMs ?? defaultReliability.chunkTimeoutMs,
    retry: { ...defaultRetry, ...given.retry },
    rateLimits: given.rateLimits ?? {},
  };
}

type Check = readonly [accepts: (value: unknown) => boolean, expected: string];
type Shape = { readonly [field: string]: Check | Shape };

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
const count: Check = [(value) => isWhole(value) && value >= 1, "a whole number of at least 1"];
const milliseconds: Check = [(value) => isWhole(value) && value >= 0, "milliseconds, a whole number of at least 0"];
const timeout: Check = [(value) => isWhole(value) && value >= 1, "milliseconds, a whole number of at least 1"];
const flag: Check = [(value) => typeof value === "boolean", "true or false"];

const OPTIONS: Shape = {
  reliability: {
    requestTimeoutMs: [(value) => value === false || timeout[0](value), `${timeout[1]}, or false for no timeout`],
    chunkTimeoutMs: timeout,
    retry: {
      enabled: flag,
      maxAttempts: count,
      baseDelayMs: milliseconds,
      maxDelayMs: milliseconds,
      jitterMs: milliseconds,
      retryAfterCapMs: milliseconds,
      throttleWaitBudgetMs: milliseconds,
    },
    rateLimits: {
      maxConcurrency: count,
      requestsPerWindow: count,
      requestWindowMs: timeout,
      tokensPerWindow: count,
      tokenWindowMs: timeout,
    },
  },
  exposeThinking: flag,
  maxOutputTokens: count,
  cacheRetention: [(value) => value === "none" || value === "short" || value === "long", `"none", "short" or "long"`],
};

/**
 * Checks options that a host wrote or read from a file. Unknown fields are refused: a misspelt limit must not be
 * silently without effect.
 *
 * @throws TypeError naming the field and what it accepts.
 */
export function parseProviderOptions(value: unknown): ProviderOptions {
  check(value, OPTIONS, "options");
  return value as ProviderOptions;
}

function check(value: unknown, shape: Shape, path: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${path} must be an object`);
  }
  for (const [field, item] of Object.entries(value)) {
    const rule = Object.hasOwn(shape, field) ? shape[field] : undefined;
    if (rule === undefined) {
      throw new TypeError(`${path}.${field} is not an option; known are ${Object.keys(shape).join(", ")}`);
    }
    if (item === undefined) continue;
    if (!isCheck(rule)) check(item, rule, `${path}.${field}`);
    else if (!rule[0](item)) throw new TypeError(`${path}.${field} must be ${rule[1]}`);
  }
}

const isCheck = (rule: Check | Shape): rule is Check => Array.isArray(rule);

/**
 * The output cap to send: the request's, else the provider's; undefined leaves it to the model.
 *
 * @param outputTokenCapacity - what the model can produce, when the host said so.
 * @throws ProviderError `output_token_cap_exceeds_model_capacity` when the request asks for more; no call is made.
 */
export function outputTokenCap(
  request: LlmRequest,
  options: ProviderOptions | undefined,
  outputTokenCapacity?: number,
): number | undefined {
  const asked = request.generation.outputTokenCap;
  if (asked === undefined) {
    const configured = options?.maxOutputTokens;
    return configured === undefined ? undefined : Math.min(configured, outputTokenCapacity ?? configured);
  }
  if (outputTokenCapacity !== undefined && asked > outputTokenCapacity) {
    throw new ProviderError(
      providerFailure("validation", `output cap ${asked} is above the model's capacity of ${outputTokenCapacity} tokens`, {
        code: "output_token_cap_exceeds_model_capacity",
      }),
    );
  }
  return asked;
}

/** @throws ProviderError `invalid_model_variant` when the provider does not offer the variant. */
export function checkVariant(variant: string | undefined, variants: readonly string[] | undefined): void {
  if (variant === undefined || variants?.includes(variant) === true) return;
  const known = variants === undefined || variants.length === 0 ? "it has none" : `known are ${variants.join(", ")}`;
  throw new ProviderError(
    providerFailure("validation", `the model has no variant "${variant}"; ${known}`, { code: "invalid_model_variant" }),
  );
}
