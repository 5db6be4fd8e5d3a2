// Reopening: a session of 1,000 turns in a new process, up to the moment its model is asked; from the built package, which is what
// users run, where there is one (`npm run build`), and from the sources.

import { execFile } from "node:child_process";
import { copyFileSync, existsSync } from "node:fs";
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
  /** From `createLash` to the model request; of an empty session in a process that has opened one, and of the long one. */
  readonly emptyMs: number;
  readonly longMs: number;
  /** From the start of the process to the model request of the long session: Node's own start and loading modules included. */
  readonly processMs: number;
  readonly heapBytes: number;
  readonly messages: number;
}

export async function reopen(report: Report, folder: string): Promise<void> {
  const path = join(folder, "reopen.db");
  const host = new Host({ store: sqlite(path) });
  await host.open("long");
  await host.turns("long", TURNS);
  await host.close();
  const isBuilt = existsSync(join(import.meta.dirname, "..", "dist", "index.js"));
  const forms = isBuilt ? (["dist", "src"] as const) : (["src"] as const);
  for (const form of forms) {
    const children: Reopened[] = [];
    for (let i = 0; i < PROCESSES; i++) {
      // A copy for each: the turn that the process cancels stays in its session.
      const copy = join(folder, `reopen-${form}-${i}.db`);
      copyFileSync(path, copy);
      const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", join(import.meta.dirname, "reopen-child.ts"), copy, form]);
      children.push(JSON.parse(stdout) as Reopened);
    }
    addFindings(report, form === "dist" ? "built package" : "sources", children);
  }
}

function addFindings(report: Report, form: string, children: readonly Reopened[]): void {
  if (children.some(({ messages }) => messages !== TURNS * 4 + 1)) throw new Error("the reopened session lacks messages");
  const of = (field: keyof Reopened): number => median(children.map((child) => child[field]));
  const add = (what: string, value: number, unit: "ms" | "MB", budget?: { readonly atMost: number }): void =>
    report.add({ section: SECTION, what: `${form}: ${what}`, value, unit, ...(budget && { budget }) });
  add("createLash to the first model request", of("longMs"), "ms", { atMost: 30 });
  add("the same, best process", Math.min(...children.map(({ longMs }) => longMs)), "ms");
  add("the same from the start of the process", of("processMs"), "ms");
  add("the same for an empty session after it", of("emptyMs"), "ms");
  add("heap that it adds", of("heapBytes") / 1e6, "MB", { atMost: 10 });
}
