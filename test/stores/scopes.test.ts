// Writes do nothing outside of the scope that they give to their engine (SC-5).

import { describe, expect, test } from "vitest";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { persistenceSuite } from "../../src/testing/index.ts";
import { scopeGuard } from "../support/scope-guard.ts";

describe("persistence on an engine that refuses what is outside of a write's scope", () => {
  for (const { id, title, run } of persistenceSuite()) {
    test(`${id} ${title}`, () => expect(run(async () => scopeGuard(memoryEngine()))).resolves.toBeUndefined());
  }
});

test("a write that leaves its scope is refused", async () => {
  const engine = scopeGuard(memoryEngine());
  const scope = { sessions: ["a"], content: "none" } as const;
  await engine.write((tx) => tx.set(["s", "a", 1], 1), scope);
  await expect(engine.write((tx) => tx.get(["s", "b", 1]), scope)).rejects.toThrow("has to do with s,b");
  await engine.write((tx) => (tx.widen("b"), tx.get(["s", "b", 1])), scope);
});
