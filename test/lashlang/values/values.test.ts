import { assert, constantFrom, double, integer, letrec, oneof, array, property, record, string, tuple, dictionary } from "fast-check";
import { describe, expect, test } from "vitest";
import { assignPath, appendAtPath } from "../../../src/lashlang/values/assign.ts";
import { fixedMeter } from "../../../src/lashlang/values/bounds.ts";
import { toNumber } from "../../../src/lashlang/values/coerce.ts";
import { equals, order, truthy } from "../../../src/lashlang/values/compare.ts";
import { display } from "../../../src/lashlang/values/display.ts";
import { fromJson } from "../../../src/lashlang/values/from-json.ts";
import type { Json } from "../../../src/lashlang/values/json-value.ts";
import { numberText } from "../../../src/lashlang/values/number-text.ts";
import { Shape } from "../../../src/lashlang/values/shape.ts";
import { decodeValue, encodeValue } from "../../../src/lashlang/values/snapshot-value.ts";
import { toJson } from "../../../src/lashlang/values/to-json.ts";
import { charAt, charLength, charOffset, compareText, sliceChars, unitOffset } from "../../../src/lashlang/values/unicode.ts";
import { List, Rec, Tuple, type Value, depthOf, makeList, makeTuple, recordOf, weigh } from "../../../src/lashlang/values/value.ts";

const meter = fixedMeter();
const text = string({ unit: "binary" });

/** Any value a program can hold, projections apart. */
const { value } = letrec<{ value: Value }>((tie) => ({
  value: oneof(
    { maxDepth: 4, depthSize: "small" },
    oneof(double(), integer(), text, constantFrom(null, true, false)),
    array(tie("value"), { maxLength: 4 }).map((items) => makeList(items.map(fresh), meter)),
    array(tie("value"), { maxLength: 3 }).map((items) => makeTuple(items.map(fresh), meter)),
    dictionary(oneof(text, constantFrom("__proto__", "1", "0", "constructor", "__lashlang_snapshot_tuple__")), tie("value"), { maxKeys: 4 }).map(
      (object) => recordOf(Object.entries(object).map(([key, item]) => [key.toWellFormed(), fresh(item)] as const), meter),
    ),
  ),
}));

/** A copy that nothing else refers to. */
const fresh = (item: Value): Value => decodeValue(encodeValue(item), meter, () => undefined);

/** Weight and depth as they would be computed anew. */
function remeasured(item: Value): Value {
  if (item instanceof List) return makeList(item.items.map(remeasured), meter);
  if (item instanceof Tuple) return makeTuple(item.items.map(remeasured), meter);
  if (item instanceof Rec) return recordOf(item.values.map((part, i) => [item.shape.names[i] ?? "", remeasured(part)]), meter);
  return item;
}

describe("text counts characters (LL-36)", () => {
  test("positions agree with the code points of the text", () => {
    assert(
      property(text, integer({ min: 0, max: 12 }), integer({ min: 0, max: 12 }), (raw, a, b) => {
        const sample = raw.toWellFormed();
        const points = Array.from(sample);
        expect(charLength(sample)).toBe(points.length);
        expect(charAt(sample, a)).toBe(points[a]);
        expect(sliceChars(sample, Math.min(a, b), Math.max(a, b))).toBe(points.slice(Math.min(a, b), Math.max(a, b)).join(""));
        expect(charOffset(sample, unitOffset(sample, a))).toBe(Math.min(a, points.length));
      }),
    );
  });

  test("long text is remembered by content, not by accident", () => {
    const long = "é😀".repeat(300);
    expect(charLength(long)).toBe(600);
    expect(charLength(`${long}x`)).toBe(601);
    expect(charAt(long, 599)).toBe("😀");
    expect(charLength("x".repeat(600))).toBe(600);
  });

  test("is ordered by code point (LL-33)", () => {
    const byPoint = (a: string, b: string): number => {
      const [x, y] = [Array.from(a, (c) => c.codePointAt(0) ?? 0), Array.from(b, (c) => c.codePointAt(0) ?? 0)];
      const at = x.findIndex((point, i) => point !== y[i]);
      return at < 0 ? x.length - y.length : at >= y.length ? 1 : (x[at] ?? 0) - (y[at] ?? 0);
    };
    assert(property(text, text, (a, b) => Math.sign(compareText(a.toWellFormed(), b.toWellFormed())) === Math.sign(byPoint(a.toWellFormed(), b.toWellFormed()))));
  });
});

describe("numbers as text (LL-25)", () => {
  test("read back as the same number and never show an exponent", () => {
    assert(
      property(double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const shown = numberText(number);
        expect(shown).toMatch(/^-?\d+(\.\d+)?$/);
        expect(Number(shown)).toBe(number + 0);
        expect(toNumber(shown)).toBe(number + 0);
      }),
    );
  });

  test("of every size are spelled out", () => {
    expect([1e21, 1.5e300, 5e-324, 1e-7, -1.25e-7, 123456.789e20].map((n) => numberText(n).length)).toEqual([22, 301, 326, 9, 12, 26]);
    expect(numberText(1e21)).toBe("1000000000000000000000");
    expect(numberText(-1.5e-10)).toBe("-0.00000000015");
  });
});

describe("values", () => {
  test("survive a snapshot as text, whatever they are (LL-99)", () => {
    assert(
      property(value, (sample) => {
        const back = decodeValue(JSON.parse(JSON.stringify(encodeValue(sample))) as Json, meter, () => undefined);
        expect(JSON.stringify(encodeValue(back))).toBe(JSON.stringify(encodeValue(sample)));
        expect(display(back, meter)).toBe(display(sample, meter));
        expect([weigh(back), depthOf(back), truthy(back, meter)]).toEqual([weigh(sample), depthOf(sample), truthy(sample, meter)]);
      }),
    );
  });

  test("come through JSON with tuples as lists and keys ascending (LL-27)", () => {
    assert(
      property(value, (sample) => {
        const json = toJson(sample);
        expect(JSON.stringify(toJson(fromJson(json, meter)))).toBe(JSON.stringify(toJson(fromJson(JSON.parse(JSON.stringify(json)) as Json, meter))));
      }),
    );
  });

  test("equal themselves unless NaN is inside, and order is antisymmetric (LL-24, LL-33)", () => {
    const noNaN = (sample: Value): boolean => !JSON.stringify(encodeValue(sample)).includes('"NaN"');
    assert(property(value, (sample) => equals(sample, fresh(sample), meter) === noNaN(sample)));
    assert(property(double({ noNaN: true }), double({ noNaN: true }), (a, b) => order(a, b, meter) === -order(b, a, meter) + 0));
  });

  test("changed along a path keep exact weight and depth, and leave what shares them alone (LL-22, LL-101)", () => {
    const step = oneof(
      record({ field: constantFrom("a", "b", "0") }),
      record({ index: oneof(integer({ min: -2, max: 2 }), constantFrom<Value>("a", "b", "0")) }),
    );
    const seed = () =>
      fromJson({ a: [1, { b: [2, 3], a: { "0": [[4]] } }], b: { a: [5], "0": 6 }, "0": [] }, meter);
    assert(
      property(array(tuple(array(step, { minLength: 1, maxLength: 4 }), value), { maxLength: 6 }), (changes) => {
        let root = seed();
        const kept: { copy: Value; text: string }[] = [];
        for (const [path, item] of changes) {
          if (root instanceof Rec) root.shared = true;
          kept.push({ copy: root, text: JSON.stringify(encodeValue(root)) });
          try {
            root = assignPath(root, path, fresh(item), meter);
            root = assignPath(root, path, fresh(item), meter);
          } catch {
            // The path does not fit: the value must be as it was.
            continue;
          }
        }
        const anew = remeasured(root);
        expect([weigh(root), depthOf(root)]).toEqual([weigh(anew), depthOf(anew)]);
        for (const { copy, text: before } of kept) expect(JSON.stringify(encodeValue(copy))).toBe(before);
      }),
    );
  });

  test("grow in place only where nothing is shared", () => {
    const root = fromJson({ a: { l: [1] } }, meter);
    expect(appendAtPath(root, [{ field: "a" }, { field: "l" }], 1, meter)).toBe(true);
    expect(toJson(root)).toEqual({ a: { l: [1, 1] } });
    expect(weigh(root)).toBe(weigh(remeasured(root)));
    if (!(root instanceof Rec)) throw new Error("expected a record");
    root.shared = true;
    expect(appendAtPath(root, [{ field: "a" }, { field: "l" }], 3, meter)).toBe(false);
    expect(appendAtPath(root, [{ field: "zzz" }], 3, meter)).toBe(false);
  });
});

describe("shapes", () => {
  test("give records with the same keys the same shape, and dictionaries one of their own", () => {
    const pair = (): Rec => recordOf([["x", 1], ["y", 2]], meter);
    expect(pair().shape).toBe(pair().shape);
    const many = (): Rec => recordOf(Array.from({ length: 40 }, (_, i) => [`k${i}`, i] as const), meter);
    expect(many().shape).not.toBe(many().shape);
    expect(many().shape.fork()).not.toBe(many().shape);
    expect(many().shape.names).toHaveLength(40);
  });

  test("are forgotten rather than kept without end", () => {
    const root = Shape.empty();
    for (let i = 0; i < 10_000; i += 1) recordOf([[`one-off-${i}`, i]], meter);
    expect(Shape.empty()).not.toBe(root);
  });
});
