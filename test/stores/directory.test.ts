import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { sha256Hex } from "../../src/domain/sha256.ts";
import { directory } from "../../src/stores/sqlite/store.ts";

const folder = mkdtempSync(join(tmpdir(), "lash-directory-"));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;
const freshRoot = (): string => join(folder, `home-${made++}`, "below");

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const keyOf = (text: string, use = 0): string => `${sha256Hex(text)}.${use.toString(16).padStart(16, "0")}`;
const pathOf = (root: string, key: string): string => join(root, "sha256", key.slice(0, 2), key);
const filesIn = (root: string): readonly string[] =>
  existsSync(root) ? readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).sort() : [];

describe("a directory", () => {
  test("is made with the first put, keeps bytes as files under the hash of what they say, and knows them when it is opened again (P-45, C-52)", async () => {
    const root = freshRoot();
    const home = directory(root);
    const large = new Uint8Array(9_000_001).map((_, index) => (index * 31) % 256);
    expect([existsSync(root), home.durable, await home.get(keyOf("a"))]).toEqual([false, true, undefined]);
    await home.put(keyOf("a"), bytesOf("a"));
    await home.put(keyOf("none"), new Uint8Array());
    await home.put(keyOf("large"), large);
    expect(readFileSync(pathOf(root, keyOf("a")), "utf8")).toBe("a");
    const again = directory(root);
    expect(await again.get(keyOf("a"))).toEqual(bytesOf("a"));
    expect(await again.get(keyOf("none"))).toEqual(new Uint8Array());
    expect(sha256Hex((await again.get(keyOf("large"))) ?? new Uint8Array())).toBe(sha256Hex(large));
    for (const text of ["a", "a", "none", "large", "unknown"]) await again.delete(keyOf(text));
    expect(filesIn(root)).toEqual([]);
  });

  test("may be read and written by its owner alone, whatever the mask of the process; a folder that is there keeps its rights (ME-27)", async () => {
    const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
    const [root, shared] = [freshRoot(), freshRoot()];
    const key = keyOf("a");
    const mask = process.umask(0);
    try {
      mkdirSync(shared, { recursive: true, mode: 0o775 });
      for (const home of [root, shared]) await directory(home).put(key, bytesOf("a"));
    } finally {
      process.umask(mask);
    }
    expect([dirname(root), root, join(root, "sha256"), dirname(pathOf(root, key))].map(modeOf)).toEqual(["700", "700", "700", "700"]);
    expect([shared, join(shared, "sha256"), dirname(pathOf(shared, key))].map(modeOf)).toEqual(["775", "700", "700"]);
    expect([root, shared].map((home) => modeOf(pathOf(home, key)))).toEqual(["600", "600"]);
  });

  test("what a put that died left neither blocks the next one nor outlives its key (P-45)", async () => {
    const root = freshRoot();
    mkdirSync(dirname(pathOf(root, keyOf("a"))), { recursive: true });
    writeFileSync(`${pathOf(root, keyOf("a"))}.part`, "half of it, and longer than the whole");
    await directory(root).put(keyOf("a"), bytesOf("a"));
    expect(filesIn(root)).toEqual([keyOf("a")]);
    expect(await directory(root).get(keyOf("a"))).toEqual(bytesOf("a"));
    writeFileSync(`${pathOf(root, keyOf("a", 1))}.part`, "half");
    expect(await directory(root).get(keyOf("a", 1))).toBeUndefined();
    await directory(root).delete(keyOf("a", 1));
    expect(filesIn(root)).toEqual([keyOf("a")]);
  });

  test("a folder that somebody removed is made again", async () => {
    const root = freshRoot();
    const home = directory(root);
    await home.put(keyOf("a"), bytesOf("a"));
    rmSync(root, { recursive: true });
    expect(await home.get(keyOf("a"))).toBeUndefined();
    await home.delete(keyOf("a"));
    await home.put(keyOf("a", 1), bytesOf("a"));
    expect(await home.get(keyOf("a", 1))).toEqual(bytesOf("a"));
  });

  test.each(["", "a", "../../secret", `${sha256Hex("a")}`, `${sha256Hex("a")}./../../x`, `${sha256Hex("a").toUpperCase()}.0123456789abcdef`, `${keyOf("a")}\0`, `${keyOf("a")}\n`, `../${keyOf("a")}`, "__proto__"])(
    "%j is no key: it is refused and nothing is touched (design 10)",
    async (key) => {
      const root = freshRoot();
      writeFileSync(join(folder, "secret"), "kept");
      const home = directory(root);
      for (const call of [home.put(key, bytesOf("x")), home.get(key), home.delete(key)]) await expect(call).rejects.toMatchObject({ code: "invalid_argument" });
      expect([existsSync(root), readFileSync(join(folder, "secret"), "utf8")]).toEqual([false, "kept"]);
    },
  );

  test("an empty path is refused at once", () => {
    expect(() => directory("")).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });

  test("a file in its place is store_unavailable, and says which directory", async () => {
    const root = freshRoot();
    mkdirSync(dirname(root), { recursive: true });
    writeFileSync(root, "a file");
    await expect(directory(root).put(keyOf("a"), bytesOf("a"))).rejects.toMatchObject({ code: "store_unavailable", message: expect.stringContaining(root) });
    await expect(directory(root).get(keyOf("a"))).rejects.toMatchObject({ code: "store_unavailable" });
  });

  // The kernel's own full disk: whatever is written to it fails with ENOSPC.
  test.skipIf(!existsSync("/dev/full"))("a full disk is store_full, leaves nothing behind, and the next put succeeds (design 10)", async () => {
    const root = freshRoot();
    const path = pathOf(root, keyOf("a"));
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync("/dev/full", `${path}.part`);
    await expect(directory(root).put(keyOf("a"), bytesOf("a"))).rejects.toMatchObject({ code: "store_full", details: { systemCode: "ENOSPC" } });
    expect(readdirSync(dirname(path))).toEqual([]);
    await directory(root).put(keyOf("a"), bytesOf("a"));
    expect(await directory(root).get(keyOf("a"))).toEqual(bytesOf("a"));
  });
});
