// The executioner: starts the host process, kills it in the middle of tools, and starts it again until the turn has ended.

import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { witnessOf } from "./agent.ts";
import type { Endpoint } from "./model.ts";
import type { Report, TimedReport } from "./reports.ts";
import type { Timeline } from "./timeline.ts";
import type { SideEffect, Witness } from "./witness.ts";

interface Kill {
  readonly during: string;
  /** Asked again and again; `recorded` are the tools whose outcome is known to be on the disk. */
  readonly isDue: (effects: readonly SideEffect[], recorded: ReadonlySet<string>) => boolean;
}

/** The first kill leaves one of two concurrent tools finished, the second one comes between an effect and its outcome. */
const KILLS: readonly Kill[] = [
  {
    during: "rooms, with forecast finished beside it",
    isDue: (effects, recorded) => recorded.has("forecast") && effects.some(({ tool, note }) => tool === "rooms" && note.startsWith("read page 2")),
  },
  { during: "book, after the room was booked and before it said so", isDue: (effects) => effects.some(({ tool, what }) => tool === "book" && what === "did") },
];

const MOST_PROCESSES = KILLS.length + 2;
const LOOK_EVERY_MS = 4;

export interface RunOptions {
  readonly home: string;
  readonly endpoint: Endpoint;
  readonly question: string;
  readonly effects: "journaled" | "inline";
  readonly timeline: Timeline;
}

export interface RunEvidence {
  readonly sessionId: string;
  readonly witness: readonly SideEffect[];
  readonly reports: readonly Report[];
  readonly ended: Extract<Report, { type: "ended" }> | undefined;
  readonly kills: { readonly planned: number; readonly done: number };
  /** Bytes all processes made the file system write; null where the system does not say. */
  readonly writtenBytes: number | null;
  readonly processes: number;
}

export async function runUntilDone(options: RunOptions): Promise<RunEvidence> {
  const witness = witnessOf(options.home);
  const reports: Report[] = [];
  const written: (number | null)[] = [];
  const shown = { effects: 0 };
  let kills = 0;
  let processes = 0;
  while (processes < MOST_PROCESSES && !reports.some(({ type }) => type === "ended")) {
    processes += 1;
    const life = await live(options, { number: processes, kill: KILLS[kills], witness, reports, shown });
    if (life.wasKilled) kills += 1;
    written.push(life.writtenBytes);
  }
  return {
    sessionId: SESSION,
    witness: witness.read(),
    reports,
    ended: reports.find((report) => report.type === "ended"),
    kills: { planned: KILLS.length, done: kills },
    writtenBytes: written.reduce((sum, one) => (sum === null || one === null ? null : sum + one), 0),
    processes,
  };
}

const SESSION = "weekend";
const TURN = "trip-1";

interface Life {
  readonly number: number;
  readonly kill: Kill | undefined;
  readonly witness: Witness;
  readonly reports: Report[];
  readonly shown: { effects: number };
}

/** One host process, from its start to its end or its kill. */
async function live({ home, endpoint, question, effects, timeline }: RunOptions, life: Life) {
  const child = spawn(process.execPath, [fileURLToPath(new URL("host.ts", import.meta.url)), home, SESSION, TURN, question, effects], {
    env: { ...process.env, AGENT_BASE_URL: endpoint.url, AGENT_MODEL: endpoint.model },
    stdio: ["ignore", "pipe", "inherit"],
  });
  timeline.processStarted(life.number, child.pid ?? 0);
  const recorded = new Set<string>();
  let killedAtMs: number | undefined;
  let writtenBytes: number | null = null;

  const look = (): void => {
    const effectsSoFar = life.witness.read();
    for (const effect of effectsSoFar.slice(life.shown.effects)) timeline.happened(effect);
    life.shown.effects = effectsSoFar.length;
    timeline.show(Date.now());
    if (killedAtMs !== undefined || life.kill?.isDue(effectsSoFar, recorded) !== true) return;
    writtenBytes = writtenBytesOf(child.pid);
    killedAtMs = Date.now();
    child.kill("SIGKILL");
  };
  const looking = setInterval(look, LOOK_EVERY_MS);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for await (const line of createInterface({ input: outputOf(child) })) {
    const report = JSON.parse(line) as TimedReport;
    life.reports.push(report);
    timeline.reported(report);
    if (report.type === "tool_recorded") recorded.add(report.tool);
    if (report.type === "ended") ({ writtenBytes } = report);
  }
  await exited;
  clearInterval(looking);
  look();
  if (killedAtMs !== undefined) timeline.killed(life.kill?.during ?? "", killedAtMs);
  timeline.show();
  return { wasKilled: killedAtMs !== undefined, writtenBytes };
}

function outputOf({ stdout }: ChildProcess): NodeJS.ReadableStream {
  if (!stdout) throw new Error("the child was started with a pipe");
  return stdout;
}

/** Only until the process is gone; only on Linux. */
function writtenBytesOf(pid: number | undefined): number | null {
  try {
    const line = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"));
    return line ? Number(line[1]) : null;
  } catch {
    return null;
  }
}
