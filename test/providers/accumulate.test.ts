import { describe, expect, test } from "vitest";
import { mergeParts, StreamAccumulator } from "../../src/providers/accumulate.ts";
import type { LlmOutputPart, LlmResponse, LlmStreamEvent } from "../../src/providers/contract.ts";
import { partText } from "../../src/domain/answer-parts.ts";
import { zeroUsage } from "../../src/domain/usage.ts";

const accumulated = (...events: LlmStreamEvent[]): StreamAccumulator => {
  const accumulator = new StreamAccumulator();
  for (const event of events) accumulator.push(event);
  return accumulator;
};
const textDelta = (text: string, itemId = "t"): LlmStreamEvent => ({ type: "textDelta", itemId, text });
const reasoningDelta = (text: string, itemId = "r"): LlmStreamEvent => ({ type: "reasoningDelta", itemId, text });
const part = (value: LlmOutputPart): LlmStreamEvent => ({ type: "part", part: value });
const call = (callId: string, inputJson = "{}"): LlmOutputPart => ({ type: "toolCall", callId, toolName: "t", inputJson });
const response = (overrides: Partial<LlmResponse> = {}): LlmResponse => ({
  fullText: "",
  parts: [],
  usage: zeroUsage,
  terminalReason: "stop",
  ...overrides,
});

describe("accumulation (T-43)", () => {
  test("parts stand in order of first appearance (PP-7)", () => {
    const accumulator = accumulated(
      reasoningDelta("hm"),
      textDelta("a"),
      part(call("c1")),
      reasoningDelta("m", "r"),
      textDelta("b"),
      textDelta("z", "t2"),
    );
    expect(accumulator.parts()).toEqual([
      { type: "reasoning", text: "hmm", itemId: "r" },
      { type: "text", text: "ab", itemId: "t" },
      call("c1"),
      { type: "text", text: "z", itemId: "t2" },
    ]);
  });

  test("a part settles text and metadata of its block without showing the text twice (PP-4)", () => {
    const accumulator = accumulated(
      textDelta("Hel"),
      part({ type: "text", text: "Hello", itemId: "t", responseMeta: { id: "m1" } }),
      part({ type: "text", text: "Hello" }),
    );
    expect(accumulator.parts()).toEqual([{ type: "text", text: "Hello", itemId: "t", responseMeta: { id: "m1" } }]);
  });

  test("a part without an id settles the block whose text it extends", () => {
    const accumulator = accumulated(reasoningDelta("Let me"), part({ type: "reasoning", text: "Let me see", replay: { signature: "s" } }));
    expect(accumulator.parts()).toEqual([{ type: "reasoning", text: "Let me see", itemId: "r", replay: { signature: "s" } }]);
  });

  test("a tool call that comes again replaces itself", () => {
    expect(accumulated(part(call("c", "{")), part(call("c", '{"a":1}'))).parts()).toEqual([call("c", '{"a":1}')]);
  });

  test("the last usage wins, and a reset forgets everything (T-50)", () => {
    const usage = { ...zeroUsage, inputTokens: 2 };
    const accumulator = accumulated(textDelta("x"), { type: "usage", usage: zeroUsage }, { type: "usage", usage });
    expect([accumulator.usage, accumulator.hasText, accumulator.streamedItemIds("text")]).toEqual([usage, true, ["t"]]);
    accumulator.push({ type: "modelAttemptReset", proseItemIds: ["t"], reasoningItemIds: [] });
    expect([accumulator.usage, accumulator.hasText, accumulator.parts()]).toEqual([null, false, []]);
  });

  test("a stream of a hundred thousand blocks stays linear", () => {
    const accumulator = new StreamAccumulator();
    // Searching the blocks for each block would be ten billion comparisons.
    for (let index = 0; index < 100_000; index += 1) accumulator.push(textDelta("x", `t${index}`));
    const parts = accumulator.parts();
    expect(mergeParts(parts, accumulator.parts())).toHaveLength(100_000);
  });
});

describe("completing a response (T-43)", () => {
  test("a response without parts takes the streamed ones, text and usage with them", () => {
    const usage = { ...zeroUsage, outputTokens: 3 };
    const accumulator = accumulated(textDelta("streamed"), { type: "usage", usage });
    expect(accumulator.complete(response())).toMatchObject({
      fullText: "streamed",
      parts: [{ type: "text", text: "streamed", itemId: "t" }],
      usage,
    });
  });

  test("a usage that the response reports is kept", () => {
    const usage = { ...zeroUsage, outputTokens: 9 };
    const accumulator = accumulated({ type: "usage", usage: { ...zeroUsage, outputTokens: 3 } });
    expect(accumulator.complete(response({ usage })).usage).toEqual(usage);
  });

  test("merging the same parts changes nothing", () => {
    const parts: LlmOutputPart[] = [
      { type: "reasoning", text: "hm", itemId: "r", replay: { opaque: "o" } },
      { type: "text", text: "a", itemId: "t" },
      call("c"),
    ];
    expect(mergeParts(parts, parts)).toEqual(parts);
  });

  test("text that the response gives whole is not repeated by streamed pieces", () => {
    const whole: LlmOutputPart = { type: "text", text: "one two", itemId: "msg_1" };
    const pieces: LlmOutputPart[] = [
      { type: "text", text: "one ", itemId: "0" },
      { type: "text", text: "two", itemId: "1" },
    ];
    expect(mergeParts([whole], pieces)).toEqual([whole]);
  });

  test("a response that was cut short takes the longer streamed text", () => {
    const merged = mergeParts([{ type: "text", text: "one" }], [{ type: "text", text: "one two", itemId: "t" }]);
    expect(merged).toEqual([{ type: "text", text: "one two", itemId: "t" }]);
  });

  test("what only the stream carried is put where it was said", () => {
    const merged = mergeParts([call("c1"), call("c2")], [{ type: "reasoning", text: "hm" }, call("c1"), { type: "text", text: "then" }, call("c2")]);
    expect(merged.map((one) => (one.type === "toolCall" ? one.callId : partText(one)))).toEqual(["hm", "c1", "then", "c2"]);
  });

  test("a tool call is recognised by its call id or its item id and gains what it lacked", () => {
    const full: LlmOutputPart = { ...call("b"), replay: { itemId: "fc_1", opaque: "o" } } as LlmOutputPart;
    const bare: LlmOutputPart = { ...call("b2"), replay: { itemId: "fc_1" } } as LlmOutputPart;
    expect(mergeParts([call("b")], [full])).toEqual([full]);
    expect(mergeParts([bare], [full])).toHaveLength(1);
  });

  test("reasoning is told apart by its encrypted content, also without any text", () => {
    const secret = (encryptedContent: string): LlmOutputPart => ({ type: "reasoning", text: "", replay: { encryptedContent } });
    expect(mergeParts([secret("a")], [secret("a"), secret("b")])).toEqual([secret("a"), secret("b")]);
  });
});

describe("what really came twice", () => {
  const source = (): LlmOutputPart => ({ type: "source", source: { sourceType: "url", id: "s", url: "https://example.org" } });
  const file = (...bytes: number[]): LlmOutputPart => ({ type: "file", mime: "image/png", data: new Uint8Array(bytes) });
  const result = (callId: string, value: string): LlmOutputPart => ({ type: "toolResult", callId, toolName: "t", result: value });

  test("parts without an id stay as many as came, streamed and in the response (ME-1)", () => {
    const events = [part(source()), part(source()), part(file(1)), part(file(2))];
    const parts = [source(), source(), file(1), file(2)];
    expect(accumulated(...events).parts()).toEqual(parts);
    expect(accumulated(...events).complete(response({ parts })).parts).toEqual(parts);
  });

  test("calls that a provider gives one id are two calls, each with its result (ME-1)", () => {
    const given = [call("c", '{"a":1}'), result("c", "one"), call("c", '{"a":2}'), result("c", "two")];
    const accumulator = accumulated(...given.map(part));
    expect(accumulator.parts()).toEqual(given);
    expect(mergeParts(given, accumulator.parts())).toEqual(given);
  });

  test("text of an id that the response does not have is another text, though it says the same (ME-1)", () => {
    const said: LlmOutputPart = { type: "text", text: "go go", itemId: "a" };
    const again: LlmOutputPart = { type: "text", text: "go", itemId: "b" };
    expect(mergeParts([said], [said, again])).toEqual([said, again]);
  });
});
