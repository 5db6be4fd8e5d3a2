// JSONL sink: one line per record, appended to a file (TR-6).
//
//   J1. A line is handed to the system whole, in one call, before `append` returns: a process that is killed has lost nothing it
//       told, and at most its last line is torn. That is what a trace is for, and why it is not written behind.
//   J2. All sinks of one file in a process share its writer; between processes the system keeps appended lines apart.
//   J3. A torn line - of a killed process, or of a disk that was full - stays alone: the next line does not join it.

import { close, closeSync, fstatSync, fsync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { promisify } from "node:util";
import type { TraceTarget } from "../actors/trace-port.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import type { TraceRecord, TraceSink } from "./records.ts";
import { traceSink } from "./sinks.ts";

const [sync, closed] = [promisify(fsync), promisify(close)];
const LINE_FEED = 0x0a;

/**
 * Appends every record as a line of JSON to a file. Directories are made; the file is readable by its owner only, as it holds
 * what was said. Several runtimes and processes may share one file. `flush` syncs it to the disk and lets go of it, so that a
 * file that was moved away is followed by a new one.
 *
 * @param path - relative paths start at the working directory.
 * @throws LashError `invalid_argument` - a path that is empty. A file that cannot be written is logged once and changes no turn.
 */
export function jsonlTrace(path: string): TraceSink & TraceTarget {
  if (typeof path !== "string" || path === "") throw invalidArgument("path", "the path of a file");
  const writer = writerOf(resolve(path));
  return traceSink({ append: (record) => writer.append(lineOf(record)), flush: () => writer.flush() });
}

/** Other programs' readers take U+2028 and U+2029 for the end of a line. */
const lineOf = (record: TraceRecord): string => `${JSON.stringify(record).replace(/[\u2028\u2029]/g, (end) => (end === "\u2028" ? "\\u2028" : "\\u2029"))}\n`;

/** By absolute path. They hold a file only between a record and the next flush. */
const writers = new Map<string, LineWriter>();

function writerOf(path: string): LineWriter {
  const writer = writers.get(path) ?? new LineWriter(path);
  writers.set(path, writer);
  return writer;
}

class LineWriter {
  readonly #path: string;
  #file: number | undefined;
  /** The file ends in the middle of a line. */
  #isTorn = false;
  #flushed: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  append(line: string): void {
    const file = this.#file ?? this.#open();
    const bytes = Buffer.from(this.#isTorn ? `\n${line}` : line);
    this.#isTorn = true;
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    this.#isTorn = false;
  }

  #open(): number {
    mkdirSync(dirname(this.#path), { recursive: true });
    const file = openSync(this.#path, "a+", 0o600);
    try {
      const { size } = fstatSync(file);
      const last = new Uint8Array([LINE_FEED]);
      if (size > 0) readSync(file, last, 0, 1, size - 1);
      this.#isTorn = last[0] !== LINE_FEED;
    } catch (error) {
      closeSync(file);
      throw error;
    }
    this.#file = file;
    return file;
  }

  /** Who asks while a flush is under way waits for it, too. */
  flush(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) this.#flushed = this.#flushed.catch(() => undefined).then(() => sync(file).finally(() => closed(file)));
    return this.#flushed;
  }
}
