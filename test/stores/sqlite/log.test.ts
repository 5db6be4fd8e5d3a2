// A store file and its write-ahead log: what happens to one without the other (ME-27).

import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { openReadOnly } from "../../../src/cli/read-only-store.ts";
import type { Engine } from "../../../src/stores/engine.ts";
import { sqliteEngine } from "../../../src/stores/sqlite/index.ts";
import { APPLICATION_ID, STORE_VERSION } from "../../../src/stores/sqlite/open-database.ts";
import { engineWith, fetchValue, put, startChild, temporaryFolder } from "./harness.ts";

const pathOf = temporaryFolder();
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const refused = { code: "store_log_missing", message: matching(/write-ahead log .*missingLog: "accept"/) };

/** Rows that only the log has, and an engine that is still open. */
async function running(path: string, rows = 3): Promise<Engine> {
  const engine = sqliteEngine(path);
  for (let i = 0; i < rows; i++) await put(engine, ["row", i], i);
  return engine;
}

const rowsIn = async (path: string, options: { missingLog?: "accept" } = {}): Promise<number> => {
  const engine = sqliteEngine({ path, ...options });
  try {
    return await engine.read(async (tx) => (await tx.range(["row"], ["row", "\uffff"])).length);
  } finally {
    await engine.close();
  }
};

/** As a killed process leaves it: the files as they are, and nobody who has them open. */
function left(path: string, copy: string, suffixes: readonly string[] = ["", "-wal"]): string {
  for (const suffix of suffixes) copyFileSync(path + suffix, copy + suffix);
  return copy;
}

describe("a file without its log", () => {
  test("is refused, to write, to read and to look at, and nothing of it is changed (ME-27)", async () => {
    const path = pathOf("copied.db");
    const engine = await running(path);
    const copy = left(path, pathOf("copied-alone.db"), [""]);
    const before = readFileSync(copy);
    for (const call of [(other: Engine) => put(other, ["row", 9], 9), (other: Engine) => fetchValue(other, ["row", 0])]) {
      const other = sqliteEngine(copy);
      await expect(call(other)).rejects.toMatchObject(refused);
      await other.close();
    }
    expect(() => openReadOnly(copy)).toThrow(expect.objectContaining({ code: "store_log_missing" }));
    expect([readFileSync(copy).equals(before), existsSync(`${copy}-wal`)]).toEqual([true, false]);
    await engine.close();
  });

  test("opens with its log beside it, and after it was closed without one (ME-27)", async () => {
    const path = pathOf("whole.db");
    const engine = await running(path);
    expect(await rowsIn(left(path, pathOf("whole-copy.db")))).toBe(3);
    await engine.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(await rowsIn(left(path, pathOf("whole-closed.db"), [""]))).toBe(3);
    expect(await rowsIn(path)).toBe(3);
  });

  test("is opened once with what it has, where the host says so, and is a whole store from then on (ME-27)", async () => {
    const path = pathOf("accepted.db");
    const engine = await running(path);
    const copy = left(path, pathOf("accepted-alone.db"), [""]);
    await engine.close();
    expect(await rowsIn(copy, { missingLog: "accept" })).toBe(1);
    const again = sqliteEngine({ path: copy, missingLog: "accept" });
    await put(again, ["row", 1], 1);
    await again.close();
    expect(await rowsIn(copy)).toBe(2);
  });

  test("is told at every moment of its life: before and after checkpoints, after reopening, after a kill and a second owner (ME-27)", { timeout: 60_000 }, async () => {
    const path = pathOf("life.db");
    const silent: string[] = [];
    let copies = 0;
    const check = async (when: string, expected: number): Promise<void> => {
      const copy = left(path, pathOf(`life-${copies++}.db`), [""]);
      const found = await rowsIn(copy).catch((error: { code: string }) => error.code);
      if (found !== "store_log_missing" && found !== expected) silent.push(`${when}: ${found} of ${expected}`);
    };
    const engine = sqliteEngine(path);
    for (let i = 0; i < 700; i++) {
      await put(engine, ["row", i], "x".repeat(12_000));
      if (i % 50 === 0) await check(`write ${i}`, i + 1);
    }
    const killed = left(path, pathOf("life-killed.db"));
    // After checkpoints, too, whoever copies the whole log into the file makes it whole.
    const shell = new DatabaseSync(left(path, pathOf("life-shell.db")));
    shell.exec("SELECT count(*) FROM entries");
    shell.close();
    expect(await rowsIn(pathOf("life-shell.db"))).toBe(700);
    await engine.close();
    await check("closed", 700);
    const second = sqliteEngine(killed);
    expect(await fetchValue(second, ["row", 699])).toBeDefined();
    await put(second, ["row", 700], 1);
    expect(await rowsIn(left(killed, pathOf("life-killed-alone.db"), [""])).catch((error: { code: string }) => error.code)).toBe("store_log_missing");
    await second.close();
    expect(await rowsIn(left(killed, pathOf("life-killed-closed.db"), [""]))).toBe(701);
    expect(silent).toEqual([]);
  });

  test("is not said of one that another program has made whole: the sqlite3 shell, or an earlier version that closed it last (ME-27)", async () => {
    const path = pathOf("shell.db");
    const engine = await running(path);
    const killed = left(path, pathOf("shell-killed.db"));
    await engine.close();
    const shell = new DatabaseSync(killed);
    expect(shell.prepare("SELECT count(*) AS n FROM entries").get()).toMatchObject({ n: 3 });
    shell.close();
    expect(existsSync(`${killed}-wal`)).toBe(false);
    expect(await rowsIn(killed)).toBe(3);
  });

  test("a file of an earlier version is told from its first write on (ME-27)", async () => {
    const path = pathOf("earlier.db");
    const database = new DatabaseSync(path);
    database.exec(`
      CREATE TABLE entries (key BLOB PRIMARY KEY NOT NULL, value ANY NOT NULL) STRICT;
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${STORE_VERSION};
      PRAGMA journal_mode = WAL;
    `);
    database.close();
    const engine = await running(path);
    await expect(rowsIn(left(path, pathOf("earlier-alone.db"), [""]))).rejects.toMatchObject(refused);
    await engine.close();
    expect(await rowsIn(path)).toBe(3);
  });

  test("four processes that open, write and close one file again and again never find a log missing (ME-27)", { timeout: 60_000 }, async () => {
    const path = pathOf("many.db");
    const children = Array.from({ length: 4 }, () => startChild("reopen", path, "15"));
    await Promise.all(children.map(({ gone }) => gone));
    expect(children.map(({ lines }) => lines)).toEqual([["done"], ["done"], ["done"], ["done"]]);
    expect(await rowsIn(left(path, pathOf("many-copy.db"), [""]))).toBe(60);
  });
});

describe("a log that goes away under a running process", () => {
  test.each(["-wal", "-shm"])("a removed %s ends its writes; closing saves what was acknowledged (ME-27)", async (suffix) => {
    const path = pathOf(`gone${suffix}.db`);
    const engine = await running(path);
    rmSync(path + suffix);
    const lost = { code: "store_unavailable", message: matching(/lost its write-ahead log.*this write was not made/) };
    await expect(put(engine, ["row", 3], 3)).rejects.toMatchObject(lost);
    await expect(put(engine, ["row", 3], 3)).rejects.toMatchObject(lost);
    if (suffix === "-wal") await expect(rowsIn(path)).rejects.toMatchObject(refused);
    await engine.close();
    expect(await rowsIn(path)).toBe(3);
  });

  test("one that was moved and put back is used again (ME-27)", async () => {
    const path = pathOf("moved.db");
    const engine = await running(path);
    renameSync(`${path}-wal`, `${path}-elsewhere`);
    await expect(put(engine, ["row", 3], 3)).rejects.toMatchObject({ code: "store_unavailable" });
    renameSync(`${path}-elsewhere`, `${path}-wal`);
    await put(engine, ["row", 3], 3);
    await engine.close();
    expect(await rowsIn(path)).toBe(4);
  });

  test("one that was emptied ends its writes, and the file is refused where the process does not come to close it (ME-27)", async () => {
    const path = pathOf("emptied.db");
    const engine = await running(path);
    truncateSync(`${path}-wal`);
    await expect(put(engine, ["row", 3], 3)).rejects.toMatchObject({ code: "store_unavailable", message: matching(/emptied.*may or may not survive/), details: { unsynced: true } });
    await expect(rowsIn(left(path, pathOf("emptied-killed.db")))).rejects.toMatchObject({ code: "store_log_missing", message: matching(/was emptied/) });
    await engine.close().catch(() => undefined);
  });
});

describe("what opening costs", () => {
  test("a file that is only read is not written to: no log is begun, and its bytes stay (ME-27)", async () => {
    const path = pathOf("read.db");
    await (await running(path)).close();
    const before = readFileSync(path);
    const engine = sqliteEngine(path);
    expect(await fetchValue(engine, ["row", 1])).toBe(1);
    expect([readFileSync(path).equals(before), statSync(`${path}-wal`).size]).toEqual([true, 0]);
    await engine.close();
  });

  test("the note that a file needs its log is made once, by the first write, and costs that one sync of the log, as ever (ME-27)", async () => {
    const path = pathOf("cost.db");
    let syncs = 0;
    const engine = engineWith(path, { fdatasync: async () => void syncs++, fdatasyncSync: () => void syncs++ });
    await put(engine, ["row", 0], 0);
    const [first, size] = [readFileSync(path), statSync(path).size];
    for (let i = 1; i < 20; i++) await put(engine, ["row", i], i);
    expect([syncs, statSync(path).size, readFileSync(path).equals(first)]).toEqual([20, size, true]);
    await engine.close();
  });
});

describe("a file that was being made when the power failed", () => {
  /** As SQLite leaves it: the journal's header on the disk, and of the pages whatever got through. */
  function halfMade(path: string, pagesBefore: number): void {
    const journal = Buffer.alloc(512);
    journal.write("d9d505f920a163d7", "hex");
    journal.writeUInt32BE(0x6b54ab8e, 12);
    journal.writeUInt32BE(pagesBefore, 16);
    journal.writeUInt32BE(512, 20);
    journal.writeUInt32BE(1024, 24);
    writeFileSync(`${path}-journal`, journal);
    const pages = Buffer.alloc(3072);
    pages[1024] = 0x0d;
    writeFileSync(path, pages);
  }

  test("is made anew where its journal proves that it held nothing (ME-27)", async () => {
    const path = pathOf("half.db");
    halfMade(path, 0);
    const engine = await running(path);
    await engine.close();
    expect([await rowsIn(path), existsSync(`${path}-journal`)]).toEqual([3, false]);
  });

  test.each<[string, (path: string) => void]>([
    ["its journal says that it had pages", (path) => halfMade(path, 3)],
    ["there is no journal", (path) => { halfMade(path, 0); rmSync(`${path}-journal`); }],
    ["the journal is none of SQLite's", (path) => { halfMade(path, 0); writeFileSync(`${path}-journal`, Buffer.alloc(512, "x").fill(0, 16, 20)); }],
    ["the journal is cut off", (path) => { halfMade(path, 0); truncateSync(`${path}-journal`, 20); }],
  ])("is refused and stays as it is where %s (ME-27)", async (_, make) => {
    mkdirSync(pathOf("halves"), { recursive: true });
    const path = pathOf(`halves/${Math.random()}.db`);
    make(path);
    const files = (): readonly (string | undefined)[] => [path, `${path}-journal`].map((file) => (existsSync(file) ? readFileSync(file, "hex") : undefined));
    const before = files();
    await expect(rowsIn(path)).rejects.toMatchObject({ code: "store_foreign" });
    expect(files()).toEqual(before);
  });

  test("another program's database with a journal is never touched (ME-27)", async () => {
    const path = pathOf("theirs.db");
    const theirs = new DatabaseSync(path);
    theirs.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
    theirs.close();
    const before = readFileSync(path);
    halfMade(`${path}-x`, 0);
    renameSync(`${path}-x-journal`, `${path}-journal`);
    await expect(rowsIn(path)).rejects.toMatchObject({ code: "store_foreign" });
    expect([readFileSync(path).equals(before), existsSync(`${path}-journal`)]).toEqual([true, true]);
  });
});

test("a new file, its log and its index may be read and written by their owner alone; a file that is there keeps its rights (ME-27)", async () => {
  const path = pathOf("rights.db");
  const modesOf = (of: string): readonly string[] => ["", "-wal", "-shm"].map((suffix) => (statSync(of + suffix).mode & 0o777).toString(8));
  const mask = process.umask(0);
  try {
    const engine = await running(path);
    expect(modesOf(path)).toEqual(["600", "600", "600"]);
    await engine.close();
    const shared = pathOf("shared-rights.db");
    writeFileSync(shared, "", { mode: 0o660 });
    const other = await running(shared);
    expect(modesOf(shared)).toEqual(["660", "660", "660"]);
    await other.close();
  } finally {
    process.umask(mask);
  }
});
