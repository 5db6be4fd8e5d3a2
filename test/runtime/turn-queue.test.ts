// Turns that wait for others of their session: told at once, in order, not for longer than they are to, and given up without a trace.

import { describe, expect, test } from "vitest";
import { createLash, type Session, type Turn, type TurnActivity, type TurnResult } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { gate, manualClock, scriptedProvider } from "../../src/testing/index.ts";
import { askingLash, quiet, untilWaiting, whileTimePasses } from "../support/asking.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { rowsOf } from "../support/rows.ts";

type Queued = Omit<Extract<TurnActivity, { type: "turn_queued" }>, "id" | "correlationId" | "type">;

/** Begins it, and notes what it says about its place. */
function watched<Value>(turn: Turn<Value>): { readonly told: readonly Queued[]; readonly result: Promise<TurnResult<Value>> } {
  const told: Queued[] = [];
  const watch = async (): Promise<void> => {
    for await (const activity of turn) {
      if (activity.type === "turn_queued") told.push({ behind: activity.behind, ...(activity.waiting && { waiting: true }) });
    }
  };
  void watch().catch(() => undefined);
  turn.result.catch(() => undefined);
  return { told, result: turn.result };
}

const CANCELLED = { outcome: { kind: "stopped", stop: "cancelled" }, isSuccess: false, text: "" };
const busy = (accepted: boolean, behind?: string) => ({ code: "session_execution_busy", isRetryable: !accepted, details: { sessionId: "s", accepted, ...(behind !== undefined && { behind }) } });

/** A turn `t` that runs and does not end before `hold` opens. */
async function running(engine: Engine, options: TestLashOptions = {}) {
  const hold = gate();
  const host = testLash({ engine, script: (_request, index) => (index === 0 ? { text: "first", before: hold } : "later"), ...options });
  const session = await host.lash.openSession("s");
  const first = session.run("one", { turnId: "t" });
  first.catch(() => undefined);
  await hold.reached;
  return { ...host, session, first, hold };
}

/** The same, seen from another process that shares nothing with it but the store. */
async function elsewhere(engine: Engine, options: TestLashOptions = {}) {
  const owner = await running(engine, options);
  const other = testLash({ engine, clock: owner.clock, script: () => "mine", ...options });
  return { owner, ...other, session: await other.lash.openSession("s") };
}

describe.each(engineCases())("on $name", ({ name, open }) => {
  test("a turn says at once what it waits for, and again when that changes; turns keep their order (AE-7, AE-3, S-56)", async () => {
    const { session, first, hold } = await running(open());
    const second = watched(session.turn("two", { turnId: "u" }));
    const third = watched(session.turn("three", { turnId: "v" }));
    await quiet();
    expect([second.told, third.told]).toEqual([[{ behind: "t" }], [{ behind: "t" }]]);
    hold.open();
    expect((await Promise.all([first, second.result, third.result])).map(({ headRevision }) => headRevision)).toEqual([1, 2, 3]);
    await quiet();
    expect([second.told, third.told]).toEqual([[{ behind: "t" }], [{ behind: "t" }, { behind: "u" }]]);
    expect(watched(session.turn("four")).told).toEqual([]);
  });

  test("a turn says that the one before it only waits for answers (AE-7)", async () => {
    const host = askingLash({ engine: open() });
    const session = await host.lash.openSession("s");
    session.run("go", { turnId: "t" }).catch(() => undefined);
    const early = watched(session.turn("early"));
    await host.parked;
    await quiet();
    const late = watched(session.turn("late"));
    await quiet();
    expect([early.told, late.told]).toEqual([[{ behind: "t" }, { behind: "t", waiting: true }], [{ behind: "t", waiting: true }]]);
    await host.lash.completions.resolve(host.asked.keys[0] ?? "", { status: "ok", payload: true });
    expect((await Promise.all([early.result, late.result])).map(({ isSuccess }) => isSuccess)).toEqual([true, true]);
  });

  test("a turn that is not to wait, or has waited long enough, was not accepted and leaves no row (AE-7, T-1, FA-16)", async () => {
    const { session, first, hold, clock, engine } = await running(open());
    const before = await rowsOf(engine);
    await expect(session.run("no", { wait: false })).rejects.toMatchObject(busy(false, "t"));
    await expect(session.run("no", { waitMs: 0 })).rejects.toMatchObject(busy(false, "t"));
    const patient = session.run("a while", { turnId: "u", waitMs: 500 });
    const refused = patient.catch((error: unknown) => error);
    await clock.advance(499);
    expect(await Promise.race([patient.catch(() => "refused"), quiet().then(() => "waits")])).toBe("waits");
    await clock.advance(1);
    expect(await refused).toMatchObject({ ...busy(false, "t"), message: expect.stringMatching(/turn u .* within 500 ms, because turn t runs; .*enqueue/) });
    expect(await rowsOf(engine)).toEqual(before);
    hold.open();
    await first;
    expect(await session.run("again", { turnId: "u", waitMs: 500 })).toMatchObject({ headRevision: 2 });
    expect(transcriptOf(session)).toEqual(["User: Text one", "Assistant: Prose first", "User: Text again", "Assistant: Prose later"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a lash says it for all its turns, and a turn says otherwise (AE-7)", async () => {
    const { session, first, hold } = await running(open(), { wait: false });
    await expect(session.run("no")).rejects.toMatchObject(busy(false, "t"));
    const waits = session.run("yes", { wait: true });
    hold.open();
    expect([(await first).headRevision, (await waits).headRevision]).toEqual([1, 2]);
  });

  test("the turn that runs, asked for again by its id, is joined and waits for nobody (AE-7, TR2)", async () => {
    const { session, first, hold, clock } = await running(open());
    const again = watched(session.turn("one", { turnId: "t", wait: false }));
    const patient = watched(session.turn("one", { turnId: "t", waitMs: 10 }));
    await clock.advance(20);
    hold.open();
    expect(await Promise.all([again.result, patient.result])).toEqual(Array(2).fill(expect.objectContaining({ turnId: "t", headRevision: (await first).headRevision })));
    expect([again.told, patient.told]).toEqual([[], []]);
  });

  describe("given up while it waits", () => {
    test.each([
      ["its signal", (session: Session) => {
        const abort = new AbortController();
        const turn = session.turn("two", { turnId: "u", signal: abort.signal });
        return { turn, giveUp: async () => abort.abort() };
      }],
      ["its handle", (session: Session) => {
        const turn = session.turn("two", { turnId: "u" });
        return { turn, giveUp: async () => expect(await turn.cancel("enough")).toEqual({ status: "accepted" }) };
      }],
    ])("by %s it ends at once as cancelled: nothing in the history, no stamp, and its id can be used again (AE-7)", async (how, begin) => {
      const { session, first, hold, engine, clock } = await running(open());
      const before = await rowsOf(engine);
      const { turn, giveUp } = begin(session);
      const { result } = watched(turn);
      await quiet();
      await giveUp();
      expect(await result).toMatchObject({ ...CANCELLED, turnId: "u", ...(how === "its handle" && { cancellation: { reason: "enough", origin: "turn" } }) });
      expect(await rowsOf(engine)).toEqual(before);
      hold.open();
      expect((await first).text).toBe("first");
      expect(await session.run("other words", { turnId: "u" })).toMatchObject({ turnId: "u", isSuccess: true });
      expect(transcriptOf(session)).toEqual(["User: Text one", "Assistant: Prose first", "User: Text other words", "Assistant: Prose later"]);
      expect(clock.pendingTimers).toBe(0);
    });

    test("its cancel says so, although the store has no such turn, and however long it takes to say that (AE-7)", async () => {
      const engine = open();
      const slow = gate();
      let isSlow = false;
      const { session, first, hold } = await running({
        name: engine.name,
        durable: engine.durable,
        read: (body) => engine.read(body),
        write: async (body) => {
          if (isSlow) await slow.pass();
          return engine.write(body);
        },
        close: () => engine.close(),
      });
      const turn = session.turn("two");
      const { result } = watched(turn);
      await quiet();
      isSlow = true;
      const cancelled = turn.cancel();
      expect(await result).toMatchObject(CANCELLED);
      isSlow = false;
      slow.open();
      expect(await cancelled).toEqual({ status: "accepted" });
      hold.open();
      await first;
    });

    test("by `cancelRunningTurns` all of them end: what runs, and what waits (AE-7)", async () => {
      const { session, first } = await running(open());
      const { result } = watched(session.turn("two"));
      await quiet();
      expect(session.cancelRunningTurns()).toBe(2);
      expect(await Promise.all([first, result])).toMatchObject([CANCELLED, CANCELLED]);
      expect(transcriptOf(session)).toEqual(["User: Text one"]);
    });

    test("it ends for all who wait for it under its id; others wait on, and the ones behind it move up (AE-7, TR2)", async () => {
      const { session, first, hold } = await running(open());
      const abort = new AbortController();
      const one = watched(session.turn("two", { turnId: "u", signal: abort.signal }));
      const two = watched(session.turn("two", { turnId: "u" }));
      const behind = watched(session.turn("three", { turnId: "v" }));
      await quiet();
      abort.abort();
      expect(await Promise.all([one.result, two.result])).toMatchObject([CANCELLED, CANCELLED]);
      hold.open();
      expect([(await first).headRevision, (await behind.result).headRevision]).toEqual([1, 2]);
    });

    test("behind one that was left by a process that died and only waits for an answer (AE-7)", async () => {
      const engine = open();
      const before = askingLash({ engine });
      (await before.lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
      await untilWaiting(engine);
      await before.lash.close({ graceMs: 0 });
      const { lash, parked } = askingLash({ engine, clock: before.clock });
      const session = await lash.openSession("s");
      const abort = new AbortController();
      const second = watched(session.turn("next", { signal: abort.signal }));
      await parked;
      await quiet();
      abort.abort();
      expect(await second.result).toMatchObject(CANCELLED);
      expect(second.told.at(-1)).toEqual({ behind: "t", waiting: true });
      await lash.close({ graceMs: 0 });
    });

    test("one that has ended before under its id is not: it gives what is recorded (AE-7, E-29)", async () => {
      const { session, first, hold } = await running(open());
      hold.open();
      await first;
      const cancelled = session.turn("one", { turnId: "t" });
      await cancelled.cancel();
      expect(await cancelled.result).toMatchObject({ turnId: "t", text: "first", isSuccess: true });
    });
  });

  describe("while another process has the session", () => {
    test("a turn waits until that one is done, says for which turn, and then is the next (AE-7, T-1)", async () => {
      const { owner, session, clock } = await elsewhere(open());
      const mine = watched(session.turn("mine", { turnId: "m" }));
      await quiet();
      expect(mine.told).toEqual([{ behind: "t" }]);
      await clock.advance(60_000);
      owner.hold.open();
      await owner.first;
      expect(await whileTimePasses(clock, mine.result)).toMatchObject({ text: "mine", headRevision: 2 });
      expect(transcriptOf(session)).toEqual(["User: Text one", "Assistant: Prose first", "User: Text mine", "Assistant: Prose mine"]);
      expect(mine.told).toEqual([{ behind: "t" }]);
      expect(clock.pendingTimers).toBe(0);
    });

    test("it notices the end within 250 ms, and another handle of its own lash at once (AE-7)", async () => {
      const { owner, session, clock } = await elsewhere(open());
      const handle = await owner.lash.openSession("s");
      const [near, far] = [handle.run("near"), session.run("far")];
      await clock.advance(10_000);
      const endedAtMs = clock.now();
      owner.hold.open();
      expect((await near).headRevision).toBe(2);
      expect(clock.now()).toBe(endedAtMs);
      expect((await whileTimePasses(clock, far)).headRevision).toBe(3);
      // On a disk, time passes on this clock while real time passes on it, too.
      if (name === "memory") expect(clock.now() - endedAtMs).toBeLessThanOrEqual(250);
    });

    test("the turn that runs there, asked for by its id, gives its result (AE-7, ME-25)", async () => {
      const { owner, session, clock, provider } = await elsewhere(open());
      const same = watched(session.turn("one", { turnId: "t" }));
      await expect(whileTimePasses(clock, session.run("one", { turnId: "t", waitMs: 100 }))).rejects.toMatchObject(busy(true));
      owner.hold.open();
      expect(await whileTimePasses(clock, same.result)).toMatchObject({ turnId: "t", text: "first" });
      expect([same.told, provider.requests]).toEqual([[], []]);
    });

    test("its signal and its time end the wait at once, and nothing was accepted (AE-7)", async () => {
      const { owner, session, clock, engine } = await elsewhere(open());
      const before = await rowsOf(engine);
      const abort = new AbortController();
      const aborted = session.run("a", { turnId: "a", signal: abort.signal });
      await quiet();
      abort.abort();
      expect(await aborted).toMatchObject(CANCELLED);
      const refused = session.run("b", { turnId: "b", waitMs: 700 }).catch((error: unknown) => error);
      await clock.advance(700);
      expect(await refused).toMatchObject(busy(false, "t"));
      expect(await rowsOf(engine)).toEqual(before);
      owner.hold.open();
      await owner.first;
      expect(await whileTimePasses(clock, session.run("c", { turnId: "a" }))).toMatchObject({ turnId: "a", headRevision: 2 });
      // Whoever opened the session beside its driver looks after that one yet.
      await clock.advance(10_000);
      expect(clock.pendingTimers).toBe(0);
    });

    test("turns of one handle keep their order while they wait (AE-7, S-56)", async () => {
      const { owner, session, clock } = await elsewhere(open());
      const all = Promise.all(["a", "b", "c"].map((text) => session.run(text)));
      await clock.advance(1000);
      owner.hold.open();
      expect((await whileTimePasses(clock, all)).map(({ headRevision }) => headRevision)).toEqual([2, 3, 4]);
    });

    test("a turn waits while nothing else does: drains find nothing, changes are refused, and what is committed there is shown (AE-7, I-24, S-56)", async () => {
      const { owner, session, clock } = await elsewhere(open());
      const mine = session.run("mine");
      await quiet();
      await session.enqueue("later");
      expect(await session.queuedTurn()).toBeUndefined();
      for (const change of [() => session.configure({ maxTurns: 7 }), () => session.reset(), () => session.branch({ at: null })]) {
        await expect(change()).rejects.toMatchObject({ code: "session_execution_busy" });
      }
      owner.hold.open();
      expect(await whileTimePasses(clock, mine)).toMatchObject({ headRevision: 2 });
      expect(await session.queuedTurn()).toMatchObject({ headRevision: 3 });
    });

    test("a drain that is asked for behind a turn that comes to wait for another owner does not wait with it (AE-7, I-24)", async () => {
      const { owner, session, clock } = await elsewhere(open());
      await session.enqueue("later");
      const [mine, drained] = [session.run("mine"), session.queuedTurn()];
      expect(await drained).toBeUndefined();
      owner.hold.open();
      expect(await whileTimePasses(clock, mine)).toMatchObject({ headRevision: 2 });
      await quiet();
      expect(await session.pendingTurnInputs()).toHaveLength(1);
    });

    test("one that finds another one faster in taking over who died goes on waiting for that one (AE-7, OP-7)", async () => {
      const engine = open();
      const process = new Mortal(engine);
      const { clock } = await running(process.engine);
      const taken = gate();
      let writes = Number.NEGATIVE_INFINITY;
      const late: Engine = {
        name: engine.name,
        durable: engine.durable,
        read: (body) => engine.read(body),
        // Its first two say that a turn is in flight, the first one without the proof of death; the third is to take that turn up.
        write: async (body) => ((writes += 1) === 3 && (await taken.reached), engine.write(body)),
        close: () => Promise.resolve(),
      };
      const [faster, slower] = await Promise.all([testLash({ engine, clock, script: (_request, index) => (index === 0 ? { text: "theirs", before: taken } : "mine") }), testLash({ engine: late, clock, script: () => "mine" })].map(({ lash }) => lash.openSession("s")));
      for (let i = 0; i < 6; i++) await clock.advance(5000);
      process.kill();
      writes = 0;
      const second = watched((slower as Session).turn("slower"));
      await quiet();
      const first = (faster as Session).run("faster");
      await taken.reached;
      for (let i = 0; i < 4; i++) await clock.advance(300);
      taken.open();
      expect((await whileTimePasses(clock, Promise.all([first, second.result]))).map(({ headRevision }) => headRevision)).toEqual([2, 3]);
      expect(writes).toBeGreaterThan(3);
    });

    test("a turn that does not wait is not accepted behind one that a dead process left; that one is taken up all the same (AE-7, OP-7)", async () => {
      const engine = open();
      const process = new Mortal(engine);
      const { clock } = await running(process.engine);
      const session = await testLash({ engine, clock, script: () => "theirs" }).lash.openSession("s");
      // Whoever opened the session beside a driver that lives looks after that one no more.
      for (let i = 0; i < 6; i++) await clock.advance(5000);
      process.kill();
      await expect(session.run("no", { wait: false })).rejects.toMatchObject(busy(false, "t"));
      await whileTimePasses(clock, (async () => {
        while (transcriptOf(session).length === 0) await quiet();
      })());
      expect(transcriptOf(session)).toEqual(["User: Text one", "Assistant: Prose theirs"]);
    });

    test("a process that dies is taken over: its turn is finished first, and then the one that waits is run (AE-7, OP-7)", async () => {
      const engine = open();
      const process = new Mortal(engine);
      const { session, clock } = await elsewhere(process.engine).then(async ({ owner }) => {
        const next = testLash({ engine, clock: owner.clock, script: () => "theirs" });
        return { session: await next.lash.openSession("s"), clock: owner.clock };
      });
      const mine = watched(session.turn("mine"));
      await clock.advance(1000);
      process.kill();
      expect(await whileTimePasses(clock, mine.result)).toMatchObject({ text: "theirs", headRevision: 2 });
      expect(clock.now()).toBeLessThan(5000);
      expect(transcriptOf(session)).toEqual(["User: Text one", "Assistant: Prose theirs", "User: Text mine", "Assistant: Prose theirs"]);
    });

    test("one of which nothing is known is taken over after one silent TTL, and not before (AE-7, SC-2)", async () => {
      const engine = open();
      const process = new Mortal(engine);
      const clock = manualClock(1000);
      const owner = await running(process.engine, { clock, liveness: opaqueLiveness });
      process.kill();
      const session = await testLash({ engine, clock, liveness: opaqueLiveness, script: () => "theirs" }).lash.openSession("s");
      const mine = session.run("mine");
      await clock.advance(29_000);
      expect(await Promise.race([mine.then(() => "ran"), quiet().then(() => "waits")])).toBe("waits");
      expect(await whileTimePasses(clock, mine)).toMatchObject({ text: "theirs", headRevision: 2 });
      void owner;
    });

    test("a lash that is closed, or a handle, lets it go unaccepted at once (AE-7, ME-25)", async () => {
      const { owner, session, lash } = await elsewhere(open());
      const told = session.run("mine", { turnId: "m" }).catch((error: unknown) => error);
      await quiet();
      await lash.close();
      expect(await told).toMatchObject({ code: "lash_closed", isRetryable: true, details: { turnId: "m", accepted: false } });
      const handle = await owner.lash.openSession("s");
      const left = handle.run("mine").catch((error: unknown) => error);
      await quiet();
      await handle[Symbol.asyncDispose]();
      expect(await left).toMatchObject({ code: "session_closed" });
      owner.hold.open();
      expect((await owner.first).text).toBe("first");
    });

    test("a lash that is closed while its own turn waits for an answer accepts nothing behind it, and says so (AE-7, ME-25)", async () => {
      const host = askingLash({ engine: open() });
      const session = await host.lash.openSession("s");
      const ends = [session.run("go", { turnId: "t" }), session.run("behind", { turnId: "u" })].map((turn) => turn.catch((error: unknown) => error));
      await host.parked;
      await host.lash.close();
      expect(await Promise.all(ends)).toMatchObject([{ code: "turn_suspended", details: { turnId: "t", accepted: true } }, { code: "turn_suspended", isRetryable: true, details: { turnId: "u", accepted: false } }]);
    });

    test("a session that is deleted while turns wait for it refuses them (AE-7)", async () => {
      const { owner, session, clock, lash } = await elsewhere(open());
      const waits = [session.run("there"), owner.session.run("here")].map((turn) => turn.catch((error: unknown) => error));
      await quiet();
      await lash.deleteSession("s");
      owner.hold.open();
      expect(await whileTimePasses(clock, Promise.all(waits))).toMatchObject([{ code: "session_id_retired" }, { code: "session_id_retired" }]);
    });
  });
});

test("recover() tells of no turn that its owner finishes meanwhile (S-19, OP-7)", async () => {
  const engine = memoryEngine();
  const { first, hold, clock } = await running(engine);
  let looked = false;
  const late: Engine = {
    ...engine,
    name: engine.name,
    durable: engine.durable,
    write: (body) => engine.write(body),
    close: () => Promise.resolve(),
    read: async (body) => {
      const read = await engine.read(body);
      if (!looked) {
        looked = true;
        hold.open();
        await first;
      }
      return read;
    },
  };
  expect(await testLash({ engine: late, clock }).lash.recover()).toEqual([]);
});

test.each([[{ wait: "no" }, "wait"], [{ waitMs: -1 }, "waitMs"], [{ waitMs: Number.NaN }, "waitMs"], [{ wait: false, waitMs: 5 }, "waitMs"]])("%o is refused by name, of a turn and of a lash (AE-7)", async (options, field) => {
  const session = await testLash().lash.openSession("s");
  const refused = expect.objectContaining({ code: "invalid_argument", details: expect.objectContaining({ field }) });
  expect(() => session.turn("a", options as never)).toThrow(refused);
  expect(() => createLash({ provider: scriptedProvider(["x"]), ...(options as object) })).toThrow(refused);
});
