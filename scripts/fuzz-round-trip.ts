// Holds conversations with strict servers of model providers until time is up: npx node scripts/fuzz-round-trip.ts [seconds] [seed]
//
// Exits with 1 when a request was refused or something did not arrive as it was said, and prints the shortest conversation.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { conversation, converse } from "../test/support/strict/fuzz.ts";

const [seconds = 60, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), "lash-round-trip-"));
let files = 0;

const property = fc.asyncProperty(conversation, async (moves) => {
  const file = join(folder, `${files++}.db`);
  const problems = await converse(moves, () => sqlite(file));
  if (problems.length > 0) throw new Error(problems.join("\n"));
});
const details = await fc.check(property, { seed, numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1_000 });
rmSync(folder, { recursive: true, force: true });
console.log(details.failed ? `${String(details.errorInstance)}\n${fc.defaultReportMessage(details)}` : `seed ${seed}: ${files} conversations, nothing refused, nothing lost`);
process.exitCode = details.failed ? 1 : 0;
