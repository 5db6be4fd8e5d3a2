// Copies that say what a text round trip would say.

import fc from "fast-check";
import { expect, test } from "vitest";
import { copyJson } from "../../src/domain/copy-json.ts";

const roundTrip = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("a copy of JSON is what its text gives, and shares no container with it (E-8)", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(copyJson(value)).toEqual(roundTrip(value));
    }),
  );
  const nested = { list: [{ a: 1 }] };
  const copied = copyJson(nested) as typeof nested;
  nested.list[0] = { a: 2 };
  expect(copied).toEqual({ list: [{ a: 1 }] });
});

class Celsius {
  readonly degrees = 4;
  get fahrenheit(): number {
    return 39.2;
  }
}

test.each([
  ["undefined members", { a: undefined, b: [undefined, 1] }],
  ["dates", { at: new Date(0), list: [new Date(1)] }],
  ["numbers that JSON lacks", { nan: Number.NaN, infinite: Infinity, minusZero: -0 }],
  ["classes, maps and functions", { celsius: new Celsius(), map: new Map([[1, 2]]), run: () => 1, symbol: Symbol("s") }],
  ["values with a toJSON", { toJSON: () => ({ b: 2 }) }],
  ["bytes", { bytes: new Uint8Array([1, 2]) }],
  ["an own __proto__", JSON.parse('{"__proto__":{"a":1},"b":2}')],
])("a copy of %s is what their text gives", (_, value) => {
  expect(copyJson(value)).toStrictEqual(roundTrip(value));
});

test("a cycle and a bigint are refused as their text is", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  expect(() => copyJson(cycle)).toThrow(TypeError);
  expect(() => copyJson({ big: 1n })).toThrow(TypeError);
});
