// Every part that the model interface has, through the adapter and back (ME-1, ME-2).

import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Content, LanguageModelV4Message, LanguageModelV4StreamPart } from "@ai-sdk/provider";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { draftsOf } from "../../src/domain/answer-parts.ts";
import { base64Of, bytesOfBase64 } from "../../src/domain/base64.ts";
import { createMessage } from "../../src/domain/messages.ts";
import { toLlmMessage } from "../../src/actors/prompt-view.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import type { LlmAttachment, LlmOutputPart, LlmRequest } from "../../src/providers/contract.ts";
import { recordingCall, request, says } from "./fixtures.ts";

type StreamPart = LanguageModelV4StreamPart;
type Role<Name extends LanguageModelV4Message["role"]> = Extract<LanguageModelV4Message, { role: Name; content: readonly unknown[] }>["content"][number]["type"];
type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

// A member that a newer @ai-sdk/provider brings makes one of these false, and the type check fails: decide what becomes of it.
const membersAreKnown: [
  Equal<
    StreamPart["type"],
    | "text-start" | "text-delta" | "text-end" | "reasoning-start" | "reasoning-delta" | "reasoning-end"
    | "tool-input-start" | "tool-input-delta" | "tool-input-end" | "tool-call" | "tool-result" | "tool-approval-request"
    | "file" | "reasoning-file" | "source" | "custom" | "stream-start" | "response-metadata" | "finish" | "ping" | "raw" | "error"
  >,
  Equal<LanguageModelV4Content["type"], "text" | "reasoning" | "tool-call" | "tool-result" | "tool-approval-request" | "file" | "reasoning-file" | "source" | "custom">,
  Equal<Role<"user">, "text" | "file">,
  Equal<Role<"assistant">, "text" | "file" | "custom" | "reasoning" | "reasoning-file" | "tool-call" | "tool-result">,
  Equal<Role<"tool">, "tool-result" | "tool-approval-response">,
] = [true, true, true, true, true];

const usage = {
  inputTokens: { total: 3, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: undefined, reasoning: undefined },
};
const finish: StreamPart = { type: "finish", finishReason: { unified: "stop", raw: "end_turn" }, usage };
const tag = (name: string) => ({ acme: { tag: name, list: [1, { deep: null }] } });

function playing(parts: readonly StreamPart[], content?: LanguageModelV4Content[]): { readonly model: LanguageModelV4; readonly calls: LanguageModelV4CallOptions[] } {
  const calls: LanguageModelV4CallOptions[] = [];
  return {
    calls,
    model: {
      specificationVersion: "v4",
      provider: "acme.chat",
      modelId: "acme-1",
      supportedUrls: {},
      doGenerate: async () => ({ content: content ?? [], finishReason: { unified: "stop", raw: undefined }, usage, warnings: [{ type: "other", message: "w" }], providerMetadata: tag("end"), response: { id: "R", modelId: "served" } }),
      doStream: async (options) => {
        calls.push(options);
        return { stream: new ReadableStream({ start: (controller) => (parts.forEach((part) => controller.enqueue(part)), controller.close()) }) };
      },
    },
  };
}

const answerTo = async (parts: readonly StreamPart[]) => {
  const call = recordingCall();
  const response = await aiSdk(playing([...parts, finish]).model).complete(request(), call);
  return { response, events: call.events };
};

/** The answer's parts as the next request has them: through a message as it is stored, as JSON, and the prompt. */
async function sentBack(answered: readonly LlmOutputPart[], first = says("user", "a")): Promise<readonly unknown[]> {
  const attachments: LlmAttachment[] = [];
  const stored = answered.map((part): LlmOutputPart => {
    if ((part.type !== "file" && part.type !== "reasoningFile") || part.data === undefined) return part;
    const { data, ...file } = part;
    attachments.push({ mime: part.mime, data, reference: `${attachments.length}` });
    return { ...file, attachment: { id: `${attachments.length - 1}`, mime: part.mime, byteLength: data.length } };
  });
  const message = { ...createMessage("m", "Assistant", JSON.parse(JSON.stringify(draftsOf(stored)))), answer: { provider: "acme.chat", model: "acme-1" } };
  const shown = toLlmMessage(message, ({ id }) => Number(id));
  const { model, calls } = playing([finish]);
  const asked: LlmRequest = request({ messages: shown ? [first, shown] : [first], attachments });
  await aiSdk(model).complete(asked, recordingCall());
  const content = calls[0]?.prompt.find(({ role }) => role === "assistant")?.content ?? [];
  return Array.isArray(content) ? content : [];
}

test("every member of the interface's unions is known (ME-1)", () => {
  expect(membersAreKnown).not.toContain(false);
});

describe("parts come back as they came", () => {
  const cases: readonly (readonly [string, readonly StreamPart[], object | null])[] = [
    ["text with metadata at its start, in a delta and at its end", [
      { type: "text-start", id: "t", providerMetadata: { acme: { start: 1 } } },
      { type: "text-delta", id: "t", delta: "Hi", providerMetadata: { acme: { delta: 2 } } },
      { type: "text-end", id: "t", providerMetadata: { acme: { end: 3 } } },
    ], { type: "text", text: "Hi", providerOptions: { acme: { start: 1, delta: 2, end: 3 } } }],
    ["empty text that carries metadata", [
      { type: "text-start", id: "t" }, { type: "text-delta", id: "t", delta: "", providerMetadata: tag("signed") }, { type: "text-end", id: "t" },
    ], { type: "text", text: "", providerOptions: tag("signed") }],
    ["empty text", [{ type: "text-start", id: "t" }, { type: "text-end", id: "t" }], null],
    ["reasoning", [{ type: "reasoning-start", id: "r", providerMetadata: tag("r") }, { type: "reasoning-delta", id: "r", delta: "hm" }, { type: "reasoning-end", id: "r" }], { type: "reasoning", text: "hm", providerOptions: tag("r") }],
    ["redacted reasoning", [{ type: "reasoning-start", id: "r", providerMetadata: tag("r") }, { type: "reasoning-end", id: "r" }], { type: "reasoning", text: "", providerOptions: tag("r") }],
    ["a call", [{ type: "tool-call", toolCallId: "c", toolName: "look", input: '{"q":1}', dynamic: true, providerMetadata: tag("c") }], { type: "tool-call", toolCallId: "c", toolName: "look", input: { q: 1 }, providerOptions: tag("c") }],
    ["a call that the provider runs", [{ type: "tool-call", toolCallId: "c", toolName: "search", input: '{"q":1}', providerExecuted: true, providerMetadata: tag("c") }], { type: "tool-call", toolCallId: "c", toolName: "search", input: { q: 1 }, providerExecuted: true, providerOptions: tag("c") }],
    ["its result", [{ type: "tool-result", toolCallId: "c", toolName: "search", result: { hits: [1] }, providerMetadata: tag("r") }], { type: "tool-result", toolCallId: "c", toolName: "search", output: { type: "json", value: { hits: [1] } }, providerOptions: tag("r") }],
    ["its result that is a text", [{ type: "tool-result", toolCallId: "c", toolName: "search", result: "none" }], { type: "tool-result", toolCallId: "c", toolName: "search", output: { type: "json", value: "none" } }],
    ["its failure", [{ type: "tool-result", toolCallId: "c", toolName: "search", result: { code: "busy" }, isError: true }], { type: "tool-result", toolCallId: "c", toolName: "search", output: { type: "error-json", value: { code: "busy" } } }],
    ["a file in base64", [{ type: "file", mediaType: "image/png", data: { type: "data", data: "AQID" }, providerMetadata: tag("f") }], { type: "file", mediaType: "image/png", data: { type: "data", data: new Uint8Array([1, 2, 3]) }, providerOptions: tag("f") }],
    ["a file in bytes", [{ type: "file", mediaType: "audio/wav", data: { type: "data", data: new Uint8Array([4]) } }], { type: "file", mediaType: "audio/wav", data: { type: "data", data: new Uint8Array([4]) } }],
    ["a file by address", [{ type: "file", mediaType: "image/png", data: { type: "url", url: new URL("https://example.org/a.png") } }], { type: "file", mediaType: "image/png", data: { type: "url", url: new URL("https://example.org/a.png") } }],
    ["a file in text that is no base64", [{ type: "file", mediaType: "image/png", data: { type: "data", data: "§" }, providerMetadata: tag("f") }], { type: "file", mediaType: "image/png", data: { type: "data", data: "§" }, providerOptions: tag("f") }],
    ["a reasoning file", [{ type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: "AQID" }, providerMetadata: tag("rf") }], { type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: new Uint8Array([1, 2, 3]) }, providerOptions: tag("rf") }],
    ["a custom part", [{ type: "custom", kind: "acme.thing", providerMetadata: tag("c") }], { type: "custom", kind: "acme.thing", providerOptions: tag("c") }],
    ["a part of a kind that comes later", [{ type: "hologram", rays: [1, 2], providerMetadata: tag("h") } as unknown as StreamPart], { type: "hologram", rays: [1, 2], providerOptions: tag("h") }],
    ["a source", [{ type: "source", sourceType: "url", id: "s", url: "https://example.org", title: "T", providerMetadata: tag("s") }], null],
    ["a question whether a call may run", [{ type: "tool-approval-request", approvalId: "a", toolCallId: "c", providerMetadata: tag("a") }], null],
  ];

  test.each(cases)("%s (ME-2)", async (_title, parts, expected) => {
    const { response } = await answerTo(parts);
    expect(await sentBack(response.parts)).toEqual(expected === null ? [] : [expected]);
  });

  test("a whole answer has the same parts as a streamed one, and says the same of itself (ME-1)", async () => {
    const content: LanguageModelV4Content[] = [
      { type: "reasoning", text: "hm", providerMetadata: tag("r") },
      { type: "text", text: "Hi", citations: [{ source: { type: "source", sourceType: "url", id: "s", url: "https://example.org" } }] },
      { type: "custom", kind: "acme.thing" },
      { type: "tool-call", toolCallId: "c", toolName: "search", input: "{}", providerExecuted: true },
      { type: "tool-result", toolCallId: "c", toolName: "search", result: 1 },
      { type: "source", sourceType: "document", id: "d", mediaType: "text/plain", title: "D" },
      { type: "file", mediaType: "image/png", data: { type: "data", data: "AQID" } },
    ];
    const whole = await aiSdk(playing([], content).model, { streaming: false }).complete(request(), recordingCall());
    const streamed = await answerTo(content.flatMap((part): StreamPart[] => {
      if (part.type === "reasoning") return [{ type: "reasoning-start", id: "0", providerMetadata: tag("r") }, { type: "reasoning-delta", id: "0", delta: part.text }, { type: "reasoning-end", id: "0" }];
      if (part.type === "text") return [{ type: "text-start", id: "1" }, { type: "text-delta", id: "1", delta: part.text }, { type: "text-end", id: "1", ...(part.citations && { citations: part.citations }) }];
      return [part];
    }));
    expect(whole.parts).toEqual(streamed.response.parts);
    expect(whole).toMatchObject({ responseId: "R", servedModel: "served", warnings: [{ type: "other", message: "w" }], metadata: tag("end"), finish: { unified: "stop" } });
  });
});

describe("what an answer says of itself", () => {
  test("response id, served model, finish, its metadata and warnings are kept (ME-1)", async () => {
    const { response } = await answerTo([
      { type: "stream-start", warnings: [{ type: "unsupported", feature: "seed" }] },
      { type: "response-metadata", id: "R", modelId: "served", timestamp: new Date(0) },
      { type: "text-delta", id: "t", delta: "x" },
    ]);
    expect(response).toMatchObject({ responseId: "R", servedModel: "served", finish: { unified: "stop", raw: "end_turn" }, warnings: [{ type: "unsupported", feature: "seed" }] });
  });

  test("metadata of the finish is kept as it came (ME-1)", async () => {
    const parts: StreamPart[] = [{ type: "text-delta", id: "t", delta: "x" }, { ...finish, providerMetadata: tag("end") } as StreamPart];
    expect((await aiSdk(playing(parts).model).complete(request(), recordingCall())).metadata).toEqual(tag("end"));
  });
});

describe("order", () => {
  const named = (parts: readonly LlmOutputPart[]): string[] =>
    parts.map((part) => ("text" in part ? `${part.type} ${part.text}` : part.type === "toolCall" ? `call ${part.callId} ${part.inputJson}` : part.type === "toolResult" ? `result ${part.callId} ${JSON.stringify(part.result)}` : part.type));

  test("a text that begins before a call and ends behind it stands before it, and a call stands where its arguments began (PP-7, ME-1)", async () => {
    const { response } = await answerTo([
      { type: "text-start", id: "a" },
      { type: "tool-input-start", id: "c1", toolName: "look" },
      { type: "text-delta", id: "a", delta: "one" },
      { type: "tool-input-start", id: "c2", toolName: "look" },
      { type: "text-start", id: "b" },
      { type: "text-delta", id: "b", delta: "two" },
      { type: "tool-call", toolCallId: "c2", toolName: "look", input: "{}" },
      { type: "text-delta", id: "a", delta: "!" },
      { type: "tool-call", toolCallId: "c1", toolName: "look", input: "{}" },
      { type: "text-end", id: "b" },
      { type: "text-end", id: "a" },
    ]);
    expect(named(response.parts)).toEqual(["text one!", "call c1 {}", "call c2 {}", "text two"]);
  });

  test("calls under one id keep their places, and arguments without a call leave nothing (ME-1)", async () => {
    const begins: StreamPart = { type: "tool-input-start", id: "call_0", toolName: "look" };
    const call = (input: string): StreamPart => ({ type: "tool-call", toolCallId: "call_0", toolName: "look", input });
    const { response } = await answerTo([begins, { type: "text-delta", id: "t", delta: "x" }, begins, begins, call('{"n":1}'), call('{"n":2}')]);
    expect(named(response.parts)).toEqual(['call call_0 {"n":1}', "text x", 'call call_0 {"n":2}']);
  });

  test("states of a result take each other's place, where the first of them stood (ME-1)", async () => {
    const result = (value: string, preliminary?: true): StreamPart => ({ type: "tool-result", toolCallId: "c", toolName: "search", result: value, ...(preliminary && { preliminary }) });
    const { response, events } = await answerTo([result("10 %", true), { type: "text-delta", id: "t", delta: "x" }, result("50 %", true), result("done")]);
    expect(named(response.parts)).toEqual(['result c "done"', "text x"]);
    expect(events.flatMap((event) => (event.type === "part" ? [event.part] : []))).toEqual([expect.objectContaining({ result: "done" })]);
    const unfinished = await answerTo([result("10 %", true), result("50 %", true)]);
    expect(named(unfinished.response.parts)).toEqual(['result c "50 %"']);
  });

  // Blocks by kind and pieces; each is played in its own order, and all of them mixed.
  const block = fc.record({
    kind: fc.constantFrom("text", "reasoning", "call", "file", "custom", "search" as const),
    pieces: fc.array(fc.string({ maxLength: 3 }), { minLength: 1, maxLength: 4 }),
    signed: fc.boolean(),
  });

  function streamOf({ kind, pieces, signed }: { kind: string; pieces: readonly string[]; signed: boolean }, index: number): StreamPart[] {
    const id = `${kind}${index}`;
    const providerMetadata = signed ? { acme: { at: index } } : undefined;
    const meta = providerMetadata && { providerMetadata };
    switch (kind) {
      case "text":
      case "reasoning":
        return [{ type: `${kind}-start`, id }, ...pieces.map((delta): StreamPart => ({ type: `${kind}-delta`, id, delta })), { type: `${kind}-end`, id, ...meta }];
      case "call":
        return [
          { type: "tool-input-start", id, toolName: "look" },
          ...pieces.map((delta): StreamPart => ({ type: "tool-input-delta", id, delta })),
          { type: "tool-input-end", id },
          { type: "tool-call", toolCallId: id, toolName: "look", input: JSON.stringify({ pieces }), ...meta },
        ];
      case "search":
        return [
          { type: "tool-call", toolCallId: id, toolName: "search", input: "{}", providerExecuted: true, ...meta },
          ...pieces.map((result): StreamPart => ({ type: "tool-result", toolCallId: id, toolName: "search", result, preliminary: true })),
          { type: "tool-result", toolCallId: id, toolName: "search", result: pieces.join(""), ...meta },
        ];
      case "file":
        return [{ type: "file", mediaType: "text/plain", data: { type: "data", data: base64Of(new TextEncoder().encode(pieces.join(""))) }, ...meta }];
      default:
        return [{ type: "custom", kind: "acme.thing", ...meta }];
    }
  }

  function expectedOf({ kind, pieces, signed }: { kind: string; pieces: readonly string[]; signed: boolean }, index: number): { readonly at: number; readonly part: object }[] {
    const id = `${kind}${index}`;
    const options = signed ? { providerOptions: { acme: { at: index } } } : {};
    const text = pieces.join("");
    switch (kind) {
      case "text":
        return text === "" && !signed ? [] : [{ at: 0, part: { type: "text", text, ...options } }];
      case "reasoning":
        // Whether it is sent without metadata is settled before the adapter.
        return text === "" && !signed ? [] : [{ at: 0, part: { type: "reasoning", text, ...options } }];
      case "call":
        return [{ at: 0, part: { type: "tool-call", toolCallId: id, toolName: "look", input: { pieces }, ...options } }];
      case "search":
        return [
          { at: 0, part: { type: "tool-call", toolCallId: id, toolName: "search", input: {}, providerExecuted: true, ...options } },
          { at: 1, part: { type: "tool-result", toolCallId: id, toolName: "search", output: { type: "json", value: text }, ...options } },
        ];
      case "file":
        // A file without bytes is nothing that could be stored: it goes back as it came.
        return [{ at: 0, part: { type: "file", mediaType: "text/plain", data: { type: "data", data: text === "" ? "" : new TextEncoder().encode(text) }, ...options } }];
      default:
        return [{ at: 0, part: { type: "custom", kind: "acme.thing", ...options } }];
    }
  }

  test("however blocks are cut and mixed, the next request has them in the order in which they began, byte for byte (ME-1, ME-2)", async () => {
    const mixed = fc.tuple(fc.array(block, { maxLength: 6 }), fc.infiniteStream(fc.nat({ max: 100 })));
    await fc.assert(
      fc.asyncProperty(mixed, async ([blocks, picks]) => {
        const left = blocks.map((one, index) => ({ index, parts: streamOf(one, index), next: 0 }));
        const stream: StreamPart[] = [];
        const began: { readonly order: number; readonly part: object }[] = [];
        for (let open = left; open.length > 0; open = open.filter(({ next, parts }) => next < parts.length)) {
          const one = open[(picks.next().value ?? 0) % open.length];
          const part = one?.parts[one.next];
          if (!one || !part) break;
          for (const { at, part: wanted } of expectedOf(blocks[one.index] ?? { kind: "", pieces: [], signed: false }, one.index)) {
            if (at === one.next) began.push({ order: stream.length, part: wanted });
          }
          stream.push(part);
          one.next += 1;
        }
        const { response } = await answerTo(stream);
        expect(await sentBack(response.parts)).toEqual(began.map(({ part }) => part));
      }),
      { numRuns: 200 },
    );
  });
});

test("base64 is read in both alphabets and with line breaks, and what is none is nothing", () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
  expect(bytesOfBase64(base64Of(bytes))).toEqual(bytes);
  expect([bytesOfBase64("-_8="), bytesOfBase64("+/\n8="), bytesOfBase64("§")]).toEqual([new Uint8Array([251, 255]), new Uint8Array([251, 255]), undefined]);
});
