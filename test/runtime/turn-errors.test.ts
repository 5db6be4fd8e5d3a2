// Errors that concern a turn name it and say whether it was accepted: from that follows what may be done about them (ME-25).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { childSessions } from "../../src/children/index.ts";
import { storeError } from "../../src/domain/errors.ts";
import { LashError, pending, switchFrame, tool, type Tool, type ToolCall } from "../../src/index.ts";
import type { Engine, WriteTransaction } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, manualClock } from "../../src/testing/index.ts";
import { whileTimePasses } from "../support/asking.ts";
import { engineCases } from "../support/engines.ts";
import { bury } from "../support/mortal.ts";
import { staysOpen, testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";

const one = (name: string, run: (call: ToolCall) => unknown, options: object = {}): Tool => tool({ name, description: "", input: z.object({}), ...options, run: (_, call) => run(call) });
const calling = (...names: readonly string[]) => byAssistantMessages([{ toolCalls: names.map((name) => ({ name })) }, "done"]);

/** An engine whose writes are refused as long as `refuses` says so of them. */
function refusing(disk: Engine, refuses: (nth: number) => Error | undefined) {
  const state = { armed: true, writes: 0 };
  const engine: Engine = {
    ...staysOpen(disk),
    write: <T>(body: (tx: WriteTransaction) => Promise<T>) => disk.write(async (tx) => {
      const result = await body(tx);
      const error = state.armed ? refuses(++state.writes) : undefined;
      if (error) throw error;
      return result;
    }),
  };
  return { engine, state };
}
const full = (): LashError => storeError("store_full", "the disk is full; nothing was written", { details: { store: "a.db" } });

const failed = async (asked: Promise<unknown>): Promise<LashError> => {
  const error = await asked.then(() => undefined, (thrown: unknown) => thrown);
  if (!LashError.is(error)) throw new Error(`no LashError: ${String(error)}`);
  return error;
};

/** What an error says that may be done. */
const told = (error: LashError) => ({ code: error.code, details: error.details, isRetryable: error.isRetryable, askAgain: error.askAgain });
const refused = (code: string, turnId: string) => ({ code, details: expect.objectContaining({ sessionId: "s", turnId, accepted: false }), isRetryable: true, askAgain: undefined });
const left = (code: string, turnId = "t", sessionId = "s") => ({
  code, details: expect.objectContaining({ sessionId, turnId, accepted: true }), isRetryable: false, askAgain: { sessionId, turnId },
});

describe.each(engineCases())("on $name", ({ open }) => {
  test("a store that refuses the acceptance: the same call may be made again, and says it once (ME-25)", async () => {
    const { engine } = refusing(open(), (nth) => (nth === 1 ? full() : undefined));
    const session = await testLash({ engine }).lash.openSession("s");
    const error = await failed(session.run("go", { turnId: "t" }));
    expect(told(error)).toEqual(refused("store_commit_failed", "t"));
    expect(error.message).toContain("turn t of session s was not accepted");
    await session.run("go");
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose done"]);
  });

  test("a store that refuses a later write: the turn is asked for by its id, also where the runtime chose that, and nothing says that nothing was written (ME-25)", async () => {
    for (const nth of [2, 3, 4]) {
      const { engine } = refusing(open(), (write) => (write === nth ? full() : undefined));
      const session = await testLash({ engine, tools: [one("look", () => "seen", { readOnly: true })], script: calling("look") }).lash.openSession("s");
      const error = await failed(session.run("go"));
      const { turnId = "" } = error.askAgain ?? {};
      expect(told(error)).toEqual(left("store_commit_failed", turnId));
      expect(error.message).toMatch(new RegExp(`^turn ${turnId} of session s is accepted and stays in flight, because the store \\(a.db\\) is full; make room`));
      expect(error.message).not.toMatch(/nothing was/);
      expect(LashError.fromJSON(JSON.parse(JSON.stringify(error)))).toMatchObject({ isRetryable: false, askAgain: error.askAgain });
      expect(await session.run("go", { turnId })).toMatchObject({ text: "done" });
      expect(transcriptOf(session)).toHaveLength(4);
    }
  });

  test("a turn that does not wait for another owner of its session: a new one was not accepted and may be asked again; the one that runs is asked for by its id (ME-25)", async () => {
    const [engine, clock, hold] = [open(), manualClock(1_000), gate()];
    const options = { clock, script: calling("look"), tools: [one("look", () => hold.pass())] };
    const first = await testLash({ engine, ...options }).lash.openSession("s");
    const running = first.run("go", { turnId: "t" });
    await hold.reached;
    const second = await testLash({ engine, ...options }).lash.openSession("s");
    expect(told(await failed(second.run("me", { turnId: "mine", wait: false })))).toEqual(refused("session_execution_busy", "mine"));
    const same = await failed(second.run("go", { turnId: "t", wait: false }));
    expect(told(same)).toEqual(left("session_execution_busy"));
    expect(same.message).not.toMatch(/not accepted|nothing/);
    hold.open();
    expect((await running).text).toBe("done");
    expect(await second.run("go", { turnId: "t" })).toMatchObject({ text: "done" });
    expect(transcriptOf(second)).toHaveLength(4);
  });

  test("a lash that is closed: the turn that runs is accepted, the one that waits behind it is not (ME-25)", async () => {
    const hold = gate();
    const { lash, clock } = testLash({ engine: open(), script: calling("look"), tools: [one("look", () => hold.pass())] });
    const session = await lash.openSession("s");
    const [running, behind] = [failed(session.run("go", { turnId: "t" })), failed(session.run("me", { turnId: "mine" }))];
    await hold.reached;
    const closing = lash.close({ graceMs: 100 });
    await clock.advance(100);
    expect(told(await running)).toEqual(left("lash_closed"));
    expect(told(await behind)).toEqual(refused("lash_closed", "mine"));
    expect((await behind).message).toContain("mine");
    hold.open();
    await closing;
  });

  test("a turn that is suspended is accepted (ME-25)", async () => {
    const { promise: waiting, resolve } = Promise.withResolvers<void>();
    const { lash } = testLash({
      engine: open(), script: calling("ask"), tools: [one("ask", async (call) => (await call.completionKey(), pending()))],
      inspect: (event) => (event.type === "@xstate.event" && event.event.type === "tools.parked" ? resolve() : undefined),
    });
    const session = await lash.openSession("s");
    const asked = failed(session.run("go", { turnId: "t" }));
    await waiting;
    await session.close();
    expect(told(await asked)).toEqual(left("turn_suspended"));
  });

  test("a turn that cannot be accepted, because the one before it cannot be finished, is not that one's error (ME-25)", async () => {
    const disk = open();
    const clock = manualClock(1_000);
    const { engine, state } = refusing(disk, (nth) => (nth > 1 ? full() : undefined));
    const before = testLash({ engine, clock });
    await failed((await before.lash.openSession("s")).run("first", { turnId: "t" }));
    await before.lash.close();
    await clock.advance(31_000);
    await bury(disk);
    state.writes = 0;
    const { lash } = testLash({ engine, clock, script: () => "done" });
    // Nothing takes up what was left while it is opened.
    const session = await lash.openSession("s");
    expect(told(await failed(session.run("second", { turnId: "mine" })))).toEqual(refused("store_commit_failed", "mine"));
    state.armed = false;
    await session.run("second", { turnId: "mine" });
    expect(transcriptOf(session)).toEqual(["User: Text first", "Assistant: Prose done", "User: Text second", "Assistant: Prose done"]);
    await lash.close();
  });

  test("a drain that could not take what waits has taken nothing; one that failed later is asked for by the id of its turn (ME-25)", async () => {
    const { engine, state } = refusing(open(), (nth) => (nth === 1 || nth === 3 ? full() : undefined));
    state.armed = false;
    const session = await testLash({ engine, script: () => "done" }).lash.openSession("s");
    await session.enqueue("go");
    state.armed = true;
    const error = await failed(session.queuedTurn({ drainId: "d" }));
    expect(told(error)).toEqual(refused("store_commit_failed", "d"));
    expect(await session.pendingTurnInputs()).toHaveLength(1);
    const later = await failed(session.queuedTurn());
    const { turnId = "" } = later.askAgain ?? {};
    expect(told(later)).toEqual(left("store_commit_failed", turnId));
    expect(await session.queuedTurn({ drainId: turnId })).toMatchObject({ text: "done" });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose done"]);
  });

  test("an input that could not be left is not waiting and may be left again; what the store could not say is found out, and waits once (ME-25, SC-1)", async () => {
    const disk = open();
    const hold = gate();
    const { engine, state } = refusing(disk, (nth) => (nth === 1 ? full() : undefined));
    state.armed = false;
    const session = await testLash({ engine, script: calling("look"), tools: [one("look", () => hold.pass())] }).lash.openSession("s");
    const running = session.run("go", { turnId: "t" });
    await hold.reached;
    state.armed = true;
    const error = await failed(session.inject("psst"));
    expect(told(error)).toEqual(refused("store_commit_failed", "t"));
    state.writes = 0;
    const waiting = await failed(session.enqueue("later"));
    expect(waiting).toMatchObject({ isRetryable: true, details: { sessionId: "s", accepted: false } });
    state.armed = false;
    await session.inject("psst");
    hold.open();
    expect((await running).text).toBe("done");
    expect(transcriptOf(session).filter((said) => said.includes("psst"))).toHaveLength(1);

    for (const made of [true, false]) {
      let armed = true;
      const unsure: Engine = { ...staysOpen(disk), write: async (body) => {
        const isIt = armed;
        armed = false;
        if (!isIt) return disk.write(body);
        if (made) await disk.write(body);
        throw storeError("store_outcome_unknown", "the answer was lost");
      } };
      const other = await testLash({ engine: unsure }).lash.openSession(`other ${made}`);
      await other.enqueue("once");
      expect(await other.pendingTurnInputs()).toHaveLength(1);
    }
  });

  test("a turn that went on in another frame is asked for by the id it was asked for by (ME-25)", async () => {
    const { engine } = refusing(open(), (nth) => (nth === 5 ? full() : undefined));
    const session = await testLash({
      engine, script: byAssistantMessages([{ toolCalls: [{ name: "move" }] }, "done"]),
      tools: [one("move", () => switchFrame({ frameId: "f2", task: "carry on" }))],
    }).lash.openSession("s");
    const error = await failed(session.run("go", { turnId: "t" }));
    expect(told(error)).toEqual(left("store_commit_failed"));
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true });
  });
});

test("a child's turn whose store fails for a moment is asked for again under its own id, and its tool hears nothing of it; one whose store goes on failing names the child's turn (ME-24, ME-25)", async () => {
  for (const isLasting of [false, true]) {
    const disk = memoryEngine();
    const heard: LashError[] = [];
    const childId = "c";
    // Writes that touch rows of the child's turn.
    let failures = 0;
    const engine: Engine = {
      ...staysOpen(disk),
      write: <T>(body: (tx: WriteTransaction) => Promise<T>) => disk.write(async (tx) => {
        let isOfChild = false;
        const watched: WriteTransaction = { ...bound(tx), delete: (key) => ((isOfChild ||= key[0] === "turn" && key[1] === childId), tx.delete(key)) };
        const result = await body(watched);
        // Its commit.
        if (isOfChild && (isLasting || failures++ === 0)) throw full();
        return result;
      }),
    };
    const delegate = one("delegate", async (call) => {
      const child = await call.children.create({ id: childId });
      return child.run("dig").then(({ text }) => text, (error: unknown) => {
        if (LashError.is(error)) heard.push(error);
        return "it failed";
      });
    });
    const { lash, clock } = testLash({ engine, tools: [delegate], children: childSessions(), script: (request) => {
      if (request.scope.sessionId === childId) return "dug";
      return request.messages.at(-1)?.blocks.some(({ type }) => type === "toolResult") ? "done" : { toolCalls: [{ name: "delegate" }] };
    } });
    const session = await lash.openSession("s");
    expect(await whileTimePasses(clock, session.run("go", { turnId: "t" }))).toMatchObject({ text: "done" });
    expect(transcriptOf(session)[2]).toBe(isLasting ? "User: ToolResult it failed" : "User: ToolResult dug");
    expect(heard.map(told)).toEqual(isLasting ? [left("store_commit_failed", heard[0]?.askAgain?.turnId, childId)] : []);
    await lash.close();
  }
});

const bound = (tx: WriteTransaction): WriteTransaction => ({ get: (key) => tx.get(key), range: (from, to, options) => tx.range(from, to, options), prefetch: (reads) => tx.prefetch(reads), widen: (sessionId) => tx.widen(sessionId), set: (key, value) => tx.set(key, value), delete: (key) => tx.delete(key) });

describe("a turn that its store let down", () => {
  const options = (engine: Engine, tools: readonly Tool[]): TestLashOptions => ({ engine, tools, script: calling(...tools.map(({ name }) => name)) });

  test("is taken up by its open session after a pause that doubles, and the tools' own policies hold, with `interrupted` true (ME-24)", async () => {
    const ran: string[] = [];
    const hold = gate();
    const noting = (name: string, policy: object): Tool => one(name, async (call) => {
      ran.push(`${name}${call.interrupted ? " again" : ""}`);
      if (!call.interrupted) await hold.opened;
      return `${name} did it`;
    }, policy);
    // The step that records `quick`, and everything for a while.
    const { engine, state } = refusing(memoryEngine(), (nth) => (nth >= 3 && nth <= 6 ? full() : undefined));
    const { lash, clock, logged } = testLash(options(engine, [
      one("quick", () => "quick"),
      noting("reports", {}),
      noting("retries", { idempotent: true }),
      noting("probes", { onInterrupted: () => "found out" }),
    ]));
    const session = await lash.openSession("s");
    const error = await failed(session.run("go", { turnId: "t" }));
    expect(told(error)).toEqual(left("store_commit_failed"));
    // The release failed, too.
    expect(state.writes).toBe(4);
    await clock.advance(249);
    expect(state.writes).toBe(4);
    await clock.advance(1);
    expect(state.writes).toBe(5);
    await clock.advance(499);
    expect(state.writes).toBe(5);
    await clock.advance(1);
    expect(state.writes).toBe(6);
    await clock.advance(1_000);
    expect(transcriptOf(session)[2]?.split(" | ").map((part) => /interrupted|retries did it|found out/.exec(part)?.[0])).toEqual(["interrupted", "interrupted", "retries did it", "found out"]);
    expect(ran).toEqual(["reports", "retries", "probes", "retries again"]);
    expect(logged.filter(({ event }) => event === "turn.recovery_failed")).toHaveLength(2);
    hold.open();
    await clock.advance(31_000);
    expect(ran).toHaveLength(4);
    expect(transcriptOf(session)).toHaveLength(4);
    await lash.close();
    expect(clock.pendingTimers).toBe(0);
  });

  test("whose lease could not be given back, either, blocks nobody in this process once its session is closed (ME-24, SC-1)", async () => {
    const { engine, state } = refusing(memoryEngine(), (nth) => (nth === 2 || nth === 3 ? full() : undefined));
    const { lash, clock } = testLash(options(engine, [one("look", () => "seen", { readOnly: true })]));
    const session = await lash.openSession("s");
    await failed(session.run("go", { turnId: "t" }));
    expect(state.writes).toBe(3);
    await session.close();
    expect(await (await lash.openSession("s")).run("go", { turnId: "t" })).toMatchObject({ text: "done" });
    expect(clock.now()).toBe(1_000);
    await lash.close();
  });

  test("is not taken up for ever where each run of it fails, and asks nobody once its session is closed (ME-24)", async () => {
    let runs = 0;
    // What the tool did never fits.
    const disk = memoryEngine();
    const engine: Engine = { ...staysOpen(disk), write: (body) => disk.write(async (tx) => {
      let isTooLarge = false;
      const result = await body({ ...bound(tx), set: (key, value) => ((isTooLarge ||= JSON.stringify(value).includes("x".repeat(1_000))), tx.set(key, value)) });
      if (isTooLarge) throw full();
      return result;
    }) };
    const { lash, clock } = testLash(options(engine, [one("look", () => (runs++, "x".repeat(1_000)), { readOnly: true })]));
    const session = await lash.openSession("s");
    await failed(session.run("go", { turnId: "t" }));
    await clock.advance(600_000);
    expect(runs).toBe(6);
    await session.close();
    await clock.advance(600_000);
    expect(runs).toBe(6);
    expect(clock.pendingTimers).toBe(0);
    await lash.close();
  });
});
