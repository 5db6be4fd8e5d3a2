// Ending a turn that nobody can drive on: what it finished is committed, what was open is told, nothing is run (SC-33, ME-22).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { batchTool, switchFrame, tool, type Lash, type Tool } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { askTool, newAsked, quiet } from "../support/asking.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const named = (name: string, run: () => unknown = () => `${name} ran`, rest: { readonly execution?: "serial" } = {}): Tool => tool({ name, description: "", input: z.object({}), ...rest, run });
const ABANDONED = {
  isSuccess: false,
  outcome: { kind: "stopped", stop: "runtime_error" },
  errors: expect.arrayContaining([{ kind: "runtime", code: "turn_abandoned", message: "the turn was abandoned: the tools are gone", retryable: false }]),
};
const turnRows = async (engine: Engine) => (await keysOf(engine)).filter((key) => key.startsWith('["turn"'));

interface Left {
  readonly engine: Engine;
  readonly clock: ManualClock;
}

/** A process does this until its turn is where `reached` says, and dies; its lease has expired. */
async function leftAt(options: TestLashOptions & { readonly reached: Promise<unknown> }, engine: Engine = memoryEngine()): Promise<Left> {
  const { reached, ...rest } = options;
  const clock = manualClock(1_000);
  const process = new Mortal(engine);
  const { lash } = testLash({ ...rest, engine: process.engine, clock });
  void (await lash.openSession("s")).run("go", { turnId: "t" });
  await reached;
  await quiet();
  process.kill();
  await clock.advance(31_000);
  return { engine, clock };
}

const abandon = (lash: Lash) => lash.abandonTurn("s", "t", "the tools are gone");

/** Parallel `done` has its outcome recorded, `begun` and `also` run, serial `later` was not begun. */
async function leftInBatch(engine?: Engine): Promise<Left> {
  const [begun, also] = [gate(), gate()];
  return leftAt({
    reached: Promise.all([begun.reached, also.reached]),
    script: byAssistantMessages([{ text: "Working on it.", toolCalls: ["begun", "done", "later", "also"].map((name) => ({ name })) }]),
    tools: [named("begun", () => begun.pass()), named("done", async () => (await begun.reached, await also.reached, "all done")), named("later", undefined, { execution: "serial" }), named("also", () => also.pass())],
  }, engine);
}

const ENDED = [
  "User: Text go",
  "Assistant: Prose Working on it. | ToolCall {} | ToolCall {} | ToolCall {} | ToolCall {}",
  expect.stringMatching(/^User: ToolResult [^|]*tool_interrupted[^|]* \| ToolResult all done \| ToolResult [^|]*cancelled[^|]* \| ToolResult [^|]*tool_interrupted[^|]*$/),
];

describe.each(engineCases())("on $name", ({ open }) => {
  test("keeps recorded outcomes, reports what had begun as interrupted and what had not as cancelled, in call order; the next turn goes on from there (SC-33, ME-22, OP-3)", async () => {
    const left = await leftInBatch(open());
    const host = testLash({ ...left, script: ["next"], tools: [named("other")] });
    const result = await abandon(host.lash);
    expect(result).toMatchObject({ ...ABANDONED, turnId: "t", text: "Working on it.", usage: { inputTokens: 10 }, headRevision: 1 });
    expect(result.toolCalls.map(({ toolName, status }) => [toolName, status])).toEqual([["begun", "failure"], ["done", "success"], ["later", "cancelled"], ["also", "failure"]]);
    const session = await host.lash.openSession("s");
    expect(transcriptOf(session)).toEqual(ENDED);
    expect(host.provider.requests).toEqual([]);
    expect(await turnRows(left.engine)).toEqual([]);
    expect(await session.run("and now?")).toMatchObject({ text: "next", isSuccess: true });
    // Every call is answered, which a strict model asks for.
    const blocks = host.provider.requests[0]?.messages.flatMap(({ blocks: each }) => each) ?? [];
    expect(blocks.filter(({ type }) => type === "toolResult")).toHaveLength(4);
    expect(await heldLanes(left.engine)).toEqual([]);
  });

  test("killed at any engine call, it has ended the turn or left it as it was, and asking again ends it (SC-33, E-45)", async () => {
    const deaths = await crashEverywhere<{ answered: boolean }>({
      open,
      world: () => ({ answered: false }),
      prepare: async (disk, clock) => {
        await leftInBatch(disk);
        await clock.advance(31_000);
      },
      job: async (process, clock, world) => {
        const { lash } = testLash({ engine: process.engine, clock });
        expect(await abandon(lash)).toMatchObject(ABANDONED);
        world.answered = !process.isDead;
      },
      check: async (disk, clock, { answered }) => {
        const host = testLash({ engine: disk, clock });
        if (answered) expect(await turnRows(disk)).toEqual([]);
        const first = await abandon(host.lash);
        expect(first).toMatchObject(ABANDONED);
        expect(await abandon(host.lash)).toEqual({ ...first, toolCalls: first.toolCalls.map(({ args: _args, output: _output, ...call }) => call) });
        expect(transcriptOf(await host.lash.openSession("s"))).toEqual(ENDED);
        expect([await turnRows(disk), await heldLanes(disk)]).toEqual([[], []]);
        await host.lash.close();
      },
    });
    expect(deaths).toBeGreaterThan(10);
  });
});

describe("what it keeps", () => {
  test("of a turn that was accepted and not a step further, what it was asked (SC-33)", async () => {
    const hold = gate();
    const left = await leftAt({ reached: hold.reached, script: [{ text: "late", before: hold }] });
    const host = testLash({ ...left, providerOptions: { id: "someone-else" } });
    expect(await abandon(host.lash)).toMatchObject({ ...ABANDONED, text: "", toolCalls: [] });
    expect(transcriptOf(await host.lash.openSession("s"))).toEqual(["User: Text go"]);
  });

  test("of finished rounds everything, and nothing of a model call that was being made (SC-33, OP-6)", async () => {
    const hold = gate();
    const left = await leftAt({ reached: hold.reached, tools: [named("look")], script: byAssistantMessages([{ toolCalls: [{ name: "look" }] }, { text: "late", before: hold }]) });
    const host = testLash(left);
    expect(await abandon(host.lash)).toMatchObject({ ...ABANDONED, toolCalls: [{ toolName: "look", status: "success" }], usage: { inputTokens: 10 } });
    expect(transcriptOf(await host.lash.openSession("s"))).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult look ran"]);
  });

  test("of a call that waits for an answer, the answer if it has come, else that it was waiting (SC-33, PT-60)", async () => {
    for (const answers of [true, false]) {
      const asked = newAsked();
      const waiting = Promise.withResolvers<void>();
      const ask = askTool(asked);
      const left = await leftAt({ reached: waiting.promise, script: byAssistantMessages([{ toolCalls: [{ name: "ask" }] }]), tools: [{ ...ask, run: (args, call) => (waiting.resolve(), ask.run(args, call)) }] });
      const host = testLash(left);
      if (answers) await host.lash.completions.resolve(asked.keys[0] ?? "", { status: "ok", payload: "yes" });
      await quiet();
      expect(await abandon(host.lash)).toMatchObject({ ...ABANDONED, toolCalls: [{ toolName: "ask", status: answers ? "success" : "failure" }] });
      expect(transcriptOf(await host.lash.openSession("s"))[2]).toMatch(answers ? /^User: ToolResult yes$/ : /was waiting for an answer from outside/);
      expect(asked.keys).toHaveLength(1);
    }
  });

  test("of a batch call, the outcomes of its calls that have one (SC-33, OP-5)", async () => {
    const begun = gate();
    const calls = [{ tool: "done", parameters: {} }, { tool: "begun", parameters: {} }, { tool: "later", parameters: {} }];
    const left = await leftAt({
      reached: begun.reached,
      script: byAssistantMessages([{ toolCalls: [{ name: "batch", args: { tool_calls: calls } }] }]),
      tools: [batchTool(), named("begun", () => begun.pass()), named("done", async () => (await begun.reached, "all done")), named("later", undefined, { execution: "serial" })],
    });
    const host = testLash(left);
    await abandon(host.lash);
    const shown = JSON.parse((transcriptOf(await host.lash.openSession("s"))[2] ?? "").replace("User: ToolResult ", "")) as { results: object[] };
    expect(shown.results).toMatchObject([{ tool: "done", success: true, result: "all done" }, { tool: "begun", success: false, error: { code: "tool_interrupted" } }, { tool: "later", success: false }]);
  });

  test("of a turn that was taken up before, all that both processes finished (SC-33)", async () => {
    const [one, two] = [gate(), gate()];
    const script = byAssistantMessages([{ toolCalls: [{ name: "look" }] }, { toolCalls: [{ name: "dig" }] }]);
    const left = await leftAt({ reached: one.reached, script, tools: [named("look"), named("dig", () => one.pass())] });
    const second = new Mortal(left.engine);
    const dig = tool({ name: "dig", description: "", input: z.object({}), onInterrupted: "retry", run: () => two.pass() });
    void testLash({ engine: second.engine, clock: left.clock, script, tools: [named("look"), dig] }).lash.recover();
    await two.reached;
    second.kill();
    await left.clock.advance(31_000);
    const host = testLash(left);
    expect(await abandon(host.lash)).toMatchObject({ toolCalls: [{ toolName: "look", status: "success" }, { toolName: "dig", status: "failure" }] });
  });
});

describe("whom it asks", () => {
  test("a turn that a living process drives is left alone: session_execution_busy names it (SC-33)", async () => {
    const [engine, clock, hold] = [memoryEngine(), manualClock(1_000), gate()];
    const living = testLash({ engine, clock, script: [{ text: "done", before: hold }] });
    const running = (await living.lash.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    const busy = { code: "session_execution_busy", details: { sessionId: "s", turnId: "t" }, message: expect.stringContaining("cancelTurn") };
    await expect(abandon(testLash({ engine, clock }).lash)).rejects.toMatchObject(busy);
    await expect(abandon(living.lash)).rejects.toMatchObject(busy);
    hold.open();
    expect(await running).toMatchObject({ isSuccess: true, text: "done" });
    // It has ended: its result is what is given, whatever the reason.
    expect(await abandon(living.lash)).toMatchObject({ isSuccess: true, text: "done" });
  });

  test("neither sessionOptions, nor plugins, nor a provider is asked for, also where the session is open; what is shown there follows (SC-33, ME-22)", async () => {
    const left = await leftInBatch();
    let isDown = false;
    const host = testLash({ ...left, sessionOptions: () => (isDown ? Promise.reject(new Error("no database")) : {}) });
    const session = await host.lash.openSession("s");
    await quiet();
    isDown = true;
    expect(await abandon(host.lash)).toMatchObject(ABANDONED);
    expect(transcriptOf(session)).toEqual(ENDED);
  });

  test("a turn whose end was asked for ends as cancelled, by that request (SC-33, OP-20)", async () => {
    const left = await leftInBatch();
    const host = testLash({ ...left, lease: { ttlMs: 1_000_000 } });
    // Recorded by a process that died before it could end the turn.
    const dying = new Mortal(left.engine);
    void testLash({ engine: dying.engine, clock: left.clock }).lash.cancelTurn("s", "t", "first").then(() => dying.kill());
    await dying.died;
    expect(await abandon(host.lash)).toMatchObject({ outcome: { stop: "cancelled" }, errors: [{ code: "cancelled" }, { code: "assistant_output_recovered_from_state" }], cancellation: { reason: "first" } });
    expect(transcriptOf(await host.lash.openSession("s"))).toEqual(ENDED);
  });

  test("a turn that went on in another frame is ended there, by the id that it had at first (SC-33, T-68)", async () => {
    const hold = gate();
    const left = await leftAt({
      reached: hold.reached,
      tools: [tool({ name: "move", description: "", input: z.object({}), run: () => switchFrame({ frameId: "f2", task: "go on" }) })],
      script: ({ messages }) => (JSON.stringify(messages).includes("go on") ? { text: "late", before: hold } : { toolCalls: [{ name: "move" }] }),
    });
    const host = testLash({ ...left, script: ["next"] });
    expect(await abandon(host.lash)).toMatchObject(ABANDONED);
    expect(await turnRows(left.engine)).toEqual([]);
  });

  test("unknown turns, deleted sessions and reasons that cannot be are refused (SC-33)", async () => {
    const { lash } = testLash();
    await expect(abandon(lash)).rejects.toMatchObject({ code: "unknown_turn" });
    await (await lash.openSession("d")).run("go");
    await lash.deleteSession("d");
    await expect(lash.abandonTurn("d", "t", "why")).rejects.toMatchObject({ code: "session_id_retired" });
    for (const reason of ["", "  ", undefined as never, "x".repeat(5000)]) await expect(lash.abandonTurn("s", "t", reason)).rejects.toMatchObject({ code: "invalid_argument", details: { field: "reason" } });
    await expect(lash.abandonTurn("s", "", "why")).rejects.toMatchObject({ code: "invalid_argument", details: { field: "turnId" } });
    await lash.close();
    await expect(abandon(lash)).rejects.toMatchObject({ code: "lash_closed" });
  });
});
