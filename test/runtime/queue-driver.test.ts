// A lash that drains by itself: in the background, as its queues fill, and what dead processes left in them.

import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
// Loaded on demand; here, before anything is waited for.
import "../../src/actors/command-drain.ts";
import "../../src/actors/queue-driver.ts";
import "../../src/queued-work.ts";
import { createLash, type Session } from "../../src/index.ts";
import { plugin } from "../../src/plugins/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { gate, manualClock } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { heldLanes } from "../support/rows.ts";

/** Resolves once a commit of the session has led to this many messages. */
function committed(session: Session, messages: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (lines(session) !== messages) return;
      subscription.unsubscribe();
      resolve();
    };
    const subscription = session.view.subscribe(look);
    look();
  });
}
const lines = (session: Session): number => transcriptOf(session).length;
const quiet = async (): Promise<void> => {
  for (let round = 0; round < 20; round++) await setImmediate();
};

describe.each(engineCases())("on $name", ({ open }) => {
  test("what is enqueued runs by itself, all of it, commands in their place (I-45)", async () => {
    const engine = open();
    const { lash, clock } = testLash({ engine, drain: "auto", script: () => "ok" });
    const session = await lash.openSession("s");
    await session.enqueue("one");
    await committed(session, 2);
    await session.enqueueTurnInput("two", { deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive" });
    await session.enqueueTurnInput("three", { deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive" });
    await committed(session, 6);
    await clock.advance(1);
    await session.commands.reset("r", "k");
    await committed(session, 0);
    await lash.close();
    expect(await heldLanes(engine)).toEqual([]);
  });

  test("open and recover drain what a dead process left, in sessions that never ran, too (I-55)", async () => {
    const engine = open();
    const dead = testLash({ engine });
    for (const id of ["a", "b"]) await (await dead.lash.openSession(id)).enqueue("left");
    await (await dead.lash.openSession("c")).commands.reset("r", "k");
    const { lash } = testLash({ engine, drain: "auto", script: () => "ok" });
    const session = await lash.openSession("a");
    await committed(session, 2);
    expect(await lash.recover()).toEqual([]);
    expect(transcriptOf(await lash.openSession("b"))).toEqual(["User: Text left", "Assistant: Prose ok"]);
    expect(await (await lash.openSession("c")).queuedWork({ all: true })).toEqual([]);
  });

  test("what another process enqueues while a turn runs is drained behind that turn (I-45, I-24)", async () => {
    const engine = open();
    const hold = gate();
    const { lash } = testLash({ engine, drain: "auto", script: [{ text: "x", before: hold }, "y"] });
    const session = await lash.openSession("s");
    const { result } = session.turn("go");
    await hold.reached;
    await (await testLash({ engine, drain: "auto" }).lash.openSession("s")).enqueue("later");
    await quiet();
    hold.open();
    await result;
    await committed(session, 4);
    expect(transcriptOf(session).slice(2)).toEqual(["User: Text later", "Assistant: Prose y"]);
  });
});

test("what waits for a drain pokes once it is durable, and so does the end of a turn that leaves something; input for a running turn does not (I-45)", async () => {
  const hold = gate();
  const session = await testLash({ script: [{ text: "x", before: hold }, "y"] }).lash.openSession("s");
  const pokes: unknown[] = [];
  Object.assign(session.runtime.ports, { poke: (...poke: readonly unknown[]) => void pokes.push(poke) });
  const { result } = session.turn("go", { turnId: "t" });
  await hold.reached;
  await session.enqueue("in it", { ingress: { scope: "active_turn", turnId: "t" } });
  expect(pokes).toEqual([]);
  await session.enqueue("next");
  await session.commands.reset("r", "k");
  expect(pokes).toEqual([["s", "queued_turn_input"], ["s", "session_command"]]);
  hold.open();
  await result;
  expect(pokes.slice(2)).toEqual([["s", "turn_ended"]]);
  await session.run("on");
  await session.queuedTurn();
  expect(pokes.slice(3)).toEqual([["s", "turn_ended"]]);
});

test("nothing runs by itself unless the host says so (I-45)", async () => {
  const session = await testLash().lash.openSession("s");
  await session.enqueue("waits");
  await quiet();
  expect((await session.pendingTurnInputs()).length).toBe(1);
  expect(() => createLash({ drain: "sometimes" as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "drain" } }));
});

test("a drain that fails is logged and neither fails nor delays what was enqueued; the next poke tries again (I-46)", async () => {
  const { lash, logged } = testLash({ drain: "auto", script: () => "ok" });
  const session = await lash.openSession("s");
  let broken = false;
  await session.tools.add(() => {
    if (broken) throw new Error("no server");
    return [];
  });
  broken = true;
  const { batchId } = await session.commands.refreshToolCatalog("r", "k");
  for (let round = 0; round < 50_000 && logged.length === 0; round++) await setImmediate();
  expect(logged).toMatchObject([{ level: "warn", event: "queue.drain_failed", sessionId: "s", code: "session_command_refresh_tools" }]);
  broken = false;
  await session.enqueue("on");
  await committed(session, 2);
  await session.awaitQueuedWorkBatch(batchId);
});

test("a drain that is going on is waited for by close, and none begins after it; an idle session closes at once (FA-49, OP-8)", async () => {
  const engine = memoryEngine();
  const hold = gate();
  const { lash, clock } = testLash({ engine, drain: "auto", script: [{ text: "x", before: hold }] });
  await (await lash.openSession("other")).close();
  const session = await lash.openSession("s");
  await session.enqueue("go");
  await hold.reached;
  await expect(session.close()).rejects.toMatchObject({ code: "session_still_in_use" });
  await session.enqueueTurnInput("late", { deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive" });
  const closing = lash.close();
  hold.open();
  await closing;
  expect([await heldLanes(engine), clock.pendingTimers]).toEqual([[], 0]);
  const next = await testLash({ engine, clock: manualClock(40_000) }).lash.openSession("s");
  expect([transcriptOf(next), (await next.queuedWork()).length]).toEqual([["User: Text go", "Assistant: Prose x"], 1]);
});

test("a session that this lash opened for its queue and could not flush is let go of all the same (I-46, S-44)", async () => {
  const engine = memoryEngine();
  await (await testLash({ engine }).lash.openSession("s")).enqueue("go");
  let isFull = false;
  const closed: string[] = [];
  const restless = plugin({
    id: "restless",
    build: ({ sessionId }) => {
      let seen = 0;
      return {
        state: { revision: () => seen, save: () => seen, load: (saved) => void (seen = Number(saved?.state ?? 0)) },
        onTurnPersisted: () => void ((seen += 1), (isFull = true)),
        onSessionClosed: () => void closed.push(sessionId),
      };
    },
  });
  const { lash } = testLash({ engine: { ...staysOpen(engine), write: (body) => (isFull ? Promise.reject(new Error("disk full")) : engine.write(body)) }, drain: "auto", plugins: [restless], script: () => "ok" });
  await lash.recover();
  isFull = false;
  expect(closed).toEqual(["s"]);
  expect(transcriptOf(await testLash({ engine }).lash.openSession("s"))).toEqual(["User: Text go", "Assistant: Prose ok"]);
});
