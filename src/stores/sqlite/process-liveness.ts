// Liveness of processes on this host: a pid with its start time, read from /proc (S-62). Elsewhere owners stay opaque.
//
// Read in place: /proc is memory, and opening a session would otherwise wait for several trips through the thread pool.

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { LeaseOwner } from "../contract.ts";
import { aborted, type Liveness } from "../store.ts";

const NONE = { kind: "opaque" } as const;

let self: LeaseOwner["liveness"] | undefined;

export const processLiveness: Liveness = {
  self: async () => (self ??= describeSelf()),
  isDead: async ({ liveness }) => {
    if (liveness.kind !== "local_process") return false;
    const own = await processLiveness.self();
    if (own.kind !== "local_process" || own.hostId !== liveness.hostId || own.bootId !== liveness.bootId) return false;
    const running = processStart(liveness.pid);
    return running === "gone" || (running !== "unknown" && running !== liveness.processStart);
  },
  // The system reports no deaths of processes that are not one's children.
  death: (_owner, signal) => aborted(signal),
  close: () => undefined,
};

function describeSelf(): LeaseOwner["liveness"] {
  try {
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
    const processStartTime = processStart(process.pid);
    if (processStartTime === "gone" || processStartTime === "unknown") return NONE;
    return { kind: "local_process", hostId: hostname(), bootId: bootId.trim(), pid: process.pid, processStart: processStartTime };
  } catch {
    return NONE;
  }
}

/** Fields of /proc/<pid>/stat behind the command name, which may hold anything up to its last parenthesis. */
const STATE = 0;
const START_TIME = 19;

function processStart(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has exited: it only waits for its parent to ask how.
    if (fields[STATE] === "Z" || fields[STATE] === "X") return "gone";
    return fields[START_TIME] ?? "unknown";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "gone" : "unknown";
  }
}
