// Takeover: a process is killed inside a tool call; how long until another one on this host has its turn running again.

import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import * as z from "zod";
import { createLash, tool } from "../src/index.ts";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { median } from "./measure.ts";
import type { Report } from "./report.ts";
import { instantModel, toolAnswer } from "./workload.ts";

const KILLS = 5;
const SECTION = "Takeover after kill -9 on the same host";

export async function takeover(report: Report, folder: string): Promise<void> {
  const running: number[] = [];
  const ended: number[] = [];
  for (let i = 0; i < KILLS; i++) {
    const times = await killAndTakeOver(join(folder, `takeover-${i}.db`));
    running.push(times.runningMs);
    ended.push(times.endedMs);
  }
  report.add({ section: SECTION, what: "kill to the interrupted tool running again", value: median(running), unit: "ms", budget: { atMost: 1000 } });
  report.add({ section: SECTION, what: "slowest of these", value: Math.max(...running), unit: "ms", budget: { atMost: 1000 } });
  report.add({ section: SECTION, what: "kill to the turn's commit", value: median(ended), unit: "ms" });
}

async function killAndTakeOver(path: string): Promise<{ readonly runningMs: number; readonly endedMs: number }> {
  const child = fork(join(import.meta.dirname, "takeover-child.ts"), [path]);
  await once(child, "message");
  let runningAt = Number.NaN;
  const weather = tool({
    name: "weather",
    description: "Current weather of a city",
    input: z.object({ city: z.string() }),
    readOnly: true,
    run: () => {
      runningAt = performance.now();
      return toolAnswer();
    },
  });
  const lash = createLash({ provider: instantModel, store: sqlite(path), tools: [weather] });
  const gone = once(child, "exit");
  const start = performance.now();
  child.kill("SIGKILL");
  // A process that is gone but not yet reaped has not let go: whoever supervises it hears of its end first, too.
  await gone;
  const [recovered] = await lash.recover();
  const endedAt = performance.now();
  await lash.close();
  if (recovered === undefined || !("result" in recovered) || !recovered.result.isSuccess) throw new Error("the killed turn was not finished");
  return { runningMs: runningAt - start, endedMs: endedAt - start };
}
