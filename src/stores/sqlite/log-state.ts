// What a database file knows of its write-ahead log, so that it is not read without it, or with another one, as if nothing were
// wrong (docs/decisions/0024-files.md has the argument). One row with three numbers, and two readings of it: in the database file,
// past the log (`immutable`), and through the log.
//
//   G1. `whole` in the file: 1 while the file lacks nothing, less as long as there is a log with commits that it does not have.
//   G2. `whole` through the log: 1, less one for each note under way: a first commit, a checkpoint. So whoever
//       copies the whole log into the file, be it an earlier version of this package or the sqlite3 shell, leaves a file that
//       says the truth: it is whole. Counted, because the end of one process's note must not end another's.
//   G3. The file says less than 1 before the first commit is acknowledged that only the log has, and until the last process
//       has copied the log. Opening a file to read it changes nothing.
//   G4. `noted` counts notes and only grows; `copied` is the last of them that a finished checkpoint has brought into the file.
//       So through its own log a file's `noted` is never less than in the file, and `copied` never more than `noted` in the
//       file. An older log breaks the one, an older file the other.
//
// So less than 1 in a file without a log beside it means that commits are missing.

import { openSync, closeSync, readSync, statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { storeError } from "../../domain/errors.ts";
import type { LashError } from "../../domain/errors.ts";

export const CREATE_LOG_STATE =
  "CREATE TABLE IF NOT EXISTS log_state (whole INTEGER NOT NULL, noted INTEGER NOT NULL, copied INTEGER NOT NULL) STRICT; INSERT INTO log_state SELECT 1, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM log_state)";

/** Begins a note, and gives its number. */
export const BEGIN_NOTE = "UPDATE log_state SET whole = whole - 1, noted = noted + 1 RETURNING noted";
/** Ends so many notes; the second number is that of a note which the file has for certain, or 0. */
export const END_NOTES = "UPDATE log_state SET whole = min(1, whole + ?), copied = max(copied, ?)";

export interface FileState {
  /** Of a file of an earlier version there is nothing to say. */
  readonly kind: "whole" | "needs_log" | "unknown";
  /** G4 */
  readonly noted: number;
  readonly copied: number;
}

const UNKNOWN: FileState = { kind: "unknown", noted: 0, copied: 0 };

/**
 * @param database - opened with `immutable`, so that it reads the file alone; or not, and then it reads through the log.
 * @throws what SQLite says of a file that a checkpoint was cut off in; its log holds the rest.
 */
export function fileState(database: DatabaseSync): FileState {
  if (!hasLogState(database)) return UNKNOWN;
  const row = database.prepare("SELECT whole, noted, copied FROM log_state").get();
  return row === undefined ? UNKNOWN : { kind: Number(row["whole"]) < 1 ? "needs_log" : "whole", noted: Number(row["noted"]), copied: Number(row["copied"]) };
}

const hasLogState = (database: DatabaseSync): boolean => database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'log_state'").get() !== undefined;

/**
 * G4: whether a log belongs to the file that it lies beside. All of it is asked in this order, because other processes may write.
 *
 * @param before - of the file alone, looked at first.
 * @param through - of the file with its log, looked at then.
 * @param after - looks at the file alone once more.
 */
export function belongTogether(before: FileState, through: FileState, after: () => FileState): boolean {
  if (before.kind === "unknown" || through.kind === "unknown") return true;
  if (through.noted < before.noted) return false;
  if (through.copied <= before.noted) return true;
  const now = after();
  return now.kind === "unknown" || through.copied <= now.noted;
}

export type LogFile = "present" | "absent" | "beheaded";

/** What lies beside a file as its log. Beheaded: somebody emptied it under a running process, which went on behind the gap. */
export function logAt(path: string): LogFile {
  const size = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return "absent";
  try {
    // SQLite keeps its locks elsewhere: this descriptor drops none when it is closed.
    const fd = openSync(`${path}-wal`, "r");
    try {
      return hasLogHeader(fd) ? "present" : "beheaded";
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // The last process to close the file took it away just now.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "absent";
    throw error;
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

export const logOfAnother = (name: string): LashError =>
  storeError(
    "store_log_missing",
    `${name}: the write-ahead log beside it is of another moment than the file, as when the two are copied one after the other while somebody writes; nothing was changed. ` +
      `Put the file ending in "-wal" beside it that belongs to it, or restore a backup ("lash backup" copies a store while it is in use)`,
    { details: { store: name } },
  );

/** Within the first write to a file that is whole: from its commit on there is something that only the log has. @returns the note's number. */
export const noteCommitAhead = (database: DatabaseSync): number => Number(database.prepare(BEGIN_NOTE).get()?.["noted"]);

export interface Carried {
  /** Whether the file says now that it needs its log. */
  readonly isInFile: boolean;
  /** Whether the note was ended (G2). */
  readonly isEnded: boolean;
}

/**
 * After that write: brings the note into the file (G3), and ends it (G2). Syncs the log and the file, once per process and
 * file that had been closed. Where another process is in the way, the checkpointer has to make up for it.
 */
export function carryNoteIntoFile(database: DatabaseSync, note: number): Carried {
  const isInFile = quietly(() => {
    const { busy, log, checkpointed } = database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get() ?? {};
    return busy === 0 && log === checkpointed;
  });
  const isEnded = quietly(() => database.prepare(END_NOTES).run(1, isInFile ? note : 0).changes === 1);
  return { isInFile, isEnded };
}

function quietly(attempt: () => boolean): boolean {
  try {
    return attempt();
  } catch {
    return false;
  }
}

/** Says of a file that is opened without its log, because the host accepts that, that nothing more will come. */
export const acceptAsWhole = (database: DatabaseSync): void => database.exec("UPDATE log_state SET whole = 1");

/**
 * Closes a connection. The last one copies the log into the file, and SQLite does so in the order of the pages: killed in the
 * middle of it, a file might say that it is whole before it is. So the file gets all else first (G3), and then the row, which also
 * mends G2 after processes that died with a note under way.
 */
export function closeWhole(database: DatabaseSync, hasLog: boolean): void {
  try {
    if (hasLog) bringHome(database);
  } catch {
    // Others have it open: the last of them sees to it. Or it is no store yet.
  } finally {
    database.close();
  }
}

function bringHome(database: DatabaseSync): void {
  // Succeeds for the only connection that there is.
  database.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE");
  try {
    // The log stays until SQLite takes it away, behind the row: without one the file would be refused meanwhile.
    database.exec("UPDATE log_state SET whole = 0, noted = noted + 1; COMMIT; PRAGMA wal_checkpoint(FULL)");
  } finally {
    if (database.isTransaction) database.exec("ROLLBACK");
    acceptAsWhole(database);
  }
}
