// Kills a whole Chromium in mid-turn, 20 times on one profile: node scripts/kill-browser.ts [rounds]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killBrowserAgainAndAgain } from "../test/browser/support/browser-kills.ts";

const rounds = Number(process.argv[2] ?? 20);
const profile = mkdtempSync(join(tmpdir(), "lash-killed-"));
const report = await killBrowserAgainAndAgain(profile, rounds, () => Math.random() * 150);
rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
console.log(`${rounds} kills, ${report.turns} turns, ${report.interruptions} tools run again after an interruption`);
for (const violation of report.violations) console.error(violation);
process.exitCode = report.violations.length > 0 ? 1 : 0;
