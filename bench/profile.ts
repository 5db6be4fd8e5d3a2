// Where the time of a turn goes, by the part of the program that was running: node bench/profile.ts
//
// The workload of the budgets on memory, on SQLite, and a session of 1,000 turns that is opened again, each under the sampling
// profiler. Native work counts for who called it: fsync and SQL for SQLite, JSON for who asked for it.

import { mkdtempSync, rmSync } from "node:fs";
import { Session as Inspector, type Profiler } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory, type Store } from "../src/index.ts";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { Host } from "./workload.ts";

const TURNS = 3_000;
const SESSION = 1_000;
const REOPENS = 40;
const SAMPLE_MICROSECONDS = 100;

interface Share {
  readonly part: string;
  readonly ms: number;
}

async function profiled(run: () => Promise<void>): Promise<readonly Share[]> {
  const inspector = new Inspector();
  inspector.connect();
  await inspector.post("Profiler.enable");
  await inspector.post("Profiler.setSamplingInterval", { interval: SAMPLE_MICROSECONDS });
  await inspector.post("Profiler.start");
  await run();
  const { profile } = await inspector.post("Profiler.stop");
  inspector.disconnect();
  return sharesOf(profile);
}

function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): readonly Share[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parent = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const sums = new Map<string, number>();
  samples.forEach((sample, index) => {
    let node = byId.get(sample);
    let part = node && partOf(node.callFrame);
    // Native functions have no address: they belong to their caller.
    for (; node && part === undefined; part = node && partOf(node.callFrame)) node = byId.get(parent.get(node.id) ?? -1);
    const name = part ?? "node itself";
    sums.set(name, (sums.get(name) ?? 0) + (timeDeltas[index] ?? 0) / 1_000);
  });
  sums.delete("");
  return [...sums].map(([part, ms]) => ({ part, ms })).sort((a, b) => b.ms - a.ms);
}

/** "" is not counted; undefined is somebody else's. */
function partOf({ functionName, url }: Profiler.Profile["nodes"][number]["callFrame"]): string | undefined {
  if (functionName === "(idle)") return "";
  if (functionName === "(garbage collector)") return "garbage collection";
  if (functionName === "(program)" || functionName === "(root)") return "node itself";
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url);
  if (library?.[1]) return library[1];
  const [, own] = /\/(src\/.+)\/[^/]+$/.exec(url) ?? [];
  if (own) return own;
  if (url.includes("/bench/")) return "the workload";
  return url.startsWith("node:") ? "node itself" : undefined;
}

function print(title: string, count: number, unit: string, shares: readonly Share[]): void {
  const total = shares.reduce((sum, { ms }) => sum + ms, 0);
  console.log(`\n${title}: ${(total / count).toFixed(2)} ms of CPU and waiting in calls per ${unit}`);
  for (const { part, ms } of shares) {
    if (ms / total >= 0.01) console.log(`${((ms / total) * 100).toFixed(0).padStart(4)} %  ${((ms / count) * 1_000).toFixed(0).padStart(6)} us  ${part}`);
  }
}

async function turns(title: string, store: Store): Promise<void> {
  const host = new Host({ store, effects: "journaled" });
  await host.open("warm");
  await host.turns("warm", 500);
  await host.open("measured");
  print(title, TURNS, "turn", await profiled(() => host.turns("measured", TURNS)));
  await host.close();
}

async function reopening(path: string): Promise<void> {
  const host = new Host({ store: sqlite(path) });
  await host.open("long");
  await host.turns("long", SESSION);
  await host.close();
  const reopen = async (): Promise<void> => {
    const again = new Host({ store: sqlite(path) });
    await again.open("long");
    await again.close();
  };
  await reopen();
  print(`opening a session of ${SESSION} turns`, REOPENS, "opening", await profiled(async () => {
    for (let i = 0; i < REOPENS; i++) await reopen();
  }));
}

const folder = mkdtempSync(join(tmpdir(), "lash-profile-"));
try {
  await turns("a turn in memory", memory());
  await turns("a turn on SQLite", sqlite(join(folder, "turns.db")));
  await reopening(join(folder, "reopen.db"));
} finally {
  rmSync(folder, { recursive: true });
}
