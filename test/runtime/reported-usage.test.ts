// What providers and compactors say that they used: a number that is none breaks no turn, and no row has it (PP-5, T-78).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { fallback, tool, type Provider } from "../../src/index.ts";
import type { LlmResponse, LlmStreamEvent } from "../../src/providers/contract.ts";
import { ProviderError, providerFailure } from "../../src/providers/failure.ts";
import { plugin } from "../../src/plugins/index.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash, type TestLash } from "../support/lash.ts";

const used = (rest: object = {}) => ({ inputTokens: 10, outputTokens: 5, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0, ...rest });

/** A provider of the host's own, without types: it says that it used this, in the answer or while it speaks. */
const saying = (usage: unknown, streamed?: unknown, id = "own"): Provider => ({
  id,
  modelId: "m",
  complete: async (_request, call) => {
    if (streamed !== undefined) await call.onStreamEvent?.({ type: "usage", usage: streamed } as LlmStreamEvent);
    const answer = { fullText: "hi", parts: [{ type: "text", text: "hi" }], terminalReason: "stop", usage };
    return answer as LlmResponse;
  },
});

const warning = (said: string) => ({
  type: "model_warning",
  warning: { type: "other", message: `what the provider reported as ${said} is no number of tokens, and counts as not reported` },
});

/** What has such a number could not be read by the next process: neither the session, nor what turn `t` came to. */
async function goesOn({ engine, clock }: Pick<TestLash, "engine" | "clock">, id = "s", counted = 5): Promise<void> {
  const next = await testLash({ engine, clock }).lash.openSession(id, { provider: saying(used()) });
  expect(await next.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true });
  expect(await next.run("and again")).toMatchObject({ isSuccess: true, usage: used() });
  expect((await next.usage()).usage).toMatchObject({ outputTokens: counted + 5 });
}

describe.each(engineCases())("on $name", ({ open }) => {
  test.each([
    ["NaN", used({ outputTokens: Number.NaN }), used({ outputTokens: 0 }), "outputTokens"],
    ["Infinity", used({ inputTokens: Infinity }), used({ inputTokens: 0 }), "inputTokens"],
    ["less than none", used({ cacheReadInputTokens: -1 }), used(), "cacheReadInputTokens"],
    ["so many that sums would be no whole numbers", used({ cacheWriteInputTokens: Number.MAX_SAFE_INTEGER }), used(), "cacheWriteInputTokens"],
    ["text", used({ reasoningOutputTokens: "7" }), used(), "reasoningOutputTokens"],
    ["nothing but nonsense", used({ inputTokens: -Infinity, outputTokens: null, cacheReadInputTokens: {} }), used({ inputTokens: 0, outputTokens: 0 }), "inputTokens, cacheReadInputTokens"],
  ])("a provider that reports %s as tokens has answered all the same: that number is not counted, and a warning says so (PP-5)", async (_title, reported, counted, said) => {
    const engine = open();
    const { lash, clock } = testLash({ engine });
    const session = await lash.openSession("s", { provider: saying(reported) });
    const turn = session.turn("go", { turnId: "t" });
    const seen = activitiesOf(turn);
    expect(await turn.result).toMatchObject({ isSuccess: true, text: "hi", errors: [], usage: counted });
    expect((await seen).filter(({ type }) => type === "model_warning")).toMatchObject([warning(said)]);
    expect(await session.run("again")).toMatchObject({ isSuccess: true });
    await goesOn({ engine, clock }, "s", 2 * counted.outputTokens);
  });

  test("shares of a token are rounded, and a provider that reports nothing at all has reported nothing; neither is worth a warning (PP-5)", async () => {
    const { lash } = testLash({ engine: open() });
    for (const [id, reported, counted] of [["a", used({ outputTokens: 4.6 }), used()], ["b", undefined, used({ inputTokens: 0, outputTokens: 0 })]] as const) {
      const session = await lash.openSession(id, { provider: saying(reported) });
      const turn = session.turn("go", { turnId: "t" });
      const seen = activitiesOf(turn);
      expect(await turn.result).toMatchObject({ isSuccess: true, usage: counted });
      expect((await seen).filter(({ type }) => type === "model_warning")).toEqual([]);
      expect(await session.run("again")).toMatchObject({ isSuccess: true });
      expect((await session.usage()).usage).toMatchObject({ outputTokens: 2 * counted.outputTokens });
    }
  });
});

test("what is said while it speaks is held to the same, and takes the place of an answer that says nothing (PP-5, T-43)", async () => {
  const { lash, engine, clock } = testLash();
  const zero = used({ inputTokens: 0, outputTokens: 0 });
  const session = await lash.openSession("s", { provider: saying(zero, used({ outputTokens: Number.NaN })) });
  const turn = session.turn("go", { turnId: "t" });
  const seen = activitiesOf(turn);
  expect(await turn.result).toMatchObject({ isSuccess: true, usage: used({ outputTokens: 0 }) });
  expect((await seen).filter(({ type }) => type === "model_warning")).toMatchObject([warning("outputTokens")]);
  await goesOn({ engine, clock }, "s", 0);
  const good = await lash.openSession("good", { provider: saying(used({ inputTokens: Number.NaN, outputTokens: -3 }), used()) });
  expect(await good.run("go")).toMatchObject({ isSuccess: true, usage: used() });
});

test("attempts that fail are held to the same: the next one answers, and only what is a number is summed (PP-5, OP-21)", async () => {
  const { lash, clock, logged } = testLash();
  const failing: Provider = {
    id: "first",
    modelId: "m",
    options: { reliability: { retry: { maxAttempts: 2 } } },
    complete: async (_request, call) => {
      await call.onStreamEvent?.({ type: "usage", usage: used({ outputTokens: Number.NaN, reasoningOutputTokens: -Infinity }) });
      throw new ProviderError(providerFailure("transport", "cut", { retryable: true, retryAfterMs: Number.NaN }));
    },
  };
  const session = await lash.openSession("s", { provider: fallback([failing, saying(used({ inputTokens: Infinity }), undefined, "second")]) });
  expect(await clock.runUntil(session.run("go"))).toMatchObject({ isSuccess: true, text: "hi", usage: used({ inputTokens: 20 }) });
  const alone = await lash.openSession("alone", { provider: failing });
  expect(await clock.runUntil(alone.run("go"))).toMatchObject({ outcome: { stop: "provider_error" }, usage: used({ inputTokens: 20, outputTokens: 0 }) });
  expect((await alone.usage()).usage).toMatchObject({ inputTokens: 20, outputTokens: 0 });
  expect(logged).toEqual([]);
});

test("an answer that a plugin gives in place of the provider's is held to the same (PP-5, T-45)", async () => {
  const usage = used({ outputTokens: Number.NaN });
  const madeUp = plugin({ id: "p", build: () => ({ onResponse: () => ({ fullText: "mine", parts: [{ type: "text", text: "mine" }], terminalReason: "stop", usage }) }) });
  const { lash, engine, clock } = testLash({ plugins: [madeUp] });
  const session = await lash.openSession("s", { provider: saying(used()) });
  expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true, text: "mine", usage: used({ outputTokens: 0 }) });
  await lash.close();
  await goesOn({ engine, clock }, "s", 0);
});

test("questions of tools and what a compactor says are held to the same (PP-5, S-20)", async () => {
  const ask = tool({ name: "ask", description: "", input: z.object({}), run: async (_args, call) => (await call.complete({ messages: [{ role: "user", content: "why?" }] })).usage });
  const usage = used({ inputTokens: Number.NaN });
  const answers = [{ type: "toolCall" as const, callId: "c", toolName: "ask", inputJson: "{}" }, ...["because", "done"].map((text) => ({ type: "text" as const, text }))];
  const provider: Provider = {
    id: "own",
    modelId: "m",
    complete: async () => {
      const part = answers.shift();
      return { fullText: "", parts: part ? [part] : [], terminalReason: part?.type === "toolCall" ? "tool_use" : "stop", usage };
    },
  };
  const { lash } = testLash({ tools: [ask] });
  const session = await lash.openSession("s", { provider });
  const counted = used({ inputTokens: 0 });
  expect(await session.run("go")).toMatchObject({ isSuccess: true, text: "done", toolCalls: [{ output: { outcome: { payload: counted } } }] });
  await session.compact(() => ({ messages: [{ role: "User", text: "notes" }], usage }));
  const { bySource } = await session.usage();
  expect(bySource).toMatchObject({ turn: used({ inputTokens: 0, outputTokens: 10 }), direct: counted, compaction: counted });
});
