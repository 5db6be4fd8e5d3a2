// A session's life: branches, forks, handles, parking, deletion, residency, healing (sessions.md, design 7.3 and 7.7).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Session } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { byAssistantMessages, gate, manualClock } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes, keysOf, overwrite, rowsOf } from "../support/rows.ts";

const script = byAssistantMessages(["one", "two", "three", "four", "five"]);
const FIRST = ["User: Text a", "Assistant: Prose one"];
const BOTH = [...FIRST, "User: Text b", "Assistant: Prose two"];

/** A session of two turns, `a` and `b`. */
async function talked(options: TestLashOptions = {}) {
  const host = testLash({ script, ...options });
  const session = await host.lash.openSession("s");
  await session.run("a", { turnId: "a" });
  await session.run("b", { turnId: "b" });
  return { ...host, session };
}

const said = (session: Session): readonly string[] => transcriptOf(session).map((line) => line.split(" ").at(-1) ?? "");

describe.each(engineCases())("on $name", ({ open }) => {
  describe("branch", () => {
    test("the next turn goes on from the message that was chosen; what came after stays stored as orphans (S-1, S-87, design 7.3)", async () => {
      const { session, lash, engine } = await talked({ engine: open() });
      await session.branch({ at: "a:1" });
      expect(transcriptOf(session)).toEqual(FIRST);
      expect(await session.orphanedNodeIds()).toEqual(["b:0", "b:1"]);
      await session.run("c", { turnId: "c" });
      expect(transcriptOf(session)).toEqual([...FIRST, "User: Text c", "Assistant: Prose two"]);
      expect(await session.historicNode("b:1")).toMatchObject({ parentNodeId: "b:0" });
      await lash.close();
      const reopened = await testLash({ engine }).lash.openSession("s");
      expect(said(reopened)).toEqual(["a", "one", "c", "two"]);
      expect(await reopened.orphanedNodeIds()).toEqual(["b:0", "b:1"]);
    });

    test("a turn that a dead process left in flight ends first: it never answers to a conversation that was moved under it (OP-7, S-53)", async () => {
      const [engine, clock, begun] = [open(), manualClock(1_000), gate()];
      const replies = byAssistantMessages(["one", { toolCalls: [{ name: "look" }] }, "two"]);
      const look = (run: () => unknown) => [tool({ name: "look", description: "", input: z.object({}), readOnly: true, run })];
      const dying = new Mortal(engine);
      const before = await testLash({ engine: dying.engine, clock, script: replies, tools: look(() => begun.pass()) }).lash.openSession("s");
      await before.run("a", { turnId: "a" });
      before.run("b", { turnId: "b" }).catch(() => {});
      await begun.reached;
      dying.kill();
      await clock.advance(31_000);
      const host = testLash({ engine, clock, script: replies, tools: look(() => "seen") });
      const session = await host.lash.openSession("s");
      await session.branch({ at: "a:0" });
      expect(transcriptOf(session)).toEqual(["User: Text a"]);
      expect(host.provider.requests.at(-1)?.messages).toHaveLength(5);
      expect(await session.run("b", { turnId: "b" })).toMatchObject({ text: "two", errors: [] });
      expect(await session.orphanedNodeIds()).toEqual(["a:1", "b:0", "b:1", "b:2", "b:3"]);
    });

    test("going back to nothing starts the conversation anew (design 7.3, S-1)", async () => {
      const { session, provider } = await talked({ engine: open() });
      await session.branch({ at: null });
      expect(transcriptOf(session)).toEqual([]);
      await session.run("c");
      expect(provider.requests[2]?.messages).toHaveLength(1);
      expect(await session.orphanedNodeIds()).toHaveLength(4);
    });

    test("a branch is a commit: revision and view move, usage and turn index stay, other handles follow (S-48, S-53)", async () => {
      const { session, lash } = await talked({ engine: open() });
      const other = await lash.openSession("s");
      const before = session.observe().readView;
      await session.branch({ at: "a:1" });
      expect(session.observe().readView).toMatchObject({ revision: before.revision + 1, turnIndex: 2, usage: before.usage });
      await other.run("c");
      expect(said(other)).toEqual(["a", "one", "c", "two"]);
    });

    test("an orphan or an unknown id is refused and nothing moves (S-71)", async () => {
      const { session } = await talked({ engine: open() });
      await session.branch({ at: "a:1" });
      const { revision } = session.observe().readView;
      for (const at of ["b:1", "nobody", ""]) await expect(session.branch({ at })).rejects.toMatchObject({ code: "invalid_argument" });
      expect(session.observe().readView.revision).toBe(revision);
    });

    test("while another owner runs the session it is session_execution_busy, and nothing changes (S-53, S-56)", async () => {
      const engine = open();
      const hold = gate();
      const one = await talked({ engine, script: (request, index) => (index === 2 ? { text: "held", before: hold } : (script as (...args: unknown[]) => never)(request, index)) });
      const other = await testLash({ engine, clock: one.clock }).lash.openSession("s");
      const running = one.session.run("c");
      await hold.reached;
      await expect(other.branch({ at: "a:1" })).rejects.toMatchObject({ code: "session_execution_busy" });
      hold.open();
      await running;
      expect(said(one.session)).toEqual(["a", "one", "b", "two", "c", "held"]);
    });

    test("a commit whose outcome is unknown leaves the lane to expire, a change that was refused gives it back (S-54, S-63)", async () => {
      const engine = open();
      let writesUntilFailure = Infinity;
      const failing: Engine = {
        read: (body) => engine.read(body),
        write: (body) => (writesUntilFailure-- === 0 ? Promise.reject(new Error("connection reset")) : engine.write(body)),
        name: engine.name,
        durable: engine.durable,
        close: () => engine.close(),
      };
      const { session } = await talked({ engine: failing });
      await expect(session.branch({ at: "nobody" })).rejects.toMatchObject({ code: "invalid_argument" });
      expect(await heldLanes(engine)).toEqual([]);
      writesUntilFailure = 1;
      await expect(session.branch({ at: "a:1" })).rejects.toMatchObject({ code: "store_commit_failed" });
      expect(await heldLanes(engine)).toEqual(["s"]);
      await session.branch({ at: "a:1" });
      expect(said(session)).toEqual(["a", "one"]);
      expect(await heldLanes(engine)).toEqual([]);
    });
  });

  describe("fork", () => {
    test("the new session starts with the conversation up to the message that was chosen, and the two go their own ways (design 7.3, S-1)", async () => {
      const { session, lash, engine } = await talked({ engine: open() });
      expect(await session.fork({ at: "a:1", id: "f" })).toBe("f");
      const fork = await lash.openSession("f");
      expect(transcriptOf(fork)).toEqual(FIRST);
      await fork.run("x");
      await session.run("y");
      expect(said(fork)).toEqual(["a", "one", "x", "two"]);
      expect(said(session)).toEqual(["a", "one", "b", "two", "y", "three"]);
      expect(await fork.orphanedNodeIds()).toEqual([]);
      expect(await heldLanes(engine)).toEqual([]);
    });

    test("without a message it takes the whole conversation and a fresh id; usage and turn index start at nothing (design 7.3)", async () => {
      const { session, lash } = await talked({ engine: open() });
      const fork = await lash.openSession(await session.fork());
      expect(transcriptOf(fork)).toEqual(BOTH);
      expect(fork.observe().readView).toMatchObject({ turnIndex: 0, revision: 1, usage: { inputTokens: 0 } });
    });

    test("deleting the one leaves the other whole (decision 0006, design 7.7)", async () => {
      const { session, lash } = await talked({ engine: open() });
      const id = await session.fork();
      await session.close();
      await lash.deleteSession("s");
      const fork = await lash.openSession(id);
      expect(await fork.run("c")).toMatchObject({ text: "three" });
    });

    test("a turn id that made some of its messages cannot be used again in the fork, and is refused before anything is accepted (E-29, P-13)", async () => {
      const { session, lash, engine } = await talked({ engine: open() });
      const fork = await lash.openSession(await session.fork());
      await expect(fork.run("new", { turnId: "a" })).rejects.toMatchObject({ code: "runtime_turn_commit_conflict" });
      expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
      expect(await fork.run("new", { turnId: "n" })).toMatchObject({ isSuccess: true });
    });

    test("an id in use, a deleted id and an unknown message are refused, and the session stays as it is (S-65, S-89, design 7.7)", async () => {
      const { session, lash } = await talked({ engine: open() });
      await session.fork({ id: "f" });
      await expect(session.fork({ id: "f" })).rejects.toMatchObject({ code: "invalid_argument" });
      await expect(session.fork({ id: "s" })).rejects.toMatchObject({ code: "invalid_argument" });
      await lash.deleteSession("f");
      await expect(session.fork({ id: "f" })).rejects.toMatchObject({ code: "session_id_retired" });
      await expect(session.fork({ at: "nobody", id: "g" })).rejects.toMatchObject({ code: "invalid_argument" });
      expect(await session.run("c")).toMatchObject({ text: "three" });
    });
  });

  describe("orphans", () => {
    test("tombstones hide them, vacuum removes their rows, the conversation does not change (S-41, S-87, P-48, P-49, FA-56)", async () => {
      const { session, lash } = await talked({ engine: open() });
      await session.branch({ at: "a:1" });
      expect(await lash.maintenance.orphans("s")).toEqual(["b:0", "b:1"]);
      expect(await lash.maintenance.tombstone("s", ["b:0", "b:1", "nobody"])).toBe(2);
      expect(await session.orphanedNodeIds()).toEqual([]);
      expect(await session.historicNode("b:0")).toBeUndefined();
      expect(await lash.maintenance.vacuum("s")).toMatchObject({ removedNodeCount: 2 });
      expect(await lash.maintenance.vacuum("s")).toMatchObject({ removedNodeCount: 0 });
      await session.run("c");
      expect(said(session)).toEqual(["a", "one", "c", "two"]);
    });

    test("a path cut by a tombstone goes on from where it is cut, under either residency (S-2, S-37, P-48)", async () => {
      const engine = open();
      const { session, lash } = await talked({ engine });
      expect(await lash.maintenance.tombstone("s", ["a:1"])).toBe(1);
      await session.close();
      for (const residency of ["keep_all", "active_path_only"] as const) {
        const host = testLash({ engine, script, residency });
        expect(said(await host.lash.openSession("s"))).toEqual(["b", "two"]);
        await host.lash.close();
      }
    });

    test("a leaf that was tombstoned heals to the last message, under either residency, and the next commit writes it (S-9, S-10, S-37, P-48)", async () => {
      const engine = open();
      const { session, lash } = await talked({ engine });
      await lash.maintenance.tombstone("s", ["b:1"]);
      await session.close();
      for (const residency of ["active_path_only", "keep_all"] as const) {
        const host = testLash({ engine, script, residency });
        expect(said(await host.lash.openSession("s"))).toEqual(["a", "one", "b"]);
        await host.lash.close();
      }
      const healing = testLash({ engine, script });
      const healed = await healing.lash.openSession("s");
      await healed.run("c");
      expect(said(healed)).toEqual(["a", "one", "b", "c", "two"]);
      expect(await healed.orphanedNodeIds()).toEqual([]);
    });
  });

  describe("opening", () => {
    test("a view of an opened session tells its messages as they were, whoever looks first and when: after other turns, and after it is closed (S-81)", async () => {
      const engine = open();
      const { lash } = await talked({ engine });
      await lash.close();
      const host = testLash({ engine, script });
      const session = await host.lash.openSession("s");
      const { readView } = session.observe();
      await session.configure({ maxTurns: 9 });
      const configured = session.observe().readView;
      const elsewhere = testLash({ engine, script });
      await (await elsewhere.lash.openSession("s")).run("c");
      await session.run("d");
      await Promise.all([host.lash.close(), elsewhere.lash.close()]);
      expect([readView, configured].map(({ revision, messages }) => [revision, messages.length])).toEqual([[2, 4], [3, 4]]);
      expect(transcriptOf(session)).toHaveLength(8);
    });

    test("a part of the history that cannot be read is told by whoever looks at it, and by a turn, which asks no model; the end of it by the opening (S-36, design 6)", async () => {
      const engine = open();
      const { lash } = await talked({ engine });
      await lash.close();
      const rows = (await rowsOf(engine)).filter(({ key }) => key[0] === "s" && key[2] === 2);
      expect(rows).toHaveLength(2);
      const damaged = { code: "stored_row_invalid", details: expect.objectContaining({ key: rows[0]?.key }) as unknown };
      const [first, last] = rows.map((row) => () => overwrite(engine, { ...row, value: { schemaVersion: 1, nodes: "rubbish" } }));
      await first?.();
      const host = testLash({ engine, script });
      const session = await host.lash.openSession("s");
      for (let look = 0; look < 2; look++) expect(() => session.observe().readView.messages).toThrow(expect.objectContaining(damaged));
      const failed = await session.run("c").catch((error: unknown) => error);
      expect(failed).toMatchObject({ code: expect.stringMatching(/^(stored_row_invalid|store_commit_failed)$/) as string });
      expect(host.provider.requests).toEqual([]);
      await host.lash.close();
      await last?.();
      await expect(testLash({ engine, script }).lash.openSession("s")).rejects.toMatchObject({ code: "stored_row_invalid", details: { key: rows[1]?.key } });
    });
  });

  describe("residency", () => {
    test("active_path_only shows the same conversation, reads other branches from the store, and lists the same orphans (S-40, S-41)", async () => {
      const engine = open();
      const { session, lash } = await talked({ engine });
      await session.branch({ at: "a:1" });
      await lash.close();
      const host = testLash({ engine, script, residency: "active_path_only" });
      const reopened = await host.lash.openSession("s");
      expect(transcriptOf(reopened)).toEqual(FIRST);
      expect(await reopened.historicNode("b:1")).toMatchObject({ body: { kind: "message" } });
      expect(await reopened.historicNode("nobody")).toBeUndefined();
      expect(await reopened.orphanedNodeIds()).toEqual(["b:0", "b:1"]);
      await reopened.run("c");
      expect(said(reopened)).toEqual(["a", "one", "c", "two"]);
    });

    test("it follows a leaf that another process moved (S-39)", async () => {
      const engine = open();
      const { session } = await talked({ engine });
      const other = await testLash({ engine, script, residency: "active_path_only" }).lash.openSession("s");
      await session.branch({ at: "a:1" });
      await session.run("c");
      await other.run("d");
      expect(said(other)).toEqual(["a", "one", "c", "two", "d", "three"]);
    });
  });

  describe("handles", () => {
    test("a clone shows the same and takes turns; only the last handle closes the session (FA-49, S-42)", async () => {
      const { session } = await talked({ engine: open() });
      const clone = session.clone();
      expect(said(clone)).toEqual(said(session));
      const [x, y] = await Promise.all([session.run("x"), clone.run("y")]);
      expect([x.headRevision, y.headRevision]).toEqual([3, 4]);
      await expect(session.park()).rejects.toMatchObject({ code: "session_still_in_use" });
      await expect(clone.close()).rejects.toMatchObject({ code: "session_still_in_use" });
      expect(await clone.run("z")).toMatchObject({ headRevision: 5 });
      await clone[Symbol.asyncDispose]();
      await expect(clone.run("w")).rejects.toMatchObject({ code: "session_closed" });
      await session.close();
    });

    test("close and park refuse while a turn runs, and leave it alone (S-42, FA-45, ER-22)", async () => {
      const hold = gate();
      const host = testLash({ engine: open(), script: [{ text: "slow", before: hold }] });
      const session = await host.lash.openSession("s");
      const running = session.run("go");
      await hold.reached;
      for (const leave of [() => session.close(), () => session.park()]) {
        await expect(leave()).rejects.toMatchObject({ code: "session_still_in_use", isRetryable: false, isTerminal: false });
      }
      hold.open();
      expect(await running).toMatchObject({ text: "slow" });
      await session.close();
    });

    test("a clean park commits nothing, and what is resumed is what was parked (S-43, S-44, S-46, FA-46)", async () => {
      const { session, lash, engine } = await talked({ engine: open() });
      const before = await rowsOf(engine);
      const parked = await session.park();
      expect(await rowsOf(engine)).toEqual(before);
      expect(JSON.parse(JSON.stringify(parked))).toEqual({ sessionId: "s" });
      await expect(session.run("c")).rejects.toMatchObject({ code: "session_closed" });
      const resumed = await lash.resume(parked);
      expect(transcriptOf(resumed)).toEqual(BOTH);
      expect(await heldLanes(engine)).toEqual([]);
    });

    test("a session that never committed is parked and resumed as a fresh one (S-89, S-46)", async () => {
      const { lash } = testLash({ engine: open() });
      const resumed = await lash.resume(await (await lash.openSession("new")).park());
      expect(await resumed.run("go")).toMatchObject({ headRevision: 1 });
    });
  });

  describe("deletion", () => {
    test("the session's rows are gone, its id is retired for opening, resuming, asking and forking; others stay (S-82, S-89, P-52, design 7.7)", async () => {
      const { session, lash, engine } = await talked({ engine: open() });
      const other = await lash.openSession("other");
      await other.run("hello");
      const parked = await session.park();
      expect(await lash.deleteSession("s")).toEqual({ sessionId: "s", existed: true });
      expect(await lash.deleteSession("s")).toEqual({ sessionId: "s", existed: false });
      expect(await lash.deleteSession("never")).toEqual({ sessionId: "never", existed: false });
      const retired = { code: "session_id_retired" };
      await expect(lash.resume(parked)).rejects.toMatchObject(retired);
      await expect(lash.openSession("s")).rejects.toMatchObject(retired);
      expect((await keysOf(engine)).filter((key) => key.startsWith('["s","s"') || key === '["session","s"]')).toEqual([]);
      expect(await other.run("again")).toMatchObject({ isSuccess: true });
      expect(await lash.recover()).toEqual([]);
    });

    test("an open session whose id is deleted elsewhere fails at its next turn and makes nothing anew (S-84)", async () => {
      const engine = open();
      const { session, clock } = await talked({ engine });
      await testLash({ engine, clock }).lash.deleteSession("s");
      const before = await keysOf(engine);
      await expect(session.run("c")).rejects.toMatchObject({ code: expect.stringMatching(/session_id_retired|store_commit_failed/) as string });
      await expect(session.branch({ at: null })).rejects.toMatchObject({ family: "runtime" });
      expect(await keysOf(engine)).toEqual(before);
    });

    test("deleted while its turn runs, the turn cannot commit and the session does not come back (S-84, ER-16)", async () => {
      const engine = open();
      const hold = gate();
      const host = testLash({ engine, script: [{ text: "late", before: hold }] });
      const session = await host.lash.openSession("s");
      const running = session.run("go");
      const failed = running.catch((error: unknown) => error);
      await hold.reached;
      await host.lash.deleteSession("s");
      hold.open();
      expect(await failed).toMatchObject({ family: "runtime" });
      await expect(host.lash.openSession("s")).rejects.toMatchObject({ code: "session_id_retired" });
      expect((await keysOf(engine)).filter((key) => key.startsWith('["s","s"') || key.startsWith('["turn"'))).toEqual([]);
    });
  });
});

describe("cancelRunningTurns", () => {
  test("it reaches turns that run and wait on this handle and its clones, not those of other handles, and says how many; what waits leaves nothing (T-62, S-47, FA-27)", async () => {
    const hold = gate();
    const elsewhere = gate();
    const host = testLash({ script: (_request, index) => ({ text: "x", before: index === 0 ? hold : elsewhere }) });
    const session = await host.lash.openSession("s");
    const clone = session.clone();
    const other = await host.lash.openSession("other");
    const turns = [session.run("1"), clone.run("2"), session.run("3")];
    await hold.reached;
    const untouched = other.run("4");
    await elsewhere.reached;
    expect(clone.cancelRunningTurns()).toBe(3);
    for (const turn of turns) expect(await turn).toMatchObject({ outcome: { kind: "stopped", stop: "cancelled" } });
    expect(session.cancelRunningTurns()).toBe(0);
    elsewhere.open();
    expect(await untouched).toMatchObject({ text: "x" });
    expect(session.observe().readView.turnIndex).toBe(1);
  });
});

describe("damage", () => {
  test("a leaf that names nothing heals to the last message and is written by the next commit (S-9, S-10)", async () => {
    const engine = memoryEngine();
    await (await talked({ engine })).lash.close();
    const head = (await rowsOf(engine)).find(({ key }) => key[0] === "s" && key[3] === "head");
    if (!head) throw new Error("no head");
    const text = JSON.stringify(head.value);
    expect(text).toContain('"b:1"');
    await overwrite(engine, { key: head.key, value: JSON.parse(text.replace('"b:1"', '"nowhere"')) as never });
    for (const residency of ["active_path_only", "keep_all"] as const) {
      const healing = await testLash({ engine, script, residency }).lash.openSession("s");
      expect(transcriptOf(healing)).toEqual(BOTH);
    }
    const healed = await testLash({ engine, script }).lash.openSession("s");
    await healed.run("c");
    expect((await createPersistence(engine, { clock: testLash().clock }).sessions.load("s", { kind: "full_graph" }))?.nodes.at(-2)).toMatchObject({ parentNodeId: "b:1" });
  });
});

describe("crashes", { timeout: 60_000 }, () => {
  const prepare: Parameters<typeof crashEverywhere>[0]["prepare"] = async (disk, clock) => {
    const { lash } = await talked({ engine: disk, clock });
    await lash.close();
  };

  test.each(engineCases())("a branch that dies at any engine call on $name has moved the leaf or has not; the session goes on (C-47, S-53)", async ({ open }) => {
    const seen = new Set<string>();
    await crashEverywhere({
      open, prepare,
      world: () => null,
      job: async (process, clock) => {
        const { lash } = testLash({ engine: process.engine, clock, script });
        await (await lash.openSession("s")).branch({ at: "a:1" });
        await lash.close();
      },
      check: async (disk, clock) => {
        const session = await testLash({ engine: disk, clock, script }).lash.openSession("s");
        const now = transcriptOf(session);
        expect([FIRST, BOTH]).toContainEqual(now);
        seen.add(String(now.length));
        expect(await session.orphanedNodeIds()).toEqual(now.length === 2 ? ["b:0", "b:1"] : []);
        await session.branch({ at: "a:1" });
        expect(await session.run("c")).toMatchObject({ text: "two" });
        expect(await heldLanes(disk)).toEqual([]);
      },
    });
    expect(seen).toEqual(new Set(["2", "4"]));
  });

  test.each(engineCases())("a fork that dies at any engine call on $name is there whole or not at all, can be asked for again, and its source never changes (C-47, design 7.3)", async ({ open }) => {
    const seen = new Set<string>();
    await crashEverywhere({
      open, prepare,
      world: () => null,
      job: async (process, clock) => {
        const { lash } = testLash({ engine: process.engine, clock, script });
        await (await lash.openSession("s")).fork({ at: "a:1", id: "f" });
        await lash.close();
      },
      check: async (disk, clock) => {
        const host = testLash({ engine: disk, clock, script });
        const source = await host.lash.openSession("s");
        expect(transcriptOf(source)).toEqual(BOTH);
        const before = transcriptOf(await host.lash.openSession("f"));
        expect(await createPersistence(disk, { clock }).sessions.list()).toEqual(before.length === 0 ? ["s"] : ["f", "s"]);
        expect([[], FIRST]).toContainEqual(before);
        seen.add(String(before.length));
        if (before.length === 0) await source.fork({ at: "a:1", id: "f" });
        const fork = await testLash({ engine: disk, clock, script }).lash.openSession("f");
        expect(transcriptOf(fork)).toEqual(FIRST);
        expect(await fork.run("x")).toMatchObject({ text: "two" });
        expect(await heldLanes(disk)).toEqual([]);
      },
    });
    expect(seen).toEqual(new Set(["0", "2"]));
  });

  test("a fork is one write and needs no lane: two that are made at once under one id are one session, and a session that only waits is none to write over (S-1, S-65, S-68, design 7.3)", async () => {
    const engine = countingEngine(memoryEngine());
    const { session, lash, clock } = await talked({ engine });
    engine.reset();
    const made = await Promise.allSettled([session.fork({ id: "f" }), session.fork({ id: "f", at: "a:1" })]);
    expect(engine.reset().writes).toBe(2);
    expect(made).toMatchObject([{ status: "fulfilled" }, { status: "rejected", reason: { code: "invalid_argument", details: { field: "id" } } }]);
    expect(transcriptOf(await lash.openSession("f"))).toEqual(BOTH);
    await createPersistence(engine, { clock }).sessions.create({ sessionId: "g", relation: { kind: "root" }, model: "m" });
    await expect(session.fork({ id: "g" })).rejects.toMatchObject({ code: "invalid_argument", details: { field: "id" } });
  });

  test("a deletion that dies at any engine call has deleted the session or has not; again it deletes (C-47, S-82)", async () => {
    await crashEverywhere({
      open: memoryEngine, prepare,
      world: () => null,
      job: async (process, clock) => {
        await testLash({ engine: process.engine, clock, script }).lash.deleteSession("s");
      },
      check: async (disk, clock) => {
        const { lash } = testLash({ engine: disk, clock, script });
        const { existed } = await lash.deleteSession("s");
        expect([true, false]).toContain(existed);
        await expect(lash.openSession("s")).rejects.toMatchObject({ code: "session_id_retired" });
      },
    });
  });
});
