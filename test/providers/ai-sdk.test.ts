// The adapter over the real AI SDK clients and real HTTP: ten canonical cases per dialect, wire faults, replay.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { afterEach, describe, expect, test } from "vitest";
import { aiSdk, type AiSdkOptions } from "../../src/providers/ai-sdk/index.ts";
import type { LlmMessage, LlmResponse, LlmStreamEvent, Provider } from "../../src/providers/contract.ts";
import { ProviderError } from "../../src/providers/failure.ts";
import { partText } from "../../src/domain/answer-parts.ts";
import { withRetry } from "../../src/providers/retry.ts";
import {
  gate,
  manualClock,
  startWireScriptServer,
  type WireDialect,
  type WireReply,
  type WireScript,
  type WireScriptServer,
} from "../../src/testing/index.ts";
import { recordingCall, request, said, says, weather } from "./fixtures.ts";

const DIALECTS: readonly WireDialect[] = ["openai", "anthropic"];
let server: WireScriptServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function connect(dialect: WireDialect, script: WireScript, options: AiSdkOptions = {}): Promise<Provider> {
  server = await startWireScriptServer(script);
  if (dialect === "anthropic") {
    return aiSdk(createAnthropic({ baseURL: server.anthropicUrl, apiKey: "key" })("wire-model"), options);
  }
  const client = createOpenAICompatible({ name: "wire", baseURL: server.openaiUrl, apiKey: "key", includeUsage: true });
  return aiSdk(client("wire-model"), options);
}

async function ask(dialect: WireDialect, reply: WireReply, overrides: Parameters<typeof request>[0] = {}) {
  const provider = await connect(dialect, () => reply);
  const call = recordingCall();
  const response = await provider.complete(request(overrides), call);
  return { response, events: call.events, body: server?.requests[0]?.body };
}

async function failing(dialect: WireDialect, reply: WireReply) {
  const provider = await connect(dialect, () => reply);
  const call = recordingCall();
  const error = await rejected(provider.complete(request(), call));
  return { failure: error.failure, events: call.events };
}

async function rejected(promise: Promise<unknown>): Promise<ProviderError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!ProviderError.is(error)) throw new Error("expected a ProviderError", { cause: error });
  return error;
}

const deltas = (events: readonly LlmStreamEvent[], type: "textDelta" | "reasoningDelta"): string[] =>
  events.flatMap((event) => (event.type === type ? [event.text] : []));

const textsOf = ({ parts }: LlmResponse) => parts.map(partText);

describe.each(DIALECTS)("ten canonical cases over the %s wire", (dialect) => {
  test("1 a plain answer stops", async () => {
    const { response } = await ask(dialect, { text: "Hello there.", usage: { input: 12, output: 4 } });
    expect(response).toMatchObject({ fullText: "Hello there.", terminalReason: "stop", servedModel: "wire-model" });
    expect(response.usage).toMatchObject({ inputTokens: 12, outputTokens: 4 });
  });

  test("2 the output cap ends it as output_limit and is sent along (PP-10)", async () => {
    const { response, body } = await ask(
      dialect,
      { text: "Once upon", finish: "length" },
      { generation: { outputTokenCap: 77 } },
    );
    expect(response.terminalReason).toBe("output_limit");
    expect(body).toMatchObject({ max_tokens: 77 });
  });

  test("3 a tool call ends it as tool_use", async () => {
    const { response, body } = await ask(
      dialect,
      { text: "Looking.", toolCalls: [{ name: "weather", args: { city: "Oslo" } }] },
      { tools: [weather] },
    );
    expect(response.terminalReason).toBe("tool_use");
    expect(response.parts).toMatchObject([
      { type: "text", text: "Looking." },
      { type: "toolCall", callId: "call-1", toolName: "weather", inputJson: '{"city":"Oslo"}' },
    ]);
    expect(body).toMatchObject({ tools: [{}] });
  });

  test("4 streamed text is assembled from its deltas (PP-4)", async () => {
    const { response, events } = await ask(dialect, { text: ["He", "llo ", "wörld 🌍"] });
    expect(deltas(events, "textDelta")).toEqual(["He", "llo ", "wörld 🌍"]);
    expect(response.fullText).toBe("Hello wörld 🌍");
  });

  test("5 split tool arguments are joined", async () => {
    const args = ['{"ci', 'ty":', '"Tr', 'ondheim"}'];
    const { response } = await ask(dialect, { toolCalls: [{ name: "weather", args }] }, { tools: [weather] });
    expect(textsOf(response)).toEqual(['{"city":"Trondheim"}']);
  });

  test("6 a content filter ends it as content_filter", async () => {
    const { response } = await ask(dialect, { text: "I", finish: "content_filter" });
    expect(response.terminalReason).toBe("content_filter");
  });

  test("7 cached input has buckets of its own (PP-5)", async () => {
    const usage = { input: 100, output: 7, cacheRead: 900, ...(dialect === "anthropic" ? { cacheWrite: 50 } : {}) };
    const { response } = await ask(dialect, { text: "x", usage });
    expect(response.usage).toMatchObject({
      inputTokens: 100,
      outputTokens: 7,
      cacheReadInputTokens: 900,
      cacheWriteInputTokens: dialect === "anthropic" ? 50 : 0,
    });
  });

  test("8 reasoning tokens are a share of the output (declared exception: anthropic does not count them)", async () => {
    const { response } = await ask(dialect, { text: "x", usage: { input: 1, output: 50, reasoning: 40 } });
    expect(response.usage).toMatchObject({ outputTokens: 50, reasoningOutputTokens: dialect === "openai" ? 40 : 0 });
  });

  test("9 reasoning text streams apart from prose and comes first (PP-7)", async () => {
    const { response, events } = await ask(dialect, {
      reasoning: { text: ["Think", "ing"], signature: "sig" },
      text: "Done",
    });
    expect(deltas(events, "reasoningDelta")).toEqual(["Think", "ing"]);
    expect(deltas(events, "textDelta")).toEqual(["Done"]);
    expect(response.parts.map((part) => part.type)).toEqual(["reasoning", "text"]);
    expect(response.fullText).toBe("Done");
  });

  test("10 the streamed usage equals the usage of the response (T-43)", async () => {
    const { response, events } = await ask(dialect, { text: "x", usage: { input: 5, output: 6, cacheRead: 7 } });
    expect(events.filter((event) => event.type === "usage")).toEqual([{ type: "usage", usage: response.usage }]);
  });
});

describe.each(DIALECTS)("the %s wire at its worst", (dialect) => {
  const rich: WireReply = {
    reasoning: { text: ["Let me ", "see ☂"], signature: "c2ln" },
    text: ["Über ", "Oslo 🌧️ ", "regnet's"],
    toolCalls: [
      { name: "weather", args: ['{"city":', '"Ørsta"}'] },
      { name: "weather", args: ['{"city":"Bø"}'] },
    ],
    usage: { input: 3, output: 9, cacheRead: 4 },
  };

  test("split at every byte, the answer and its events are the same (TR-39)", async () => {
    const whole = await ask(dialect, rich, { tools: [weather] });
    await server?.close();
    const split = await ask(dialect, { ...rich, chunkBytes: 1 }, { tools: [weather] });
    expect(split.response).toEqual(whole.response);
    expect(split.events).toEqual(whole.events);
    expect(whole.response.parts).toHaveLength(4);
  });

  test("429 with Retry-After is a retryable quota failure with its delay", async () => {
    const error = { type: "rate_limit_error", message: "slow down" };
    const { failure } = await failing(dialect, { status: 429, headers: { "retry-after": "7" }, error });
    expect(failure).toMatchObject({ kind: "quota", retryable: true, status: 429, retryAfterMs: 7_000 });
    expect(failure.headers).toContainEqual(["retry-after", "7"]);
  });

  test("500 is retryable, 401 and 400 are not", async () => {
    expect((await failing(dialect, { status: 500 })).failure).toMatchObject({ kind: "http", retryable: true });
    await server?.close();
    expect((await failing(dialect, { status: 401 })).failure).toMatchObject({ kind: "auth", retryable: false });
    await server?.close();
    const error = { type: "invalid_request_error", message: "prompt is too long: 9 tokens > 8 maximum" };
    expect((await failing(dialect, { status: 400, error })).failure).toMatchObject({
      kind: "validation",
      terminalReason: "context_overflow",
    });
  });

  test("a connection that cannot be made is a retryable transport failure", async () => {
    const provider = await connect(dialect, () => ({ text: "never" }));
    await server?.close();
    const { failure } = await rejected(provider.complete(request(), recordingCall()));
    expect(failure).toMatchObject({ kind: "transport", retryable: true });
    expect(failure).not.toHaveProperty("status");
  });

  const long = Array.from({ length: 20 }, (_, index) => `word${index} `);

  test.each([1, 4, 8, 15])("a socket cut after %i events is a retryable stream failure (toy trap 13)", async (afterEvents) => {
    const { failure } = await failing(dialect, { text: long, cut: { afterEvents, how: "destroy" } });
    expect(failure).toMatchObject({ kind: "stream", retryable: true, terminalReason: "provider_error" });
  });

  test.each([0, 1, 4, 8, 15])("a stream that ends politely after %i events is one too", async (afterEvents) => {
    const { failure } = await failing(dialect, { text: long, cut: { afterEvents, how: "end" } });
    expect(failure).toMatchObject({ kind: "stream", retryable: true });
  });

  test("a tool call without a finish is never handed out (toy trap 13)", async () => {
    const { failure } = await failing(dialect, { toolCalls: [{ name: "weather", args: ['{"city":'] }], finish: "none" });
    expect(failure.kind).toBe("stream");
  });

  test("an error event in the middle of a stream fails it with its code", async () => {
    const streamError = { type: "overloaded_error", message: "Overloaded" };
    const { failure, events } = await failing(dialect, { text: ["Hel", "lo"], streamError });
    expect(failure).toMatchObject({ retryable: true, code: "overloaded_error" });
    expect(deltas(events, "textDelta")).toEqual(["Hel", "lo"]);
  });

  test("malformed tool arguments arrive as they are (PP-37)", async () => {
    const reply = { toolCalls: [{ name: "weather", args: ['{"city": "Os'] }] };
    const { response } = await ask(dialect, reply, { tools: [weather] });
    expect(textsOf(response)).toEqual(['{"city": "Os']);
  });

  test("an abort cancels the call and closes the connection (T-63)", async () => {
    const hold = gate();
    const provider = await connect(dialect, () => ({ text: ["some", hold, "more"] }));
    const abort = new AbortController();
    const call = recordingCall(undefined, abort.signal);
    const error = rejected(provider.complete(request(), call));
    await hold.reached;
    abort.abort();
    expect((await error).failure).toMatchObject({ code: "cancelled", terminalReason: "cancelled", retryable: false });
    await server?.requests[0]?.abandoned;
    hold.open();
  });

  test("the ladder answers after a 429, a 500 and a cut, and withdraws what the cut one said", async () => {
    const replies: readonly WireReply[] = [
      { status: 429, headers: { "retry-after": "1" } },
      { status: 500 },
      { text: ["wrong", " start"], cut: { afterEvents: dialect === "openai" ? 2 : 4, how: "destroy" } },
      { text: "right", usage: { input: 1, output: 1 } },
    ];
    const provider = await connect(dialect, ({ repeat }) => replies[repeat] ?? { status: 400 }, {
      reliability: { retry: { baseDelayMs: 1, maxDelayMs: 1, retryAfterCapMs: 1 } },
    });
    const call = recordingCall();
    const response = await withRetry(provider).complete(request(), call);
    expect(response.fullText).toBe("right");
    expect(response.attempts?.map((attempt) => attempt.failure?.kind)).toEqual(["quota", "http", "stream", undefined]);
    expect(server?.requests).toHaveLength(4);
    expect(call.events.filter((event) => event.type === "modelAttemptReset")).toHaveLength(3);
  });
});

describe("what is sent", () => {
  test("reasoning goes back with its signature, in its place, verbatim (PP-6)", async () => {
    const provider = await connect("anthropic", ({ toolResults }) =>
      toolResults === 0
        ? { reasoning: { text: "Hm", signature: "c2lnbmVk" }, toolCalls: [{ name: "weather", args: { city: "Oslo" } }] }
        : { text: "Rain." },
    );
    const first = await provider.complete(request({ tools: [weather] }), recordingCall());
    const stored = JSON.parse(JSON.stringify(first.parts)) as LlmResponse["parts"];
    const messages = [
      says("user", "Umbrella?"),
      said(stored),
      says("user", { type: "toolResult", callId: "call-1", content: "rain", isError: true }),
    ];
    const second = await provider.complete(request({ tools: [weather], messages }), recordingCall());
    expect(second.fullText).toBe("Rain.");
    expect(server?.requests[1]?.body["messages"]).toMatchObject([
      { role: "user" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Hm", signature: "c2lnbmVk" },
          { type: "tool_use", id: "call-1", name: "weather", input: { city: "Oslo" } },
        ],
      },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "call-1", content: "rain", is_error: true }] },
    ]);
  });

  test("plain reasoning is sent again to an OpenAI-compatible server until the user says more, or always where the host wants it (ME-4)", async () => {
    const sentAgain = async (options: AiSdkOptions, ...behind: LlmMessage[]) => {
      const provider = withRetry(await connect("openai", () => ({ reasoning: { text: "Hm" }, text: "Hi" }), options));
      const { parts } = await provider.complete(request(), recordingCall());
      const answer = { ...said(parts), origin: { provider: provider.id, model: provider.modelId ?? "" } };
      await provider.complete(request({ messages: [says("user", "a"), answer, ...behind] }), recordingCall());
      const sent = server?.requests[1]?.body["messages"];
      await server?.close();
      return Array.isArray(sent) ? (sent as unknown[])[1] : sent;
    };
    const plain = { role: "assistant", content: "Hi" };
    const reasoned = { ...plain, reasoning_content: "Hm" };
    expect(await sentAgain({})).toEqual(reasoned);
    expect(await sentAgain({}, says("user", "b"))).toEqual(plain);
    expect(await sentAgain({ replayReasoning: "always" }, says("user", "b"))).toEqual(reasoned);
    expect(await sentAgain({ replayReasoning: "signed" })).toEqual(plain);
    expect(await sentAgain({ wire: { replayReasoning: "always" } }, says("user", "b"))).toEqual(reasoned);
  });

  test("metadata of another model goes to a model that the host holds to be the same (ME-3)", async () => {
    const sentTo = async (options: AiSdkOptions) => {
      const provider = withRetry(await connect("anthropic", () => ({ text: "Hi" }), options));
      const thought = { type: "reasoning", text: "Hm", replay: { opaque: '{"anthropic":{"signature":"s"}}' } } as const;
      const answer = { ...says("assistant", thought, "Hi"), origin: { provider: provider.id, model: "wire-model-latest" } };
      await provider.complete(request({ messages: [says("user", "a"), answer, says("user", "b")] }), recordingCall());
      return JSON.stringify(server?.requests[0]?.body["messages"]).includes('"signature":"s"');
    };
    expect(await sentTo({})).toBe(false);
    await server?.close();
    expect(await sentTo({ sameOrigin: (a, b) => [a, b].every(({ model }) => model.startsWith("wire-model")) })).toBe(true);
  });

  test("images go out as bytes under their media type (PP-9)", async () => {
    const messages = [says("user", "What is this?", { type: "image", attachmentIndex: 0 })];
    const attachments = [{ mime: "image/JPG", data: new Uint8Array([1, 2, 3]) }];
    const { body } = await ask("openai", { text: "x" }, { messages, attachments });
    expect(body?.["messages"]).toMatchObject([
      { content: [{ type: "text" }, { type: "image_url", image_url: { url: "data:image/jpeg;base64,AQID" } }] },
    ]);
    await server?.close();
    const anthropic = await ask("anthropic", { text: "x" }, { messages, attachments });
    expect(anthropic.body?.["messages"]).toMatchObject([
      { content: [{ type: "text" }, { type: "image", source: { media_type: "image/jpeg", data: "AQID" } }] },
    ]);
  });

  test("an image of another type or without bytes fails before anything is sent (PP-9)", async () => {
    const provider = await connect("openai", () => ({ text: "never" }));
    const messages = [says("user", { type: "image", attachmentIndex: 0 })];
    const codeFor = async (mime: string, data: Uint8Array) =>
      (await rejected(provider.complete(request({ messages, attachments: [{ mime, data }] }), recordingCall()))).failure;
    expect(await codeFor("image/tiff", new Uint8Array([1]))).toMatchObject({ kind: "validation", code: "unsupported_image_format" });
    expect(await codeFor("image/png", new Uint8Array())).toMatchObject({ code: "attachment_resolution_failed" });
    expect(server?.requests).toHaveLength(0);
  });

  test("results and images of one message become tool messages and a user message, in order", async () => {
    const messages = [
      says("user", "go"),
      says("assistant", { type: "toolCall", callId: "a", toolName: "weather", inputJson: "{broken" }),
      says("user", { type: "toolResult", callId: "a", content: "see picture" }, { type: "image", attachmentIndex: 0 }),
    ];
    const attachments = [{ mime: "image/png", data: new Uint8Array([9]) }];
    const { body } = await ask("openai", { text: "x" }, { messages, attachments });
    expect(body?.["messages"]).toMatchObject([
      { role: "user" },
      { role: "assistant", tool_calls: [{ id: "a", function: { name: "weather", arguments: "{}" } }] },
      { role: "tool", tool_call_id: "a", content: "see picture" },
      { role: "user", content: [{ type: "image_url" }] },
    ]);
  });

  test("later system messages go as user messages, or as they are when the host says so", async () => {
    const messages = [says("system", "Be brief."), says("user", "a"), says("system", "Runtime note: limit")];
    const roles = async (options: AiSdkOptions) => {
      const provider = await connect("openai", () => ({ text: "x" }), options);
      await provider.complete(request({ messages }), recordingCall());
      const sent = server?.requests[0]?.body["messages"];
      await server?.close();
      return (sent as { role: string }[]).map((message) => message.role);
    };
    expect(await roles({})).toEqual(["system", "user", "user"]);
    expect(await roles({ systemMessages: "anywhere" })).toEqual(["system", "user", "system"]);
  });

  test("anthropic gets cache marks on system, last tool and last message, longer ones on demand (PP-24)", async () => {
    const provider = await connect("anthropic", () => ({ text: "x" }), { cacheRetention: "long" });
    const messages = [says("system", "Be brief."), says("user", "a"), says("assistant", "b"), says("user", "c")];
    await provider.complete(request({ messages, tools: [weather] }), recordingCall());
    const mark = { cache_control: { type: "ephemeral", ttl: "1h" } };
    const body = server?.requests[0]?.body;
    expect(body?.["system"]).toMatchObject([mark]);
    expect(body?.["tools"]).toMatchObject([mark]);
    const sent = body?.["messages"] as { content: object[] }[];
    expect(sent[2]?.content).toMatchObject([mark]);
    expect(sent[0]?.content[0]).not.toHaveProperty("cache_control");
  });

  test("explicit breakpoints replace the mark on the last message", async () => {
    const provider = await connect("anthropic", () => ({ text: "x" }));
    const marked = says("user", { type: "text", text: "a", cacheBreakpoint: true });
    await provider.complete(request({ messages: [marked, says("assistant", "b"), says("user", "c")] }), recordingCall());
    const sent = server?.requests[0]?.body["messages"] as { content: object[] }[];
    expect(sent[0]?.content[0]).toMatchObject({ cache_control: { type: "ephemeral" } });
    expect(sent[2]?.content[0]).not.toHaveProperty("cache_control");
  });

  test("a JSON schema and variant settings reach the model", async () => {
    const provider = await connect("openai", () => ({ text: "{}" }), {
      settings: { temperature: 0.5 },
      variants: { exact: { temperature: 0, seed: 7 } },
    });
    const outputSpec = { type: "jsonObject" } as const;
    await provider.complete(request({ modelVariant: "exact", outputSpec }), recordingCall());
    expect(server?.requests[0]?.body).toMatchObject({ temperature: 0, seed: 7, response_format: { type: "json_object" } });
    const { failure } = await rejected(provider.complete(request({ modelVariant: "wild" }), recordingCall()));
    expect(failure.code).toBe("invalid_model_variant");
  });
});

describe("whole answers instead of streams", () => {
  test.each(DIALECTS)("give the same response over the %s wire", async (dialect) => {
    const reply: WireReply = {
      reasoning: { text: "Hm", signature: "c2ln" },
      text: "Looking.",
      toolCalls: [{ name: "weather", args: { city: "Oslo" } }],
      usage: { input: 3, output: 4, cacheRead: 5 },
    };
    const streamed = await ask(dialect, reply, { tools: [weather] });
    await server?.close();
    const provider = await connect(dialect, () => reply, { streaming: false });
    expect(provider.streams).toBe(false);
    const whole = await provider.complete(request({ tools: [weather] }), recordingCall(manualClock()));
    expect(textsOf(whole)).toEqual(textsOf(streamed.response));
    expect(whole.usage).toEqual(streamed.response.usage);
    expect(whole.terminalReason).toBe("tool_use");
  });
});
