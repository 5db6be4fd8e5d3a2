// Liveness of processes on this host: a pid with its start time, read from /proc (S-62). Elsewhere owners stay opaque.

import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { LeaseOwner } from "../contract.ts";
import { aborted, type Liveness } from "../store.ts";

const NONE = { kind: "opaque" } as const;

let self: Promise<LeaseOwner["liveness"]> | undefined;

export const processLiveness: Liveness = {
  self: () => (self ??= describeSelf()),
  isDead: async ({ liveness }) => {
    if (liveness.kind !== "local_process") return false;
    const own = await processLiveness.self();
    if (own.kind !== "local_process" || own.hostId !== liveness.hostId || own.bootId !== liveness.bootId) return false;
    const running = await processStart(liveness.pid);
    return running === "gone" || (running !== "unknown" && running !== liveness.processStart);
  },
  // The system reports no deaths of processes that are not one's children.
  death: (_owner, signal) => aborted(signal),
  close: () => undefined,
};

async function describeSelf(): Promise<LeaseOwner["liveness"]> {
  try {
    const [bootId, processStartTime] = await Promise.all([readFile("/proc/sys/kernel/random/boot_id", "utf8"), processStart(process.pid)]);
    if (processStartTime === "gone" || processStartTime === "unknown") return NONE;
    return { kind: "local_process", hostId: hostname(), bootId: bootId.trim(), pid: process.pid, processStart: processStartTime };
  } catch {
    return NONE;
  }
}

/** Fields of /proc/<pid>/stat behind the command name, which may hold anything up to its last parenthesis. */
const STATE = 0;
const START_TIME = 19;

async function processStart(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has exited: it only waits for its parent to ask how.
    if (fields[STATE] === "Z" || fields[STATE] === "X") return "gone";
    return fields[START_TIME] ?? "unknown";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "gone" : "unknown";
  }
}
