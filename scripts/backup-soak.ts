// Copies a store file again and again while processes write to it: npx node scripts/backup-soak.ts [copies] [writers].
// 200 copies by each way and 4 writers unless told otherwise. Ends with 1, and keeps its folder, if a copy is neither whole nor refused.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBackups } from "../test/support/backup-rounds.ts";

const [, , copies = "200", writers = "4"] = process.argv;
const folder = mkdtempSync(join(tmpdir(), "lash-backups-"));
const started = performance.now();
const { whole, told, wrong } = await runBackups({ folder, copies: Number(copies), writers: Number(writers), log: (line) => console.log(line) });
console.log(`${whole} copies whole as of one moment, ${told} refused, ${wrong.length} wrong; ${((performance.now() - started) / 1000).toFixed(0)} s`);
for (const problem of wrong) console.log(problem);
if (wrong.length === 0) rmSync(folder, { recursive: true });
else {
  console.log(`kept in ${folder}`);
  process.exitCode = 1;
}
