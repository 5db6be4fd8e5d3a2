// What is true of a mailbox on the durable runner, however it is killed and whatever its store does: shared by Node and the browser.

import { describe, expect, test } from "vitest";
import type { Body, Engine, WriteTransaction } from "../../src/stores/engine.ts";
import { crashPoints } from "../../src/testing/faulty-engine.ts";
import { manualClock, type ManualClock } from "../../src/testing/index.ts";
import { macrotask } from "../../src/testing/macrotask.ts";
import { Mortal, type DeathPoint } from "../support/mortal.ts";
import { FAULTS, type Fault } from "../support/faults.ts";
import { type MailEnd, mailRun, World } from "./mailbox.ts";
import { answer, cancelBox, post, readBox } from "./mailbox.record.ts";

const BOX = "b";
const RESULT = { sorted: ["ONE", "TWO", "LATE"], fetched: ["from north", "from south"], answer: "yes", isCancelled: false };

export interface MailEngine {
  readonly name: string;
  readonly open: () => Promise<Engine> | Engine;
  /** What dies inside a transaction leaves what dies before it, as the engine suite shows, and not all faults differ for the run; where a life costs little, all are tried. */
  readonly isCheap: boolean;
}

/** What others do: an answer and a late letter come while the box waits. Written by a process that nobody kills. */
function outside(disk: Engine, isAnswering = true): { readonly onAsk: () => void; readonly settled: () => Promise<void> } {
  let writes: Promise<void> | undefined;
  const both = async (): Promise<void> => {
    await post(disk, BOX, 9, "late");
    if (isAnswering) await answer(disk, BOX, "yes");
  };
  return { onAsk: () => void (writes ??= both()), settled: async () => writes };
}

async function begin(open: MailEngine["open"]) {
  const disk = await open();
  await post(disk, BOX, 1, "one");
  await post(disk, BOX, 2, "two");
  return { disk, clock: manualClock(1_000), world: new World() };
}

/** Lives until the box has ended. @returns how often a process had to begin. */
async function liveOn({ disk, clock, world }: { readonly disk: Engine; readonly clock: ManualClock; readonly world: World }, others: ReturnType<typeof outside>, from = 2): Promise<number> {
  for (let life = from; life < from + 20; life++) {
    const run = mailRun({ engine: disk, owner: `p${life}`, boxId: BOX, world, clock, onAsk: others.onAsk });
    const end = await until(clock, run.run().catch((error: unknown) => ({ kind: "failed" as const, error })));
    world.dead.add(`p${life}`);
    if (end.kind === "ended" || end.kind === "over") return life;
  }
  throw new Error("the box never ended");
}

async function verdict({ disk, world }: { readonly disk: Engine; readonly world: World }, expected: object = RESULT): Promise<void> {
  const box = await readBox(disk, BOX);
  expect(box.result).toEqual(expected);
  expect(box.lease).toBeUndefined();
  for (const { replayKey } of box.journal) expect([replayKey, box.journal.filter((entry) => entry.replayKey === replayKey).length]).toEqual([replayKey, 1]);
  // What was named and begun again knows that it may have happened before.
  for (const [at, { key, interrupted }] of world.begun.entries()) {
    const isAgain = world.begun.slice(0, at).some((earlier) => earlier.key === key);
    if (isAgain) expect([key, interrupted]).toEqual([key, true]);
  }
}

/** One life that may be killed or failed somewhere, then lives that are not, to the end. */
async function throughDeath(open: MailEngine["open"], death: DeathPoint): Promise<Mortal> {
  const made = await begin(open);
  const { disk, clock, world } = made;
  const others = outside(disk);
  const mortal = new Mortal(disk, death);
  world.atBoundary = (name) => (mortal.isDead ? Promise.resolve() : mortal.reach("effect", name));
  const run = mailRun({ engine: mortal.engine, owner: "p1", boxId: BOX, world, clock, onAsk: others.onAsk });
  await until(clock, Promise.race([run.run().catch(() => undefined), mortal.died]));
  await others.settled();
  world.dead.add("p1");
  await liveOn(made, others);
  await verdict(made);
  await disk.close();
  return mortal;
}

async function throughFault(open: MailEngine["open"], fault: Fault, nth: number): Promise<boolean> {
  const made = await begin(open);
  const { disk, clock, world } = made;
  const others = outside(disk);
  let writes = 0;
  const engine: Engine = { ...disk, name: disk.name, durable: disk.durable, read: (body) => disk.read(body), close: () => disk.close(), write: (body) => (++writes === nth ? fail(disk, body, fault) : disk.write(body)) };
  const run = mailRun({ engine, owner: "p1", boxId: BOX, world, clock, onAsk: others.onAsk });
  const end = await until(clock, run.run().catch((error: unknown) => ({ kind: "failed" as const, error })));
  const before = world.done.length;
  if (end.kind === "failed") {
    // After a certain failure nothing but the release is written: the next life is not locked out by a lease that nobody holds.
    world.dead.add("p1");
    await liveOn(made, others);
  }
  await verdict(made);
  expect(world.done.length).toBeGreaterThanOrEqual(before);
  await disk.close();
  return writes >= nth;
}

async function fail<T>(disk: Engine, body: Body<WriteTransaction, T>, fault: Fault): Promise<T> {
  const { made, error } = FAULTS[fault];
  await disk
    .write(async (tx) => {
      const result = await body(tx);
      if (!made) throw error();
      return result;
    })
    .catch(() => undefined);
  throw error();
}

export function mailboxCases({ name, open, isCheap }: MailEngine): void {
  describe(`a mailbox on the durable runner, on ${name}`, { timeout: 120_000 }, () => {
    test("does two effects at once, claims rows in a step, sorts in bodies, waits, sleeps, is refused its end once, and ends", async () => {
      const made = await begin(open);
      const others = outside(made.disk);
      expect(await liveOn(made, others, 1)).toBe(1);
      await verdict(made);
      expect(made.world.done.toSorted()).toEqual(["b:1", "b:2", "b:4:letter:0", "b:4:letter:1", "b:8:letter:0"]);
      expect(made.world.states).toEqual(["driving", "parked", "driving", "ending", "driving", "ending", "over"]);
      await made.disk.close();
    });

    test("killed at any engine call, it ends as if nothing had been; what was recorded is not done again", async () => {
      const rehearsal = await throughDeath(open, { kind: "never" });
      const points = crashPoints(rehearsal.engineCalls).filter(({ when }) => isCheap || when !== "inside");
      expect(points.length).toBeGreaterThan(isCheap ? 60 : 30);
      for (const crash of points) await named(`crash ${JSON.stringify(crash)}`, () => throughDeath(open, { kind: "engine", crash }));
    });

    test("killed at any boundary of an effect, likewise", async () => {
      const rehearsal = await throughDeath(open, { kind: "never" });
      const boundaries = rehearsal.passed.effect.length;
      expect(boundaries).toBe(10);
      for (let nth = 1; nth <= boundaries; nth++) await named(`boundary ${nth}`, () => throughDeath(open, { kind: "boundary", channel: "effect", nth }));
    });

    test.each((Object.keys(FAULTS) as readonly Fault[]).filter((fault) => isCheap || fault.endsWith("does not know")))("a write that is %s, wherever it comes, loses nothing and does nothing twice (SC-1)", async (fault) => {
      let failed = 0;
      while (await named(`write ${failed + 1}`, () => throughFault(open, fault, failed + 1))) failed += 1;
      expect(failed).toBeGreaterThan(8);
    });

    test("parked in one write, it is taken up by whoever comes when the answer is there; an answer at any moment is not lost", async () => {
      for (let moment = 0; moment < 12; moment++) {
        const made = await begin(open);
        const { disk, clock, world } = made;
        let calls = 0;
        let isAsked = false;
        const others = outside(disk);
        const told = async (): Promise<void> => {
          if (isAsked && calls++ === moment) await Promise.resolve(others.onAsk()).then(() => others.settled());
        };
        const engine: Engine = {
          name: disk.name, durable: disk.durable, close: () => disk.close(),
          read: async (body) => (await told(), disk.read(body)),
          write: async (body) => (await told(), disk.write(body)),
        };
        const run = mailRun({ engine, owner: "p1", boxId: BOX, world, clock, leaves: true, onAsk: () => (isAsked = true) });
        const end: MailEnd = await until(clock, run.run());
        others.onAsk();
        await others.settled();
        if (end.kind === "parked") {
          expect((await readBox(disk, BOX)).parked).toEqual({ waits: [BOX] });
          await liveOn(made, others);
        } else expect(end.kind).toBe("ended");
        await verdict(made);
        await disk.close();
      }
    });

    test("what begins to wait while the run looks what became of a write is parked all the same (SC-1)", async () => {
      const made = await begin(open);
      const { disk, clock, world } = made;
      const doubt = Promise.withResolvers<void>();
      let isAsked = false;
      let isLooking = false;
      const engine: Engine = {
        name: disk.name, durable: disk.durable, close: () => disk.close(),
        write: async (body) => {
          if (!isAsked || isLooking) return disk.write(body);
          isLooking = true;
          return fail(disk, body, "made, and the engine does not know");
        },
        read: async (body) => {
          if (isLooking) {
            doubt.resolve();
            await macrotask();
          }
          return disk.read(body);
        },
      };
      const run = mailRun({ engine, owner: "p1", boxId: BOX, world, clock, leaves: true, inDoubt: doubt.promise, onStep: () => (isAsked = true) });
      const end = until(clock, run.run());
      expect(await Promise.race([end, clock.sleep(60_000).then(() => "never")])).toEqual({ kind: "parked" });
      expect(world.states).toContain("resolving");
      await disk.close();
    });

    test("a cancel that a step comes across is taken where the machine can take it; what is open is heard out", async () => {
      const made = await begin(open);
      const { disk, clock, world } = made;
      await cancelBox(disk, BOX);
      const run = mailRun({ engine: disk, owner: "p1", boxId: BOX, world, clock });
      expect(await until(clock, run.run())).toMatchObject({ kind: "ended", result: { isCancelled: true } });
      await disk.close();
    });

    test("what somebody else drives is left alone, what has ended answers with its result", async () => {
      const made = await begin(open);
      const { disk, clock, world } = made;
      const others = outside(disk, false);
      const first = mailRun({ engine: disk, owner: "p1", boxId: BOX, world, clock, onAsk: others.onAsk });
      const ended = first.run();
      await clock.advance(100);
      const second = mailRun({ engine: disk, owner: "p2", boxId: BOX, world, clock });
      expect(await second.run()).toEqual({ kind: "elsewhere", holder: "p1" });
      await answer(disk, BOX, "yes");
      expect(await until(clock, ended)).toMatchObject({ kind: "ended" });
      const third = mailRun({ engine: disk, owner: "p3", boxId: BOX, world, clock });
      expect(await third.run()).toEqual({ kind: "over", result: RESULT });
      await disk.close();
    });

    test("stopped from outside in any state, it writes nothing more and lets go of its lease", async () => {
      for (let ms = 0; ms <= 1_100; ms += 100) {
        const made = await begin(open);
        const { disk, clock, world } = made;
        const others = outside(disk);
        const run = mailRun({ engine: disk, owner: "p1", boxId: BOX, world, clock, onAsk: others.onAsk });
        const ended = run.run().catch((error: unknown) => error);
        if (ms > 0) await clock.advance(ms).then(() => disk.read(async () => undefined));
        run.fail(new Error("stopped"));
        await ended;
        await others.settled();
        expect([run.state, (await readBox(disk, BOX)).lease]).toEqual(["over", undefined]);
        // No death is needed for the next one: nobody is locked out.
        await liveOn(made, others);
        await verdict(made);
        await disk.close();
      }
    });
  });
}

/** Moves time on until the promise settles; storage that takes real time is given it. */
async function until<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  const over = promise.then(() => true, () => true);
  while (!(await Promise.race([over, macrotask().then(() => false)]))) await clock.advance(20);
  return promise;
}

async function named<T>(what: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
}
