// Floors: a recorded turn's transactions done again without the runtime.

import { DatabaseSync } from "node:sqlite";
import type { Engine } from "../src/stores/engine.ts";
import { CREATE_ENTRIES, PAGE_SIZE } from "../src/stores/sqlite/open-database.ts";
import type { Operation, Transaction } from "./recording-engine.ts";

export interface Floor {
  replay(transactions: readonly Transaction[]): Promise<void>;
  close(): Promise<void>;
}

/** Our engine: the same calls with the same values, hence with its checks and its serializing. */
export const engineFloor = (engine: Engine): Floor => ({
  async replay(transactions) {
    for (const transaction of transactions) {
      await engine.write(async (tx) => {
        for (const operation of transaction) {
          if (operation.kind === "get") await tx.get(operation.key);
          else if (operation.kind === "range") await tx.range(operation.from, operation.to, operation.options);
          else if (operation.kind === "set") tx.set(operation.key, operation.value);
          else tx.delete(operation.key);
        }
      });
    }
  },
  close: () => engine.close(),
});

/**
 * node:sqlite with synchronous=FULL and its own checkpoints, as its documentation recommends for durable commits. Keys and
 * values are bytes and text already: nothing is encoded, checked or parsed in the measured time.
 */
export function rawSqliteFloor(path: string): Floor {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`);
  db.exec(CREATE_ENTRIES);
  const [begin, commit] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT")];
  const get = db.prepare("SELECT value FROM entries WHERE key = ?");
  const ascending = db.prepare("SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key");
  const descending = db.prepare("SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key DESC");
  const set = db.prepare("INSERT INTO entries VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value");
  const remove = db.prepare("DELETE FROM entries WHERE key = ?");

  const perform = (operation: Operation): void => {
    if (operation.kind === "get") get.get(operation.keyBytes);
    else if (operation.kind === "range") {
      const rows = (operation.options.reverse === true ? descending : ascending).iterate(operation.fromBytes, operation.toBytes);
      let left = operation.options.limit ?? Number.POSITIVE_INFINITY;
      for (const _ of rows) if (--left === 0) break;
    } else if (operation.kind === "set") set.run(operation.keyBytes, operation.stored);
    else remove.run(operation.keyBytes);
  };
  return {
    replay(transactions) {
      for (const transaction of transactions) {
        begin.run();
        for (const operation of transaction) perform(operation);
        commit.run();
      }
      return Promise.resolve();
    },
    close() {
      db.close();
      return Promise.resolve();
    },
  };
}
