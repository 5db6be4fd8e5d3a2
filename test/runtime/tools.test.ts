// session.tools: who may be called, tools that come and go, and what of it survives (FA-61, S-72..S-74, PT-36..PT-49).

import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, pending, tool, type Session, type Tool } from "../../src/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byToolResults, gate, manualClock, scriptedProvider } from "../../src/testing/index.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf, type TestLash } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { peerBus } from "../support/peers.ts";
import { heldLanes, rowsOf } from "../support/rows.ts";

type Run = (args: Record<string, never>, call: { readonly toolName: string }) => unknown;
const named = (name: string, run: Run = () => `${name} ran`, rest: { id?: string; execution?: "serial"; onInterrupted?: "retry" } = {}): Tool =>
  tool({ name, description: "", input: z.object({}), onInterrupted: "retry", ...rest, run: run as () => unknown });
const offeredTo = ({ provider }: Pick<TestLash, "provider">, index = -1): readonly string[] => provider.requests.at(index)?.tools.map(({ name }) => name) ?? [];
const recorded = async ({ engine, clock }: Pick<TestLash, "engine" | "clock">, id = "s") => {
  const read = await createPersistence(engine, { clock }).sessions.load(id, { kind: "active_path" });
  return { revision: read?.headRevision ?? 0, state: read?.components.toolState };
};
const calling = (...names: readonly string[]) => byToolResults([{ toolCalls: names.map((name) => ({ name })) }, "done"]);
const resultsOf = (session: Session): readonly string[] => transcriptOf(session).filter((line) => line.includes("ToolResult"));

describe.each(engineCases())("on $name", ({ open }) => {
  test("what is taken away is committed when the call resolves, gone for the next turn, and gone for whoever opens the session next, after park as after close (FA-61, OP-22, S-51, S-74, PT-44)", async () => {
    const engine = open();
    const tools = [named("a"), named("b"), named("__proto__"), named("c", undefined, { id: "c-1" })];
    const host = testLash({ engine, script: () => "done", tools });
    const session = await host.lash.openSession("s");
    await session.run("go");
    expect(await session.tools.setMembership("b", false)).toBe(2);
    expect(await session.tools.setMembership(["c-1", "__proto__"], false)).toBe(3);
    expect(await recorded(host)).toMatchObject({ revision: 3, state: { generation: 3, tools: { b: { member: false }, "c-1": { manifest: { name: "c" }, member: false } } } });
    expect(await heldLanes(engine)).toEqual([]);
    await session.run("go");
    expect(offeredTo(host)).toEqual(["a"]);
    await session.tools.setMembership("__proto__", true);
    const again = await host.lash.resume(await session.park());
    expect((await again.tools.activeManifests()).map(({ name }) => name)).toEqual(["a", "__proto__"]);
    await host.lash.close();
    const next = testLash({ engine, script: () => "done", tools: [...tools, named("new")] });
    const reopened = await next.lash.openSession("s");
    await reopened.run("go");
    expect(offeredTo(next)).toEqual(["a", "__proto__", "new"]);
    expect((await reopened.tools.state()).generation).toBe(5);
  });
});

test("killed at any engine call, a session has the old membership or the new one, and the old one only where nobody was told (FA-61, E-45)", async () => {
  const seen = new Set<string>();
  await crashEverywhere<{ told: boolean }>({
    open: memoryEngine,
    world: () => ({ told: false }),
    prepare: async (disk, clock) => {
      const { lash } = testLash({ engine: disk, clock });
      await (await lash.openSession("s")).run("go");
      await lash.close();
    },
    job: async (process, clock, world) => {
      const session = await testLash({ engine: process.engine, clock, tools: [named("a"), named("b")] }).lash.openSession("s");
      await session.tools.setMembership(["a", "b"], false);
      world.told = !process.isDead;
    },
    check: async (disk, clock, { told }) => {
      const next = testLash({ engine: disk, clock, script: () => "done", tools: [named("a"), named("b")] });
      await (await next.lash.openSession("s")).run("go");
      const offered = offeredTo(next).join();
      expect(told ? [""] : ["", "a,b"]).toContain(offered);
      seen.add(offered);
      expect(await heldLanes(disk)).toEqual([]);
      await next.lash.close();
    },
  });
  expect([...seen].sort()).toEqual(["", "a,b"]);
});

test("killed at any engine call, a turn whose tool changes the tools ends with the change recorded: it is as durable as the tool's outcome (FA-61, T-33, PT-45, E-45)", async () => {
  let took = 0;
  const hosting = (process: Pick<TestLash, "engine" | "clock">) => {
    const opened: Session[] = [];
    const run = async (): Promise<string> => {
      took += 1;
      await opened[0]?.tools.setMembership("b", false);
      return "took b away";
    };
    const host = testLash({ ...process, script: calling("take"), tools: [named("take", run, { onInterrupted: "retry" }), named("b")] });
    return { ...host, open: async () => (opened.push(await host.lash.openSession("s")), opened[0] as Session) };
  };
  await crashEverywhere<{ accepted: boolean }>({
    open: memoryEngine,
    world: () => ({ accepted: false }),
    job: async (process, clock) => {
      await (await hosting({ engine: process.engine, clock }).open()).run("go", { turnId: "t" });
    },
    check: async (disk, clock) => {
      took = 0;
      const next = hosting({ engine: disk, clock });
      const session = await next.open();
      const { turnIndex } = session.observe().readView;
      if (turnIndex === 0 && (await createPersistence(disk, { clock }).turns.inFlight("s")).length === 0) return next.lash.close();
      await session.run("go", { turnId: "t" });
      expect(resultsOf(session)).toEqual(["User: ToolResult took b away"]);
      expect((await recorded(next)).state).toMatchObject({ tools: { b: { member: false } } });
      expect((await session.tools.activeManifests()).map(({ name }) => name)).toEqual(["take"]);
      await next.lash.close();
    },
  });
});

test.each(["by nobody before", "by another process that died in between"])("killed at any engine call, a turn whose tools take a tool away and give it back, run %s, ends with it there: what was undone is recorded as well as what was done (FA-61, PT-45, E-45)", async (before) => {
  const script = byToolResults([{ toolCalls: [{ name: "take" }] }, { toolCalls: [{ name: "give" }] }, { toolCalls: [{ name: "b" }] }, "done"]);
  const open = async (host: Pick<TestLash, "engine" | "clock">, onGive = (): void => undefined) => {
    const { promise, resolve } = Promise.withResolvers<Session>();
    const setting = (name: string, member: boolean, onRun = (): void => undefined) => named(name, async () => (onRun(), void (await (await promise).tools.setMembership("b", member))));
    const { lash } = testLash({ ...host, script, tools: [setting("take", false), setting("give", true, onGive), named("b")] });
    const session = await lash.openSession("s");
    resolve(session);
    return { lash, session };
  };
  const ran = await crashEverywhere({
    open: memoryEngine,
    points: (all) => all.filter(({ when }) => when !== "inside"),
    world: () => null,
    prepare: async (disk, clock) => {
      if (before === "by nobody before") return;
      const process = new Mortal(disk);
      const { session } = await open({ engine: process.engine, clock }, () => process.kill());
      await Promise.race([session.run("go", { turnId: "t" }), process.died]);
      await clock.advance(31_000);
    },
    job: async (process, clock) => void (await (await open({ engine: process.engine, clock })).session.run("go", { turnId: "t" })),
    check: async (disk, clock) => {
      const { lash, session } = await open({ engine: disk, clock });
      await session.run("go", { turnId: "t" });
      expect(resultsOf(session).at(-1)).toBe("User: ToolResult b ran");
      expect((await session.tools.activeManifests()).map(({ name }) => name)).toEqual(["take", "give", "b"]);
      await lash.close();
    },
  });
  expect(ran).toBeGreaterThan(10);
});

describe("sessions that do not use it", () => {
  test("write nothing of their tools, and reading them or adding and removing some costs no transaction (PT-44, S-74)", async () => {
    const engine = countingEngine(memoryEngine());
    const host = testLash({ engine, script: () => "done", tools: [named("a")] });
    const session = await host.lash.openSession("s");
    await session.run("go");
    engine.reset();
    await session.tools.state();
    await session.tools.remove(await session.tools.add([named("b")]));
    await session.tools.refresh();
    await session.tools.setMembership("a", true);
    const counted = engine.reset();
    expect(counted).toMatchObject({ writes: 0 });
    await session.run("go");
    expect((await recorded(host)).state).toBeUndefined();
  });

  test("a turn with one tool stays at 4 transactions where they do use it (design 9)", async () => {
    const engine = countingEngine(memoryEngine());
    const { lash } = testLash({ engine, script: (request) => (request.messages.at(-1)?.blocks.some(({ type }) => type === "toolResult") ? "done" : { toolCalls: [{ name: "a" }] }), tools: [named("a"), named("b")] });
    const session = await lash.openSession("s");
    await session.tools.setMembership("b", false);
    await session.run("go");
    engine.reset();
    await session.run("go");
    expect(engine.reset()).toMatchObject({ writes: 4, reads: 0 });
  });
});

describe("sources", () => {
  test("tools that are added are offered from the next turn on and recorded by its commit; in a new process they are orphans until they are added again, with the membership they had (PT-42, PT-43, S-73)", async () => {
    const engine = memoryEngine();
    const host = testLash({ engine, script: () => "done", tools: [named("a")] });
    const session = await host.lash.openSession("s");
    await session.tools.add([named("mail"), named("calendar", undefined, { id: "cal-1" })]);
    await session.run("go");
    expect(offeredTo(host)).toEqual(["a", "mail", "calendar"]);
    await session.tools.setMembership("mail", false);
    await host.lash.close();
    const next = testLash({ engine, script: calling("mail", "agenda"), tools: [named("a")] });
    const reopened = await next.lash.openSession("s");
    expect((await reopened.tools.state()).tools).toMatchObject({ a: {}, mail: { orphaned: true, member: false }, "cal-1": { orphaned: true, manifest: { name: "calendar" } } });
    await reopened.tools.add([named("mail"), named("agenda", undefined, { id: "cal-1" })]);
    await reopened.run("go");
    expect(offeredTo(next)).toEqual(["a", "agenda"]);
    expect(resultsOf(reopened).join()).toMatch(/there is no tool named \\"mail\\".*agenda ran/s);
  });

  test("a source that is a function is asked again by a refresh, and not by anything else; what it throws changes nothing (PT-40)", async () => {
    const { lash, provider } = testLash({ script: () => "done" });
    const session = await lash.openSession("s");
    let offered: readonly Tool[] | Error = [named("a")];
    let asked = 0;
    const read = async (): Promise<readonly Tool[]> => {
      asked += 1;
      if (offered instanceof Error) throw offered;
      return offered;
    };
    await session.tools.add(read);
    offered = [named("b")];
    await session.run("go");
    expect([asked, offeredTo({ provider })]).toEqual([1, ["a"]]);
    expect(await session.tools.refresh()).toBe(3);
    await session.run("go");
    offered = new Error("down");
    await expect(session.tools.refresh()).rejects.toThrow("down");
    expect([asked, offeredTo({ provider }), (await session.tools.state()).generation]).toEqual([3, ["b"], 3]);
  });

  test("of two refreshes at once the one that asked later stands, whichever is answered first (PT-40)", async () => {
    const session = await testLash({ script: () => "done" }).lash.openSession("s");
    const answers: ((tools: readonly Tool[]) => void)[] = [];
    let isAdded = false;
    await session.tools.add(() => (isAdded ? new Promise<readonly Tool[]>((resolve) => answers.push(resolve)) : []));
    isAdded = true;
    const [slow, fast] = [session.tools.refresh(), session.tools.refresh()];
    await setImmediate();
    answers[1]?.([named("newer")]);
    const generation = await fast;
    answers[0]?.([named("older")]);
    expect(await slow).toBe(generation);
    expect((await session.tools.activeManifests()).map(({ name }) => name)).toEqual(["newer"]);
  });

  test("clones of a session share its tools, two runtimes share what is recorded, and a source belongs to the session that added it (PT-38, FA-49)", async () => {
    const [engine, clock] = [memoryEngine(), manualClock(1_000)];
    const hosts = [testLash({ engine, clock, script: () => "done", tools: [named("a"), named("b")] }), testLash({ engine, clock, script: () => "done", tools: [named("a"), named("b")] })] as const;
    const [one, two] = await Promise.all(hosts.map(({ lash }) => lash.openSession("s")));
    if (!one || !two) throw new Error("two sessions");
    const clone = one.clone();
    const handle = await one.tools.add([named("live")]);
    await clone.tools.setMembership("a", false);
    await two.tools.add([named("own")]);
    await two.run("go");
    expect(offeredTo(hosts[1])).toEqual(["b", "own"]);
    expect((await two.tools.state()).tools).toMatchObject({ live: { orphaned: true }, a: { member: false } });
    await expect(two.tools.remove(handle)).rejects.toMatchObject({ code: "tool_reconfigure_unknown_source" });
    await one.run("go");
    expect(offeredTo(hosts[0])).toEqual(["b", "live"]);
    await clone.tools.remove(handle);
    await one.run("go");
    expect(offeredTo(hosts[0])).toEqual(["b"]);
  });

  test("a fork goes on with the tools as they were recorded (PT-27)", async () => {
    const host = testLash({ script: () => "done", tools: [named("a"), named("b")], prompt: "Core." });
    const session = await host.lash.openSession("s");
    await session.run("go");
    await session.tools.setMembership("b", false);
    const forked = await host.lash.openSession(await session.fork({ id: "f" }));
    await session.tools.setMembership("b", true);
    await forked.run("go");
    expect(offeredTo(host)).toEqual(["a"]);
    expect((await recorded(host, "f")).state).toMatchObject({ generation: 2 });
  });
});

describe("states", () => {
  test("a state is applied to the generation it was read at, and restored on any; both are committed (PT-41, PT-42, FA-61, S-72)", async () => {
    const host = testLash({ script: () => "done", tools: [named("a"), named("b")] });
    const session = await host.lash.openSession("s");
    const first = await session.tools.state();
    const { a } = first.tools;
    if (!a) throw new Error("a is listed");
    expect(await session.tools.applyState({ generation: 1, tools: { a: { ...a, member: false } } })).toBe(2);
    await expect(session.tools.applyState(first)).rejects.toMatchObject({ code: "tool_reconfigure_generation_mismatch", details: { expected: 2, actual: 1 } });
    expect(await recorded(host)).toMatchObject({ revision: 1, state: { generation: 2, tools: { a: { member: false } } } });
    expect((await session.tools.activeManifests()).map(({ name }) => name)).toEqual([]);
    const lost = { manifest: { ...a.manifest, id: "lost", name: "lost" } };
    expect(await session.tools.restoreState({ generation: 9, tools: { a, lost } })).toEqual({ generation: 9, orphaned: ["lost"] });
    expect(await recorded(host)).toMatchObject({ revision: 2, state: { generation: 9, tools: { lost: { orphaned: true } } } });
    // The same generation with other content is news, too.
    await session.tools.restoreState({ generation: 9, tools: { a } });
    expect(await recorded(host)).toMatchObject({ revision: 3, state: { generation: 9, tools: { a: {} } } });
  });

  test("a state that another owner recorded meanwhile is what a change meets under the lease (PT-41)", async () => {
    const [engine, clock] = [memoryEngine(), manualClock(1_000)];
    const hosts = [1, 2].map(() => testLash({ engine, clock, script: () => "done", tools: [named("a"), named("b")] }));
    const [one, two] = await Promise.all(hosts.map(({ lash }) => lash.openSession("s")));
    const read = await two?.tools.state();
    await one?.tools.setMembership("a", false);
    if (!two || !read) throw new Error("opened");
    await expect(two.tools.applyState(read)).rejects.toMatchObject({ code: "tool_reconfigure_generation_mismatch" });
    expect(await two.tools.setMembership("b", false)).toBe(3);
    expect((await one?.tools.restoreState(read))?.generation).toBe(1);
    expect(await heldLanes(engine)).toEqual([]);
  });

  test("what is stored as the tools' state and is none is an error of the row: nothing is opened on it, and whoever watches stays as it was (design 6)", async () => {
    const [engine, clock, bus] = [memoryEngine(), manualClock(1_000), peerBus()];
    const tab = (): Promise<Session> =>
      createLash({ store: { engine: staysOpen(engine), liveness: opaqueLiveness, peers: bus.join() }, clock, tools: [named("a")], provider: scriptedProvider(() => "done") }).openSession("s");
    const [session, watcher] = await Promise.all([tab(), tab()]);
    await session.tools.setMembership("a", false);
    await expect.poll(async () => (await watcher.tools.state()).generation).toBe(2);
    const body = (await rowsOf(engine)).find(({ value }) => value instanceof Uint8Array && new TextDecoder().decode(value).includes('"manifest"'));
    if (!body) throw new Error("a row of the state");
    const text = new TextDecoder().decode(body.value as Uint8Array).replace('"scheduling":"parallel"', '"scheduling":"paralyse"');
    await engine.write(async (tx) => tx.set(body.key, new TextEncoder().encode(text)));
    await session.run("go");
    expect((await watcher.tools.state()).generation).toBe(2);
    await expect(tab()).rejects.toMatchObject({ code: "stored_row_invalid" });
  });
});

describe("while a turn runs", () => {
  test("a change holds at once for what may run, is recorded by the turn's commit, and waits for nobody (PT-45, PT-49, OP-22)", async () => {
    const hold = gate();
    const host = testLash({ script: byToolResults([{ toolCalls: [{ name: "a" }, { name: "b" }], before: hold }, "done"]), tools: [named("a"), named("b")] });
    const session = await host.lash.openSession("s");
    const running = session.run("go");
    await hold.reached;
    expect(await session.tools.setMembership("b", false)).toBe(2);
    hold.open();
    expect((await running).headRevision).toBe(1);
    expect(resultsOf(session)[0]).toMatch(/a ran.*tool_unavailable.*tool \\"b\\" was taken away/s);
    expect(await recorded(host)).toMatchObject({ revision: 1, state: { generation: 2 } });
  });

  test("a call whose tool goes between preparing and running is not run: taken away, its source removed, dropped by a refresh (PT-49)", async () => {
    const ran: string[] = [];
    const live = (name: string): Tool => named(name, () => ran.push(name), { execution: "serial" });
    let offered = [live("refreshed")];
    const opened: Session[] = [];
    const change = async (): Promise<string> => {
      const { tools } = opened[0] as Session;
      await tools.setMembership("taken", false);
      await tools.remove(handle);
      offered = [];
      await tools.refresh();
      return "changed";
    };
    const { lash } = testLash({ script: calling("taken", "removed", "refreshed", "change"), tools: [live("taken"), named("change", change)] });
    const session = await lash.openSession("s");
    opened.push(session);
    const handle = await session.tools.add([live("removed")]);
    await session.tools.add(() => offered);
    await session.run("go");
    expect(ran).toEqual([]);
    const results = resultsOf(session)[0] ?? "";
    expect(results.match(/tool_unavailable/g)).toHaveLength(3);
    expect(results).toContain("changed");
  });

  test("what runs is what its source offers now, under the same id (PT-43)", async () => {
    const hold = gate();
    const { lash } = testLash({ script: byToolResults([{ toolCalls: [{ name: "a" }], before: hold }, "done"]) });
    const session = await lash.openSession("s");
    let offered = [named("a", () => "old")];
    await session.tools.add(() => offered);
    const running = session.run("go");
    await hold.reached;
    offered = [named("a", () => "new")];
    await session.tools.refresh();
    hold.open();
    await running;
    expect(resultsOf(session)).toEqual(["User: ToolResult new"]);
  });

  test("tools that a tool brings are in the next model call and can be called there, in a session whose tools were touched before the turn (T-33)", async () => {
    const opened: Session[] = [];
    const learn = async (): Promise<string> => (await opened[0]?.tools.add([named("skill")]), "learned");
    const host = testLash({ script: byToolResults([{ toolCalls: [{ name: "learn" }] }, { toolCalls: [{ name: "skill" }] }, "done"]), tools: [named("learn", learn)] });
    const session = await host.lash.openSession("s");
    opened.push(session);
    await session.tools.state();
    await session.run("go");
    expect(host.provider.requests.map(({ tools }) => tools.map(({ name }) => name))).toEqual([["learn"], ["learn", "skill"], ["learn", "skill"]]);
    expect(resultsOf(session)).toEqual(["User: ToolResult learned", "User: ToolResult skill ran"]);
  });

  test.each(["tool", "host"])("a turn that dies after a change that its %s made goes on with the tools as they had become (T-33, E-45)", async (who) => {
    const [engine, clock, hold] = [memoryEngine(), manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const opened: Session[] = [];
    const change = () => opened[0]?.tools.setMembership("b", false);
    const swap = async (): Promise<string> => (who === "tool" && (await change()), "swapped");
    const tools = [named("swap", swap), named("b"), named("c")];
    const script = byToolResults([{ toolCalls: [{ name: "swap" }] }, { toolCalls: [{ name: "c" }], before: hold }, "done"]);
    const dying = testLash({ engine: process.engine, clock, script, tools });
    opened.push(await dying.lash.openSession("s"));
    await opened[0]?.tools.state();
    void opened[0]?.run("go", { turnId: "t", onActivity: async ({ type }) => void (who === "host" && type === "tool_call_completed" && (await change())) });
    await hold.reached;
    process.kill();
    await clock.advance(31_000);
    const next = testLash({ engine, clock, script: byToolResults(["never", { toolCalls: [{ name: "c" }] }, "done"]), tools });
    expect(await next.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
    expect(next.provider.requests.map(({ tools: given }) => given.map(({ name }) => name))).toEqual([["swap", "c"], ["swap", "c"]]);
    expect((await recorded(next)).state).toMatchObject({ tools: { b: { member: false } } });
  });

  test("a change that its host makes before anything of the turn is journaled is gone with the process, and so for all that follows (OP-22)", async () => {
    const [engine, clock, hold] = [memoryEngine(), manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const tools = [named("a"), named("b")];
    const session = await testLash({ engine: process.engine, clock, script: [{ text: "late", before: hold }], tools }).lash.openSession("s");
    void session.run("go", { turnId: "t" });
    await hold.reached;
    await session.tools.setMembership("b", false);
    process.kill();
    await clock.advance(31_000);
    const next = testLash({ engine, clock, script: calling("b"), tools });
    expect(await next.lash.recover()).toMatchObject([{ result: { text: "done" } }]);
    expect(resultsOf(await next.lash.openSession("s"))).toEqual(["User: ToolResult b ran"]);
    expect((await recorded(next)).state).toBeUndefined();
  });

  test("a turn that is found is bound by ids: another tool of the name is not its own, and it is left to whoever has that (S-73, PT-43, ME-22)", async () => {
    const [engine, clock, hold] = [memoryEngine(), manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const dying = testLash({ engine: process.engine, clock, script: [{ text: "late", before: hold }], tools: [named("fixed", undefined, { id: "fixed-1" })] });
    const session = await dying.lash.openSession("s");
    await session.tools.add([named("mail", undefined, { id: "mail-1" }), named("gone")]);
    await session.tools.setMembership("gone", false);
    void session.run("go", { turnId: "t" });
    await hold.reached;
    process.kill();
    await clock.advance(31_000);
    const next = testLash({ engine, clock, script: calling("mail", "fixed"), tools: [named("mail", undefined, { id: "mail-2" }), named("fixed", undefined, { id: "fixed-2" })] });
    expect(await next.lash.recover()).toMatchObject([{ error: { code: "tool_missing", details: { tools: ["fixed", "mail"] } } }]);
    const renamed = testLash({ engine, clock, script: calling("mail", "fixed"), tools: [named("post", undefined, { id: "mail-1" }), named("repaired", undefined, { id: "fixed-1" })] });
    expect(await renamed.lash.recover()).toMatchObject([{ result: { text: "done" } }]);
    expect(resultsOf(await renamed.lash.openSession("s"))[0]).toMatch(/post ran.*repaired ran/s);
  });

  test("what a suspended turn owes is recorded when it is left (S-51, OP-8)", async () => {
    const [engine, clock, asked] = [memoryEngine(), manualClock(1_000), gate()];
    const ask = tool({ name: "ask", description: "", input: z.object({}), run: async (_args, call) => (await call.completionKey(), asked.open(), pending()) });
    const host = testLash({ engine, clock, script: calling("ask"), tools: [ask, named("b")] });
    const session = await host.lash.openSession("s");
    const running = session.run("go").catch((error: unknown) => error);
    await asked.opened;
    await session.tools.setMembership("b", false);
    await host.lash.close();
    expect(await running).toMatchObject({ code: "turn_suspended" });
    expect((await recorded(host)).state).toMatchObject({ tools: { b: { member: false } } });
    expect(host.logged.filter(({ level }) => level === "warn")).toEqual([]);
  });
});

describe("what is refused", () => {
  test("a lane that is held elsewhere is session_execution_busy: nothing changes, here neither (S-56)", async () => {
    const [engine, clock, hold] = [memoryEngine(), manualClock(1_000), gate()];
    const one = testLash({ engine, clock, script: ["zero", { text: "one", before: hold }], tools: [named("a")] });
    const busy = await one.lash.openSession("s");
    await busy.run("go");
    const session = await testLash({ engine, clock, tools: [named("a")] }).lash.openSession("s");
    const running = busy.run("go");
    await hold.reached;
    const before = await session.tools.state();
    await expect(session.tools.setMembership("a", false)).rejects.toMatchObject({ code: "session_execution_busy" });
    expect(await session.tools.state()).toBe(before);
    hold.open();
    await running;
  });

  test("wrong arguments, unknown ids and a closed session are errors before anything is durable (FA-61, PT-45)", async () => {
    const { lash, engine } = testLash({ tools: [named("a")] });
    const session = await lash.openSession("s");
    const { tools } = session;
    await expect(tools.setMembership(5 as never, true)).rejects.toMatchObject({ code: "invalid_argument", details: { field: "ids" } });
    await expect(tools.setMembership(["a", 5 as never], true)).rejects.toMatchObject({ code: "invalid_argument", details: { field: "ids" } });
    await expect(tools.setMembership("a", "no" as never)).rejects.toMatchObject({ code: "invalid_argument", details: { field: "member" } });
    await expect(tools.setMembership(["a", "zzz"], false)).rejects.toMatchObject({ code: "tool_reconfigure_validation", details: { toolId: "zzz" } });
    await expect(tools.add("x" as never)).rejects.toMatchObject({ code: "tool_reconfigure_validation" });
    await expect(tools.add([named("x", undefined, { id: "a" })])).rejects.toMatchObject({ code: "tool_reconfigure_validation", details: { id: "a", sources: ["host", "live:1"] } });
    await expect(tools.restoreState({ generation: 1 } as never)).rejects.toMatchObject({ code: "tool_reconfigure_validation" });
    await expect(tools.remove({ sourceId: "live:1" })).rejects.toMatchObject({ code: "tool_reconfigure_unknown_source" });
    expect(await rowsOf(engine)).toEqual([]);
    await session.close();
    for (const call of [tools.state(), tools.add([]), tools.refresh(), tools.setMembership("a", false)]) await expect(call).rejects.toMatchObject({ code: "session_closed" });
  });

  test("two tools of one id are a mistake in the wiring, in one list as over both (FA-7, PT-38)", async () => {
    const twice = { code: "duplicate_tool_name", details: { tool: "b", id: "same" } };
    expect(() => testLash({ tools: [named("a", undefined, { id: "same" }), named("b", undefined, { id: "same" })] })).toThrow(expect.objectContaining(twice) as Error);
    const { lash } = testLash({ tools: [named("a", undefined, { id: "same" })] });
    await expect(lash.openSession("s", { tools: [named("b", undefined, { id: "same" })] })).rejects.toMatchObject(twice);
  });
});
