// Opening a store file: whose it is, in which version, and the connections on it.
//
//   O1. Nothing of a foreign file or of another version is changed, not even by SQLite's own recovery: the first look is
//       taken with `immutable`, which takes no lock, replays no log and writes nothing.
//   O2. The file is born in rollback mode with its application id and version in its first page, in one transaction, and
//       switched to WAL afterwards. So the first page of a file that is ours says so from its first byte on, whatever is
//       still in a log, and concurrent first opens never see version 0 (P-58).
//   O3. A file that needs its log is not opened without it, nor with one of another moment (log-state.ts).
//   O4. Content that SQLite's own journal would roll back to nothing is nothing: the file was being made when the power failed.
//   O5. A new file may be read and written by its owner alone; SQLite gives its log and its index the same rights.

import { accessSync, closeSync, constants, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { storeError } from "../../domain/errors.ts";
import { acceptAsWhole, belongTogether, CREATE_LOG_STATE, type FileState, fileState, type LogFile, logAt, logMissing, logOfAnother } from "./log-state.ts";
import { fromFileSystem, isUnreadable } from "./sqlite-errors.ts";
import { journalHoldsNothing } from "./half-made.ts";

/** "lash", in the header field that SQLite keeps for this (https://sqlite.org/pragma.html#pragma_application_id). */
export const APPLICATION_ID = 0x6c_61_73_68;
export const STORE_VERSION = 1;
/** Of new files; a file keeps its own. Small: a step of a turn changes a few hundred bytes in a few places (design section 9). */
export const PAGE_SIZE = 1024;
/**
 * Of new files; earlier ones are `WITHOUT ROWID`, and everything reads and writes both. With values in the tree of the keys, each
 * comparison with a long one reads all of it, which was 40 % of SQLite's time (docs/decisions/0003-row-layout.md).
 */
export const CREATE_ENTRIES = "CREATE TABLE entries (key BLOB PRIMARY KEY NOT NULL, value ANY NOT NULL) STRICT";

export interface Connections {
  readonly writer: DatabaseSync;
  /** Its transactions see one snapshot each, whatever the writer does meanwhile. */
  readonly reader: DatabaseSync;
  /** Whether the file says that it needs its log; otherwise the first write has to see to that. */
  readonly needsLog: boolean;
}

/** Which file lies at `path`; undefined when none does. Costs 2 microseconds. */
export function fileAt(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}

export interface FileLimits {
  /** Largest size of the database file in bytes. */
  readonly maxBytes: number;
  /** What to do with a file whose log is missing. */
  readonly missingLog: "refuse" | "accept";
}

/**
 * Opens `path`, making the store when there is none. Fails as busy when another process is in the way, and may be called again.
 *
 * @throws LashError `store_foreign`, `store_version_unsupported`, `store_log_missing`, or `store_unavailable` for a file that may
 *   not be written; nothing was changed then.
 */
export function openDatabase(path: string, name: string, limits: FileLimits): Connections {
  let found: Found = NEW_FILE;
  if (hasContent(path)) {
    found = examine(path, name, limits);
    // Before SQLite takes the file for one to read and leaves a log beside it that nobody may write either.
    refuseReadOnly(path, name);
  } else {
    createPrivately(path);
  }
  const writer = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: false });
  try {
    prepareFile(writer, name, limits);
    const needsLog = prepareLogState(writer, path, name, found);
    const reader = new DatabaseSync(path, { timeout: 0, readOnly: true });
    return { writer, reader, needsLog };
  } catch (error) {
    writer.close();
    throw error;
  }
}

// Never by reading the file ourselves: closing a descriptor drops the locks that SQLite holds on the same file in this
// process (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
const hasContent = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

/** O5. Never a file that is there: its rights are its owner's to choose. */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch {
    // It is there by now, it is a link to nowhere, or it cannot be made: SQLite has the better words for that.
  }
}

interface Found {
  readonly state: FileState;
  readonly log: LogFile;
}

const NEW_FILE: Found = { state: { kind: "whole", noted: 0, copied: 0 }, log: "absent" };

/** O1, O3, O4. */
function examine(path: string, name: string, limits: FileLimits): Found {
  try {
    return glanceAt(path, name, limits.missingLog);
  } catch (error) {
    if (isUnreadable(error) && journalHoldsNothing(realpathSync(path))) return NEW_FILE;
    throw error;
  }
}

/** How often a file may look as if its log were missing before it is: another process may be opening or closing it right now. */
const LOOKS = 3;

function glanceAt(path: string, name: string, missingLog: FileLimits["missingLog"]): Found {
  const real = realpathSync(path);
  for (let look = 1; ; look++) {
    // In this order: a log that goes away goes after the file has become whole.
    const log = logAt(real);
    const state = stateOf(path, name, log === "present");
    if (log === "present") {
      if (isOwnLog(path, name, state)) return { state, log };
      if (look === LOOKS) throw logOfAnother(name);
    } else if (state.kind !== "needs_log" || (look === LOOKS && missingLog === "accept")) {
      return { state, log };
    } else if (look === LOOKS) {
      throw logMissing(name, log);
    }
  }
}

/** By a connection that cannot write, because the last one that can copies the log into the file when it is closed. */
function isOwnLog(path: string, name: string, before: FileState): boolean {
  if (before.kind === "unknown") return true;
  const through = new DatabaseSync(path, { timeout: 0, readOnly: true });
  try {
    return belongTogether(before, fileState(through), () => stateOf(path, name, true));
  } finally {
    through.close();
  }
}

function stateOf(path: string, name: string, hasLog: boolean): FileState {
  const glance = new DatabaseSync(immutable(path), { readOnly: true, defensive: false });
  try {
    // Lets SQLite read the header of a file that is shorter than its header says: a checkpoint that was cut off (a killed
    // process, a full disk) leaves one, and the log, which holds the rest, is not read here.
    glance.exec("PRAGMA writable_schema = ON");
    checkIdentity(glance, name);
    return stateByItself(glance, hasLog);
  } finally {
    glance.close();
  }
}

function stateByItself(glance: DatabaseSync, hasLog: boolean): FileState {
  try {
    return fileState(glance);
  } catch (error) {
    if (hasLog) return { kind: "unknown", noted: 0, copied: 0 };
    throw error;
  }
}

/** @returns whether the file says that it needs its log. Asked again now that no other connection can be the last one. */
function prepareLogState(database: DatabaseSync, path: string, name: string, { state, log }: Found): boolean {
  if (state.kind === "unknown") transactionally(database, () => database.exec(CREATE_LOG_STATE));
  if (state.kind !== "needs_log") return false;
  if (log !== "present") acceptAsWhole(database);
  return stateOf(path, name, true).kind === "needs_log";
}

/** The log of a file lies beside it, so its folder has to take files, too. */
function refuseReadOnly(path: string, name: string): void {
  for (const place of [path, dirname(path)]) {
    try {
      accessSync(place, constants.W_OK);
    } catch (error) {
      throw fromFileSystem(error, name);
    }
  }
}

/**
 * Opens a file to look at: nothing is made, changed or locked. Without a log nobody is writing, and SQLite is told to take no
 * locks; a log has to be read along.
 *
 * @throws LashError `store_foreign`, `store_version_unsupported`, `store_log_missing`.
 */
export function openToLook(path: string, name: string, missingLog: FileLimits["missingLog"] = "refuse"): DatabaseSync {
  glanceAt(path, name, missingLog);
  const hasLog = (statSync(`${realpathSync(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  return hasLog ? new DatabaseSync(path, { readOnly: true, timeout: 5_000 }) : new DatabaseSync(immutable(path), { readOnly: true });
}

export interface ToRead {
  readonly database: DatabaseSync;
  /** Otherwise nobody else writes to it either. */
  readonly isWritable: boolean;
}

/**
 * Opens a store file to read it with all locks, as long as it may be written; nobody writes to one that may not.
 *
 * @throws LashError `store_foreign`, `store_version_unsupported`, `store_log_missing`.
 */
export function examineToRead(path: string, name: string, timeout: number): ToRead {
  glanceAt(path, name, "refuse");
  try {
    refuseReadOnly(path, name);
  } catch {
    return { database: openToLook(path, name), isWritable: false };
  }
  return { database: new DatabaseSync(path, { timeout }), isWritable: true };
}

function immutable(path: string): URL {
  const url = pathToFileURL(path);
  url.searchParams.set("immutable", "1");
  return url;
}

function prepareFile(database: DatabaseSync, name: string, limits: FileLimits): void {
  if (isBlank(database)) {
    database.exec(`PRAGMA page_size = ${PAGE_SIZE}`);
    transactionally(database, () => {
      if (isBlank(database)) createStore(database);
    });
  }
  checkIdentity(database, name);
  const { journal_mode: mode } = database.prepare("PRAGMA journal_mode = WAL").get() ?? {};
  if (mode !== "wal") {
    throw storeError("store_unavailable", `${name}: its file system offers no shared memory, which SQLite's WAL needs; use a local disk`);
  }
  // Commits are synced by WalSync, checkpoints are run by Checkpointer (docs/decisions/0002-sqlite-durability.md).
  database.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
  database.exec(`PRAGMA journal_size_limit = ${16 * 1024 * 1024}`);
  if (limits.maxBytes !== Number.POSITIVE_INFINITY) {
    const pageSize = Number(pragma(database, "page_size"));
    database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(limits.maxBytes / pageSize))}`);
  }
}

function createStore(database: DatabaseSync): void {
  database.exec(`
    ${CREATE_ENTRIES};
    ${CREATE_LOG_STATE};
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${STORE_VERSION};
  `);
}

function transactionally(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } finally {
    if (database.isTransaction) database.exec("ROLLBACK");
  }
}

const pragma = (database: DatabaseSync, field: string): unknown => database.prepare(`PRAGMA ${field}`).get()?.[field];

const isBlank = (database: DatabaseSync): boolean => pragma(database, "application_id") === 0 && pragma(database, "schema_version") === 0;

function checkIdentity(database: DatabaseSync, name: string): void {
  const [id, version] = [pragma(database, "application_id"), pragma(database, "user_version")];
  if (id !== APPLICATION_ID) {
    throw storeError("store_foreign", `${name} is a database of another program; nothing was changed, choose another path`, {
      details: { store: name, applicationId: Number(id) },
    });
  }
  if (version !== STORE_VERSION) {
    throw storeError(
      "store_version_unsupported",
      `${name} has store version ${String(version)}, this program knows version ${STORE_VERSION}; nothing was changed, use the version of lash-runtime that wrote it`,
      { details: { store: name, expected: STORE_VERSION, found: Number(version) } },
    );
  }
}
