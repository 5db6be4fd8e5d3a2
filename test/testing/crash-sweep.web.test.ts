// The sweep in a page, on IndexedDB: what users of a browser build can do in their own tests.

import { expect, test } from "vitest";
import * as z from "zod";
import { tool } from "../../src/index.ts";
import { indexedDb } from "../../src/stores/indexeddb/store.ts";
import { byToolResults, crashSweep, scriptedProvider } from "../../src/testing/index.ts";

test("a sweep on IndexedDB finds a tool that is wrongly declared idempotent, and nothing wrong with one that declares nothing", { timeout: 60_000 }, async () => {
  const sweep = (idempotent: boolean) =>
    crashSweep({
      world: () => ({ paid: 0 }),
      engine: () => indexedDb(`sweep ${crypto.randomUUID()}`).engine,
      make: ({ world }) => ({
        provider: scriptedProvider(byToolResults([{ toolCalls: [{ name: "pay" }] }, "Paid."])),
        tools: [tool({ name: "pay", description: "Pay", input: z.object({}), idempotent, run: () => void (world.paid += 1) })],
      }),
      job: async (lash) => (await lash.openSession("s")).run("Pay", { turnId: "t" }),
      check: ({ world, result }) => [...(world.paid > 1 ? [`paid ${world.paid} times`] : []), ...(result.isSuccess ? [] : ["the turn did not succeed"])],
      kinds: ["killAfterWrite", "killAtEffect", "loseAnswer"],
    });
  expect(String(await sweep(false))).toBe("crashSweep: 14 runs (4 writes, 6 effect boundaries), 0 violations");
  expect((await sweep(true)).violations.map(({ message }) => message)).toContain("paid 2 times");
});
