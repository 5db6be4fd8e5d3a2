import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { persistenceSuite } from "../../src/testing/persistence-suite.ts";

describe("persistence on the memory engine", () => {
  for (const { id, title, run } of persistenceSuite()) {
    test(`${id} ${title}`, async () => {
      await expect(run(async () => memoryEngine())).resolves.toBeUndefined();
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
