import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonFault } from "../../src/domain/json-fault.ts";

test.each<[string, number, string]>([
  ['{"where":"age > 9', 17, "ends within a string"],
  ['{"a":1', 6, "ends before it is complete"],
  ['{"a":tr', 7, "ends before it is complete"],
  ['{"a":-', 6, "ends before it is complete"],
  ['{"a":"\\u12', 10, "ends"],
  ['{"a":"\\', 7, "ends within a string"],
  ["", 0, "ends before it is complete"],
  ['{"a":1} thanks', 8, '"t" stands behind the end'],
  ['{"a":1}{"a":1}', 7, '"{" stands behind the end'],
  ["{a:1}", 1, "a field name in double quotes"],
  ["{'a':1}", 1, "a field name in double quotes"],
  ['{"a":1,}', 7, "a field name in double quotes"],
  ["[1,]", 3, "a value"],
  ['{"a" 1}', 5, "a colon"],
  ['{"a":1 "b":2}', 7, "a comma or }"],
  ["[1 2]", 3, "a comma or ]"],
  ['{"a":NaN}', 5, "a value"],
  ['{"a":01}', 6, "a comma or }"],
  ['{"a":"\n"}', 6, "control character"],
  ['{"a":"\\x"}', 7, "an escape sequence"],
  ["```json", 0, "a value"],
])("%j is wrong at %i: %s", (text, position, problem) => {
  expect(jsonFault(text)).toEqual({ position, problem: expect.stringContaining(problem) as string });
});

const isJsonText = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test("a text has a fault exactly where the engine's parser refuses it, and none before its position", () => {
  const damaged = fc.tuple(fc.json(), fc.nat(), fc.constantFrom("cut", "drop", "double", "swap"), fc.constantFrom("{", "}", "[", "]", ",", ":", '"', "\\", "0", "e", "-", " ", "\u0001", "x")).map(([text, seed, how, char]) => {
    const at = seed % (text.length + 1);
    if (how === "cut") return text.slice(0, at);
    if (how === "drop") return text.slice(0, at) + text.slice(at + 1);
    return how === "double" ? text.slice(0, at) + char + text.slice(at) : text.slice(0, at) + char + text.slice(at + 1);
  });
  fc.assert(
    fc.property(fc.oneof(fc.json(), damaged), (text) => {
      const fault = jsonFault(text);
      expect(fault === undefined).toBe(isJsonText(text));
      if (fault) expect(fault.position).toBeLessThanOrEqual(text.length);
    }),
    { numRuns: 2_000 },
  );
});

test("a million brackets and a million quotes are scanned without a deep stack", () => {
  expect(jsonFault("[".repeat(1_000_000))?.position).toBe(1_000_000);
  expect(jsonFault(`["${"a".repeat(1_000_000)}`)?.position).toBe(1_000_002);
});
