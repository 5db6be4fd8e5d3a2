// Time per turn at turn 10, 100 and 1,000 of a session: memory and SQLite, each beside its floors doing the same transactions.
//
// Every contender goes through the same schedule in step: a fresh session per round stands at turn 10, a session that starts
// over every five rounds stands near turn 100, and one session has had 1,000 turns when the first round begins.

import { join } from "node:path";
import { memory } from "../src/index.ts";
import { memoryEngine } from "../src/stores/memory/index.ts";
import { sqliteEngine } from "../src/stores/sqlite/index.ts";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { opaqueLiveness } from "../src/stores/store.ts";
import { engineFloor, type Floor, rawSqliteFloor } from "./floors.ts";
import { type Block, median, ratio, timed, timing } from "./measure.ts";
import { bytesSet, recordingEngine, type Transaction } from "./recording-engine.ts";
import type { Report } from "./report.ts";
import { Host } from "./workload.ts";

const ROUNDS = { warmUp: 4, measured: 32 };
const BLOCK = 10;
const POINTS = [10, 100, 1000] as const;
type Point = (typeof POINTS)[number];

interface Place {
  readonly session: string;
  /** Turns that the session has before the measured ones, if it does not have them yet. */
  readonly lead: number;
}

function placeOf(point: Point, round: number): Place {
  switch (point) {
    case 10:
      return { session: `young-${round}`, lead: 5 };
    case 100:
      return { session: `grown-${Math.floor(round / 5)}`, lead: 75 };
    case 1000:
      return { session: "old", lead: 900 };
  }
}

/** Somebody who can go through the schedule. */
interface Player {
  open(session: string): Promise<void>;
  turn(session: string): Promise<void>;
  close(): Promise<void>;
}

/** @returns the times of one block at a point of the schedule. */
async function play(player: Player, started: Set<string>, point: Point, round: number): Promise<Block> {
  const { session, lead } = placeOf(point, round);
  if (!started.has(session)) {
    started.add(session);
    await player.open(session);
    for (let i = 0; i < lead; i++) await player.turn(session);
  }
  return timed(BLOCK, () => player.turn(session));
}

/** What a run of the whole schedule did: per session, the transactions of each of its turns. */
type Recording = ReadonlyMap<string, readonly (readonly Transaction[])[]>;

async function record(effects: "journaled" | "inline"): Promise<Recording> {
  const engine = recordingEngine(memoryEngine());
  const host = new Host({ store: { engine, liveness: opaqueLiveness }, effects });
  const turns = new Map<string, (readonly Transaction[])[]>();
  const player: Player = {
    async open(session) {
      await host.open(session);
      turns.set(session, []);
      engine.take();
    },
    async turn(session) {
      await host.turn(session);
      turns.get(session)?.push(engine.take());
    },
    close: () => host.close(),
  };
  const started = new Set<string>();
  for (let round = 0; round < ROUNDS.warmUp + ROUNDS.measured; round++) {
    for (const point of POINTS) await play(player, started, point, round);
  }
  await host.close();
  return turns;
}

/** A floor goes through the recording instead of running turns. */
function replaying(floor: Floor, recording: Recording): Player {
  const next = new Map<string, number>();
  return {
    open: () => Promise.resolve(),
    async turn(session) {
      const at = next.get(session) ?? 0;
      next.set(session, at + 1);
      const transactions = recording.get(session)?.[at];
      if (transactions === undefined) throw new Error(`turn ${at} of ${session} was not recorded`);
      await floor.replay(transactions);
    },
    close: () => floor.close(),
  };
}

/** Rounds with all players and points, in step. */
async function playAll<Name extends string>(players: Readonly<Record<Name, Player>>): Promise<(name: Name, point: Point) => readonly Block[]> {
  const names = Object.keys(players) as Name[];
  const blocks = new Map<string, Block[]>();
  const started = new Map<Name, Set<string>>(names.map((name) => [name, new Set()]));
  for (let round = 0; round < ROUNDS.warmUp + ROUNDS.measured; round++) {
    for (const point of round % 2 === 0 ? POINTS : POINTS.toReversed()) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const block = await play(players[name], started.get(name) ?? new Set(), point, round);
        const key = `${name}@${point}`;
        if (round >= ROUNDS.warmUp) blocks.set(key, [...(blocks.get(key) ?? []), block]);
      }
    }
  }
  for (const name of names) await players[name].close();
  return (name, point) => blocks.get(`${name}@${point}`) ?? [];
}

export async function turnTimes(report: Report, folder: string): Promise<void> {
  await memoryTimes(report);
  await sqliteTimes(report, folder);
}

async function memoryTimes(report: Report): Promise<void> {
  const section = "Turn on the memory store (inline effects)";
  const recording = await record("inline");
  const blocks = await playAll({ runtime: new Host({ store: memory() }), engine: replaying(engineFloor(memoryEngine()), recording) });
  for (const point of POINTS) {
    const { p50, p95 } = timing(blocks("runtime", point));
    report.add({ section, what: `turn ${point}, p50`, value: p50, unit: "ms" });
    report.add({ section, what: `turn ${point}, p95`, value: p95, unit: "ms" });
    report.add({ section, what: `turn ${point}, engine alone, p50`, value: timing(blocks("engine", point)).p50, unit: "ms" });
  }
  addGrowth(report, section, blocks("runtime", 1000), blocks("runtime", 10));
}

async function sqliteTimes(report: Report, folder: string): Promise<void> {
  const section = "Turn on SQLite (WAL, every commit synced, every step journaled)";
  const recording = await record("journaled");
  for (const point of POINTS) addTransactions(report, section, recording, point);
  const blocks = await playAll({
    runtime: new Host({ store: sqlite(join(folder, "runtime.db")) }),
    engine: replaying(engineFloor(sqliteEngine(join(folder, "engine.db"))), recording),
    raw: replaying(rawSqliteFloor(join(folder, "raw.db")), recording),
  });
  for (const point of POINTS) {
    const { p50, p95 } = timing(blocks("runtime", point));
    report.add({ section, what: `turn ${point}, p50`, value: p50, unit: "ms" });
    report.add({ section, what: `turn ${point}, p95`, value: p95, unit: "ms" });
    for (const floor of ["engine", "raw"] as const) {
      const name = floor === "raw" ? "node:sqlite FULL alone" : "engine alone";
      report.add({ section, what: `turn ${point}, ${name}, p50`, value: timing(blocks(floor, point)).p50, unit: "ms" });
    }
    const toEngine = ratio(blocks("runtime", point), blocks("engine", point));
    const toRaw = ratio(blocks("runtime", point), blocks("raw", point));
    report.add({ section, what: `turn ${point} against engine alone`, value: toEngine, unit: "x" });
    report.add({ section, what: `turn ${point} against node:sqlite alone`, value: toRaw, unit: "x", budget: { atMost: 2 } });
  }
  addGrowth(report, section, blocks("runtime", 1000), blocks("runtime", 10));
}

function addGrowth(report: Report, section: string, old: readonly Block[], young: readonly Block[]): void {
  report.add({ section, what: "time of turn 1000 against turn 10", value: ratio(old, young), unit: "x", budget: { atMost: 1.1 } });
}

function addTransactions(report: Report, section: string, recording: Recording, point: Point): void {
  const turns = recording.get(placeOf(point, 0).session) ?? [];
  const measured = turns.slice(point - 10, point);
  const sets = median(measured.map((transactions) => transactions.reduce((sum, transaction) => sum + bytesSet(transaction), 0)));
  const count = median(measured.map((transactions) => transactions.length));
  report.add({ section, what: `turn ${point}, transactions`, value: count, unit: "tx", budget: { exactly: 4 } });
  report.add({ section, what: `turn ${point}, keys and values set`, value: sets / 1000, unit: "kB" });
}
