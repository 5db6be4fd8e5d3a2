import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assertJson, type JsonBounds, parseHostileJson } from "../../src/domain/bounded-json.ts";
import { LashError } from "../../src/domain/errors.ts";
import { DEFAULT_LIMITS, type Limits, resolveLimits } from "../../src/domain/limits.ts";

const ARGS: JsonBounds = { field: "arguments", limit: "toolArgumentsBytes" };
const within = (limits: Partial<Limits>): JsonBounds => ({ ...ARGS, limits: resolveLimits(limits) });

/** Code and details of what `run` throws. */
function refusal(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return LashError.is(error) ? { code: error.code, ...error.details } : error;
  }
  return "accepted";
}
const over = (limit: keyof Limits, max = DEFAULT_LIMITS[limit]): unknown => ({ code: "limit_exceeded", field: "arguments", limit, max });

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

const json = fc.jsonValue({ maxDepth: 5, stringUnit: "binary" });
const hasPrototypeKey = (text: string): boolean => /"(__proto__|constructor|prototype)":/.test(text);

describe("assertJson", () => {
  test("OP-17 returns the UTF-8 bytes of the JSON text", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value);
        fc.pre(!hasPrototypeKey(text));
        expect(assertJson(value, ARGS)).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });

  test("members that are undefined count as absent", () => {
    expect(assertJson({ a: undefined, b: 1, c: undefined }, ARGS)).toBe('{"b":1}'.length);
  });

  test("OP-17 the last byte, level and value that fit are accepted, the next are not", () => {
    expect(assertJson("ab", within({ toolArgumentsBytes: 4 }))).toBe(4);
    expect(refusal(() => assertJson("abc", within({ toolArgumentsBytes: 4 })))).toEqual(over("toolArgumentsBytes", 4));
    expect(assertJson(nested(3), within({ jsonDepth: 3 }))).toBeGreaterThan(0);
    expect(refusal(() => assertJson(nested(4), within({ jsonDepth: 3 })))).toEqual(over("jsonDepth", 3));
    expect(assertJson([1, 2, {}], within({ jsonValues: 4 }))).toBe(8);
    expect(refusal(() => assertJson([1, 2, {}, []], within({ jsonValues: 4 })))).toEqual(over("jsonValues", 4));
  });

  test("a depth bomb of 100,000 levels, a cycle and a 10 MB string are limits, not crashes", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = [cycle];
    expect(refusal(() => assertJson(nested(100_000), ARGS))).toEqual(over("jsonDepth"));
    expect(refusal(() => assertJson(cycle, ARGS))).toEqual(over("jsonDepth"));
    expect(refusal(() => assertJson({ s: "x".repeat(10_000_000) }, ARGS))).toEqual(over("toolArgumentsBytes"));
  });

  test("a value that refers to itself twice at each of 60 levels ends at the number of values", () => {
    let value: unknown = 1;
    for (let i = 0; i < 60; i++) value = [value, value];
    expect(refusal(() => assertJson(value, ARGS))).toEqual(over("jsonValues"));
  });

  test("a sparse array of a billion holes is refused unread", () => {
    const sparse: unknown[] = [];
    sparse.length = 1_000_000_000;
    expect(refusal(() => assertJson(sparse, ARGS))).toEqual(over("toolArgumentsBytes"));
  });

  test.each<[unknown, string]>([
    [{ items: [1, { when: new Date(0) }] }, "$.items[1].when"],
    [{ run: () => 0 }, "$.run"],
    [[1n], "$[0]"],
    [[undefined], "$[0]"],
    [{ a: Number.NaN }, "$.a"],
    [undefined, "$"],
    [JSON.parse('{"a":{"__proto__":{"admin":true}}}'), "$.a.__proto__"],
    [{ a: [{ constructor: 1 }] }, "$.a[0].constructor"],
    [{ prototype: {} }, "$.prototype"],
  ])("names the path of what is no acceptable JSON: case %#", (value, path) => {
    expect(refusal(() => assertJson(value, ARGS))).toEqual({ code: "json_invalid", field: "arguments", path });
  });
});

describe("parseHostileJson", () => {
  test("parses as JSON.parse does", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value, null, 1);
        fc.pre(!hasPrototypeKey(text));
        expect(parseHostileJson(text, ARGS)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("OP-17 counts depth and values as assertJson does", () => {
    fc.assert(
      fc.property(json, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 30 }), (value, jsonDepth, jsonValues) => {
        const text = JSON.stringify(value, null, "\t");
        fc.pre(!hasPrototypeKey(text));
        const fits = (run: () => unknown): boolean => refusal(run) === "accepted";
        for (const limits of [{ jsonDepth }, { jsonValues }]) {
          expect(fits(() => parseHostileJson(text, within(limits)))).toBe(fits(() => assertJson(value, within(limits))));
        }
      }),
    );
  });

  test("depth bombs of 100,000 levels are refused before they are parsed", () => {
    for (const bomb of ["[".repeat(100_000), "[".repeat(100_000) + "]".repeat(100_000), '{"a":'.repeat(100_000)]) {
      expect(refusal(() => parseHostileJson(bomb, ARGS))).toEqual(over("jsonDepth"));
    }
  });

  test("a 10 MB string, and 8 MB of empty arrays, are refused before they are parsed", () => {
    expect(refusal(() => parseHostileJson(JSON.stringify("x".repeat(10_000_000)), ARGS))).toEqual(over("toolArgumentsBytes"));
    const arrays = `[${"[],".repeat(2_700_000)}[]]`;
    expect(refusal(() => parseHostileJson(arrays, { field: "arguments", limit: "modelResponseBytes" }))).toEqual(over("jsonValues"));
  });

  test("bytes count as UTF-8, not as characters", () => {
    expect(parseHostileJson('"øø"', within({ toolArgumentsBytes: 6 }))).toBe("øø");
    expect(refusal(() => parseHostileJson('"øø"', within({ toolArgumentsBytes: 5 })))).toEqual(over("toolArgumentsBytes", 5));
  });

  test("brackets, commas and quotes inside strings do not count", () => {
    const text = String.raw`["[[[[,,,,\"[[[[\\", "]]]"]`;
    expect(parseHostileJson(text, within({ jsonDepth: 1, jsonValues: 3 }))).toEqual(JSON.parse(text));
  });

  test.each(["", "{", "[1,]", "nul", '{"a":1', "]]]]", '"\\', '{"a"}', "1 2"])("%j is no JSON text", (text) => {
    expect(refusal(() => parseHostileJson(text, ARGS))).toEqual({ code: "json_invalid", field: "arguments" });
  });

  test("the message does not quote the input", () => {
    expect(() => parseHostileJson("sk-secret-value", ARGS)).toThrow(/^`arguments` is no JSON text$/);
  });

  const HOSTILE = [
    '{"__proto__":{"polluted":true},"a":1}',
    '{"a":1,"constructor":{"prototype":{"polluted":true}}}',
    String.raw`{"a":1,"\u005f_proto__":{"polluted":true}}`,
    String.raw`{"a":1,"\u0063onstructor":1,"prototype":2}`,
  ];

  test.each(HOSTILE)("refuses prototype keys: %s", (text) => {
    expect(refusal(() => parseHostileJson(text, ARGS))).toMatchObject({ code: "json_invalid", field: "arguments" });
  });

  test.each(HOSTILE)("drops prototype keys where told to: %s", (text) => {
    const value = parseHostileJson(`[{"deep":${text}}]`, { ...ARGS, prototypeKeys: "drop" });
    expect(JSON.stringify(value)).toBe('[{"deep":{"a":1}}]');
    expect(Object.assign({}, (value as { deep: object }[])[0]?.deep)).not.toHaveProperty("polluted");
  });

  test("values that merely mention such names are kept", () => {
    expect(parseHostileJson('{"text":"constructor: \\u00e9 __proto__"}', ARGS)).toEqual({ text: "constructor: é __proto__" });
  });
});
