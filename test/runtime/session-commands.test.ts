// Session commands: queued, applied each in a commit of its own before the session's next turn, once.

import { describe, expect, test } from "vitest";
import { createLash, type Session } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import type { LeaseClaim } from "../../src/stores/contract.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { ASKING, askingLash, askTool, newAsked, quiet } from "../support/asking.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { bury } from "../support/mortal.ts";
import { heldLanes, keysOf, overwrite, rowsOf } from "../support/rows.ts";

/** A source of tools; tells when it is asked again. */
const withCatalog = async (session: Session, asked: () => Promise<unknown>): Promise<void> => {
  let isAdded = false;
  await session.tools.add(async () => {
    if (isAdded) await asked();
    return [];
  });
  isAdded = true;
};
const framesOf = (session: Session): number => session.runtime.resident.frames.length;

describe.each(engineCases())("on $name", ({ open }) => {
  test("commands are durable at once and applied before the next turn, each in its own commit; its history begins behind a reset (FA-62, T-4, I-30, I-47, S-55)", async () => {
    const engine = open();
    const { lash, provider } = testLash({ engine, script: () => "ok" });
    const session = await lash.openSession("s");
    await session.run("old");
    let refreshed = 0;
    await withCatalog(session, async () => void (refreshed += 1));
    const receipt = await session.commands.reset("start over", "r1");
    expect(receipt).toEqual({ sessionId: "s", batchId: expect.stringMatching(/^qwb:/), sourceKey: "command:reset_session:r1" });
    expect(await session.commands.reset("once more", "r1")).toEqual(receipt);
    await session.commands.refreshToolCatalog("new server", "c1");
    expect(await session.queuedWork()).toMatchObject([{ batchId: receipt.batchId, slotPolicy: "exclusive", deliveryPolicy: "after_current_turn_commit" }, { sourceKey: "command:refresh_tool_catalog:c1" }]);
    expect([transcriptOf(session), framesOf(session)]).toEqual([["User: Text old", "Assistant: Prose ok"], 1]);
    const before = session.observe().readView.revision;
    expect(await session.run("new")).toMatchObject({ isSuccess: true, headRevision: before + 3 });
    expect([transcriptOf(session), framesOf(session), refreshed]).toEqual([["User: Text new", "Assistant: Prose ok"], 2, 1]);
    expect((await session.tools.state()).generation).toBe(3);
    expect(provider.requests[1]?.messages).toHaveLength(1);
    const [old] = await (await testLash({ engine }).lash.openSession("s")).queuedWork({ all: true });
    expect([old, await heldLanes(engine)]).toEqual([undefined, []]);
  });

  test("a reset that was done is not done again under its key; a session that never ran takes commands, too (FA-62, I-47)", async () => {
    const engine = open();
    const session = await testLash({ engine, script: () => "ok" }).lash.openSession("s");
    await session.commands.reset("r", "k");
    expect([await session.queuedTurn(), framesOf(session)]).toEqual([undefined, 2]);
    await session.run("said");
    await session.commands.reset("r", "k");
    await session.run("more");
    expect([framesOf(session), transcriptOf(session).length, await session.queuedWork({ all: true })]).toEqual([2, 4, []]);
    await session.commands.reset("r", "another");
    expect([await session.queuedTurn(), framesOf(session), transcriptOf(session)]).toEqual([undefined, 3, []]);
    await session.run("fresh");
    await session.commands.reset("r", "k");
    expect([await session.queuedTurn(), framesOf(session), transcriptOf(session).length]).toEqual([undefined, 3, 2]);
  });

  test("a drain has its commands first only if they were queued before its inputs; alone they are no turn and leave the lane free (I-25, I-28)", async () => {
    const engine = open();
    const { lash, clock } = testLash({ engine, script: () => "ok" });
    const session = await lash.openSession("s");
    await session.enqueue("first");
    await clock.advance(1);
    await session.commands.reset("r", "late");
    expect(await session.queuedTurn()).toMatchObject({ isSuccess: true });
    expect([transcriptOf(session).length, (await session.queuedWork()).length]).toEqual([2, 1]);
    await clock.advance(1);
    await session.enqueue("second");
    expect(await session.queuedTurn()).toMatchObject({ isSuccess: true });
    expect([transcriptOf(session), await session.queuedWork()]).toEqual([["User: Text second", "Assistant: Prose ok"], []]);
    await session.commands.reset("r", "alone");
    const seen = session.observe().readView.revision;
    expect([await session.queuedTurn({ drainId: "d" }), session.observe().readView.revision, await heldLanes(engine)]).toEqual([undefined, seen + 1, []]);
    expect(await session.run("go", { turnId: "d" })).toMatchObject({ isSuccess: true });
  });

  test("a lane that is held elsewhere keeps the command queued; a turn that already ended needs none (I-24, T-1)", async () => {
    const engine = open();
    const hold = gate();
    const running = await testLash({ engine, script: [{ text: "x", before: hold }] }).lash.openSession("s");
    const { result } = running.turn("go", { turnId: "t" });
    await hold.reached;
    const session = await testLash({ engine, script: () => "y" }).lash.openSession("s");
    const { batchId } = await session.commands.reset("r", "k");
    await expect(session.run("new", { wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    expect([await session.queuedTurn(), (await session.queuedWork()).map((batch) => batch.batchId)]).toEqual([undefined, [batchId]]);
    hold.open();
    await result;
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "x" });
    expect([framesOf(session), (await session.queuedWork()).length]).toEqual([1, 1]);
    expect(await session.run("new")).toMatchObject({ text: "y" });
    expect([framesOf(session), transcriptOf(session)]).toEqual([2, ["User: Text new", "Assistant: Prose y"]]);
  });

  test("a command that fails says where, stays queued and holds up the turns behind it until it works or is taken back (I-30, I-47)", async () => {
    const engine = open();
    const session = await testLash({ engine, script: () => "ok" }).lash.openSession("s");
    let broken = true;
    await withCatalog(session, async () => {
      if (broken) throw new Error("no server");
    });
    const { batchId } = await session.commands.refreshToolCatalog("r", "k");
    const failure = { code: "session_command_refresh_tools", details: { sessionId: "s", batchId }, cause: { message: "no server" } };
    await expect(session.run("go")).rejects.toMatchObject(failure);
    await expect(session.queuedTurn()).rejects.toMatchObject(failure);
    expect([(await session.queuedWork()).length, await heldLanes(engine), session.observe().readView.revision]).toEqual([1, [], 0]);
    broken = false;
    expect(await session.run("go")).toMatchObject({ isSuccess: true });
    broken = true;
    const again = await session.commands.refreshToolCatalog("r", "k");
    expect(await session.cancelQueuedWork(again.batchId)).toMatchObject({ batchId: again.batchId });
    expect(await session.run("on")).toMatchObject({ isSuccess: true });
  });

  test("a lease that is lost while a command is applied leaves it to its successor, who applies it once (I-9, I-13, I-36)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const session = await testLash({ engine, clock, script: () => "ok" }).lash.openSession("s");
    const other = testLash({ engine, clock: manualClock(40_000), script: () => "ok" });
    await session.commands.refreshToolCatalog("r", "k");
    await session.commands.reset("r", "k");
    await withCatalog(session, async () => {
      // Meanwhile this process sleeps for longer than its lease lives.
      await bury(engine);
      const taken = await other.lash.openSession("s");
      await taken.run("theirs");
      expect(framesOf(taken)).toBe(2);
      await clock.advance(31_000);
    });
    await expect(session.run("mine")).rejects.toMatchObject({ code: "session_execution_lease_lost" });
    expect(await session.run("mine")).toMatchObject({ isSuccess: true });
    expect([transcriptOf(session), framesOf(session), await session.queuedWork({ all: true })]).toEqual([["User: Text theirs", "Assistant: Prose ok", "User: Text mine", "Assistant: Prose ok"], 2, []]);
  });

  test("commands need no provider: a drain of nothing else applies them, one that would run a turn says what is missing and does nothing (I-28, I-30, PP-26)", async () => {
    const engine = open();
    await (await testLash({ engine, script: () => "ok" }).lash.openSession("s")).run("old");
    const lash = createLash({ store: { engine: staysOpen(engine), liveness: opaqueLiveness } });
    const session = await lash.openSession("s");
    await session.commands.reset("r", "k");
    expect([await session.queuedTurn(), await session.queuedWork(), framesOf(session), await heldLanes(engine)]).toEqual([undefined, [], 2, []]);
    await session.commands.reset("r", "other");
    await session.enqueue("go");
    await expect(session.queuedTurn()).rejects.toMatchObject({ code: "provider_unconfigured" });
    expect([(await session.queuedWork()).length, (await session.pendingTurnInputs()).length, framesOf(session), await heldLanes(engine)]).toEqual([1, 1, 2, []]);
    const stranger = await testLash({ engine, providerOptions: { id: "another" } }).lash.openSession("s");
    await expect(stranger.queuedTurn()).rejects.toMatchObject({ code: "provider_mismatch" });
  });

  test("a session whose queue is empty again costs what one costs that never had any (design 9)", async () => {
    const engine = countingEngine(open());
    const { lash } = testLash({ engine, script: () => "ok" });
    const [plain, used] = [await lash.openSession("plain"), await lash.openSession("used")];
    await used.commands.reset("r", "k");
    for (const session of [plain, used]) await session.run("go");
    const counts = [];
    for (const session of [plain, used]) {
      engine.reset();
      await session.run("go");
      const { bytesSet: _, ...rest } = engine.reset();
      counts.push(rest);
    }
    expect(counts[1]).toEqual(counts[0]);
    expect(counts[0]).toMatchObject({ writes: 2, reads: 0 });
  });
});

test("a turn that was accepted and left while commands were being claimed ends on its own history before they move it (OP-7, I-30)", async () => {
  const engine = memoryEngine();
  const { lash, clock } = testLash({ engine, tools: [askTool(newAsked())], script: ASKING });
  const session = await lash.openSession("s");
  const other = askingLash({ engine, clock });
  await session.commands.refreshToolCatalog("r", "first");
  const { leases, turns } = session.runtime.ports.persistence;
  const { claim } = leases;
  const intrusion = Promise.withResolvers<void>();
  const intrude = async (): Promise<void> => {
    const theirs = await other.lash.openSession("s");
    void theirs.run("left", { turnId: "left" }).catch(() => undefined);
    await other.parked;
    await theirs.park();
    await session.commands.reset("r", "second");
  };
  Object.assign(leases, {
    claim: async (wanted: LeaseClaim) => {
      leases.claim = claim;
      await intrude();
      const claimed = await claim(wanted);
      intrusion.resolve();
      return claimed;
    },
  });
  const turn = session.run("mine", { turnId: "mine" });
  await intrusion.promise;
  await quiet();
  expect([framesOf(session), (await session.queuedWork()).length, await turns.inFlight("s")]).toEqual([1, 1, [{ sessionId: "s", turnId: "left" }]]);
  await lash.completions.resolve(other.asked.keys[0] ?? "", { status: "ok", payload: 1 });
  await quiet();
  expect(await turns.settled("s", "left")).toMatchObject({ text: "done" });
  expect([framesOf(session), await turns.inFlight("s"), await session.queuedWork()]).toEqual([2, [{ sessionId: "s", turnId: "mine" }], []]);
  session.cancelRunningTurns();
  expect(await turn).toMatchObject({ outcome: { stop: "cancelled" } });
  expect(transcriptOf(session)[0]).toBe("User: Text mine");
});

test("a command without a key is refused before anything is durable (FA-62, I-47)", async () => {
  const engine = memoryEngine();
  const session = await testLash({ engine }).lash.openSession("s");
  const before = await keysOf(engine);
  for (const key of ["", "  ", undefined as never]) await expect(session.commands.reset("r", key)).rejects.toMatchObject({ code: "session_command_idempotency_key" });
  expect(await keysOf(engine)).toEqual(before);
});

test("a claim that is not one command alone is refused by name, and can be taken back (I-30)", async () => {
  const engine = memoryEngine();
  const { lash, clock } = testLash({ engine });
  const session = await lash.openSession("s");
  const command = { type: "session_command", command: { kind: "reset_session", reason: "r" } } as const;
  const { batchId } = await createPersistence(engine, { clock }).queue.enqueue({ sessionId: "s", deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive", payloads: [command, command] });
  await expect(session.run("go")).rejects.toMatchObject({ code: "session_command_claim" });
  await session.cancelQueuedWork(batchId);
  expect(await session.run("go")).toMatchObject({ isSuccess: true });
});

test("a command whose session cannot be read again says so, with what the store said, and stays queued until it can (I-47, I-30)", async () => {
  const engine = memoryEngine();
  const { lash, clock } = testLash({ engine, script: () => "ok" });
  const session = await lash.openSession("s");
  await (await testLash({ engine, clock, script: () => "ok" }).lash.openSession("s")).run("theirs");
  const { batchId } = await session.commands.reset("r", "k");
  // What they wrote, which is news here.
  const [{ key, value } = { key: [], value: null }] = (await rowsOf(engine)).filter(({ value: row }) => typeof row === "object" && row !== null && "nodes" in row);
  await overwrite(engine, { key, value: { broken: true } });
  await expect(session.run("go")).rejects.toMatchObject({
    code: "session_command_refresh",
    details: { sessionId: "s", batchId, causeCode: "missing_record_schema_version" },
    cause: { code: "missing_record_schema_version" },
  });
  expect([(await session.queuedWork()).length, framesOf(session), await heldLanes(engine)]).toEqual([1, 1, []]);
  await overwrite(engine, { key, value });
  expect([await session.run("go"), framesOf(session), transcriptOf(session)]).toMatchObject([{ isSuccess: true }, 2, ["User: Text go", "Assistant: Prose ok"]]);
});

test("a lash that is closed while a command is applied gives the lane back (OP-8)", async () => {
  const engine = memoryEngine();
  const hold = gate();
  const { lash, clock } = testLash({ engine });
  const session = await lash.openSession("s");
  await withCatalog(session, () => hold.pass());
  await session.commands.refreshToolCatalog("r", "k");
  const turn = session.run("go").catch((error: unknown) => error);
  await hold.reached;
  const closing = lash.close({ graceMs: 10 });
  await Promise.resolve();
  await clock.advance(10);
  hold.open();
  expect(await turn).toMatchObject({ code: "lash_closed" });
  await closing;
  expect([await heldLanes(engine), clock.pendingTimers]).toEqual([[], 0]);
});

describe("crashes", { timeout: 60_000 }, () => {
  test("commands that die at any engine call of theirs are applied once, before the turn behind them (I-30, I-12, S-55, E-45)", async () => {
    const hostOn = async (engine: Engine, clock: ManualClock) => {
      const { lash } = testLash({ engine, clock, script: () => "ok" });
      return { lash, session: await lash.openSession("s") };
    };
    const points = await crashEverywhere({
      open: memoryEngine,
      world: () => null,
      prepare: async (disk, clock) => {
        const { lash, session } = await hostOn(disk, clock);
        await session.run("old");
        await lash.close();
      },
      job: async ({ engine }, clock) => {
        const { lash, session } = await hostOn(engine, clock);
        await session.commands.reset("r", "k");
        await session.commands.refreshToolCatalog("r", "k");
        await session.run("new", { turnId: "t" });
        await lash.close();
      },
      check: async (disk, clock) => {
        const { lash, session } = await hostOn(disk, clock);
        await lash.recover();
        // As whoever asked does that never heard of it.
        await session.commands.reset("r", "k");
        expect(await session.run("new", { turnId: "t" })).toMatchObject({ text: "ok" });
        await session.queuedTurn();
        expect([framesOf(session), await session.queuedWork({ all: true }), await heldLanes(disk)]).toEqual([2, [], []]);
        expect(transcriptOf(session)).toEqual(["User: Text new", "Assistant: Prose ok"]);
        await lash.close();
      },
    });
    expect(points).toBeGreaterThan(50);
  });
});
