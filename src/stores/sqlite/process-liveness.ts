// Liveness of processes on this host: a pid with its start time, read from /proc (S-62). Elsewhere owners stay opaque.
//
//   L1. A pid means something in its own pid namespace only: a second container on the same volume has the same kernel, may
//       have the same host name, and does not see the owner. So the namespace is part of the host id, and who does not know
//       of namespaces, an older version, sees another host (ME-28).
//   L2. What /proc does not show proves nothing: it may hide the processes of others (`hidepid`). The system call `kill`
//       hides nobody, so a process is gone only if that says so, too.
//   L3. A /proc of another namespace than our own tells of others' processes under our numbers: then we know nothing.
//
// Read in place: /proc is memory, and opening a session would otherwise wait for several trips through the thread pool.

import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { LeaseOwner } from "../contract.ts";
import { aborted, type Liveness } from "../store.ts";

const NONE = { kind: "opaque" } as const;

/** What is asked of the system, for tests to replace. Both throw as Node does. */
export interface ProcessTable {
  /** The text of a file below /proc, or where a link there leads. */
  read(path: string): string;
  link(path: string): string;
  /** Asks whether a process exists, without disturbing it: `kill(pid, 0)`. */
  probe(pid: number): void;
  readonly pid: number;
  readonly hostname: string;
}

const system: ProcessTable = {
  read: (path) => readFileSync(path, "utf8"),
  link: (path) => readlinkSync(path),
  probe: (pid) => void process.kill(pid, 0),
  pid: process.pid,
  hostname: hostname(),
};

export const processLiveness: Liveness = livenessOf(system);

export function livenessOf(table: ProcessTable): Liveness {
  let own: LeaseOwner["liveness"] | undefined;
  const self = (): LeaseOwner["liveness"] => (own ??= describeSelf(table));
  return {
    self: async () => self(),
    isDead: async ({ liveness }) => {
      const here = self();
      if (liveness.kind !== "local_process" || here.kind !== "local_process") return false;
      if (here.hostId !== liveness.hostId || here.bootId !== liveness.bootId) return false;
      const running = processStart(table, liveness.pid);
      return running === "gone" || (running !== "unknown" && running !== liveness.processStart);
    },
    // The system reports no deaths of processes that are not one's children.
    death: (_owner, signal) => aborted(signal),
    close: () => undefined,
  };
}

function describeSelf(table: ProcessTable): LeaseOwner["liveness"] {
  try {
    // The /proc of another namespace has another number for us (L3).
    if (table.link("/proc/self") !== String(table.pid)) return NONE;
    const namespace = table.link("/proc/self/ns/pid");
    const bootId = table.read("/proc/sys/kernel/random/boot_id").trim();
    const processStartTime = processStart(table, table.pid);
    if (!/^pid:\[\d+\]$/.test(namespace) || processStartTime === "gone" || processStartTime === "unknown") return NONE;
    return { kind: "local_process", hostId: `${table.hostname}/${namespace}`, bootId, pid: table.pid, processStart: processStartTime };
  } catch {
    return NONE;
  }
}

/** Fields of /proc/<pid>/stat behind the command name, which may hold anything up to its last parenthesis. */
const STATE = 0;
const START_TIME = 19;

function processStart(table: ProcessTable, pid: number): string {
  try {
    const stat = table.read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has exited: it only waits for its parent to ask how.
    if (fields[STATE] === "Z" || fields[STATE] === "X") return "gone";
    return fields[START_TIME] ?? "unknown";
  } catch (error) {
    // ESRCH: it ended between being found and being read.
    const code = codeOf(error);
    return (code === "ENOENT" || code === "ESRCH") && isNowhere(table, pid) ? "gone" : "unknown";
  }
}

function isNowhere(table: ProcessTable, pid: number): boolean {
  try {
    table.probe(pid);
    return false;
  } catch (error) {
    return codeOf(error) === "ESRCH";
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);
