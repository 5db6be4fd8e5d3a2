// Operations of plugins: what a host may ask of them while a session is open (plugins-tools.md section 8).

import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { defineCommand, defineQuery, defineTask, plugin, type Operation, type Plugin } from "../../src/plugins/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, manualClock } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const total = defineQuery({ name: "notes.total", description: "How many notes there are", output: z.object({ total: z.number() }) });
const add = defineCommand({ name: "notes.add", description: "Adds notes", input: z.object({ by: z.coerce.number<number>(), ask: z.string().optional() }), output: z.number() });
const slow = defineTask({ name: "notes.slow", description: "Takes its time", input: z.object({}), output: z.string() });

/** Counts notes, says so in an event, and asks a turn about them. */
function notes(inside: { readonly door?: ReturnType<typeof gate>; readonly listens?: boolean } = {}): Plugin {
  return plugin({
    id: "notes",
    build: () => {
      let count = 0;
      const operations: Operation[] = [
        total.handle((_, { history }) => ({ total: count + history.length * 1000 })),
        add.handle(({ by, ask }) => {
          count += by;
          if (by === 13) throw new Error("unlucky");
          return {
            output: by === 14 ? ("x" as never) : count,
            events: [{ type: "custom", name: "added", payload: { by } }],
            ...(ask !== undefined && { directives: [{ type: "queue_turn", input: ask, sourceKey: ask } as const] }),
          };
        }),
        slow.handle(async (_, { signal, scopeId }) => {
          count += 100;
          await inside.door?.pass();
          if (inside.listens) signal.throwIfAborted();
          return { output: scopeId };
        }),
      ];
      return { operations, state: { revision: () => count, save: () => count, load: (saved) => void (count = Number(saved?.state ?? 0)) } };
    },
  });
}

const host = (options: TestLashOptions = {}, plugins: readonly Plugin[] = [notes()]) => testLash({ plugins, script: byAssistantMessages(["one", "two", "three"]), ...options });
const stored = (engine: Engine) => createPersistence(engine, { clock: manualClock() }).sessions.load("s", { kind: "active_path" });

describe.each(engineCases())("on $name", ({ open }) => {
  test("FA-69 PT-32 a query tells what is committed at once, also while a turn runs, and writes nothing (O-9, PT-68)", async () => {
    const engine = open();
    const door = gate();
    const { lash } = host({ engine, script: async () => (await door.pass(), "one") });
    const session = await lash.openSession("s");
    const before = await keysOf(engine);
    expect(await session.plugins.query(total, {})).toEqual({ total: 0 });
    expect(await keysOf(engine)).toEqual(before);
    const running = session.run("go");
    await door.reached;
    const answer = await session.plugins.query(total, {});
    expectTypeOf(answer).toEqualTypeOf<{ total: number }>();
    expect([answer, await session.plugins.query("notes.total")]).toEqual([{ total: 0 }, { total: 0 }]);
    door.open();
    await running;
    expect(await session.plugins.query(total, {})).toEqual({ total: 2000 });
    await lash.close();
  });

  test("PT-34 a command is one commit: its events as nodes that no model is shown, its plugin's state, and the turns it asks for", async () => {
    const engine = open();
    const { lash, provider } = host({ engine });
    const session = await lash.openSession("s");
    await session.run("go");
    const { revision } = session.observe().readView;
    const receipt = await session.plugins.runCommand(add, { by: 2, ask: "what now?" });
    expectTypeOf(receipt.output).toEqualTypeOf<number>();
    expect(receipt).toMatchObject({ output: 2, eventNodeIds: [expect.any(String)], queuedTurns: [{ sourceKey: "plugin:notes:what now?", state: "deferred_next_turn" }] });
    expect(session.observe().readView.revision).toBe(revision + 1);
    expect(await session.historicNode(receipt.eventNodeIds[0] ?? "")).toMatchObject({
      body: { kind: "plugin", pluginType: "notes", payload: { type: "custom", name: "added", payload: { by: 2 } } },
      causedBy: { type: "plugin_operation", kind: "command", name: "notes.add" },
    });
    expect((await session.plugins.runCommand("notes.add", { by: 1, ask: "what now?" })).queuedTurns).toEqual(receipt.queuedTurns);
    expect(await session.queuedTurn()).toMatchObject({ text: "two" });
    expect(JSON.stringify(provider.requests[1]?.messages)).not.toContain("added");
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose one", "User: Text what now?", "Assistant: Prose two"]);
    expect((await stored(engine))?.components.pluginSnapshot).toMatchObject({ notes: { state: 3 } });
    await lash.close();
    const later = await host({ engine }).lash.openSession("s");
    expect(await later.plugins.query(total, {})).toEqual({ total: 4003 });
    expect(await heldLanes(engine)).toEqual([]);
  });
});

test("PT-34 a command that dies with its process has done all of it or nothing, wherever it dies", async () => {
  await crashEverywhere({
    open: memoryEngine,
    world: () => null,
    points: (all) => all.filter(({ when }) => when !== "inside"),
    prepare: async (engine, clock) => {
      const { lash } = host({ engine, clock });
      await (await lash.openSession("s")).plugins.runCommand(add, { by: 1 });
      await lash.close();
    },
    job: async ({ engine }, clock) => void (await (await host({ engine, clock }).lash.openSession("s")).plugins.runCommand(add, { by: 2, ask: "and?" })),
    check: async (engine, clock) => {
      const { lash } = host({ engine, clock });
      const session = await lash.openSession("s");
      const waiting = await session.pendingTurnInputs();
      const { nodes = [] } = { ...(await stored(engine)) };
      expect(["1 1 0", "3 2 1"]).toContain(`${(await session.plugins.query(total, {})).total} ${nodes.length} ${waiting.length}`);
      const { output } = await session.plugins.runCommand(add, { by: 10 });
      expect(output).toBe(waiting.length > 0 ? 13 : 11);
      await lash.close();
      expect(await heldLanes(engine)).toEqual([]);
    },
  });
});

describe("an operation that fails", () => {
  test.each([
    ["an unknown name", "notes.gone", {}, "plugin_operation_unknown", /no plugin of session s has one named "notes.gone"/],
    ["a query as a command", "notes.total", {}, "plugin_operation_unknown", /is a query/],
    ["arguments its schema refuses", "notes.add", { by: "many" }, "invalid_argument", /by: /],
    ["arguments that are no JSON", "notes.add", { by: () => 1 }, "json_invalid", /args/],
    ["a prototype among them", "notes.add", JSON.parse('{"by":1,"__proto__":{}}'), "json_invalid", /args/],
    ["a handler that throws", "notes.add", { by: 13 }, "plugin_operation_failed", /plugin notes: "notes.add": unlucky/],
    ["an output its schema refuses", "notes.add", { by: 14 }, "plugin_operation_failed", /output/],
    ["a blank source key", "notes.add", { by: 1, ask: " " }, "plugin_operation_failed", /sourceKey/],
  ] as const)("because of %s is told so, and nothing has happened (PT-33)", async (_title, name, args, code, message) => {
    const { lash, engine } = host();
    const session = await lash.openSession("s");
    await session.plugins.runCommand(add, { by: 5 });
    const before = await keysOf(engine);
    await expect(session.plugins.runCommand(name, args as never)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await keysOf(engine)).toEqual(before);
    expect([await session.plugins.query(total, {}), await heldLanes(engine)]).toEqual([{ total: 5 }, []]);
    expect((await session.plugins.runCommand(add, { by: 1 })).output).toBe(6);
  });

  test("is not there without plugins, nor after its session, and two of one name are refused (PT-5)", async () => {
    const session = await testLash().lash.openSession("s");
    await expect(session.plugins.query("x")).rejects.toMatchObject({ code: "plugin_operation_unknown" });
    const { plugins } = session;
    await session.close();
    await expect(plugins.query("x")).rejects.toMatchObject({ code: "session_closed" });
    const other = plugin({ id: "other", build: () => ({ operations: [defineQuery({ name: "notes.add", description: "" }).handle(() => null)] }) });
    await expect(host({}, [notes(), other]).lash.openSession("s")).rejects.toMatchObject({ code: "plugin_registration", message: expect.stringMatching(/plugin other: .*"notes.add" is plugin notes's/) });
    const wrong = plugin({ id: "wrong", build: () => ({ operations: [add as never] }) });
    await expect(host({}, [wrong]).lash.openSession("s")).rejects.toMatchObject({ code: "plugin_registration" });
    expect(() => defineTask({ name: " ", description: "" })).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });

  test("because its source key has another input takes back its events and its state, and holds no lease", async () => {
    const twice = defineCommand({ name: "twice", description: "", input: z.object({ input: z.string() }) });
    const asking = plugin({ id: "asking", build: () => ({ operations: [twice.handle(({ input }) => ({ output: null, events: [{ type: "status", key: "k", label: input }], directives: [{ type: "queue_turn", input, sourceKey: "k" }] }))] }) });
    const { lash, engine } = host({}, [asking]);
    const session = await lash.openSession("s");
    await session.plugins.runCommand(twice, { input: "a" });
    await expect(session.plugins.runCommand(twice, { input: "b" })).rejects.toMatchObject({ code: "store_commit_failed", details: { causeCode: "pending_turn_input_source_key_conflict" } });
    expect((await stored(engine))?.nodes).toHaveLength(1);
    expect(await heldLanes(engine)).toEqual([]);
  });
});

describe("a task", () => {
  test("PT-32 keeps its lease for as long as it takes, has a scope of its own, and turns wait for it", async () => {
    const door = gate();
    const { lash, clock, engine } = host({}, [notes({ door })]);
    const session = await lash.openSession("s");
    const task = session.plugins.runTask(slow, {});
    await door.reached;
    const turn = session.run("go");
    for (let passed = 0; passed < 65_000; passed += 5_000) await clock.advance(5_000);
    await expect((await host({ engine, clock }).lash.openSession("s")).plugins.runCommand(add, { by: 1 })).rejects.toMatchObject({ code: "session_execution_busy" });
    await expect(session.close()).rejects.toMatchObject({ code: "session_still_in_use" });
    door.open();
    expect((await task).output).toMatch(/^s:plugin_task:notes\.slow:.+/);
    expect(await turn).toMatchObject({ text: "one" });
    expect(await session.plugins.query(total, {})).toEqual({ total: 2100 });
  });

  test.each([true, false])("FA-69 that is cancelled commits nothing, whether it listens (%s) or not; one that waits is told at once", async (listens) => {
    const door = gate();
    const { lash, engine } = host({}, [notes({ door, listens })]);
    const session = await lash.openSession("s");
    const [cancel, cancelWaiting] = [new AbortController(), new AbortController()];
    const task = session.plugins.runTask(slow, {}, { signal: cancel.signal });
    await door.reached;
    const waiting = session.plugins.runTask(slow, {}, { signal: cancelWaiting.signal });
    cancelWaiting.abort(new Error("never mind"));
    await expect(waiting).rejects.toMatchObject({ code: "plugin_operation_failed", message: expect.stringMatching(/never mind/) });
    cancel.abort(new Error("enough"));
    await expect(task).rejects.toMatchObject({ code: "plugin_operation_failed", message: expect.stringMatching(/enough/) });
    await expect(session.plugins.runTask(slow, {}, { signal: cancel.signal })).rejects.toMatchObject({ message: expect.stringMatching(/enough/) });
    await session.runtime.idle();
    expect([await session.plugins.query(total, {}), await stored(engine), await heldLanes(engine)]).toEqual([{ total: 0 }, undefined, []]);
    door.open();
    await session.close();
  });

  test("that loses its lease is told so, and commits nothing (S-60)", async () => {
    const door = gate();
    const { lash, clock } = host({}, [notes({ door })]);
    const session = await lash.openSession("s");
    await session.run("go");
    const refused = session.plugins.runTask(slow, {}).catch((error: unknown) => error);
    await door.reached;
    await lash.deleteSession("s");
    for (let passed = 0; passed < 40_000; passed += 10_000) await clock.advance(10_000);
    expect(await refused).toMatchObject({ code: "session_execution_lease_lost" });
    expect(await session.plugins.query(total, {})).toEqual({ total: 2000 });
  });
});
