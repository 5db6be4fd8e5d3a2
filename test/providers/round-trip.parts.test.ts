// Every part that the model interface knows, in every order and overlap, comes back in the next prompt as it came.

import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, type Lash } from "../../src/index.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { scratchFiles } from "../support/engines.ts";
import { answer, comparable, playedModel, type AssistantPart, type PartType, type Played } from "../support/strict/played-model.ts";

const fileOf = scratchFiles();
const look = tool({ name: "look", description: "Looks", input: z.object({ n: z.string() }), readOnly: true, run: ({ n }) => `seen ${n}` });

/** All that there is: a new member of either type is an error here until it is played. */
const PLAYED: Readonly<Record<PartType, true>> = {
  "text-start": true, "text-delta": true, "text-end": true, "reasoning-start": true, "reasoning-delta": true, "reasoning-end": true,
  "tool-input-start": true, "tool-input-delta": true, "tool-input-end": true, "tool-approval-request": true, "tool-call": true,
  "tool-result": true, custom: true, file: true, "reasoning-file": true, source: true, "stream-start": true, "response-metadata": true,
  finish: true, ping: true, raw: true, error: true,
};
const RETURNED: Readonly<Record<AssistantPart["type"], true>> = { text: true, file: true, custom: true, reasoning: true, "reasoning-file": true, "tool-call": true, "tool-result": true };

const saidIn = ({ prompt }: LanguageModelV4CallOptions): readonly AssistantPart[] => prompt.flatMap((message) => (message.role === "assistant" ? message.content : []));

test("parts of all kinds, interleaved and cut into deltas anyhow, come back in the order in which they began, with their metadata: in the turn, after a restart and in a fork (ME-1, ME-2)", async () => {
  const seen = new Set<PartType>();
  const returned = new Set<string>();
  const property = fc.asyncProperty(answer(true), answer(false), answer(false), fc.option(fc.nat(20), { nil: undefined }), async (first, second, third, cutAt) => {
    const plays: readonly Played[] = [first("a"), second("b"), third("c")];
    const [calling, ending, later] = plays.map(({ events }) => events);
    const cut = cutAt === undefined ? [] : [[...(calling ?? []).slice(0, Math.min(cutAt, (calling?.length ?? 1) - 1)), { type: "error" as const, error: new Error("broken") }]];
    const asked: LanguageModelV4CallOptions[] = [];
    const file = fileOf();
    const reopened = (...left: readonly Played["events"][]): Lash =>
      createLash({
        provider: aiSdk(playedModel([...asked.map(() => []), ...left], asked), { reliability: { retry: { maxAttempts: 3, baseDelayMs: 0, maxDelayMs: 1 } } }),
        store: sqlite(file),
        tools: [look],
        logger: () => {},
      });

    const one = reopened(...cut, calling ?? [], ending ?? []);
    const session = await one.openSession("s");
    expect(await session.run("go")).toMatchObject({ isSuccess: true });
    await one.close();
    const two = reopened(later ?? [], [...(ending ?? [])]);
    const again = await two.openSession("s");
    expect(await again.run("and")).toMatchObject({ isSuccess: true });
    const fork = await two.openSession(await again.fork());
    await fork.run("on");
    await two.close();

    const expected = plays.map(({ back }) => back);
    const requests = asked.slice(cut.length).map(saidIn);
    const from = (count: number): readonly string[] => comparable(expected.slice(0, count).flat());
    expect(requests.map(comparable)).toEqual([from(0), from(1), from(2), from(3)]);
    for (const event of [...plays.flatMap(({ events }) => events), ...cut.flat()]) seen.add(event.type);
    for (const part of requests.flat()) returned.add(part.type);
  });
  await fc.assert(property, { seed: 23, numRuns: 60, interruptAfterTimeLimit: 15_000 });
  expect([...seen].toSorted()).toEqual(Object.keys(PLAYED).toSorted());
  expect([...returned].toSorted()).toEqual(Object.keys(RETURNED).toSorted());
}, 60_000);
