// An approval that outlives its process. The clerk asks a person and is killed; the person answers while no clerk runs; the
// next clerk goes on with the answer.
//
//   node examples/approval/main.ts [yes|no]

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { paymentsPath } from "./clerk-agent.ts";
import { Desk } from "./desk.ts";

const [says = "yes"] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), "lash-approval-"));
const start = (program: string, ...args: readonly string[]) => spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), home, ...args], { stdio: ["ignore", "inherit", "inherit"] });
const ended = (child: ReturnType<typeof start>): Promise<void> => new Promise((resolve) => child.once("exit", () => resolve()));

console.log("1. The clerk gets to work, asks, and is killed.");
const clerk = start("clerk.ts");
const gone = ended(clerk);
while (new Desk(home).questions.length === 0 && clerk.exitCode === null) await sleep(20);
clerk.kill("SIGKILL");
await gone;

console.log("2. The person answers, while no clerk runs. A second answer is told that it comes too late.");
await ended(start("person.ts", says));
await ended(start("person.ts", says === "yes" ? "no" : "yes"));

console.log("3. The clerk comes back, and again, to see that nothing is done twice.");
await ended(start("clerk.ts"));
await ended(start("clerk.ts"));

const payments = existsSync(paymentsPath(home)) ? readFileSync(paymentsPath(home), "utf8").trimEnd().split("\n") : [];
console.log(`Payments: ${payments.length === 0 ? "none" : payments.join("; ")}`);
rmSync(home, { recursive: true });
process.exitCode = payments.length === (says === "yes" ? 1 : 0) ? 0 : 1;
