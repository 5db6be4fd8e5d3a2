// Loading the built package: main entry and SQLite store, in new processes, beside its biggest dependency and an empty program.
// An older build to compare with: LASH_BENCH_OTHER_DIST=path/to/dist npm run bench -- load

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type Contender, interleave, ratio, timing } from "./measure.ts";
import type { Report } from "./report.ts";

const ROUNDS = { warmUp: 1, measured: 12 };
const SECTION = "Loading the built package in a new process (main entry and SQLite store)";

export async function load(report: Report): Promise<void> {
  const dist = join(import.meta.dirname, "..", "dist");
  if (!existsSync(join(dist, "index.js"))) {
    console.log(`\n${SECTION}: not measured, \`npm run build\` first`);
    return;
  }
  const other = process.env["LASH_BENCH_OTHER_DIST"];
  const contenders: Record<string, Contender> = { package: loading(entriesOf(dist)), xstate: loading([import.meta.resolve("xstate")]) };
  if (other !== undefined) contenders["other"] = loading(entriesOf(resolve(other)));
  const { package: own = [], xstate = [], other: others } = await interleave(contenders, ROUNDS);
  const add = (what: string, value: number, unit: "ms" | "x", budget?: { readonly atMost: number }): void => report.add({ section: SECTION, what, value, unit, ...(budget && { budget }) });
  add("processor time", timing(own).p50, "ms");
  add("the same of xstate alone, which is part of it", timing(xstate).p50, "ms");
  if (others === undefined) return;
  add("the same of the other build", timing(others).p50, "ms");
  add("against the other build", ratio(own, others), "x", { atMost: 0.55 });
}

const entriesOf = (dist: string): readonly string[] => ["index.js", "stores/sqlite/store.js"].map((entry) => pathToFileURL(join(dist, entry)).href);

/** Processor time, not time: on a machine that does other things this is what stays the same. */
const loading =
  (modules: readonly string[]): Contender =>
  async () => {
    const program = `const before = process.cpuUsage();
      for (const module of ${JSON.stringify(modules)}) await import(module);
      const { user, system } = process.cpuUsage(before);
      console.log((user + system) / 1_000);`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
    return [Number(stdout)];
  };
