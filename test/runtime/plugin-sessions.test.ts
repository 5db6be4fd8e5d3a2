// Plugins and the sessions they are built for: opening, state, options, recovery, leaving.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { pending, tool, type Compactor } from "../../src/index.ts";
import { plugin, type Plugin, type PluginContributions, type PluginSession } from "../../src/plugins/index.ts";
import { rollingHistory } from "../../src/rolling-history.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, gate, manualClock } from "../../src/testing/index.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { png } from "../support/pictures.ts";
import { overwrite, rowsOf } from "../support/rows.ts";

const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
const boom = (): never => {
  throw new Error("boom");
};
const made = (id: string, parts: PluginContributions | ((session: PluginSession) => PluginContributions)) =>
  plugin({ id, build: typeof parts === "function" ? parts : () => parts });
const stored = async (engine: Engine) => (await createPersistence(engine, { clock: manualClock() }).sessions.load("s", { kind: "full_graph" }))?.components.pluginSnapshot;

/** A plugin with a number as its state, and a hand on it per session. */
function counter(id = "counter", options: { readonly version?: string; readonly counts?: boolean; readonly save?: () => never } = {}) {
  const hands: { value: number; readonly loads: unknown[] }[] = [];
  const made = plugin({
    id,
    ...(options.version && { version: options.version }),
    build: () => {
      const hand = { value: 0, loads: [] as unknown[] };
      hands.push(hand);
      return {
        state: {
          revision: () => hand.value,
          save: () => options.save?.() ?? { value: hand.value },
          load: (saved) => {
            hand.loads.push(saved);
            hand.value = (saved?.state as { value: number } | undefined)?.value ?? 0;
          },
        },
        ...(options.counts !== false && { beforeTurn: () => void (hand.value += 1) }),
      };
    },
  });
  return { plugin: made, hands };
}

describe("opening a session", () => {
  test.each<[string, readonly Plugin[], string, RegExp]>([
    ["a build that throws", [made("p", boom)], "plugin_registration", /plugin p: .*boom/],
    ["a build that gives nothing", [made("p", () => null as never)], "plugin_registration", /plugin p: /],
    ["a build that takes its time", [made("p", () => Promise.resolve({}) as never)], "plugin_registration", /synchronous/],
    ["a contribution that there is not", [made("p", { beforeTrun: boom } as never)], "plugin_registration", /beforeTrun/],
    ["a hook that is no function", [made("p", { beforeTurn: 5 as never })], "plugin_registration", /beforeTurn/],
    ["a second projection", [made("p", { projectToolResult: () => "" }), made("q", { projectToolResult: () => "" })], "plugin_registration", /plugin q: .*plugin p's/],
    ["a tool that the host has", [made("p", { tools: [look] })], "duplicate_tool_name", /"look", of the host and of plugin p/],
    ["a tool that another plugin has", [made("p", { tools: [{ ...look, name: "x" }] }), made("q", { tools: [{ ...look, name: "x" }] })], "duplicate_tool_name", /"x", of plugin p and of plugin q/],
    ["a state that does not load", [made("p", { state: { revision: () => 0, save: () => 0, load: boom } })], "plugin_snapshot", /plugin p: .*boom/],
    ["materializing that throws", [made("p", { materialize: boom })], "plugin_session", /plugin p: boom/],
  ])("%s fails the open, and leaves nothing (S-29, S-34, PT-3, PT-4, PT-5, PT-22)", async (_title, plugins, code, message) => {
    let open = 0;
    const other = made("other", () => (open++, { onSessionClosed: () => void open-- }));
    const { lash, engine } = testLash({ plugins: [other, ...plugins], tools: [look] });
    await expect(lash.openSession("s")).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect([open, await stored(engine)]).toEqual([0, undefined]);
  });

  test("what is wrong with the list is said at once (FA-7, PT-28)", async () => {
    const [p, q] = [made("p", {}), made("q", {})];
    expect(() => testLash({ plugins: [p, p] })).toThrow(expect.objectContaining({ code: "plugin_registration", details: { pluginId: "p" } }));
    expect(() => testLash({ plugins: [p, { id: "x" } as never] })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "plugins[1]" } }));
    expect(() => plugin({ id: " ", build: () => ({}) })).toThrow(expect.objectContaining({ details: { field: "plugin.id" } }));
    expect(() => testLash({ plugins: ["p" as never] })).toThrow(expect.objectContaining({ details: { field: "plugins" } }));
    const { lash } = testLash({ plugins: [p] });
    await expect(lash.openSession("s", { plugins: [q, made("p", {})] })).rejects.toMatchObject({ code: "plugin_registration" });
    await expect(lash.openSession("s", { pluginOptions: { q: 1 } })).rejects.toMatchObject({ details: { field: "pluginOptions.q" } });
    await expect(lash.openSession("s", { pluginOptions: { p: 1n as never } })).rejects.toMatchObject({ code: "json_invalid" });
  });

  test("plugins are built per open, in the order of S-29, with their own options; a resumed session is not materialized again (S-28, S-29, S-34, S-86, FA-46, PT-2)", async () => {
    const order: string[] = [];
    const told = (id: string) =>
      made(id, ({ sessionId, options }) => {
        order.push(`${id} build ${sessionId} ${JSON.stringify(options)}`);
        return {
          state: { revision: () => 0, save: () => null, load: () => void order.push(`${id} load`) },
          materialize: ({ options: own }) => void order.push(`${id} materialize ${JSON.stringify(own)}`),
          onSessionRestored: ({ history }) => void order.push(`${id} restored ${history.length}`),
          onSessionClosed: () => void order.push(`${id} closed`),
        };
      });
    const { lash } = testLash({ plugins: [told("a")] });
    const options = { plugins: [told("b")], pluginOptions: { b: { x: 1 } } };
    const session = await lash.openSession("s", options);
    expect(order.splice(0)).toEqual(["a build s undefined", 'b build s {"x":1}', "a load", "b load", "a materialize undefined", 'b materialize {"x":1}', "a restored 0", "b restored 0"]);
    await session.run("go");
    const parked = await session.park();
    expect(order.splice(0)).toEqual(["a closed", "b closed"]);
    await lash.resume(parked, options);
    expect(order).toEqual(["a build s undefined", 'b build s {"x":1}', "a load", "b load", "a restored 2", "b restored 2"]);
  });

  test("two opens of one session in one lash have plugins of their own, and each leaves with its own (PT-6, PT-67)", async () => {
    const { plugin: counting, hands } = counter();
    const { lash } = testLash({ plugins: [counting], script: ["one", "two", "three"] });
    const [first, second] = [await lash.openSession("s"), await lash.openSession("s")];
    await first.run("a");
    await second.run("b");
    expect(hands.map(({ value }) => value)).toEqual([1, 2]);
    await second.close();
    await first.run("c");
    expect(hands.map(({ value }) => value)).toEqual([3, 2]);
  });

  test("a list that is changed after createLash changes nothing (FA-6, PT-35)", async () => {
    const plugins: Plugin[] = [];
    const { lash, provider } = testLash({ plugins });
    plugins.push(made("late", { prompt: () => "Late." }));
    await (await lash.openSession("s")).run("go");
    expect(provider.requests[0]?.messages).toHaveLength(1);
  });
});

describe.each(engineCases())("state on $name", ({ open }) => {
  test("is part of the turn's commit, written only when it has changed, and there at the next open (PT-23, PT-24, PT-26)", async () => {
    const engine = countingEngine(open());
    const { plugin: counting, hands } = counter("counter", { version: "2" });
    const idle = counter("idle", { counts: false });
    const { lash } = testLash({ engine, plugins: [counting, idle.plugin], script: ["one", "two"] });
    const session = await lash.openSession("s");
    engine.reset();
    await session.run("a");
    expect(engine.reset().writes).toBe(2);
    expect(await stored(engine)).toEqual({ counter: { version: "2", revision: 1, state: { value: 1 } }, idle: { version: "1", revision: 0, state: { value: 0 } } });
    await lash.close();
    const again = testLash({ engine, plugins: [counting, idle.plugin] });
    await again.lash.openSession("s");
    expect([hands[1]?.loads, idle.hands[1]?.loads]).toEqual([[{ version: "2", state: { value: 1 } }], [{ version: "1", state: { value: 0 } }]]);
    await again.lash.openSession("other");
    expect(hands[2]?.loads).toEqual([undefined]);
  });

  test("a fork starts from it, and entries of plugins that are gone vanish with the next one (PT-27)", async () => {
    const { plugin: counting } = counter();
    const gone = counter("gone");
    const engine = open();
    const { lash } = testLash({ engine, plugins: [counting, gone.plugin], script: ["one"] });
    const session = await lash.openSession("origin");
    await session.run("a");
    await session.fork({ id: "s" });
    const later = testLash({ engine, plugins: [counting], script: ["two"] });
    await (await later.lash.openSession("s")).run("b");
    expect(await stored(engine)).toEqual({ counter: { version: "1", revision: 2, state: { value: 2 } } });
  });
});

describe("state", () => {
  test("that cannot be captured is logged, and the one that was saved last stays (PT-25)", async () => {
    let fails = false;
    const { plugin: counting, hands } = counter("counter", { save: () => (fails ? boom() : (undefined as never)) });
    const { lash, engine, logged } = testLash({ plugins: [counting], script: ["one", "two", "three"] });
    const session = await lash.openSession("s");
    await session.run("a");
    fails = true;
    expect(await session.run("b")).toMatchObject({ isSuccess: true });
    expect(await stored(engine)).toMatchObject({ counter: { state: { value: 1 } } });
    expect(logged.map(({ code }) => code)).toContain("plugin_snapshot");
    fails = false;
    await session.run("c");
    expect([await stored(engine), hands[0]?.value]).toMatchObject([{ counter: { state: { value: 3 } } }, 3]);
  });

  test("of a turn that did not commit is taken back (PT-23)", async () => {
    const { plugin: counting, hands } = counter();
    let aborts = true;
    const guard = made("guard", { beforeTurn: () => (aborts ? { type: "abort_turn", code: "no", message: "no" } : undefined) });
    const { lash, engine } = testLash({ plugins: [counting, guard], script: ["one"] });
    const session = await lash.openSession("s");
    await session.run("a");
    aborts = false;
    await session.run("b");
    expect([hands[0]?.value, await stored(engine)]).toMatchObject([1, { counter: { state: { value: 1 } } }]);
  });

  test("that another process committed holds here, too (S-35)", async () => {
    const { plugin: counting, hands } = counter();
    const engine = memoryEngine();
    const [here, there] = [testLash({ engine, plugins: [counting], script: ["one", "three"] }), testLash({ engine, plugins: [counting], script: ["two"] })];
    const [session, other] = [await here.lash.openSession("s"), await there.lash.openSession("s")];
    await session.run("a");
    await other.run("b");
    await session.configure({ maxTurns: 9 });
    expect(await stored(engine)).toMatchObject({ counter: { state: { value: 2 } } });
    await session.run("c");
    expect(hands.map(({ value }) => value)).toEqual([3, 2]);
  });

  test("that changed between turns is committed when the session is left, and nothing is where nothing changed (S-44, S-51, FA-45)", async () => {
    const { plugin: counting, hands } = counter();
    const { lash, engine } = testLash({ plugins: [counting], script: ["one"] });
    const unused = await lash.openSession("unused");
    await unused.close();
    const session = await lash.openSession("s");
    await session.run("a");
    const hand = hands[1];
    if (hand) hand.value = 7;
    await session.park();
    expect(await stored(engine)).toMatchObject({ counter: { state: { value: 7 } } });
    const clean = await lash.openSession("s");
    expect(clean.observe().readView.revision).toBe(2);
    await clean.park();
    expect((await lash.openSession("s")).observe().readView.revision).toBe(2);
    expect((await lash.openSession("unused")).observe().readView.revision).toBe(0);
  });
});

test("state that cannot be committed keeps its session from being left, but not the lash from being closed (S-44)", async () => {
  const { plugin: counting, hands } = counter();
  const [engine, held] = [memoryEngine(), gate()];
  const here = testLash({ engine, plugins: [counting], script: ["one"] });
  const session = await here.lash.openSession("s");
  await session.run("a");
  const there = testLash({ engine, plugins: [counting], script: [{ text: "two", before: held }] });
  const other = (await there.lash.openSession("s")).run("b");
  await held.reached;
  const [hand] = hands;
  if (hand) hand.value = 9;
  await expect(session.park()).rejects.toMatchObject({ code: "session_execution_busy" });
  expect(session.observe().readView.revision).toBe(1);
  await here.lash.close();
  expect(here.logged).toMatchObject([{ event: "session.close_failed", code: "session_execution_busy" }]);
  held.open();
  expect(await other).toMatchObject({ text: "two" });
});

describe("a turn that is taken up", () => {
  /** Leaves a turn in flight that waits in its model. */
  async function left(plugins: readonly Plugin[], options = {}) {
    const engine = memoryEngine();
    const [clock, held] = [manualClock(1_000), gate()];
    const first = testLash({ engine, clock, plugins, tools: [look], script: byToolResults([{ toolCalls: [{ name: "look" }] }, { text: "never", before: held }]) });
    const session = await first.lash.openSession("s", options);
    void session.run("go", { turnId: "t" }).catch(() => undefined);
    await held.reached;
    const closing = first.lash.close({ graceMs: 1 });
    await clock.advance(1);
    await closing;
    return engine;
  }

  test("needs the plugins that it was accepted with: without one it stays in flight, and the error names it (OP-7, T-16)", async () => {
    const [p, q] = [made("p", {}), made("q", {})];
    const engine = await left([p, q]);
    const without = testLash({ engine, plugins: [p], tools: [look] });
    expect(await without.lash.recover()).toMatchObject([{ turnId: "t", error: { code: "plugin_missing", details: { pluginId: "q", turnId: "t" } } }]);
    const session = await without.lash.openSession("s");
    await expect(session.run("next")).rejects.toMatchObject({ code: "plugin_missing" });
    const all = testLash({ engine, plugins: [q, p, made("new", { onResponse: boom })], tools: [look], script: ["done"] });
    expect(await all.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
  });

  test("goes on with what a pending tool had changed before it waited (PT-23, PT-59, T-70)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    let key = "";
    const { plugin: counting, hands } = counter("counter", { counts: false });
    const asks = (taken: () => void) => tool({ name: "look", description: "", input: z.object({}), run: async (_args, call) => ((key = await call.completionKey()), hands.forEach((hand) => (hand.value += 1)), taken(), pending()) });
    const script = byToolResults([{ toolCalls: [{ name: "look" }] }, "done"]);
    const taken = gate();
    const first = testLash({ engine, clock, plugins: [counting], tools: [asks(taken.open)], script });
    const session = await first.lash.openSession("s");
    const running = session.run("go").catch((error: unknown) => error);
    await taken.opened;
    await first.lash.close();
    expect(await running).toMatchObject({ code: "turn_suspended" });
    const second = testLash({ engine, clock, plugins: [counting], tools: [asks(boom)], script });
    await second.lash.completions.resolve(key, { status: "ok", payload: "late" });
    await second.lash.close();
    expect(await stored(engine)).toMatchObject({ counter: { state: { value: 1 } } });
  });

  test("and was cancelled ends, though its plugin fails by now (T-63, OP-20)", async () => {
    let fails = false;
    const engine = await left([made("p", { transformContext: () => (fails ? boom() : undefined) })]);
    fails = true;
    const { lash } = testLash({ engine, plugins: [made("p", { transformContext: boom })], tools: [look] });
    expect(await lash.recover()).toMatchObject([{ error: { code: "context_prepare_turn" } }]);
    await createPersistence(engine, { clock: manualClock() }).turns.requestCancel("s", "t", { requestId: "r", origin: "lash", requestedAtMs: 0 });
    expect(await lash.recover()).toMatchObject([{ result: { outcome: { stop: "cancelled" }, toolCalls: [{ status: "success" }] } }]);
  });

  test("is recovered with the options that it was accepted with, and asks no recorded hook again (OP-7, PT-28, PT-54)", async () => {
    const seen: unknown[] = [];
    const p = made("p", ({ options }) => ({
      beforeTurn: () => void seen.push("before"),
      afterToolCall: () => void seen.push("after tool"),
      atCheckpoint: ({ checkpoint }) => void seen.push(checkpoint),
      prompt: () => void seen.push(options),
    }));
    const engine = await left([p], { pluginOptions: { p: "given" } });
    expect(seen.splice(0)).toEqual(["before", "given", "after tool", "after_work", "given"]);
    const { lash, provider } = testLash({ engine, plugins: [p], tools: [look], script: ["done"] });
    expect(await lash.recover()).toMatchObject([{ result: { text: "done" } }]);
    expect([seen, provider.requests.length]).toEqual([["given", "before_completion"], 1]);
  });

  let said = "then";
  test.each<[string, PluginContributions]>([
    ["prompt", { prompt: () => said }],
    ["view", { transformContext: ({ view }) => ({ view: [...view, { role: "User", text: said }] }) }],
    ["list of tools", { hideTools: () => (said === "now" ? ["look"] : []) }],
  ])("whose recorded calls saw another %s is not misread: it ends with the conflict, and nothing is asked again (OP-6, E-32)", async (_what, parts) => {
    said = "then";
    const p = made("p", parts);
    const engine = await left([p]);
    // As another version of the machine left it: it starts again from its input, and its calls are answered from the record.
    const control = (await rowsOf(engine)).find(({ key }) => key[0] === "turn" && key[2] === 0);
    const row = structuredClone(control?.value) as { snapshot: object };
    if (control) await overwrite(engine, { key: control.key, value: { ...row, snapshot: { ...row.snapshot, version: 0 } } as never });
    said = "now";
    const { lash, provider } = testLash({ engine, plugins: [p], tools: [look], script: ["done"] });
    expect(await lash.recover()).toMatchObject([{ result: { outcome: { stop: "runtime_error" }, errors: [{ code: "journaled_effect_replay_hash_conflict" }] } }]);
    expect(provider.requests).toEqual([]);
  });

  test("with an environment that comes out otherwise goes on with that one, as long as nothing recorded depends on it (E-32)", async () => {
    said = "then";
    const p = made("p", { transformContext: () => ({ prompt: { intro: said } }) });
    const engine = await left([p]);
    said = "now";
    const { lash, provider } = testLash({ engine, plugins: [p], tools: [look], script: ["done"] });
    expect(await lash.recover()).toMatchObject([{ result: { text: "done" } }]);
    expect(JSON.stringify(provider.requests[0]?.messages[0])).toContain("now");
  });
});

test("a change of settings goes through the plugins, and they hear of it; one that throws is skipped (S-27)", async () => {
  const heard: unknown[] = [];
  const cap = made("cap", { changeConfig: ({ current }) => ({ maxTurns: Math.min(current.maxTurns ?? 9, 3) }), onSessionConfigChanged: ({ previous, current }) => void heard.push([previous.maxTurns, current.maxTurns]) });
  const { lash, logged } = testLash({ plugins: [made("broken", { changeConfig: boom, onSessionConfigChanged: boom }), cap] });
  const session = await lash.openSession("s");
  await session.configure({ maxTurns: 8 });
  await session.configure({ maxTurns: 3 });
  expect([session.observe().readView.policy.maxTurns, heard]).toEqual([3, [[null, 3]]]);
  expect(logged).toHaveLength(2);
});

test("compact() without a compactor asks the plugins by priority; the first that makes something of it wins (S-20)", async () => {
  const asked: string[] = [];
  const compactor = (name: string, text?: string): Compactor => () => (asked.push(name), text === undefined ? null : { messages: [{ role: "Assistant", text }] });
  const plugins = [made("a", { compact: compactor("a", "by a") }), made("b", { compact: { priority: 2, run: compactor("b") } }), made("c", { compact: compactor("c", "by c") })];
  const { lash } = testLash({ plugins, script: ["one"] });
  const session = await lash.openSession("s");
  await session.run("go");
  expect(await session.compact()).toBe(true);
  expect([asked, transcriptOf(session)]).toEqual([["b", "a"], ["Assistant: Text by a"]]);
  await expect((await testLash().lash.openSession("s")).compact()).rejects.toMatchObject({ code: "invalid_argument" });
});

describe("rolling history", () => {
  /** Talks until the model reports that size, then asks once more. */
  async function shownAfter(inputTokens: number, contextWindowTokens?: number) {
    const script = Array.from({ length: 5 }, () => ({ text: "x".repeat(100), usage: { inputTokens, outputTokens: 0 } }));
    const { lash, provider } = testLash({ plugins: [rollingHistory({ reserveTokens: 100, tailTokens: 40 })], script, model: { ...(contextWindowTokens && { contextWindowTokens }) } });
    const session = await lash.openSession("s");
    await session.run({ items: [{ type: "text", text: "first" }, { type: "image_ref", id: "i" }], imageBlobs: { i: png() } });
    await session.run("second");
    await session.run("third");
    expect(transcriptOf(session)).toHaveLength(6);
    return (provider.requests[2]?.messages ?? []).map(({ role, blocks }) => `${role} ${blocks.map((block) => (block.type === "text" ? block.text.slice(0, 6) : block.type)).join("+")}`);
  }

  test("shows everything below 60 % of the window, and where window or size is not known (PP-53, PP-54)", async () => {
    const whole = ["user first+image", "assistant xxxxxx", "user second", "assistant xxxxxx", "user third"];
    expect([await shownAfter(599, 1_000), await shownAfter(5_000)]).toEqual([whole, whole]);
  });

  test("leaves old images out from 60 %, and whole turns before the last 20 000 tokens where the window is nearly full (PP-54)", async () => {
    expect(await shownAfter(600, 1_000)).toEqual(["user first+[Image", "assistant xxxxxx", "user second", "assistant xxxxxx", "user third"]);
    expect(await shownAfter(900, 1_000)).toEqual(["user second", "assistant xxxxxx", "user third"]);
  });
});
