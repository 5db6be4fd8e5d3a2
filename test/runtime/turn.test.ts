import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, ToolError, type ToolCall } from "../../src/index.ts";
import { byToolResults, gate } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash, transcriptOf } from "../support/lash.ts";

const usage = (calls: number) => ({ inputTokens: 10 * calls, outputTokens: 5 * calls, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 });

describe.each(engineCases())("a turn on $name", ({ open }) => {
  test("a turn without tools commits the user's words and the answer, and counts its tokens (T-10, T-28, T-73, T-78)", async () => {
    const { lash } = testLash({ engine: open(), script: ["Hello."] });
    const session = await lash.openSession("s");
    const result = await session.run("Hi", { turnId: "t1" });
    expect(result).toMatchObject({
      turnId: "t1", text: "Hello.", isSuccess: true, toolCalls: [], errors: [], headRevision: 1, usage: usage(1),
      outcome: { kind: "finished", finish: "assistant_message", value: "Hello." },
      execution: { startedAtMs: 1_000, durationMs: 0 },
    });
    expect(transcriptOf(session)).toEqual(["User: Text Hi", "Assistant: Prose Hello."]);
    expect(session.observe().readView).toMatchObject({ revision: 1, turnIndex: 1, usage: usage(1) });
  });

  test("a turn with neither text nor items still has one empty text (T-10)", async () => {
    const { lash } = testLash({ engine: open() });
    const session = await lash.openSession("s");
    await session.run({ items: [] });
    expect(transcriptOf(session)).toEqual(["User: Text ", "Assistant: Prose done"]);
  });

  test("tools that end in another order answer in call order, in the transcript, to the model and in the result (T-31, T-52, TT-2)", async () => {
    const slowDone = gate();
    const ended: string[] = [];
    const { lash, provider } = testLash({
      engine: open(),
      script: byToolResults([
        { text: "Looking.", toolCalls: [{ name: "slow", args: { city: "Oslo" } }, { name: "quick", args: { city: "Rome" } }] }, "wrong",
        "Rain in Oslo, sun in Rome.",
      ]),
      tools: [
        tool({ name: "slow", description: "", input: z.object({ city: z.string() }), run: async ({ city }) => (await slowDone.pass(), ended.push("slow"), `rain in ${city}`) }),
        tool({ name: "quick", description: "", input: z.object({ city: z.string() }), run: async ({ city }) => (await slowDone.reached, ended.push("quick"), slowDone.open(), { city, sky: "sun" }) }),
      ],
    });
    const session = await lash.openSession("s");
    const result = await session.run("Weather?");
    expect(ended).toEqual(["quick", "slow"]);
    expect(transcriptOf(session)).toEqual([
      "User: Text Weather?",
      'Assistant: Prose Looking. | ToolCall {"city":"Oslo"} | ToolCall {"city":"Rome"}',
      'User: ToolResult rain in Oslo | ToolResult {"city":"Rome","sky":"sun"}',
      "Assistant: Prose Rain in Oslo, sun in Rome.",
    ]);
    expect(provider.requests[1]?.messages.at(-1)?.blocks).toEqual([
      { type: "toolResult", callId: "call-1", toolName: "slow", content: "rain in Oslo" },
      { type: "toolResult", callId: "call-2", toolName: "quick", content: '{"city":"Rome","sky":"sun"}' },
    ]);
    expect(result.toolCalls).toMatchObject([
      { callId: "call-1", toolName: "slow", status: "success", args: { city: "Oslo" } },
      { callId: "call-2", toolName: "quick", status: "success", args: { city: "Rome" } },
    ]);
    expect(result.usage).toEqual(usage(2));
  });

  test("serial tools run one by one in call order, after the parallel ones (T-52, TT-2)", async () => {
    const events: string[] = [];
    const step = (name: string, execution: "serial" | "parallel") =>
      tool({
        name, description: "", input: z.object({}), execution,
        run: async () => {
          events.push(`${name} begins`);
          await Promise.resolve();
          events.push(`${name} ends`);
        },
      });
    const { lash } = testLash({
      engine: open(),
      script: byToolResults([{ toolCalls: [{ name: "first" }, { name: "beside" }, { name: "second" }] }, "", "", "done"]),
      tools: [step("first", "serial"), step("second", "serial"), step("beside", "parallel")],
    });
    const { toolCalls } = await (await lash.openSession("s")).run("go");
    expect(events).toEqual(["beside begins", "beside ends", "first begins", "first ends", "second begins", "second ends"]);
    expect(toolCalls.map(({ toolName }) => toolName)).toEqual(["first", "beside", "second"]);
  });

  test("the second turn builds on the first, also in a lash that was made anew (T-6, S-48)", async () => {
    const engine = open();
    const first = testLash({ engine, script: ["one"] });
    await (await first.lash.openSession("s")).run("a");
    await first.lash.close();
    const second = testLash({ engine, script: ["two"] });
    const session = await second.lash.openSession("s");
    expect(transcriptOf(session)).toEqual(["User: Text a", "Assistant: Prose one"]);
    const result = await session.run("b");
    expect(second.provider.requests[0]?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(result.headRevision).toBe(2);
    expect(session.observe().readView).toMatchObject({ turnIndex: 2, usage: usage(2) });
  });

  test("activities tell of each call once, started before completed, text as it streams, usage as it adds up (T-42, T-81)", async () => {
    const { lash } = testLash({
      engine: open(),
      script: byToolResults([{ text: ["Let ", "me."], toolCalls: [{ name: "echo", args: { say: "hi" } }] }, "done"]),
      tools: [tool({ name: "echo", description: "", input: z.object({ say: z.string() }), run: ({ say }) => say })],
    });
    const seen = await activitiesOf((await lash.openSession("s")).turn("go"));
    expect(seen.map(({ type }) => type)).toEqual([
      "model_request_started", "assistant_prose_delta", "assistant_prose_delta", "usage", "tool_call_started", "tool_call_completed",
      "model_request_started", "assistant_prose_delta", "usage",
    ]);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
    expect(seen.filter(({ type }) => type === "usage")).toMatchObject([{ cumulative: usage(1) }, { cumulative: usage(2) }]);
    const [started, completed] = seen.filter(({ type }) => type.startsWith("tool_call"));
    expect(started?.correlationId).toBe(completed?.correlationId);
    expect(completed).toMatchObject({ callId: "call-1", name: "echo", args: { say: "hi" }, output: { outcome: { status: "success", payload: "hi" } } });
  });
});

test("a call knows its session, its turn and a key that stays the same in every attempt (T-53, OP-10)", async () => {
  const calls: Omit<ToolCall, "signal">[] = [];
  const { lash, clock } = testLash({
    script: byToolResults([{ toolCalls: [{ name: "shaky", callId: "x" }, { name: "shaky", callId: "x" }] }, "", "done"]),
    tools: [
      tool({
        name: "shaky", description: "", input: z.object({}), execution: "serial", retry: { maxAttempts: 2, baseDelayMs: 100 },
        run: (_args, { signal: _signal, ...call }) => {
          calls.push(call);
          if (call.attempt === 1) throw new ToolError({ message: "again", retry: { type: "safe" } });
          return "ok";
        },
      }),
    ],
  });
  const session = await lash.openSession("s");
  const result = await clock.runUntil(session.run("go", { turnId: "t" }));
  expect(result.toolCalls.map(({ status }) => status)).toEqual(["success", "success"]);
  expect(calls).toMatchObject([
    { callId: "x", toolName: "shaky", sessionId: "s", turnId: "t", attempt: 1, interrupted: false },
    { callId: "x", attempt: 2 }, { callId: "x", attempt: 1 }, { callId: "x", attempt: 2 },
  ]);
  const [first, second, third, fourth] = calls.map(({ idempotencyKey }) => idempotencyKey);
  expect([first, third]).toEqual([second, fourth]);
  expect(first).not.toBe(third);
  expect(first).toMatch(/^[0-9a-f]{64}$/);
});
