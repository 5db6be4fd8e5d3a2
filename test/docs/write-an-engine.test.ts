// The engine of docs/write-an-engine.md is held to what the guide says of it.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { arrayEngine } from "../../examples/own-engine/array-engine.ts";
import { engineSuite, persistenceSuite } from "../../src/testing/index.ts";

const open = async () => arrayEngine();

describe("the guide's engine", () => {
  for (const { id, title, run } of engineSuite({ durable: false })) {
    test(`${id} ${title}`, () => expect(run(open)).resolves.toBeUndefined());
  }
  for (const { id, title, run } of persistenceSuite()) {
    test(`${id} ${title}`, () => expect(run(open)).resolves.toBeUndefined());
  }
});

test("the guide shows the engine as it is", () => {
  const guide = readFileSync(new URL("../../docs/write-an-engine.md", import.meta.url), "utf8");
  const source = readFileSync(new URL("../../examples/own-engine/array-engine.ts", import.meta.url), "utf8");
  for (const [, snippet = ""] of guide.matchAll(/```ts engine\n([\s\S]*?)```/g)) expect(source).toContain(snippet.trimEnd());
});
