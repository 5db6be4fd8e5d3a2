// Kills a working process again and again with SIGKILL and checks what is left: npx node scripts/soak.ts [kills] [seed]
//
// Exits with 1 when a turn was lost, a finished tool ran twice, a lease stuck or a row was left behind. Delays follow from
// the seed; what they hit depends on the machine, which is the point of it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleKillJob, inspectKilled, killOnce, seeded } from "../test/support/kill-rounds.ts";

/** A new file every so often, so that young and older sessions are killed. */
const KILLS_PER_FILE = 100;
const AT_ONCE = 2;
/** Longer than a turn takes, so that kills fall into recovery, turns and the moments between them. */
const LONGEST_MS = 150;

const kills = Number(process.argv[2] ?? 2_000);
const seed = Number(process.argv[3] ?? 1);
const folder = mkdtempSync(join(tmpdir(), "lash-soak-"));
const job = await bundleKillJob(folder);
const random = seeded(seed);
const total = { kills: 0, turns: 0, reported: 0, repeated: 0, modelCallsRepeated: 0, violations: [] as string[] };
const startedAt = performance.now();

async function soakFile(file: string, count: number): Promise<void> {
  for (let kill = 0; kill < count; kill++) await killOnce(job, file, `${file}.witness`, random() * LONGEST_MS);
  const { violations, turns, reported, repeated, modelCallsRepeated } = await inspectKilled(file, `${file}.witness`);
  total.kills += count;
  total.turns += turns;
  total.reported += reported;
  total.repeated += repeated;
  total.modelCallsRepeated += modelCallsRepeated;
  total.violations.push(...violations.map((violation) => `${file}: ${violation}`));
  console.log(`${total.kills} kills, ${total.turns} turns, ${total.violations.length} violations`);
}

let next = 0;
const rounds = Array.from({ length: Math.ceil(kills / KILLS_PER_FILE) }, (_, index) => Math.min(KILLS_PER_FILE, kills - index * KILLS_PER_FILE));
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let round = next++; round < rounds.length; round = next++) await soakFile(join(folder, `${round}.db`), rounds[round] ?? 0);
  }),
);

console.log(JSON.stringify({ seed, seconds: Math.round((performance.now() - startedAt) / 1_000), ...total }, null, 2));
if (total.violations.length === 0) rmSync(folder, { recursive: true, force: true });
else process.exitCode = 1;
