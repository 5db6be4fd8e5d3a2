// Engines beside the raw floor: the same transactions, with the same rows, in alternating blocks of one run.
//
// A transaction reads 5 rows and writes 5 of about 500 bytes, 2 of them hot. The raw side is node:sqlite with
// synchronous=FULL and its own checkpoints, as its documentation recommends for durable commits.
//   node bench/engines.ts [transactions]

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Engine, Key, Value } from "../src/stores/engine.ts";
import { encodeKey } from "../src/stores/key-codec.ts";
import { memoryEngine } from "../src/stores/memory/index.ts";
import { sqliteEngine } from "../src/stores/sqlite/index.ts";
import { CREATE_ENTRIES, PAGE_SIZE } from "../src/stores/sqlite/open-database.ts";

const BLOCK = 250;

interface Work {
  readonly reads: readonly Key[];
  readonly writes: readonly (readonly [Key, Value])[];
}

/** Random payloads: SQLite does not rewrite what has not changed. */
function workOf(turn: number): Work {
  const session = `session-${turn % 50}`;
  const keys: Key[] = Array.from({ length: 5 }, (_, i) => ["session", session, i < 2 ? "head" : "node", i < 2 ? i : turn * 5 + i]);
  const writes = keys.map((key): readonly [Key, Value] => {
    const noise = Math.random().toString(36).slice(2);
    return [key, { id: noise, turn, text: noise.repeat(45).slice(0, 450), done: false }];
  });
  return { reads: keys, writes };
}

type Side = (work: Work) => Promise<unknown> | undefined;

const engineSide =
  (engine: Engine): Side =>
  ({ reads, writes }) =>
    engine.write(async (tx) => {
      for (const key of reads) await tx.get(key);
      for (const [key, value] of writes) tx.set(key, value);
    });

function rawSide(path: string): Side {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`);
  db.exec(CREATE_ENTRIES);
  const [begin, commit] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT")];
  const get = db.prepare("SELECT value FROM entries WHERE key = ?");
  const set = db.prepare("INSERT INTO entries VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value");
  return ({ reads, writes }) => {
    begin.run();
    for (const key of reads) {
      const row = get.get(encodeKey(key));
      if (row !== undefined) JSON.parse(String(row["value"]));
    }
    for (const [key, value] of writes) set.run(encodeKey(key), JSON.stringify(value));
    commit.run();
    return undefined;
  };
}

/** Bytes this process had written to storage so far; NaN where the system does not say. */
function bytesWritten(): number {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
  } catch {
    return Number.NaN;
  }
}

interface Totals {
  readonly times: number[];
  bytes: number;
}

async function block(side: Side, totals: Totals, first: number): Promise<void> {
  const works = Array.from({ length: BLOCK }, (_, i) => workOf(first + i));
  const before = bytesWritten();
  for (const work of works) {
    const start = performance.now();
    const pending = side(work);
    if (pending !== undefined) await pending;
    totals.times.push(performance.now() - start);
  }
  totals.bytes += bytesWritten() - before;
}

const quantile = (times: readonly number[], q: number): number => times.toSorted((a, b) => a - b)[Math.floor(times.length * q)] ?? Number.NaN;
const mean = (times: readonly number[]): number => times.reduce((sum, time) => sum + time, 0) / times.length;

async function compare(sides: Readonly<Record<string, Side>>, transactions: number): Promise<void> {
  const totals = new Map<string, Totals>(Object.keys(sides).map((name) => [name, { times: [], bytes: 0 }]));
  // The first rounds warm up the code and are thrown away.
  const rounds = Math.max(3, Math.ceil(transactions / BLOCK));
  for (let round = 0; round < rounds; round++) {
    if (round === 2) for (const each of totals.values()) Object.assign(each, { times: [], bytes: 0 });
    for (const [name, side] of Object.entries(sides)) {
      const into = totals.get(name);
      if (into !== undefined) await block(side, into, round * BLOCK);
    }
  }
  for (const [name, { times, bytes }] of totals) {
    const [p50, p95] = [quantile(times, 0.5), quantile(times, 0.95)];
    console.log(
      `${name.padEnd(28)} p50 ${p50.toFixed(4)} ms   p95 ${p95.toFixed(4)} ms   mean ${mean(times).toFixed(4)} ms   ` +
        `${(bytes / times.length / 1024).toFixed(1)} KiB written each   ${times.length} transactions`,
    );
  }
}

const transactions = Number(process.argv[2] ?? 5000);
const folder = mkdtempSync(join(tmpdir(), "lash-bench-"));
const sqlite = sqliteEngine(join(folder, "engine.db"));
const memory = memoryEngine();
try {
  await compare({ "sqlite engine": engineSide(sqlite), "raw node:sqlite FULL": rawSide(join(folder, "raw.db")) }, transactions);
  await compare({ "memory engine": engineSide(memory) }, transactions * 4);
} finally {
  await sqlite.close();
  await memory.close();
  rmSync(folder, { recursive: true });
}
