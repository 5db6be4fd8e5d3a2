// Turns that make room for themselves: before a prompt that would be too long, and after one that was (ME-16).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Compactor, type LashOptions } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { plugin } from "../../src/plugins/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { countingEngine, gate, manualClock, type ProviderScript, type ScriptedReply } from "../../src/testing/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { heldLanes } from "../support/rows.ts";

const overflow: ScriptedReply = { failure: { kind: "http", status: 400, message: "prompt is too long", retryable: false } };
const isCompaction = ({ scope }: LlmRequest): boolean => scope.requestId.includes("compaction");
const textOf = ({ messages }: LlmRequest): string =>
  messages.flatMap(({ blocks }) => blocks.map((block) => (block.type === "text" ? block.text : block.type === "toolResult" ? block.content : block.type))).join("|");

/** Takes so many characters; says `notes` to whoever wants a summary. */
const small = (most: number, say: (request: LlmRequest) => ScriptedReply = () => "fine") => (request: LlmRequest): ScriptedReply => {
  if (textOf(request).length > most) return overflow;
  return isCompaction(request) ? { text: "notes", usage: { inputTokens: 7, outputTokens: 1 } } : say(request);
};
const LONG = "w".repeat(600);
const SUMMARY = "User: Text Compaction summary:\nnotes";
const compactionsIn = (requests: readonly LlmRequest[]): number => requests.filter(isCompaction).length;

/** A session with two turns, of which a third is too long for a window of 2,500 characters. */
async function full(options: TestLashOptions = {}) {
  const host = testLash({ script: small(2_500), compaction: { onOverflow: true }, ...options });
  const session = await host.lash.openSession("s");
  await session.run(`1 ${LONG}`, { turnId: "t1" });
  await session.run(`2 ${LONG}`, { turnId: "t2" });
  return { ...host, session };
}

const third = `3 ${"w".repeat(1_300)}`;

describe.each(engineCases())("a turn whose prompt is too long, on $name", ({ open }) => {
  test("makes the conversation shorter and goes on; what came before stays readable, and the session goes on in the new frame, also after a restart (ME-16, S-20)", async () => {
    const { session, lash, engine, provider } = await full({ engine: open() });
    const result = await session.run(third, { turnId: "t3" });
    expect(result).toMatchObject({ turnId: "t3", text: "fine", isSuccess: true, errors: [] });
    expect(compactionsIn(provider.requests)).toBe(1);
    expect(textOf(provider.requests.at(-1) as LlmRequest)).toBe(`Compaction summary:\nnotes|${third}`);
    const said = [SUMMARY, `User: Text ${third}`, "Assistant: Prose fine"];
    expect(transcriptOf(session)).toEqual(said);
    expect(session.observe().readView).toMatchObject({ revision: 3, turnIndex: 3, currentFrameId: "s:frame:compaction:t3" });
    expect(await session.historicNode("t2:1")).toMatchObject({ parentNodeId: "t2:0" });
    await lash.close();
    const next = testLash({ engine, script: small(2_500) });
    const reopened = await next.lash.openSession("s");
    expect(transcriptOf(reopened)).toEqual(said);
    expect(await reopened.run("4")).toMatchObject({ text: "fine" });
    expect(textOf(next.provider.requests[0] as LlmRequest)).toBe(`Compaction summary:\nnotes|${third}|fine|4`);
    expect(await reopened.run(third, { turnId: "t3" })).toMatchObject({ text: "fine" });
    expect((await stored(engine))?.frames).toMatchObject([
      { frameId: "s:frame:initial", status: "superseded" },
      { frameId: "s:frame:compaction:t3", previousFrameId: "s:frame:initial", status: "active", reason: "compaction" },
    ]);
  });

  test("what that took is booked under `compaction`, and is no usage of the turn (ME-16, PP-56)", async () => {
    const { session, engine } = await full({ engine: open() });
    const result = await session.run(third);
    expect(result.usage).toMatchObject({ inputTokens: 10, outputTokens: 5 });
    expect((await stored(engine))?.ledger).toMatchObject([{ source: "turn", usage: { inputTokens: 30 } }, { source: "compaction", usage: { inputTokens: 7, outputTokens: 1 } }]);
  });

  test("dying at any engine call it has the same end, with one summary in the history and the work of the turn behind it (ME-16, C-47)", async () => {
    const grow = tool({ name: "grow", description: "", input: z.object({}), readOnly: true, run: () => "g".repeat(900) });
    const script = small(2_000, (request) => (textOf(request).includes("3 ") && !textOf(request).includes("ggg") ? { toolCalls: [{ name: "grow" }] } : "fine"));
    const options = { script, tools: [grow], compaction: { onOverflow: true } };
    await crashEverywhere({
      open,
      world: () => null,
      prepare: async (engine, clock) => void (await (await full({ engine, clock, ...options })).lash.close()),
      job: async (process, clock) => void (await (await testLash({ engine: process.engine, clock, ...options }).lash.openSession("s")).run("3 go", { turnId: "t3" })),
      check: async (disk, clock) => {
        const { lash } = testLash({ engine: disk, clock, ...options });
        const session = await lash.openSession("s");
        const { text, isSuccess } = await session.run("3 go", { turnId: "t3" });
        expect([text, isSuccess]).toEqual(["fine", true]);
        expect(transcriptOf(session)).toEqual([SUMMARY, "User: Text 3 go", "Assistant: ToolCall {}", `User: ToolResult ${"g".repeat(900)}`, "Assistant: Prose fine"]);
        expect(await session.run("4")).toMatchObject({ text: "fine" });
        expect(await heldLanes(disk)).toEqual([]);
        await lash.close();
      },
    });
  });
});

const stored = (engine: Parameters<typeof createPersistence>[0]) => createPersistence(engine, { clock: manualClock() }).sessions.load("s", { kind: "full_graph" });

describe("onOverflow", () => {
  test("without it the turn ends with the issue (ME-16)", async () => {
    const { session, provider } = await full({ compaction: { onOverflow: false } });
    expect(await session.run(third)).toMatchObject({ outcome: { stop: "provider_error" }, errors: [{ code: "context_overflow", terminalReason: "context_overflow" }] });
    expect(compactionsIn(provider.requests)).toBe(0);
  });

  test("once in a turn: one that is still too long then ends with the issue, and the shorter conversation stays (ME-16)", async () => {
    const { session, provider } = await full();
    const result = await session.run(`3 ${"w".repeat(2_600)}`);
    expect(result).toMatchObject({ outcome: { stop: "provider_error" }, errors: [{ code: "context_overflow" }] });
    expect(result.errors).toHaveLength(1);
    expect(compactionsIn(provider.requests)).toBe(1);
    expect(transcriptOf(session)[0]).toBe(SUMMARY);
  });

  test("where there is nothing to make shorter the turn ends with the issue, and nobody is asked for notes (ME-16)", async () => {
    const { lash, provider } = testLash({ script: small(100), compaction: { onOverflow: true } });
    expect(await (await lash.openSession("s")).run(LONG)).toMatchObject({ errors: [{ code: "context_overflow" }] });
    expect(provider.requests).toHaveLength(1);
  });

  test("an answer that says that the window is full is one, too (T-24)", async () => {
    const script = small(9_000, (request) => (textOf(request).includes("notes") ? "fine" : textOf(request).startsWith("1") && textOf(request).includes("3 ") ? { text: "", terminalReason: "context_overflow", usage: {} } : "ok"));
    const { session } = await full({ script });
    expect(await session.run("3 go")).toMatchObject({ text: "fine", errors: [] });
  });

  test.each<[string, Compactor]>([["fails", () => Promise.reject(new Error("no notes"))], ["finds nothing to gain", () => null], ["makes something that is none", () => ({ messages: [{ role: "Ghost" }] }) as never]])(
    "a compactor that %s is no failure of its own: the turn ends with the issue of the overflow (ME-16)", async (title, compactor) => {
      const { session, logged } = await full({ compaction: { onOverflow: true, with: compactor } });
      expect(await session.run(third)).toMatchObject({ outcome: { stop: "provider_error" }, errors: [{ code: "context_overflow" }] });
      expect(session.observe().readView.currentFrameId).toBe("s:frame:initial");
      expect(logged.map(({ event }) => event)).toEqual(title === "finds nothing to gain" ? [] : ["compaction.failed"]);
    },
  );

  test("the host's compactor is asked before the plugins', and theirs before a summary (ME-16, PP-55)", async () => {
    const says = (text: string): Compactor => () => ({ messages: [{ role: "User", text }] });
    const own = plugin({ id: "own", build: () => ({ compact: says("of a plugin") }) });
    const ofPlugin = await full({ plugins: [own] });
    await ofPlugin.session.run(third);
    expect(transcriptOf(ofPlugin.session)[0]).toBe("User: Text of a plugin");
    const ofHost = await full({ plugins: [own], compaction: { onOverflow: true, with: says("of the host") } });
    await ofHost.session.run(third);
    expect(transcriptOf(ofHost.session)[0]).toBe("User: Text of the host");
  });

  test("work of the turn itself stays as it is where it is the smaller part, so no tool runs twice (ME-16)", async () => {
    let runs = 0;
    const grow = tool({ name: "grow", description: "", input: z.object({}), readOnly: true, run: () => (runs++, "g".repeat(900)) });
    const { session, provider } = await full({ tools: [grow], script: small(2_000, (request) => (textOf(request).includes("3 ") && !textOf(request).includes("ggg") ? { toolCalls: [{ name: "grow" }] } : "fine")) });
    expect(await session.run("3 go")).toMatchObject({ text: "fine", errors: [] });
    expect(runs).toBe(1);
    expect(provider.requests.at(-1)?.messages.map(({ blocks }) => blocks.map(({ type }) => type).join())).toEqual(["text", "text", "toolCall", "toolResult"]);
    expect(transcriptOf(session)).toEqual([SUMMARY, "User: Text 3 go", "Assistant: ToolCall {}", `User: ToolResult ${"g".repeat(900)}`, "Assistant: Prose fine"]);
  });

  test("where it is the larger part it is summed up, too, and what was asked is repeated behind the notes (ME-16)", async () => {
    let runs = 0;
    const dump = tool({ name: "dump", description: "", input: z.object({}), readOnly: true, run: () => (runs++, "g".repeat(9_000)) });
    const script = small(2_500, (request) => (textOf(request) === "dump it" ? { toolCalls: [{ name: "dump" }] } : "fine"));
    const { lash, provider, engine } = testLash({ script, tools: [dump], compaction: { onOverflow: true } });
    const session = await lash.openSession("s");
    expect(await session.run("dump it", { turnId: "t" })).toMatchObject({ text: "fine", errors: [] });
    expect(runs).toBe(1);
    expect(textOf(provider.requests.at(-1) as LlmRequest)).toMatch(/^Compaction summary:\nnotes\|\[The conversation was summed up .*\]\n\ndump it$/);
    expect(transcriptOf(session)).toEqual([SUMMARY, expect.stringContaining("dump it"), "Assistant: Prose fine"]);
    // What it did is in the frame in which it did it.
    expect((await stored(engine))?.nodes.map(({ nodeId, agentFrameId }) => [nodeId, agentFrameId])).toEqual([
      ["t:0", "s:frame:initial"], ["t:1", "s:frame:initial"], ["t:2", "s:frame:initial"],
      ["s:frame:compaction:t:0", "s:frame:compaction:t"], ["s:frame:compaction:t:1", "s:frame:compaction:t"], ["t:3", "s:frame:compaction:t"],
    ]);
    await lash.close();
    expect(transcriptOf(await testLash({ engine }).lash.openSession("s"))).toHaveLength(3);
  });

  test("cancelled while it makes room, the turn ends as cancelled in the old frame (T-63)", async () => {
    const asked = gate();
    const { session } = await full({ script: (request) => (isCompaction(request) ? { before: asked, text: "notes" } : small(2_500)(request)) });
    const turn = session.turn(third);
    const ended = turn.result;
    await asked.reached;
    await turn.cancel();
    expect(await ended).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(session.observe().readView.currentFrameId).toBe("s:frame:initial");
  });

  test("a turn that has room costs what it costs without it (design 9)", async () => {
    const spent = async (compaction: LashOptions["compaction"]): Promise<number> => {
      const engine = countingEngine(memoryEngine());
      const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
      const { lash } = testLash({ engine, tools: [look], script: (request) => (textOf(request).includes("seen") ? "fine" : { toolCalls: [{ name: "look" }] }), model: { contextWindowTokens: 1_000 }, ...(compaction && { compaction }) });
      const session = await lash.openSession("s");
      engine.reset();
      await session.run("go");
      return engine.counts.writes;
    };
    expect(await spent({ at: 0.8, onOverflow: true })).toBe(await spent(undefined));
    expect(await spent(undefined)).toBe(4);
  });
});

describe("at a share of the window", () => {
  const used = (tokens: number): ProviderScript => (request) => (isCompaction(request) ? "notes" : { text: "fine", usage: { inputTokens: tokens, outputTokens: 0 } });
  const at = (tokens: number, options: TestLashOptions = {}) => testLash({ script: used(tokens), model: { contextWindowTokens: 1_000 }, compaction: { at: 0.8 }, ...options });

  test("a turn whose first prompt would be longer makes the conversation shorter before it asks (ME-16)", async () => {
    const { lash, provider, engine } = at(790);
    const session = await lash.openSession("s");
    await session.run("1");
    await session.run("2");
    expect(compactionsIn(provider.requests)).toBe(0);
    // Its own input counts.
    expect(await session.run("3".repeat(100))).toMatchObject({ text: "fine", isSuccess: true, errors: [] });
    expect(provider.requests.map(isCompaction)).toEqual([false, false, true, false]);
    expect(transcriptOf(session)).toEqual([SUMMARY, `User: Text ${"3".repeat(100)}`, "Assistant: Prose fine"]);
    expect((await stored(engine))?.headRevision).toBe(3);
  });

  test("an unknown size is no long one: neither before the first answer nor right after a compaction (ME-16)", async () => {
    const { lash, provider } = at(950);
    const session = await lash.openSession("s");
    await session.run("1".repeat(4_000));
    await session.compact(() => ({ messages: [{ role: "User", text: "n" }] }));
    await session.run("2");
    expect(compactionsIn(provider.requests)).toBe(0);
  });

  test("a compaction that fails does not keep the turn from asking (ME-16)", async () => {
    const { lash, logged } = at(900, { compaction: { at: 0.8, with: () => Promise.reject(new Error("no notes")) } });
    const session = await lash.openSession("s");
    await session.run("1");
    expect(await session.run("2")).toMatchObject({ text: "fine", errors: [] });
    expect(logged).toMatchObject([{ event: "compaction.failed" }]);
    expect(transcriptOf(session)).toHaveLength(4);
  });

  test("what waits in the queue is a turn like others, and tools that change are looked at after it (ME-16, T-33)", async () => {
    const { lash, provider } = at(900);
    const session = await lash.openSession("s");
    await session.tools.state();
    await session.run("1");
    await session.enqueue("2");
    expect(await session.queuedTurn()).toMatchObject({ text: "fine" });
    expect(compactionsIn(provider.requests)).toBe(1);
  });

  test("a session's own options stand in place of the lash's (ME-16)", async () => {
    const { lash, provider } = at(900);
    const session = await lash.openSession("s", { compaction: { onOverflow: true } });
    await session.run("1");
    await session.run("2");
    expect(compactionsIn(provider.requests)).toBe(0);
  });

  test("dying at any engine call, it leaves one turn and at most one summary (ME-16, C-47)", async () => {
    await crashEverywhere({
      open: memoryEngine,
      world: () => null,
      prepare: async (engine, clock) => {
        const { lash } = at(900, { engine, clock });
        await (await lash.openSession("s")).run("1");
        await lash.close();
      },
      job: async (process, clock) => void (await (await at(900, { engine: process.engine, clock }).lash.openSession("s")).run("2", { turnId: "t2" })),
      check: async (disk, clock) => {
        const session = await at(900, { engine: disk, clock }).lash.openSession("s");
        expect(await session.run("2", { turnId: "t2" })).toMatchObject({ text: "fine" });
        expect(transcriptOf(session)).toEqual([SUMMARY, "User: Text 2", "Assistant: Prose fine"]);
      },
    });
  });
});

describe("wiring", () => {
  test.each<[string, object, string]>([
    ["a share of an unknown window", { compaction: { at: 0.8 } }, "contextWindowTokens"],
    ["a share above 1", { compaction: { at: 80 }, model: { contextWindowTokens: 10 } }, "compaction.at"],
    ["a share of nothing", { compaction: { at: 0 }, model: { contextWindowTokens: 10 } }, "compaction.at"],
    ["no flag", { compaction: { onOverflow: "yes" } }, "compaction.onOverflow"],
    ["no function", { compaction: { with: "notes", onOverflow: true } }, "compaction.with"],
    ["an unknown field", { compaction: { always: true } }, "always"],
    ["no object", { compaction: 0.8 }, "compaction"],
  ])("%s is refused, by lash and session (ME-16)", async (_title, options, named) => {
    const error = { code: "invalid_argument", message: expect.stringContaining(named) as string };
    expect(() => testLash(options)).toThrow(expect.objectContaining(error));
    await expect(testLash().lash.openSession("s", options)).rejects.toMatchObject(error);
  });
});
