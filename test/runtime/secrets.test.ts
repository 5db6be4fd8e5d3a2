// Secrets in what providers and tools report as errors: nowhere afterwards (ME-26). Every sink is looked at after runs that
// provoke them.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, type Lash, type LashOptions, LashError, pending, tool, ToolError } from "../../src/index.ts";
import { completeDirect, jsonSchemaProblem, withRetry } from "../../src/direct.ts";
import { recorder } from "../../src/inspect/index.ts";
import { ProviderError, providerFailure } from "../../src/providers/failure.ts";
import type { Provider } from "../../src/providers/contract.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scriptedProvider } from "../../src/testing/index.ts";
import { memoryTrace } from "../../src/trace/index.ts";
import { SECRET_SHAPES, type SecretShape } from "../support/secret-shapes.ts";

const AT_ONCE = { reliability: { retry: { baseDelayMs: 0, maxDelayMs: 0, jitterMs: 0, maxAttempts: 2 } } };
const usage = { inputTokens: 1, outputTokens: 1, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };

let folder = "";
let lash: Lash | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lash-secrets-"));
});
afterEach(async () => {
  await lash?.close();
  rmSync(folder, { recursive: true });
});

/** What a client's error brings along. */
const clientError = (text: string): Error =>
  Object.assign(new Error(text, { cause: new Error(`while connecting: ${text}`) }), { responseBody: JSON.stringify({ error: { message: text } }), responseHeaders: { "x-note": text } });

/** Fails in each way that a provider can; says "look" where a tool is to fail. */
function failing(): Provider & { shape: SecretShape | undefined; way: number } {
  const provider = {
    id: "failing",
    modelId: "m",
    options: AT_ONCE,
    shape: undefined as SecretShape | undefined,
    way: 0,
    async complete(request: Parameters<Provider["complete"]>[0], call: Parameters<Provider["complete"]>[1]) {
      const { text } = provider.shape ?? { text: "" };
      call.onProviderTrace?.({ type: "error", error: { message: text } });
      if (request.tools.length > 0 && provider.way === 2) {
        const isAnswered = request.messages.some(({ blocks }) => blocks.some(({ type }) => type === "toolResult"));
        const parts = isAnswered ? [{ type: "text" as const, text: "done" }] : [0, 1, 2, 3, 4].map((way) => ({ type: "toolCall" as const, callId: `c${way}`, toolName: "look", inputJson: JSON.stringify({ way }) }));
        return { fullText: "", parts, usage, terminalReason: isAnswered ? ("stop" as const) : ("tool_use" as const) };
      }
      if (provider.way === 0) throw clientError(text);
      const raw = JSON.stringify({ error: { message: text }, request: { headers: { authorization: text } } });
      throw new ProviderError(providerFailure("transport", text, { retryable: true, raw, headers: [["x-note", text], ["x-api-key", "not-a-known-shape"]] }), { cause: clientError(text) });
    },
  };
  return provider;
}

/** Fails in each way that a tool can. */
const look = (shape: () => SecretShape | undefined) =>
  tool({
    name: "look",
    description: "looks",
    input: z.object({ way: z.number() }),
    execution: "serial",
    run: async ({ way }, call) => {
      const { text } = shape() ?? { text: "" };
      if (way === 0) throw clientError(text);
      if (way === 1) throw new ToolError({ message: text, code: "broken", raw: { note: text, headers: [["x-api-key", "not-a-known-shape"]], password: "not-a-known-shape" } });
      if (way === 2) throw text;
      if (way === 3) await call.complete({ messages: [{ role: "user", content: "why?" }] });
      // Answered before it waits: what an answer says of a failure is a tool's error, too.
      await lash?.completions.resolve(await call.completionKey(), { status: "err", payload: { code: "refused", message: text, raw: { note: text } } });
      return pending();
    },
  });

async function provoke(options: Partial<LashOptions> = {}) {
  const provider = failing();
  const trace = memoryTrace();
  const tape = recorder({ limit: 100_000 });
  const seen: unknown[] = [];
  lash = createLash({ provider, store: sqlite(join(folder, "s.db")), tools: [look(() => provider.shape)], trace: { sink: trace, level: "extended" }, inspect: tape, logger: (record) => seen.push(record), ...options });
  return { lash, provider, trace, tape, seen };
}

function filesIn(): string {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
}

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
const leaksIn = (where: string, sink: string): readonly string[] =>
  SECRET_SHAPES.flatMap(({ name, secrets }) => (secrets.some((secret) => [secret, escaped(secret), escaped(escaped(secret))].some((form) => sink.includes(form))) ? [`${where}: ${name}`] : []));

describe("a run that provokes every shape of secret", () => {
  test("leaves none of them in store, trace, recording, log, activities, results and thrown errors (ME-26)", { timeout: 120_000 }, async () => {
    const { provider, trace, tape, seen, lash: running } = await provoke();
    const session = await running.openSession("s");
    const watching = session.watch();
    const watched = (async () => {
      for await (const event of watching) seen.push(event);
    })();
    for (const shape of SECRET_SHAPES) {
      provider.shape = shape;
      for (provider.way = 0; provider.way < 2; provider.way++) {
        const turn = session.turn("go");
        for await (const activity of turn) seen.push(activity);
        seen.push(await turn.result);
        const asked = completeDirect(withRetry(provider), { messages: [{ role: "user", content: "q" }] }, { requestId: "r", validate: jsonSchemaProblem });
        seen.push(inspect(await asked.catch((error: unknown) => error), { depth: 12, showHidden: true }));
      }
      const turn = session.turn("go");
      for await (const activity of turn) seen.push(activity);
      seen.push(await turn.result);
    }
    expect(seen.length).toBeGreaterThan(SECRET_SHAPES.length * 10);
    seen.push(session.observe());
    const atWork = filesIn();
    await running.close();
    await watched;
    const sinks = { "store at work": atWork, store: filesIn(), trace: JSON.stringify(trace.records), recording: tape.toFile(), "what a host sees": JSON.stringify(seen) };
    for (const [where, sink] of Object.entries(sinks)) {
      expect(sink).toContain("[redacted]");
      expect(sink).not.toContain("not-a-known-shape");
      expect(leaksIn(where, sink)).toEqual([]);
    }
  });
});

describe("evidence", () => {
  test("what the user, the model and a tool say is kept as it is, whatever it looks like (ME-26)", async () => {
    const [shape] = SECRET_SHAPES;
    const secret = shape?.secrets[0] ?? "";
    const text = shape?.text ?? "";
    const tools = [tool({ name: "tell", description: "tells", input: z.object({ q: z.string() }), run: () => ({ password: "hunter2-evidence", text }) })];
    const provider = scriptedProvider([{ text, toolCalls: [{ name: "tell", args: { q: text } }] }, `it says ${text}`]);
    const running = createLash({ provider, store: sqlite(join(folder, "s.db")), tools });
    const session = await running.openSession("s");
    const { text: said, toolCalls } = await session.run(`my ${text}`);
    expect(said).toBe(`it says ${text}`);
    const [told] = toolCalls;
    expect(told?.output?.outcome).toEqual({ status: "success", payload: { password: "hunter2-evidence", text } });
    const parts = session.observe().readView.messages.flatMap((message) => message.parts.map(({ content }) => content));
    expect(parts.filter((content) => content.includes(secret))).toHaveLength(5);
    expect(provider.requests[1]?.messages.flatMap(({ blocks }) => blocks).filter((block) => JSON.stringify(block).includes(escaped(secret)))).toHaveLength(4);
    await running.close();
    expect(filesIn()).toContain("hunter2-evidence");
  });
});

describe("rules of the host", () => {
  const failure = { failure: { kind: "auth" as const, retryable: false, message: "project falcon of emp-4711: password=hunter2", raw: "falcon emp-4712" } };

  test.each<[string, NonNullable<LashOptions["redact"]>]>([
    ["texts and regular expressions", ["falcon", /emp-\d+/]],
    ["a function", (text) => text.replaceAll("falcon", "[redacted]").replaceAll(/emp-\d+/g, "[redacted]")],
  ])("%s apply on top of the built-in ones, to every sink (ME-26)", async (_, redact) => {
    const trace = memoryTrace();
    const scripted = scriptedProvider(() => failure);
    const provider: Provider = {
      id: "p",
      modelId: "m",
      complete(request, call) {
        call.onProviderTrace?.({ type: "error", error: { message: "falcon emp-4713" } });
        return scripted.complete(request, call);
      },
    };
    const running = createLash({ provider, store: sqlite(join(folder, "s.db")), redact, trace: { sink: trace, level: "extended" } });
    const { errors } = await (await running.openSession("s")).run("go");
    await running.close();
    expect(errors).toMatchObject([{ message: "LLM error: project [redacted] of [redacted]: password=[redacted]" }]);
    for (const sink of [filesIn(), JSON.stringify(trace.records), JSON.stringify(errors)]) expect(sink).not.toMatch(/falcon|emp-47|hunter2/);
  });

  test.each<[string, (text: string) => unknown]>([
    ["throws", () => { throw new Error("no password=hunter3"); }],
    ["gives no text", () => undefined],
  ])("a function that %s loses no error: the built-in rules apply, and the logger hears of it once (ME-26)", async (_, redact) => {
    const logged: unknown[] = [];
    const running = createLash({ provider: scriptedProvider(() => failure), redact: redact as () => string, logger: (record) => logged.push(record) });
    const session = await running.openSession("s");
    const [first] = [(await session.run("go")).errors, (await session.run("go")).errors];
    await running.close();
    expect(first).toMatchObject([{ message: "LLM error: project falcon of emp-4711: password=[redacted]" }]);
    expect(logged).toEqual([expect.objectContaining({ level: "warn", event: "redact.failed", message: expect.not.stringContaining("hunter3") as string })]);
  });

  test.each([["a text", "falcon"], ["an empty text in the list", [""]], ["a number in the list", [7]]])("%s is refused before anything is opened (ME-26)", (_, redact) => {
    expect(() => createLash({ redact: redact as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "redact" } }));
  });
});

test("the cause of an error is kept, and a copy without secrets where it held some (ME-26)", () => {
  const plain = new TypeError("plain");
  expect(new LashError("runtime", "llm_provider", "x", { cause: plain }).cause).toBe(plain);
  class ClientError extends Error {
    readonly headers = { "x-api-key": "not-a-known-shape", accept: "*/*" };
  }
  const cause = new ClientError("password=hunter2", { cause: "Bearer abcdefgh123" });
  const kept = new LashError("runtime", "llm_provider", "x", { cause }).cause;
  expect(kept).toBeInstanceOf(ClientError);
  expect(kept).toMatchObject({ message: "password=[redacted]", cause: "Bearer [redacted]", headers: { "x-api-key": "[redacted]", accept: "*/*" } });
  expect(inspect(kept, { depth: 9, showHidden: true })).not.toMatch(/hunter2|abcdefgh123|not-a-known-shape/);
  expect(cause.message).toBe("password=hunter2");
});
