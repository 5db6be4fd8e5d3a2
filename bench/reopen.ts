// Reopening: a session of 1,000 turns in a new process, up to the moment its model is asked.

import { execFile } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { median } from "./measure.ts";
import type { Report } from "./report.ts";
import { Host } from "./workload.ts";

const TURNS = 1_000;
const PROCESSES = 7;
const SECTION = `Reopening a session of ${TURNS} turns in a new process`;

/** What reopen-child.ts prints. */
export interface Reopened {
  /** From `createLash` to the model request; of an empty session, and of the long one. */
  readonly emptyMs: number;
  readonly longMs: number;
  readonly heapBytes: number;
  readonly messages: number;
}

export async function reopen(report: Report, folder: string): Promise<void> {
  const path = join(folder, "reopen.db");
  const host = new Host({ store: sqlite(path) });
  await host.open("long");
  await host.turns("long", TURNS);
  await host.close();
  const children: Reopened[] = [];
  for (let i = 0; i < PROCESSES; i++) {
    // A copy for each: the turn that the process cancels stays in its session.
    const copy = join(folder, `reopen-${i}.db`);
    copyFileSync(path, copy);
    const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", join(import.meta.dirname, "reopen-child.ts"), copy]);
    children.push(JSON.parse(stdout) as Reopened);
  }
  if (children.some(({ messages }) => messages !== TURNS * 4 + 1)) throw new Error("the reopened session lacks messages");
  const of = (field: keyof Reopened): number => median(children.map((child) => child[field]));
  report.add({ section: SECTION, what: "createLash to the first model request", value: of("longMs"), unit: "ms", budget: { atMost: 30 } });
  report.add({ section: SECTION, what: "the same, best process", value: Math.min(...children.map(({ longMs }) => longMs)), unit: "ms" });
  report.add({ section: SECTION, what: "the same for an empty session", value: of("emptyMs"), unit: "ms", note: "cold code, none of it history" });
  report.add({ section: SECTION, what: "heap that it adds", value: of("heapBytes") / 1e6, unit: "MB", budget: { atMost: 10 } });
}
