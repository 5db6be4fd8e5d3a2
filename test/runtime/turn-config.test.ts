// What a turn was accepted with holds until it ends, whoever ends it and however that host is configured (T-16, OP-7).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Tool } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import type { Engine, Key } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const named = (name: string, run: () => unknown = () => `${name} did it`): Tool => tool({ name, description: `Does ${name}.`, input: z.object({}), onInterrupted: "retry", run });
const script = byToolResults([{ toolCalls: [{ name: "own" }] }, "done"]);

/** What the model was given beside the conversation. */
const givenTo = ({ model, messages, tools }: LlmRequest) => ({
  model,
  system: messages.flatMap(({ role, blocks }) => (role === "system" ? blocks.map((block) => (block.type === "text" ? block.text : "")) : [])),
  tools: tools.map(({ name, description }) => `${name}: ${description}`),
});
const GIVEN = { model: "big", system: ["Be kind.\n\nSpeak Norse."], tools: ["own: Does own."] };

interface Death {
  readonly engine: Engine;
  readonly clock: ManualClock;
}

/** Leaves a turn in flight while its first model call is made, or while its tool runs; the lease has expired. */
async function dieIn(where: "model" | "tool", options: TestLashOptions = {}): Promise<Death> {
  const [engine, clock, begun] = [memoryEngine(), manualClock(1_000), gate()];
  const process = new Mortal(engine);
  const host = testLash({
    engine: process.engine, clock, prompt: "Be kind.", tools: [named("own", () => begun.pass())],
    script: where === "model" ? [{ text: "too late", before: begun }] : script,
    ...options,
  });
  void (await host.lash.openSession("s", { prompt: "Speak Norse.", model: { id: "big" } })).run("go", { turnId: "t" });
  await begun.reached;
  process.kill();
  await clock.advance(31_000);
  return { engine, clock };
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("killed at any engine call, a turn goes on with the prompt, the tools and the model it was accepted with (T-16, OP-7, E-45)", async () => {
    const deaths = await crashEverywhere<LlmRequest[]>({
      open,
      world: () => [],
      job: async (process, clock, requests) => {
        const { lash, provider } = testLash({ engine: process.engine, clock, script, prompt: "Be kind.", tools: [] });
        const session = await lash.openSession("s", { prompt: "Speak Norse.", model: { id: "big" }, tools: [named("own")] });
        const turn = session.run("go", { turnId: "t" });
        void process.died.then(() => requests.push(...provider.requests));
        await turn;
      },
      check: async (disk, clock, requests) => {
        const next = testLash({ engine: disk, clock, script, prompt: "Be rude.", model: { id: "small" }, maxTurns: 1, tools: [named("own"), named("new")] });
        const recovered = await next.lash.recover();
        const session = await next.lash.openSession("s");
        // Accepted or not: a turn that is found in flight has all of it.
        if (recovered.length > 0) expect(recovered).toMatchObject([{ turnId: "t", result: { isSuccess: true, text: "done" } }]);
        if (recovered.length > 0) expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult own did it", "Assistant: Prose done"]);
        for (const request of [...requests, ...next.provider.requests]) expect(givenTo(request)).toEqual(GIVEN);
        expect(await heldLanes(disk)).toEqual([]);
        await next.lash.close();
      },
    });
    expect(deaths).toBeGreaterThan(10);
  });
});

describe("the host that finishes it", () => {
  test("a tool of the session that it does not have leaves the turn in flight; one that it has beyond is not offered (ME-22)", async () => {
    const death = await dieIn("tool");
    const { lash, provider } = testLash({ ...death, script, tools: [named("new")] });
    expect(await lash.recover()).toMatchObject([{ turnId: "t", error: { code: "tool_missing", details: { sessionId: "s", turnId: "t", tools: ["own"] } } }]);
    expect(provider.requests).toEqual([]);
    const right = testLash({ ...death, script, tools: [named("own"), named("new")] });
    expect(await right.lash.recover()).toMatchObject([{ result: { isSuccess: true, text: "done" } }]);
    expect(right.provider.requests.map((request) => givenTo(request).tools)).toEqual([GIVEN.tools]);
  });

  test("a tool that came with the host later cannot be called by the turn, and the next turn has it (T-16)", async () => {
    const death = await dieIn("model");
    let runs = 0;
    const wants = byToolResults([{ toolCalls: [{ name: "new" }] }, "done"]);
    const { lash, provider } = testLash({ ...death, script: wants, tools: [named("own"), named("new", () => ++runs)] });
    expect(await lash.recover()).toMatchObject([{ result: { toolCalls: [{ toolName: "new", status: "failure" }] } }]);
    expect(runs).toBe(0);
    await (await lash.openSession("s")).run("next");
    expect(givenTo(provider.requests.at(-1) ?? expect.fail()).tools).toEqual(["own: Does own.", "new: Does new."]);
  });

  test("its limit does not stop the turn, that of the turn does, also where no step was recorded yet (T-16, T-32)", async () => {
    const loops = { script: () => ({ toolCalls: [{ name: "own" }] }), tools: [named("own")] };
    const limited = await dieIn("model", { maxTurns: 2 });
    const { lash, provider } = testLash({ ...limited, ...loops });
    expect(await lash.recover()).toMatchObject([{ result: { outcome: { stop: "max_turns" } } }]);
    expect(provider.requests).toHaveLength(2);
    const free = await dieIn("model");
    expect(await testLash({ ...free, script, tools: [named("own")], maxTurns: 1 }).lash.recover()).toMatchObject([{ result: { isSuccess: true } }]);
  });

  test("with another provider the turn is provider_mismatch, naming both, and stays in flight for whoever has the right one (PP-26, PP-27, OP-7)", async () => {
    const death = await dieIn("tool");
    const other = testLash({ ...death, providerOptions: { id: "someone-else" } });
    for (let attempt = 0; attempt < 8; attempt++) {
      expect(await other.lash.recover()).toMatchObject([{ turnId: "t", error: { code: "provider_mismatch", details: { expected: "scripted", actual: "someone-else" } } }]);
    }
    expect(other.provider.requests).toEqual([]);
    const right = testLash({ ...death, script, tools: [named("own")] });
    expect(await right.lash.recover()).toMatchObject([{ result: { isSuccess: true, text: "done" } }]);
  });

  test("a turn that was found by opening its session goes on with its own configuration, the one after it with the session's (OP-7, design 7.1)", async () => {
    const death = await dieIn("tool");
    const { lash, provider } = testLash({ ...death, script, prompt: "Be rude.", tools: [named("own")] });
    await (await lash.openSession("s")).run("next");
    expect(provider.requests.map((request) => givenTo(request).system[0])).toEqual([GIVEN.system[0], "Be rude.\n\nSpeak Norse."]);
  });
});

describe("what it costs", () => {
  test("a turn writes no byte of its configuration again, however large it is, and reads nothing for it (OP-7, design 9)", async () => {
    const costOf = async (prompt: string) => {
      const read: Key[] = [];
      const engine = countingEngine(listening(memoryEngine(), (key) => read.push(key)));
      const { lash } = testLash({ engine, script: () => "done", prompt });
      const session = await lash.openSession("s");
      const isConfig = (key: Key): boolean => key[0] === "content" || key[3] === "config";
      await session.run("go", { turnId: "t1" });
      expect(read.splice(0).filter(isConfig)).toHaveLength(2);
      engine.reset();
      await session.run("go", { turnId: "t2" });
      const counts = engine.reset();
      expect(read.filter(isConfig)).toEqual([]);
      expect((await keysOf(engine)).filter((key) => key.startsWith('["content"'))).toHaveLength(1);
      return counts;
    };
    expect(await costOf("x".repeat(100_000))).toEqual(await costOf("x"));
  });

  test("a handle that has missed a commit takes over what that one recorded before it accepts anything (T-6, S-54, design 7.5)", async () => {
    const engine = memoryEngine();
    const [one, two] = [testLash({ engine, script: () => "done" }), testLash({ engine, script: () => "done", model: { id: "big" } })];
    const stale = await one.lash.openSession("s");
    await stale.run("a");
    await (await two.lash.openSession("s")).run("b");
    await stale.run("c");
    expect(one.provider.requests.map(({ model }) => model)).toEqual(["scripted-model", "big"]);
  });

  test("what no session uses any more is collected, also while a turn with another one is in flight (OP-7, FA-56)", async () => {
    const death = await dieIn("tool");
    const { lash } = testLash({ ...death, script: () => "done" });
    await (await lash.openSession("other")).run("go");
    await lash.deleteSession("other");
    expect(await lash.maintenance.collect()).toMatchObject({ deletedBlobCount: 1, retainedBlobCount: 1 });
    const loaded = await createPersistence(death.engine, { clock: death.clock }).turns.load("s", "t");
    expect(loaded?.config).toMatchObject({ policy: { model: { id: "big" } }, system: "Be kind.\n\nSpeak Norse." });
  });
});

/** Tells of every key that a write transaction gets. */
const listening = (engine: Engine, onGet: (key: Key) => void): Engine => ({
  name: engine.name,
  durable: engine.durable,
  read: (body) => engine.read(body),
  write: (body) =>
    engine.write((tx) =>
      body({
        get: (key) => (onGet(key), tx.get(key)),
        range: (from, to, options) => tx.range(from, to, options),
        prefetch: (reads) => tx.prefetch(reads),
        widen: (sessionId) => tx.widen(sessionId),
        set: (key, value) => tx.set(key, value),
        delete: (key) => tx.delete(key),
      }),
    ),
  close: () => engine.close(),
});
