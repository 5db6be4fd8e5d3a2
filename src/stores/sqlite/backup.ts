// A copy of a store file, made while others write to it.
//
//   K1. All pages are read in one step, which is one snapshot: the copy is the store as of one moment. Writers go on meanwhile,
//       in the log.
//   K2. The copy gets its name once it is whole and on the disk. It needs no log, and says so (log-state.ts).
//   K3. Locks are SQLite's own: a file in use is never read past its log.

import { closeSync, fsyncSync, linkSync, openSync, realpathSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { backup as copyPages, DatabaseSync } from "node:sqlite";
import { invalidArgument } from "../../domain/invalid-argument.ts";
import { storeError } from "../../domain/errors.ts";
import { acceptAsWhole, closeWhole, fileState, logAt } from "./log-state.ts";
import { examineToRead } from "./open-database.ts";
import { fromFileSystemOfCopy, fromSqlite } from "./sqlite-errors.ts";

/** How long a copy waits for a lock of another process; only recovery of a log and the end of the last process take one. */
const PATIENCE_MS = 15_000;
/** Pages per step: all of them (K1). */
const ALL_PAGES = 2 ** 31 - 1;

export interface BackupReport {
  /** Size of the copy. */
  readonly bytes: number;
}

/**
 * Copies a store file while other processes, or this one, go on writing to it: `await backup("agents.db", "agents-monday.db")`.
 * The copy is the whole store as of one moment, one file that needs no other beside it, and is on the disk when this resolves.
 * Images that a store keeps in a `directory` are not in its file: copy that directory after the file.
 *
 * @param from - the file of the store.
 * @param to - the name of the copy; there must be no such file, and its folder has to exist.
 * @throws LashError `invalid_argument` - there is a file `to`. `store_unavailable` - there is no file `from`, or it or the copy's
 *   folder cannot be used. `store_full` - no room for the copy. `store_foreign`, `store_version_unsupported`,
 *   `store_log_missing` - `from` is no whole store of this version. No copy is left behind then.
 */
export async function backup(from: string, to: string): Promise<BackupReport> {
  for (const [field, path] of [["from", from], ["to", to]] as const) {
    if (typeof path !== "string" || path === "" || path === ":memory:" || path.startsWith("file:")) throw invalidArgument(field, "the path of a file");
  }
  const name = `sqlite:${from}`;
  if (statSync(from, { throwIfNoEntry: false }) === undefined) throw storeError("store_unavailable", `there is no file ${from}; nothing was copied`);
  if (statSync(to, { throwIfNoEntry: false }) !== undefined) throw taken(to);
  const part = `${resolve(to)}.part`;
  try {
    await copyTo(part, resolve(from), name);
    nameCopy(part, to);
    return { bytes: statSync(to).size };
  } catch (error) {
    throw fromFileSystemOfCopy(fromSqlite(error, name), to);
  } finally {
    for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(part + suffix, { force: true });
  }
}

async function copyTo(part: string, from: string, name: string): Promise<void> {
  const { database: source, isWritable } = examineToRead(from, name, PATIENCE_MS);
  try {
    rmSync(part, { force: true });
    closeSync(openSync(part, "wx", 0o600));
    await copyPages(source, part, { rate: ALL_PAGES });
  } finally {
    if (isWritable) closeWhole(source, logAt(realpathSync(from)) !== "absent");
    else source.close();
  }
  finish(part);
}

/** K2. The source may have been in the middle of a checkpoint, with the row of log-state.ts at 0. */
function finish(part: string): void {
  const copy = new DatabaseSync(part);
  try {
    if (fileState(copy).kind === "needs_log") acceptAsWhole(copy);
  } finally {
    copy.close();
  }
  sync(part);
}

function nameCopy(part: string, to: string): void {
  try {
    // Unlike a renaming, a link never takes the place of another file.
    linkSync(part, to);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw taken(to);
    throw error;
  }
  if (process.platform !== "win32") sync(dirname(resolve(to)));
}

function sync(path: string): void {
  const fd = openSync(path, process.platform === "win32" ? "r+" : "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const taken = (to: string): Error => invalidArgument("to", `a name that is free; ${to} is there already, and was not touched`);
