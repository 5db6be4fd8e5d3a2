// Watched provider: one pair of records per call, whatever becomes of it (TR-4). A call is the whole ladder of attempts: they are
// listed in the record that ends it, since the host pays for one answer and asks why it took so long.

import type { TraceContext } from "../actors/trace-port.ts";
import { LashError } from "../domain/errors.ts";
import { isZeroUsage } from "../domain/usage.ts";
import type { LlmAttempt, LlmRequest, LlmResponse, LlmStreamEvent, Provider, ProviderCall, ProviderFailure } from "../providers/contract.ts";
import { failureOf, ProviderError, providerFailure } from "../providers/failure.ts";
import { shownAttachment, shownMessages, shownParts, shownText, shownUsage, shownValue } from "./content.ts";
import { rawEvent } from "./raw-event.ts";
import type { Recorder } from "./recorder.ts";
import type { StreamSummary, TracedAttempt, TracedRequest } from "./records.ts";

export interface CallScope {
  readonly context: TraceContext;
  readonly source: string;
  /** The calls that have begun and not ended; who owns it may end them before. Undefined once nothing is to begin any more. */
  readonly open: () => Set<OpenCall> | undefined;
}

/** Something that has begun and has to end. */
export interface OpenCall {
  /** Ends it, because nobody drives it any more. */
  cutOff(code: string): void;
}

export const watchedProvider = (recorder: Recorder, provider: Provider, scope: CallScope): Provider => ({
  ...provider,
  async complete(request, call) {
    const open = scope.open();
    if (!open) return provider.complete(request, call);
    const watched = new WatchedCall(recorder, provider, scope, request, (ended) => open.delete(ended));
    open.add(watched);
    try {
      const response = await provider.complete(request, watched.observing(call));
      watched.completed(response);
      return response;
    } catch (error) {
      watched.failed(cutOffBy(call.signal) ?? error);
      throw error;
    }
  },
});

/** What the runtime stopped a call for, such as an answer that is too large; the provider only knows that it was stopped. */
function cutOffBy({ aborted, reason }: AbortSignal): ProviderError | undefined {
  if (!aborted || !LashError.is(reason) || reason.isCode("cancelled")) return undefined;
  return new ProviderError(providerFailure("unknown", reason.message, { code: reason.code }));
}

class WatchedCall implements OpenCall {
  readonly #recorder: Recorder;
  readonly #provider: Provider;
  readonly #context: TraceContext;
  readonly #source: string;
  readonly #model: string;
  readonly #onEnd: (ended: OpenCall) => void;
  readonly #startedAt: number;
  #summary: StreamSummary = { events: 0, text_chars: 0, reasoning_chars: 0, resets: 0 };
  #rawEvents = 0;
  #isOver = false;

  constructor(recorder: Recorder, provider: Provider, { context, source }: CallScope, request: LlmRequest, onEnd: (ended: OpenCall) => void) {
    this.#recorder = recorder;
    this.#provider = provider;
    this.#context = { ...context, llm_call_id: recorder.newId() };
    this.#source = source;
    this.#model = request.model || (provider.modelId ?? "");
    this.#onEnd = onEnd;
    this.#startedAt = recorder.clock.monotonic();
    recorder.record(this.#context, "llm_call_started", () => ({ source, provider: provider.id, request: this.#shown(request) }));
  }

  #shown({ modelVariant, messages, attachments, tools, toolChoice, outputSpec }: LlmRequest): TracedRequest {
    return {
      model: this.#model,
      ...(modelVariant !== undefined && { model_variant: modelVariant }),
      message_count: messages.length,
      tool_names: tools.map(({ name }) => name).join(","),
      messages: shownMessages(messages, this.#recorder.level),
      attachments: attachments.slice(0, 1_000).map(shownAttachment),
      tools: tools.slice(0, 1_000).map(({ name, description }) => ({ name, description: shownText(description, 1_000) })),
      tool_choice: typeof toolChoice === "string" ? toolChoice : `tool:${toolChoice.tool}`,
      ...(outputSpec && { output_spec: shownValue(outputSpec) }),
      stream: this.#provider.streams !== false,
    };
  }

  /** The same call, overheard. A call that nobody listens to stays one: listening would change what the ladder reports of it. */
  observing(call: ProviderCall): ProviderCall {
    const listener = call.onStreamEvent;
    return {
      ...call,
      ...(listener && {
        onStreamEvent: (event: LlmStreamEvent) => {
          this.#heard(event);
          return listener.call(call, event);
        },
      }),
      ...(this.#recorder.level === "extended" && { onProviderTrace: (raw: unknown) => this.#heardRaw(raw) }),
    };
  }

  completed(response: LlmResponse): void {
    if (!this.#end()) return;
    const { parts, usage, terminalReason, terminalDiagnostic, servedModel, attempts, providerUsage } = response;
    this.#recorder.record(this.#context, "llm_call_completed", () => ({
      source: this.#source,
      response: {
        text: shownText(response.fullText),
        duration_ms: this.#elapsed(),
        terminal_reason: terminalReason,
        ...(terminalDiagnostic !== undefined && { terminal_diagnostic: shownText(terminalDiagnostic, 500) }),
        ...(servedModel !== undefined && { served_model: shownText(servedModel, 200) }),
        parts: shownParts(parts),
      },
      usage: shownUsage(usage),
      ...(providerUsage !== undefined && { provider_usage: shownValue(providerUsage, 10_000) }),
      ...(attempts && { attempts: attempts.map(shownAttempt) }),
      stream_summary: this.#summary,
    }));
    // The turn's own usage is told with its sum, when the turn has counted it.
    if (this.#source !== "turn" && !isZeroUsage(usage)) {
      this.#recorder.record(this.#context, "token_usage", () => ({ source: this.#source, model: this.#model, usage: shownUsage(usage) }));
    }
  }

  failed(error: unknown): void {
    if (this.#end()) this.#fail(failureOf(error), ProviderError.is(error) ? error.attempts : []);
  }

  cutOff(code: string): void {
    if (!this.#end()) return;
    const message = "this process stopped driving the turn before the call had ended";
    this.#fail({ kind: "unknown", message, retryable: false, headers: [], terminalReason: "cancelled", code }, []);
  }

  #fail({ kind, message, retryable, terminalReason, code, raw }: ProviderFailure, attempts: readonly LlmAttempt[]): void {
    this.#recorder.record(this.#context, "llm_call_failed", () => ({
      source: this.#source,
      error: {
        message: shownText(message, 4_000),
        retryable,
        terminal_reason: terminalReason,
        kind,
        ...(code !== undefined && { code: shownText(code, 200) }),
        ...(raw !== undefined && { raw: shownText(raw, 4_000) }),
      },
      duration_ms: this.#elapsed(),
      ...(attempts.length > 0 && { attempts: attempts.map(shownAttempt) }),
      stream_summary: this.#summary,
    }));
  }

  /** @returns whether the call had not ended before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#onEnd(this);
    return true;
  }

  #heard(event: LlmStreamEvent): void {
    if (this.#isOver) return;
    const summary = this.#summary;
    this.#summary = {
      events: summary.events + 1,
      text_chars: summary.text_chars + (event.type === "textDelta" ? event.text.length : 0),
      reasoning_chars: summary.reasoning_chars + (event.type === "reasoningDelta" ? event.text.length : 0),
      resets: summary.resets + (event.type === "modelAttemptReset" ? 1 : 0),
      first_event_ms: summary.first_event_ms ?? this.#elapsed(),
    };
    if (this.#recorder.level !== "extended") return;
    const { events: sequence } = this.#summary;
    this.#recorder.record(this.#context, "runtime_stream_event", () => ({ sequence, elapsed_ms: this.#elapsed(), event: shownEvent(event) }));
  }

  #heardRaw(raw: unknown): void {
    if (this.#isOver) return;
    const sequence = ++this.#rawEvents;
    this.#recorder.record(this.#context, "provider_stream_event", () => ({ provider: this.#provider.id, sequence, elapsed_ms: this.#elapsed(), ...rawEvent(raw) }));
  }

  #elapsed(): number {
    return Math.round(this.#recorder.clock.monotonic() - this.#startedAt);
  }
}

function shownEvent(event: LlmStreamEvent) {
  switch (event.type) {
    case "textDelta":
    case "reasoningDelta":
      return { type: event.type === "textDelta" ? "text_delta" : "reasoning_delta", item_id: shownText(event.itemId, 200), text: shownText(event.text) };
    case "toolInputStart":
      return { type: "tool_input_start", call_id: shownText(event.callId, 200), tool_name: shownText(event.toolName, 200) };
    case "toolInputDelta":
      return { type: "tool_input_delta", call_id: shownText(event.callId, 200), text: shownText(event.text) };
    case "toolInputEnd":
      return { type: "tool_input_end", call_id: shownText(event.callId, 200) };
    case "part":
      return { type: "part", part: shownParts([event.part])[0] ?? {} };
    case "usage":
      return { type: "usage", usage: { ...shownUsage(event.usage) } };
    case "retryStatus":
      return { type: "retry_status", wait_seconds: event.waitSeconds, attempt: event.attempt, max_attempts: event.maxAttempts, reason: shownText(event.reason, 500) };
    case "modelAttemptReset":
      return { type: "model_attempt_reset", prose_item_ids: [...event.proseItemIds], reasoning_item_ids: [...event.reasoningItemIds] };
  }
}

function shownAttempt({ attempt, status, startedAtMs, durationMs, usage, failure }: LlmAttempt): TracedAttempt {
  return {
    attempt,
    status,
    started_at_ms: startedAtMs,
    duration_ms: Math.round(durationMs),
    usage: usage && shownUsage(usage),
    ...(failure && { error: { kind: failure.kind, ...(failure.code !== undefined && { code: shownText(failure.code, 200) }), message: shownText(failure.message, 1_000) } }),
  };
}
