// The job of a process that is going to be killed: turns of two concurrent tools and a serial pair, one after another, in one
// session of one SQLite file. What its tools really did is in a file of its own, which no crash takes back.
//
//   node test/support/kill-job.ts <database> <witness file>      works until it is killed

import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import * as z from "zod";
import { createLash, tool, type Lash } from "../../src/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scriptedProvider } from "../../src/testing/index.ts";

export const KILL_SESSION = "killed";
/** In call order. The first of each pair reports an interruption, the second is run again. */
export const KILL_TOOLS = ["alpha", "beta", "gamma", "delta"] as const;

/** One line of the witness file. */
export interface WitnessLine {
  readonly at: "model" | "begin" | "end";
  readonly turn: string;
  readonly what: string;
  readonly interrupted?: boolean;
  readonly key?: string;
}

export function killLash(database: string, witnessFile: string): Lash {
  const witness = (line: WitnessLine): void => appendFileSync(witnessFile, `${JSON.stringify(line)}\n`);
  const witnessed = (name: string) =>
    tool({
      name,
      description: name,
      input: z.object({}),
      execution: name === "gamma" || name === "delta" ? "serial" : "parallel",
      readOnly: name === "beta" || name === "delta",
      run: async (_args, { turnId, interrupted, idempotencyKey }) => {
        witness({ at: "begin", turn: turnId, what: name, interrupted, key: idempotencyKey });
        await sleep(name.length % 3);
        witness({ at: "end", turn: turnId, what: name, interrupted, key: idempotencyKey });
        return `${name} did it in ${turnId}`;
      },
    });
  const provider = scriptedProvider((request) => {
    const said = request.messages.findLastIndex(({ role, blocks }) => role === "user" && blocks.some(({ type }) => type === "text"));
    const results = request.messages.slice(said).flatMap(({ blocks }) => blocks.filter(({ type }) => type === "toolResult")).length;
    witness({ at: "model", turn: request.scope.requestId.split(":turn:")[1]?.split(":llm:")[0] ?? "", what: String(results) });
    if (results === 0) return { text: "first", toolCalls: [{ name: "alpha", callId: "a" }, { name: "beta", callId: "b" }] };
    if (results === 2) return { toolCalls: [{ name: "gamma", callId: "c" }, { name: "delta", callId: "d" }] };
    return "done";
  });
  return createLash({ provider, store: sqlite(database), tools: KILL_TOOLS.map(witnessed), maxRecoveries: Infinity });
}

async function work(database: string, witnessFile: string): Promise<void> {
  const lash = killLash(database, witnessFile);
  process.stdout.write("ready\n");
  await lash.recover();
  const session = await lash.openSession(KILL_SESSION);
  for (;;) {
    const turnId = `turn-${session.observe().readView.turnIndex}`;
    await session.run(`do ${turnId}`, { turnId });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await work(process.argv[2] ?? "", process.argv[3] ?? "");
