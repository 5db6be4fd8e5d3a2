import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJson } from "../../src/domain/json.ts";
import { isSecretKey, redact, redactText } from "../../src/domain/redact.ts";

describe("keys", () => {
  test.each([
    ..."apiKey api_key X-API-Key OPENAI_API_KEY password userPassword secret waitSecret client_secret token leaseToken access_token".split(" "),
    ..."Authorization proxy-authorization cookie Set-Cookie privateKey credentials signature key_id waitKey encryptedContent".split(" "),
  ])("%s is secret", (key) => {
    expect(isSecretKey(key)).toBe(true);
  });

  test.each(
    "inputTokens outputTokens tokenUsage maxTokens replayKey sourceKey idempotencyKey effectId message turnId key secretary".split(" "),
  )("%s is not", (key) => {
    expect(isSecretKey(key)).toBe(false);
  });

  test("design 10 secret members are replaced at every level, whatever they hold; null shows", () => {
    expect(redact({ headers: { Authorization: ["Bearer x"], accept: "*/*" }, list: [{ apiKey: { a: 1 } }], token: null })).toEqual({
      headers: { Authorization: "[redacted]", accept: "*/*" },
      list: [{ apiKey: "[redacted]" }],
      token: null,
    });
  });

  test("E-19 a wait key loses its capability and keeps its identity", () => {
    const key = { scope: { type: "turn", turn_id: "t" }, wait: { type: "tool_completion", tool_call_id: "c" }, key_id: "9f", signature: "aa" };
    expect(redact(key)).toEqual({ ...key, key_id: "[redacted]", signature: "[redacted]" });
  });
});

describe("text", () => {
  test.each([
    ["Authorization: Bearer abc.def-123456", "Authorization: Bearer [redacted]"],
    ["basic dXNlcjpwYXNz", "basic [redacted]"],
    ["key sk-proj-abcdefghijklmnop1234 failed", "key [redacted] failed"],
    ["ghp_abcdefghijklmnop1234, xoxb-abcdefghijklmnop1234", "[redacted], [redacted]"],
    ["postgres://me:pw@db/x", "postgres://[redacted]@db/x"],
    ["waiting on lash-await-event:0a1b2c", "waiting on lash-await-event:[redacted]"],
    ["Bearer of bad news", "Bearer of bad news"],
    ["see https://example.com/a?b=c", "see https://example.com/a?b=c"],
  ])("%s", (text, clean) => {
    expect(redactText(text)).toBe(clean);
    expect(redact([text])).toEqual([clean]);
  });

  test("a long text is cut; a secret that straddles the cut does not survive in part", () => {
    expect(redactText("abcdef", 3)).toBe("abc[cut]");
    expect(redactText(`${"x".repeat(20)} sk-proj-abcdefghijklmnop1234 ${"y".repeat(50)}`, 30)).toBe(`${"x".repeat(20)} [redacted[cut]`);
  });

  test("a private key goes with its body, also where its lines are escaped", () => {
    const key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE/+=\nabc\n-----END RSA PRIVATE KEY-----";
    expect([redactText(`a ${key} b`), redactText(JSON.stringify({ a: key }))]).toEqual(["a [redacted] b", '{"a":"[redacted]"}']);
  });

  test.each([
    ["in JSON", '{"password":"hun\\"ter2","a":"b","api_key" : "hunter2"}', '{"password":"[redacted]","a":"b","api_key" : "[redacted]"}'],
    ["in JSON that is cut off", '{"a":1,"token":"hunter2', '{"a":1,"token":"[redacted]"'],
    ["in JSON within JSON", JSON.stringify({ out: JSON.stringify({ secret: 'hun"ter2', ok: "yes" }) }), JSON.stringify({ out: JSON.stringify({ secret: "[redacted]", ok: "yes" }) })],
    ["three levels down", JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ pwd: "hunter2" }) }) }), JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ pwd: "[redacted]" }) }) })],
  ])("members that are secret by name go %s, too", (_where, text, clean) => {
    expect(redactText(text)).toBe(clean);
  });

  test("text made to run a pattern away is read in linear time", () => {
    const started = performance.now();
    for (const part of ['"a":', '"a":"', '\\"', "\\", '"token":"\\', '\\\\\\"token\\\\\\":', "-----BEGIN PRIVATE KEY-----", "eyJaaaaaaaaaaa."]) redactText(part.repeat(20_000), 100_000);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("bounds", () => {
  test("a depth bomb of 100,000 levels and a cycle are cut", () => {
    let bomb: unknown = 1;
    for (let i = 0; i < 100_000; i++) bomb = [bomb];
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    expect(redact(bomb, { maxDepth: 2 })).toEqual([["[cut]"]]);
    expect(redact(cycle, { maxDepth: 2 })).toEqual({ self: { self: "[cut]" } });
  });

  test("what is over the number of values is cut", () => {
    expect(redact([1, 2, 3, 4], { maxValues: 3 })).toEqual([1, 2, "[cut]"]);
    expect(redact({ a: 1, b: 2, c: 3 }, { maxValues: 3 })).toEqual({ a: 1, b: 2, "[cut]": "[cut]" });
  });

  test("all strings and keys together keep a bound; a key is cut, and read for secrets, as a text is", () => {
    expect(JSON.stringify(redact(Array.from({ length: 1_000 }, () => ({ name: "x".repeat(100) })), { maxTotalLength: 500 })).length).toBeLessThan(20_000);
    expect(redact({ ["k".repeat(300)]: 1, "Bearer abcdefgh123": 2 })).toEqual({ [`${"k".repeat(256)}[cut]`]: 1, "Bearer [redacted]": 2 });
  });

  test("what is no JSON shows as its type", () => {
    expect(redact({ f: () => 0, d: new Date(0), n: Number.NaN, u: undefined, b: 1n })).toEqual({
      f: "[function]",
      d: "[object]",
      n: "[number]",
      b: "[bigint]",
    });
  });

  test("a key __proto__ stays a key", () => {
    const copy = redact(JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"polluted":true}}');
    expect(copy).not.toHaveProperty("polluted");
  });

  test("the answer is JSON, whatever the question", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(redact(value)).toSatisfy(isJson);
      }),
    );
  });
});
