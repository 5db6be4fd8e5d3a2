// What a store file says of its log while several processes have it open, and of a log that belongs to another moment (ME-27).

import { copyFileSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { openReadOnly } from "../../../src/cli/read-only-store.ts";
import type { Engine } from "../../../src/stores/engine.ts";
import { backup } from "../../../src/stores/sqlite/backup.ts";
import { sqliteEngine } from "../../../src/stores/sqlite/index.ts";
import { BEGIN_NOTE } from "../../../src/stores/sqlite/log-state.ts";
import { engineWith, fetchValue, put, temporaryFolder } from "./harness.ts";

const pathOf = temporaryFolder();
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const missing = { code: "store_log_missing", message: matching(/write-ahead log is missing/) };
const ofAnother = { code: "store_log_missing", message: matching(/of another moment than the file.*lash backup/) };

async function running(path: string, rows = 3): Promise<Engine> {
  const engine = sqliteEngine(path);
  for (let i = 0; i < rows; i++) await put(engine, ["row", i], i);
  return engine;
}

/** Some MB, no page twice the same: a checkpoint comes after each 4 MB. */
async function fill(engine: Engine, megabytes: number): Promise<void> {
  for (let i = 0; i < megabytes * 20; i++) await put(engine, ["big", i % 20], `${i} and so on `.repeat(4_000));
}

const rowsIn = async (path: string, options: { missingLog?: "accept" } = {}): Promise<number> => {
  const engine = sqliteEngine({ path, ...options });
  try {
    return await engine.read(async (tx) => (await tx.range(["row"], ["row", "\uffff"])).length);
  } finally {
    await engine.close();
  }
};

let copies = 0;
function left(path: string, suffixes: readonly string[] = ["", "-wal"]): string {
  const copy = pathOf(`left-${copies++}.db`);
  for (const suffix of suffixes) copyFileSync(path + suffix, copy + suffix);
  return copy;
}
const alone = (path: string): string => left(path, [""]);

describe("a file that several processes have open", () => {
  test("goes on saying that it needs its log when another process opens, writes and closes in the middle of a checkpoint (ME-27)", async () => {
    const path = pathOf("race.db");
    await (await running(path)).close();
    const checkpointing = new DatabaseSync(path);
    checkpointing.exec(BEGIN_NOTE);
    const second = await running(path, 5);
    checkpointing.exec("PRAGMA wal_checkpoint(FULL)");
    await put(second, ["row", 9], 9);
    await expect(rowsIn(alone(path))).rejects.toMatchObject(missing);
    const third = await running(path, 7);
    await third.close();
    checkpointing.exec("PRAGMA wal_checkpoint(FULL)");
    await put(second, ["row", 9], 10);
    await expect(rowsIn(alone(path))).rejects.toMatchObject(missing);
    checkpointing.close();
    await second.close();
    expect(await rowsIn(alone(path))).toBe(8);
  });

  test("says so before its first write is acknowledged, also where a reader was in the way of that (ME-27)", async () => {
    const path = pathOf("reader.db");
    await (await running(path)).close();
    const reader = new DatabaseSync(path, { readOnly: true });
    reader.exec("BEGIN; SELECT count(*) FROM entries");
    const leave = (): void => {
      if (reader.isTransaction) reader.exec("COMMIT");
    };
    const engine = engineWith(path, { fdatasync: async () => leave(), fdatasyncSync: leave });
    await put(engine, ["row", 3], 3);
    await expect(rowsIn(alone(path))).rejects.toMatchObject(missing);
    reader.close();
    await engine.close();
    expect(await rowsIn(alone(path))).toBe(4);
  });

  test("says so while a reader keeps checkpoints from their end (ME-27)", async () => {
    const path = pathOf("kept.db");
    const engine = await running(path);
    const reader = new DatabaseSync(path, { readOnly: true });
    reader.exec("BEGIN; SELECT count(*) FROM entries");
    await fill(engine, 5);
    await expect(rowsIn(alone(path))).rejects.toMatchObject(missing);
    reader.close();
    await engine.close();
  });

  test("says so soon after a reader has left that had begun before the first write (ME-27)", async () => {
    const path = pathOf("foreign.db");
    await (await running(path)).close();
    const reader = new DatabaseSync(path, { readOnly: true });
    reader.exec("BEGIN; SELECT count(*) FROM entries");
    const engine = await running(path);
    reader.close();
    await fill(engine, 1);
    await expect(rowsIn(alone(path))).rejects.toMatchObject(missing);
    await engine.close();
  });
});

describe("the last process that closes a file", () => {
  test("lets it say that it is whole once it is: at no moment does it say more than it holds (ME-27)", async () => {
    const path = pathOf("closing.db");
    const engine = await running(path, 40);
    const said: string[] = [];
    const { exec, close } = DatabaseSync.prototype;
    const copiesOf: string[] = [];
    DatabaseSync.prototype.exec = function (sql) {
      exec.call(this, sql);
      copiesOf.push(alone(path));
    };
    DatabaseSync.prototype.close = function () {
      copiesOf.push(alone(path));
      close.call(this);
    };
    await engine.close().finally(() => Object.assign(DatabaseSync.prototype, { exec, close }));
    for (const copy of copiesOf) said.push(await rowsIn(copy).then(String, (error: { code: string }) => error.code));
    // All else is in the file before SQLite writes the row: what a kill can tear is that one page.
    expect(said.filter((found) => found !== "store_log_missing" && found !== "40")).toEqual([]);
    expect(await rowsIn(copiesOf.at(-1) ?? "", { missingLog: "accept" })).toBe(40);
    expect(await rowsIn(alone(path))).toBe(40);
  });

  test.each<[string, (path: string) => Promise<unknown>]>([
    ["an engine", (path) => rowsIn(path)],
    ["a backup", (path) => backup(path, `${path}-copy`)],
  ])("sees to a note that a killed process left: %s (ME-27)", async (_, close) => {
    const path = pathOf("killed.db");
    const engine = await running(path);
    const checkpointing = new DatabaseSync(path);
    checkpointing.exec(BEGIN_NOTE);
    const killed = left(path);
    checkpointing.close();
    await engine.close();
    await close(killed);
    expect(await rowsIn(alone(killed))).toBe(3);
  });
});

describe("a file and a log that were copied one after the other while somebody wrote", () => {
  /** @param between - what is written between the two copies, in MB. */
  async function copied(name: string, first: "file" | "log", between: number): Promise<string> {
    const path = pathOf(`${name}.db`);
    const engine = await running(path);
    await fill(engine, 1);
    const copy = pathOf(`${name}-copy.db`);
    const file = (): void => copyFileSync(path, copy);
    const log = (): void => copyFileSync(`${path}-wal`, `${copy}-wal`);
    (first === "file" ? file : log)();
    await fill(engine, between);
    await put(engine, ["row", 3], 3);
    (first === "file" ? log : file)();
    await engine.close();
    return copy;
  }

  test.each(["file", "log"] as const)("are refused where a checkpoint came between them, the %s first; nothing is changed (ME-27)", { timeout: 60_000 }, async (first) => {
    const path = await copied(`apart-${first}`, first, 6);
    const before = ["", "-wal"].map((suffix) => readFileSync(path + suffix, "hex"));
    for (const missingLog of ["refuse", "accept"] as const) {
      const engine = sqliteEngine({ path, missingLog });
      await expect(put(engine, ["row", 9], 9)).rejects.toMatchObject(ofAnother);
      await expect(fetchValue(engine, ["row", 0])).rejects.toMatchObject(ofAnother);
      await engine.close();
    }
    expect(() => openReadOnly(path)).toThrow(expect.objectContaining(ofAnother));
    await expect(backup(path, `${path}-backup`)).rejects.toMatchObject(ofAnother);
    expect(["", "-wal"].map((suffix) => readFileSync(path + suffix, "hex"))).toEqual(before);
  });

  test.each([["file", 4], ["log", 3]] as const)("are a store where none did, the %s first (ME-27)", async (first, rows) => {
    expect(await rowsIn(await copied(`near-${first}`, first, 0))).toBe(rows);
  });

  test("an old log is not taken for that of a file that went on without it (ME-27)", async () => {
    const path = pathOf("went-on.db");
    const engine = await running(path);
    const copy = left(path);
    await engine.close();
    const without = alone(copy);
    const next = sqliteEngine({ path: without, missingLog: "accept" });
    await put(next, ["row", 7], 7);
    await next.close();
    copyFileSync(`${copy}-wal`, `${without}-wal`);
    await expect(rowsIn(without)).rejects.toMatchObject(ofAnother);
  });
});
