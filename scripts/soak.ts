// Kills a working process again and again with SIGKILL and checks what is left: npx node scripts/soak.ts [kills] [seed] [everything]
//
// Exits with 1 when a turn was lost, a finished tool ran twice, a lease stuck or a row was left behind. With `everything` the
// process works with plugins, child sessions, queued work and all else that a session can have (kill-everything-job.ts). Delays
// follow from the seed; what they hit depends on the machine, which is the point of it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killEverything, leftBy } from "../test/support/kill-everything.ts";
import { verdictOn } from "../test/support/kill-everything-verdict.ts";
import { bundleKillJob, inspectKilled, killOnce, seeded } from "../test/support/kill-rounds.ts";

/** Figures that are summed up over the files. */
type Report = Readonly<Record<string, number>> & { readonly violations: readonly string[] };

interface Soak {
  readonly job: "kill-job" | "kill-everything-job";
  /** A new file every so often, so that young and older sessions are killed. */
  readonly killsPerFile: number;
  /** @returns how many were killed. */
  readonly kill: (job: string, file: string, kills: number, random: () => number) => Promise<number>;
  readonly inspect: (file: string) => Promise<{ readonly violations: readonly string[] }>;
}

/** Longer than a turn takes, so that kills fall into recovery, turns and the moments between them. */
const LONGEST_MS = 150;
const LONGEST_OF_EVERYTHING_MS = 400;
const AT_ONCE = 2;

const PLAIN: Soak = {
  job: "kill-job",
  killsPerFile: 100,
  kill: async (job, file, kills, random) => {
    for (let kill = 0; kill < kills; kill++) await killOnce(job, file, `${file}.witness`, random() * LONGEST_MS);
    return kills;
  },
  inspect: (file) => inspectKilled(file, `${file}.witness`),
};
const EVERYTHING: Soak = {
  job: "kill-everything-job",
  killsPerFile: 50,
  kill: (job, file, kills, random) => killEverything(job, file, `${file}.witness`, kills, random, LONGEST_OF_EVERYTHING_MS),
  inspect: async (file) => verdictOn(await leftBy(file, `${file}.witness`)),
};

const [, , killsArgument = "2000", seedArgument = "1", mode = "plain"] = process.argv;
const soak = { plain: PLAIN, everything: EVERYTHING }[mode];
const [kills, seed] = [Number(killsArgument), Number(seedArgument)];
if (!soak || !Number.isSafeInteger(kills) || !Number.isSafeInteger(seed)) throw new Error("usage: npx node scripts/soak.ts [kills] [seed] [everything]");

const { killsPerFile } = soak;
const folder = mkdtempSync(join(tmpdir(), "lash-soak-"));
const job = await bundleKillJob(folder, soak.job);
const random = seeded(seed);
const totals: Record<string, number> = { kills: 0 };
const violations: string[] = [];
const startedAt = performance.now();
const add = (name: string, count: number): number => (totals[name] = (totals[name] ?? 0) + count);

async function soakFile({ kill, inspect }: Soak, file: string, count: number): Promise<void> {
  const killed = await kill(job, file, count, random);
  const report = (await inspect(file)) as Report;
  for (const [name, figure] of Object.entries(report)) if (typeof figure === "number") add(name, figure);
  violations.push(...report.violations.map((violation) => `${file}: ${violation}`));
  console.log(`${add("kills", killed)} kills, ${totals["turns"]} turns, ${violations.length} violations`);
}

let next = 0;
const rounds = Array.from({ length: Math.ceil(kills / killsPerFile) }, (_, index) => Math.min(killsPerFile, kills - index * killsPerFile));
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let round = next++; round < rounds.length; round = next++) await soakFile(soak, join(folder, `${round}.db`), rounds[round] ?? 0);
  }),
);

console.log(JSON.stringify({ seed, seconds: Math.round((performance.now() - startedAt) / 1_000), ...totals, violations }, null, 2));
if (violations.length === 0) rmSync(folder, { recursive: true, force: true });
else process.exitCode = 1;
