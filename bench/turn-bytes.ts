// Bytes per turn on SQLite: what is written to the file system, log and checkpoints included, and what the file keeps.
//
// Counted over windows of 400 turns, because checkpoints come every hundred turns or so. A window ends with closing the store,
// which copies the rest of the log: a little is counted that a longer window would share among more turns.

import { statSync } from "node:fs";
import { join } from "node:path";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { type WrittenBytes, writtenBytes } from "./measure.ts";
import type { Report } from "./report.ts";
import { Host } from "./workload.ts";

const WINDOW = 400;
const POINTS = [10, 100, 1000] as const;
const SECTION = "Bytes per turn on SQLite";

interface Bytes extends WrittenBytes {
  readonly kept: number;
}

export async function turnBytes(report: Report, folder: string): Promise<void> {
  const at = new Map<number, Bytes>();
  for (const point of POINTS) {
    const bytes = await bytesAround(point, join(folder, `bytes-${point}.db`));
    at.set(point, bytes);
    report.add({ section: SECTION, what: `turn ${point}, handed to the file system`, value: bytes.handed / 1000, unit: "kB", budget: { atMost: 40 } });
    report.add({ section: SECTION, what: `turn ${point}, pages written back (4 KiB each)`, value: bytes.pages / 1000, unit: "kB" });
    report.add({ section: SECTION, what: `turn ${point}, kept`, value: bytes.kept / 1000, unit: "kB", budget: { atMost: 3 } });
  }
  const growth = (at.get(1000)?.handed ?? Number.NaN) / (at.get(10)?.handed ?? Number.NaN);
  report.add({ section: SECTION, what: "written at turn 1000 against turn 10", value: growth, unit: "x", budget: { atMost: 1.1 } });
}

/** Per turn, over turns that lie around `point` of their session: some short sessions, or part of a long one. */
async function bytesAround(point: number, path: string): Promise<Bytes> {
  const perSession = Math.min(WINDOW, 2 * point);
  const lead = point - perSession / 2;
  await useHost(path, (host) => host.turns("session-0", lead));
  const size = statSync(path).size;
  const before = writtenBytes();
  await useHost(path, async (host) => {
    for (let i = 0; i < WINDOW / perSession; i++) {
      if (i > 0) await host.open(`session-${i}`);
      await host.turns(`session-${i}`, perSession);
    }
  });
  const after = writtenBytes();
  return {
    handed: (after.handed - before.handed) / WINDOW,
    pages: (after.pages - before.pages) / WINDOW,
    kept: (statSync(path).size - size) / WINDOW,
  };
}

async function useHost(path: string, use: (host: Host) => Promise<void>): Promise<void> {
  const host = new Host({ store: sqlite(path) });
  await host.open("session-0");
  await use(host);
  await host.close();
}
