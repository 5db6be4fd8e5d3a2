// SqliteEngine: one file, one writing and one reading connection, syncs and checkpoints off the event loop.
//
//   S1. Writers of this engine take turns (`#writers`), because a connection has one transaction at a time. A body settles
//       within microtasks (unwaiting-body.ts), so the write lock that other processes wait for is held for about 0.1 ms.
//   S2. A write resolves when a sync that started after its commit has ended (WalSync).
//   S3. Readers take turns on their own connection, and wait neither for writers nor for syncs.
//   S4. A file that was removed or replaced while it is open takes no more writes: they would go where nobody finds them. Nor
//       does one whose log or index was: those would be lost with this process.
//   S5. A file that may not be written is opened anew by every read, which takes no locks and so must not be kept: it may
//       become writable at any time.

import { closeSync, fdatasync, fdatasyncSync, fstatSync, openSync, realpathSync } from "node:fs";
import { promisify } from "node:util";
import { storeError } from "../../domain/errors.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Body, Engine, ReadTransaction, WriteTransaction } from "../engine.ts";
import { Lane } from "../lane.ts";
import { Lifetime } from "../lifetime.ts";
import { runBodyOf } from "../transaction.ts";
import { type RetryHost, retryWhileBusy } from "./busy-retry.ts";
import { Checkpointer } from "./checkpointer.ts";
import { type FileLimits, fileAt, openDatabase, openToLook } from "./open-database.ts";
import { carryNoteIntoFile, closeWhole, hasLogHeader, noteCommitAhead } from "./log-state.ts";
import { fromFileSystem, fromSqlite, isReadOnly } from "./sqlite-errors.ts";
import { SqliteTransaction, Statements } from "./sqlite-transaction.ts";
import { WalSync } from "./wal-sync.ts";

export interface SqliteSettings extends FileLimits {
  /** As the user wrote it, for names and messages. */
  readonly path: string;
  readonly absolutePath: string;
  readonly busyTimeoutMs: number;
}

/** What the engine asks of the machine, for tests to replace. */
export interface SqliteHost extends RetryHost {
  fdatasync(fd: number): Promise<void>;
  fdatasyncSync(fd: number): void;
}

export const nodeHost: SqliteHost = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => (ms === 0 ? setImmediate(resolve) : setTimeout(resolve, ms))),
  random: Math.random,
  fdatasync: promisify(fdatasync),
  fdatasyncSync,
};

interface Opened {
  readonly writer: Statements;
  readonly reader: Statements;
  readonly sync: WalSync;
  readonly checkpointer: Checkpointer;
  readonly logFile: number;
  /** Which files were opened, by path (S4). */
  readonly files: readonly (readonly [path: string, file: string | undefined])[];
  /** Whether the file says that it needs its log (log-state.ts). */
  needsLog: boolean;
}

/** Wrapped, because a promise inside a promise would be waited for, and the lane is not held for the sync. */
interface Written<T> {
  readonly result: T;
  readonly durable: Promise<void> | undefined;
}

export class SqliteEngine implements Engine {
  readonly name: string;
  readonly durable = true;
  readonly #settings: SqliteSettings;
  readonly #host: SqliteHost;
  readonly #lifetime: Lifetime;
  readonly #writers = new Lane();
  readonly #readers = new Lane();
  #opening: Promise<Opened> | null = null;
  #opened: Opened | null = null;
  #checkpoint: Promise<void> | null = null;

  constructor(settings: SqliteSettings, host: SqliteHost) {
    this.name = `sqlite:${settings.path}`;
    this.#settings = settings;
    this.#host = host;
    this.#lifetime = new Lifetime(this.name);
  }

  read<T>(body: Body<ReadTransaction, T>): Promise<T> {
    return this.#lifetime.during(() => {
      if (this.#opened !== null) return this.#readFrom(this.#opened, body);
      return this.#open()
        .catch((error: unknown) => {
          if (isReadOnly(error)) return undefined;
          throw error;
        })
        .then((opened) => this.#readFrom(opened, body));
    });
  }

  #readFrom<T>(opened: Opened | undefined, body: Body<ReadTransaction, T>): Promise<T> {
    return this.#readers.run(() => (opened ? this.#readOnce(opened.reader, body) : this.#look(body)));
  }

  write<T>(body: Body<WriteTransaction, T>): Promise<T> {
    return this.#lifetime.during(() => {
      // Counted from here, so that writers queued behind a blocked one do not wait for its patience and then for their own.
      const deadline = this.#deadline();
      if (this.#opened !== null) return this.#writeTo(this.#opened, deadline, body);
      return this.#open().then((opened) => this.#writeTo(opened, deadline, body));
    });
  }

  async #writeTo<T>(opened: Opened, deadline: number, body: Body<WriteTransaction, T>): Promise<T> {
    const { result, durable } = await this.#writers.run(() => this.#writeOnce(opened, deadline, body));
    if (durable !== undefined) await durable;
    return result;
  }

  async erase(): Promise<void> {
    this.#lifetime.enter();
    try {
      const { checkpointer } = await this.#open();
      // In line with the writers; readers of this engine are through between two microtasks.
      const problem = await this.#writers.run(async () => {
        await this.#checkpoint;
        return checkpointer.erase();
      });
      if (problem !== null) throw this.#notErased(problem);
    } finally {
      this.#lifetime.leave();
    }
  }

  close(): Promise<void> {
    return this.#lifetime.close(() => this.#release());
  }

  #readOnce<T>(sql: Statements, body: Body<ReadTransaction, T>): T | Promise<T> {
    // BEGIN takes no lock; the snapshot is that of the first statement, which may find another process recovering the log.
    const begun = retryWhileBusy(this.#host, this.#deadline(), this.name, () => {
      sql.rollbackIfOpen();
      sql.begin.run();
      sql.snapshot.get();
    });
    const run = (): T | Promise<T> => andFinally(() => runBodyOf(new SqliteTransaction("read", this.name, sql), body, (result) => result), () => sql.rollbackIfOpen());
    return begun instanceof Promise ? begun.then(run) : run();
  }

  /** Reads a file that may not be written (S5). */
  async #look<T>(body: Body<ReadTransaction, T>): Promise<T> {
    try {
      const database = openToLook(this.#settings.absolutePath, this.name, this.#settings.missingLog);
      try {
        return await this.#readOnce(new Statements(database), body);
      } finally {
        database.close();
      }
    } catch (error) {
      throw fromSqlite(error, this.name);
    }
  }

  #writeOnce<T>(opened: Opened, deadline: number, body: Body<WriteTransaction, T>): Written<T> | Promise<Written<T>> {
    if (this.#checkpoint !== null) return this.#checkpoint.then(() => this.#writeOnce(opened, deadline, body));
    if (opened.sync.failure !== null) throw opened.sync.failure;
    this.#checkFiles(opened);
    const begun = retryWhileBusy(this.#host, deadline, this.name, () => opened.writer.beginImmediate.run());
    return begun instanceof Promise ? begun.then(() => this.#transact(opened, body)) : this.#transact(opened, body);
  }

  #transact<T>(opened: Opened, body: Body<WriteTransaction, T>): Written<T> | Promise<Written<T>> {
    const { writer: sql, sync, checkpointer, logFile } = opened;
    const tx = new SqliteTransaction("write", this.name, sql);
    let note: number | undefined;
    const commit = (result: T): Written<T> => {
      tx.finish();
      if (tx.pages === 0) return { result, durable: undefined };
      sql.commit.run();
      if (!hasLogHeader(logFile)) throw this.#logEmptied();
      const carried = note === undefined ? undefined : this.#carryNote(opened, note);
      const flushed = sync.flush(this.#writers.size === 1);
      this.#afterCommit(checkpointer, tx.pages);
      return { result, durable: carried === undefined ? flushed : Promise.all([flushed, carried]).then(() => undefined) };
    };
    return andFinally(
      () => {
        if (!opened.needsLog) note = noteCommitAhead(sql.database);
        return runBodyOf(tx, body, commit);
      },
      () => sql.rollbackIfOpen(),
      (error) => fromSqlite(error, this.name),
    );
  }

  /** @returns what the commit has to wait for beside its sync: a checkpoint, where others were in the way of this one. */
  #carryNote(opened: Opened, note: number): Promise<void> | undefined {
    const { isInFile, isEnded } = carryNoteIntoFile(opened.writer.database, note);
    opened.needsLog = true;
    if (!isInFile) opened.checkpointer.urge();
    if (!isEnded) opened.checkpointer.endLater();
    return isInFile && isEnded ? undefined : this.#runCheckpoint(opened.checkpointer);
  }

  #afterCommit(checkpointer: Checkpointer, pages: number): void {
    checkpointer.noteCommit(pages);
    if (checkpointer.isDue && this.#checkpoint === null) void this.#runCheckpoint(checkpointer);
  }

  #runCheckpoint(checkpointer: Checkpointer): Promise<void> {
    const running = checkpointer.run().finally(() => {
      this.#checkpoint = null;
    });
    this.#checkpoint = running;
    return running;
  }

  /** S4 */
  #checkFiles({ files }: Opened): void {
    const [database, ...beside] = files.map(([path, file]) => fileAt(path) === file);
    if (!database) throw this.#unavailable("was removed or replaced while it was open; this write was not made, open it again");
    if (beside.includes(false)) {
      throw this.#unavailable('has lost its write-ahead log: a file ending in "-wal" or "-shm" was removed or replaced while the store was open; this write was not made. Close the store, which saves what the log still holds, and open it again');
    }
  }

  #logEmptied(): Error {
    return this.#unavailable(
      'has lost its write-ahead log: the file ending in "-wal" was emptied while the store was open. This write may or may not survive; close the store, which saves what it can, and restore a backup if it does not open',
      { unsynced: true },
    );
  }

  #notErased(problem: unknown): Error {
    return this.#unavailable(`was not written anew, so that deleted content may still be in its file or its log: ${String(problem)}. Call vacuum again`);
  }

  #unavailable(what: string, details: JsonObject = {}): Error {
    return storeError("store_unavailable", `${this.name} ${what}`, { details: { store: this.name, ...details } });
  }

  #deadline(): number {
    return this.#host.now() + this.#settings.busyTimeoutMs;
  }

  #open(): Promise<Opened> {
    // A failed attempt is not kept: the file may be there, free or writable at the next call.
    this.#opening ??= this.#openOnce().then(
      (opened) => (this.#opened = opened),
      (error: unknown) => {
        this.#opening = null;
        throw error;
      },
    );
    return this.#opening;
  }

  async #openOnce(): Promise<Opened> {
    const { absolutePath } = this.#settings;
    const { writer, reader, needsLog } = await retryWhileBusy(this.#host, this.#deadline(), this.name, () =>
      openDatabase(absolutePath, this.name, this.#settings),
    );
    try {
      const writing = new Statements(writer);
      const statements = { writer: writing, reader: new Statements(reader, writing.recent) };
      // There since the statements were prepared, beside the file that a link points to. Opened for writing because Windows
      // flushes no other handle; holding it is safe, SQLite puts no locks on the log.
      const realPath = realpathSync(absolutePath);
      const logFile = openSync(`${realPath}-wal`, "r+");
      const sync = new WalSync(this.name, {
        sync: () => this.#host.fdatasync(logFile),
        syncInPlace: () => this.#host.fdatasyncSync(logFile),
        now: () => this.#host.now(),
      });
      const files = [absolutePath, `${realPath}-wal`, `${realPath}-shm`].map((path) => [path, fileAt(path)] as const);
      return { ...statements, sync, checkpointer: new Checkpointer(absolutePath), logFile, files, needsLog };
    } catch (error) {
      reader.close();
      writer.close();
      throw fromFileSystem(fromSqlite(error, this.name), this.name);
    }
  }

  async #release(): Promise<void> {
    const opened = await this.#opening;
    if (opened === null) return;
    await this.#checkpoint;
    await opened.checkpointer.close();
    const hasLog = fstatSync(opened.logFile).size > 0;
    closeSync(opened.logFile);
    opened.reader.database.close();
    closeWhole(opened.writer.database, hasLog);
  }
}

/** Runs `after` once `run` is through, with or without a promise. */
function andFinally<T>(run: () => T | Promise<T>, after: () => void, errorOf = (error: unknown): unknown => error): T | Promise<T> {
  const fail = (error: unknown): never => {
    after();
    throw errorOf(error);
  };
  const succeed = (result: T): T => {
    after();
    return result;
  };
  let given: T | Promise<T>;
  try {
    given = run();
  } catch (error) {
    return fail(error);
  }
  return given instanceof Promise ? given.then(succeed, fail) : succeed(given);
}
