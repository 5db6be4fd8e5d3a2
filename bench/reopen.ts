// Reopening: a session of 1,000 turns in a new process, to an open handle and on to the moment its model is asked, beside reading and
// parsing its rows with node:sqlite and nothing else, each in a process of its own; from the built package, which is what
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
  /** From `createLash` to an open handle. */
  readonly openMs: number;
  /** From `createLash` to the model request; of an empty session in a process that has opened one, and of the long one. */
  readonly emptyMs: number;
  readonly longMs: number;
  /** From the start of the process to the model request of the long session: Node's own start and loading modules included. */
  readonly processMs: number;
  /** That the open handle adds, and that it has when the model is asked. */
  readonly openHeapBytes: number;
  readonly heapBytes: number;
  readonly messages: number;
}

/** What reopen-floor.ts prints. */
export interface RowsRead {
  readonly ms: number;
  readonly rows: number;
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
    const floors: RowsRead[] = [];
    // A copy for each: the turn that the process cancels stays in its session.
    const copied = (name: string): string => {
      const copy = join(folder, `reopen-${form}-${name}.db`);
      copyFileSync(path, copy);
      return copy;
    };
    for (let i = 0; i < PROCESSES; i++) {
      const copy = copied(String(i));
      floors.push(JSON.parse(await printed("reopen-floor.ts", copy)) as RowsRead);
      children.push(JSON.parse(await printed("reopen-child.ts", copy, form)) as Reopened);
    }
    // Collecting garbage in between throws compiled code away, too: this one tells no times.
    const { openHeapBytes } = JSON.parse(await printed("reopen-child.ts", copied("heap"), form, "heap")) as Reopened;
    addFindings(report, form === "dist" ? "built package" : "sources", children, floors, openHeapBytes);
  }
}

async function printed(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", join(import.meta.dirname, program), ...args]);
  return stdout;
}

function addFindings(report: Report, form: string, children: readonly Reopened[], floors: readonly RowsRead[], openHeapBytes: number): void {
  if (children.some(({ messages }) => messages !== TURNS * 4 + 1)) throw new Error("the reopened session lacks messages");
  if (floors.some(({ rows }) => rows < TURNS)) throw new Error("the floor did not find the rows of the session");
  const of = (field: keyof Reopened): number => median(children.map((child) => child[field]));
  const best = (field: keyof Reopened): number => Math.min(...children.map((child) => child[field]));
  const floor = Math.min(...floors.map(({ ms }) => ms));
  const add = (what: string, value: number, unit: "ms" | "MB" | "x", budget?: { readonly atMost: number }): void =>
    report.add({ section: SECTION, what: `${form}: ${what}`, value, unit, ...(budget && { budget }) });
  add("createLash to an open handle", of("openMs"), "ms", { atMost: 15 });
  add("the same, best process", best("openMs"), "ms");
  add("heap that the open handle adds", openHeapBytes / 1e6, "MB", { atMost: 10 });
  add("createLash to the first model request", of("longMs"), "ms");
  add("the same, best process", best("longMs"), "ms");
  add("reading and parsing its rows with node:sqlite alone, best process", floor, "ms");
  add("first model request against that", best("longMs") / floor, "x", { atMost: 1.5 });
  add("the same from the start of the process", of("processMs"), "ms");
  add("the same for an empty session after it", of("emptyMs"), "ms");
  add("heap that it adds when its model is asked", of("heapBytes") / 1e6, "MB", { atMost: 10 });
}
