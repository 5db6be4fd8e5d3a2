// Many sessions at once on one SQLite file: turns per second, processor time per turn, and how long the event loop stands still
// meanwhile; beside node:sqlite committing the same rows one transaction after another.
//
// Every session runs turn after turn; the model answers at once, so all of the time is the runtime's and the disk's. Raw commits and
// turns take turns in blocks (measure.ts), and the best block of each counts.

import { join } from "node:path";
import { memoryEngine } from "../src/stores/memory/index.ts";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { opaqueLiveness } from "../src/stores/store.ts";
import { type Floor, rawSqliteFloor } from "./floors.ts";
import { median } from "./measure.ts";
import { recordingEngine, type Transaction } from "./recording-engine.ts";
import type { Report } from "./report.ts";
import { Host } from "./workload.ts";

const SESSIONS = [1, 8, 64, 256] as const;
const ROUNDS = 5;
/** Turns of a block: enough that a checkpoint falls into most of them. */
const TURNS = 768;
/** Turns of every session before the first block. */
const LEAD = 6;

interface Run {
  readonly turnsPerSecond: number;
  /** Processor time of all threads per turn, in ms. */
  readonly processor: number;
  /** Longest time between two passes of the event loop, in ms. */
  readonly stall: number;
}

export async function throughput(report: Report, folder: string): Promise<void> {
  const recorded = await recordedTurns(Math.ceil(TURNS / 16));
  for (const sessions of SESSIONS) {
    const host = new Host({ store: sqlite(join(folder, `throughput-${sessions}.db`)) });
    const ids = Array.from({ length: sessions }, (_, i) => `session-${i}`);
    for (const id of ids) await host.open(id);
    await allAtOnce(host, ids, LEAD * sessions);
    const runs: Run[] = [];
    const floors: Run[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      runs.push(await measured(TURNS, () => allAtOnce(host, ids, TURNS)));
      // A new file for each: SQLite hardly writes rows again that have not changed.
      const raw = rawSqliteFloor(join(folder, `throughput-${sessions}-raw-${round}.db`));
      floors.push(await measured(recorded.length, () => replayed(raw, recorded)));
      await raw.close();
    }
    await host.close();
    addFindings(report, sessions, runs, floors);
  }
}

function addFindings(report: Report, sessions: number, runs: readonly Run[], floors: readonly Run[]): void {
  const section = `Turns on one SQLite file, ${sessions === 1 ? "1 session" : `${sessions} sessions at once`}`;
  const most = Math.max(...runs.map(({ turnsPerSecond }) => turnsPerSecond));
  const floor = Math.max(...floors.map(({ turnsPerSecond }) => turnsPerSecond));
  const processor = Math.min(...runs.map((run) => run.processor));
  const floorProcessor = Math.min(...floors.map((run) => run.processor));
  const stalls = runs.map(({ stall }) => stall);
  report.add({ section, what: "turns per second", value: most, unit: "/s", ...(sessions === 256 && { budget: { atLeast: 1_500 } }) });
  report.add({ section, what: "node:sqlite alone, the same rows one transaction after another", value: floor, unit: "/s", note: `${Math.round(floor * 4)} commits per second` });
  report.add({ section, what: "turns per second against node:sqlite alone", value: most / floor, unit: "x" });
  report.add({ section, what: "processor time of a turn", value: processor, unit: "ms", ...(sessions === 64 && { budget: { atMost: 1 } }) });
  report.add({ section, what: "processor time against that of node:sqlite alone", value: processor / floorProcessor, unit: "x" });
  report.add({ section, what: "longest stall of the event loop, median of the blocks", value: median(stalls), unit: "ms", ...(sessions === 256 && { budget: { atMost: 50 } }) });
  report.add({ section, what: "longest stall of the event loop, worst block", value: Math.max(...stalls), unit: "ms" });
}

/** Every session has its share of the turns, one after another. */
async function allAtOnce(host: Host, ids: readonly string[], turns: number): Promise<void> {
  let left = turns;
  await Promise.all(
    ids.map(async (id) => {
      while (left > 0) {
        left -= 1;
        await host.turn(id);
      }
    }),
  );
}

/** The transactions of turns of 16 sessions; a raw commit does not care whose they are. */
async function recordedTurns(each: number): Promise<readonly (readonly Transaction[])[]> {
  const engine = recordingEngine(memoryEngine());
  const host = new Host({ store: { engine, liveness: opaqueLiveness }, effects: "journaled" });
  const turns: (readonly Transaction[])[] = [];
  for (let session = 0; session < 16; session++) {
    const id = `recorded-${session}`;
    await host.open(id);
    await host.turns(id, LEAD);
    engine.take();
    for (let i = 0; i < each; i++) {
      await host.turn(id);
      turns.push(engine.take());
    }
  }
  await host.close();
  return turns;
}

async function replayed(floor: Floor, recorded: readonly (readonly Transaction[])[]): Promise<void> {
  for (const transactions of recorded) await floor.replay(transactions);
}

async function measured(turns: number, work: () => Promise<void>): Promise<Run> {
  globalThis.gc?.();
  const watch = watchLoop();
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(before);
  return { turnsPerSecond: turns / seconds, processor: (user + system) / 1_000 / turns, stall: watch.end() };
}

/** Longest time that something due at the next pass of the event loop had to wait. Less than one millisecond is not told apart. */
function watchLoop(): { end(): number } {
  let longest = 0;
  let last = performance.now();
  const look = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(look, 1);
  return {
    end() {
      look();
      clearInterval(timer);
      return longest;
    },
  };
}
