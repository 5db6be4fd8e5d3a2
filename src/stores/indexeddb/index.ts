// The IndexedDB engine. Browsers only: window, worker or service worker.

import { runtimeError } from "../../domain/errors.ts";
import { consoleLogger } from "../../domain/logger.ts";
import { defineEngine } from "../define-engine.ts";
import type { DefinedEngine } from "../engine.ts";
import { IndexedDbEngine } from "./indexeddb-engine.ts";

export const STORE_VERSION = 1;

export interface IndexedDbOptions {
  /** The database. It is made when missing; tabs of one origin that use the same name share it. */
  readonly name: string;
  /** How long a call waits for tabs that hold the database in an older version, in milliseconds; default 15000. */
  readonly blockedTimeoutMs?: number;
  /**
   * Told once when the browser has thrown the database away since it was last used, and an empty one took its place: eviction,
   * or Chromium after a crash in the middle of a write. Best effort, in windows only. Default: a warning on the console.
   */
  readonly onLost?: () => void;
}

/**
 * An engine that keeps its entries in the browser, shared by the tabs of one origin.
 *
 * A resolved `write` is on the disk (durability `strict`). The browser may still evict the whole database when the device runs
 * out of room, unless `navigator.storage.persist()` was granted. The database is opened by the first call; problems with it
 * reject that call (`store_foreign`, `store_version_unsupported`, `store_unavailable`) and the next call tries again. When the
 * database is deleted while it is in use, every later call is `store_unavailable`: make a new engine to begin anew.
 *
 * @throws LashError `invalid_argument` - an empty name.
 */
export function indexedDbEngine(nameOrOptions: string | IndexedDbOptions): DefinedEngine {
  const options = typeof nameOrOptions === "string" ? { name: nameOrOptions } : nameOrOptions;
  const { name, blockedTimeoutMs = 15_000, onLost = () => warnOfLoss(name) } = options;
  if (typeof name !== "string" || name === "") throw runtimeError("invalid_argument", "an IndexedDB store needs the name of its database");
  if (!(blockedTimeoutMs >= 0)) {
    throw runtimeError("invalid_argument", `blockedTimeoutMs is ${blockedTimeoutMs}; it is a number of milliseconds >= 0`);
  }
  if (typeof onLost !== "function") throw runtimeError("invalid_argument", "`onLost` must be a function");
  return defineEngine(new IndexedDbEngine({ database: name, version: STORE_VERSION, blockedTimeoutMs, onLost }));
}

const warnOfLoss = (name: string): void =>
  consoleLogger({ level: "warn", event: "store.database_lost", message: `the browser has thrown away the database "${name}" since it was last used; its sessions are lost` });
