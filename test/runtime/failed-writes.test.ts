// Writes of a turn that fail: what goes on, what is taken up again, what is said of it (ME-24, ME-25, SC-1).

import { describe, expect, test } from "vitest";
import { engineCases } from "../support/engines.ts";
import { FAULTS, failOnce, type Fault, writesOfTheTurn } from "../support/write-sweep.ts";

const ALL = Object.keys(FAULTS) as Fault[];

describe.each(engineCases())("each write of a turn with three parallel tools, on $name,", ({ open, name }) => {
  // One way of each kind is enough on a disk.
  const faults = name === "memory" ? ALL : ALL.filter((_, index) => index % 3 === 0);
  test.each(faults)("fails once (%s), and the turn ends by itself: no tool runs again, none is reported that did not begin, nothing is said twice (ME-24, ME-25, SC-1)", { timeout: 60_000 }, async (fault) => {
    const disk = open();
    const writes = await writesOfTheTurn(disk);
    await disk.close();
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
