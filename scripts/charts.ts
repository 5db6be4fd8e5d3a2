// Writes docs/machines/*.md from the machines in src/machines, or (--check) fails when they differ.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { machinePage, type MachineLike } from "../src/inspect/mermaid.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
export const CHART_FOLDER = join(root, "docs", "machines");

/** Every machine that a `*.machine.ts` file exports, by id. */
export async function findMachines(folder = join(root, "src", "machines")): Promise<readonly MachineLike[]> {
  const machines = new Map<string, MachineLike>();
  for (const file of globSync("**/*.machine.ts", { cwd: folder }).sort()) {
    const exported = (await import(pathToFileURL(join(folder, file)).href)) as Readonly<Record<string, unknown>>;
    for (const value of Object.values(exported)) if (isMachine(value)) machines.set(value.id, value);
  }
  return [...machines.values()];
}

/** Writes one page per machine and removes pages of machines that are gone. */
export function writeCharts(machines: readonly MachineLike[], folder = CHART_FOLDER): void {
  mkdirSync(folder, { recursive: true });
  const wanted = new Map(machines.map((machine) => [`${machine.id}.md`, machinePage(machine)]));
  for (const file of globSync("*.md", { cwd: folder })) if (!wanted.has(file)) rmSync(join(folder, file));
  for (const [file, text] of wanted) writeFileSync(join(folder, file), text);
}

/**
 * For a test: `expect(outdatedCharts(await findMachines())).toEqual([])`.
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

function isMachine(value: unknown): value is MachineLike {
  if (typeof value !== "object" || value === null) return false;
  const { id, config, implementations } = value as { id?: unknown; config?: unknown; implementations?: unknown };
  return typeof id === "string" && typeof config === "object" && config !== null && implementations !== undefined;
}

if (import.meta.main) {
  const machines = await findMachines();
  if (process.argv.includes("--check")) {
    const problems = outdatedCharts(machines);
    for (const problem of problems) console.error(`docs/machines: ${problem} (npm run charts)`);
    if (problems.length > 0) process.exitCode = 1;
  } else {
    writeCharts(machines);
    console.log(`docs/machines: ${machines.map(({ id }) => id).join(", ") || "no machines"}`);
  }
}
