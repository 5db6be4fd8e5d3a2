import { onAbort } from "../domain/abort.ts";
import { zeroUsage, type TokenUsage } from "../domain/usage.ts";
import type {
  LlmOutputPart,
  LlmRequest,
  LlmResponse,
  LlmTerminalReason,
  LlmToolCallPart,
  Provider,
  ProviderCall,
  ProviderFailure,
  ProviderOptions,
  ReasoningReplay,
} from "../providers/contract.ts";
import { deliver } from "../providers/deliver.ts";
import type { Wire } from "../providers/wire.ts";
import { cancelledFailure, ProviderError, providerFailure } from "../providers/failure.ts";
import type { Gate } from "./gate.ts";

/** What the model answers. A plain string is an answer of that text. */
export type ScriptedReply = string | ScriptedAnswer;

export interface ScriptedAnswer {
  /** Visible text in deltas; a gate among them holds the stream there. */
  readonly text?: string | readonly (string | Gate)[];
  readonly reasoning?: string | { readonly text: string; readonly replay?: ReasoningReplay };
  readonly toolCalls?: readonly ScriptedToolCall[];
  /** Buckets left out are 0. Default: 10 input and 5 output tokens. */
  readonly usage?: Partial<TokenUsage>;
  /** Default: `tool_use` with tool calls, else `stop`. */
  readonly terminalReason?: LlmTerminalReason;
  /** Held before anything is said. */
  readonly before?: Gate;
  /** Thrown after the text and reasoning were streamed; kind defaults to a retryable `transport` failure. */
  readonly failure?: Partial<ProviderFailure>;
  /** Says nothing more after text and reasoning, until the call is aborted. Default false. */
  readonly hang?: boolean;
}

export interface ScriptedToolCall {
  readonly name: string;
  /** Arguments, or with `inputJson` their exact text. Default `{}`. */
  readonly args?: unknown;
  readonly inputJson?: string;
  /** Default `call-<n>`, numbered over the conversation, so that a restarted client gets the same id. */
  readonly callId?: string;
}

/**
 * Replies in the order of the calls, or a function of the request. A function of the request alone answers a
 * restarted client correctly; see `byToolResults`.
 */
export type ProviderScript =
  | readonly ScriptedReply[]
  | ((request: LlmRequest, callIndex: number) => ScriptedReply | Promise<ScriptedReply>);

export interface ScriptedProvider extends Provider {
  /** Every request so far, in order; attempts that failed included. */
  readonly requests: readonly LlmRequest[];
  /** Calls that are running now. */
  readonly running: number;
}

export interface ScriptedProviderOptions extends ProviderOptions {
  /** Default `scripted`. */
  readonly id?: string;
  /** Default `scripted-model`. */
  readonly modelId?: string;
  /** What it takes, as `Provider.wire`. Default: what any unknown provider takes; calls and results also where no tool is offered. */
  readonly wire?: Partial<Wire>;
}

const DEFAULT_USAGE: TokenUsage = { ...zeroUsage, inputTokens: 10, outputTokens: 5 };

/**
 * A model that answers from a script, in process.
 *
 * A script that has run out fails the call with `script_exhausted`, which is not retried.
 */
export function scriptedProvider(script: ProviderScript, options: ScriptedProviderOptions = {}): ScriptedProvider {
  const { id = "scripted", modelId = "scripted-model", wire, ...providerOptions } = options;
  const requests: LlmRequest[] = [];
  let running = 0;
  return {
    id,
    modelId,
    options: providerOptions,
    wire: { toolBlocks: "always", ...wire },
    requests,
    get running() {
      return running;
    },
    async complete(request, call) {
      const index = requests.push(request) - 1;
      running += 1;
      try {
        const reply = typeof script === "function" ? await script(request, index) : script[index];
        if (reply === undefined) throw exhausted(index);
        return await answer(typeof reply === "string" ? { text: reply } : reply, request, call);
      } finally {
        running -= 1;
      }
    },
  };
}

/** A script that picks the reply by the number of tool results in the request; the last one serves all beyond. */
export function byToolResults(replies: readonly ScriptedReply[]): ProviderScript {
  return (request) => pick(replies, countBlocks(request, "toolResult"));
}

/** A script that picks the reply by the number of assistant messages in the request; the last one serves all beyond. */
export function byAssistantMessages(replies: readonly ScriptedReply[]): ProviderScript {
  return (request) => pick(replies, request.messages.filter((message) => message.role === "assistant").length);
}

function pick(replies: readonly ScriptedReply[], index: number): ScriptedReply {
  const reply = replies[Math.min(index, replies.length - 1)];
  if (reply === undefined) throw exhausted(index);
  return reply;
}

async function answer(reply: ScriptedAnswer, request: LlmRequest, call: ProviderCall): Promise<LlmResponse> {
  const parts: LlmOutputPart[] = [];
  if (reply.before !== undefined) await orAborted(reply.before.pass(), call.signal);
  throwIfAborted(call.signal);

  const reasoning = typeof reply.reasoning === "string" ? { text: reply.reasoning } : reply.reasoning;
  if (reasoning !== undefined) {
    await deliver(call, { type: "reasoningDelta", itemId: "reasoning", text: reasoning.text });
    parts.push({ type: "reasoning", itemId: "reasoning", ...reasoning });
  }
  const text = await streamText(reply, call);
  if (text !== "") parts.push({ type: "text", text, itemId: "text" });

  if (reply.hang === true) await orAborted(new Promise(() => {}), call.signal);
  if (reply.failure !== undefined) throw scriptedFailure(reply.failure);

  const firstCall = countBlocks(request, "toolCall") + 1;
  const calls = (reply.toolCalls ?? []).map((toolCall, index) => toolCallPart(toolCall, firstCall + index));
  const usage = reply.usage === undefined ? DEFAULT_USAGE : { ...zeroUsage, ...reply.usage };
  await deliver(call, { type: "usage", usage });
  return {
    fullText: text,
    parts: [...parts, ...calls],
    usage,
    terminalReason: reply.terminalReason ?? (calls.length > 0 ? "tool_use" : "stop"),
  };
}

async function streamText({ text }: ScriptedAnswer, call: ProviderCall): Promise<string> {
  let whole = "";
  for (const piece of typeof text === "string" ? [text] : (text ?? [])) {
    if (typeof piece !== "string") {
      await orAborted(piece.pass(), call.signal);
    } else if (piece !== "") {
      whole += piece;
      await deliver(call, { type: "textDelta", itemId: "text", text: piece });
    }
    throwIfAborted(call.signal);
  }
  return whole;
}

function toolCallPart({ name, args = {}, inputJson, callId }: ScriptedToolCall, number: number): LlmToolCallPart {
  return {
    type: "toolCall",
    callId: callId ?? `call-${number}`,
    toolName: name,
    inputJson: inputJson ?? JSON.stringify(args),
  };
}

function countBlocks(request: LlmRequest, type: "toolCall" | "toolResult"): number {
  let count = 0;
  for (const { blocks } of request.messages) for (const block of blocks) if (block.type === type) count += 1;
  return count;
}

function scriptedFailure({ kind, message, ...rest }: Partial<ProviderFailure>): ProviderError {
  const retryable = kind === undefined;
  return new ProviderError(providerFailure(kind ?? "transport", message ?? "scripted failure", { retryable, ...rest }));
}

function exhausted(index: number): ProviderError {
  const message = `the script has no reply for call ${index + 1}`;
  return new ProviderError(providerFailure("validation", message, { code: "script_exhausted" }));
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new ProviderError(cancelledFailure());
}

function orAborted(pending: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const unlisten = onAbort(signal, () => reject(new ProviderError(cancelledFailure())));
    void pending.then(() => {
      unlisten();
      return resolve();
    });
  });
}
