import { describe, expect, test } from "vitest";
import { indexedDbEngine } from "../../src/stores/indexeddb/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { persistenceSuite } from "../../src/testing/persistence-suite.ts";

describe("persistence on the IndexedDB engine", () => {
  for (const { id, title, run } of persistenceSuite()) {
    test(`${id} ${title}`, async () => {
      const database = `persistence ${crypto.randomUUID()}`;
      await expect(run(async () => indexedDbEngine(database))).resolves.toBeUndefined();
    });
  }
});

describe("persistence on the memory engine, in a browser", () => {
  for (const { id, title, run } of persistenceSuite()) {
    test(`${id} ${title}`, async () => {
      await expect(run(async () => memoryEngine())).resolves.toBeUndefined();
    });
  }
});
