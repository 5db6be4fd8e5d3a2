// Idle sessions: heap that 1,000 opened ones hold, and what is left of it when they are closed.

import { join } from "node:path";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { heapInUse } from "./measure.ts";
import type { Report } from "./report.ts";
import { Host } from "./workload.ts";

const SESSIONS = 1_000;
const SECTION = "Idle sessions (1,000 opened)";

export async function idle(report: Report, folder: string): Promise<void> {
  for (const turns of [0, 1]) {
    const { opened, closed } = await heapPerSession(join(folder, `idle-${turns}.db`), turns);
    const state = turns === 0 ? "never used" : `after ${turns} turn`;
    report.add({ section: SECTION, what: `heap per opened session, ${state}`, value: opened / 1000, unit: "kB", budget: { atMost: 25 } });
    report.add({ section: SECTION, what: `heap left per closed session, ${state}`, value: closed / 1000, unit: "kB", budget: { atMost: 1 }, note: "below 1 kB is noise" });
  }
}

async function heapPerSession(path: string, turns: number): Promise<{ readonly opened: number; readonly closed: number }> {
  const host = new Host({ store: sqlite(path) });
  const ids = Array.from({ length: SESSIONS }, (_, i) => `session-${i}`);
  const use = async (id: string): Promise<void> => {
    await host.open(id);
    await host.turns(id, turns);
  };
  // Code and caches that the first use brings are no session's.
  for (let i = 0; i < 500; i++) {
    await use(`warm-${i}`);
    await host.forget(`warm-${i}`);
  }
  const before = heapInUse();
  for (const id of ids) await use(id);
  const opened = heapInUse();
  for (const id of ids) await host.forget(id);
  const closed = heapInUse();
  await host.close();
  return { opened: (opened - before) / SESSIONS, closed: Math.max(0, closed - before) / SESSIONS };
}
