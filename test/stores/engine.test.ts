import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { engineSuite } from "../../src/testing/engine-suite.ts";

describe("memory engine", () => {
  for (const { id, title, run } of engineSuite({ durable: false })) {
    test(`${id} ${title}`, async () => {
      await expect(run(async () => memoryEngine())).resolves.toBeUndefined();
    });
  }
});

describe("SQLite engine", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lash-engine-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  for (const { id, title, run } of engineSuite({ durable: true })) {
    test(`${id} ${title}`, async () => {
      const open = async (): Promise<Engine> => sqliteEngine(join(folder, `${id}.db`));
      await expect(run(open)).resolves.toBeUndefined();
    });
  }
});
