import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backupStore } from "../../src/cli/backup.ts";
import { createLash } from "../../src/index.ts";
import { backup, directory, sqlite } from "../../src/stores/sqlite/store.ts";
import { scriptedProvider } from "../../src/testing/index.ts";
import { runBackups } from "../support/backup-rounds.ts";
import { png } from "../support/pictures.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lash-backup-"));
});
afterAll(() => rmSync(folder, { recursive: true }));
const pathOf = (name: string): string => join(folder, name);

async function run(...args: string[]) {
  const written = { out: "", error: "" };
  const code = await backupStore(args, { out: (text) => void (written.out += text), error: (text) => void (written.error += text), now: () => 0 });
  return { code, ...written };
}

const lashOn = (path: string) => createLash({ provider: scriptedProvider(() => "ok"), store: sqlite(path), logger: () => undefined });

async function messagesIn(path: string): Promise<number> {
  const lash = lashOn(path);
  const { messages } = (await lash.openSession("s")).observe().readView;
  await lash.close();
  return messages.length;
}

describe("a copy of a store", () => {
  test("is one file with every turn that had ended, made while the store is open; the store goes on (ME-27)", async () => {
    const path = pathOf("a.db");
    const lash = lashOn(path);
    const session = await lash.openSession("s");
    for (let i = 0; i < 5; i++) await session.run(`q${i}`);
    const { bytes } = await backup(path, pathOf("a-copy.db"));
    await session.run("after");
    expect(bytes).toBe(statSync(pathOf("a-copy.db")).size);
    expect(readdirSync(folder).filter((name) => name.startsWith("a-copy"))).toEqual(["a-copy.db"]);
    expect((statSync(pathOf("a-copy.db")).mode & 0o777).toString(8)).toBe("600");
    // The copy of a copy needs no log either.
    copyFileSync(pathOf("a-copy.db"), pathOf("a-plain.db"));
    expect([await messagesIn(pathOf("a-copy.db")), await messagesIn(pathOf("a-plain.db"))]).toEqual([10, 10]);
    await lash.close();
    expect(await messagesIn(path)).toBe(12);
    expect(sqlite.backup).toBe(backup);
  });

  test("needs no log, even where it was taken in the middle of a checkpoint (ME-27)", async () => {
    const path = pathOf("mid.db");
    const lash = lashOn(path);
    await (await lash.openSession("s")).run("q");
    const checkpointing = new DatabaseSync(path, { timeout: 1_000 });
    checkpointing.exec("UPDATE log_state SET whole = 0");
    await backup(path, pathOf("mid-copy.db"));
    expect(await messagesIn(pathOf("mid-copy.db"))).toBe(2);
    checkpointing.close();
    await lash.close();
    expect(await messagesIn(path)).toBe(2);
  });

  test("lash backup says what it copied, and of images that lie elsewhere (ME-27)", async () => {
    const path = pathOf("b.db");
    const lash = createLash({ provider: scriptedProvider(() => "ok"), store: sqlite(path, { attachments: directory(pathOf("b.blobs")) }) });
    const session = await lash.openSession("s");
    expect(await run(path, pathOf("b-0.db"))).toEqual({ code: 0, out: expect.stringMatching(/^copied .*b\.db to .*b-0\.db, \d+ bytes\n$/) as string, error: "" });
    await session.run({ items: [{ type: "image_ref", id: "x" }], imageBlobs: { x: png(1) } });
    expect(await run(path, pathOf("b-1.db"))).toMatchObject({ code: 0, out: expect.stringMatching(/copied .*\nits images are in a directory of their own: copy that directory now/) as string });
    await lash.close();
  });

  test("is not made where there is a file of that name, no store, a foreign one, one without its log, or no room to write; nothing is left behind (ME-27)", async () => {
    const path = pathOf("c.db");
    const lash = lashOn(path);
    await (await lash.openSession("s")).run("q");
    copyFileSync(path, pathOf("c-alone.db"));
    await lash.close();
    writeFileSync(pathOf("c-taken.db"), "mine");
    writeFileSync(pathOf("c-text.db"), "Dear diary, ".repeat(100));
    mkdirSync(pathOf("c-folder"));
    const refusals: readonly (readonly [string, string, RegExp])[] = [
      [path, pathOf("c-taken.db"), /^invalid_argument: .*c-taken\.db is there already/],
      [pathOf("c-none.db"), pathOf("c-1.db"), /^store_unavailable: there is no file/],
      [pathOf("c-text.db"), pathOf("c-1.db"), /^store_foreign: /],
      [pathOf("c-alone.db"), pathOf("c-1.db"), /^store_log_missing: /],
      [path, pathOf("nowhere/c-1.db"), /^store_unavailable: .*nowhere.*its folder has to exist/],
      [path, pathOf("c-folder"), /^invalid_argument: /],
    ];
    for (const [from, to, message] of refusals) {
      expect(await run(from, to)).toEqual({ code: 1, out: "", error: expect.stringMatching(message) as string });
    }
    expect(readFileSync(pathOf("c-taken.db"), "utf8")).toBe("mine");
    expect(readdirSync(folder).filter((name) => name.includes(".part") || name.startsWith("c-1"))).toEqual([]);
  });

  test.each([[[]], [["a.db"]], [["a.db", "b.db", "c.db"]], [["--force", "b.db"]]])("lash backup %j shows how it is used (ME-27)", async (args) => {
    expect(await run(...args)).toEqual({ code: 2, out: "", error: "usage: lash backup <file> <copy>\n" });
  });

  test("the command is there, and its help names it (ME-27)", () => {
    const cli = join(import.meta.dirname, "../../src/cli/lash.ts");
    const help = spawnSync(process.execPath, [cli, "--help"], { encoding: "utf8" });
    expect([help.status, help.stdout]).toEqual([0, expect.stringContaining("lash backup <file> <copy>")]);
    const done = spawnSync(process.execPath, [cli, "backup", pathOf("a.db"), pathOf("a-cli.db")], { encoding: "utf8" });
    expect([done.status, existsSync(pathOf("a-cli.db"))]).toEqual([0, true]);
  });

  test("taken by every documented way while processes write, each is whole as of one moment; taken otherwise, each is refused (ME-27)", { timeout: 120_000 }, async () => {
    mkdirSync(pathOf("soak"));
    const { whole, told, wrong } = await runBackups({ folder: pathOf("soak"), copies: 5, writers: 2 });
    expect({ all: whole + told, wrong }).toEqual({ all: 25, wrong: [] });
    expect(whole).toBeGreaterThanOrEqual(10);
  });
});
