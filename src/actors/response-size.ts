// A model that never stops talking is stopped (OP-17): while it streams, and for providers that do not, when it has ended.

import type { LashError } from "../domain/errors.ts";
import { limitExceeded } from "../domain/limits.ts";
import { utf8Length } from "../domain/utf8.ts";
import type { LlmAttempt, LlmResponse, LlmStreamEvent, ProviderFailure } from "../providers/contract.ts";

export class ResponseSize {
  readonly #max: number;
  readonly #abort = new AbortController();
  /** Of the running attempt, at least: a character has one byte or more. */
  #bytes = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Aborts once the response has become too large. */
  get exceeded(): AbortSignal {
    return this.#abort.signal;
  }

  get failure(): { readonly failure: ProviderFailure; readonly attempts: readonly LlmAttempt[] } | undefined {
    if (!this.#abort.signal.aborted) return undefined;
    const { code, message } = this.#tooLarge();
    return { failure: { kind: "validation", code, message, retryable: false, headers: [], terminalReason: "provider_error" }, attempts: [] };
  }

  count(event: LlmStreamEvent): void {
    if (event.type === "modelAttemptReset") this.#bytes = 0;
    else if (event.type === "textDelta" || event.type === "reasoningDelta") this.#bytes += event.text.length;
    if (this.#bytes > this.#max) this.#abort.abort(this.#tooLarge());
  }

  /** @throws where the response is too large. */
  check({ parts }: Pick<LlmResponse, "parts">): void {
    const texts = parts.map((part) => (part.type === "toolCall" ? part.inputJson : part.text));
    const atLeast = texts.reduce((sum, text) => sum + text.length, 0);
    if (atLeast <= this.#max / 3) return;
    if (texts.reduce((sum, text) => sum + utf8Length(text), 0) <= this.#max) return;
    this.#abort.abort();
    throw this.#tooLarge();
  }

  #tooLarge(): LashError {
    return limitExceeded("response", "modelResponseBytes", this.#max);
  }
}
