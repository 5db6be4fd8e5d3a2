import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, deepFreeze, isJson, isPlainObject, type Json, jsonEqual, orderedJson } from "../../src/domain/json.ts";

const json = fc.jsonValue({ maxDepth: 5, stringUnit: "binary" }) as fc.Arbitrary<Json>;

/** The same value with the members of every object in reverse order. */
function reversed(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).reverse().map(([key, member]) => [key, reversed(member)]));
}

function nested(levels: number): Json {
  let value: Json = null;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}

const always = <T>(values: fc.Arbitrary<T>, check: (value: T) => void): void => {
  fc.assert(fc.property(values, check));
};

class Point {
  x = 1;
}

describe("canonicalJson", () => {
  test("E-5 sorts keys by UTF-16 unit at every level", () => {
    expect(canonicalJson({ b: 1, a: { d: [], c: "x" }, "10": 1, "9": 2, B: null, "\u{1f600}": 0, "\uffff": 0 })).toBe(
      '{"10":1,"9":2,"B":null,"a":{"c":"x","d":[]},"b":1,"\u{1f600}":0,"\uffff":0}',
    );
  });

  test("E-5 sorts objects of more than 16 keys alike", () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${(i * 7) % 40}`);
    const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
    expect(Object.keys(JSON.parse(text))).toEqual(keys.toSorted());
  });

  test("it is JSON of an equal value", () => {
    always(json, (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    });
  });

  test("E-5 the order of keys does not matter", () => {
    always(json, (value) => {
      expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
    });
  });

  test("E-5 a round trip does not change it", () => {
    always(json, (value) => {
      expect(canonicalJson(JSON.parse(JSON.stringify(value)))).toBe(canonicalJson(value));
    });
  });

  test("equal text means equal values", () => {
    const small = fc.jsonValue({ maxDepth: 2, stringUnit: fc.constantFrom("a", "b") });
    always(fc.tuple(small, small), ([a, b]) => {
      expect(canonicalJson(a) === canonicalJson(b)).toBe(jsonEqual(a, b));
    });
  });

  test("strings are written as JSON.stringify writes them, lone surrogates escaped", () => {
    for (const text of ["", 'q"\\', "\n\u0000\u001f\u007f", "Ærø 🜂", "\ud800", "\udc00x", "a".repeat(100)]) {
      expect(canonicalJson(text)).toBe(JSON.stringify(text));
    }
  });

  test("minus zero is zero, members that are undefined are left out", () => {
    expect(canonicalJson({ a: -0, b: undefined, c: 1e21 })).toBe('{"a":0,"c":1e+21}');
  });

  test("a key named __proto__ is a key like any other", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"x":1}}'))).toBe('{"__proto__":{"x":1}}');
  });

  test.each([[Number.NaN], [Infinity], [1n], [Symbol("s")], [() => 0], [undefined], [new Date(0)], [new Map()], [new Point()], [[undefined]]])(
    "%s is refused",
    (value) => {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    },
  );

  test("cycles and 100,000 levels are refused, 1,000 levels are not", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => canonicalJson(cycle)).toThrow(TypeError);
    expect(() => canonicalJson(nested(100_000))).toThrow(TypeError);
    expect(canonicalJson(nested(1_000))).toHaveLength(2_004);
  });
});

describe("isJson", () => {
  test("accepts every JSON value", () => {
    always(json, (value) => {
      expect(value).toSatisfy(isJson);
    });
  });

  test.each([[Number.NaN], [undefined], [1n], [() => 0], [new Date(0)], [new Uint8Array(1)], [[undefined]], [{ a: undefined }], [new Point()]])(
    "refuses %s",
    (value) => {
      expect(isJson(value)).toBe(false);
    },
  );

  test("refuses holes, cycles and 100,000 levels", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const holes: unknown[] = [];
    holes.length = 3;
    expect([holes, cycle, nested(100_000)].map((value) => isJson(value))).toEqual([false, false, false]);
  });

  test("can be passed to array methods", () => {
    expect(Array.from({ length: 2_000 }, () => [[1]]).every(isJson)).toBe(true);
  });

  test("plain objects are literals, parsed ones and those without prototype", () => {
    expect([{}, JSON.parse("{}"), Object.create(null)].map(isPlainObject)).toEqual([true, true, true]);
    expect([[], new Point(), new Map(), null, "x"].map(isPlainObject)).toEqual([false, false, false, false, false]);
  });
});

describe("jsonEqual", () => {
  test("a value equals its round trip, whatever the order of keys", () => {
    always(json, (value) => {
      expect(jsonEqual(reversed(value), JSON.parse(JSON.stringify(value)))).toBe(true);
    });
  });

  test.each<[unknown, unknown]>([
    [[1, 2], [2, 1]],
    [[1], [1, 2]],
    [[], {}],
    [{ a: 1 }, { b: 1 }],
    [{ a: 1 }, { a: 1, b: 1 }],
    [null, {}],
    ["1", 1],
    [{}, JSON.parse('{"__proto__":{}}')],
  ])("%j differs from %j", (a, b) => {
    expect([jsonEqual(a, b), jsonEqual(b, a)]).toEqual([false, false]);
  });

  test("a member that is undefined is one that is absent", () => {
    expect(jsonEqual({ a: 1, b: undefined }, { a: 1 })).toBe(true);
    expect(jsonEqual({ a: undefined }, { b: undefined })).toBe(true);
  });
});

describe("deepFreeze", () => {
  test("freezes every level, past undefined members, 100,000 levels deep", () => {
    const value = deepFreeze({ a: undefined, b: [{ c: {} }], d: nested(100_000) });
    expect([value, value.b, value.b[0], value.b[0]?.c, value.d].every((part) => Object.isFrozen(part))).toBe(true);
  });

  test("leaves bytes as they are", () => {
    const value = deepFreeze({ bytes: new Uint8Array(2) });
    value.bytes[0] = 7;
    expect(value.bytes[0]).toBe(7);
  });
});

test("orderedJson is what JSON.stringify writes, and throws for what is no JSON", () => {
  const property = fc.property(fc.jsonValue(), (value) => {
    expect(orderedJson(value)).toBe(JSON.stringify(value));
  });
  fc.assert(property);
  expect(orderedJson({ b: undefined, z: [{ y: 1, x: "\ud83d" }] })).toBe('{"z":[{"y":1,"x":"\\ud83d"}]}');
  expect(() => orderedJson({ a: [Number.NaN] })).toThrow(TypeError);
});
