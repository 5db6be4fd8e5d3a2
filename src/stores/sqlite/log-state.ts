// What a database file knows of its write-ahead log, so that it is not read without it as if nothing were missing
// (docs/decisions/0024-files.md). One row, `whole`, with two readings:
//
//   G1. In the database file: 0 as long as there is a log with commits that the file does not have, 1 while there is none.
//       It is read with `immutable`, past the log.
//   G2. Through the log: always 1, except while a checkpoint of ours is under way. So whoever copies the whole log into the
//       file, be it SQLite itself when the last connection closes, an earlier version of this package or the sqlite3 shell,
//       leaves a file that says the truth: it is whole.
//   G3. The file says 0 before the first commit is acknowledged that only the log has. Opening a file to read it changes nothing.
//
// So `0` in a file without a log beside it means that commits are missing.

import { openSync, closeSync, readSync, statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { storeError } from "../../domain/errors.ts";
import type { LashError } from "../../domain/errors.ts";

export const CREATE_LOG_STATE = "CREATE TABLE IF NOT EXISTS log_state (whole INTEGER NOT NULL) STRICT; INSERT INTO log_state SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM log_state)";

/** Of a file of an earlier version there is nothing to say. */
export type FileState = "whole" | "needs_log" | "unknown";

/**
 * @param database - opened with `immutable`, so that it reads the file alone.
 * @throws what SQLite says of a file that a checkpoint was cut off in; its log holds the rest.
 */
export function fileState(database: DatabaseSync): FileState {
  if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'log_state'").get() === undefined) return "unknown";
  return database.prepare("SELECT whole FROM log_state").get()?.["whole"] === 0 ? "needs_log" : "whole";
}

export type LogFile = "present" | "absent" | "beheaded";

/** What lies beside a file as its log. Beheaded: somebody emptied it under a running process, which went on behind the gap. */
export function logAt(path: string): LogFile {
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return "absent";
  // SQLite keeps its locks elsewhere: this descriptor drops none when it is closed.
  const fd = openSync(`${path}-wal`, "r");
  try {
    return hasLogHeader(fd) ? "present" : "beheaded";
  } finally {
    closeSync(fd);
  }
}

const MAGIC = 0x37_7f_06_82;

/** Whether a log begins as SQLite's logs do (https://sqlite.org/fileformat2.html#the_write_ahead_log). */
export function hasLogHeader(fd: number): boolean {
  const head = new Uint8Array(4);
  readSync(fd, head, 0, 4, 0);
  return ((new DataView(head.buffer).getUint32(0) & ~1) >>> 0) === MAGIC;
}

export const logMissing = (name: string, log: LogFile): LashError =>
  storeError(
    "store_log_missing",
    `${name}: its write-ahead log ${log === "beheaded" ? "was emptied" : "is missing"}, and the file alone lacks what was committed last; nothing was changed. ` +
      `Put the file ending in "-wal" beside it that belongs to it, restore a backup ("lash backup" copies a store while it is in use), ` +
      `or open it once with { missingLog: "accept" } to go on with what the file alone holds`,
    { details: { store: name } },
  );

/** Within the first write to a file that is whole: from its commit on there is something that only the log has. */
export const noteCommitAhead = (database: DatabaseSync): void => database.exec("UPDATE log_state SET whole = 0");

/**
 * After that write: brings the note into the file (G3), and puts the row back (G2). Syncs the log and the file, once per process
 * and file that had been closed.
 *
 * @returns whether the file says so now. Where another process was in the way, the next checkpoint has to make up for it.
 */
export function carryNoteIntoFile(database: DatabaseSync): boolean {
  try {
    const { busy, log, checkpointed } = database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get() ?? {};
    database.exec("UPDATE log_state SET whole = 1");
    return busy === 0 && log === checkpointed;
  } catch {
    return false;
  }
}

/** Mends G2 after a process that died in the middle of a checkpoint. */
export function mendLogState(database: DatabaseSync): void {
  if (database.prepare("SELECT whole FROM log_state").get()?.["whole"] === 0) database.exec("UPDATE log_state SET whole = 1");
}
