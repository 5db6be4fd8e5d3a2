// A model that plays stream parts, and what of them a prompt of the model interface has to hold afterwards.

import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Message, LanguageModelV4StreamPart, SharedV4ProviderMetadata } from "@ai-sdk/provider";
import * as fc from "fast-check";
import { canonical } from "./json.ts";

export type PartType = LanguageModelV4StreamPart["type"];
export type AssistantPart = Extract<LanguageModelV4Message, { role: "assistant" }>["content"][number];

/** A part of an answer: the events that carry it, and what comes back of it. */
interface Unit {
  readonly events: readonly LanguageModelV4StreamPart[];
  readonly back: readonly AssistantPart[];
}
/** Parts of which each begins when the one before has ended. */
type Block = readonly Unit[];

/** An answer in the order of its events, and the parts in the order in which they began. */
export interface Played {
  readonly events: readonly LanguageModelV4StreamPart[];
  readonly back: readonly AssistantPart[];
}

const USAGE = { inputTokens: { total: 9, noCache: 9, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 4, text: 4, reasoning: 0 } };
const PNG = "iVBORw0KGgo=";

const metadata: fc.Arbitrary<SharedV4ProviderMetadata | undefined> = fc.option(
  fc.dictionary(fc.constantFrom("vendor", "other"), fc.dictionary(fc.constantFrom("a", "sign", "10"), fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<never>, { minKeys: 1, maxKeys: 2 }), { minKeys: 1, maxKeys: 2 }),
  { nil: undefined },
);
const pieces = fc.array(fc.string({ unit: "grapheme", maxLength: 5 }), { maxLength: 4 });
const meta = (given: SharedV4ProviderMetadata | undefined) => (given === undefined ? {} : { providerMetadata: given });
const options = (...given: readonly (SharedV4ProviderMetadata | undefined)[]) => {
  const all: Record<string, object> = {};
  for (const one of given) for (const [provider, fields] of Object.entries(one ?? {})) all[provider] = { ...all[provider], ...fields };
  return Object.keys(all).length === 0 ? {} : { providerOptions: all as SharedV4ProviderMetadata };
};

type Make = (id: string) => Block;

const spoken = (type: "text" | "reasoning"): fc.Arbitrary<Make> =>
  fc.tuple(metadata, metadata, metadata, pieces).map(([atStart, atDelta, atEnd, deltas]): Make => (id) => {
    const texts = type === "text" && deltas.join("").trim() === "" ? [...deltas, `text ${id}`] : deltas;
    const signed = options(atStart, texts.length > 0 ? atDelta : undefined, atEnd);
    // Reasoning that nobody signed is the adapter's to leave out.
    const part = type === "reasoning" && signed.providerOptions === undefined ? [] : [{ type, text: texts.join(""), ...signed }];
    const events: LanguageModelV4StreamPart[] = [
      { type: `${type}-start`, id, ...meta(atStart) },
      ...texts.map((delta): LanguageModelV4StreamPart => ({ type: `${type}-delta`, id, delta, ...meta(atDelta) })),
      { type: `${type}-end`, id, ...meta(atEnd) },
    ];
    return [{ events, back: part }];
  });

const called: fc.Arbitrary<Make> = fc.tuple(metadata, fc.boolean()).map(([given, announced]): Make => (id) => {
  const input = { n: `call ${id}` };
  const announcement: LanguageModelV4StreamPart[] = [
    { type: "tool-input-start", id, toolName: "look" },
    { type: "tool-input-delta", id, delta: JSON.stringify(input) },
    { type: "tool-input-end", id },
  ];
  const events: LanguageModelV4StreamPart[] = [...(announced ? announcement : []), { type: "tool-call", toolCallId: id, toolName: "look", input: JSON.stringify(input), ...meta(given) }];
  return [{ events, back: [{ type: "tool-call", toolCallId: id, toolName: "look", input, ...options(given) }] }];
});

const executed: fc.Arbitrary<Make> = fc.tuple(metadata, metadata, fc.boolean(), fc.boolean()).map(([given, ofResult, failed, asked]): Make => (id) => {
  const input = { q: id };
  const result = { found: [id] };
  return [
    {
      events: [
        { type: "tool-call", toolCallId: id, toolName: "vendor_search", input: JSON.stringify(input), providerExecuted: true, ...meta(given) },
        ...(asked ? [{ type: "tool-approval-request" as const, approvalId: `approval ${id}`, toolCallId: id }] : []),
      ],
      back: [{ type: "tool-call", toolCallId: id, toolName: "vendor_search", input, providerExecuted: true, ...options(given) }],
    },
    {
      events: [{ type: "tool-result", toolCallId: id, toolName: "vendor_search", result, ...(failed && { isError: true }), ...meta(ofResult) }],
      back: [{ type: "tool-result", toolCallId: id, toolName: "vendor_search", output: { type: failed ? "error-json" : "json", value: result }, ...options(ofResult) }],
    },
  ];
});

const file = (type: "file" | "reasoning-file"): fc.Arbitrary<Make> =>
  fc.tuple(metadata, fc.constantFrom("image/png", "application/pdf", "audio/wav"), fc.boolean()).map(([given, mediaType, asBytes]): Make => () => {
    const data = { type: "data" as const, data: asBytes ? Uint8Array.from(Buffer.from(PNG, "base64")) : PNG };
    return [{ events: [{ type, mediaType, data, ...meta(given) }], back: [{ type, mediaType, data, ...options(given) }] }];
  });

const custom: fc.Arbitrary<Make> = metadata.map((given): Make => () => [
  { events: [{ type: "custom", kind: "vendor.thing", ...meta(given) }], back: [{ type: "custom", kind: "vendor.thing", ...options(given) }] },
]);

/** Has no place in a prompt. */
const aside = (make: (id: string) => LanguageModelV4StreamPart): fc.Arbitrary<Make> =>
  fc.constant((id: string): Block => [{ events: [make(id)], back: [] }]);

const block: fc.Arbitrary<Make> = fc.oneof(
  { weight: 4, arbitrary: spoken("text") },
  { weight: 4, arbitrary: spoken("reasoning") },
  { weight: 2, arbitrary: executed },
  { weight: 1, arbitrary: file("file") },
  { weight: 1, arbitrary: file("reasoning-file") },
  { weight: 1, arbitrary: custom },
  { weight: 1, arbitrary: aside((id) => ({ type: "source", sourceType: "url", id, url: "https://example.com/", title: "t" })) },
  { weight: 1, arbitrary: aside(() => ({ type: "ping" })) },
  { weight: 1, arbitrary: aside(() => ({ type: "raw", rawValue: { x: 1 } })) },
);

/** Blocks that overlap: `turns` says whose event comes next; a block begins no sooner than the one before it. */
function interleaved(blocks: readonly Block[], turns: readonly number[]): Pick<Played, "events" | "back"> {
  const waiting = blocks.map((units) => units.flatMap(({ events: of, back }) => of.map((event, index) => ({ event, back: index === 0 ? back : [] }))));
  const events: LanguageModelV4StreamPart[] = [];
  const back: AssistantPart[] = [];
  let begun = 0;
  for (let step = 0; waiting.some((left) => left.length > 0); step++) {
    const open = waiting.slice(0, begun).filter((left) => left.length > 0);
    const choice = (turns[step % Math.max(1, turns.length)] ?? 0) % (open.length + 1);
    const next = (open[choice] ?? (begun < waiting.length ? waiting[begun++] : open[0]))?.shift();
    if (next === undefined) continue;
    events.push(next.event);
    back.push(...next.back);
  }
  return { events, back };
}

/** @param withCalls - the answer calls tools of ours. */
export const answer = (withCalls: boolean): fc.Arbitrary<(prefix: string) => Played> =>
  fc.tuple(fc.array(block, { maxLength: 6 }), fc.array(called, { minLength: withCalls ? 1 : 0, maxLength: withCalls ? 3 : 0 }), fc.array(fc.nat(4), { maxLength: 12 }), spoken("text")).map(
    ([makes, calls, turns, last]) =>
      (prefix) => {
        const all = [...makes, ...(withCalls ? calls : [last])].map((make, index) => make(`${prefix}${index}`));
        const { events, back } = interleaved(all, turns);
        return {
          events: [
            { type: "stream-start", warnings: [] },
            { type: "response-metadata", id: prefix, modelId: "served" },
            ...events,
            { type: "finish", usage: USAGE, finishReason: withCalls ? { unified: "tool-calls", raw: "tool" } : { unified: "stop", raw: "stop" }, providerMetadata: { vendor: { end: prefix } } },
          ],
          back,
        };
      },
  );

/** Plays `plays` call by call; a list that ends without a finish is a stream that breaks. */
export function playedModel(plays: readonly (readonly LanguageModelV4StreamPart[])[], asked: LanguageModelV4CallOptions[]): LanguageModelV4 {
  return {
    specificationVersion: "v4",
    provider: "vendor.v4",
    modelId: "model-1",
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("it streams")),
    doStream: (call) => {
      const parts = plays[asked.push(call) - 1] ?? [];
      const stream = new ReadableStream<LanguageModelV4StreamPart>({
        start(controller) {
          for (const part of parts) controller.enqueue(part);
          controller.close();
        },
      });
      return Promise.resolve({ stream });
    },
  };
}

/** Parts in a form that can be compared: bytes and base64 are the same thing. */
export const comparable = (parts: readonly AssistantPart[]): readonly string[] => parts.map((part) => canonical(plainBytes(part)));

function plainBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plainBytes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plainBytes(one)]));
}
