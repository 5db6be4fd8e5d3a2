// runAttempt: one transport call under watch.
//   W1. It settles as soon as the signal aborts, a timeout passes or a limit is broken, also when the provider
//       ignores its own signal; whatever the provider says afterwards goes nowhere.
//   W2. Time that the sink takes is not silence of the provider.
//   W3. A broken sink never changes the outcome (T-46).

import { partText } from "../domain/answer-parts.ts";
import { countedUsage } from "../domain/usage.ts";
import type { StreamAccumulator } from "./accumulate.ts";
import type { LlmRequest, LlmResponse, LlmStreamEvent, Provider, ProviderCall, ProviderFailure } from "./contract.ts";
import { deliver } from "./deliver.ts";
import { cancelledFailure, ProviderError, providerFailure } from "./failure.ts";
import type { Reliability } from "./options.ts";


export interface AttemptLimits {
  readonly reliability: Reliability;
  /** Most characters an answer may have, over text, reasoning and tool arguments. */
  readonly maxResponseChars: number;
}

/** Makes one attempt; every event goes to the accumulator first, then to the sink. */
export function runAttempt(
  provider: Provider,
  request: LlmRequest,
  call: ProviderCall,
  accumulator: StreamAccumulator,
  limits: AttemptLimits,
): Promise<LlmResponse> {
  const { clock, signal } = call;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new ProviderError(cancelledFailure()));
      return;
    }
    const inner = new AbortController();
    const { startMs, silenceMs } = timeoutsOf(provider, limits.reliability);
    let over = false;
    let chars = 0;
    let allowedMs = startMs;
    let heardAtMs = clock.monotonic();
    let sinksPending = 0;
    let cancelTimer: () => void = () => {};

    const end = (): boolean => {
      if (over) return false;
      over = true;
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
      return true;
    };
    const stop = (failure: ProviderFailure): void => {
      if (!end()) return;
      const error = new ProviderError(failure);
      inner.abort(error);
      reject(error);
    };
    const onAbort = (): void => stop(cancelledFailure());

    const watch = (): void => {
      if (over || allowedMs === Infinity) return;
      const dueInMs = sinksPending > 0 ? allowedMs : heardAtMs + allowedMs - clock.monotonic();
      if (dueInMs <= 0) stop(timeoutFailure(allowedMs));
      else cancelTimer = clock.setTimer(dueInMs, watch);
    };
    const heard = (newChars: number): void => {
      heardAtMs = clock.monotonic();
      allowedMs = silenceMs;
      // Empty events count too, or a stream of them would never end.
      chars += Math.max(1, newChars);
      if (chars > limits.maxResponseChars) stop(tooLargeFailure(limits.maxResponseChars));
    };
    const sinkDone = (): void => {
      sinksPending -= 1;
      heardAtMs = clock.monotonic();
    };

    const onStreamEvent = (event: LlmStreamEvent): void | Promise<void> => {
      if (over) return undefined;
      heard("text" in event ? event.text.length : 0);
      if (over) return undefined;
      accumulator.push(event);
      const pending = deliver(call, event.type === "usage" ? { type: "usage", usage: countedUsage(event.usage) } : event);
      if (pending === undefined) return undefined;
      sinksPending += 1;
      return pending.then(sinkDone);
    };
    const onProgress = (newChars: number): void => {
      if (!over) heard(newChars);
    };

    const onProviderTrace = (raw: unknown): void => {
      if (!over) call.onProviderTrace?.(raw);
    };

    signal.addEventListener("abort", onAbort, { once: true });
    watch();
    const answer = async (): Promise<void> => {
      try {
        const response = await provider.complete(request, { signal: inner.signal, clock, onStreamEvent, onProgress, ...(call.onProviderTrace && { onProviderTrace }) });
        if (end()) resolve(finished(accumulator.complete(response), limits.maxResponseChars));
      } catch (error) {
        end();
        reject(error);
      }
    };
    void answer();
  });
}

function finished(response: LlmResponse, maxChars: number): LlmResponse {
  let chars = 0;
  for (const part of response.parts) chars += partText(part).length;
  if (chars > maxChars) throw new ProviderError(tooLargeFailure(maxChars));
  return response;
}

/** PP-15: a stream has to begin within both timeouts and may then never be silent for longer than the second. */
function timeoutsOf(provider: Provider, reliability: Reliability): { startMs: number; silenceMs: number } {
  const requestMs = reliability.requestTimeoutMs === false ? Infinity : reliability.requestTimeoutMs;
  if (provider.streams === false) return { startMs: requestMs, silenceMs: requestMs };
  return { startMs: Math.min(requestMs, reliability.chunkTimeoutMs), silenceMs: reliability.chunkTimeoutMs };
}

function timeoutFailure(afterMs: number): ProviderFailure {
  const message = `the provider was silent for ${afterMs} ms`;
  return providerFailure("timeout", message, { code: "timeout", retryable: true });
}

function tooLargeFailure(limit: number): ProviderFailure {
  return providerFailure("unknown", `the answer is longer than ${limit} characters`, { code: "limit_exceeded" });
}
