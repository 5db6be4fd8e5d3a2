// The adapter against models that stream exactly what a case needs.

import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { aiSdk, type AiSdkOptions } from "../../src/providers/ai-sdk/index.ts";
import { usageOf } from "../../src/providers/ai-sdk/usage.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { ProviderError } from "../../src/providers/failure.ts";
import { recordingCall, request, said, says, weather } from "./fixtures.ts";

const noUsage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};
const finish = (unified: "stop" | "other" | "error" | "interrupted" | "length" = "stop", raw?: string) =>
  ({ type: "finish", finishReason: { unified, raw }, usage: noUsage }) satisfies LanguageModelV4StreamPart;

const streamOf = (parts: readonly LanguageModelV4StreamPart[]): ReadableStream<LanguageModelV4StreamPart> =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });

function modelOf(parts: readonly LanguageModelV4StreamPart[], provider = "fake.chat") {
  const calls: LanguageModelV4CallOptions[] = [];
  const model: LanguageModelV4 = {
    specificationVersion: "v4",
    provider,
    modelId: "fake-1",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("unused")),
    doStream: (options) => {
      calls.push(options);
      return Promise.resolve({ stream: streamOf(parts) });
    },
  };
  return { model, calls };
}

async function ask(parts: readonly LanguageModelV4StreamPart[], options: AiSdkOptions = {}, overrides: Partial<LlmRequest> = {}) {
  const { model, calls } = modelOf(parts);
  const call = recordingCall();
  const response = await aiSdk(model, options).complete(request(overrides), call);
  return { response, events: call.events, sent: calls[0] };
}

const failureOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!ProviderError.is(error)) throw new Error("expected a ProviderError", { cause: error });
  return error.failure;
};

const text = (id: string, delta: string): LanguageModelV4StreamPart => ({ type: "text-delta", id, delta });

describe("stream parts", () => {
  test("raw events are asked for where somebody traces them, are told as they came, and change nothing (TR-8)", async () => {
    const parts: readonly LanguageModelV4StreamPart[] = [{ type: "raw", rawValue: { type: "delta", n: 1 } }, text("0", "fine"), finish()];
    const untraced = await ask(parts);
    const { model, calls } = modelOf(parts);
    const raw: unknown[] = [];
    const call = { ...recordingCall(), onProviderTrace: (event: unknown) => void raw.push(event) };
    expect(await aiSdk(model).complete(request(), call)).toEqual(untraced.response);
    expect([raw, call.events, calls[0]?.includeRawChunks, untraced.sent?.includeRawChunks]).toEqual([[{ type: "delta", n: 1 }], untraced.events, true, undefined]);
  });

  test("an id that is used again opens a new part, so that order is kept (PP-7)", async () => {
    const { response, events } = await ask([
      { type: "text-start", id: "txt" },
      text("txt", "before "),
      { type: "text-end", id: "txt" },
      { type: "reasoning-start", id: "r" },
      { type: "reasoning-delta", id: "r", delta: "hm" },
      { type: "reasoning-end", id: "r" },
      { type: "text-start", id: "txt" },
      text("txt", "after"),
      { type: "text-end", id: "txt" },
      finish(),
    ]);
    expect(response.parts).toEqual([
      { type: "text", text: "before ", itemId: "txt" },
      { type: "reasoning", text: "hm", itemId: "r" },
      { type: "text", text: "after", itemId: "txt~2" },
    ]);
    expect(events.flatMap((event) => (event.type === "textDelta" ? [event.itemId] : []))).toEqual(["txt", "txt~2"]);
  });

  test("blocks that interleave keep their own text", async () => {
    const { response } = await ask([text("a", "1"), text("b", "x"), text("a", "2"), text("b", "y"), finish()]);
    expect(response.parts).toMatchObject([{ text: "12" }, { text: "xy" }]);
  });

  test("metadata that comes with start, delta and end is joined and kept as an opaque string (PP-6)", async () => {
    const { response } = await ask([
      { type: "reasoning-start", id: "r", providerMetadata: { vendor: { itemId: "rs_1" } } },
      { type: "reasoning-delta", id: "r", delta: "", providerMetadata: { vendor: { signature: "s" } } },
      { type: "reasoning-end", id: "r", providerMetadata: { vendor: { encrypted: "e" } } },
      { type: "tool-call", toolCallId: "c", toolName: "weather", input: "{}", providerMetadata: { vendor: { thought: "t" } } },
      finish(),
    ]);
    const opaque = JSON.stringify({ vendor: { itemId: "rs_1", signature: "s", encrypted: "e" } });
    expect(response.parts).toEqual([
      { type: "reasoning", text: "", itemId: "r", replay: { opaque } },
      { type: "toolCall", callId: "c", toolName: "weather", inputJson: "{}", replay: { opaque: '{"vendor":{"thought":"t"}}' } },
    ]);
    const back = await ask([finish()], {}, { messages: [says("user", "a"), said(response.parts)] });
    expect(back.sent?.prompt[1]).toMatchObject({
      content: [
        { type: "reasoning", text: "", providerOptions: { vendor: { itemId: "rs_1", signature: "s", encrypted: "e" } } },
        { type: "tool-call", providerOptions: { vendor: { thought: "t" } } },
      ],
    });
  });

  test("text keeps metadata and phase (PP-8)", async () => {
    const { response } = await ask([
      { type: "text-start", id: "m", providerMetadata: { openai: { phase: "final_answer" } } },
      text("m", "42"),
      { type: "text-end", id: "m" },
      finish(),
    ]);
    expect(response.parts).toMatchObject([
      { responseMeta: { phase: "final_answer", originProvider: "fake.chat", originModel: "fake-1" } },
    ]);
  });

  test("hidden thinking is not streamed and still replayed", async () => {
    const { response, events } = await ask(
      [{ type: "reasoning-delta", id: "r", delta: "secret", providerMetadata: { v: { s: 1 } } }, finish()],
      { exposeThinking: false },
    );
    expect(events).toEqual([]);
    expect(response.parts).toMatchObject([{ type: "reasoning", replay: { opaque: '{"v":{"s":1}}' } }]);
  });

  test.each([
    ["stop", undefined, "stop"],
    ["other", "weird", "unknown"],
    ["length", "max_tokens", "output_limit"],
    ["length", "model_context_window_exceeded", "context_overflow"],
  ] as const)("finish %s (%s) is %s", async (unified, raw, expected) => {
    const { response } = await ask([text("0", "x"), finish(unified, raw)]);
    expect(response.terminalReason).toBe(expected);
  });

  test("a stop after tool calls is a tool use", async () => {
    const { response } = await ask([{ type: "tool-call", toolCallId: "c", toolName: "t", input: "{}" }, finish()]);
    expect(response.terminalReason).toBe("tool_use");
  });

  test.each([
    ["nothing at all", []],
    ["text alone", [text("0", "x")]],
    ["an error finish", [text("0", "x"), finish("error")]],
    ["an interrupted finish", [text("0", "x"), finish("interrupted")]],
    ["an error part", [text("0", "x"), { type: "error", error: "boom" }]],
  ] as const)("%s is a retryable stream failure (toy trap 13)", async (_, parts) => {
    const failed = await failureOf(aiSdk(modelOf(parts).model).complete(request(), recordingCall()));
    expect(failed).toMatchObject({ kind: "stream", retryable: true });
  });
});

describe("usage buckets (PP-5)", () => {
  const input = (total?: number, noCache?: number, cacheRead?: number, cacheWrite?: number) =>
    ({ total, noCache, cacheRead, cacheWrite }) as typeof noUsage.inputTokens;
  const output = (total?: number, text?: number, reasoning?: number) =>
    ({ total, text, reasoning }) as typeof noUsage.outputTokens;

  test("cached tokens leave the input bucket when only the total is known", () => {
    expect(usageOf({ inputTokens: input(100, undefined, 60, 10), outputTokens: output(9) })).toEqual({
      inputTokens: 30,
      outputTokens: 9,
      cacheReadInputTokens: 60,
      cacheWriteInputTokens: 10,
      reasoningOutputTokens: 0,
    });
  });

  test("output is the sum of its shares when no total is known; nonsense counts as zero", () => {
    expect(usageOf({ inputTokens: input(-5, NaN), outputTokens: output(undefined, 3, 4) })).toMatchObject({
      inputTokens: 0,
      outputTokens: 7,
      reasoningOutputTokens: 4,
    });
  });

  test("a model that counts nothing reports no usage event", async () => {
    const { events } = await ask([text("0", "x"), finish()]);
    expect(events.map((event) => event.type)).toEqual(["textDelta"]);
  });
});

describe("calls", () => {
  test("a message is converted once, however often it is sent; one with images every time", async () => {
    const { model, calls } = modelOf([finish()]);
    const provider = aiSdk(model);
    const old = [says("user", "a"), says("assistant", "b")];
    await provider.complete(request({ messages: old, tools: [weather] }), recordingCall());
    await provider.complete(request({ messages: [...old, says("user", "c")], tools: [weather] }), recordingCall());
    expect(calls[1]?.prompt[0]).toBe(calls[0]?.prompt[0]);
    expect(calls[1]?.prompt[1]).toBe(calls[0]?.prompt[1]);
    expect(calls[1]?.tools?.[0]).toBe(calls[0]?.tools?.[0]);

    const pictured = says("user", { type: "image", attachmentIndex: 0 });
    const send = (byte: number) =>
      provider.complete(
        request({ messages: [pictured], attachments: [{ mime: "image/png", data: new Uint8Array([byte]) }] }),
        recordingCall(),
      );
    await send(1);
    await send(2);
    expect(calls[3]?.prompt).toMatchObject([{ content: [{ data: { data: new Uint8Array([2]) } }] }]);
  });

  test("blank text and messages without content are left out", async () => {
    const { sent } = await ask([finish()], {}, { messages: [says("user", "a"), says("assistant", ""), says("user", "", "b")] });
    expect(sent?.prompt).toEqual([
      { role: "user", content: [{ type: "text", text: "a" }] },
      { role: "user", content: [{ type: "text", text: "b" }] },
    ]);
  });

  test("a result without a tool name gets the name of its call", async () => {
    const messages = [
      says("assistant", { type: "toolCall", callId: "c", toolName: "weather", inputJson: "{}" }),
      says("user", { type: "toolResult", callId: "c", content: "rain" }),
    ];
    const { sent } = await ask([finish()], {}, { messages });
    expect(sent?.prompt[1]).toMatchObject({ content: [{ toolName: "weather", output: { type: "text", value: "rain" } }] });
  });

  test("the openai dialect names the session as cache key (PP-24)", async () => {
    const { model, calls } = modelOf([finish()], "openai.responses");
    const options: AiSdkOptions = { cacheRetention: "long", settings: { providerOptions: { openai: { store: false } } } };
    await aiSdk(model, options).complete(request(), recordingCall());
    expect(calls[0]?.providerOptions).toEqual({
      openai: { promptCacheKey: "s", promptCacheRetention: "24h", store: false },
    });
  });

  test("a model that ignores the signal is stopped by its reader", async () => {
    let cancelled = false;
    const { model } = modelOf([]);
    const stream = new ReadableStream<LanguageModelV4StreamPart>({ cancel: () => void (cancelled = true) });
    const deaf: LanguageModelV4 = { ...model, doStream: () => Promise.resolve({ stream }) };
    const abort = new AbortController();
    const failed = failureOf(aiSdk(deaf).complete(request(), recordingCall(undefined, abort.signal)));
    await Promise.resolve();
    abort.abort();
    expect(await failed).toMatchObject({ code: "cancelled", terminalReason: "cancelled" });
    expect(cancelled).toBe(true);
  });

  test("a call that is over leaves nothing on the signal", async () => {
    for (const parts of [[finish()], [{ type: "error", error: "boom" }]] as const) {
      const { signal } = new AbortController();
      await aiSdk(modelOf(parts).model)
        .complete(request(), recordingCall(undefined, signal))
        .catch(() => null);
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
    }
  });

  test("another model is served when the host can find it, else refused", async () => {
    const { model } = modelOf([finish()]);
    const other = modelOf([text("0", "other"), finish()]);
    const wide = aiSdk(model, { models: () => other.model });
    expect((await wide.complete(request({ model: "fake-2" }), recordingCall())).fullText).toBe("other");
    const failed = await failureOf(aiSdk(model).complete(request({ model: "fake-2" }), recordingCall()));
    expect(failed).toMatchObject({ kind: "unsupported", code: "model_not_found" });
  });

  test("a local refusal of the client is not retryable", async () => {
    const error = Object.assign(new Error("no files"), { name: "AI_UnsupportedFunctionalityError" });
    const model: LanguageModelV4 = { ...modelOf([]).model, doStream: () => Promise.reject(error) };
    expect(await failureOf(aiSdk(model).complete(request(), recordingCall()))).toMatchObject({
      kind: "unsupported",
      retryable: false,
    });
  });

  test("529 is retryable like a 503", async () => {
    const error = Object.assign(new Error("Overloaded"), { name: "AI_APICallError", statusCode: 529, isRetryable: true });
    const model: LanguageModelV4 = { ...modelOf([]).model, doStream: () => Promise.reject(error) };
    expect(await failureOf(aiSdk(model).complete(request(), recordingCall()))).toMatchObject({ status: 529, retryable: true });
  });
});

describe("wiring", () => {
  test("names itself after the model's provider, or as told (OP-15)", () => {
    const { model } = modelOf([]);
    expect(aiSdk(model)).toMatchObject({ id: "ai-sdk:fake.chat", modelId: "fake-1", streams: true });
    expect(aiSdk(model, { id: "mine" }).id).toBe("mine");
  });

  test("refuses what is not a model of this version, saying what to do", () => {
    const old = { ...modelOf([]).model, specificationVersion: "v2" } as unknown as LanguageModelV4;
    expect(() => aiSdk(old)).toThrow(/version v2: update/);
    expect(() => aiSdk("gpt-5" as unknown as LanguageModelV4)).toThrow(/"gpt-5" is only a model id/);
    expect(() => aiSdk(modelOf([]).model, { maxTokens: 3 } as AiSdkOptions)).toThrow(/options.maxTokens is not an option/);
  });
});
