import { expect, test } from "vitest";
import { CHART_LIMITS, condense, DEFAULT_LIMITS } from "../../src/inspect/condense.ts";
import { isSecretName, scrubSecrets } from "../../src/inspect/secrets.ts";

test("fields that hold secrets are redacted by name, at any depth and in any spelling", () => {
  expect(condense({ apiKey: "k", nested: [{ Authorization: "x", "set-cookie": "y", client_secret: { a: 1 }, waitKey: "w" }], signature: "s" })).toEqual({
    apiKey: "[redacted]",
    nested: [{ Authorization: "[redacted]", "set-cookie": "[redacted]", client_secret: "[redacted]", waitKey: "[redacted]" }],
    signature: "[redacted]",
  });
});

test("counts of tokens and other innocent names stay", () => {
  expect(condense({ inputTokens: 412, tokenUsage: { total: 3 }, maxOutputTokens: 9, author: "a", passed: true })).toEqual({ inputTokens: 412, tokenUsage: { total: 3 }, maxOutputTokens: 9, author: "a", passed: true });
  expect(isSecretName("tokens")).toBe(false);
});

test.each([
  ["an OpenAI key", "key sk-proj-0123456789abcdefghij end", "key [redacted] end"],
  ["a GitHub token", "ghp_0123456789abcdefghij0123456789abcdef", "[redacted]"],
  ["an AWS key id", "AKIAIOSFODNN7EXAMPLE", "[redacted]"],
  ["a bearer header", "authorization: Bearer abc.def-ghi_jkl", "authorization: Bearer [redacted]"],
  ["a JSON web token", "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc123 ok", "t=[redacted] ok"],
  ["a password in a URL", "postgres://user:hunter2@db.local/x", "postgres://[redacted]@db.local/x"],
])("%s is scrubbed from text", (_, text, scrubbed) => {
  expect(scrubSecrets(text)).toBe(scrubbed);
});

test("a secret that straddles the cut of a long text does not survive in part", () => {
  const text = `${"x".repeat(985)} sk-proj-0123456789abcdefghijklmnop ${"y".repeat(500)}`;
  expect(condense(text)).not.toContain("sk-proj");
});

test("a host's own redaction is applied, and what it throws redacts", () => {
  const redact = (key: string, value: unknown): unknown => {
    if (key === "patient") return "[patient]";
    if (key === "boom") throw new Error("no");
    return value;
  };
  expect(condense({ patient: "Ada", boom: 1, kept: 2 }, DEFAULT_LIMITS, redact)).toEqual({ patient: "[patient]", boom: "[redacted]", kept: 2 });
});

test("texts, lists, objects and nesting are cut and say by how much", () => {
  expect(condense("a".repeat(1500))).toBe(`${"a".repeat(1000)}… +500 characters`);
  const list = condense(Array.from({ length: 60 }, (_, index) => index));
  expect(list).toHaveLength(51);
  expect(Array.isArray(list) ? list.at(-1) : undefined).toBe("… 10 more");
  const wide = condense(Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`k${index}`, index])));
  expect(wide).toMatchObject({ "…": "10 more" });
  let deep: unknown = "bottom";
  for (let level = 0; level < 20; level += 1) deep = { deep };
  expect(JSON.stringify(condense(deep))).toContain('"{…}"');
});

test("a huge value costs what its limits allow", () => {
  let reads = 0;
  const item = { get text() { reads += 1; return "z".repeat(5000); } };
  const huge = Array.from({ length: 300 }, () => Array.from({ length: 300 }, () => item));
  expect(JSON.stringify(condense(huge)).length).toBeLessThan(1_100_000);
  expect(reads).toBeLessThan(1_000);
});

test("live handles, cycles, hostile keys and odd values become text", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  class Handle { readonly secretInside = "x"; }
  const hostile: unknown = JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"ok":1}');
  expect(condense({ cycle, handle: new Handle(), signal: new AbortController().signal, big: 12n, not: Number.NaN, map: new Map([[1, 2]]), bytes: new Uint8Array(3), when: new Date(0), call: () => 1 })).toEqual({
    cycle: { self: "[circular]" }, handle: "[Handle]", signal: "[AbortSignal]", big: "12n", not: "NaN", map: "[Map of 1]", bytes: "[Uint8Array of 3 bytes]", when: "1970-01-01T00:00:00.000Z", call: "[function call]",
  });
  expect(condense(hostile)).toEqual({ ok: 1 });
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

test("a getter that throws is shown as unreadable", () => {
  const trap = Object.defineProperty({}, "bad", { enumerable: true, get: () => { throw new Error("trap"); } });
  expect(condense(trap)).toEqual({ bad: "[unreadable]" });
});

test("text made to run a pattern away is scrubbed in linear time", () => {
  const hostile = `${"eyJ".repeat(20_000)}${"://a:".repeat(20_000)}${"sk-".repeat(20_000)}`;
  // A pattern that backtracks over it would run into the test's timeout.
  expect(scrubSecrets(hostile.slice(0, 100_000)).length).toBeLessThanOrEqual(100_000);
});

test("a state whose name sounds like a secret stays in its chart", () => {
  expect(condense({ states: { refreshingToken: { on: { "token": "done" } } } }, CHART_LIMITS)).toEqual({ states: { refreshingToken: { on: { token: "done" } } } });
});
