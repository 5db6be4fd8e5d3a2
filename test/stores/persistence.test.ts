import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { directory } from "../../src/stores/directory/index.ts";
import { persistenceSuite } from "../../src/testing/persistence-suite.ts";
import { scratchFiles } from "../support/engines.ts";

describe("persistence on the memory engine", () => {
  for (const { id, title, run } of persistenceSuite()) {
    test(`${id} ${title}`, async () => {
      await expect(run(async () => memoryEngine())).resolves.toBeUndefined();
    });
  }
});

describe("persistence on the SQLite engine, with attachment bytes in a directory", () => {
  const fileOf = scratchFiles();
  for (const { id, title, run } of persistenceSuite().filter(({ id }) => id !== "C-47")) {
    test(`${id} ${title}`, async () => {
      const file = fileOf();
      await expect(run(async () => sqliteEngine(file), directory(`${file}.blobs`))).resolves.toBeUndefined();
    });
  }
});

describe("persistence on the SQLite engine", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lash-persistence-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  for (const [index, { id, title, run }] of persistenceSuite().entries()) {
    test(`${id} ${title}`, async () => {
      await expect(run(async () => sqliteEngine(join(folder, `${index}.db`)))).resolves.toBeUndefined();
    });
  }
});
