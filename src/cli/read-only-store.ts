// A store file opened to look at, never to change: no journal is replayed, no lease taken, nothing created. Node only.

import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { storeError } from "../domain/errors.ts";
import { defineEngine } from "../stores/define-engine.ts";
import type { Bound, Engine } from "../stores/engine.ts";
import { encodeKey } from "../stores/key-codec.ts";
import { openToLook } from "../stores/sqlite/open-database.ts";
import { fromSqlite } from "../stores/sqlite/sqlite-errors.ts";
import { SqliteTransaction, Statements } from "../stores/sqlite/sqlite-transaction.ts";
import { runBodyOf } from "../stores/transaction.ts";

export interface ReadOnlyStore {
  /** Refuses writes. */
  readonly engine: Engine;
  /** Bytes of keys and values with `from <= key < to`. */
  sizeOf(from: Bound, to: Bound): number;
  /** Bytes of the file, and of its write-ahead log. */
  readonly file: { readonly bytes: number; readonly logBytes: number };
}

/** @throws LashError `store_unavailable` - no such file; `store_foreign`, `store_version_unsupported`, `store_log_missing`. */
export function openReadOnly(path: string): ReadOnlyStore {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size;
  if (bytes === undefined) throw storeError("store_unavailable", `there is no file ${path}`);
  const logBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const name = `sqlite:${path}`;
  const database = look(path, name);
  try {
    const statements = new Statements(database);
    const size = database.prepare("SELECT total(octet_length(key) + octet_length(value)) AS bytes FROM entries WHERE key >= ? AND key < ?");
    return {
      engine: readOnlyEngine(name, database, statements),
      sizeOf: (from, to) => Number(size.get(encodeKey(from), encodeKey(to))?.["bytes"] ?? 0),
      file: { bytes, logBytes },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

function look(path: string, name: string): DatabaseSync {
  try {
    return openToLook(path, name);
  } catch (error) {
    throw fromSqlite(error, name);
  }
}

function readOnlyEngine(name: string, database: DatabaseSync, statements: Statements): Engine {
  return defineEngine({
    name,
    durable: true,
    async read(body) {
      statements.begin.run();
      try {
        return await runBodyOf(new SqliteTransaction("read", name, statements), body, (result) => result);
      } finally {
        statements.rollbackIfOpen();
      }
    },
    write: () => Promise.reject(storeError("store_unavailable", `${name} was opened read-only`)),
    close: async () => database.close(),
  });
}
