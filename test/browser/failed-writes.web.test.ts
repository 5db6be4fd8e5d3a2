// The sweep of failed writes on IndexedDB: the same turn as in Node, the same checks, a database of its own for every failure.

import { describe, expect, test } from "vitest";
import type { Engine } from "../../src/stores/engine.ts";
import { indexedDbEngine } from "../../src/stores/indexeddb/index.ts";
import type { Fault } from "../support/faults.ts";
import { failOnce, writesOfTheTurn } from "../support/write-sweep.ts";

const open = (): Engine => indexedDbEngine(`failed writes ${crypto.randomUUID()}`);

describe("each write of a turn with three parallel tools, on IndexedDB,", () => {
  test.each<Fault>(["not made, the store is full", "made, and the engine does not know"])("fails once (%s), and the turn ends by itself: no tool runs again, none is reported that did not begin, nothing is said twice (ME-24, SC-1)", { timeout: 60_000 }, async (fault) => {
    const writes = await writesOfTheTurn(open());
    expect(writes).toBeGreaterThan(12);
    for (let nth = 1; nth <= writes; nth++) {
      const engine = open();
      await failOnce(engine, nth, fault).catch((error: unknown) => {
        throw new Error(`write ${nth} of ${writes}: ${String(error)}`, { cause: error });
      });
      await engine.close();
    }
  });
});
