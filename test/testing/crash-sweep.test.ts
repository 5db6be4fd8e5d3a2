import { expect, test } from "vitest";
import * as z from "zod";
import { tool } from "../../src/index.ts";
import { byToolResults, crashSweep, scriptedProvider } from "../../src/testing/index.ts";

test("a tool that declares nothing survives everything", async () => {
  const report = await crashSweep({
    world: () => ({ sent: [] as string[] }),
    make: ({ world }) => ({
      provider: scriptedProvider(byToolResults([{ toolCalls: [{ name: "mail", args: {} }] }, "done"])),
      tools: [tool({ name: "mail", description: "mail", input: z.object({}), run: (_args, { idempotencyKey }) => void world.sent.push(idempotencyKey) })],
    }),
    job: async (lash) => (await lash.openSession("s")).run("go", { turnId: "t" }),
    check: ({ world, result }) => [...(world.sent.length > 1 ? ["sent twice"] : []), ...(result.isSuccess ? [] : ["no success"])],
  });
  console.log(String(report), report.effects);
  expect(report.violations).toEqual([]);
});
