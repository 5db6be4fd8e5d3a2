// Real processes on one SQLite file, killed with SIGKILL. scripts/soak.ts does the same for longer.

import { dirname } from "node:path";
import { expect, test } from "vitest";
import { scratchFiles } from "../support/engines.ts";
import { bundleKillJob, inspectKilled, killOnce, seeded } from "../support/kill-rounds.ts";

const KILLS = 40;
const fileOf = scratchFiles();

test(`after ${KILLS} kills at random moments every turn is whole, finished tools ran once, no lease is stuck (E-45, OP-3, S-62)`, { timeout: 120_000 }, async () => {
  const random = seeded(20_260_401);
  // Two files at once, as a machine has more than one core.
  const files = [fileOf(), fileOf()];
  const job = await bundleKillJob(dirname(fileOf()));
  await Promise.all(
    files.map(async (file) => {
      for (let kill = 0; kill < KILLS / files.length; kill++) await killOnce(job, file, `${file}.witness`, random() * 60);
    }),
  );
  for (const file of files) {
    const report = await inspectKilled(file, `${file}.witness`);
    expect(report.violations).toEqual([]);
    expect(report.turns).toBeGreaterThan(0);
  }
});
