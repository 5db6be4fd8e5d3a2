// Where plugins meet the rest of a session: its tool registry, its children, whoever observes and traces it.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { childSessions } from "../../src/children/index.ts";
import { tool } from "../../src/index.ts";
import { plugin, type PluginContributions } from "../../src/plugins/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, manualClock } from "../../src/testing/index.ts";
import { memoryTrace } from "../../src/trace/index.ts";
import { engineCases } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";

const named = (name: string, says = name) => tool({ name, description: "", input: z.object({}), readOnly: true, run: () => says });
const made = (parts: PluginContributions, id = "p") => plugin({ id, build: () => parts });
const calling = (...names: readonly string[]) => byToolResults([{ toolCalls: names.map((name) => ({ name })) }, "done"]);

describe.each(engineCases())("on $name", ({ open }) => {
  test("a plugin's tool that was taken away stays away when its session is opened again, and is an orphan without its plugin (S-29, S-73, PT-43)", async () => {
    const engine = open();
    const plugins = [made({ tools: [named("lent"), named("other")] })];
    const tools = [named("own")];
    const first = await testLash({ engine, plugins, tools }).lash.openSession("s");
    await first.tools.setMembership("lent", false);

    const { lash, provider } = testLash({ engine, plugins, tools, script: calling("lent") });
    const again = await lash.openSession("s");
    expect(again.observe().toolCatalog.map(({ name }) => name)).toEqual(["own", "other"]);
    await again.run("go");
    expect(provider.requests[0]?.tools.map(({ name }) => name)).toEqual(["own", "other"]);
    expect(transcriptOf(again)[2]).toContain("tool_unavailable");

    const without = await testLash({ engine, tools }).lash.openSession("s");
    expect((await without.tools.state()).tools).toMatchObject({ lent: { member: false, orphaned: true }, other: { orphaned: true }, own: {} });
    expect((await without.tools.activeManifests()).map(({ id }) => id)).toEqual(["own"]);

    const back = await testLash({ engine, plugins, tools }).lash.openSession("s");
    expect((await back.tools.state()).tools).toMatchObject({ lent: { member: false }, other: {}, own: {} });
    expect(await back.tools.setMembership("lent", true)).toBeGreaterThan(1);
    expect((await back.tools.activeManifests()).map(({ id }) => id)).toEqual(["own", "lent", "other"]);
  });

  test("a child has plugins of its own, in the state that its parent committed or in none, and is told that it is no root (S-28, S-34, S-67, PT-22, PT-27)", async () => {
    const engine = open();
    const materialized: unknown[] = [];
    const counting = plugin({
      id: "counting",
      build: () => {
        let count = 0;
        return {
          tools: [named("lent")],
          beforeTurn: () => void (count += 1),
          prompt: () => `turn ${count}`,
          materialize: ({ sessionId, isRootSession, options }) => void materialized.push([sessionId, isRootSession, options]),
          state: { revision: () => count, save: () => count, load: (saved) => void (count = Number(saved?.state ?? 0)) },
        };
      },
    });
    const { lash, provider } = testLash({ engine, plugins: [counting], children: childSessions(), script: () => "ok" });
    const parent = await lash.openSession("p", { pluginOptions: { counting: { of: "p" } } });
    await parent.run("one");
    await parent.run("two");
    const fork = await parent.children.create({ id: "fork" });
    const fresh = await parent.children.create({ id: "fresh", state: "fresh" });
    await fork.run("go");
    await fresh.run("go");
    expect(provider.requests.map(({ messages }) => /turn \d/.exec(JSON.stringify(messages))?.[0])).toEqual(["turn 1", "turn 2", "turn 3", "turn 1"]);
    expect(provider.requests[2]?.tools.map(({ name }) => name)).toEqual(["lent"]);
    expect(materialized).toEqual([["p", true, { of: "p" }], ["fork", false, { of: "p" }], ["fresh", false, { of: "p" }]]);
    await lash.close();

    const later = testLash({ engine, plugins: [counting], children: childSessions(), script: () => "ok" });
    const reopened = await later.lash.openSession("fork");
    await reopened.run("on");
    expect(JSON.stringify(later.provider.requests[0]?.messages)).toContain("turn 4");
    expect(materialized.at(-1)).toEqual(["fork", false, undefined]);
  });
});

/** Notes the turns that it sees, which is its state. */
const noting = plugin({
  id: "noting",
  build: () => {
    let turns: readonly string[] = [];
    return {
      beforeTurn: ({ turnId }) => void (turns = [...turns, turnId]),
      state: { revision: () => turns.length, save: () => turns, load: (saved) => void (turns = (saved?.state as string[] | undefined) ?? []) },
    };
  },
});
const notedIn = async (engine: Engine): Promise<unknown> => (await createPersistence(engine, { clock: manualClock() }).sessions.load("s", { kind: "active_path" }))?.components.pluginSnapshot;

describe.each(engineCases())("where two processes take turns with a session, on $name,", ({ open }) => {
  const openTwo = async (first: Engine, second = first) => {
    const clock = manualClock(1_000);
    const [one, two] = await Promise.all([first, second].map((engine) => testLash({ engine, clock, plugins: [noting], script: () => "ok" }).lash.openSession("s")));
    if (!one || !two) throw new Error("two sessions");
    return [one, two] as const;
  };

  test.each(["reset", "refreshToolCatalog"] as const)("a command (%s) that one applies before its turn keeps what the other's turn left in its plugins (PT-23, PT-26, I-30)", async (kind) => {
    const engine = open();
    const [one, two] = await openTwo(engine);
    await two.run("go", { turnId: "a" });
    await one.run("go", { turnId: "b" });
    await one.commands[kind]("r", "k");
    await two.run("go", { turnId: "c" });
    expect(await notedIn(engine)).toMatchObject({ noting: { state: ["a", "b", "c"] } });
  });

  test("a change of settings of one keeps what a turn of the other left that was committed right behind it (PT-23, PT-26, FA-60)", async () => {
    const engine = open();
    let betweenCommitAndRead: (() => Promise<unknown>) | undefined;
    let writes = 0;
    const slow: Engine = {
      ...staysOpen(engine),
      write: async (body) => {
        const result = await engine.write(body);
        writes += 1;
        return result;
      },
      read: async (body) => {
        // The lease is claimed by the first write and given back with the commit.
        if (writes >= 2) {
          const meanwhile = betweenCommitAndRead;
          betweenCommitAndRead = undefined;
          await meanwhile?.();
        }
        return engine.read(body);
      },
    };
    const [one, two] = await openTwo(engine, slow);
    await two.run("go", { turnId: "a" });
    [writes, betweenCommitAndRead] = [0, () => one.run("go", { turnId: "b" })];
    await two.configure({ maxTurns: 9 });
    expect(betweenCommitAndRead).toBeUndefined();
    await two.run("go", { turnId: "c" });
    expect(await notedIn(engine)).toMatchObject({ noting: { state: ["a", "b", "c"] } });
  });
});

test("a tool that a transform lends runs in a session whose registry somebody has touched, and replaces one of its name or id (PT-14, PT-49)", async () => {
  const { lash, provider } = testLash({
    plugins: [made({ transformContext: () => ({ tools: [named("a", "lent a"), { ...named("b", "lent b"), id: "d" }] }) })],
    tools: [named("a", "own a"), named("c", "own c"), named("d", "own d")],
    script: calling("a", "b", "c"),
  });
  const session = await lash.openSession("s");
  await session.tools.setMembership("c", false);
  await session.run("go");
  expect(transcriptOf(session)[2]).toMatch(/^User: ToolResult lent a \| ToolResult lent b \| ToolResult .*c/);
  expect(provider.requests[0]?.tools.map(({ name }) => name)).toEqual(["a", "b"]);
});

test("tools that come while a turn runs are in its next model call, and what plugins say of them (T-33, PT-15, PT-45)", async () => {
  const { lash, provider } = testLash({
    plugins: [made({ prompt: () => ({ guidance: [{ content: "ask the owl", gate: { tools: ["owl"] } }] }) })],
    tools: [tool({ name: "hatch", description: "", input: z.object({}), idempotent: true, run: async () => void (await session.tools.add([named("owl")])) })],
    script: calling("hatch"),
  });
  const session = await lash.openSession("s");
  await session.tools.state();
  await session.run("go");
  const [before, after] = provider.requests.map(({ tools, messages }) => [tools.map(({ name }) => name), JSON.stringify(messages).includes("ask the owl")]);
  expect([before, after]).toEqual([[["hatch"], false], [["hatch", "owl"], true]]);
});

test("a trace tells the calls that plugins refuse and the answers that they rewrite, a pair each (TR-3, TR-4)", async () => {
  const sink = memoryTrace();
  const { lash } = testLash({
    trace: { sink },
    plugins: [made({ beforeToolCall: () => ({ type: "short_circuit_tool", output: { outcome: { status: "success", payload: "short" } } }), onResponse: (_, response) => ({ ...response, terminalDiagnostic: "seen" }) })],
    tools: [named("look")],
    script: calling("look"),
  });
  await (await lash.openSession("s")).run("go");
  await lash.close();
  const types = sink.records.map(({ type }) => type).filter((type) => /^(?:llm|tool)_call/.test(type));
  expect(types).toEqual(["llm_call_started", "llm_call_completed", "tool_call_started", "tool_call_completed", "llm_call_started", "llm_call_completed"]);
});

test("a hook that is still at work when its turn is given up is told by its signal (OP-8)", async () => {
  const asked = Promise.withResolvers<AbortSignal>();
  const { lash, clock } = testLash({ plugins: [made({ beforeTurn: ({ signal }) => (asked.resolve(signal), new Promise<undefined>(() => {})) })] });
  const turn = (await lash.openSession("s")).run("go").catch((error: unknown) => error);
  const signal = await asked.promise;
  const closing = lash.close({ graceMs: 10 });
  await Promise.resolve();
  await clock.advance(10);
  expect(await turn).toMatchObject({ code: "lash_closed" });
  expect(signal.aborted).toBe(true);
  await closing;
});
