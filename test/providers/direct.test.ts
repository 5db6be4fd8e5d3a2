import { describe, expect, test } from "vitest";
import type { LlmResponse } from "../../src/providers/contract.ts";
import {
  DirectCompletionError,
  directErrorOf,
  directLlmRequest,
  directReplayKey,
  readDirectOutput,
  type DirectOutput,
  type DirectRequest,
} from "../../src/providers/direct.ts";
import { completeDirect, type DirectTrace } from "../../src/providers/direct-client.ts";
import { providerFailure } from "../../src/providers/failure.ts";
import { jsonSchemaProblem } from "../../src/providers/json-schema.ts";
import { withRetry } from "../../src/providers/retry.ts";
import { manualClock, scriptedProvider } from "../../src/testing/index.ts";
import { zeroUsage } from "../../src/domain/usage.ts";

const answer = (fullText: string): LlmResponse => ({ fullText, parts: [], usage: zeroUsage, terminalReason: "stop" });
const asking = (overrides: Partial<DirectRequest> = {}): DirectRequest => ({
  messages: [{ role: "user", content: "Summarise" }],
  ...overrides,
});

describe("direct request (PP-47)", () => {
  test("becomes a model request without tools, under its own scope (PP-3)", () => {
    const image = { mime: "image/png", data: new Uint8Array([1]) };
    const direct = asking({
      messages: [
        { role: "system", content: "Brief." },
        { role: "user", content: [{ type: "text", text: "This?" }, { type: "image", attachmentIndex: 0 }] },
      ],
      attachments: [image],
      output: { type: "jsonSchema", name: "note", schema: { type: "object" } },
    });
    expect(directLlmRequest(direct, "direct:1")).toEqual({
      model: "",
      messages: [
        { role: "system", blocks: [{ type: "text", text: "Brief." }] },
        { role: "user", blocks: [{ type: "text", text: "This?" }, { type: "image", attachmentIndex: 0 }] },
      ],
      attachments: [image],
      tools: [],
      toolChoice: "none",
      generation: {},
      scope: { sessionId: "direct:1", agentFrameId: "direct", requestId: "direct:1" },
      outputSpec: { type: "jsonSchema", name: "note", schema: { type: "object" }, strict: true },
    });
  });

  test.each<[Partial<DirectRequest>, string]>([
    [{ messages: [] }, "messages must not be empty"],
    [{ messages: [{ role: "system", content: "x" }] }, "messages need a user message"],
    [{ generation: { outputTokenCap: 0 } }, "generation.outputTokenCap must be"],
    [{ output: { type: "jsonSchema", name: " ", schema: {} } }, "output.name must not be blank"],
    [
      { messages: [{ role: "user", content: [{ type: "image", attachmentIndex: 0 }] }] },
      "messages[0].content[0].attachmentIndex must point into 0 attachments",
    ],
    [{ messages: [{ role: "assistant", content: [{ type: "image", attachmentIndex: 0 }] }] }, "only in a user message"],
  ])("%j is refused with the field's name", (overrides, message) => {
    expect(() => directLlmRequest(asking(overrides), "direct:1")).toThrow(message);
  });
});

describe("replay identity (PP-48)", () => {
  const from = { sessionId: "s", source: "memory", turnId: "t" };
  const key = (overrides: Partial<DirectRequest> = {}) => directReplayKey(asking(overrides), from, (text) => `#${text}`);

  test("is the same for equal requests, whatever the order of their fields", () => {
    const a: DirectOutput = { type: "jsonSchema", name: "n", schema: { type: "object", required: [] } };
    const b: DirectOutput = { schema: { required: [], type: "object" }, name: "n", type: "jsonSchema" };
    expect(key({ output: a })).toBe(key({ output: b }));
    expect(key({ output: a })).not.toBe(key());
    expect(key({ attachments: [{ mime: "image/png", data: new Uint8Array([1]) }] })).not.toBe(key());
  });

  test("is cause and key where a key is given", () => {
    expect(key({ cause: "c", replayKey: "k" })).toBe('["s","memory","t","c","k"]');
  });
});

describe("structured output (PP-49)", () => {
  const city: DirectOutput = {
    type: "jsonSchema",
    name: "city",
    schema: { type: "object", properties: { name: { type: "string" } }, required: ["name"], additionalProperties: false },
  };
  const read = (text: string, output?: DirectOutput) => readDirectOutput(answer(text), output, jsonSchemaProblem);
  const errorOf = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return error;
    }
  };

  test("plain text is given as it is; JSON is read from trimmed text", () => {
    expect(read(" hi ")).toBe(" hi ");
    expect(read('\n {"name":"Oslo"} \n', city)).toEqual({ name: "Oslo" });
    expect(read('{"any":1}', { type: "jsonObject" })).toEqual({ any: 1 });
  });

  test.each<[string, DirectOutput]>([
    ["Oslo", city],
    ['```json\n{"name":"Oslo"}\n```', city],
    ['{"name":5}', city],
    ['{"name":"Oslo","extra":1}', city],
    ["[1]", { type: "jsonObject" }],
    ["null", { type: "jsonObject" }],
    ["", city],
    ["1", { type: "jsonSchema", name: "bad", schema: { type: "no-such-type" } }],
  ])("%j is invalid_structured_output", (text, output) => {
    const error = errorOf(() => read(text, output));
    expect(DirectCompletionError.is(error) && [error.errorClass, error.code]).toEqual([
      "invalid_response",
      "invalid_structured_output",
    ]);
  });

  test("failures of the provider are transport, unless it calls the request invalid", () => {
    const classOf = (kind: "quota" | "validation" | "unsupported") => directErrorOf(providerFailure(kind, "x")).errorClass;
    expect([classOf("quota"), classOf("validation"), classOf("unsupported")]).toEqual([
      "transport",
      "invalid_request",
      "invalid_request",
    ]);
  });
});

describe("direct client (PP-50)", () => {
  const run = (script: Parameters<typeof scriptedProvider>[0], overrides: Partial<DirectRequest> = {}) => {
    const traced: string[] = [];
    const provider = withRetry(scriptedProvider(script));
    const options = {
      requestId: "direct:1",
      validate: jsonSchemaProblem,
      clock: manualClock(),
      trace: (event: DirectTrace) => void traced.push(event.type),
    };
    return { traced, result: completeDirect(provider, asking(overrides), options) };
  };
  const errorOf = (result: Promise<unknown>) => result.then(() => null, (error: unknown) => error);

  test("gives the output and the response, traced as started and completed", async () => {
    const { traced, result } = run(['{"n":1}'], { output: { type: "jsonObject" } });
    expect(await result).toMatchObject({ output: { n: 1 }, response: { terminalReason: "stop" } });
    expect(traced).toEqual(["started", "completed"]);
  });

  test("a structured answer that does not fit is traced as failed", async () => {
    const { traced, result } = run(["no json"], { output: { type: "jsonObject" } });
    expect(await errorOf(result)).toMatchObject({ code: "invalid_structured_output" });
    expect(traced).toEqual(["started", "failed"]);
  });

  test("the failure of the provider is kept, and a filtered answer is none", async () => {
    const refused = await errorOf(run([{ failure: { kind: "auth", status: 401, message: "no key" } }]).result);
    expect(refused).toMatchObject({ errorClass: "transport", message: "no key", failure: { kind: "auth" } });
    const filtered = await errorOf(run([{ text: "I", terminalReason: "content_filter" }]).result);
    expect(filtered).toMatchObject({ errorClass: "invalid_response", code: "content_filter" });
  });

  test("a request that is wrong is refused without a call", async () => {
    const { traced, result } = run(["never"], { messages: [] });
    expect(await errorOf(result)).toMatchObject({ errorClass: "invalid_request" });
    expect(traced).toEqual(["started", "failed"]);
  });
});
