import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assertBytesWithin, assertTextWithin, DEFAULT_LIMITS, limitExceeded, type Limits, resolveLimits } from "../../src/domain/limits.ts";
import { jsonStringLength, utf8Length } from "../../src/domain/utf8.ts";

describe("resolveLimits", () => {
  test("OP-17 the defaults are the documented numbers", () => {
    expect(resolveLimits()).toEqual({
      turnInputBytes: 8_388_608,
      imageBytes: 20_971_520,
      imagePixels: 8_000,
      modelResponseBytes: 16_777_216,
      toolArgumentsBytes: 1_048_576,
      toolResultBytes: 8_388_608,
      toolResultModelBytes: 65_536,
      jsonDepth: 64,
      jsonValues: 100_000,
    });
  });

  test("an override changes one limit", () => {
    expect(resolveLimits({ jsonDepth: 8 })).toEqual({ ...DEFAULT_LIMITS, jsonDepth: 8 });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ jsonDepth: 0 }, "limits.jsonDepth"],
    [{ jsonDepth: 501 }, "limits.jsonDepth"],
    [{ imageBytes: 1.5 }, "limits.imageBytes"],
    [{ imageBytes: "1" }, "limits.imageBytes"],
    [{ imageBytes: undefined }, "limits.imageBytes"],
    [{ toolResultBytes: Infinity }, "limits.toolResultBytes"],
    [{ depth: 3 }, "limits.depth"],
    [JSON.parse('{"__proto__":3}'), "limits.__proto__"],
  ])("design 10: %j is refused by name", (overrides, field) => {
    expect(() => resolveLimits(overrides as Partial<Limits>)).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field } }));
  });
});

test("OP-17 the error names field and limit", () => {
  const error = limitExceeded("input.items[2].text", "turnInputBytes", 10);
  expect(error.toJSON()).toEqual({
    code: "limit_exceeded",
    message: "`input.items[2].text` is over `limits.turnInputBytes` (10)",
    details: { field: "input.items[2].text", limit: "turnInputBytes", max: 10 },
  });
  expect([error.isRetryable, error.isTerminal]).toEqual([false, false]);
});

describe("sizes", () => {
  const limits = resolveLimits({ turnInputBytes: 6, imageBytes: 2 });
  const exceeds = (limit: string) => expect.objectContaining({ code: "limit_exceeded", details: expect.objectContaining({ limit }) });

  test("text is measured in UTF-8 bytes", () => {
    for (const text of ["", "abcdef", "øøø", "€€", "🜂ab"]) expect(() => assertTextWithin(text, "f", "turnInputBytes", limits)).not.toThrow();
    for (const text of ["abcdefg", "øøøa", "€€a", "🜂🜂"]) {
      expect(() => assertTextWithin(text, "f", "turnInputBytes", limits)).toThrow(exceeds("turnInputBytes"));
    }
  });

  test("a 10 MB text is over the default for input", () => {
    expect(() => assertTextWithin("x".repeat(10_000_000), "f", "turnInputBytes")).toThrow(exceeds("turnInputBytes"));
  });

  test("bytes count as they are", () => {
    expect(() => assertBytesWithin(new Uint8Array(2), "f", "imageBytes", limits)).not.toThrow();
    expect(() => assertBytesWithin(new Uint8Array(3), "f", "imageBytes", limits)).toThrow(exceeds("imageBytes"));
  });

  const text = fc.string({ unit: "binary" });
  const withSurrogates = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units));

  test("utf8Length is what an encoder writes", () => {
    fc.assert(
      fc.property(fc.oneof(text, withSurrogates), (value) => {
        expect(utf8Length(value)).toBe(new TextEncoder().encode(value).length);
      }),
    );
  });

  test("jsonStringLength is what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.oneof(text, withSurrogates), (value) => {
        expect(jsonStringLength(value)).toBe(new TextEncoder().encode(JSON.stringify(value)).length);
      }),
    );
    expect(jsonStringLength("\b\t\n\f\r\u0000\u001f\"\\\u007f")).toBe(JSON.stringify("\b\t\n\f\r\u0000\u001f\"\\\u007f").length);
  });
});
