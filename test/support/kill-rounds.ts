// Kills the job of kill-job.ts again and again, then looks at what it left (issue: real SIGKILL at random moments).

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { TurnResult } from "../../src/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { KILL_SESSION, KILL_TOOLS, killLash, type WitnessLine } from "./kill-job.ts";
import { heldLanes, keysOf } from "./rows.ts";

/** Mulberry32: the same seed kills at the same delays. Uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One file starts in a fraction of the time that a tree of TypeScript modules takes. @returns its path. */
export async function bundleKillJob(folder: string, name: "kill-job" | "kill-images-job" | "kill-everything-job" = "kill-job"): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  const entry = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  return outfile;
}

/** Starts the job and kills it `delayMs` after it said that it is about to begin. @throws Error when it ended by itself. */
export function killOnce(job: string, database: string, witnessFile: string, delayMs: number, ...more: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, ["--no-warnings", job, database, witnessFile, ...more], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), delayMs));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => (signal === "SIGKILL" ? resolve() : reject(new Error(`the job ended by itself with ${code}: ${said}`))));
  });
}

/** Kills on, later and later, until something was begun before a kill: on a busy machine a process may need longer than all delays before. */
export async function killUntil(hasBegun: () => boolean | Promise<boolean>, kill: (delayMs: number) => Promise<unknown>): Promise<void> {
  for (let delayMs = 100; !(await hasBegun()); delayMs *= 2) await kill(delayMs);
}

export interface KillReport {
  readonly turns: number;
  /** Tool calls that were cut off and reported to the model, or run again. */
  readonly reported: number;
  readonly repeated: number;
  readonly modelCallsRepeated: number;
  /** What must not be; empty when all holds. */
  readonly violations: readonly string[];
}

/** Recovers once more, in this process, and checks every turn against what the tools really did. */
export async function inspectKilled(database: string, witnessFile: string): Promise<KillReport> {
  const lash = killLash(database, witnessFile);
  const recovered = await lash.recover();
  const session = await lash.openSession(KILL_SESSION);
  const { turnIndex, messages, usage } = session.observe().readView;
  const violations: string[] = recovered.flatMap((entry) => ("error" in entry ? [`recovery of ${entry.turnId}: ${entry.error.message}`] : []));
  const witness = readWitness(witnessFile);
  const counts = { reported: 0, repeated: 0, modelCallsRepeated: 0 };
  for (let index = 0; index < turnIndex; index++) {
    const turnId = `turn-${index}`;
    const result = await session.run(`do ${turnId}`, { turnId });
    const own = messages.filter(({ id }) => id.startsWith(`${turnId}:`));
    const text = own.flatMap(({ parts }) => parts.map(({ content }) => content));
    violations.push(...checkTurn(turnId, result, text, witness.filter(({ turn }) => turn === turnId), counts).map((fault) => `${turnId}: ${fault}`));
  }
  if (usage.inputTokens !== 30 * turnIndex) violations.push(`usage of the session is ${usage.inputTokens}, not ${30 * turnIndex}`);
  await lash.close();
  const engine = sqliteEngine(database);
  const held = await heldLanes(engine);
  if (held.length > 0) violations.push("a lease is stuck");
  const left = (await keysOf(engine)).filter((key) => key.startsWith('["turn"'));
  if (left.length > 0) violations.push(`rows of a turn are left: ${left.join(" ")}`);
  await engine.close();
  return { turns: turnIndex, ...counts, violations };
}

function checkTurn(
  turnId: string,
  result: TurnResult,
  text: readonly string[],
  witness: readonly WitnessLine[],
  counts: { reported: number; repeated: number; modelCallsRepeated: number },
): readonly string[] {
  const faults: string[] = [];
  const check = (holds: boolean, fault: string): void => void (holds || faults.push(fault));
  check(result.isSuccess && result.text === "done", `ended as ${JSON.stringify(result.outcome)}`);
  check(result.usage.inputTokens === 30 && result.usage.outputTokens === 15, `used ${JSON.stringify(result.usage)}`);
  // User, reply, results, reply, results, answer.
  check(text.length === 11 && text[0] === `do ${turnId}` && text[10] === "done", `transcript ${JSON.stringify(text)}`);
  const shown = [text[4], text[5], text[8], text[9]];
  for (const [index, name] of KILL_TOOLS.entries()) {
    const begun = witness.filter(({ at, what }) => at === "begin" && what === name);
    const said = shown[index] ?? "";
    const isReport = index % 2 === 0;
    const succeeded = said === `${name} did it in ${turnId}`;
    check(succeeded || (isReport && said.includes("tool_interrupted")), `${name} answered ${said}`);
    check(new Set(begun.map(({ key }) => key)).size <= 1, `${name} had several keys`);
    if (isReport) check(begun.length <= 1, `${name} ran ${begun.length} times`);
    if (succeeded) check(witness.some(({ at, what }) => at === "end" && what === name), `${name} never ended`);
    check(begun.slice(1).every(({ interrupted }) => interrupted === true), `${name} ran again without being told so`);
    if (!succeeded) counts.reported++;
    if (begun.length > 1) counts.repeated++;
  }
  const asked = witness.filter(({ at }) => at === "model").length;
  check(asked >= 3, `the model was asked ${asked} times`);
  if (asked > 3) counts.modelCallsRepeated += asked - 3;
  return faults;
}

/** The last line may be cut off by the kill. */
const readWitness = (file: string): readonly WitnessLine[] =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").flatMap((line) => (line.endsWith("}") ? [JSON.parse(line) as WitnessLine] : [])) : [];
