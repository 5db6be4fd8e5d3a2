// npm run claims [-- ID | file | part of a title ...]
// Breaks, one by one, what the titles of tests claim, and fails when a test stays green without the behaviour it names. Works in
// copies of the repository, two at a time; first every named test is run as it is, because a test that is red anyway shows nothing.

import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLAIMS } from "./claims/all.ts";
import { faultOfClaim } from "./claims/check.ts";
import type { Claim } from "./claims/claim.ts";

const PARALLEL = 2;
const TIMEOUT_MS = 240_000;
const COPIED = ["src", "test", "scripts", "docs", "examples", "bench", "package.json", "tsconfig.json", "vite.config.ts", "README.md", "CONTRIBUTING.md"];

const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.argv.slice(2);
const isWanted = ({ id, test, title }: Claim): boolean => wanted.length === 0 || wanted.some((word) => word === id || test.endsWith(word) || (word.length > 8 && title.includes(word)));
const chosen = CLAIMS.filter(isWanted);
if (chosen.length === 0) throw new Error(`no claim is of ${wanted.join(", ")}; scripts/claims has them all`);

interface Run {
  readonly passed: number;
  readonly failed: number;
  /** What vitest said, where no test ran at all. */
  readonly output: string;
}

const work = mkdtempSync(join(tmpdir(), "lash-claims-"));
/** Placeholders of `test.each` stand for anything. */
const pattern = (titles: readonly string[]): string => `(${titles.map((title) => title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replace(/%[a-z]|\\\$\w+/g, ".*")).join("|")})`;

function makeCopy(name: string): string {
  const folder = join(work, name);
  for (const entry of COPIED) cpSync(join(root, entry), join(folder, entry), { recursive: true, filter: (from) => !from.includes("node_modules") });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
  return folder;
}

/** Runs some tests of one file in that copy. */
function runTests(folder: string, test: string, titles: readonly string[]): Promise<Run> {
  const report = join(folder, "report.json");
  rmSync(report, { force: true });
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "node", test, "-t", pattern(titles), "--reporter=json", `--outputFile=${report}`, "--maxWorkers=1"];
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(process.execPath, args, { cwd: folder, timeout: TIMEOUT_MS });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("close", () => {
      try {
        const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8")) as { readonly numPassedTests: number; readonly numFailedTests: number };
        resolve({ passed: numPassedTests, failed: numFailedTests, output });
      } catch {
        resolve({ passed: 0, failed: 0, output });
      }
    });
  });
}

/** @returns what is wrong; undefined where the test turns red. */
async function faultOf(folder: string, claim: Claim): Promise<string | undefined> {
  const about = `${claim.id} ${claim.test} "${claim.title}"`;
  const file = join(folder, claim.source);
  const whole = readFileSync(file, "utf8");
  writeFileSync(file, whole.replace(claim.find, () => claim.replace));
  const { passed, failed, output } = await runTests(folder, claim.test, [claim.title]);
  writeFileSync(file, whole);
  if (failed > 0) return undefined;
  if (passed > 0) return `${about} stays green without it (${claim.source}: ${claim.find} -> ${claim.replace})`;
  return `${about}: no test ran. The change has to leave code that loads, and the title has to be found:\n${output.slice(-1500)}`;
}

/** One after another in each copy, so that two run at once. */
async function inCopies<Item>(folders: readonly string[], items: readonly Item[], run: (folder: string, item: Item) => Promise<string | undefined>): Promise<readonly string[]> {
  const faults: string[] = [];
  const left = items.entries();
  await Promise.all(
    folders.map(async (folder) => {
      for (const [index, item] of left) {
        const fault = await run(folder, item);
        if (fault !== undefined) faults.push(fault);
        console.log(`${index + 1}/${items.length} ${fault ?? "ok"}`);
      }
    }),
  );
  return faults;
}

try {
  const stale = chosen.flatMap((claim) => faultOfClaim(root, claim) ?? []);
  const applying = chosen.filter((claim) => faultOfClaim(root, claim) === undefined);
  const folders = Array.from({ length: PARALLEL }, (_, index) => makeCopy(`copy-${index}`));
  const files = [...Map.groupBy(applying, ({ test }) => test)];
  console.log(`${files.length} test files as they are`);
  const red = await inCopies(folders, files, async (folder, [test, claims]) => {
    const { passed, failed, output } = await runTests(folder, test, claims.map(({ title }) => title));
    return failed > 0 || passed === 0 ? `${test} is red as it is (${passed} passed, ${failed} failed): mend that first\n${output.slice(-1500)}` : undefined;
  });
  console.log(`${applying.length} claims, broken one by one`);
  const untrue = await inCopies(folders, applying, faultOf);
  const faults = [...stale, ...red, ...untrue];
  console.log(faults.length > 0 ? `\n${faults.join("\n\n")}\n` : `all ${chosen.length} claims are true: each test turns red without what it claims`);
  if (faults.length > 0) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
