// The SQLite engine, on node:sqlite. Node only.

import { resolve } from "node:path";
import { runtimeError } from "../../domain/errors.ts";
import { defineEngine } from "../define-engine.ts";
import type { DefinedEngine } from "../engine.ts";
import { processLiveness } from "./process-liveness.ts";
import { nodeHost, SqliteEngine } from "./sqlite-engine.ts";

export interface SqliteOptions {
  /** The database file. It is made when missing; its folder has to exist. Relative paths start at the working directory. */
  readonly path: string;
  /** How long a call waits for other processes to let go of the file, in milliseconds; default 15000. */
  readonly busyTimeoutMs?: number;
  /** Largest size of the file in bytes, its write-ahead log (some MiB) not counted; default none. A write beyond it is `store_full`. */
  readonly maxBytes?: number;
  /**
   * What to do with a file that lacks its write-ahead log (the file ending in `-wal`), because it was copied without it or
   * because the log was removed. Default `refuse`: the error `store_log_missing`. `accept` goes on with what the file alone
   * holds; what was committed last is lost. Give it for one opening, not for good. A log of another moment is refused in any case.
   */
  readonly missingLog?: "refuse" | "accept";
}

/**
 * An engine that keeps its entries in a SQLite file. Processes on one machine may share the file.
 *
 * A resolved `write` is on the disk: it survives the death of the process and the loss of power. The file is opened by the
 * first call; problems with it reject that call (`store_foreign`, `store_version_unsupported`, `store_log_missing`,
 * `store_unavailable`) and the next call tries again.
 *
 * @throws LashError `invalid_argument` - a path that names no file, such as `:memory:`.
 */
export function sqliteEngine(pathOrOptions: string | SqliteOptions): DefinedEngine {
  const options = typeof pathOrOptions === "string" ? { path: pathOrOptions } : pathOrOptions;
  const { path, busyTimeoutMs = 15_000, maxBytes = Number.POSITIVE_INFINITY, missingLog = "refuse" } = options;
  checkPath(path);
  if (!(busyTimeoutMs >= 0)) throw runtimeError("invalid_argument", `busyTimeoutMs is ${busyTimeoutMs}; it is a number of milliseconds >= 0`);
  if (!(maxBytes > 0)) throw runtimeError("invalid_argument", `maxBytes is ${maxBytes}; it is a number of bytes > 0`);
  if (missingLog !== "refuse" && missingLog !== "accept") throw runtimeError("invalid_argument", `missingLog is ${JSON.stringify(missingLog)}; it is "refuse" or "accept"`);
  const core = new SqliteEngine({ path, absolutePath: resolve(path), busyTimeoutMs, maxBytes, missingLog }, nodeHost);
  return defineEngine(core, { erase: () => core.erase(), liveness: processLiveness });
}

function checkPath(path: unknown): void {
  if (typeof path !== "string" || path === "") throw runtimeError("invalid_argument", "a SQLite store needs the path of its file");
  if (path === ":memory:" || path.startsWith("file:")) {
    throw runtimeError("invalid_argument", `${JSON.stringify(path)} names no file on disk; give a plain path, or use the memory store for a store that may vanish`);
  }
}
