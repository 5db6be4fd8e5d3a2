// Fuzzes the language: `node scripts/fuzz-lashlang.ts [seconds, default 60] [seed]`. Exits with 1 and the smallest
// counterexample found; the seed it prints repeats the run.
import * as fc from "fast-check";
import { properties } from "../test/lashlang/fuzz-properties.ts";

const seconds = Number(process.argv[2] ?? 60);
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
const each = (seconds * 1000) / Object.keys(properties).length;
console.log(`seed ${seed}`);

for (const [title, property] of Object.entries(properties)) {
  const report = await fc.check(property, { seed, numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: each, markInterruptAsFailure: false });
  console.log(`${report.failed ? "FAILED" : "ok"} after ${report.numRuns}: ${title}`);
  if (!report.failed) continue;
  console.log(JSON.stringify(report.counterexample), report.errorInstance);
  process.exitCode = 1;
}
