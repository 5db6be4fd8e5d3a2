// Whatever a model writes for arguments and whatever a tool does is a result for the model; the turn goes on (T-51, T-54).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, ToolError, type Tool, type TurnResult } from "../../src/index.ts";
import type { ScriptedToolCall } from "../../src/testing/index.ts";
import { byAssistantMessages } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

const weather = tool({ name: "weather", description: "", input: z.object({ city: z.string() }), run: ({ city }) => `sun in ${city}` });
const anything = (run: (args: unknown) => unknown) => tool({ name: "it", description: "", input: z.looseObject({}), run });

/** Runs a turn in which the model makes these calls once and then says "done". */
async function turnWith(tools: readonly Tool[], ...toolCalls: ScriptedToolCall[]): Promise<{ readonly result: TurnResult; readonly transcript: readonly string[]; readonly shown: readonly string[] }> {
  const { lash, provider, clock } = testLash({ tools, script: byAssistantMessages([{ toolCalls }, "done"]) });
  const session = await lash.openSession("s");
  const result = await clock.runUntil(session.run("go"));
  expect(result).toMatchObject({ text: "done", isSuccess: true, errors: [] });
  const shown = (provider.requests[1]?.messages.at(-1)?.blocks ?? []).map((block) => (block.type === "toolResult" ? block.content : ""));
  return { result, transcript: transcriptOf(session), shown };
}

const failureOf = ({ toolCalls }: TurnResult, index = 0) => toolCalls[index]?.output?.outcome.payload;

describe("arguments", () => {
  test("a tool that does not exist is a failed result that names those that do (T-51)", async () => {
    const { result, shown } = await turnWith([weather], { name: "wether" }, { name: "weather", args: { city: "Oslo" } });
    expect(failureOf(result)).toMatchObject({ class: "unavailable", code: "tool_unavailable", source: "runtime", retry: { type: "never" } });
    expect(shown[0]).toContain("weather");
    expect(shown[1]).toBe("sun in Oslo");
  });

  test("arguments that break the schema are a failed result that says where (T-51)", async () => {
    const { result, shown } = await turnWith([weather], { name: "weather", args: { city: 7 } });
    expect(failureOf(result)).toMatchObject({ class: "invalid_request", code: "invalid_tool_args" });
    expect(shown[0]).toContain("city");
  });

  test("prototype keys in arguments reach no tool (design 10)", async () => {
    const seen: unknown[] = [];
    await turnWith([anything((args) => void seen.push(args))], { name: "it", inputJson: '{"__proto__": {"admin": true}, "constructor": 1, "a": {"prototype": 2, "b": 3}}' });
    expect(seen).toEqual([{ a: { b: 3 } }]);
    expect((seen[0] as { admin?: boolean }).admin).toBeUndefined();
  });

  test("10 MB of arguments are a failed result of class resource_limit, and the turn goes on (OP-17)", async () => {
    const { result } = await turnWith([anything(() => "ran")], { name: "it", inputJson: JSON.stringify({ text: "x".repeat(10_000_000) }) });
    expect(failureOf(result)).toMatchObject({ class: "resource_limit" });
  });

  test("arguments nested a million deep are a failed result (OP-17)", async () => {
    const { result } = await turnWith([anything(() => "ran")], { name: "it", inputJson: "[".repeat(1_000_000) });
    expect(failureOf(result)).toMatchObject({ class: "resource_limit" });
  });

  test("a validator that throws refuses the call (T-51)", async () => {
    const broken = { ...weather, validate: () => Promise.reject(new Error("no idea")) };
    const { result } = await turnWith([broken], { name: "weather" });
    expect(failureOf(result)).toMatchObject({ code: "invalid_tool_args", message: "no idea" });
  });

  test("call ids that are blank, repeated or strange still belong to calls of their own (OP-10)", async () => {
    const keys: string[] = [];
    const it = tool({ name: "it", description: "", input: z.object({}), run: (_args, call) => void keys.push(call.idempotencyKey) });
    const { result } = await turnWith([it], { name: "it", callId: "" }, { name: "it", callId: "" }, { name: "it", callId: "a" }, { name: "it", callId: "a" }, { name: "it", callId: "\u0000:\ud800" });
    expect(new Set(keys).size).toBe(5);
    expect(result.toolCalls.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => "success"));
  });
});

describe("results", () => {
  test.each<[string, unknown, unknown]>([
    ["undefined is null", undefined, null],
    ["a date is its text", new Date(0), "1970-01-01T00:00:00.000Z"],
    ["members that are undefined are left out", { a: 1, b: undefined }, { a: 1 }],
    ["prototype keys are dropped", JSON.parse('{"__proto__": 1, "constructor": 2, "a": 3}'), { a: 3 }],
    ["lone surrogates survive", "\ud800", "\ud800"],
  ])("%s (ER-8, design 10)", async (_title, value, payload) => {
    const { result } = await turnWith([anything(() => value)], { name: "it" });
    expect(result.toolCalls[0]?.output?.outcome).toEqual({ status: "success", payload });
  });
});

describe("throws", () => {
  test.each<[string, unknown, string]>([
    ["an error", new Error("disk full"), "disk full"],
    ["a string", "plain", "plain"],
    ["undefined", undefined, "undefined"],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["an object without a prototype", Object.create(null), ""],
    ["an error whose message is no text", Object.assign(new Error("x"), { message: { deep: 1n } }), ""],
    ["an error whose message throws", Object.defineProperty(new Error("x"), "message", { get: () => { throw new Error("y"); } }), ""],
  ])("%s is a failed call and no failed turn (ER-8, T-54)", async (_title, thrown, message) => {
    const { result } = await turnWith([anything(() => { throw thrown; })], { name: "it" });
    expect(failureOf(result)).toMatchObject({ class: "execution", code: "tool_failed", source: "tool", message: expect.stringContaining(message) });
  });

  test("a ToolError says class, code and message; the model is shown all three (ER-8)", async () => {
    const { result, shown } = await turnWith([anything(() => { throw new ToolError({ class: "permission_denied", code: "not_yours", message: "Ask Ann." }); })], { name: "it" });
    expect(failureOf(result)).toEqual({ class: "permission_denied", code: "not_yours", message: "Ask Ann.", source: "tool", retry: { type: "never" } });
    expect(shown[0]).toBe('{"error":{"class":"permission_denied","code":"not_yours","message":"Ask Ann."}}');
  });

  test("a ToolError whose raw part is no JSON is a failed call all the same (ER-8)", async () => {
    const raw = { big: 1n } as never;
    const { result } = await turnWith([anything(() => { throw new ToolError({ message: "odd", raw }); })], { name: "it" });
    expect(failureOf(result)).toMatchObject({ message: "odd" });
  });

  test("a rejected promise and a throw are the same (ER-8)", async () => {
    const { result } = await turnWith([anything(() => Promise.reject(new Error("late")))], { name: "it" });
    expect(failureOf(result)).toMatchObject({ message: "late" });
  });
});

describe("retries", () => {
  const shaky = (failures: number, attempts: number[], options: { maxAttempts?: number; afterMs?: number; safe?: boolean } = {}) =>
    tool({
      name: "it", description: "", input: z.object({}), retry: { maxAttempts: options.maxAttempts ?? 3, baseDelayMs: 100, maxDelayMs: 150 },
      run: (_args, { attempt }) => {
        attempts.push(attempt);
        if (attempt > failures) return "ok";
        throw new ToolError({ message: "busy", ...(options.safe !== false && { retry: { type: "safe", ...(options.afterMs !== undefined && { after_ms: options.afterMs }) } }) });
      },
    });
  const timed = async (it: Tool) => {
    const { lash, clock } = testLash({ tools: [it], script: byAssistantMessages([{ toolCalls: [{ name: "it" }] }, "done"]) });
    const session = await lash.openSession("s");
    const result = await clock.runUntil(session.run("go"));
    return { result, tookMs: clock.now() - 1_000, pending: clock.pendingTimers };
  };

  test("a failure that is safe to retry is retried with doubling, capped delays (T-53, E-27)", async () => {
    const attempts: number[] = [];
    const { result, tookMs, pending } = await timed(shaky(2, attempts));
    expect(attempts).toEqual([1, 2, 3]);
    expect(tookMs).toBe(100 + 150);
    expect(result.toolCalls[0]).toMatchObject({ status: "success" });
    expect(pending).toBe(0);
  });

  test("the delay that a failure names is taken instead (T-53)", async () => {
    const { tookMs } = await timed(shaky(1, [], { afterMs: 7 }));
    expect(tookMs).toBe(7);
  });

  test("after the last attempt the failure says how many there were (T-53)", async () => {
    const attempts: number[] = [];
    const { result } = await timed(shaky(9, attempts));
    expect(attempts).toEqual([1, 2, 3]);
    expect(failureOf(result)).toMatchObject({ message: "busy", retry: { type: "exhausted", attempts: 3 } });
  });

  test("a failure that does not say it is safe is not retried (T-53)", async () => {
    const attempts: number[] = [];
    await timed(shaky(9, attempts, { safe: false }));
    expect(attempts).toEqual([1]);
  });

  test("a tool without a retry policy is tried once, whatever its failure says (T-53)", async () => {
    const attempts: number[] = [];
    const { result } = await timed({ ...shaky(9, attempts), retry: null });
    expect(attempts).toEqual([1]);
    expect(failureOf(result)).toMatchObject({ retry: { type: "safe" } });
  });
});

describe.each(engineCases())("large and strange content on $name", ({ open }) => {
  test("arguments and results of megabytes, NUL and lone surrogates come back after a reopen as they were (OP-2, OP-17)", async () => {
    const engine = open();
    const nasty = `\u0000\ud800${"z".repeat(3_000_000)}`;
    const script = byAssistantMessages([{ toolCalls: [{ name: "it", inputJson: "x".repeat(10_000_000) }, { name: "it" }] }, "done"]);
    const first = testLash({ engine, script, tools: [anything(() => nasty)] });
    const session = await first.lash.openSession("s");
    await session.run("go", { turnId: "t" });
    const transcript = transcriptOf(session);
    await first.lash.close();
    const reopened = await testLash({ engine }).lash.openSession("s");
    expect(transcriptOf(reopened)).toEqual(transcript);
    expect(transcript[2]?.endsWith(`ToolResult ${nasty}`)).toBe(true);
  });
});
