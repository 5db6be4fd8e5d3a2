// Hooks on what a model says, as a provider around the session's (T-45, PT-11). It stands outside the ladder of attempts: what a
// hook does wrong is not tried again, and what it aborts is a success.

import type { PluginEvent } from "../domain/plugin-message.ts";
import { countedUsage, zeroUsage, type TokenUsage } from "../domain/usage.ts";
import type { LlmAttempt, LlmOutputPart, LlmRequest, LlmResponse, LlmStreamEvent, Provider, ProviderCall } from "../providers/contract.ts";
import { joinText } from "../providers/accumulate.ts";
import { deliver } from "../providers/deliver.ts";
import { failureOf, ProviderError, providerFailure } from "../providers/failure.ts";
import type { StreamContext } from "./contract.ts";
import { eventsOf } from "./directives.ts";
import { hookText, type Installed, observe } from "./installed.ts";
import type { Logger } from "../domain/logger.ts";

/** How long the usage of a call that a hook has ended is waited for (PT-11). */
const TRAILING_USAGE_MS = 2_000;

export interface StreamedTurn {
  readonly sessionId: string;
  readonly turnId: string;
  readonly logger: Logger;
  readonly tell: (pluginId: string, events: readonly PluginEvent[]) => Promise<void>;
}

/** The provider itself where no plugin listens. */
export function withStreamHooks(provider: Provider, plugins: readonly Installed[], turn: StreamedTurn): Provider {
  if (!plugins.some(({ parts }) => parts.onText || parts.onResponse || parts.onStreamFinished)) return provider;
  return { ...provider, complete: (request, call) => new HookedCall(provider, plugins, turn, call).complete(request) };
}

class HookedCall {
  readonly #provider: Provider;
  readonly #plugins: readonly Installed[];
  readonly #turn: StreamedTurn;
  readonly #call: ProviderCall;
  readonly #abort = new AbortController();
  /** Visible text of this attempt, by item, as the hooks have left it. */
  #texts = new Map<string, string>();
  /** Items whose text a hook has changed. */
  #changed = new Set<string>();
  #attempt = 1;
  #usage: TokenUsage = zeroUsage;
  #endedByHook = false;
  #failure: ProviderError | undefined;
  /** Chunks are handed on in their order, whether the provider waits for each or not. */
  #tail: Promise<void> = Promise.resolve();

  constructor(provider: Provider, plugins: readonly Installed[], turn: StreamedTurn, call: ProviderCall) {
    this.#provider = provider;
    this.#plugins = plugins;
    this.#turn = turn;
    this.#call = call;
  }

  async complete(request: LlmRequest): Promise<LlmResponse> {
    try {
      const response = await this.#hooked(await this.#response(request));
      await this.#finished(this.#endedByHook ? "aborted" : "complete");
      return response;
    } catch (error) {
      await this.#finished(this.#call.signal.aborted ? "cancelled" : "provider_error");
      throw this.#asHooked(error);
    }
  }

  /** What is left of an answer that was cut off is what the hooks have let through. */
  #asHooked(error: unknown): unknown {
    if (!ProviderError.is(error) || error.partial.length === 0) return error;
    const { failure, cause, attempts } = error;
    const reasoning = error.partial.filter(({ type }) => type === "reasoning");
    const texts = [...this.#texts.values()].map((text) => ({ type: "text" as const, text }));
    return new ProviderError(failure, { cause, attempts, partial: [...reasoning, ...texts] });
  }

  async #response(request: LlmRequest): Promise<LlmResponse> {
    const running = this.#provider.complete(request, {
      ...this.#call,
      signal: AbortSignal.any([this.#call.signal, this.#abort.signal]),
      onStreamEvent: (event) => (this.#tail = this.#tail.then(() => this.#onEvent(event))),
    });
    const ended = running.then(
      (response): { readonly response: LlmResponse } | { readonly error: unknown } => ({ response }),
      (error: unknown) => ({ error }),
    );
    const stopped = new Promise<undefined>((resolve) => this.#abort.signal.addEventListener("abort", () => resolve(undefined), { once: true }));
    const first = (await Promise.race([ended, stopped])) ?? (await Promise.race([ended, this.#patience()]));
    await this.#tail;
    if (this.#failure) throw this.#failure;
    if (this.#endedByHook) return this.#shortened(first);
    if (first === undefined) throw new Error("a model call ended without an end");
    if ("error" in first) throw first.error;
    return this.#asHeard(first.response);
  }

  /** What hooks took away or put in stays so: what was shown is what is kept. */
  #asHeard(response: LlmResponse): LlmResponse {
    if (this.#changed.size === 0) return response;
    const ids = new Set(response.parts.flatMap((part) => (part.type === "text" && part.itemId !== undefined ? [part.itemId] : [])));
    // A response that cuts its text otherwise than the stream did says in its first text all that was heard.
    const isAlike = [...this.#changed].every((id) => ids.has(id));
    let all: string | undefined = isAlike ? undefined : [...this.#texts.values()].join("");
    const parts = response.parts.map((part) => {
      if (part.type !== "text") return part;
      if (isAlike) return part.itemId !== undefined && this.#changed.has(part.itemId) ? { ...part, text: this.#texts.get(part.itemId) ?? "" } : part;
      const text = all ?? "";
      all = "";
      return { ...part, text };
    });
    return { ...response, parts, fullText: joinText(parts) };
  }

  async #patience(): Promise<undefined> {
    await this.#call.clock.sleep(TRAILING_USAGE_MS, this.#call.signal).catch(() => undefined);
    return undefined;
  }

  async #onEvent(event: LlmStreamEvent): Promise<void> {
    if (event.type === "usage") this.#usage = event.usage;
    if (event.type === "modelAttemptReset") {
      this.#attempt += 1;
      this.#texts = new Map();
      this.#changed = new Set();
    }
    if (event.type === "textDelta") await this.#onText(event);
    else if (!this.#abort.signal.aborted || event.type === "usage") await deliver(this.#call, event);
  }

  async #onText({ itemId, text: said }: Extract<LlmStreamEvent, { type: "textDelta" }>): Promise<void> {
    // What a model still says when it was told to stop is not heard.
    if (this.#abort.signal.aborted) return;
    let text = said;
    let isOver = false;
    for (const plugin of this.#plugins) {
      if (!plugin.parts.onText) continue;
      try {
        const given = await plugin.parts.onText(this.#context, text);
        if (typeof given === "string") text = given;
        if (typeof given !== "object" || given === null) continue;
        text = given.text ?? text;
        if (given.reasoning) await deliver(this.#call, { type: "reasoningDelta", itemId: `plugin:${plugin.id}`, text: given.reasoning, isAside: true });
        if (given.events) await this.#turn.tell(plugin.id, eventsOf(given.events));
        isOver ||= given.abortStream === true;
      } catch (error) {
        this.#failure = failed("plugin_assistant_stream", plugin, error);
        this.#abort.abort();
        return;
      }
    }
    if (text !== said) this.#changed.add(itemId);
    if (text !== "") {
      this.#texts.set(itemId, (this.#texts.get(itemId) ?? "") + text);
      await deliver(this.#call, { type: "textDelta", itemId, text });
    }
    if (!isOver) return;
    this.#endedByHook = true;
    this.#abort.abort();
  }

  /** What was said until a hook ended it. */
  #shortened(end: { readonly response: LlmResponse } | { readonly error: unknown } | undefined): LlmResponse {
    const parts = [...this.#texts].map(([itemId, text]): LlmOutputPart => ({ type: "text", text, itemId }));
    const attempts = end && "response" in end ? end.response.attempts : attemptsOf(end?.error);
    return {
      fullText: joinText(parts),
      parts,
      usage: end && "response" in end ? end.response.usage : this.#usage,
      terminalReason: "stop",
      textStreamed: true,
      ...(attempts && { attempts }),
    };
  }

  async #hooked(answered: LlmResponse): Promise<LlmResponse> {
    let response = answered;
    for (const plugin of this.#plugins) {
      try {
        response = (await plugin.parts.onResponse?.(this.#context, response)) ?? response;
      } catch (error) {
        throw failed("plugin_assistant_response", plugin, error, response.attempts);
      }
    }
    // A hook's answer may be made up as a whole.
    return { ...response, usage: countedUsage(response.usage) };
  }

  #finished(reason: "complete" | "aborted" | "cancelled" | "provider_error"): Promise<void> {
    return observe(this.#plugins, { hook: "onStreamFinished", ...this.#turn }, (parts) => parts.onStreamFinished?.(this.#context, reason));
  }

  get #context(): StreamContext {
    const { sessionId, turnId } = this.#turn;
    return { sessionId, turnId, attempt: this.#attempt };
  }
}

const attemptsOf = (error: unknown): readonly LlmAttempt[] => (ProviderError.is(error) ? error.attempts : []);

function failed(code: "plugin_assistant_stream" | "plugin_assistant_response", plugin: Installed, error: unknown, attempts: readonly LlmAttempt[] = []): ProviderError {
  const text = ProviderError.is(error) ? failureOf(error).message : hookText(plugin, error);
  return new ProviderError(providerFailure("unknown", text, { code, retryable: false }), { cause: error, attempts });
}
