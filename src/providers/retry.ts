// The retry ladder (PP-14 to PP-19, T-47 to T-50). It sits inside the model-call effect: one effect, all attempts.
//   L1. The limiter's permit is held for the attempt, not for the wait that follows it.
//   L2. What a failed attempt streamed is withdrawn before the next one says anything.
//   L3. An abort ends the call at once, whatever it waits for.
//   L4. What the last attempt said before it was cut off is in the error: it was heard, and is not withdrawn (ME-11).
//   L5. An answer with nothing in it is asked for once more (ME-13).

import { onAbort } from "../domain/abort.ts";
import { partialOf } from "../domain/answer-parts.ts";
import { builtInRedactor, type Redactor } from "../domain/redactor.ts";
import { isZeroUsage, type TokenUsage } from "../domain/usage.ts";
import { StreamAccumulator } from "./accumulate.ts";
import { runAttempt } from "./attempt.ts";
import { classifyFailure } from "./classify.ts";
import type {
  LlmAttempt,
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  PartialAnswer,
  Provider,
  ProviderCall,
  ProviderFailure,
  RetryPolicy,
} from "./contract.ts";
import { deliver } from "./deliver.ts";
import { cancelledFailure, failureOf, ProviderError, providerFailure, withoutSecrets } from "./failure.ts";
import { checkVariant, resolveReliability } from "./options.ts";
import { preparing } from "./preparing.ts";
import { chainOf, withChain } from "./fallback-chain.ts";
import { estimateTokens, RateLimiter } from "./rate-limits.ts";
import { defaultWire } from "./wire.ts";

export interface RetryOptions {
  /** Uniform in [0, 1); for jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Most characters an answer may have. Default 16 Mi. */
  readonly maxResponseChars?: number;
  /** Takes secrets out of failures before anybody hears of them. Default: the built-in rules. */
  readonly redactor?: Redactor;
  /** Ladders of the providers behind a `fallback()`. Default: one is made for each. */
  readonly ladderOf?: (provider: Provider) => Provider;
}

const DEFAULT_MAX_RESPONSE_CHARS = 16 * 1024 * 1024;
const MIN_THROTTLE_CHARGE_MS = 1_000;
const MAX_REASON_CHARS = 500;

/**
 * Wraps a provider so that one `complete` is a whole ladder of attempts, with timeouts, local rate limits and the
 * merge of what was streamed. Each request is first brought into the form that the provider takes (`Provider.wire`), once for all
 * attempts. Wrap each provider once and keep the result: its rate limits count across calls.
 *
 * The response carries `attempts` and `textStreamed`; so does the ProviderError that the ladder throws in the end
 * (`attempts` only). Options are read from `provider.options` at the start of every call.
 */
export function withRetry(provider: Provider, options: RetryOptions = {}): Provider {
  const chain = chainOf(provider);
  // Each of them has a ladder, and a form that it takes, of its own.
  if (chain) return withChain(provider, chain, options.ladderOf ?? ((each) => withRetry(each, options)));
  const limiter = new RateLimiter();
  const random = options.random ?? Math.random;
  const redactor = options.redactor ?? builtInRedactor;
  const maxResponseChars = options.maxResponseChars ?? DEFAULT_MAX_RESPONSE_CHARS;
  const classify = (failure: ProviderFailure): ProviderFailure =>
    provider.classify === undefined ? classifyFailure(failure) : provider.classify(failure);

  const climb = async (request: LlmRequest, call: ProviderCall): Promise<LlmResponse> => {
    const reliability = resolveReliability(provider.options);
    const { retry: policy, rateLimits } = reliability;
    const tokens = rateLimits.tokensPerWindow === undefined ? 0 : estimateTokens(request);
    const accumulator = new StreamAccumulator();
    const attempts: LlmAttempt[] = [];

    for (let state: RetryState = { attempt: 1, throttledMs: 0 }; ; ) {
      const said = (): PartialAnswer => partialOf(accumulator.parts());
      const release = await orCancelled(limiter.acquire(rateLimits, tokens, call.clock, call.signal), call, attempts, said);
      const started = { startedAtMs: call.clock.now(), monotonic: call.clock.monotonic() };
      const record = (usage: TokenUsage | null, failure?: ProviderFailure): void => {
        const durationMs = call.clock.monotonic() - started.monotonic;
        const { startedAtMs } = started;
        attempts.push({ attempt: attempts.length + 1, ...statusOf(failure), usage, startedAtMs, durationMs });
      };
      let failure: ProviderFailure = heardNothing;
      let cause: unknown;
      try {
        const response = await runAttempt(provider, request, call, accumulator, { reliability, maxResponseChars });
        const usage = isZeroUsage(response.usage) ? null : response.usage;
        const isAskedAgain = !state.heardNothing && saysNothing(response, request) && mayRetry(policy, state, heardNothing);
        record(usage, isAskedAgain ? heardNothing : undefined);
        if (!isAskedAgain) return { ...withCleanEnd(response, redactor), attempts, textStreamed: accumulator.hasText && call.onStreamEvent !== undefined };
      } catch (error) {
        cause = redactor.cause(error);
        failure = withoutSecrets(classify(failureOf(error)), redactor);
        record(accumulator.usage, failure);
      } finally {
        release();
      }

      const plan = planRetry(policy, state, failure, random);
      if (plan === null) throw new ProviderError(failure, { cause, attempts, partial: said() });
      state = failure === heardNothing ? { ...plan.next, heardNothing: true } : plan.next;
      await emit(call, attempts, {
        type: "retryStatus",
        waitSeconds: plan.delayMs / 1000,
        attempt: state.attempt,
        maxAttempts: policy.maxAttempts,
        reason: failure.message.slice(0, MAX_REASON_CHARS),
      }, said);
      await orCancelled(call.clock.sleep(plan.delayMs, call.signal), call, attempts, said);
      const proseItemIds = accumulator.streamedItemIds("text");
      const reasoningItemIds = accumulator.streamedItemIds("reasoning");
      accumulator.reset();
      await emit(call, attempts, { type: "modelAttemptReset", proseItemIds, reasoningItemIds }, said);
    }
  };

  const prepared = preparing(provider);
  const complete = async (request: LlmRequest, call: ProviderCall): Promise<LlmResponse> => {
    checkVariant(request.modelVariant, provider.variants);
    return prepared(request, call, climb);
  };

  return {
    id: provider.id,
    ...(provider.modelId === undefined ? {} : { modelId: provider.modelId }),
    ...(provider.variants === undefined ? {} : { variants: provider.variants }),
    ...(provider.streams === undefined ? {} : { streams: provider.streams }),
    get options() {
      return provider.options ?? {};
    },
    get wire() {
      return provider.wire ?? defaultWire;
    },
    ...(provider.sameOrigin === undefined ? {} : { sameOrigin: (a, b) => provider.sameOrigin?.(a, b) === true }),
    complete,
    classify,
    close: async () => provider.close?.(),
  };
}

/** An answer that is none may say why in words of the provider's. */
function withCleanEnd(response: LlmResponse, { text }: Redactor): LlmResponse {
  const { terminalReason: reason, terminalDiagnostic: said } = response;
  if (said === undefined || reason === "stop" || reason === "tool_use" || reason === "output_limit") return response;
  return { ...response, terminalDiagnostic: text(said) };
}

/** What an answer with nothing in it counts as, the first time. */
const heardNothing = providerFailure("stream", "the model answered with nothing", { code: "empty_response", retryable: true });

/**
 * Nothing to read and no call. With output tokens, after a tool result, that is a legal end: the model had nothing to add.
 */
function saysNothing({ parts, usage, terminalReason }: LlmResponse, { messages }: LlmRequest): boolean {
  if (terminalReason !== "stop" && terminalReason !== "tool_use" && terminalReason !== "unknown") return false;
  if (!parts.every((part) => part.type === "text" && part.text === "" && part.responseMeta?.providerPayload === undefined)) return false;
  return usage.outputTokens === 0 || messages.at(-1)?.blocks.some((block) => block.type === "toolResult") !== true;
}

export interface RetryState {
  /** The counted attempt that just ran, from 1. */
  readonly attempt: number;
  /** An attempt came to an answer with nothing in it. */
  readonly heardNothing?: true;
  /** What throttling has been charged so far. */
  readonly throttledMs: number;
}

/** Whether a failure that nobody throttles may be tried again. */
const mayRetry = ({ enabled, maxAttempts }: RetryPolicy, { attempt }: RetryState, { retryable }: ProviderFailure): boolean =>
  enabled && retryable && attempt < maxAttempts;

/** Decides about a failed attempt: how long to wait and what then counts, or null to give up. Pure. */
export function planRetry(
  policy: RetryPolicy,
  state: RetryState,
  failure: ProviderFailure,
  random: () => number,
): { readonly delayMs: number; readonly next: RetryState } | null {
  if (!policy.enabled || !failure.retryable) return null;
  const askedMs = failure.retryAfterMs !== undefined && failure.retryAfterMs >= 0 ? Math.min(failure.retryAfterMs, policy.retryAfterCapMs) : undefined;
  const backoffMs = Math.min(policy.baseDelayMs * 2 ** (state.attempt - 1), policy.maxDelayMs);
  const jitterMs = policy.jitterMs === 0 ? 0 : Math.floor(random() * policy.jitterMs);
  const delayMs = (askedMs ?? backoffMs) + jitterMs;

  if (failure.kind === "quota" && askedMs !== undefined) {
    const throttledMs = state.throttledMs + Math.max(delayMs, MIN_THROTTLE_CHARGE_MS);
    if (throttledMs <= policy.throttleWaitBudgetMs) return { delayMs, next: { ...state, throttledMs } };
  }
  if (!mayRetry(policy, state, failure)) return null;
  return { delayMs, next: { ...state, attempt: state.attempt + 1 } };
}

function statusOf(failure: ProviderFailure | undefined): Pick<LlmAttempt, "status" | "failure"> {
  if (failure === undefined) return { status: "completed" };
  const { kind, code, message } = failure;
  const aborted = failure.terminalReason === "cancelled" || code === "timeout" || code === "limit_exceeded";
  return { status: aborted ? "aborted" : "failed", failure: { kind, message, ...(code === undefined ? {} : { code }) } };
}

/** Sends one of the ladder's own events; a sink that never answers does not outlive the call (L3). */
async function emit(call: ProviderCall, attempts: readonly LlmAttempt[], event: LlmStreamEvent, said: () => PartialAnswer): Promise<void> {
  const pending = deliver(call, event);
  if (pending !== undefined) await orCancelled(orAborted(pending, call.signal), call, attempts, said);
}

/** What fails because the signal aborted is reported as a cancelled call. */
async function orCancelled<T>(pending: Promise<T>, { signal }: ProviderCall, attempts: readonly LlmAttempt[], said: () => PartialAnswer): Promise<T> {
  try {
    return await pending;
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new ProviderError(cancelledFailure(), { cause: error, attempts, partial: said() });
  }
}

function orAborted(pending: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const unlisten = onAbort(signal, () => reject(signal.reason));
    void pending.then(() => {
      unlisten();
      return resolve();
    });
  });
}
