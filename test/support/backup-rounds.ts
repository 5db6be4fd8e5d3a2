// Copies of a store file taken while processes write to it, by every way that the documentation names and by those that it warns of.
// What has to hold: by a documented way a copy is the whole store as of one moment; by any other its opening is an error.

import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LashError } from "../../src/domain/errors.ts";
import { prefixRange, type ReadTransaction } from "../../src/stores/engine.ts";
import { backup } from "../../src/stores/sqlite/backup.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";

export interface BackupRounds {
  /** Empty; holds the store and one copy at a time. */
  readonly folder: string;
  /** By each way. */
  readonly copies: number;
  readonly writers: number;
  readonly log?: (line: string) => void;
}

export interface BackupFindings {
  readonly whole: number;
  readonly told: number;
  /** What must not be. */
  readonly wrong: readonly string[];
}

const WAYS = ["backup()", "lash backup", "the file alone", "a log removed after a kill", "a log removed after a kill while all open and close"] as const;
type Way = (typeof WAYS)[number];

const CLI = join(import.meta.dirname, "../../src/cli/lash.ts");
const WRITER = join(import.meta.dirname, "backup-writer.ts");

/** @throws where a copy cannot even be made by a documented way. */
export async function runBackups({ folder, copies, writers: count, log = () => undefined }: BackupRounds): Promise<BackupFindings> {
  const path = join(folder, "store.db");
  const wrong: string[] = [];
  let [whole, told, acknowledged] = [0, 0, 0];
  let writers = await startWriters(path, count);
  const stop = async (): Promise<void> => {
    await Promise.all(writers.map(({ child, gone }) => (child.kill("SIGKILL"), gone)));
  };
  try {
    for (let round = 0; round < copies; round++) {
      for (const way of WAYS) {
        const copy = join(folder, `${round}.db`);
        const isKill = way.startsWith("a log removed");
        if (way === "a log removed after a kill while all open and close") {
          await stop();
          // A few writes each, so that many of the kills come while the last one closes.
          writers = await startWriters(path, count, 1 + (round % 3));
          await acknowledgements(writers, 1 + ((round * 7) % 23));
        }
        const before = await totalOf(path);
        await copyBy(way, path, copy, stop);
        const left = isKill ? await totalLeft(path, `${copy}-left`) : before;
        const found = await lookAt(copy);
        if (way === "backup()" || way === "lash backup") {
          const after = await totalOf(path);
          const isOfThen = typeof found === "number" && found >= before && found <= after;
          if (isOfThen) whole++;
          else wrong.push(`${round}, ${way}: ${found}, between ${before} and ${after}`);
        } else if (typeof found === "string" && found.startsWith("store_log_missing")) told++;
        // A checkpoint that was complete when the processes died: the log held nothing that the file lacks.
        else if (isKill && found === left) whole++;
        else wrong.push(`${round}, ${way}: ${found} of ${left}, and nobody said a word`);
        for (const suffix of ["", "-wal", "-shm"]) rmSync(copy + suffix, { force: true });
        if (!isKill) continue;
        acknowledged = before;
        writers = await startWriters(path, count);
      }
      if ((round + 1) % 10 === 0) log(`${round + 1} of ${copies} rounds, ${acknowledged} writes`);
    }
  } finally {
    await stop();
  }
  return { whole, told, wrong };
}

async function copyBy(way: Way, path: string, copy: string, stop: () => Promise<void>): Promise<void> {
  switch (way) {
    case "backup()":
      await backup(path, copy);
      return;
    case "lash backup": {
      const { status, stderr } = spawnSync(process.execPath, [CLI, "backup", path, copy], { encoding: "utf8" });
      if (status !== 0) throw new Error(`lash backup ended with ${status}: ${stderr}`);
      return;
    }
    case "the file alone":
      copyFileSync(path, copy);
      return;
    case "a log removed after a kill":
    case "a log removed after a kill while all open and close":
      await stop();
      copyFileSync(path, copy);
  }
}

/** Reads file and log of processes that are dead elsewhere, because the last reader of a file takes its log in. */
async function totalLeft(path: string, probe: string): Promise<number> {
  for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) copyFileSync(path + suffix, probe + suffix);
  const total = await totalOf(probe);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(probe + suffix, { force: true });
  return total;
}

/** @returns how many writes a copy holds, or what is wrong with it. */
async function lookAt(copy: string): Promise<number | string> {
  const engine = sqliteEngine(copy);
  try {
    return await engine.read(async (tx) => {
      const total = Number((await tx.get(["total"])) ?? 0);
      const owns = new Map((await tx.range(...prefixRange(["own"]))).map(({ key, value }) => [key[1], Number(value)]));
      const sum = [...owns.values()].reduce((a, b) => a + b, 0);
      if (sum !== total) return `not of one moment: ${total} in all, ${sum} of each`;
      return (await rowsProblem(tx, owns)) ?? total;
    });
  } catch (error) {
    return LashError.is(error) ? error.toString() : String(error);
  } finally {
    await engine.close();
  }
}

async function rowsProblem(tx: ReadTransaction, owns: ReadonlyMap<unknown, number>): Promise<string | undefined> {
  for (const { key, value } of await tx.range(...prefixRange(["row"]))) {
    const { own, text } = value as { readonly own: number; readonly text: string };
    const latest = owns.get(key[1]) ?? 0;
    const expected = latest - ((latest - Number(key[2]) + 40) % 40);
    if (own !== expected || text !== String(own).repeat(600)) return `row ${key.join("/")} is of write ${own} instead of ${expected}`;
  }
  return undefined;
}

async function totalOf(path: string): Promise<number> {
  if (!existsSync(path)) return 0;
  const engine = sqliteEngine(path);
  try {
    return Number((await engine.read((tx) => tx.get(["total"]))) ?? 0);
  } finally {
    await engine.close();
  }
}

let generation = 0;

interface Writers {
  readonly child: ReturnType<typeof spawn>;
  readonly gone: Promise<unknown>;
}

/** Under names that no process had before, so that counts go on rising. */
async function startWriters(path: string, count: number, writes = Infinity): Promise<readonly Writers[]> {
  generation++;
  const started = Array.from({ length: count }, (_, index) => {
    const child = spawn(process.execPath, [WRITER, path, `${generation}-${index}`, String(writes)], { stdio: ["ignore", "pipe", "inherit"] });
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const atWork = Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), gone]);
    return { child, gone, atWork };
  });
  await Promise.all(started.map(({ atWork }) => atWork));
  return started;
}

/** Resolves when the writers have closed the store so many times, all together. */
async function acknowledgements(writers: readonly Writers[], count: number): Promise<void> {
  let left = count;
  await new Promise<void>((resolve) => {
    for (const { child } of writers) child.stdout?.on("data", () => void (--left <= 0 && resolve()));
  });
}
