// Turns that end before their model is done: limits, cut-off answers, silence (ME-10, ME-11, ME-13).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type LashOptions } from "../../src/index.ts";
import { NO_LIMIT } from "../../src/domain/session.ts";
import { plugin } from "../../src/plugins/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, countingEngine, gate, manualClock, type ProviderScript } from "../../src/testing/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { engineCases, scratchFiles } from "../support/engines.ts";
import { activitiesOf, testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";

const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
const loop: ProviderScript = () => ({ toolCalls: [{ name: "look" }] });
const fileOf = scratchFiles();
const stopped = { kind: "stopped", stop: "max_turns" };

describe("how many model calls a turn makes (ME-10)", () => {
  test("64 where nobody says anything, and the error names the option", async () => {
    const { lash, provider } = testLash({ tools: [look], script: loop });
    const session = await lash.openSession("s");
    const result = await session.run("go");
    expect(provider.requests).toHaveLength(64);
    expect(result).toMatchObject({ outcome: stopped, errors: [{ kind: "runtime", code: "max_turns", message: expect.stringContaining("`maxTurns`"), retryable: false }] });
    expect(result.toolCalls).toHaveLength(64);
  });

  test("the session goes on with the next turn", async () => {
    const { lash } = testLash({ tools: [look], script: (_request, index) => (index < 2 ? { toolCalls: [{ name: "look" }] } : "fine"), maxTurns: 2 });
    const session = await lash.openSession("s");
    expect(await session.run("go")).toMatchObject({ outcome: stopped });
    expect(await session.run("and now")).toMatchObject({ text: "fine", isSuccess: true });
  });

  test.each<[string, Pick<LashOptions, "maxTurns">, { readonly maxTurns?: number | null }, { readonly maxTurns?: number | null }, number]>([
    ["null lifts it", { maxTurns: null }, {}, {}, 70],
    ["a session's null wins over the lash's number", { maxTurns: 3 }, { maxTurns: null }, {}, 70],
    ["a turn's null wins over the session's number", {}, { maxTurns: 3 }, { maxTurns: null }, 70],
    ["a turn's number wins over a lifted one", { maxTurns: null }, {}, { maxTurns: 2 }, 2],
  ])("%s", async (_title, ofLash, ofSession, ofTurn, calls) => {
    const { lash, provider } = testLash({ ...ofLash, tools: [look], script: (_request, index) => (index < 69 ? { toolCalls: [{ name: "look" }] } : "done") });
    await (await lash.openSession("s", ofSession)).run("go", ofTurn);
    expect(provider.requests).toHaveLength(calls);
  });

  test("a limit that was lifted stays lifted when the session is opened without a word; the default is not recorded", async () => {
    const first = testLash({ tools: [look], script: () => "done" });
    await (await first.lash.openSession("lifted", { maxTurns: null })).run("go");
    await (await first.lash.openSession("silent")).run("go");
    const next = testLash({ engine: first.engine, tools: [look], script: (_request, index) => (index < 69 ? { toolCalls: [{ name: "look" }] } : "done") });
    const lifted = await next.lash.openSession("lifted");
    expect(lifted.observe().readView.policy.maxTurns).toBe(NO_LIMIT);
    expect(await lifted.run("go")).toMatchObject({ text: "done" });
    const silent = await next.lash.openSession("silent");
    expect(silent.observe().readView.policy.maxTurns).toBeNull();
  });

  test("attempts inside the ladder are not counted", async () => {
    const { lash, provider, clock } = testLash({ tools: [look], maxTurns: 2, script: (_request, index) => (index % 2 === 0 ? { failure: { message: "cut" } } : index === 1 ? { toolCalls: [{ name: "look" }] } : "done") });
    const session = await lash.openSession("s");
    expect(await clock.runUntil(session.run("go"))).toMatchObject({ text: "done", isSuccess: true });
    expect(provider.requests).toHaveLength(4);
  });
});

describe("how many tokens a turn uses (ME-10)", () => {
  const spend = (tokens: number): ProviderScript => (_request, index) => (index < 9 ? { toolCalls: [{ name: "look" }], usage: { inputTokens: tokens - 6, outputTokens: 1, cacheReadInputTokens: 3, cacheWriteInputTokens: 2 } } : "done");

  test("the call that uses the budget up is finished with its tools, and none follows; cached tokens count", async () => {
    const { lash, provider } = testLash({ tools: [look], script: spend(100), budget: { tokens: 300 } });
    const result = await (await lash.openSession("s")).run("go");
    expect(provider.requests).toHaveLength(3);
    expect(result).toMatchObject({ outcome: stopped, errors: [{ code: "token_budget", message: expect.stringContaining("`budget.tokens`") }] });
    expect(result.toolCalls).toHaveLength(3);
  });

  test("an answer that is over the budget is an answer", async () => {
    const { lash } = testLash({ script: [{ text: "long", usage: { outputTokens: 900 } }], budget: { tokens: 10 } });
    expect(await (await lash.openSession("s")).run("go")).toMatchObject({ text: "long", isSuccess: true });
  });

  test("the turn's budget wins over the session's, that over the lash's, and it is that of the accepted turn wherever it goes on", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const held = gate();
    const process = new Mortal(engine);
    const slow = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => held.pass() });
    const dying = testLash({ engine: process.engine, clock, tools: [slow], script: spend(100), budget: { tokens: 1_000 } });
    void (await dying.lash.openSession("s", { budget: { tokens: 500 } })).run("go", { turnId: "t", budget: { tokens: 200 } });
    await held.reached;
    process.kill();
    await clock.advance(31_000);
    const next = testLash({ engine, clock, tools: [look], script: spend(100) });
    expect(await clock.runUntil(next.lash.recover())).toMatchObject([{ result: { outcome: stopped, errors: [{ code: "token_budget" }] } }]);
    expect(next.provider.requests).toHaveLength(1);
  });
});

describe("how long a turn takes (ME-10)", () => {
  test("a model that is still at it is stopped, and what it had said is kept", async () => {
    const hold = gate();
    const { lash, clock } = testLash({ script: [{ text: ["half of", hold, " it"] }, "fine"], timeoutMs: 5_000 });
    const session = await lash.openSession("s");
    const running = session.run("go");
    await hold.reached;
    await clock.advance(5_000);
    expect(await running).toMatchObject({ outcome: stopped, text: "half of", errors: [{ code: "turn_timeout", message: expect.stringContaining("5000 ms") }] });
    expect(await session.run("and now")).toMatchObject({ text: "fine" });
  });

  test("tools are told, and what they did is kept", async () => {
    const hold = gate();
    let told = false;
    const slow = tool({ name: "slow", description: "", input: z.object({}), run: (_args, call) => (call.signal.addEventListener("abort", () => (told = true)), hold.pass()) });
    const { lash, clock } = testLash({ tools: [slow, look], script: [{ toolCalls: [{ name: "look" }, { name: "slow" }] }, "no"] });
    const session = await lash.openSession("s");
    const running = session.run("go", { timeoutMs: 5_000 });
    await hold.reached;
    await clock.advance(5_000);
    const result = await clock.runUntil(running);
    expect(told).toBe(true);
    expect(result).toMatchObject({ outcome: stopped, toolCalls: [{ toolName: "look", status: "success" }, { toolName: "slow", status: "cancelled" }] });
  });

  test("a turn that ended in time is left alone, and nothing is left running for it", async () => {
    const { lash, clock } = testLash({ script: () => "done", timeoutMs: 5_000 });
    const session = await lash.openSession("s");
    expect(await session.run("go")).toMatchObject({ isSuccess: true });
    await clock.advance(60_000);
    expect(await session.run("go on")).toMatchObject({ isSuccess: true });
  });

  test("the time counts from acceptance, whoever drives the turn by then", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const held = gate();
    const process = new Mortal(engine);
    const slow = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => held.pass() });
    void (await testLash({ engine: process.engine, clock, tools: [slow], script: loop }).lash.openSession("s")).run("go", { turnId: "t", timeoutMs: 20_000 });
    await held.reached;
    process.kill();
    await clock.advance(31_000);
    const again = gate();
    const next = testLash({ engine, clock, tools: [tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => again.pass() })], script: loop });
    expect(await clock.runUntil(next.lash.recover())).toMatchObject([{ result: { outcome: stopped, errors: [{ code: "turn_timeout" }] } }]);
  });

  test("a cancel that comes first wins", async () => {
    const hold = gate();
    const { lash, clock } = testLash({ script: [{ text: ["half", hold] }], timeoutMs: 5_000 });
    const turn = (await lash.openSession("s")).turn("go");
    const ended = turn.result;
    await hold.reached;
    turn.cancel();
    await clock.advance(5_000);
    expect(await ended).toMatchObject({ outcome: { stop: "cancelled" }, errors: [{ code: "cancelled" }] });
  });

  test.each([
    [{ timeoutMs: 0 }, "timeoutMs"], [{ timeoutMs: 1.5 }, "timeoutMs"], [{ timeoutMs: "5" }, "timeoutMs"], [{ budget: { tokens: 0 } }, "budget.tokens"], [{ budget: { cents: 5 } }, "cents"],
  ])("%j is refused by name before anything is durable, for lash, session and turn", async (options, field) => {
    expect(() => testLash(options as never)).toThrow(field);
    const { lash, provider } = testLash();
    await expect(lash.openSession("s", options as never)).rejects.toThrow(field);
    const session = await lash.openSession("s");
    await expect(session.run("go", options as never)).rejects.toThrow(field);
    expect(provider.requests).toHaveLength(0);
    expect(await session.run("go")).toMatchObject({ isSuccess: true });
  });
});

describe.each(engineCases())("an answer that was cut off, on $name (ME-11)", ({ open }) => {
  const cutBy: readonly (readonly [string, ProviderScript, string, string])[] = [
    ["the output limit", [{ text: "Part one", toolCalls: [{ name: "look" }], terminalReason: "output_limit" }, "next"], "output_limit", "incomplete"],
    ["a content filter", [{ text: "Part one", terminalReason: "content_filter" }, "next"], "content_filter", "provider_error"],
    ["a failure that is not tried again", [{ text: "Part one", failure: { kind: "auth", message: "no" } }, "next"], "failed", "provider_error"],
  ];

  test.each(cutBy)("by %s is kept as incomplete, in the same four writes, and shown to the next turn after a restart", async (_title, script, incomplete, stop) => {
    const engine = countingEngine(open());
    let ran = 0;
    const counted = tool({ name: "look", description: "", input: z.object({}), run: () => ++ran });
    const first = testLash({ engine, script, tools: [counted] });
    const session = await first.lash.openSession("s");
    const result = await session.run("go");
    expect(result).toMatchObject({ text: "Part one", outcome: { stop } });
    expect(result.errors).toHaveLength(1);
    expect(ran).toBe(0);
    await first.lash.close();
    const next = testLash({ engine, script: ["next"], tools: [counted] });
    const reopened = await next.lash.openSession("s");
    expect(reopened.observe().readView.messages.at(-1)).toMatchObject({ role: "Assistant", incomplete, parts: [{ kind: "Prose", content: "Part one" }] });
    expect(await reopened.run("go on")).toMatchObject({ text: "next" });
    const sent = next.provider.requests[0]?.messages.find(({ role }) => role === "assistant");
    expect(JSON.stringify(sent)).toContain("Part one");
    expect(JSON.stringify(sent)).not.toContain("toolCall");
    // The same result for whoever asks again.
    expect(await reopened.run("go", { turnId: result.turnId })).toMatchObject({ text: "Part one" });
  });
});

describe("what of a cut-off answer is kept (ME-11)", () => {
  test("its reasoning for people, no call, finished or not; text of attempts that were retried stays retracted", async () => {
    const script: ProviderScript = (_request, index) => ({ reasoning: `hm ${index}`, text: `try ${index}`, toolCalls: [{ name: "look" }], failure: { kind: "http", status: 503, message: "busy", retryable: true } });
    const { lash, clock } = testLash({ script, tools: [look], providerOptions: { reliability: { retry: { maxAttempts: 2 } } } });
    const session = await lash.openSession("s");
    const turn = session.turn("go");
    const activities = activitiesOf(turn);
    expect(await clock.runUntil(turn.result)).toMatchObject({ text: "try 1", toolCalls: [] });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Reasoning hm 1 | Prose try 1"]);
    expect((await activities).filter(({ type }) => type === "model_attempt_reset")).toHaveLength(1);
  });

  test("what a plugin's stream hook took away is not in it", async () => {
    const hold = gate();
    const quiet = plugin({ id: "quiet", build: () => ({ onText: (_context, text) => text.replaceAll("secret", "***") }) });
    const { lash } = testLash({ script: [{ text: ["a secret", hold] }], plugins: [quiet] });
    const session = await lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await hold.reached;
    turn.cancel();
    expect((await ended).text).toBe("a ***");
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose a ***"]);
  });

  test("a lash that is closed keeps nothing: the call is made again by whoever goes on", async () => {
    const hold = gate();
    const first = testLash({ script: [{ text: ["half", hold] }] });
    const left = (await first.lash.openSession("s")).run("go", { turnId: "t" }).catch((error: unknown) => error);
    await hold.reached;
    await first.clock.runUntil(first.lash.close({ graceMs: 0 }));
    expect(await left).toMatchObject({ code: "lash_closed" });
    const next = testLash({ engine: first.engine, script: ["whole"] });
    expect(await next.lash.recover()).toMatchObject([{ result: { text: "whole", errors: [] } }]);
    expect(transcriptOf(await next.lash.openSession("s"))).toEqual(["User: Text go", "Assistant: Prose whole"]);
  });

  test("a turn that is cancelled by another process keeps it, too", async () => {
    const hold = gate();
    // Not in memory, where no other process could look.
    const here = testLash({ engine: sqliteEngine(fileOf()), script: [{ text: ["half", hold] }] });
    const running = (await here.lash.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    const there = testLash({ engine: here.engine, clock: here.clock });
    await there.lash.cancelTurn("s", "t", "enough");
    await here.clock.advance(2_000);
    expect(await running).toMatchObject({ text: "half", outcome: { stop: "cancelled" }, cancellation: { reason: "enough" } });
  });

  test("a one-tool turn with an answer that was cut off takes four writes", async () => {
    const engine = countingEngine(memoryEngine());
    const { lash } = testLash({ engine, tools: [look], script: byAssistantMessages([{ toolCalls: [{ name: "look" }] }, { text: "half", terminalReason: "output_limit" }]) });
    const session = await lash.openSession("s");
    const before = engine.counts.writes;
    expect(await session.run("go")).toMatchObject({ text: "half" });
    expect(engine.counts.writes - before).toBe(4);
  });
});

describe("a provider that rests in the middle of its answer (ME-12)", () => {
  const rests: ProviderScript = (_request, index) => (index < 2 ? { text: `Part ${index}. `, terminalReason: "pause" } : "The end.");

  test("is asked to go on at once with all it said, and people read one answer", async () => {
    const { lash, provider, engine, clock } = testLash({ script: rests });
    const session = await lash.openSession("s");
    const result = await session.run("go");
    expect(result).toMatchObject({ text: "Part 0. Part 1. The end.", isSuccess: true, errors: [], outcome: { kind: "finished", value: "Part 0. Part 1. The end." } });
    expect(provider.requests.map(({ messages }) => messages.map(({ role }) => role).join())).toEqual(["user", "user,assistant", "user,assistant,assistant"]);
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose Part 0. ", "Assistant: Prose Part 1. ", "Assistant: Prose The end."]);
    // What is recorded says the same to another process.
    const next = await testLash({ engine, clock }).lash.openSession("s");
    expect(await next.run("go", { turnId: result.turnId })).toMatchObject({ text: "Part 0. Part 1. The end.", outcome: { value: "Part 0. Part 1. The end." } });
  });

  test("does not take input between, and counts against the limit", async () => {
    const hold = gate();
    const script: ProviderScript = (_request, index) => (index === 0 ? { text: ["Half. ", hold], terminalReason: "pause" } : index === 1 ? "Whole." : "heard");
    const { lash, provider } = testLash({ script });
    const session = await lash.openSession("s");
    const running = session.run("go");
    await hold.reached;
    await session.inject("wait");
    hold.open();
    expect((await running).text).toBe("heard");
    expect(JSON.stringify(provider.requests[1]?.messages)).not.toContain("wait");
    const endless = testLash({ script: () => ({ text: "on ", terminalReason: "pause" }), maxTurns: 3 });
    expect(await (await endless.lash.openSession("s")).run("go")).toMatchObject({ outcome: stopped, errors: [{ code: "max_turns" }, { code: "assistant_output_recovered_from_state" }] });
    expect(endless.provider.requests).toHaveLength(3);
  });
});
