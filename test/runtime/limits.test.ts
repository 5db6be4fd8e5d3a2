// The `limits` option: what is too large is refused or fails where it appears, and the session goes on (OP-17, design 10).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { pending, tool, withImages, type Limits } from "../../src/index.ts";
import { byAssistantMessages } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { png } from "../support/pictures.ts";

const long = (bytes: number): string => "x".repeat(bytes);
const giving = (run: () => unknown) => tool({ name: "give", description: "", input: z.object({ text: z.optional(z.string()) }), run });
const calling = (args: object = {}) => byAssistantMessages([{ toolCalls: [{ name: "give", args }] }, "went on"]);

async function session(limits: Partial<Limits>, options: TestLashOptions = {}) {
  const host = testLash({ ...options, limits });
  return { ...host, session: await host.lash.openSession("s") };
}

describe("limits", () => {
  test.each<[string, unknown]>([["an unknown name", { toolBytes: 1 }], ["no number", { imageBytes: "1" }], ["zero", { jsonDepth: 0 }], ["more depth than rows take", { jsonDepth: 501 }], ["no object", 7]])(
    "%s is a mistake in the wiring",
    (_title, limits) => expect(() => testLash({ limits: limits as never })).toThrow(expect.objectContaining({ code: "invalid_argument" })),
  );

  test.each<[string, Partial<Limits>, Parameters<Awaited<ReturnType<typeof session>>["session"]["run"]>[0], string]>([
    ["a text", { turnInputBytes: 10 }, long(11), "input"],
    ["items", { turnInputBytes: 30 }, { items: [{ type: "text", text: long(20) }] }, "input.items"],
    ["an image", { imageBytes: 8 }, { items: [{ type: "image_ref", id: "a" }], imageBlobs: { a: png(1) } }, "input.imageBlobs.a"],
  ])("%s over its limit is refused before anything is durable, for a turn and for input that waits", async (_title, limits, input, field) => {
    const { session: chat } = await session(limits);
    const refusal = { code: "limit_exceeded", details: { field } };
    await expect(Promise.resolve().then(() => chat.run(input))).rejects.toMatchObject(refusal);
    await expect(Promise.resolve().then(() => chat.enqueue(input))).rejects.toMatchObject(refusal);
    expect(await chat.pendingTurnInputs()).toEqual([]);
    expect(await chat.run("ok")).toMatchObject({ text: "done" });
  });

  test.each<[string, Partial<Limits>, TestLashOptions]>([
    ["arguments", { toolArgumentsBytes: 20 }, { script: calling({ text: long(30) }), tools: [giving(() => "never")] }],
  ])("%s over their limit fail the call, and the model hears of it", async (_title, limits, options) => {
    const { session: chat } = await session(limits, options);
    expect(await chat.run("go")).toMatchObject({ text: "went on", toolCalls: [{ output: { outcome: { status: "failure", payload: { class: "resource_limit" } } } }] });
  });

  test.each<[string, Partial<Limits>, () => unknown, string]>([
    ["a result", { toolResultBytes: 400 }, () => ({ text: long(500), id: 7 }), '"id":7'],
    ["a result that is a text", { toolResultBytes: 100 }, () => long(300), "[cut: "],
    ["a result of many values", { jsonValues: 5 }, () => [1, 2, 3, 4, 5, 6], "[cut: 2 more items]"],
    ["depth of a result", { jsonDepth: 2 }, () => [[[1]]], "[cut: deeper than 2 levels]"],
    ["an image of a tool", { imageBytes: 8 }, () => withImages("one", [png(1)]), "image 1 of 1 is left out: it is over `limits.imageBytes` (8)"],
  ])("%s over its limit is cut, and says so: the call has run (ME-8)", async (_title, limits, run, shown) => {
    const { session: chat, provider } = await session(limits, { script: calling(), tools: [giving(run)] });
    expect(await chat.run("go")).toMatchObject({ text: "went on", toolCalls: [{ status: "success" }] });
    const [block] = provider.requests[1]?.messages.at(-1)?.blocks ?? [];
    expect(block).toMatchObject({ type: "toolResult", content: expect.stringContaining(shown) as string });
  });

  test("an answer from outside over the limit is refused, and a smaller one is taken", async () => {
    const asked = Promise.withResolvers<string>();
    const ask = tool({ name: "give", description: "", input: z.object({}), run: async (_, call) => (asked.resolve(await call.completionKey()), pending()) });
    const { session: chat, lash } = await session({ toolResultBytes: 20 }, { script: calling(), tools: [ask] });
    const ended = chat.run("go");
    const key = await asked.promise;
    await expect(lash.completions.resolve(key, { status: "ok", payload: long(30) })).rejects.toMatchObject({ code: "limit_exceeded" });
    await lash.completions.resolve(key, { status: "ok", payload: "yes" });
    expect(await ended).toMatchObject({ text: "went on", toolCalls: [{ status: "success" }] });
  });

  test.each([
    ["while it streams", { text: [long(60), long(60), long(60)] }],
    ["in its thoughts", { reasoning: long(150), text: "short" }],
    ["in the arguments of a call", { toolCalls: [{ name: "give", args: { text: long(150) } }] }],
  ])("a response that is too large %s ends the turn as provider_error, not to be retried; the next turn works", async (_title, reply) => {
    const { session: chat, provider } = await session({ modelResponseBytes: 100 }, { script: [reply, "fine"], tools: [giving(() => "never")] });
    const turn = chat.turn("go");
    const seen = await activitiesOf(turn);
    expect(await turn.result).toMatchObject({ isSuccess: false, outcome: { stop: "provider_error" }, errors: [{ code: "limit_exceeded", retryable: false }] });
    expect(seen.filter(({ type }) => type === "assistant_prose_delta").length).toBeLessThan(3);
    expect(provider.requests).toHaveLength(1);
    expect(await chat.run("again")).toMatchObject({ text: "fine" });
  });

  test("a response counts in bytes, and each attempt for itself", async () => {
    const { session: chat, clock } = await session({ modelResponseBytes: 100 }, { script: [{ text: long(80), failure: {} }, long(90), "é".repeat(60)] });
    const ended = chat.run("go");
    await clock.advance(60_000);
    expect(await ended).toMatchObject({ isSuccess: true });
    expect(await chat.run("again")).toMatchObject({ outcome: { stop: "provider_error" } });
  });

  test.each(engineCases())("a raised limit lets more through than a row holds, on $name", async ({ open }) => {
    const engine = open();
    const text = long(9 * 1024 * 1024);
    const { session: chat, lash } = await session({ toolResultBytes: 10 * 1024 * 1024 }, { engine, script: calling(), tools: [giving(() => text)] });
    expect(await chat.run("go")).toMatchObject({ text: "went on", toolCalls: [{ status: "success" }] });
    await lash.close();
    const reopened = await testLash({ engine }).lash.openSession("s");
    expect(transcriptOf(reopened)[2]).toBe(`User: ToolResult ${text}`);
  });
});
