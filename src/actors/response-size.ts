// A model that never stops talking is stopped (OP-17): while it streams, and for providers that do not, when it has ended.

import type { LashError } from "../domain/errors.ts";
import { limitExceeded } from "../domain/limits.ts";
import { utf8Length } from "../domain/utf8.ts";
import type { LlmAttempt, LlmResponse, LlmStreamEvent, ProviderFailure } from "../providers/contract.ts";
import { partText } from "../domain/answer-parts.ts";

/** Watches one call. */
export class ResponseSize {
  readonly #max: number;
  readonly #abort = new AbortController();
  #exceeded: LashError | undefined;
  /** Of the running attempt, at least: a character has one byte or more. */
  #bytes = 0;

  /** @param parent - aborts the call whatever its size; lives no longer than the call, and is not aborted yet. */
  constructor(max: number, parent: AbortSignal) {
    this.#max = max;
    // By hand: `AbortSignal.any` costs as much as a transition of the turn, and the collector a good deal more.
    parent.addEventListener("abort", () => this.#abort.abort(parent.reason));
  }

  /** Aborts with the parent, and once the response has become too large. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get failure(): { readonly failure: ProviderFailure; readonly attempts: readonly LlmAttempt[] } | undefined {
    if (!this.#exceeded) return undefined;
    const { code, message } = this.#exceeded;
    return { failure: { kind: "validation", code, message, retryable: false, headers: [], terminalReason: "provider_error" }, attempts: [] };
  }

  count(event: LlmStreamEvent): void {
    if (event.type === "modelAttemptReset") this.#bytes = 0;
    else if ("text" in event) this.#bytes += event.text.length;
    if (this.#bytes > this.#max) this.#exceed();
  }

  /** @throws where the response is too large. */
  check({ parts }: Pick<LlmResponse, "parts">): void {
    const texts = parts.map(partText);
    const atLeast = texts.reduce((sum, text) => sum + text.length, 0);
    if (atLeast <= this.#max / 3) return;
    if (texts.reduce((sum, text) => sum + utf8Length(text), 0) <= this.#max) return;
    throw this.#exceed();
  }

  #exceed(): LashError {
    const error = limitExceeded("response", "modelResponseBytes", this.#max);
    this.#exceeded = error;
    this.#abort.abort(error);
    return error;
  }
}
