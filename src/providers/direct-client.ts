import { systemClock, type Clock } from "../domain/clock.ts";
import type { LlmResponse, LlmStreamEvent, LlmTerminalReason, Provider } from "./contract.ts";
import {
  directErrorOf,
  DirectCompletionError,
  directLlmRequest,
  readDirectOutput,
  type DirectRequest,
  type JsonValidator,
} from "./direct.ts";
import { failureOf, providerFailure } from "./failure.ts";
import { preparing } from "./preparing.ts";

export interface DirectOptions {
  /** `direct:<uuid>` without a session. */
  readonly requestId: string;
  /** Checks JSON answers, e.g. `jsonSchemaProblem`. */
  readonly validate: JsonValidator;
  /** Default: never aborts. */
  readonly signal?: AbortSignal;
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** Receives what is streamed. Default: nobody does. */
  readonly onStreamEvent?: (event: LlmStreamEvent) => void | Promise<void>;
  /** Must not throw. */
  readonly trace?: (event: DirectTrace) => void;
}

/** One `started`, then exactly one of the others. */
export type DirectTrace =
  | { readonly type: "started"; readonly requestId: string }
  | { readonly type: "completed"; readonly requestId: string; readonly response: LlmResponse }
  | { readonly type: "failed"; readonly requestId: string; readonly error: DirectCompletionError };

export interface DirectResult {
  /** Text, or the JSON value that was asked for. */
  readonly output: unknown;
  readonly response: LlmResponse;
}

/** Endings without an answer. A reached output limit is one: its text is given, with the reason beside it. */
const WITHOUT_ANSWER: ReadonlySet<LlmTerminalReason> = new Set([
  "context_overflow",
  "content_filter",
  "provider_error",
  "cancelled",
]);

/**
 * Makes a direct completion without a session. Give it a provider with the retry ladder around it.
 *
 * @throws DirectCompletionError - always that, with the provider's failure where there is one.
 */
export async function completeDirect(provider: Provider, direct: DirectRequest, options: DirectOptions): Promise<DirectResult> {
  const { requestId, trace } = options;
  trace?.({ type: "started", requestId });
  try {
    const response = await call(provider, direct, options);
    const output = readDirectOutput(response, direct.output, options.validate);
    trace?.({ type: "completed", requestId, response });
    return { output, response };
  } catch (cause) {
    const error = DirectCompletionError.is(cause) ? cause : directErrorOf(failureOf(cause), cause);
    trace?.({ type: "failed", requestId, error });
    throw error;
  }
}

async function call(provider: Provider, direct: DirectRequest, options: DirectOptions): Promise<LlmResponse> {
  const { onStreamEvent } = options;
  const live = {
    signal: options.signal ?? new AbortController().signal,
    clock: options.clock ?? systemClock,
    ...(onStreamEvent === undefined ? {} : { onStreamEvent }),
  };
  // The ladder has this pass, too, but nobody has to use one.
  const response = await preparing(provider)(directLlmRequest(direct, options.requestId), live, (request, call) => provider.complete(request, call));
  const { terminalReason, terminalDiagnostic } = response;
  if (!WITHOUT_ANSWER.has(terminalReason)) return response;
  const message = `the model gave no answer: ${terminalDiagnostic ?? terminalReason}`;
  const failure = providerFailure("unknown", message, { code: terminalReason, terminalReason });
  throw new DirectCompletionError("invalid_response", terminalReason, message, { failure });
}
