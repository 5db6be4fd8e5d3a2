// A fuzz of conversations over the real clients and the strict servers; scripts/fuzz-round-trip.ts runs it for longer.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scratchFiles } from "../support/engines.ts";
import { conversation, converse } from "../support/strict/fuzz.ts";

const fileOf = scratchFiles();
const TIME_MS = 15_000;

test("conversations with tools, reasoning, images, retries, cancels, restarts, switches, forks and compactions meet no refusal, and what arrives is what was said (ME-2, ME-3, ME-5, ME-14)", async () => {
  const property = fc.asyncProperty(conversation, async (moves) => {
    const file = fileOf();
    const problems = await converse(moves, () => sqlite(file));
    expect(problems.join("\n")).toBe("");
  });
  await fc.assert(property, { seed: 23, numRuns: 120, interruptAfterTimeLimit: TIME_MS, endOnFailure: false });
}, 60_000);
