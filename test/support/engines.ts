// The engines that a behaviour is shown on: each call of `open` gives a new, empty one.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";

export interface EngineCase {
  readonly name: string;
  readonly open: () => Engine;
}

/** To be called once per test file; files are removed after its tests. */
export function engineCases(): readonly EngineCase[] {
  const fileOf = scratchFiles();
  return [
    { name: "memory", open: memoryEngine },
    { name: "sqlite", open: () => sqliteEngine(fileOf()) },
  ];
}

/** Paths of database files in a folder that is removed after the tests of this file. */
export function scratchFiles(): () => string {
  const folder = mkdtempSync(join(tmpdir(), "lash-test-"));
  let files = 0;
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => join(folder, `${files++}.db`);
}
