// Whatever way an answer is cut into deltas, its text is there once (T-43).

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { zeroUsage } from "../../src/domain/usage.ts";
import { joinText, StreamAccumulator } from "../../src/providers/accumulate.ts";
import type { LlmOutputPart } from "../../src/providers/contract.ts";

const word = fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom("a", "b", " ", "é", "🌍") });
const answer = fc.array(
  fc.record({ type: fc.constantFrom("text" as const, "reasoning" as const, "toolCall" as const), pieces: fc.array(word, { minLength: 1, maxLength: 4 }) }),
  { maxLength: 6 },
);

type Answer = readonly { readonly type: "text" | "reasoning" | "toolCall"; readonly pieces: readonly string[] }[];

const partsOf = (parts: Answer, withIds: boolean): LlmOutputPart[] =>
  parts.map(({ type, pieces }, index): LlmOutputPart => {
    if (type === "toolCall") return { type, callId: `c${index}`, toolName: "t", inputJson: pieces.join("") };
    return { type, text: pieces.join(""), ...(withIds ? { itemId: `i${index}` } : {}) };
  });

function streamed(parts: Answer): StreamAccumulator {
  const accumulator = new StreamAccumulator();
  for (const [index, { type, pieces }] of parts.entries()) {
    const part = partsOf(parts, true)[index];
    if (type === "toolCall" && part !== undefined) accumulator.push({ type: "part", part });
    if (type === "toolCall") continue;
    const delta = type === "text" ? "textDelta" : "reasoningDelta";
    for (const text of pieces) accumulator.push({ type: delta, itemId: `i${index}`, text });
  }
  return accumulator;
}

const completed = (parts: Answer, response: readonly LlmOutputPart[]): readonly LlmOutputPart[] =>
  streamed(parts).complete({ fullText: joinText(response), parts: response, usage: zeroUsage, terminalReason: "stop" }).parts;

const runs = { numRuns: 1_000 };

test("a response with the stream's ids is not changed by the stream", () => {
  const property = fc.property(answer, (parts) => {
    expect(completed(parts, partsOf(parts, true))).toEqual(partsOf(parts, true));
  });
  fc.assert(property, runs);
});

test("a response without parts becomes the stream", () => {
  const property = fc.property(answer, (parts) => {
    expect(completed(parts, [])).toEqual(partsOf(parts, true));
  });
  fc.assert(property, runs);
});

test("a response without ids keeps its text", () => {
  const property = fc.property(answer, (parts) => {
    expect(joinText(completed(parts, partsOf(parts, false)))).toBe(joinText(partsOf(parts, false)));
  });
  fc.assert(property, runs);
});

test("a response that cuts the same text at other places keeps its text", () => {
  const property = fc.property(answer, (parts) => {
    const whole: LlmOutputPart = { type: "text", text: joinText(partsOf(parts, false)) };
    expect(joinText(completed(parts, [whole]))).toBe(whole.text);
  });
  fc.assert(property, runs);
});
