// Conversations as no sensible host would make them, for tests of what goes out.

import * as fc from "fast-check";
import type { LlmContentBlock, LlmMessage, LlmOrigin, LlmRequest, LlmToolSpec } from "../../src/providers/contract.ts";
import { ALPHANUMERIC, defaultWire, WORD_CHARACTERS, type Wire } from "../../src/providers/wire.ts";
import { request } from "../providers/fixtures.ts";

export const OWN: LlmOrigin = { provider: "p", model: "m" };

const origin = fc.constantFrom<(LlmOrigin | undefined)[]>(undefined, OWN, OWN, { provider: "p", model: "other" }, { provider: "q", model: "m" });
const text = fc.oneof(
  fc.constantFrom("", " \n", "Hello", "half \uD83D", "\uDE00 half", "whole 😀", "[no output]"),
  fc.string({ maxLength: 12, unit: "grapheme" }),
);
const callId = fc.constantFrom("call_0", "call_0", "call_0_2", "a", "b", "", "x:y", "long".repeat(20), "half\uD83D");
const toolName = fc.constantFrom("look", "a.b", "a_b", "a/b", "1st", "", "n".repeat(128), "häuser", "half\uDE00", "look_2");
const inputJson = fc.constantFrom("{}", "", " ", '{"q":1}', '{"q":', "[1]", "null", '"text"', '\uFEFF{"q":1}', '{"q":"\\ud83d"}', '{"q":"\\ud83d\\ude00"}', '{"q":"\uD83D"}', '{"__proto__":{"a":1}}', '{"q":1} and more');
const maybe = <T>(value: T): fc.Arbitrary<T | undefined> => fc.constantFrom(undefined, value);
const isTrue = fc.constantFrom(undefined, true as const);

/** Without the fields that have no value, as stored messages are. */
const dense = <T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

const textBlock = fc.record({ type: fc.constant("text" as const), text, responseMeta: maybe({ providerPayload: '{"p":{"id":"1"}}' }) }).map(dense<LlmContentBlock>);
const reasoning = fc.record({ type: fc.constant("reasoning" as const), text, replay: maybe({ opaque: '{"p":{"signature":"s"}}' }) }).map(dense<LlmContentBlock>);
const call = fc.record({ type: fc.constant("toolCall" as const), callId, toolName, inputJson, replay: maybe({ opaque: "{}" }), providerExecuted: isTrue }).map(dense<LlmContentBlock>);
const result = fc.record({ type: fc.constant("toolResult" as const), callId, content: text, toolName: fc.option(toolName, { nil: undefined }), isError: isTrue }).map(dense<LlmContentBlock>);
const ranResult = result.map((block): LlmContentBlock => ({ ...block, content: '{"found":"it","encrypted_content":"x"}', providerExecuted: true }) as LlmContentBlock);
const image = fc.constantFrom<LlmContentBlock[]>({ type: "image", attachmentIndex: 0 }, { type: "image", attachmentIndex: 1 });
const file = fc.record({ type: fc.constantFrom("file" as const, "reasoningFile" as const), mime: fc.constantFrom("application/pdf", "text/plain"), url: fc.constant("https://x.test/f"), filename: fc.option(text, { nil: undefined }), metadata: maybe({ p: { id: "f" } }) }).map(dense<LlmContentBlock>);
const opaque = fc.constant<LlmContentBlock>({ type: "opaque", content: { provider: "p", type: "t", json: {} } });

const user = fc.array(fc.oneof(textBlock.map(withoutMeta), result, result, image, file), { maxLength: 4 }).map((blocks): LlmMessage => ({ role: "user", blocks }));
const system = fc.array(textBlock.map(withoutMeta), { maxLength: 2 }).map((blocks): LlmMessage => ({ role: "system", blocks }));
const assistant = fc
  .record({ blocks: fc.array(fc.oneof(textBlock, reasoning, call, call, ranResult, file, opaque), { maxLength: 5 }), origin })
  .map(({ blocks, origin: from }): LlmMessage => ({ role: "assistant", blocks, ...(from && { origin: from }) }));
const cutOff = fc
  .record({ blocks: fc.array(fc.oneof(textBlock, call, reasoning), { maxLength: 3 }), incomplete: fc.constantFrom("output_limit" as const, "cancelled" as const), origin })
  .map(({ origin: from, ...said }): LlmMessage => ({ role: "assistant", ...said, ...(from && { origin: from }) }));

/** A round as they mostly are: an answer with calls, then all their results, in their order or another. */
const round = fc.record({ said: fc.array(fc.oneof(textBlock, reasoning), { maxLength: 2 }), calls: fc.array(call, { minLength: 1, maxLength: 3 }), origin, reversed: fc.boolean() }).map(({ said, calls, origin: from, reversed }): LlmMessage[] => {
  const results = calls.flatMap((block): LlmContentBlock[] => (block.type === "toolCall" && block.providerExecuted !== true ? [{ type: "toolResult", callId: block.callId, content: `of ${block.callId}` }] : []));
  return [
    { role: "assistant", blocks: [...said, ...calls], ...(from && { origin: from }) },
    { role: "user", blocks: reversed ? results.toReversed() : results },
  ];
});

function withoutMeta(block: LlmContentBlock): LlmContentBlock {
  return block.type === "text" ? { type: "text", text: block.text } : block;
}

export const messages = fc.array(fc.oneof(user.map(one), user.map(one), system.map(one), assistant.map(one), cutOff.map(one), round, round), { maxLength: 8 }).map((parts) => parts.flat());

function one(message: LlmMessage): LlmMessage[] {
  return [message];
}

export const tools = fc
  .uniqueArray(fc.constantFrom("look", "a.b", "a_b", "a/b", "n".repeat(128), `${"n".repeat(127)}m`), { maxLength: 4 })
  .map((names) => names.map((name): LlmToolSpec => ({ name, description: "half \uD83D", inputSchema: { type: "object", properties: { "a\uDE00": { type: "string", description: "\uD83D" } } } })));

const attachments: LlmRequest["attachments"] = [
  { mime: "image/png", data: new Uint8Array([1]) },
  { mime: "image/heic", data: new Uint8Array([1]) },
];

export const requests = fc.record({ messages, tools }).map((parts) => request({ ...parts, attachments }));

export const wires: fc.Arbitrary<Wire> = fc
  .record({
    blankText: fc.constantFrom("drop" as const, "keep" as const),
    blankResult: fc.constantFrom("note" as const, "keep" as const),
    firstMessage: fc.constantFrom("user" as const, "any" as const),
    alternation: fc.constantFrom("any" as const, "strict" as const),
    toolBlocks: fc.constantFrom("withTools" as const, "always" as const),
    toolName: fc.constantFrom(defaultWire.toolName, { characters: `${WORD_CHARACTERS}.`, first: "abcdefghijklmnopqrstuvwxyz_", maxLength: 12 }, { characters: ALPHANUMERIC, maxLength: 16 }),
    callId: fc.constantFrom(defaultWire.callId, { characters: ALPHANUMERIC, minLength: 9, maxLength: 9 }),
    media: fc.constantFrom<(readonly string[])[]>(["*/*"], ["image/png"], ["image/*", "application/pdf"], []),
    replayReasoning: fc.constantFrom("signed" as const, "sinceLastUser" as const, "always" as const),
    loneReasoning: fc.constantFrom("drop" as const, "keep" as const),
    outputSchema: fc.constantFrom("native" as const, "told" as const),
  });
