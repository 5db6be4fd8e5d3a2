// `lash inspect-store <path> [--json]`: what is in a store file. Opens it read-only, so it may be run beside a live process.

import { parseArgs } from "node:util";
import { LashError } from "../domain/errors.ts";
import { openReadOnly } from "./read-only-store.ts";
import { reportOn, type SessionReport, type StoreReport } from "./store-report.ts";

/** Where a command writes, and what time it is; the process's own by default. */
export interface CliIo {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly now: () => number;
}

export const inspectStoreUsage = "lash inspect-store <path> [--json]";

/** @returns the exit code: 0, 1 when the store cannot be read, 2 when the arguments are wrong. */
export async function inspectStore(args: readonly string[], io: CliIo): Promise<number> {
  const parsed = parse(args);
  if (parsed === undefined) {
    io.error(`usage: ${inspectStoreUsage}\n`);
    return 2;
  }
  try {
    const store = openReadOnly(parsed.path);
    try {
      const report = await reportOn(store, io.now());
      io.out(parsed.json ? `${JSON.stringify(report, null, 2)}\n` : print(report, io.now()));
      return 0;
    } finally {
      await store.engine.close();
    }
  } catch (error) {
    if (!LashError.is(error)) throw error;
    io.error(`${error.toString()}\n`);
    return 1;
  }
}

function parse(args: readonly string[]): { readonly path: string; readonly json: boolean } | undefined {
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { json: { type: "boolean", default: false } } });
    const [path, ...rest] = positionals;
    return path === undefined || rest.length > 0 ? undefined : { path, json: values.json };
  } catch {
    return undefined;
  }
}

function print(report: StoreReport, nowMs: number): string {
  const healthy = report.sessions.filter((session): session is SessionReport => !("problem" in session));
  const inFlight = healthy.filter((session) => session.turn !== undefined).length;
  const live = healthy.filter((session) => session.lease?.isLive === true).length;
  const { attachments, components } = report;
  const lines = [
    `store        ${clean(report.store)}, ${size(report.fileBytes)}, write-ahead log ${size(report.logBytes)}`,
    `sessions     ${report.sessions.length}, of them ${inFlight} with a turn in flight, ${live} with a live lease; ${report.retiredSessions} deleted`,
    `attachments  ${attachments.count}, ${size(attachments.bytes)}${attachments.bytesElsewhere > 0 ? ` and ${size(attachments.bytesElsewhere)} in a directory` : ""}, ${attachments.uncommittedIntents} not committed`,
    `components   ${components.count}, ${size(components.bytes)}`,
  ];
  if (healthy.length > 0) {
    const header = ["session", "model", "revision", "turns", "nodes", "size", "inputs", "queued", "lease", "turn in flight"];
    lines.push("", ...columns([header, ...healthy.map((session) => rowOf(session, nowMs))]));
  }
  for (const session of report.sessions) if ("problem" in session) lines.push("", `damaged      ${clean(session.sessionId)}: ${clean(session.problem)}`);
  return `${lines.join("\n")}\n`;
}

function rowOf(session: SessionReport, nowMs: number): string[] {
  const { lease, turn } = session;
  const counts = [session.headRevision, session.turnIndex, session.nodes].map(String);
  const left = lease === undefined ? "" : duration(Math.abs(lease.expiresAtMs - nowMs));
  const held = lease === undefined ? "free" : `${lease.holder}, ${lease.isLive ? `${left} left` : `expired ${left} ago`}`;
  const recovered = turn !== undefined && turn.recoveries > 0 ? `, recovered ${turn.recoveries} times` : "";
  const running = turn === undefined ? "none" : `${turn.turnId}, step ${turn.step} (${turn.state ?? "accepted"}), for ${duration(nowMs - turn.acceptedAtMs)}${recovered}${turn.isParked ? ", waiting for an answer" : ""}${turn.isCancelRequested ? ", to be cancelled" : ""}`;
  return [session.sessionId, session.model, ...counts, size(session.bytes), String(session.waitingInputs), String(session.queuedBatches), held, running].map(clean);
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd());
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** Ids are whatever a host chose: control characters do not reach the terminal. */
// oxlint-disable-next-line no-control-regex
const clean = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd");
