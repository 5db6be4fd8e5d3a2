// Arguments of calls are shown while they are written (ME-20), and what a turn ended with is told (O-35).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, finishTurn, inMemoryLiveReplay, tool, type LashOptions, type TurnActivity } from "../../src/index.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { countingEngine, manualClock } from "../../src/testing/index.ts";
import { staysOpen, testLash } from "../support/lash.ts";
import { finish, playingModel, text, type StreamPart } from "../support/playing-model.ts";

const write = tool({ name: "write.file", description: "", input: z.object({ text: z.string() }), run: () => "written" });

const written = (id: string, ...pieces: readonly string[]): readonly StreamPart[] => [
  { type: "tool-input-start", id, toolName: "write_file" },
  ...pieces.map((delta): StreamPart => ({ type: "tool-input-delta", id, delta })),
];
const called = (id: string, input: string): readonly StreamPart[] => [{ type: "tool-input-end", id }, { type: "tool-call", toolCallId: id, toolName: "write_file", input }];

async function watched(script: (call: number) => readonly StreamPart[], options: Partial<LashOptions> = {}) {
  const seen: TurnActivity[] = [];
  const clock = manualClock(1_000);
  const engine = countingEngine(memoryEngine());
  const replay = inMemoryLiveReplay();
  const provider = aiSdk(playingModel(script).model, { reliability: { retry: { maxAttempts: 2 } } });
  const lash = createLash({ effects: "journaled", store: { engine: staysOpen(engine), liveness: opaqueLiveness }, clock, logger: () => undefined, tools: [write], liveReplay: replay, ...options, provider });
  const session = await lash.openSession("s");
  const { cursor } = session.observe();
  engine.reset();
  const result = await clock.runUntil(session.run("go", { onActivity: (activity) => void seen.push(activity) }));
  const answer = replay.replayAfterCursor(cursor);
  const replayed = "replayed" in answer ? answer.replayed.flatMap(({ payload }) => (payload.type === "turn_activity" ? [payload.activity] : [])) : [];
  return { seen, result, counts: engine.reset(), replayed };
}

const inputs = (activities: readonly TurnActivity[]) => activities.filter(({ type }) => type.startsWith("tool_input") || type === "tool_call_started" || type === "model_attempt_reset");
const rowOf = (activities: readonly TurnActivity[]): string => activities.find(({ type }) => type === "tool_input_started")?.correlationId ?? "none";

describe("while a model writes the arguments of a call (ME-20)", () => {
  const answers = (call: number): readonly StreamPart[] => (call === 0 ? [...written("c1", '{"te', 'xt":', '"a"}'), ...called("c1", '{"text":"a"}')] : text("t", "ok"));

  test("watchers are told what it writes, under the name and the id of the call, and then of the call", async () => {
    const { seen, result } = await watched(answers);
    expect(inputs(seen)).toMatchObject([
      { type: "tool_input_started", callId: "c1", name: "write.file" },
      { type: "tool_input_delta", callId: "c1", text: '{"te' }, { type: "tool_input_delta", text: 'xt":' }, { type: "tool_input_delta", text: '"a"}' },
      { type: "tool_input_ended", callId: "c1" },
      { type: "tool_call_started", callId: "c1", name: "write.file", args: { text: "a" } },
    ]);
    expect(new Set(inputs(seen).slice(0, 5).map(({ correlationId }) => correlationId)).size).toBe(1);
    expect(result).toMatchObject({ text: "ok", toolCalls: [{ callId: "c1", status: "success" }] });
  });

  test("nothing is written to the store for it, and who comes late is told it at once", async () => {
    const many = await watched((call) => (call === 0 ? [...written("c1", ...'{"text":"a"}'), ...called("c1", '{"text":"a"}')] : text("t", "ok")));
    const none = await watched((call) => (call === 0 ? called("c1", '{"text":"a"}').slice(1) : text("t", "ok")));
    expect(many.counts).toEqual(none.counts);
    expect(many.replayed.filter(({ type }) => type === "tool_input_delta")).toMatchObject([{ text: '{"text":"a"}' }]);
    expect(none.seen.some(({ type }) => type.startsWith("tool_input"))).toBe(false);
  });

  test("what an attempt had written is taken back with the attempt", async () => {
    const { seen } = await watched((call) => (call === 0 ? [...written("c1", '{"te'), { type: "error", error: new Error("503") }] : answers(call - 1)));
    const row = rowOf(seen);
    expect(inputs(seen).slice(0, 4)).toMatchObject([{ type: "tool_input_started" }, { type: "tool_input_delta" }, { type: "model_attempt_reset", otherCorrelationIds: [row] }, { type: "tool_input_started" }]);
  });

  test.each<[string, readonly StreamPart[]]>([
    ["the output limit", [...written("c1", '{"te'), finish("length")]],
    ["a failure", [...written("c1", '{"te'), { type: "error", error: new Error("503") }]],
  ])("what came to no call is taken back: %s", async (_how, parts) => {
    const { seen, result } = await watched(() => parts);
    expect(result.isSuccess).toBe(false);
    const starts = seen.filter(({ type }) => type === "tool_input_started");
    expect(starts.length).toBeGreaterThan(0);
    const dropped = seen.flatMap((activity) => (activity.type === "model_attempt_reset" ? (activity.otherCorrelationIds ?? []) : []));
    expect(dropped).toEqual(starts.map(({ correlationId }) => correlationId));
    expect(seen.some(({ type }) => type === "tool_input_ended")).toBe(false);
  });

  test("two calls under one id are two rows", async () => {
    const twice = [...written("call_0", '{"text":"a"}'), ...called("call_0", '{"text":"a"}'), ...written("call_0", '{"text":"b"}'), ...called("call_0", '{"text":"b"}')];
    const { seen } = await watched((call) => (call === 0 ? twice : text("t", "ok")));
    const rows = new Map<string, string>();
    for (const activity of seen) if (activity.type === "tool_input_delta") rows.set(activity.correlationId, (rows.get(activity.correlationId) ?? "") + activity.text);
    expect([...rows.values()]).toEqual(['{"text":"a"}', '{"text":"b"}']);
  });

  test("a client that does not say where they end ends them with the call", async () => {
    const { seen } = await watched((call) => (call === 0 ? [...written("c1", '{"text":"a"}'), ...called("c1", '{"text":"a"}').slice(1)] : text("t", "ok")));
    expect(inputs(seen).map(({ type }) => type)).toEqual(["tool_input_started", "tool_input_delta", "tool_input_ended", "tool_call_started"]);
  });

  test("a model that writes on for ever is stopped at the limit of an answer", async () => {
    const { result } = await watched(() => [...written("c1", ...Array<string>(200).fill("x".repeat(100))), finish("length")], { limits: { modelResponseBytes: 10_000 } });
    expect(result.errors).toMatchObject([{ code: "limit_exceeded" }]);
  });
});

describe("what a turn ended with is told once, before its commit (O-35)", () => {
  const kinds = async (options: Parameters<typeof testLash>[0], ask: object = {}) => {
    const { lash } = testLash(options);
    const session = await lash.openSession("s");
    const seen: TurnActivity[] = [];
    const { cursor } = session.observe();
    await session.run("go", { turnId: "t", onActivity: (activity) => void seen.push(activity), ...ask });
    await session.run("go", { turnId: "t", onActivity: (activity) => void seen.push(activity), ...ask });
    const told: string[] = [];
    for await (const { event } of session.subscribe(cursor)) {
      if (!event) continue;
      told.push(event.payload.type === "turn_activity" ? event.payload.activity.type : event.payload.type);
      if (event.payload.type === "committed") break;
    }
    return { told, values: seen.filter(({ type }) => type === "final_value" || type === "tool_value") };
  };

  test("as final_value where an answer of a form was asked for", async () => {
    const { told, values } = await kinds({ script: ['{"n":42}'] }, { output: { type: "object" } });
    expect(values).toMatchObject([{ type: "final_value", value: { n: 42 } }]);
    expect(told.slice(-2)).toEqual(["final_value", "committed"]);
  });

  test("as tool_value where a tool ended it", async () => {
    const answer = tool({ name: "answer", description: "", input: z.object({}), run: () => finishTurn({ a: 1 }) });
    const { told, values } = await kinds({ script: [{ toolCalls: [{ name: "answer" }] }], tools: [answer] });
    expect(values).toMatchObject([{ type: "tool_value", toolName: "answer", value: { a: 1 } }]);
    expect(told.slice(-2)).toEqual(["tool_value", "committed"]);
  });

  test("and not where it ended with an answer", async () => {
    expect((await kinds({ script: ["done"] })).values).toEqual([]);
  });
});
