// A way out after a refusal: media that a model has refused are shown to it no more, until the host says otherwise (ME-15).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, withImages, type TurnInput } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { childSessions } from "../../src/children/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { countingEngine, scriptedProvider, type ProviderScript, type ScriptedReply } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, type TestLashOptions } from "../support/lash.ts";
import { jpeg, png } from "../support/pictures.ts";

const NOTE = "[an image was left out: the model refused it]";
const refused = (status = 400): ScriptedReply => ({ failure: { kind: "http", status, message: "Could not process image", retryable: false } });
const picky: ProviderScript = (request) => (request.attachments.length > 0 ? refused() : "fine");
const look = (bytes = png(1)): TurnInput => ({ items: [{ type: "text", text: "look" }, { type: "image_ref", id: "a" }], imageBlobs: { a: bytes } });
const stopped = { outcome: { kind: "stopped", stop: "provider_error" } };
const fine = { text: "fine", isSuccess: true };

const textsOf = ({ messages }: LlmRequest): readonly string[] => messages.flatMap(({ blocks }) => blocks.map((block) => (block.type === "text" ? block.text : block.type)));

describe.each(engineCases())("an image that a model refuses, on $name", ({ open }) => {
  test("ends its turn with the issue; the next one shows a note in its place, also after a restart (ME-15)", async () => {
    const { lash, engine, provider } = testLash({ engine: open(), script: picky });
    const session = await lash.openSession("s");
    expect(await session.run(look())).toMatchObject({ ...stopped, errors: [{ code: "validation", message: expect.stringContaining("Could not process image") }] });
    expect(await session.run("never mind")).toMatchObject(fine);
    expect(textsOf(provider.requests.at(-1) as LlmRequest)).toEqual(["look", NOTE, "never mind"]);
    await lash.close();
    const next = testLash({ engine, script: picky });
    expect(await (await next.lash.openSession("s")).run("hello")).toMatchObject(fine);
    expect(textsOf(next.provider.requests[0] as LlmRequest)).toEqual(["look", NOTE, "never mind", "fine", "hello"]);
  });

  test("is shown again after retryMedia, which says how many there were (ME-15)", async () => {
    const { lash, engine } = testLash({ engine: open(), script: picky });
    const session = await lash.openSession("s");
    await session.run(look());
    expect(await session.retryMedia()).toBe(1);
    expect(await session.retryMedia()).toBe(0);
    await lash.close();
    const next = testLash({ engine, script: ["seen"] });
    expect(await (await next.lash.openSession("s")).run("again")).toMatchObject({ text: "seen" });
    expect(next.provider.requests[0]?.attachments).toHaveLength(1);
  });

  test("dying at any engine call, its turn leaves a session that goes on (ME-15)", async () => {
    await crashEverywhere({
      open,
      world: () => null,
      job: async (process, clock) => void (await (await testLash({ engine: process.engine, clock, script: picky }).lash.openSession("s")).run(look(), { turnId: "t" })),
      check: async (disk, clock) => {
        const { lash, provider } = testLash({ engine: disk, clock, script: picky });
        const session = await lash.openSession("s");
        expect(await session.run(look(), { turnId: "t" })).toMatchObject(stopped);
        expect(await session.run("on")).toMatchObject(fine);
        expect(textsOf(provider.requests.at(-1) as LlmRequest)).toEqual(["look", NOTE, "on"]);
        await lash.close();
      },
    });
  });
});

const talk = async (options: TestLashOptions = {}) => {
  const host = testLash({ script: picky, ...options });
  return { ...host, session: await host.lash.openSession("s") };
};

describe("what is left out", () => {
  test.each([400, 413, 422])("after a refusal with status %i the media of the input are (ME-15)", async (status) => {
    const { session } = await talk({ script: (request) => (request.attachments.length > 0 ? refused(status) : "fine") });
    expect(await session.run(look())).toMatchObject(stopped);
    expect(await session.run("on")).toMatchObject(fine);
  });

  test.each<[string, ScriptedReply]>([
    ["a key that is not taken", { failure: { kind: "auth", status: 401, retryable: false } }],
    ["a server that fails", { failure: { kind: "http", status: 500, retryable: false } }],
    ["a prompt that is too long", { failure: { kind: "http", status: 400, message: "prompt is too long", retryable: false } }],
    ["an answer that a limit cuts off", { text: "so", terminalReason: "output_limit" }],
  ])("after %s nothing is (ME-15)", async (_title, reply) => {
    const { session, provider } = await talk({ script: [reply, "seen"] , providerOptions: { reliability: { retry: { maxAttempts: 1 } } } });
    await session.run(look());
    expect(await session.run("on")).toMatchObject({ text: "seen" });
    expect(provider.requests[1]?.attachments).toHaveLength(1);
  });

  test("not what the model has answered to before: a later refusal has another reason (ME-15)", async () => {
    const { session, provider } = await talk({ script: ["a cat", refused(), "fine"] });
    await session.run(look());
    expect(await session.run("and?")).toMatchObject(stopped);
    expect(await session.run("on")).toMatchObject(fine);
    expect(provider.requests[2]?.attachments).toHaveLength(1);
  });

  test("of two images only the one that came since the last answer (ME-15)", async () => {
    const { session, provider } = await talk({ script: ["a cat", refused(), "fine"] });
    await session.run(look());
    await session.run(look(jpeg(2)));
    await session.run("on");
    expect(provider.requests[2]?.attachments).toMatchObject([{ mime: "image/png" }]);
    expect(textsOf(provider.requests[2] as LlmRequest)).toEqual(["look", "image", "a cat", "look", NOTE, "on"]);
  });

  test("images that a tool gave as well, and its call is not made again (ME-15)", async () => {
    let shots = 0;
    const shot = tool({ name: "shot", description: "", input: z.object({}), readOnly: true, run: () => (shots++, withImages("pic", [png(3)])) });
    const { session, provider } = await talk({ tools: [shot], script: (request) => (request.attachments.length > 0 ? refused() : request.messages.length > 1 ? "fine" : { toolCalls: [{ name: "shot" }] }) });
    expect(await session.run("go")).toMatchObject(stopped);
    expect(await session.run("on")).toMatchObject(fine);
    expect(shots).toBe(1);
    expect(textsOf(provider.requests.at(-1) as LlmRequest)).toEqual(["go", "toolCall", "toolResult", NOTE, "on"]);
  });

  test("an image of a turn that failed otherwise, when a later request with it is refused (ME-15)", async () => {
    const { session } = await talk({ script: (request, index) => (index === 0 ? { failure: { kind: "auth", status: 401, retryable: false } } : request.attachments.length > 0 ? refused() : "fine") });
    await session.run(look());
    expect(await session.run("well?")).toMatchObject(stopped);
    expect(await session.run("on")).toMatchObject(fine);
  });

  test("the same image given anew is shown anew (ME-15)", async () => {
    const { session, provider } = await talk({ script: [refused(), "a cat", "fine"] });
    await session.run(look());
    expect(await session.run(look())).toMatchObject({ text: "a cat" });
    await session.run("on");
    expect(textsOf(provider.requests[2] as LlmRequest)).toEqual(["look", NOTE, "look", "image", "a cat", "on"]);
  });

  test("it costs no transaction (ME-15)", async () => {
    const spent = async (script: ProviderScript): Promise<number> => {
      const engine = countingEngine(memoryEngine());
      const { lash } = testLash({ engine, script });
      const session = await lash.openSession("s");
      engine.reset();
      await session.run(look());
      return engine.counts.writes;
    };
    expect(await spent(["a cat"])).toBeGreaterThan(0);
    expect(await spent(picky)).toBe(await spent(["a cat"]));
  });
});

describe("who is not shown them", () => {
  test("the model that refused, by provider and requested model; another one is shown them, and may refuse them, too (ME-15)", async () => {
    const { session, provider } = await talk({ script: (request) => (request.attachments.length > 0 && request.model !== "sees" ? refused() : "fine") });
    await session.run(look());
    expect(await session.run("a", { model: { id: "sees" } })).toMatchObject(fine);
    expect(provider.requests.at(-1)?.attachments).toHaveLength(1);
    expect(await session.run("b")).toMatchObject(fine);
    expect(provider.requests.at(-1)?.attachments).toEqual([]);
    expect(await session.run("c", { model: { id: "blind" } })).toMatchObject(stopped);
    expect(await session.run("d", { model: { id: "blind" } })).toMatchObject(fine);
    expect(await session.retryMedia()).toBe(1);
  });

  test("another provider with a model of that name is another model (ME-15)", async () => {
    const { session } = await talk();
    await session.run(look());
    const other = scriptedProvider(["seen"], { id: "other" });
    await session.run("a", { provider: other });
    expect(other.requests[0]?.attachments).toHaveLength(1);
  });

  test("it holds in a fork, in a child that starts with the conversation, and after a branch (ME-15)", async () => {
    const { lash, session, provider } = await talk({ children: childSessions() });
    await session.run(look(), { turnId: "t" });
    const fork = await lash.openSession(await session.fork());
    expect(await fork.run("on")).toMatchObject(fine);
    expect(await fork.retryMedia()).toBe(1);
    const child = await session.children.create({ start: "current" });
    expect(await child.run("on")).toMatchObject(fine);
    await session.run("x");
    await session.branch({ at: "t:0" });
    expect(await session.run("y")).toMatchObject(fine);
    expect(textsOf(provider.requests.at(-1) as LlmRequest)).toEqual(["look", NOTE, "y"]);
  });

  test("retryMedia waits for no turn: while one runs it is refused (N3)", async () => {
    const { session } = await talk({ script: (_request, index) => (index === 0 ? { toolCalls: [{ name: "ask" }] } : "fine"), tools: [tool({ name: "ask", description: "", input: z.object({}), run: async () => session.retryMedia().catch((error: { code: string }) => error.code) })] });
    expect((await session.run("go")).toolCalls).toMatchObject([{ output: { outcome: { payload: "session_execution_busy" } } }]);
  });
});

describe("at the door", () => {
  const sized = (width: number, height: number): Uint8Array => png(0, 0, 0, 13, ...new TextEncoder().encode("IHDR"), 0, 0, width >> 8, width & 255, 0, 0, height >> 8, height & 255);

  test("an image with too many pixels is refused before anything is durable; one whose header says nothing is not (ME-15)", async () => {
    const { session } = await talk({ script: ["a cat"] });
    for (const ask of [session.run.bind(session), session.enqueue.bind(session)]) {
      await expect((async () => ask(look(sized(8_001, 10))))()).rejects.toMatchObject({ code: "limit_exceeded", details: { field: "input.imageBlobs.a", limit: "imagePixels", max: 8_000 } });
    }
    expect(await session.pendingTurnInputs()).toEqual([]);
    expect(session.observe().readView.revision).toBe(0);
    expect(await session.run({ items: [{ type: "image_ref", id: "a" }, { type: "image_ref", id: "b" }], imageBlobs: { a: sized(8_000, 8_000), b: png(1) } })).toMatchObject({ text: "a cat" });
  });

  test("of a tool's images one with too many pixels is left out, and the result says so; `limits` says how many those are (ME-15, ME-8)", async () => {
    const shot = tool({ name: "shot", description: "", input: z.object({}), readOnly: true, run: () => withImages("pic", [sized(101, 5), sized(100, 100)]) });
    const { session, provider } = await talk({ tools: [shot], limits: { imagePixels: 100 }, script: (request) => (request.messages.length > 1 ? "fine" : { toolCalls: [{ name: "shot" }] }) });
    expect(await session.run("go")).toMatchObject({ text: "fine", toolCalls: [{ status: "success" }] });
    expect(provider.requests.at(-1)?.attachments).toHaveLength(1);
    expect(JSON.stringify(provider.requests.at(-1)?.messages)).toContain("limits.imagePixels");
  });
});
