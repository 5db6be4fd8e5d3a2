// What hooks have done beside their turn: sessions that they make, and records that they leave in the trace.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { childSessions } from "../../src/children/index.ts";
import { tool } from "../../src/index.ts";
import { plugin, type CreateSession, type HookedSession, type PluginContributions } from "../../src/plugins/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byToolResults, type ManualClock } from "../../src/testing/index.ts";
import { memoryTrace } from "../../src/trace/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { heldLanes } from "../support/rows.ts";

const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
/** Both rounds call under one id, as some providers do. */
const script = byToolResults([{ toolCalls: [{ name: "look", callId: "a" }, { name: "look", callId: "b" }] }, "never", { toolCalls: [{ name: "look", callId: "a" }] }, "done"]);
const making = (request: HookedSession = {}): CreateSession => ({ type: "create_session", request });

const makers: PluginContributions = {
  tools: [look],
  beforeTurn: () => [making({ usageSource: "before" }), making({ usageSource: "keyed", key: "k" })],
  beforeToolCall: () => making({ usageSource: "call" }),
  afterToolCall: () => making({ usageSource: "result", initialMessages: [{ role: "User", text: "look again" }] }),
  atCheckpoint: ({ checkpoint }) => making({ usageSource: checkpoint }),
  afterTurn: () => making({ usageSource: "end", start: "current" }),
};
const host = (parts: PluginContributions, options: TestLashOptions = {}) => testLash({ plugins: [plugin({ id: "p", build: () => parts })], children: childSessions(), script, ...options });
const sources = ["before", "keyed", "call", "call", "call", "result", "result", "result", "after_work", "after_work", "before_completion", "end"].toSorted();

test("S-65 T-12 T-72 hooks make sessions, each once, under the same ids wherever their turn dies", async () => {
  let expected: readonly string[] | undefined;
  const opened = (engine: Engine, clock: ManualClock) => host(makers, { engine, clock });
  await crashEverywhere({
    open: memoryEngine,
    points: (all) => all.filter(({ when }) => when === "after"),
    world: () => null,
    job: async ({ engine }, clock) => void (await (await opened(engine, clock).lash.openSession("s")).run("go", { turnId: "t" })),
    check: async (disk, clock) => {
      const { lash } = opened(disk, clock);
      await lash.recover();
      const session = await lash.openSession("s");
      await session.run("go", { turnId: "t" });
      expect(transcriptOf(session)).toHaveLength(6);
      const children = await session.children.list();
      expect(children.map(({ usageSource }) => usageSource).toSorted()).toEqual(sources);
      expected ??= children.map(({ sessionId }) => sessionId);
      expect(children.map(({ sessionId }) => sessionId)).toEqual(expected);
      expect(await heldLanes(disk)).toEqual([]);
      await lash.close();
    },
  });
  expect(expected).toHaveLength(sources.length);
});

describe.each(engineCases())("on $name, a session that a hook made", ({ open }) => {
  test("S-65 is a child that says which hook of which turn made it, and opens like any other", async () => {
    const { lash } = host({ ...makers, beforeTurn: () => making({ id: "mine", hiddenTools: ["look"], prompt: "You help." }) }, { engine: open() });
    const session = await lash.openSession("s");
    await session.run("go", { turnId: "t" });
    const children = await session.children.list();
    expect(children.find(({ sessionId }) => sessionId === "mine")).toMatchObject({ depth: 1, hiddenTools: ["look"], causedBy: { type: "plugin_hook", pluginId: "p", hook: "beforeTurn", turnId: "t" } });
    const last = children.find(({ usageSource }) => usageSource === "end");
    expect(last?.causedBy).toMatchObject({ hook: "afterTurn", turnId: "t" });
    expect(transcriptOf(await lash.openSession("mine"))).toEqual([]);
    await session.run("again", { turnId: "t2" }).catch(() => undefined);
    expect((await session.children.list()).filter(({ sessionId }) => sessionId === "mine")).toHaveLength(1);
    await lash.close();
  });
});

describe("a session that cannot be made", () => {
  const turnHooks = [["beforeTurn", "plugin_prepare_turn"], ["afterTurn", "plugin_finalize_turn"]] as const;

  test.each(turnHooks)("in %s rejects the run as %s and leaves the turn to whoever can (T-12, T-72, PT-17)", async (hook, code) => {
    const { lash, engine } = host({ [hook]: () => making({ maxDepth: 0 }) }, { script: ["done"] });
    const session = await lash.openSession("s");
    await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject({ code, cause: { code: "plugin_session_create_failed", details: { pluginId: "p", causeCode: "invalid_argument" } } });
    expect(await session.children.list()).toEqual([]);
    await lash.close();
    const mended = host({ [hook]: () => making() }, { engine, script: ["done"] });
    expect(await mended.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
    expect(await (await mended.lash.openSession("s")).children.list()).toHaveLength(1);
  });

  test("at a checkpoint ends the turn, and around a call fails the call (T-55, PT-54)", async () => {
    const failing = async (parts: PluginContributions, options: TestLashOptions = {}) => {
      const session = await host({ tools: [look], ...parts }, { script: byToolResults([{ toolCalls: [{ name: "look" }] }, "done"]), ...options }).lash.openSession("s");
      const { toolCalls, errors } = await session.run("go");
      return [...toolCalls.map(({ output }) => (output?.outcome.status === "failure" ? output.outcome.payload.code : "ran")), ...errors.map(({ code }) => code)];
    };
    const bad = () => making({ start: { sessionId: "elsewhere" } });
    expect(await failing({ atCheckpoint: bad })).toContain("plugin_checkpoint");
    for (const hook of ["beforeToolCall", "afterToolCall"]) {
      expect(await failing({ [hook]: bad })).toEqual(["plugin_session_create_failed"]);
      expect(await failing({ [hook]: () => making() }, { children: undefined as never })).toEqual(["missing_child_sessions"]);
      expect(await failing({ [hook]: () => making({ tools: [look] } as never) })).toEqual([hook === "beforeToolCall" ? "before_tool_call_failed" : "after_tool_call_failed"]);
    }
  });

  test("missing_child_sessions is the error of a turn whose lash makes none, and the turn waits for one that does", async () => {
    const engine = memoryEngine();
    const without = testLash({ engine, plugins: [plugin({ id: "p", build: () => ({ beforeTurn: () => making() }) })] });
    await expect((await without.lash.openSession("s")).run("go")).rejects.toMatchObject({ code: "missing_child_sessions" });
    await without.lash.close();
    expect(await host({ beforeTurn: () => making() }, { engine, script: ["done"] }).lash.recover()).toMatchObject([{ result: { text: "done" } }]);
  });
});

test("PT-16 a record of a plugin is in the trace under its name, without secrets; without a trace nothing happens", async () => {
  const trace = memoryTrace();
  const note = (name: string, payload: unknown) => ({ type: "emit_trace", name, payload, context: { metadata: { of: "p" }, session_id: "forged" } }) as never;
  const parts: PluginContributions = {
    tools: [look],
    beforeTurn: () => note("began", { apiKey: "sk-abcdefghijklmnopqrstuvwxyz" }),
    beforeToolCall: () => note("call", 1),
    afterToolCall: () => note("result", ["x"]),
    atCheckpoint: ({ checkpoint }) => note(checkpoint, null),
    afterTurn: () => note("ended", {}),
  };
  const session = await host(parts, { trace: { sink: trace }, script: byToolResults([{ toolCalls: [{ name: "look" }] }, "done"]) }).lash.openSession("s");
  await session.run("go", { turnId: "t" });
  const told = trace.records.filter((each) => each.type === "custom" && each.name.startsWith("plugin."));
  expect(told.map((each) => "name" in each && each.name)).toEqual(["plugin.p.began", "plugin.p.call", "plugin.p.result", "plugin.p.after_work", "plugin.p.before_completion", "plugin.p.ended"]);
  expect(told[1]).toMatchObject({ payload: { value: 1 }, context: { session_id: "s", turn_id: "t", turn_index: 0, metadata: { of: "p" } } });
  expect(JSON.stringify(told)).not.toContain("sk-abc");
  expect(await (await host(parts).lash.openSession("s")).run("go")).toMatchObject({ isSuccess: true });
  const bad = await host({ beforeTurn: () => ({ type: "emit_trace", name: " ", payload: 1 }) }, { script: ["done"] }).lash.openSession("s");
  await expect(bad.run("go")).rejects.toMatchObject({ code: "plugin_prepare_turn" });
});
