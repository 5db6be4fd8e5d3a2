import { expect, test } from "vitest";
import type { Value } from "../../src/stores/engine.ts";
import { checkValue, MAX_VALUE_DEPTH, MAX_VALUE_SIZE, sealValue } from "../../src/stores/values.ts";

class Point {
  readonly x = 1;
}
const holed: unknown[] = [1];
holed[2] = 3;

test.each<[string, unknown, RegExp]>([
  ["undefined", undefined, /^the value is undefined/],
  ["a function", () => {}, /^the value is a function/],
  ["NaN", { a: [1, Number.NaN] }, /the value at \.a\.1 is NaN/],
  ["Infinity", [Number.POSITIVE_INFINITY], /at \.0 is Infinity/],
  ["an undefined field", { a: { b: undefined } }, /at \.a\.b is undefined/],
  ["a hole in an array", holed, /at \.1 is undefined/],
  ["a bigint", { n: 1n }, /at \.n is a bigint/],
  ["a symbol", [Symbol("s")], /is a symbol/],
  ["a Date", { at: new Date(0) }, /at \.at is a Date/],
  ["a Map", new Map(), /is a Map/],
  ["a class instance", [new Point()], /is a Point/],
  ["bytes inside JSON", { bytes: new Uint8Array(1) }, /at \.bytes is a Uint8Array/],
])("%s is refused with its place", (_, value, message) => {
  expect(() => checkValue(value as Value)).toThrow(expect.objectContaining({ code: "invalid_argument", message: expect.stringMatching(message) as unknown }));
});

test("nesting up to the limit is kept, deeper nesting and cycles are limit_exceeded", () => {
  let nested: Value = 1;
  for (let i = 0; i < MAX_VALUE_DEPTH; i++) nested = [nested];
  checkValue(nested);
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  for (const value of [[nested], cycle as Value]) {
    expect(() => checkValue(value)).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  }
});

test("8 MiB fit, one more does not (OP-2)", () => {
  checkValue(new Uint8Array(MAX_VALUE_SIZE));
  checkValue("x".repeat(MAX_VALUE_SIZE - 2));
  for (const value of [new Uint8Array(MAX_VALUE_SIZE + 1), ["x".repeat(MAX_VALUE_SIZE)]]) {
    expect(() => checkValue(value)).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  }
});

test("sealing freezes all of a document, and nothing of one that it refuses (E5)", () => {
  const inner = { c: 1 };
  const value = { a: [inner] };
  sealValue(value);
  for (const each of [value, value.a, inner]) expect(Object.isFrozen(each)).toBe(true);
  const bad = { fine: {}, wrong: Number.NaN };
  expect(() => sealValue(bad)).toThrow(/wrong/);
  expect(Object.isFrozen(bad)).toBe(false);
  expect(Object.isFrozen(bad.fine)).toBe(false);
});
