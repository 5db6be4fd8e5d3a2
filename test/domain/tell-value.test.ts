// Values of tools as JSON: told as well as possible, never thrown, never beyond the limits (ME-8).

import { createContext, runInContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJson, type Json } from "../../src/domain/json.ts";
import { tellValue, type TellLimits } from "../../src/domain/tell-value.ts";

const LIMITS: TellLimits = { bytes: 8 * 1024 * 1024, depth: 64, values: 100_000 };
const told = (value: unknown, limits: Partial<TellLimits> = {}) => tellValue(value, { ...LIMITS, ...limits });
const sizeOf = (value: Json): number => Buffer.byteLength(JSON.stringify(value));
const depthOf = (value: Json): number => (typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value as object).map((member: Json) => depthOf(member))) : 0);
const countOf = (value: Json): number => (typeof value === "object" && value !== null ? 1 + Object.values(value as object).reduce((sum: number, member: Json) => sum + countOf(member), 0) : 1);

const circular: Record<string, unknown> = { id: "tx1" };
circular["self"] = circular;
const boom = (): never => {
  throw new Error("boom");
};
class Point {
  x = 1;
  get y(): number {
    return 2;
  }
}
class Money {
  readonly cents = 5;
  toJSON(): unknown {
    return { cents: this.cents, at: new Date(0) };
  }
}

const KINDS: readonly (readonly [title: string, value: unknown, told: unknown, from: string | undefined])[] = [
  ["a bigint is its decimal digits", 12345678901234567890n, "12345678901234567890", "bigint"],
  ["a map is its entries", new Map<unknown, unknown>([["answer", 1], [{ k: 1 }, 2n]]), [["answer", 1], [{ k: 1 }, "2"]], "Map"],
  ["a set is its values", new Set(["a", 1]), ["a", 1], "Set"],
  ["an error is its name, message and cause", new TypeError("no", { cause: new Error("why") }), { name: "TypeError", message: "no", cause: { name: "Error", message: "why" } }, "Error"],
  ["an error of several has them", new AggregateError([new Error("a")], "all"), { name: "AggregateError", message: "all", errors: [{ name: "Error", message: "a" }] }, "Error"],
  ["a date is its ISO text", new Date(0), "1970-01-01T00:00:00.000Z", "Date"],
  ["an invalid date says so", new Date(Number.NaN), "Invalid Date", "Date"],
  ["bytes are how many they are", new Uint16Array(3), { bytes: 6 }, "bytes"],
  ["a Buffer is bytes, whatever its toJSON says", Buffer.from("abc"), { bytes: 3 }, "bytes"],
  ["a buffer without a view is bytes", new ArrayBuffer(5), { bytes: 5 }, "bytes"],
  ["a blob is bytes", new Blob(["abcd"]), { bytes: 4 }, "bytes"],
  ["a function is its name", function pay() {}, "[function pay]", "function"],
  ["a symbol is its description", Symbol("s"), "Symbol(s)", "symbol"],
  ["not a number says so", Number.NaN, "NaN", "number"],
  ["infinity says so", -Infinity, "-Infinity", "number"],
  ["a cycle is marked", circular, { id: "tx1", self: "[circular]" }, "circular"],
  ["a regular expression is its text", /a+/g, "/a+/g", "object"],
  ["a promise is its class", Promise.resolve(1), "[Promise]", "object"],
  ["what can be gone through is what it holds", new URLSearchParams("a=1"), [["a", "1"]], "object"],
  ["what has a toJSON is what that says", new URL("https://example.com/x"), "https://example.com/x", "toJSON"],
  ["what a toJSON gives is told, too", new Money(), { cents: 5, at: "1970-01-01T00:00:00.000Z" }, "toJSON"],
  ["prototype keys are left out", JSON.parse('{"__proto__": 1, "constructor": 2, "a": 3}'), { a: 3 }, "prototype key"],
  ["holes and undefined items are null", [undefined, , 1], [null, null, 1], "undefined"], // oxlint-disable-line no-sparse-arrays -- what it is about
  ["a getter that throws is unreadable, alone", { get a() { return boom(); }, b: 1 }, { a: "[unreadable: boom]", b: 1 }, "unreadable"],
  ["a toJSON that throws leaves the fields", { toJSON: boom, a: 1 }, { a: 1 }, "unreadable"],
  ["a toJSON that throws, of what has no fields, is unreadable", { toJSON: boom }, "[unreadable: boom]", "unreadable"],
  ["a proxy that throws is unreadable", new Proxy({}, { ownKeys: boom, get: boom, has: boom }), "[unreadable: boom]", "unreadable"],
  ["an iterator that throws is unreadable", { i: new (class { [Symbol.iterator]() { return boom(); } })() }, { i: "[unreadable: boom]" }, "unreadable"],
  // JSON already.
  ["undefined is null", undefined, null, undefined],
  ["members that are undefined are left out", { a: 1, b: undefined }, { a: 1 }, undefined],
  ["negative zero is zero", -0, 0, undefined],
  ["fields of an object of a class are told", new Point(), { x: 1 }, undefined],
  ["boxed values are what they hold", [new String("a"), new Number(1), Object(true)], ["a", 1, true], undefined], // oxlint-disable-line no-new-wrappers -- what it is about
  ["an object without a prototype is an object", Object.assign(Object.create(null), { a: 1 }), { a: 1 }, undefined],
  ["lone surrogates stay", "\ud800", "\ud800", undefined],
  ["an object that is told twice is no cycle", ((both) => [both, both])({ a: 1 }), [{ a: 1 }, { a: 1 }], undefined],
];

describe("ME-8", () => {
  test.each(KINDS)("%s", (_title, value, expected, from) => {
    const { value: said, converted } = told(value);
    expect(said).toEqual(expected);
    expect(converted[0]?.from).toBe(from);
  });

  test.each(KINDS)("the same within an array within an object: %s", (_title, value, expected, from) => {
    if (value === undefined) return; // says something else there
    const { value: said, converted } = told({ a: [value] });
    expect(said).toEqual({ a: [expected] });
    expect(converted[0]?.from).toBe(from);
    if (from !== undefined) expect(converted[0]?.path.startsWith("$.a[0]")).toBe(true);
  });

  test("values of another realm are told as those of this one", () => {
    const value: unknown = runInContext('({ m: new Map([["a", 1]]), s: new Set([1]), e: new RangeError("x"), d: new Date(0), b: new Uint8Array(2), o: { a: [1] } })', createContext());
    expect(told(value).value).toEqual({ m: [["a", 1]], s: [1], e: { name: "RangeError", message: "x" }, d: "1970-01-01T00:00:00.000Z", b: { bytes: 2 }, o: { a: [1] } });
  });

  test("a revoked proxy, a class that lies about its tag and an error whose message throws are told in some way", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const liar = new (class { get [Symbol.toStringTag]() { return "Map"; } })();
    const mute = Object.defineProperty(new Error("x"), "message", { get: boom });
    const { value } = told({ proxy, liar, mute, end: 1 });
    expect(value).toEqual({ proxy: expect.stringContaining("unreadable"), liar: expect.stringContaining("unreadable"), mute: { name: "Error", message: "[unreadable: boom]" }, end: 1 });
  });

  test("a converted place is named by its path; the first ten are", () => {
    expect(told({ rows: [{ id: 1n }, { id: 2 }, { at: new Date(0) }] }).converted).toEqual([{ path: "$.rows[0].id", from: "bigint" }, { path: "$.rows[2].at", from: "Date" }]);
    expect(told(Array.from({ length: 50 }, () => 1n)).converted.length).toBe(10);
  });
});

describe("ME-8 past the limits", () => {
  test("a long text is cut between characters, and what follows it is kept", () => {
    const { value, converted } = told({ log: "😀".repeat(1_000), ok: true, id: "tx1" }, { bytes: 600 });
    expect(value).toMatchObject({ ok: true, id: "tx1" });
    const { log } = value as { log: string };
    expect(log).toMatch(/^(😀)+\[cut: \d+ more characters\]$/u);
    expect(log.isWellFormed()).toBe(true);
    expect(converted).toEqual([{ path: "$.log", from: "cut" }]);
  });

  test("of a text alone all that fits is kept", () => {
    const { value } = told("x".repeat(10_000), { bytes: 1_000 });
    expect(sizeOf(value)).toBeGreaterThan(950);
    expect(value).toMatch(/x\[cut: \d+ more characters\]$/);
  });

  test("arrays and objects end with how much is missing", () => {
    const { value: items } = told(Array.from({ length: 1_000 }, (_, index) => index), { values: 11 });
    expect(items).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, "[cut: 990 more items]"]);
    expect(told({ "[cut]": 0, a: 1, b: 2, c: 3 }, { values: 3 }).value).toEqual({ "[cut]": 0, a: 1, "[cut] ": "[cut: 2 more fields]" });
    expect(told(new Set([1, 2, 3]), { values: 2 }).value).toEqual([1, "[cut: more items]"]);
  });

  test("what is nested deeper is marked where it begins", () => {
    const { value } = told(JSON.parse("[".repeat(1_000) + "]".repeat(1_000)));
    expect(depthOf(value)).toBe(64);
    expect(JSON.stringify(value)).toContain("[cut: deeper than 64 levels]");
  });

  test("an array of four billion holes, an endless iterator, an endless chain of getters and of proxies end", () => {
    const sparse: unknown[] = [];
    sparse.length = 2 ** 32 - 1;
    const endless = new (class { *[Symbol.iterator]() { for (;;) yield 1; } })();
    const chain = (): object => ({ get next() { return chain(); } });
    const mirror = (): object => new Proxy({}, { ownKeys: () => ["a", "b"], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }), get: (_target, key) => (typeof key === "string" && key.length === 1 ? mirror() : undefined) });
    for (const value of [sparse, endless, chain(), mirror()]) {
      const { value: said } = told(value);
      expect(countOf(said)).toBeLessThanOrEqual(LIMITS.values + 200);
      expect(JSON.stringify(said)).toContain("[cut: ");
    }
  });

  test("a bigint of a million digits costs what its size says", () => {
    const started = performance.now();
    const { value } = told(2n ** 10_000_000n, { bytes: 1_000 });
    expect(value).toMatch(/^0x1000/);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

/** Anything: JSON, what is none, and what throws when it is looked at. */
const hostile = fc.letrec<{ any: unknown; node: unknown }>((tie) => ({
  any: fc.oneof({ depthSize: "medium" }, fc.anything({ withBigInt: true, withBoxedValues: true, withDate: true, withMap: true, withNullPrototype: true, withObjectString: true, withSet: true, withSparseArray: true, withTypedArray: true }), tie("node")),
  node: fc.oneof(
    fc.array(tie("any"), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: "binary" }), tie("any"), { maxKeys: 5 }),
    tie("any").map((value) => new Map([[value, value]])),
    tie("any").map((value) => Object.assign(new Error("x", { cause: value }), { value })),
    tie("any").map((value) => ({ toJSON: () => value })),
    tie("any").map((value) => ({ get a() { return boom(); }, value })),
    tie("any").map((value) => new Proxy({ value }, { get: (target, key) => (key === "value" ? target.value : boom()) })),
    tie("any").map((value) => { const own: unknown[] = [value]; own.push(own); return own; }),
    fc.constantFrom<unknown>(Symbol("x"), boom, class A { a = 1; }, Promise.resolve(), /x/, new WeakMap(), new URL("a:b"), Object.create(Array.prototype), new Proxy([], { get: boom })),
  ),
}));

test("whatever it is, it is told: nothing is thrown, and what comes out is JSON within the limits (ME-8)", () => {
  const limits = fc.record({ bytes: fc.integer({ min: 100, max: 5_000 }), depth: fc.integer({ min: 1, max: 20 }), values: fc.integer({ min: 1, max: 200 }) });
  fc.assert(
    fc.property(hostile.any, limits, (value, within) => {
      const { value: said } = tellValue(value, within);
      expect(isJson(said)).toBe(true);
      expect(JSON.parse(JSON.stringify(said))).toEqual(said);
      expect(sizeOf(said)).toBeLessThanOrEqual(within.bytes);
      expect(depthOf(said)).toBeLessThanOrEqual(within.depth);
      expect(JSON.stringify(said)).not.toContain('"__proto__":');
    }),
    { numRuns: 500 },
  );
});

test("JSON within the limits is told as it is, and nothing of it counts as converted (ME-8)", () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: "medium" }), (value) => {
      fc.pre(!/"(__proto__|constructor|prototype)":/.test(JSON.stringify(value)));
      expect(told(value)).toEqual({ value: JSON.parse(JSON.stringify(value)) as Json, converted: [] });
    }),
  );
});

test("ten times as much takes about ten times as long, not a hundred times (ME-8)", () => {
  const row = (index: number) => ({ id: BigInt(index), text: "é".repeat(50), at: new Date(index), tags: new Set(["a", "b"]) });
  const timeOf = (count: number): number => {
    const rows = Array.from({ length: count }, (_, index) => row(index));
    let best = Infinity;
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      told(rows, { values: 10_000_000, bytes: 1_000_000_000 });
      best = Math.min(best, performance.now() - started);
    }
    return best;
  };
  timeOf(1_000);
  expect(timeOf(20_000)).toBeLessThan(40 * Math.max(1, timeOf(2_000)));
});
