// Leases at the public API: who has a session while clocks differ, stores fail and renewals come late. Each test names the
// transitions of the lease chart that it needs; scripts/claims deletes them one by one.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool } from "../../src/index.ts";
import { storeError } from "../../src/domain/errors.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { type Gate, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { quiet, whileTimePasses } from "../support/asking.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { bury, Mortal } from "../support/mortal.ts";
import { heldLanes } from "../support/rows.ts";

const TTL_MS = 30_000;
const START_MS = Date.UTC(2026, 10, 21);

/** The same time, and a wall clock of its own. */
function wallClock(time: ManualClock, skewMs: number) {
  const wall = { skewMs };
  return { wall, clock: { ...time, now: () => time.now() + wall.skewMs } };
}

/** Knows nobody: only silence tells it that somebody is gone. */
const stranger = (options: TestLashOptions) => testLash({ liveness: opaqueLiveness, script: ["theirs"], ...options });

interface Passage {
  readonly before?: Gate;
  readonly fails?: boolean;
  /** The store cannot say what became of it, and cannot be read from then on. */
  readonly unknown?: boolean;
  readonly after?: Gate;
}

/** An engine whose next writes come late, are answered late, or fail. */
function door(engine: Engine) {
  const passages: Passage[] = [];
  let writes = 0;
  let isBlind = false;
  const write: Engine["write"] = async (body) => {
    writes++;
    const { before, fails, unknown, after } = passages.shift() ?? {};
    await before?.pass();
    if (fails) throw storeError("store_unavailable", "locked");
    const written = await engine.write(body);
    isBlind = unknown === true;
    if (unknown) throw storeError("store_outcome_unknown", "the connection was lost");
    await after?.pass();
    return written;
  };
  const read: Engine["read"] = (body) => (isBlind ? Promise.reject(storeError("store_unavailable", "blind")) : engine.read(body));
  return { engine: { ...engine, name: engine.name, durable: engine.durable, read, write, close: engine.close.bind(engine) }, next: (...each: Passage[]) => void passages.push(...each), writes: () => writes };
}

/** A turn whose model has been asked and does not answer until `hold` opens. */
async function thinking(engine: Engine, time: ManualClock, options: TestLashOptions = {}, hold = gate()) {
  const own = testLash({ engine, clock: time, liveness: opaqueLiveness, script: [{ text: "mine", before: hold }], ...options });
  const session = await own.lash.openSession("s");
  const ended = session.run("go", { turnId: "t" }).then(
    (result) => result.text,
    (error: unknown) => (error as { readonly code?: string }).code ?? String(error),
  );
  await hold.reached;
  return { ...own, session, ended, hold };
}

/** What it has come to by now. */
const byNow = (ended: Promise<unknown>): Promise<unknown> => Promise.race([ended, quiet().then(() => "runs")]);

describe.each(engineCases())("two runtimes whose clocks differ, on $name", ({ open }) => {
  const skews: readonly (readonly [string, readonly number[]])[] = [
    ["60 s ahead", [60_000]],
    ["60 s behind", [-60_000]],
    ["jumping", [60_000, -60_000, 0, 3_600_000]],
  ];

  test.each(skews)("a clock that is %s takes over no live lease, whoever's it is (SC-2, S-57)", async (_title, jumps) => {
    for (const who of ["holder", "watcher"]) {
      const [engine, time] = [open(), manualClock(START_MS)];
      const skewed = wallClock(time, jumps[0] ?? 0);
      const own = await thinking(engine, who === "holder" ? skewed.clock : time);
      const watcher = stranger({ engine, clock: who === "watcher" ? skewed.clock : time });
      await watcher.lash.openSession("s");
      for (let round = 0; round < 13; round++) {
        skewed.wall.skewMs = jumps[round % jumps.length] ?? 0;
        void watcher.lash.recover();
        await time.advance(7_000);
      }
      own.hold.open();
      expect(await own.ended).toBe("mine");
      expect(watcher.provider.requests).toEqual([]);
    }
  });

  test.each(skews)("a dead lease is taken by whoever opens the session %s, after one TTL and not before (SC-2, OP-7)", async (_title, jumps) => {
    const [engine, time] = [open(), manualClock(START_MS)];
    const process = new Mortal(engine);
    await thinking(process.engine, time);
    process.kill();
    const skewed = wallClock(time, jumps[0] ?? 0);
    const next = stranger({ engine, clock: skewed.clock });
    const session = await next.lash.openSession("s");
    const begunMs = time.now();
    for (let round = 0; transcriptOf(session).length === 0; round++) {
      expect(next.provider.requests.length > 0 && time.now() - begunMs < TTL_MS).toBe(false);
      expect(time.now() - begunMs).toBeLessThan(2 * TTL_MS);
      skewed.wall.skewMs = jumps[round % jumps.length] ?? 0;
      await time.advance(5_000);
      await quiet();
    }
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose theirs"]);
  });

  test("recover() watches a lease that seems to be over for one TTL and finishes its turn; one that seems to live it leaves (SC-2, OP-7)", async () => {
    const [engine, time] = [open(), manualClock(START_MS)];
    const process = new Mortal(engine);
    await thinking(process.engine, time);
    process.kill();
    const next = stranger({ engine, clock: time });
    expect(await next.lash.recover()).toEqual([]);
    const late = stranger({ engine, clock: wallClock(time, 31_000).clock });
    const begunMs = time.now();
    expect(await whileTimePasses(time, late.lash.recover())).toMatchObject([{ turnId: "t", result: { text: "theirs" } }]);
    expect(time.now() - begunMs).toBeGreaterThanOrEqual(TTL_MS);
  });

  test("a turn that is asked for again without waiting finds the session busy until its runtime has seen the holder silent for one TTL (SC-2, S-56)", async () => {
    const [engine, time] = [open(), manualClock(START_MS)];
    const process = new Mortal(engine);
    await thinking(process.engine, time, { lease: { ttlMs: 90_000, renewMs: 30_000 } });
    process.kill();
    const next = stranger({ engine, clock: wallClock(time, 3_600_000).clock });
    const session = await next.lash.openSession("s");
    await expect(session.run("go", { turnId: "t", wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    // The TTL is its holder's, not the watcher's.
    await time.advance(60_000);
    await expect(session.run("go", { turnId: "t", wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    await time.advance(30_000);
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "theirs" });
  });

  test("a lease that was given back is taken at once, whatever the clocks say (SC-2, S-63)", async () => {
    const [engine, time] = [open(), manualClock(START_MS)];
    const own = await thinking(engine, time);
    await whileTimePasses(time, own.lash.close({ graceMs: 0 }));
    expect(await own.ended).not.toBe("mine");
    expect(await heldLanes(engine)).toEqual([]);
    const next = stranger({ engine, clock: wallClock(time, -60_000).clock });
    expect(await next.lash.recover()).toMatchObject([{ result: { text: "theirs" } }]);
  });
});

describe("a running turn", () => {
  test("keeps its lease for as long as it runs, and has no timer once it is over (S-57)", async () => {
    const [engine, time] = [memoryEngine(), manualClock(START_MS)];
    const own = await thinking(engine, time);
    const watcher = stranger({ engine, clock: wallClock(time, 60_000).clock });
    for (let round = 0; round < 4; round++) {
      void watcher.lash.recover();
      await time.advance(25_000);
    }
    own.hold.open();
    expect([await own.ended, watcher.provider.requests, time.pendingTimers]).toEqual(["mine", [], 0]);
  });

  test("asks again after a renewal that failed (S-60)", async () => {
    const [disk, time] = [memoryEngine(), manualClock(START_MS)];
    const { engine, next } = door(disk);
    const own = await thinking(engine, time);
    next({ fails: true });
    const watcher = stranger({ engine: disk, clock: time });
    await watcher.lash.openSession("s");
    await time.advance(70_000);
    own.hold.open();
    expect([await own.ended, watcher.provider.requests]).toEqual(["mine", []]);
  });

  test("loses its lease where the store cannot be asked until it is over, by its own monotonic clock (S-60, SC-2)", async () => {
    const [disk, time] = [memoryEngine(), manualClock(START_MS)];
    const { engine, next } = door(disk);
    const own = await thinking(engine, wallClock(time, -60_000).clock);
    next({ fails: true }, { fails: true }, { fails: true });
    await time.advance(29_000);
    expect(await byNow(own.ended)).toBe("runs");
    await time.advance(1_000);
    expect(await byNow(own.ended)).toBe("session_execution_lease_lost");
  });

  test("hears at its next renewal that somebody else has taken over, though its model still thinks (S-60)", async () => {
    const [engine, time] = [memoryEngine(), manualClock(START_MS)];
    const own = await thinking(engine, time);
    await bury(engine);
    expect(await testLash({ engine, clock: time, script: ["theirs"] }).lash.recover()).toMatchObject([{ result: { text: "theirs" } }]);
    expect(await byNow(own.ended)).toBe("runs");
    await time.advance(10_000);
    expect(await byNow(own.ended)).toBe("session_execution_lease_lost");
  });

  test("renews before a write that finds too little left, as where its timers are held back (S-60)", async () => {
    const [engine, time, model, work] = [memoryEngine(), manualClock(START_MS), gate(), gate()];
    const it = tool({ name: "it", description: "", input: z.object({}), run: () => work.pass() });
    const late: ManualClock = { ...time, setTimer: () => () => undefined };
    const own = testLash({ engine, clock: late, liveness: opaqueLiveness, tools: [it], script: [{ toolCalls: [{ name: "it" }], before: model }, "mine"] });
    const ended = (await own.lash.openSession("s")).run("go", { turnId: "t" });
    await model.reached;
    const watcher = stranger({ engine, clock: time, tools: [it] });
    await watcher.lash.openSession("s");
    await time.advance(25_000);
    model.open();
    await work.reached;
    await time.advance(20_000);
    work.open();
    expect([(await ended).text, watcher.provider.requests]).toEqual(["mine", []]);
  });
});

describe("the write that ends a turn", () => {
  test("may take longer than the lease: that is renewed meanwhile, also after a renewal that failed (S-57, T-73)", async () => {
    const [disk, time] = [memoryEngine(), manualClock(START_MS)];
    const { engine, next } = door(disk);
    const own = await thinking(engine, time);
    const slow = gate();
    next({ before: slow }, {}, { fails: true });
    own.hold.open();
    await slow.reached;
    const watcher = stranger({ engine: disk, clock: wallClock(time, 60_000).clock });
    for (let round = 0; round < 19; round++) {
      void watcher.lash.recover();
      await time.advance(5_000);
    }
    slow.open();
    expect([await own.ended, watcher.provider.requests]).toEqual(["mine", []]);
  });

  test("leaves its lease to run out where nobody can say what became of it: whoever watches has the session after one TTL (S-63, SC-2)", async () => {
    const [disk, time] = [memoryEngine(), manualClock(START_MS)];
    const { engine, next } = door(disk);
    const { hold, ended, session } = await thinking(engine, time);
    await session.enqueue("wait!", { ingress: { scope: "active_turn" } });
    next({ unknown: true });
    hold.open();
    expect(await byNow(ended)).toBe("store_commit_failed");
    const watcher = stranger({ engine: disk, clock: time, script: () => "theirs" });
    const seen = await watcher.lash.openSession("s");
    await time.advance(TTL_MS - 1);
    expect(watcher.provider.requests).toEqual([]);
    await time.advance(1);
    await quiet();
    expect(transcriptOf(seen).at(-1)).toBe("Assistant: Prose theirs");
  });

  test("frees the lease, and a renewal that finds it gone before that is known is no loss (S-60, S-63)", async () => {
    const [disk, time] = [memoryEngine(), manualClock(START_MS)];
    const { engine, next, writes } = door(disk);
    const own = await thinking(engine, time);
    const answer = gate();
    next({ after: answer });
    own.hold.open();
    await quiet();
    const before = writes();
    await time.advance(10_000);
    expect(writes()).toBe(before + 1);
    answer.open();
    expect(await own.ended).toBe("mine");
  });

  test("frees the lease, and a renewal that was asked before it and comes behind it is no loss (S-60, S-63)", async () => {
    const [disk, time] = [memoryEngine(), manualClock(START_MS)];
    const { engine, next } = door(disk);
    const own = await thinking(engine, time);
    const [renewal, answer] = [gate(), gate()];
    next({ before: renewal }, { after: answer });
    await time.advance(10_000);
    own.hold.open();
    await quiet();
    renewal.open();
    await quiet();
    answer.open();
    expect(await own.ended).toBe("mine");
  });

  describe("where it is refused, because input waits", () => {
    /** Its first answer is given, and input came meanwhile; its model is asked again once the write that ends it is refused. */
    async function interrupted() {
      const [disk, time, first, second] = [memoryEngine(), manualClock(START_MS), gate(), gate()];
      const { engine, next } = door(disk);
      const own = await thinking(engine, time, { script: [{ text: "first", before: first }, { text: "mine", before: second }] }, first);
      await own.session.enqueue("wait!", { ingress: { scope: "active_turn" } });
      return { ...own, disk, time, first, second, next };
    }
    const takeOver = async (engine: Engine, clock: ManualClock): Promise<void> => {
      await bury(engine);
      expect(await testLash({ engine, clock, script: () => "theirs" }).lash.recover()).toMatchObject([{ turnId: "t" }]);
    };

    test("a loss afterwards is a loss again (T-57, S-60)", async () => {
      const { disk, time, first, second, ended } = await interrupted();
      first.open();
      await second.reached;
      await takeOver(disk, time);
      await time.advance(10_000);
      expect(await byNow(ended)).toBe("session_execution_lease_lost");
    });

    test("a renewal that was asked before it and is refused behind it is a loss (T-57, S-60)", async () => {
      const renewal = gate();
      const { disk, time, first, second, next, ended } = await interrupted();
      next({ before: renewal });
      await time.advance(10_000);
      first.open();
      await second.reached;
      await takeOver(disk, time);
      expect(await byNow(ended)).toBe("runs");
      renewal.open();
      expect(await byNow(ended)).toBe("session_execution_lease_lost");
    });

    test("a renewal that was refused before that was known is a loss as soon as it is known (T-57, S-60)", async () => {
      const [answer, step] = [gate(), gate()];
      const { disk, time, first, next, ended } = await interrupted();
      next({ after: answer }, {}, { before: step });
      first.open();
      await answer.reached;
      await takeOver(disk, time);
      await time.advance(10_000);
      expect(await byNow(ended)).toBe("runs");
      answer.open();
      expect(await byNow(ended)).toBe("session_execution_lease_lost");
    });
  });
});
