// Turns that are parked: what a sweep over them costs, and that no answer is lost, whenever it comes and whatever fails (AE-9, SC-1).

import { describe, expect, test } from "vitest";
import type { Resolution, Session } from "../../src/index.ts";
import type { Body, Engine, WriteTransaction } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { countingEngine, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { park } from "../../src/testing/persistence-fixtures.ts";
import { askingLash, hookLash, newAsked, quiet, whileTimePasses, type Asked } from "../support/asking.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases, scratchFiles } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import type { Mortal } from "../support/mortal.ts";
import { heldLanes, keysOf } from "../support/rows.ts";
import { FAULTS, type Fault } from "../support/faults.ts";

const yes: Resolution = { status: "ok", payload: "yes" };
const ANSWERED = ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult yes", "Assistant: Prose done"];
const fileOf = scratchFiles();

/** Runs a turn until it only waits, or has ended. */
async function waiting(engine: Engine, clock: ManualClock, asked: Asked): Promise<{ readonly session: Session; readonly ended: Promise<unknown>; readonly close: () => Promise<void> }> {
  const host = askingLash({ engine, clock, asked });
  const session = await host.lash.openSession("s");
  const ended = session.run("go", { turnId: "t" }).catch((error: unknown) => error);
  await whileTimePasses(clock, Promise.race([host.parked, ended]));
  return { session, ended, close: () => host.lash.close() };
}

/** Another process answers. */
async function answer(engine: Engine, clock: ManualClock, key: string): Promise<void> {
  const hook = hookLash(engine, clock);
  await hook.completions.resolve(key, yes);
  await hook.close();
}

/** Takes up what can go on, and looks what became of the turn; no time passes. */
async function recovered(engine: Engine, clock: ManualClock, asked: Asked): Promise<readonly string[]> {
  const next = askingLash({ engine, clock, asked });
  await whileTimePasses(clock, next.lash.recover());
  expect((await keysOf(engine)).filter((key) => /^\["(turn|parked|ready)",/.test(key))).toEqual([]);
  expect(await heldLanes(engine)).toEqual([]);
  expect(asked.keys).toHaveLength(1);
  return transcriptOf(await next.lash.openSession("s"));
}

describe("a sweep over parked turns on SQLite (AE-9)", () => {
  const sweepOver = async (count: number) => {
    const engine = sqliteEngine(fileOf());
    const clock = manualClock(1_000);
    const store = createPersistence(engine, { clock });
    for (let n = 0; n < count; n++) await park(store, `s${n}`, `t${n}`, { waits: [`w${n}`], ...(n % 2 === 0 && { dueAtMs: 9e9 + n }) });
    const counting = countingEngine(engine);
    const { lash } = testLash({ engine: counting, clock });
    const found = await lash.recover();
    return { engine, counting, store, lash, found, counts: counting.reset() };
  };

  test("costs no write, and the same reads for 1,000 as for 10", async () => {
    const [few, many] = [await sweepOver(10), await sweepOver(1_000)];
    expect([few.found, many.found]).toEqual([[], []]);
    expect(many.counts).toMatchObject({ writes: 0, reads: 1 });
    expect(many.counts.ranges + many.counts.gets + many.counts.entriesRead).toBeLessThan(10);
    expect(many.counts).toEqual(few.counts);

    // One of them is answered: only that one is looked at.
    await many.store.waits.resolve("s500", "w500", { status: "timeout" });
    expect((await many.store.turns.ready()).turns).toEqual([{ sessionId: "s500", turnId: "t500", why: "woken" }]);
    many.counting.reset();
    expect(await many.lash.recover()).toMatchObject([{ sessionId: "s500", turnId: "t500" }]);
    expect(many.counting.reset().writes).toBeLessThan(6);
    for (const { lash, engine } of [few, many]) await lash.close().then(() => engine.close());
  });
});

describe.each(engineCases())("on $name", ({ open }) => {
  test("parked by its session's close and answered by another process, the next sweep ends it (OP-8, AE-9)", async () => {
    const [engine, clock, asked] = [open(), manualClock(1_000), newAsked()];
    const { session, ended } = await waiting(engine, clock, asked);
    await session.close();
    expect(await ended).toMatchObject({ code: "turn_suspended" });
    expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
    await answer(engine, clock, asked.keys[0] ?? "");
    expect(await recovered(engine, clock, asked)).toEqual(ANSWERED);
  });
});

test("a parked turn whose time runs out after a recover goes on by itself there, and an earlier sweep leaves it alone (AE-9, E-27)", async () => {
  const [engine, clock, asked] = [memoryEngine(), manualClock(1_000), newAsked()];
  const timeouts = [600_000, 900_000];
  for (const [index, timeoutMs] of timeouts.entries()) {
    const host = askingLash({ engine, clock, asked, pending: { timeoutMs } });
    void (await host.lash.openSession(`s${index}`)).run("go", { turnId: "t" }).catch(() => undefined);
    await whileTimePasses(clock, host.parked);
    await host.lash.close();
  }
  const next = askingLash({ engine, clock, asked });
  expect(await next.lash.recover()).toEqual([]);
  expect(next.clock.pendingTimers).toBe(1);
  const left = async (): Promise<number> => (await keysOf(engine)).filter((key) => /^\["(turn|parked)"/.test(key)).length;
  const all = await left();
  await clock.advance(600_000);
  await quiet();
  expect(await left()).toBe(all / 2);
  await clock.advance(300_000);
  await quiet();
  expect(await left()).toBe(0);
  expect(asked.keys).toHaveLength(2);
  await next.lash.close();
  expect(clock.pendingTimers).toBe(0);
});

test("an answer is found whenever it comes, before and after every call of the store from when it can be given to when the turn was left (AE-9)", async () => {
  let moments = 0;
  for (const when of ["before", "after"] as const) {
    for (let nth = 1, struck = true; struck; nth++) {
      const [disk, clock, asked] = [memoryEngine(), manualClock(1_000), newAsked()];
      let calls = 0;
      struck = false;
      const around = async <T>(call: () => Promise<T>): Promise<T> => {
        const isIt = asked.keys.length > 0 && ++calls === nth;
        if (!isIt) return call();
        struck = true;
        moments++;
        if (when === "before") await answer(disk, clock, asked.keys[0] ?? "");
        const result = await call();
        if (when === "after") await answer(disk, clock, asked.keys[0] ?? "");
        return result;
      };
      const engine: Engine = { ...staysOpen(disk), read: (body) => around(() => disk.read(body)), write: (body) => around(() => disk.write(body)) };
      const { close } = await waiting(engine, clock, asked);
      await whileTimePasses(clock, close());
      if (!struck) await answer(disk, clock, asked.keys[0] ?? "");
      expect(await recovered(disk, clock, asked), `${when} call ${nth}`).toEqual(ANSWERED);
    }
  }
  expect(moments).toBeGreaterThan(8);
});

test("a process that dies anywhere while it leaves a turn loses no answer, and the tool is not asked again (AE-9, OP-8)", async () => {
  const points = await crashEverywhere({
    open: memoryEngine,
    world: newAsked,
    job: async (process: Mortal, clock, asked) => {
      const { close } = await waiting(process.engine, clock, asked);
      await close();
    },
    check: async (disk, clock, asked) => {
      // Died before the tool was asked, or while it was.
      if (asked.keys.length === 0 || !(await keysOf(disk)).some((key) => key.startsWith('["wait"'))) return;
      await answer(disk, clock, asked.keys[0] ?? "");
      expect(await recovered(disk, clock, asked)).toEqual(ANSWERED);
    },
  });
  expect(points).toBeGreaterThan(20);
});

describe("a write that parks a turn and fails (SC-1)", () => {
  /** Fails the write that deletes the control row from where turns that run have theirs. */
  const failing = (disk: Engine, fault: Fault) => {
    const { made, error } = FAULTS[fault];
    const state = { struck: 0 };
    const write = async <T>(body: Body<WriteTransaction, T>): Promise<T> => {
      let isIt = false;
      const attempt = (tx: WriteTransaction): T | Promise<T> =>
        body({
          get: (key) => tx.get(key),
          range: (from, to, options) => tx.range(from, to, options),
          prefetch: (reads) => tx.prefetch(reads),
          widen: (sessionId) => tx.widen(sessionId),
          set: (key, value) => {
            isIt ||= state.struck === 0 && key[0] === "parked";
            tx.set(key, value);
          },
          delete: (key) => tx.delete(key),
        });
      const result = await disk.write(async (tx) => {
        const given = await attempt(tx);
        if (isIt && !made) {
          state.struck++;
          throw error();
        }
        return given;
      });
      if (!isIt) return result;
      state.struck++;
      throw error();
    };
    return { state, engine: { ...staysOpen(disk), write } satisfies Engine };
  };

  test.each(Object.keys(FAULTS) as Fault[])("%s: the turn waits on, and an answer ends it", async (fault) => {
    const [disk, clock, asked] = [memoryEngine(), manualClock(1_000), newAsked()];
    const { engine, state } = failing(disk, fault);
    const { close, ended } = await waiting(engine, clock, asked);
    await whileTimePasses(clock, close());
    const error = await ended;
    expect(state.struck).toBe(1);
    // What can be found out, or made once more, is.
    const isLeft = !(await keysOf(disk)).some((key) => key.startsWith('["turn"'));
    expect([fault, error]).toMatchObject([fault, { code: isLeft ? "turn_suspended" : "store_commit_failed" }]);
    if (!fault.startsWith("not made, the store")) expect(isLeft).toBe(true);
    await quiet();
    if (!isLeft) await clock.advance(31_000);
    await answer(disk, clock, asked.keys[0] ?? "");
    expect(await recovered(disk, clock, asked)).toEqual(ANSWERED);
  });
});
