// The crash matrix on IndexedDB: the same turn as in Node, the same checks, a database of its own for every crash.

import { describe, expect, test } from "vitest";
import type { Engine } from "../../src/stores/engine.ts";
import { indexedDbEngine } from "../../src/stores/indexeddb/index.ts";
import { crashPoints } from "../../src/testing/faulty-engine.ts";
import { dieAndRecover, rehearse } from "../support/crash-job.ts";

const LONG = 60_000;
const open = (): Engine => indexedDbEngine(`crash ${crypto.randomUUID()}`);

describe("crash matrix on IndexedDB", { timeout: LONG }, () => {
  test("a crash at any engine call, before, inside or after it, leaves a turn that the next runtime ends well (E-45, OP-3, T-73)", async () => {
    const { process, keys } = await rehearse(open());
    const points = crashPoints(process.engineCalls);
    expect(points.length).toBeGreaterThan(60);
    for (const crash of points) {
      await dieAndRecover(open(), { kind: "engine", crash }, keys).catch((error: unknown) => {
        throw new Error(`crash ${JSON.stringify(crash)}: ${String(error)}`, { cause: error });
      });
    }
  });

  test("a crash at any effect boundary leaves a turn that the next runtime ends well, finished effects run once (E-8, E-45, OP-3)", async () => {
    const { process, keys } = await rehearse(open());
    const names = process.passed.effect;
    expect(names.length).toBeGreaterThan(10);
    for (const [index, at] of names.entries()) {
      await dieAndRecover(open(), { kind: "boundary", channel: "effect", nth: index + 1 }, keys).catch((error: unknown) => {
        throw new Error(`crash at effect ${index + 1} (${at}): ${String(error)}`, { cause: error });
      });
    }
  });
});
