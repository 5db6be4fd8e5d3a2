// How long a tool may take, and what it says while it runs (ME-8).

import { describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { batchTool, pending, tool, type DirectRequest, type Tool, type ToolCall } from "../../src/index.ts";
import { byAssistantMessages, byToolResults, gate, type ScriptedToolCall } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { rowsOf } from "../support/rows.ts";
import { activitiesOf, testLash, transcriptOf, type TestLash, type TestLashOptions } from "../support/lash.ts";

type Run = (call: ToolCall) => unknown;
const taking = (name: string, run: Run, rest: Partial<Tool> = {}): Tool => ({ ...tool({ name, description: "", input: z.object({}), timeoutMs: 1_000, run: (_args, call) => run(call) }), ...rest });
const never = (): Promise<never> => new Promise(() => undefined);
const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

async function start(tools: readonly Tool[], toolCalls: readonly ScriptedToolCall[], options: TestLashOptions = {}) {
  const host = testLash({ tools, script: byAssistantMessages([{ toolCalls }, "done"]), ...options });
  const session = await host.lash.openSession("s");
  const turn = session.turn("go", { turnId: "t" });
  return { ...host, session, turn, activities: activitiesOf(turn) };
}

const timedOut = (extra: object = {}) => ({ status: "failure", payload: { class: "timeout", code: "tool_timeout", source: "runtime", retry: { type: "never" }, message: expect.stringContaining("1000 ms") as string, ...extra } });
const outcomesOf = async ({ clock }: Pick<TestLash, "clock">, result: Promise<{ readonly toolCalls: readonly { readonly output?: { readonly outcome: unknown } }[] }>) => (await clock.runUntil(result)).toolCalls.map(({ output }) => output?.outcome);

describe("timeoutMs", () => {
  test("a call that takes longer ends as a failure of class timeout after exactly that time; the turn goes on, and calls beside it are not touched (ME-8)", async () => {
    const host = await start([taking("slow", never), taking("fast", () => "in time"), taking("free", () => host.clock.sleep(5_000).then(() => "late"), { timeoutMs: undefined as never })], [{ name: "slow" }, { name: "fast" }, { name: "free" }]);
    const outcomes = await outcomesOf(host, host.turn.result);
    expect(outcomes).toEqual([timedOut(), { status: "success", payload: "in time" }, { status: "success", payload: "late" }]);
    const completed = (await host.activities).flatMap((activity) => (activity.type === "tool_call_completed" ? [[activity.name, activity.durationMs]] : []));
    expect(completed).toEqual([["fast", 0], ["slow", 1_000], ["free", 5_000]]);
  });

  test("a call that ends one millisecond before is a success, and leaves no timer behind (ME-8)", async () => {
    const host = await start([taking("it", () => host.clock.sleep(999).then(() => "in time"))], [{ name: "it" }]);
    expect(await outcomesOf(host, host.turn.result)).toEqual([{ status: "success", payload: "in time" }]);
    await expect(host.clock.runUntil(never())).rejects.toThrow("not due");
  });

  test("its signal aborts with a TimeoutError, and what it does about it, returns or throws later changes nothing (ME-8)", async () => {
    const reasons: unknown[] = [];
    const late = gate();
    const listening = taking("listening", ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => (reasons.push(signal.reason), reject(new Error("aborted"))))));
    const deaf = taking("deaf", async () => {
      await late.pass();
      return "much later";
    });
    const host = await start([listening, deaf], [{ name: "listening" }, { name: "deaf" }]);
    expect(await outcomesOf(host, host.turn.result)).toEqual([timedOut(), timedOut()]);
    expect(reasons).toEqual([expect.objectContaining({ name: "TimeoutError" })]);
    const before = transcriptOf(host.session);
    late.open();
    await settle();
    expect(transcriptOf(host.session)).toEqual(before);
  });

  test("serial calls have the whole time each, from their own beginning (ME-8)", async () => {
    const serial = (name: string) => taking(name, () => host.clock.sleep(900).then(() => name), { execution: "serial" });
    const host: TestLash & { turn: { result: Promise<never> } } = (await start([serial("a"), serial("b"), serial("c")], [{ name: "a" }, { name: "b" }, { name: "c" }])) as never;
    expect(await outcomesOf(host, host.turn.result)).toEqual(["a", "b", "c"].map((payload) => ({ status: "success", payload })));
  });

  test("entries of a batch have their own tools' time (ME-8)", async () => {
    const host = await start([taking("slow", never), taking("fast", () => 1), batchTool()], [{ name: "batch", args: { tool_calls: [{ tool: "slow", parameters: {} }, { tool: "fast", parameters: {} }] } }]);
    expect(await outcomesOf(host, host.turn.result)).toMatchObject([{ status: "success", payload: { results: [{ success: false, error: { class: "timeout", code: "tool_timeout" } }, { success: true, result: 1 }] } }]);
  });

  const retry = { maxAttempts: 3, baseDelayMs: 10, maxDelayMs: 10 };

  test("with a retry policy, a tool that may be run again is; each attempt has the whole time (ME-8, T-53)", async () => {
    const attempts: number[] = [];
    const flaky = taking("it", ({ attempt }) => (attempts.push(attempt), attempt < 3 ? never() : "third"), { retry, onInterrupted: "retry" });
    const host = await start([flaky], [{ name: "it" }]);
    const started = host.clock.now();
    expect(await outcomesOf(host, host.turn.result)).toEqual([{ status: "success", payload: "third" }]);
    expect([attempts, host.clock.now() - started]).toEqual([[1, 2, 3], 2_020]);
    const exhausted = await start([taking("it", never, { retry, onInterrupted: "retry" })], [{ name: "it" }]);
    expect(await outcomesOf(exhausted, exhausted.turn.result)).toEqual([timedOut({ retry: { type: "exhausted", attempts: 3 } })]);
  });

  test("a tool that a crash would not run again is not run again either, whatever its policy, and the model is told to check (ME-8)", async () => {
    let runs = 0;
    const pay = taking("pay", () => ((runs += 1), never()), { retry, onInterrupted: "report" });
    const host = await start([pay], [{ name: "pay" }]);
    expect(await outcomesOf(host, host.turn.result)).toEqual([timedOut({ message: expect.stringContaining("may or may not have taken effect") as string })]);
    expect(runs).toBe(1);
  });

  test("how long a pending call waits for its answer is its own affair (ME-8, T-70)", async () => {
    const asking = (timeoutMs?: number) => taking("ask", async (call) => (await call.completionKey(), pending(timeoutMs === undefined ? {} : { timeoutMs })));
    const host = await start([asking(60_000)], [{ name: "ask" }]);
    const started = host.clock.now();
    expect(await outcomesOf(host, host.turn.result)).toMatchObject([{ status: "failure", payload: { class: "timeout", code: "tool_completion_timeout" } }]);
    expect(host.clock.now() - started).toBe(60_000);
  });

  test("a cancel that comes first is a cancel, and one that comes later does not unmake the timeout (ME-8, T-63)", async () => {
    const first = await start([taking("it", never)], [{ name: "it" }]);
    const running = first.turn.result;
    await first.clock.advance(500);
    await first.turn.cancel();
    expect(await outcomesOf(first, running)).toMatchObject([{ status: "cancelled" }]);
    const slow = gate();
    const later = await start([taking("it", never), taking("other", () => slow.pass(), { timeoutMs: undefined as never })], [{ name: "it" }, { name: "other" }]);
    const going = later.turn.result;
    await later.clock.advance(1_500);
    await later.turn.cancel();
    expect(await outcomesOf(later, going)).toMatchObject([{ status: "failure", payload: { code: "tool_timeout" } }, { status: "cancelled" }]);
  });

  test("a question to a model that is under way is called off with the attempt, and none can be asked afterwards (ME-8, OP-5)", async () => {
    const questions: string[] = [];
    const calledOffAt: number[] = [];
    const asked = Promise.withResolvers<void>();
    const asking = (text: string): DirectRequest => ({ messages: [{ role: "user", content: text }] });
    const ask = taking("ask", async (call) => {
      await call.complete(asking("hang")).catch((error: Error) => (calledOffAt.push(host.clock.now()), questions.push(error.message)));
      await call.complete(asking("again")).catch((error: Error) => questions.push(error.message));
      return "never seen";
    });
    const script = byToolResults([{ toolCalls: [{ name: "ask" }] }, "done"]);
    const host: Awaited<ReturnType<typeof start>> = await start([ask], [], { script: (request, index) => (index === 1 ? (asked.resolve(), { hang: true }) : typeof script === "function" ? script(request, index) : "done") });
    await asked.promise;
    expect(await outcomesOf(host, host.turn.result)).toEqual([timedOut()]);
    await vi.waitUntil(() => questions.length === 2);
    expect(questions).toHaveLength(2);
    expect(questions[1]).toContain("the tool call has ended");
    expect(calledOffAt).toEqual([2_000]);
  });

  test.each([0, -1, 1.5, Number.NaN, Infinity, "1000"])("%s is refused by name", (timeoutMs) => {
    expect(() => tool({ name: "x", description: "", input: z.object({}), run: () => 1, timeoutMs: timeoutMs as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: 'tool.timeoutMs (of "x")' } }) as Error);
  });
});

describe.each(engineCases())("timeoutMs on $name", ({ open }) => {
  test("a recorded timeout is what whoever opens the session finds, and nothing of the call is left in the store (ME-8)", async () => {
    const engine = open();
    const slow = tool({ name: "it", description: "", input: z.object({}), timeoutMs: 5, run: never });
    const host = testLash({ engine, tools: [slow], script: byAssistantMessages([{ toolCalls: [{ name: "it" }] }, "done"]) });
    const session = await host.lash.openSession("s");
    const asked = Promise.withResolvers<void>();
    const turn = session.turn("go");
    const watching = (async () => {
      for await (const { type } of turn) if (type === "tool_call_started") asked.resolve();
    })();
    await asked.promise;
    const state = { isOver: false };
    void turn.result.then(() => (state.isOver = true));
    while (!state.isOver) {
      await host.clock.advance(5);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await watching;
    const transcript = transcriptOf(session);
    expect(transcript[2]).toContain("tool_timeout");
    await host.lash.close();
    const next = testLash({ engine });
    expect(transcriptOf(await next.lash.openSession("s"))).toEqual(transcript);
    await next.lash.close();
  });
});

describe("call.progress", () => {
  const progressIn = async (activities: Promise<readonly { readonly type: string }[]>) => (await activities).filter(({ type }) => type === "tool_call_progress");

  test("each value is an activity of its call, between its start and its end, told as JSON (ME-8)", async () => {
    const working = taking("work", (call) => {
      call.progress({ done: 1n });
      call.progress("half");
      return "done";
    });
    const host = await start([working], [{ name: "work", callId: "c" }]);
    await host.turn.result;
    const seen = await host.activities;
    expect(await progressIn(host.activities)).toMatchObject([{ callId: "c", name: "work", value: { done: "1" } }, { callId: "c", name: "work", value: "half" }]);
    const types = seen.map(({ type }) => type).filter((type) => type.startsWith("tool_call"));
    expect(types).toEqual(["tool_call_started", "tool_call_progress", "tool_call_progress", "tool_call_completed"]);
    expect(new Set(seen.filter(({ type }) => type.startsWith("tool_call")).map(({ correlationId }) => correlationId)).size).toBe(1);
  });

  test("an entry of a batch names the batch (ME-8)", async () => {
    const host = await start([taking("work", (call) => void call.progress(1)), batchTool()], [{ name: "batch", callId: "b", args: { tool_calls: [{ tool: "work", parameters: {} }] } }]);
    await host.turn.result;
    expect(await progressIn(host.activities)).toMatchObject([{ parentCallId: "b", value: 1 }]);
  });

  test("a value is cut at 16 KiB, and what cannot be looked at harms nobody (ME-8)", async () => {
    const host = await start([taking("work", (call) => (call.progress("x".repeat(100_000)), call.progress({ get a() { throw new Error("no"); } }), "done"))], [{ name: "work" }]);
    await host.turn.result;
    const [long, strange] = (await progressIn(host.activities)) as unknown as readonly { readonly value: unknown }[];
    expect(JSON.stringify(long?.value).length).toBeLessThanOrEqual(16 * 1024);
    expect(strange?.value).toEqual({ a: "[unreadable: no]" });
  });

  test("nothing is told of a call that has ended: returned, timed out or cancelled (ME-8)", async () => {
    const kept: ToolCall[] = [];
    const keep = (call: ToolCall): void => void kept.push(call);
    const host = await start([taking("returns", (call) => keep(call)), taking("hangs", (call) => (keep(call), never())), taking("last", () => (kept.forEach((call) => call.progress("too late")), 1), { execution: "serial" })], [{ name: "returns" }, { name: "hangs" }, { name: "last" }]);
    await host.clock.runUntil(host.turn.result);
    expect(kept).toHaveLength(2);
    expect(await progressIn(host.activities)).toEqual([]);
  });

  test("it is not recorded: nothing of it is in the history or in the store (ME-8)", async () => {
    const engine = engineCases()[0]?.open();
    if (!engine) throw new Error("no engine");
    const host = await start([taking("work", (call) => void call.progress("marked-value"))], [{ name: "work" }], { engine });
    await host.turn.result;
    expect(await progressIn(host.activities)).toHaveLength(1);
    expect(JSON.stringify(transcriptOf(host.session))).not.toContain("marked-value");
    expect(JSON.stringify(await rowsOf(engine))).not.toContain("marked-value");
  });

  test("a watcher that is far behind is told the latest value in the end, and the call is not held up by it (ME-8)", async () => {
    const told = Promise.withResolvers<void>();
    const host = testLash({ tools: [taking("work", async (call) => {
      for (let index = 0; index <= 10_000; index++) call.progress(index);
      await told.promise;
      return "done";
    })], script: byAssistantMessages([{ toolCalls: [{ name: "work" }] }, "done"]) });
    const turn = (await host.lash.openSession("s")).turn("go");
    const values: unknown[] = [];
    for await (const activity of turn) {
      if (activity.type !== "tool_call_progress") continue;
      values.push(activity.value);
      if (activity.value === 10_000) told.resolve();
    }
    expect(values.length).toBeLessThan(200);
    expect([...values.slice(0, 3), values.at(-1)]).toEqual([0, 1, 2, 10_000]);
  });
});
