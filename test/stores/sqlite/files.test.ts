import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { LashError } from "../../../src/domain/errors.ts";
import { END } from "../../../src/stores/engine.ts";
import { encodeKey } from "../../../src/stores/key-codec.ts";
import { sqliteEngine } from "../../../src/stores/sqlite/index.ts";
import { APPLICATION_ID, STORE_VERSION } from "../../../src/stores/sqlite/open-database.ts";
import { withReadOnly } from "../../support/read-only.ts";
import { fetchValue, put, temporaryFolder } from "./harness.ts";

const pathOf = temporaryFolder();

const bytesOf = (path: string): Record<string, string> => {
  const files = readdirSync(dirname(path)).filter((file) => file.startsWith(basename(path)));
  return Object.fromEntries(files.map((file) => [file, readFileSync(`${dirname(path)}/${file}`, "base64")]));
};

/** What two engines on `path` answer to a write and a read each, and whether the files are as before. */
async function refusals(path: string): Promise<{ code: string; message: string; isUntouched: boolean }> {
  const before = bytesOf(path);
  const errors: unknown[] = [];
  for (const engine of [sqliteEngine(path), sqliteEngine(path)]) {
    for (const call of [put(engine, ["a"], 1), fetchValue(engine, ["a"])]) await call.catch((error: unknown) => errors.push(error));
    await engine.close();
  }
  const texts = new Set(errors.map((error) => (LashError.is(error) ? error.toString() : `untyped ${String(error)}`)));
  const [code = "", ...message] = [...texts].join(" and ").split(": ");
  return { code: errors.length === 4 ? code : "accepted", message: message.join(": "), isUntouched: isDeepStrictEqual(bytesOf(path), before) };
}

const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

async function makeStore(path: string, rows = 3): Promise<void> {
  const engine = sqliteEngine(path);
  await engine.write(async (tx) => {
    for (let i = 0; i < rows; i++) tx.set(["row", i], { i, text: "x".repeat(500) });
  });
  await engine.close();
}

describe("paths", () => {
  test.each([":memory:", "file:a.db?mode=memory", ""])("%j is refused at once, with advice", (path) => {
    expect(() => sqliteEngine(path)).toThrow(expect.objectContaining({ code: "invalid_argument", message: matching(/path/) }));
  });

  test("a name with characters that mean something in a URL is just a name", async () => {
    const path = pathOf("what? 100% #1 ü.db");
    await makeStore(path);
    expect(existsSync(path)).toBe(true);
    const engine = sqliteEngine(path);
    expect(await fetchValue(engine, ["row", 1])).toMatchObject({ i: 1 });
    await engine.close();
  });

  test("a missing folder is store_unavailable, and the next call succeeds once it is there", async () => {
    const engine = sqliteEngine(pathOf("nowhere/a.db"));
    await expect(put(engine, ["a"], 1)).rejects.toMatchObject({ code: "store_unavailable", message: matching(/folder has to exist/) });
    mkdirSync(pathOf("nowhere"));
    await put(engine, ["a"], 1);
    await engine.close();
  });

  test("a link leads to the store it points to", async () => {
    mkdirSync(pathOf("elsewhere"));
    const target = pathOf("elsewhere/target.db");
    await makeStore(target);
    symlinkSync(target, pathOf("link.db"));
    const engine = sqliteEngine(pathOf("link.db"));
    await put(engine, ["a"], 1);
    expect(await fetchValue(engine, ["row", 1])).toMatchObject({ i: 1 });
    await engine.close();
  });

  test.each(["removed", "replaced"])("a file that is %s while it is open takes no more writes", async (what) => {
    const path = pathOf(`${what}.db`);
    const engine = sqliteEngine(path);
    await put(engine, ["a"], 1);
    renameSync(path, `${path}.moved`);
    if (what === "replaced") await makeStore(path);
    await expect(put(engine, ["a"], 2)).rejects.toMatchObject({ code: "store_unavailable", message: matching(/removed or replaced/) });
    await engine.close();
  });

  test("a folder in place of the file is store_unavailable", async () => {
    const engine = sqliteEngine(dirname(pathOf("a")));
    await expect(put(engine, ["a"], 1)).rejects.toMatchObject({ code: "store_unavailable" });
    await engine.close();
  });
});

describe("identity of a file", () => {
  test("a new store carries application id and version in its first page, and is in WAL mode", async () => {
    const path = pathOf("new.db");
    await makeStore(path);
    const header = readFileSync(path);
    expect([header.readUInt32BE(68), header.readUInt32BE(60), header[18]]).toEqual([APPLICATION_ID, STORE_VERSION, 2]);
    expect(readdirSync(dirname(path)).filter((file) => file.startsWith("new.db"))).toEqual(["new.db"]);
  });

  test("an empty file becomes a store", async () => {
    const path = pathOf("empty.db");
    writeFileSync(path, "");
    await makeStore(path);
    expect(statSync(path).size).toBeGreaterThan(0);
  });

  test.each(["DELETE", "WAL"])("a database of another program in %s mode is store_foreign and stays as it is, its log included", async (mode) => {
    const path = pathOf(`foreign-${mode}.db`);
    const foreign = new DatabaseSync(path);
    foreign.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)`);
    // Copied while it is open: with a log that its program has not cleaned up.
    const copy = pathOf(`foreign-copy-${mode}.db`);
    for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
    foreign.close();
    expect(await refusals(path)).toEqual({ code: "store_foreign", message: matching(/another program/), isUntouched: true });
    expect(await refusals(copy)).toEqual({ code: "store_foreign", message: matching(/another program/), isUntouched: true });
  });

  test("a database with another application id is store_foreign", async () => {
    const path = pathOf("other-id.db");
    const foreign = new DatabaseSync(path);
    foreign.exec("PRAGMA application_id = 7; CREATE TABLE entries (key, value)");
    foreign.close();
    expect(await refusals(path)).toEqual({ code: "store_foreign", message: matching(/another program/), isUntouched: true });
  });

  test("a file that is no database is store_foreign", async () => {
    const path = pathOf("text.db");
    writeFileSync(path, "Dear diary, ".repeat(500));
    expect(await refusals(path)).toEqual({ code: "store_foreign", message: matching(/not a SQLite database/), isUntouched: true });
  });

  test.each([0, STORE_VERSION + 1])("store version %i is store_version_unsupported and stays as it is (P-58)", async (version) => {
    const path = pathOf(`version-${version}.db`);
    await makeStore(path);
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${version}`);
    database.close();
    expect(await refusals(path)).toEqual({ code: "store_version_unsupported", message: matching(new RegExp(`version ${version}, .* knows version ${STORE_VERSION}`)), isUntouched: true });
  });
});

describe("damage", () => {
  test("a damaged page is store_backend where it is met", async () => {
    const path = pathOf("damaged.db");
    await makeStore(path, 400);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 2048, bytes.length));
    const engine = sqliteEngine(path);
    await expect(engine.read((tx) => tx.range([], [END]))).rejects.toMatchObject({ code: "store_backend", message: matching(/damaged/) });
    await expect(put(engine, ["row", 1], 1)).rejects.toMatchObject({ code: "store_backend" });
    await engine.close();
  });

  test.each<[string, unknown]>([
    ["no JSON", "{nope"],
    ["a number", 12],
  ])("a row that holds %s is stored_row_invalid, and named", async (_, stored) => {
    const path = pathOf(`row-${typeof stored}.db`);
    await makeStore(path);
    const database = new DatabaseSync(path);
    database.prepare("UPDATE entries SET value = ? WHERE key = (SELECT max(key) FROM entries)").run(stored as string);
    database.close();
    const engine = sqliteEngine(path);
    const reading = fetchValue(engine, ["row", 2]);
    await expect(reading).rejects.toMatchObject({ code: "stored_row_invalid", message: matching(/\["row", 2\]/) });
    await expect(engine.read((tx) => tx.range([], [END]))).rejects.toMatchObject({ code: "stored_row_invalid" });
    expect(await fetchValue(engine, ["row", 0])).toMatchObject({ i: 0 });
    await engine.close();
  });

  test("a key that is none of ours is stored_row_invalid", async () => {
    const path = pathOf("key.db");
    await makeStore(path);
    const database = new DatabaseSync(path);
    database.prepare("INSERT INTO entries VALUES (?, '1')").run(Uint8Array.of(0x99));
    database.close();
    const engine = sqliteEngine(path);
    await expect(engine.read((tx) => tx.range([], [END]))).rejects.toMatchObject({ code: "stored_row_invalid" });
    await engine.close();
  });
});

describe("a disk that takes no more", () => {
  test("a write beyond maxBytes is store_full; the old state is intact and smaller writes go on", async () => {
    const path = pathOf("full.db");
    const engine = sqliteEngine({ path, maxBytes: 200_000 });
    await put(engine, ["a"], "x".repeat(50_000));
    const tooMuch = engine.write(async (tx) => {
      tx.set(["a"], 1);
      for (let i = 0; i < 50; i++) tx.set(["b", i], "x".repeat(10_000));
    });
    await expect(tooMuch).rejects.toMatchObject({ code: "store_full" });
    const swallowed = engine.write(async (tx) => {
      try {
        for (let i = 0; i < 50; i++) tx.set(["b", i], "x".repeat(10_000));
      } catch {
        // a body that goes on although SQLite has already rolled back
      }
      tx.set(["c"], 1);
    });
    await expect(swallowed).rejects.toMatchObject({ code: "store_full" });
    expect(await engine.read(async (tx) => (await tx.range([], [END])).map((entry) => entry.key))).toEqual([["a"]]);
    await put(engine, ["d"], 1);
    await engine.close();
  });

  test("a file as version 0.1 made it, with larger pages and without row ids, is used as it is, and maxBytes still means bytes", async () => {
    const path = pathOf("earlier.db");
    const database = new DatabaseSync(path);
    database.exec(`
      PRAGMA page_size = 2048;
      CREATE TABLE entries (key BLOB PRIMARY KEY NOT NULL, value ANY NOT NULL) STRICT, WITHOUT ROWID;
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${STORE_VERSION};
    `);
    database.prepare("INSERT INTO entries VALUES (?, ?)").run(encodeKey(["row"]), '{"kept":true}');
    database.close();
    const engine = sqliteEngine({ path, maxBytes: 150_000 });
    expect(await fetchValue(engine, ["row"])).toEqual({ kept: true });
    await put(engine, ["row"], "x".repeat(100_000));
    await expect(put(engine, ["more"], "x".repeat(100_000))).rejects.toMatchObject({ code: "store_full" });
    expect(await engine.read((tx) => tx.range([], [END]))).toHaveLength(1);
    await engine.close();
  });

  test.each([["file", 0o755, 0o444], ["folder", 0o555, 0o644], ["file and folder", 0o555, 0o444]])("a store whose %s may not be written can be read, and written again once it may: no call is lost in between", async (what, folderMode, fileMode) => {
    mkdirSync(pathOf(what));
    const path = pathOf(`${what}/read-only.db`);
    await makeStore(path);
    const engine = sqliteEngine(path);
    const refused = { code: "store_unavailable", message: matching(/read-only; its sessions can be read, make it writable/), details: { readOnly: true } };
    await withReadOnly(path, { folder: folderMode, file: fileMode }, async () => {
      await expect(put(engine, ["row", 1], 1)).rejects.toMatchObject(refused);
      expect(await fetchValue(engine, ["row", 1])).toMatchObject({ i: 1 });
      await expect(put(engine, ["row", 1], 1)).rejects.toMatchObject(refused);
    });
    expect(await fetchValue(engine, ["row", 1])).toMatchObject({ i: 1 });
    await put(engine, ["row", 1], 2);
    expect(await fetchValue(engine, ["row", 1])).toBe(2);
    await engine.close();
  });
});
