// Checkpointer: copies the write-ahead log into the database file from a thread of its own, so that its syncs (10 ms for 4 MiB
// on a fast disk, far more on a slow one) do not stop the event loop.
//
//   C1. The engine starts no transaction while a checkpoint runs: only a log that is copied to its end starts over, and
//       under constant writing a concurrent checkpoint never gets there.
//   C2. A failed checkpoint loses nothing, the log still holds everything. The next one tries again.
//   C3. A checkpoint is a note of log-state.ts: what it copies says that the file needs its log (G2, G3). One that a reader of
//       another process keeps from its end leaves what the file says: SQLite copies no page that was written again later.
//   C4. The thread is started when the first checkpoint comes near, and does not keep the process alive.

/* oxlint-disable unicorn/require-post-message-target-origin -- a thread has no origin */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { BEGIN_NOTE, END_NOTES } from "./log-state.ts";

/** Between two checkpoints, in pages of the log (1 KiB each): fewer cost more syncs and rewrite hot pages more often. */
const PAGES_BETWEEN = 4000;
/** The same, as long as the file does not say that it needs its log. */
const PAGES_TO_NEXT_TRY = 500;

/** Longest wait for readers of other processes, which keep a checkpoint from its end. Writers wait along. */
const READER_PATIENCE_MS = 200;
/** The same, where the work is not to be given up. */
const LONG_PATIENCE_MS = 5_000;

// FULL, not PASSIVE: it takes the write lock, so that another process cannot append meanwhile (C1 across processes).
const THREAD = `
const { parentPort, workerData } = require("node:worker_threads");
const { DatabaseSync } = require("node:sqlite");
const database = new DatabaseSync(workerData.path, { timeout: workerData.patienceMs });
database.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
const begin = database.prepare(workerData.beginNote);
const end = database.prepare(workerData.endNotes);
const patience = (ms) => database.exec("PRAGMA busy_timeout = " + ms);
const copyLog = (mode) => database.prepare("PRAGMA wal_checkpoint(" + mode + ")").get().busy === 0;
let owed = 0;
const noting = (work) => {
  const note = begin.get().noted;
  owed++;
  let copied = 0;
  try {
    if (work()) copied = note;
  } finally {
    patience(workerData.longPatienceMs);
    end.run(owed, copied);
    owed = 0;
    patience(workerData.patienceMs);
  }
  return copied !== 0;
};
const checkpoint = () => noting(() => copyLog("FULL"));
const erase = () => {
  patience(workerData.longPatienceMs);
  const isEmpty = noting(() => {
    database.exec("VACUUM");
    return copyLog("TRUNCATE");
  });
  if (!isEmpty) throw new Error("another process was reading all the time");
  return true;
};
parentPort.on("message", ({ task, notes }) => {
  if (task === "close") {
    database.close();
    parentPort.close();
    return;
  }
  try {
    owed += notes;
    parentPort.postMessage((task === "erase" ? erase : checkpoint)() ? null : false);
  } catch (error) {
    const isBusy = (error.errcode & 255) === 5;
    parentPort.postMessage(isBusy && task === "checkpoint" ? false : String(error));
  }
});
`;

export class Checkpointer {
  readonly #path: string;
  #pages = 0;
  #notes = 0;
  #isUrgent = false;
  #thread: Worker | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** @param pages - estimate of what a commit added to the log. */
  noteCommit(pages: number): void {
    this.#pages += pages;
    // Starting a thread takes some 40 ms, during which no writer should have to wait.
    if (this.#pages >= PAGES_BETWEEN / 2) this.#thread ??= this.#start();
  }

  get isDue(): boolean {
    return this.#pages >= PAGES_BETWEEN;
  }

  /** A note that was begun elsewhere and could not be ended there: the next checkpoint does. */
  endLater(): void {
    this.#notes++;
  }

  /** The file does not say yet that it needs its log: until it does, checkpoints are tried more often. */
  urge(): void {
    this.#isUrgent = true;
  }

  /** Never rejects (C2). */
  async run(): Promise<void> {
    const problem = await this.#ask("checkpoint");
    this.#isUrgent &&= problem !== null;
    if (this.#isUrgent) this.#pages = PAGES_BETWEEN - PAGES_TO_NEXT_TRY;
    if (problem !== null && problem !== false) warn(problem);
  }

  /**
   * Writes the whole file anew, without what was deleted, and empties the log. No transaction may run on other connections of
   * this engine meanwhile.
   *
   * @returns what went wrong, or null.
   */
  erase(): Promise<unknown> {
    return this.#ask("erase");
  }

  async #ask(task: "checkpoint" | "erase"): Promise<unknown> {
    this.#pages = 0;
    const thread = (this.#thread ??= this.#start());
    thread.ref();
    const problem = await answerOf(thread, { task, notes: this.#notes });
    this.#notes = 0;
    thread.unref();
    return problem;
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    thread.ref();
    const gone = new Promise((resolve) => thread.once("exit", resolve));
    thread.postMessage({ task: "close", notes: 0 });
    await gone;
  }

  #start(): Worker {
    const thread = new Worker(THREAD, {
      eval: true,
      workerData: { path: this.#path, patienceMs: READER_PATIENCE_MS, longPatienceMs: LONG_PATIENCE_MS, beginNote: BEGIN_NOTE, endNotes: END_NOTES },
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 16 },
    });
    thread.unref();
    // Without a listener a failed thread would end the process; `answerOf` hears of it by its own.
    thread.on("error", () => {});
    thread.on("exit", () => {
      if (this.#thread === thread) this.#thread = null;
    });
    return thread;
  }
}

interface Task {
  readonly task: "checkpoint" | "erase";
  readonly notes: number;
}

/** @returns what went wrong, null, or false where others were in the way. A thread that dies has an answer, too. */
async function answerOf(thread: Worker, task: Task): Promise<unknown> {
  const listening = new AbortController();
  const next = (event: string): Promise<unknown[]> => once(thread, event, { signal: listening.signal });
  try {
    thread.postMessage(task);
    const [problem] = await Promise.race([next("message"), next("exit").then(([code]) => [`its thread ended with ${String(code)}`])]);
    return problem;
  } catch (error) {
    return error;
  } finally {
    listening.abort();
  }
}

/** A log that cannot be copied grows until the disk is full: somebody has to hear of it. */
function warn(problem: unknown): void {
  process.emitWarning(`lash-runtime: a SQLite checkpoint failed and will be tried again: ${String(problem)}`);
}
