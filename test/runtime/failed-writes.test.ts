// Writes of a turn that fail: what goes on, what is taken up again, what is said of it (ME-24, ME-25, SC-1).

import { describe, expect, test } from "vitest";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { storeError } from "../../src/domain/errors.ts";
import { gate } from "../../src/testing/index.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { engineCases } from "../support/engines.ts";
import { FAULTS, type Fault } from "../support/faults.ts";
import { failOnce, writesOfTheTurn } from "../support/write-sweep.ts";

const ALL = Object.keys(FAULTS) as Fault[];
const KINDS: readonly Fault[] = ["not made, the store is full", "made, and the engine does not know"];
const [onMemory, onSqlite] = engineCases();
interface Case {
  readonly name?: string;
  readonly open?: () => Engine;
  readonly fault: Fault;
  readonly effects?: "inline";
}
const CASES: readonly Case[] = [
  ...ALL.map((fault) => ({ ...onMemory, fault })),
  // One way of each kind is enough on a disk, and where effects are not journaled.
  ...KINDS.map((fault) => ({ ...onSqlite, fault })),
  ...KINDS.map((fault) => ({ ...onMemory, name: "memory without a journal", fault, effects: "inline" as const })),
];

describe("each write of a turn with three parallel tools", () => {
  test.each(CASES)("fails once on $name ($fault), and the turn ends by itself: no tool runs again, none is reported that did not begin, nothing is said twice (ME-24, ME-25, SC-1)", { timeout: 60_000 }, async ({ open = memoryEngine, fault, effects }) => {
    const disk = open();
    const writes = await writesOfTheTurn(disk, effects);
    await disk.close();
    expect(writes).toBeGreaterThan(8);
    for (let nth = 1; nth <= writes; nth++) {
      const engine = open();
      await failOnce(engine, nth, fault, effects).catch((error: unknown) => {
        throw new Error(`write ${nth} of ${writes}: ${String(error)}`, { cause: error });
      });
      await engine.close();
    }
  });
});

test("a commit that is found again does not know what it left behind, so that what waits is drained all the same (I-45, SC-1)", async () => {
  const disk = memoryEngine();
  const hold = gate();
  let armed = false;
  const engine: Engine = { ...staysOpen(disk), write: async (body) => {
    const isIt = armed;
    armed = false;
    const result = await disk.write(body);
    if (isIt) throw storeError("store_outcome_unknown", "the answer was lost");
    return result;
  } };
  const { lash } = testLash({ engine, drain: "auto", script: [{ text: "one", before: hold }, "two"] });
  const session = await lash.openSession("s");
  // Who drains has looked once, and looks again only when told.
  await lash.recover();
  const running = session.run("go");
  await hold.reached;
  // By somebody who pokes nobody here.
  await (await testLash({ engine: disk }).lash.openSession("s")).enqueue("later");
  armed = true;
  hold.open();
  expect((await running).text).toBe("one");
  for (let n = 0; n < 500 && transcriptOf(session).length < 4; n++) await new Promise((resolve) => setTimeout(resolve));
  expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose one", "User: Text later", "Assistant: Prose two"]);
  await lash.close();
});
