import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJson } from "../../src/domain/json.ts";
import { isSecretKey, redact, redactText } from "../../src/domain/redact.ts";
import { redactSecrets } from "../../src/domain/secrets/find.ts";
import { SECRET_SHAPES } from "../support/secret-shapes.ts";

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

  const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);

  /** As an error carries it: by itself, within a text, as a body, as a body that a gateway put into its own. */
  const forms: readonly (readonly [string, (text: string) => string])[] = [
    ["by itself", (text) => text],
    ["between lines", (text) => `first\n${text}\nlast`],
    ["in brackets", (text) => `failed (${text})`],
    ["in JSON", (text) => JSON.stringify({ error: { message: text } })],
    ["in JSON within JSON", (text) => JSON.stringify({ body: JSON.stringify({ error: text }) })],
    ["three levels down", (text) => JSON.stringify([JSON.stringify([JSON.stringify([text])])])],
  ];

  test.each(SECRET_SHAPES.map((shape) => [shape.name, shape] as const))("ME-26 %s is found, however it is wrapped, and cleaning twice is cleaning once", (_, { text, secrets }) => {
    for (const [form, wrap] of forms) {
      const clean = redactSecrets(wrap(text));
      expect([form, secrets.filter((secret) => clean.includes(secret) || clean.includes(escaped(secret)))]).toEqual([form, []]);
      expect(clean).toContain("[redacted]");
      expect(redactSecrets(clean)).toBe(clean);
    }
  });

  test.each([
    "401 wrong key (request req_011CSHoEeqs5C35K2UUqR7Fy)",
    "max_tokens: 4096, total tokens = 5, token limit exceeded, prompt tokens: 17",
    "Unexpected token < in JSON at position 0",
    "Unexpected token: end of input",
    "the password is too short; basic authentication is required; bearer tokens expire",
    "using password: YES",
    '{"password":null,"token":null,"max_tokens":3,"type":"token_error"}',
    "see https://example.com/@scope/pkg@1.2.3?page=2&sort=name#top and mail bob@example.com",
    "docker pull ghcr.io/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "session 01HZX3T7Q8 of 4f9d1c1e-8f5e-4a63-9e57-1f6d0a7a3a51, commit 0d25721fa8e1",
    "connect ECONNREFUSED 127.0.0.1:5432 at 12:30:45",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "/usr/local/lib/node_modules/some-package/dist/index.js:12:34",
    "git@github.com:owner/repo.git, actions/checkout@v4",
    "the secret of a good secretary",
  ])("ME-26 what is no secret stays: %s", (text) => {
    expect(redactSecrets(text)).toBe(text);
  });

  test("ME-26 what stands around a secret stays", () => {
    expect(redactSecrets("GET https://bob:hunter2@host/a?api_key=abc&x=1 failed: 401, Authorization: Bearer abcdefgh, x-request-id: 7")).toBe(
      "GET https://[redacted]@host/a?api_key=[redacted]&x=1 failed: 401, Authorization: Bearer [redacted], x-request-id: 7",
    );
  });

  test("ME-26 any text is read, and cleaning it once more leaves what was replaced as it is", () => {
    const pieces = ["password", "=", ":", '"', "\\", "'", " ", "token", "Bearer ", "eyJ", ".", "sk-", "a1", "://", "@", "[", "]", ",", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "\n", "authorization", "cookie", "{", "}", "?key=", "<", ">", "abcdefghijklmnopqrstuvwxyz0123456789"];
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 })), { maxLength: 40 }), (parts) => {
        const [text, clean] = [parts.join(""), redactSecrets(parts.join(""))];
        // A private key without its blanks may turn out to have stood in a URL: more may go, and no mark is cut into.
        const again = redactSecrets(clean);
        if (!text.includes("PRIVATE KEY") && !text.includes("://")) expect(again).toBe(clean);
        expect(again.replaceAll("[redacted]", "")).not.toMatch(/redact/);
      }),
      { numRuns: 2_000 },
    );
  });

  // A reader that is worse than linear does not come to an end with it.
  test("ME-26 ten megabytes of an error are read to the end", { timeout: 60_000 }, () => {
    const line = '{"role":"user","content":"lorem ipsum dolor sit amet"},\n  at run (/srv/app/node_modules/client/dist/index.js:120:17)\n';
    const text = line.repeat(Math.ceil((10 * 1024 * 1024) / line.length));
    expect(redactSecrets(text)).toBe(text);
  });

  const HOSTILE = [
    "a", "a-", "=", "\\", '"', "://", "://a:b", "a@", "-----", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "eyJ-", "eyJaaaaaaaaaaa.", "AKIA-", "SK0123456789abcdef", "12345678:a-", "aaaaaaaaaaaaaaaaaaaa.bbbbbb.",
    "password ", "password='", '"password":"\\', '"token",', '"token",`a', 'token=["a",', "authorization: Bearer ", "bearer token-", "--token ", " -u ", "?key=a,", "<password>", "api key is ", '\\\\\\"token\\\\\\":', '\\"token\\",\\\\\\"a',
  ];

  // Half a megabyte of each: what is quadratic in one of them takes hours.
  test("ME-26 text made to run a reader away is read to the end", { timeout: 60_000 }, () => {
    for (const part of HOSTILE) expect(typeof redactSecrets(part.repeat(Math.ceil(500_000 / part.length)))).toBe("string");
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
