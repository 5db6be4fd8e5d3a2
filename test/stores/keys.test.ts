import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Bound, END, type Key } from "../../src/stores/engine.ts";
import { decodeKey, encodeKey } from "../../src/stores/key-codec.ts";
import { checkBound, checkKey, compareKeys, MAX_KEY_BYTES } from "../../src/stores/keys.ts";
import { orderText } from "../../src/stores/order-text.ts";

// "binary" gives whole code points only: well-formed text.
const text = fc
  .oneof(fc.string({ unit: "binary", maxLength: 12 }), fc.constantFrom("", "a", "ab", "\uffff", "\u{10000}", "\u{1f600}", "é", "\u07ff", "\u0800"))
  .map((value) => value.replaceAll("\0", ""));
const integer = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.constantFrom(0, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
const key: fc.Arbitrary<Key> = fc.array(fc.oneof(text, integer), { minLength: 1, maxLength: 5 });
const bound: fc.Arbitrary<Bound> = fc.tuple(fc.array(fc.oneof(text, integer), { maxLength: 4 }), fc.boolean()).map(([parts, end]) => (end ? [...parts, END] : parts));

/** Two keys that often share a prefix, so that the later parts get compared. */
const relatedPair = <T extends Bound>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<[Bound, Bound]> =>
  fc.tuple(fc.array(fc.oneof(text, integer), { maxLength: 3 }), arbitrary, arbitrary).map(([prefix, a, b]) => [
    [...prefix, ...a],
    [...prefix, ...b],
  ]);

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

describe("key order (E1, OP-2)", () => {
  test("integers come before strings, a tuple before its extensions, strings by UTF-16 unit", () => {
    const ascending: Bound[] = [
      [],
      [0],
      [0, 0],
      [0, "a"],
      [0, END],
      [1],
      [255],
      [256],
      [Number.MAX_SAFE_INTEGER],
      [""],
      ["", 0],
      ["A"],
      ["a"],
      ["a", 0],
      ["a", "z"],
      ["a", END],
      ["aa"],
      ["b"],
      ["\u{10000}"], // starts with unit D800, so it sorts below U+FFFF
      ["\uffff"],
      [END],
    ];
    for (const [i, a] of ascending.entries()) {
      for (const [j, b] of ascending.entries()) expect(Math.sign(compareKeys(a, b))).toBe(Math.sign(i - j));
    }
  });

  test("the order of encoded bytes is the order of tuples", () => {
    fc.assert(
      fc.property(relatedPair(bound), ([a, b]) => {
        expect(Math.sign(compareBytes(encodeKey(a), encodeKey(b)))).toBe(Math.sign(compareKeys(a, b)));
      }),
      { numRuns: 3000 },
    );
  });

  test("the order of the memory engine's key texts is the order of tuples", () => {
    fc.assert(
      fc.property(relatedPair(bound), ([a, b]) => {
        const [left, right] = [orderText(a), orderText(b)];
        expect(left < right ? -1 : left > right ? 1 : 0).toBe(Math.sign(compareKeys(a, b)));
      }),
      { numRuns: 3000 },
    );
  });
});

describe("key bytes", () => {
  test("decoding gives back the key", () => {
    fc.assert(
      fc.property(key, (parts) => {
        expect(decodeKey(encodeKey(parts))).toEqual(parts);
      }),
      { numRuns: 2000 },
    );
  });

  test("a key that passes the check fits the encoder, to the byte", () => {
    const longest = ["é".repeat((MAX_KEY_BYTES - 2) / 2)];
    checkKey(longest);
    expect(encodeKey(longest)).toHaveLength(MAX_KEY_BYTES);
    expect(encodeKey([...longest, END])).toHaveLength(MAX_KEY_BYTES + 1);
    expect(() => checkKey([`${longest[0]}a`])).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  });

  test.each([
    ["nothing", []],
    ["an unknown tag", [0x99]],
    ["END", [0xff]],
    ["a string without terminator", [0x20, 0x61]],
    ["a cut integer", [0x12, 1]],
    ["an integer above 2^53", [0x17, 255, 0, 0, 0, 0, 0, 0]],
    ["a bad continuation byte", [0x20, 0xc3, 0x41, 0]],
    ["a cut sequence", [0x20, 0xe1, 0x80, 0]],
    ["a four-byte sequence", [0x20, 0xf0, 0x90, 0x80, 0x80, 0]],
  ])("%s is stored_row_invalid", (_, bytes) => {
    expect(() => decodeKey(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: "stored_row_invalid" }));
  });
});

describe("key checks (OP-2)", () => {
  test.each<[string, readonly unknown[], RegExp]>([
    ["an empty key", [], /1 to 16 parts/],
    ["a negative integer", ["a", -1], /part 1 of key \["a", -1\] is -1/],
    ["a fraction", [1.5], /part 0 .* is 1\.5/],
    ["NaN", [Number.NaN], /is NaN/],
    ["an integer above 2^53", [2 ** 53], /is 9007199254740992/],
    ["NUL", ["a\0b"], /NUL or half of a surrogate pair/],
    ["a lone high surrogate", ["\ud800"], /surrogate/],
    ["a lone low surrogate", ["\udc00a"], /surrogate/],
    ["a high surrogate before a letter", ["\ud800a"], /surrogate/],
    ["null", [null], /is object/],
    ["undefined", [undefined], /is undefined/],
    ["END", ["a", END], /END, which only ends a range bound/],
  ])("%s is refused", (_, parts, message) => {
    expect(() => checkKey(parts as Key)).toThrow(expect.objectContaining({ code: "invalid_argument", message: expect.stringMatching(message) as unknown }));
  });

  test("17 parts are limit_exceeded, 16 are not", () => {
    checkKey(Array.from({ length: 16 }, (_, i) => i));
    expect(() => checkKey(Array.from({ length: 17 }, (_, i) => i))).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  });

  test("a bound may be empty and may end with END, but not hold it before", () => {
    checkBound([]);
    checkBound([END]);
    checkBound(["a", END]);
    expect(() => checkBound(["a", END, "b"])).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });
});
