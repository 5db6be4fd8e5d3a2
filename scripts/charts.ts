// Writes docs/machines/*.md from the machines, or (--check) fails when they differ.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { machinePage, type MachineLike } from "../src/inspect/mermaid.ts";
import { leaseMachine } from "../src/machines/lease/lease.machine.ts";
import { sessionMachine } from "../src/machines/session.machine.ts";
import { toolAttemptMachine } from "../src/machines/tool-attempt/tool-attempt.machine.ts";
import { turnMachine } from "../src/machines/turn.machine.ts";
import { standardProtocol } from "../src/protocols/standard.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
export const CHART_FOLDER = join(root, "docs", "machines");

/** Every machine of the runtime; the turn machine with its standard protocol. */
export const MACHINES: readonly MachineLike[] = [turnMachine(standardProtocol), sessionMachine, toolAttemptMachine, leaseMachine];

/** Writes one page per machine and removes pages of machines that are gone. */
export function writeCharts(machines: readonly MachineLike[], folder = CHART_FOLDER): void {
  mkdirSync(folder, { recursive: true });
  const wanted = new Map(machines.map((machine) => [`${machine.id}.md`, machinePage(machine)]));
  for (const file of globSync("*.md", { cwd: folder })) if (!wanted.has(file)) rmSync(join(folder, file));
  for (const [file, text] of wanted) writeFileSync(join(folder, file), text);
}

/**
 * For a test: `expect(outdatedCharts(MACHINES)).toEqual([])`.
 *
 * @returns one sentence per page that is missing, different or left over; none when all is well.
 */
export function outdatedCharts(machines: readonly MachineLike[], folder = CHART_FOLDER): readonly string[] {
  const left = new Set(globSync("*.md", { cwd: folder }));
  const problems: string[] = [];
  for (const machine of machines) {
    const file = `${machine.id}.md`;
    if (!left.delete(file)) problems.push(`${file} is missing`);
    else if (readFileSync(join(folder, file), "utf8") !== machinePage(machine)) problems.push(`${file} differs from its machine`);
  }
  return [...problems, ...[...left].map((file) => `${file} belongs to no machine`)];
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const problems = outdatedCharts(MACHINES);
    for (const problem of problems) console.error(`docs/machines: ${problem} (node scripts/charts.ts)`);
    if (problems.length > 0) process.exitCode = 1;
  } else {
    writeCharts(MACHINES);
    console.log(`docs/machines: ${MACHINES.map(({ id }) => id).join(", ")}`);
  }
}
