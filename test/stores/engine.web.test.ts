import { describe, expect, test } from "vitest";
import { indexedDbEngine } from "../../src/stores/indexeddb/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { engineSuite } from "../../src/testing/engine-suite.ts";

describe("IndexedDB engine", () => {
  for (const { id, title, run } of engineSuite({ durable: true })) {
    test(`${id} ${title}`, async () => {
      const database = `suite ${id} ${crypto.randomUUID()}`;
      await expect(run(async () => indexedDbEngine(database))).resolves.toBeUndefined();
    });
  }
});

describe("memory engine", () => {
  for (const { id, title, run } of engineSuite({ durable: false })) {
    test(`${id} ${title}`, async () => {
      await expect(run(async () => memoryEngine())).resolves.toBeUndefined();
    });
  }
});
