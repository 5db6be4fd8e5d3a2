// Compaction: the session goes on in a frame that starts with a summary (S-20, PP-53, PP-55, PP-56).

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { summarize } from "../../src/compaction.ts";
import { createMessage, type Message } from "../../src/domain/messages.ts";
import { cutMiddle } from "../../src/domain/truncate.ts";
import { tool, type Compactor } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { piecesOf, sliceOf } from "../../src/summary-slices.ts";
import { byAssistantMessages, manualClock, type ProviderScript, type ScriptedReply } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { png } from "../support/pictures.ts";
import { heldLanes } from "../support/rows.ts";

const usage = { inputTokens: 7, outputTokens: 3, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };
const notes: Compactor = ({ messages }) => ({ messages: [{ role: "Assistant", text: `notes on ${messages.length}` }], usage, model: "small" });
const BEFORE = ["User: Text a", "Assistant: Prose one", "User: Text b", "Assistant: Prose two"];

async function talked(options: TestLashOptions = {}) {
  const host = testLash({ script: byAssistantMessages(["one", "two", "three"]), ...options });
  const session = await host.lash.openSession("s");
  await session.run("a", { turnId: "a" });
  await session.run("b", { turnId: "b" });
  return { ...host, session };
}

const stored = (engine: Engine) => createPersistence(engine, { clock: manualClock() }).sessions.load("s", { kind: "full_graph" });

describe.each(engineCases())("compact on $name", ({ open }) => {
  test("opens a frame with the notes; the model sees only them from then on, and what came before stays readable (S-20, PP-55)", async () => {
    const { session, provider, lash, engine } = await talked({ engine: open() });
    expect(await session.compact(notes)).toBe(true);
    const { readView } = session.observe();
    expect(readView).toMatchObject({ revision: 3, turnIndex: 2, currentFrameId: expect.stringMatching(/^s:frame:compaction:./) });
    expect(transcriptOf(session)).toEqual(["Assistant: Text notes on 4"]);
    await session.run("c", { turnId: "c" });
    // The notes are an answer, and no conversation begins with one.
    expect(provider.requests.at(-1)?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(await session.historicNode("b:1")).toMatchObject({ parentNodeId: "b:0" });
    await lash.close();
    const reopened = await testLash({ engine }).lash.openSession("s");
    expect(transcriptOf(reopened)).toEqual(["Assistant: Text notes on 4", "User: Text c", "Assistant: Prose two"]);
    expect((await stored(engine))?.frames).toMatchObject([
      { frameId: "s:frame:initial", status: "superseded" },
      { frameId: readView.currentFrameId, previousFrameId: "s:frame:initial", status: "active", reason: "compaction" },
    ]);
  });

  test("what it took is booked under `compaction`; the tokens of the turns stay what they were (PP-56, FA-70)", async () => {
    const { session, engine } = await talked({ engine: open() });
    const before = session.observe().readView;
    await session.compact(notes);
    expect(session.observe().readView.usage).toEqual(before.usage);
    expect((await stored(engine))?.ledger).toMatchObject([{ source: "turn" }, { source: "compaction", model: "small", usage }]);
  });

  test("dying at any engine call, it leaves the old conversation or the new one, and the session goes on (C-47, S-53)", async () => {
    await crashEverywhere({
      open,
      world: () => null,
      prepare: async (engine, clock) => void (await (await talked({ engine, clock })).lash.close()),
      job: async (process, clock) => void (await (await testLash({ engine: process.engine, clock }).lash.openSession("s")).compact(notes)),
      check: async (disk, clock) => {
        const { lash } = testLash({ engine: disk, clock });
        const session = await lash.openSession("s");
        expect([BEFORE, ["Assistant: Text notes on 4"]]).toContainEqual(transcriptOf(session));
        expect(await session.run("c")).toMatchObject({ text: "done" });
        expect(await heldLanes(disk)).toEqual([]);
        await lash.close();
      },
    });
  });
});

describe("compact", () => {
  test("a compactor that finds nothing to gain changes nothing, and an empty conversation is not shown to it (PP-55)", async () => {
    const { session, lash } = await talked();
    expect(await session.compact(() => null)).toBe(false);
    expect(await session.compact(() => ({ messages: [] }))).toBe(false);
    expect(session.observe().readView.revision).toBe(2);
    const fresh = await lash.openSession("fresh");
    expect(await fresh.compact(() => { throw new Error("never asked"); })).toBe(false);
  });

  test("how full the window is can be read, and is unknown again after it (PP-53, T-80)", async () => {
    const { session } = await talked();
    expect(session.observe().readView.lastPromptUsage).toMatchObject({ inputTokens: 10, outputTokens: 5 });
    await session.compact(notes);
    expect(session.observe().readView.lastPromptUsage).toBeUndefined();
  });

  test("a turn that was committed while the notes were written makes it fail; nothing is lost (S-53)", async () => {
    const { session } = await talked();
    const slow: Compactor = async (request) => (await session.run("c", { turnId: "c" }), notes(request));
    await expect(session.compact(slow)).rejects.toMatchObject({ code: "session_execution_busy", isRetryable: true });
    expect(transcriptOf(session)).toEqual([...BEFORE, "User: Text c", "Assistant: Prose three"]);
    expect(await session.compact(notes)).toBe(true);
  });

  test("goes back inside its frame only (S-16)", async () => {
    const { session } = await talked();
    await session.compact(notes);
    await session.run("c", { turnId: "c" });
    await expect(session.branch({ at: "a:1" })).rejects.toMatchObject({ code: "invalid_argument" });
    const [first] = session.observe().readView.messages;
    await session.branch({ at: first?.id ?? "" });
    expect(transcriptOf(session)).toEqual(["Assistant: Text notes on 4"]);
  });

  test.each<[string, unknown, object]>([
    ["no function", "notes", {}],
    ["a message without text", () => ({ messages: [{ role: "User" }] }), {}],
    ["a message of nobody", () => ({ messages: [{ role: "Ghost", text: "x" }] }), {}],
    ["no messages", () => ({ usage }), {}],
    ["nothing", () => undefined, {}],
    ["an unknown option", notes, { instruction: "x" }],
    ["instructions that are no text", notes, { instructions: 1 }],
  ])("%s is refused, and nothing changes (design 10)", async (_title, compactor, options) => {
    const { session } = await talked();
    await expect(session.compact(compactor as Compactor, options)).rejects.toMatchObject({ code: "invalid_argument" });
    expect(session.observe().readView.revision).toBe(2);
  });

  test("aborting it, or closing the session, gives it up (design 10)", async () => {
    const { session, engine } = await talked();
    const abort = new AbortController();
    const aborting: Compactor = (request) => (abort.abort(), notes(request));
    await expect(session.compact(aborting, { signal: abort.signal })).rejects.toMatchObject({ name: "AbortError" });
    const closing: Compactor = async (request) => (await session.close(), notes(request));
    await expect(session.compact(closing)).rejects.toMatchObject({ name: "AbortError" });
    expect(await stored(engine)).toMatchObject({ headRevision: 2 });
  });
});

describe.each(engineCases())("reset on $name", ({ open }) => {
  test("begins the conversation anew, also after a reopen; what came before stays readable (FA-12, design 7.3)", async () => {
    const { session, lash, engine, provider } = await talked({ engine: open() });
    await session.reset();
    expect(transcriptOf(session)).toEqual([]);
    await session.run("c", { turnId: "c" });
    expect(provider.requests.at(-1)?.messages).toHaveLength(1);
    expect(await session.historicNode("b:1")).toMatchObject({ parentNodeId: "b:0" });
    await lash.close();
    const reopened = await testLash({ engine }).lash.openSession("s");
    expect(transcriptOf(reopened)).toEqual(["User: Text c", "Assistant: Prose one"]);
    expect(reopened.observe().readView).toMatchObject({ turnIndex: 3, revision: 4 });
    await reopened.branch({ at: null });
    expect(transcriptOf(reopened)).toEqual([]);
  });

  test("a session in which nothing was said can be reset, too", async () => {
    const { lash } = testLash({ engine: open() });
    const session = await lash.openSession("s");
    await session.reset();
    expect(await session.run("a")).toMatchObject({ text: "done" });
    expect(session.observe().readView.messages).toHaveLength(2);
  });
});

const overflow: ScriptedReply = { failure: { kind: "http", status: 400, message: "prompt is too long", retryable: false } };
const sizeOf = (request: LlmRequest): number => JSON.stringify(request.messages).length;
const askedOf = (request: LlmRequest | undefined): string => request?.messages.at(-1)?.blocks.map((block) => (block.type === "text" ? block.text : "")).join("") ?? "";

describe.each(engineCases())("summarize what is itself too long, on $name", ({ open }) => {
  const MOST = 12_000;
  const dump = tool({ name: "dump", description: "", input: z.object({}), readOnly: true, run: () => "x".repeat(60_000) });

  /** A model with a window of so many characters, which asks for a dump when it is told to. */
  const small: ProviderScript = (request) => {
    if (sizeOf(request) > MOST) return overflow;
    const last = request.messages.at(-1)?.blocks.at(-1);
    return last?.type === "text" && last.text === "dump it" && request.tools.length > 0 ? { toolCalls: [{ name: "dump" }] } : "fine";
  };

  test.each<[string, TestLashOptions]>([["known", { model: { contextWindowTokens: MOST / 4 } }], ["unknown", {}]])("a result that is longer than the window is cut, and the session goes on; the window is %s (ME-16)", async (_title, options) => {
    const { lash, provider, engine } = testLash({ engine: open(), script: small, tools: [dump], ...options });
    const session = await lash.openSession("s");
    expect(await session.run("dump it")).toMatchObject({ outcome: { kind: "stopped" }, errors: [{ code: "context_overflow", terminalReason: "context_overflow" }] });
    expect(await session.compact(summarize())).toBe(true);
    const asked = askedOf(provider.requests.at(-1));
    expect(asked.replaceAll(/x{2,}/g, "xx").replaceAll(/\d+/g, "N")).toBe(
      "User:\ndump it\n\nAssistant:\n[calls dump with {}]\n\nUser:\n[dump answered xx\n[... N characters are left out here ...]\nxx]",
    );
    expect(await session.run("hello")).toMatchObject({ text: "fine", isSuccess: true });
    expect(provider.requests.at(-1)?.messages.map(({ role }) => role)).toEqual(["user", "user"]);
    await lash.close();
    const next = testLash({ engine, script: small });
    expect(await (await next.lash.openSession("s")).run("again")).toMatchObject({ text: "fine" });
  });
});

describe("slices of a summary", () => {
  const words = (name: string): string => `${name} ${"w".repeat(900)}`;

  /** Turns that answer a question each; the notes name what they were made of. */
  async function long(turns: number, most: number, options: TestLashOptions = {}) {
    const script: ProviderScript = (request) => {
      if (request.scope.requestId.includes("compaction")) return sizeOf(request) > most ? overflow : { text: `notes(${(askedOf(request).match(/\b[qn]\d+/g) ?? []).join("+")})`.replaceAll("q", "n"), usage: { inputTokens: 5, outputTokens: 1 } };
      return words(`a${request.messages.length}`);
    };
    const host = testLash({ script, ...options });
    const session = await host.lash.openSession("s");
    for (let turn = 1; turn <= turns; turn++) await session.run(words(`q${turn}`));
    return { ...host, session, before: host.provider.requests.length };
  }

  test.each<[string, TestLashOptions]>([["where the window is known", { model: { contextWindowTokens: 2_200 } }], ["where it is not", {}]])("are asked for oldest first, each with the notes so far, and nothing is left out, %s (ME-16)", async (_title, options) => {
    const { session, provider, before } = await long(6, 7_000, options);
    expect(await session.compact(summarize())).toBe(true);
    expect(transcriptOf(session)).toEqual(["User: Text Compaction summary:\nnotes(n1+n2+n3+n4+n5+n6)"]);
    const asked = provider.requests.slice(before).filter((request) => sizeOf(request) <= 7_000).map(askedOf);
    expect(asked.length).toBeGreaterThan(1);
    for (const [index, text] of asked.entries()) {
      expect(text.startsWith(index === 0 ? "User:\nq1 " : "User:\nCompaction summary:\nnotes(n1")).toBe(true);
      // A slice ends before something the user says.
      expect(text.slice(text.lastIndexOf("\n\n") + 2)).toMatch(/^Assistant:\na/);
    }
  });

  test("usage of all of them is booked (ME-16)", async () => {
    const { session, engine, provider, before } = await long(6, 7_000, { model: { contextWindowTokens: 2_200 } });
    await session.compact(summarize());
    const calls = provider.requests.length - before;
    expect((await stored(engine))?.ledger).toMatchObject([{ source: "turn" }, { source: "compaction", usage: { inputTokens: 5 * calls, outputTokens: calls } }]);
  });

  test("aborting between two of them gives the compaction up (ME-16)", async () => {
    const abort = new AbortController();
    const { session, provider, before } = await long(6, 7_000, { model: { contextWindowTokens: 2_200 } });
    const aborting: Compactor = (request) => summarize()({ ...request, provider: { ...request.provider, complete: async (...call) => request.provider.complete(...call).finally(() => abort.abort()) } });
    await expect(session.compact(aborting, { signal: abort.signal })).rejects.toMatchObject({ name: "AbortError" });
    expect(provider.requests).toHaveLength(before + 1);
    expect(session.observe().readView.turnIndex).toBe(6);
    expect(transcriptOf(session)).toHaveLength(12);
  });

  test("a model that takes nothing at all ends it with its failure (ME-16)", async () => {
    const { session, provider, before } = await long(2, 0);
    await expect(session.compact(summarize())).rejects.toMatchObject({ name: "DirectCompletionError", failure: { terminalReason: "context_overflow" } });
    expect(provider.requests.length - before).toBeLessThan(10);
  });

  test("never part a call from its result, and end behind a complete batch or before the user speaks (ME-16)", () => {
    const kinds = fc.array(fc.constantFrom("user", "answer", "batch"), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(kinds, fc.integer({ min: 40, max: 400 }), fc.integer({ min: 1, max: 60 }), (said, most, length) => {
        const messages = said.flatMap((kind, index): Message[] => {
          const text = `${index}:${"w".repeat((index * 37) % length)}`;
          if (kind === "user") return [createMessage(`${index}`, "User", [{ kind: "Text", content: text }])];
          if (kind === "answer") return [createMessage(`${index}`, "Assistant", [{ kind: "Text", content: text }])];
          const call = { toolCallId: `c${index}`, toolName: "t", content: text };
          return [createMessage(`${index}`, "Assistant", [{ kind: "ToolCall", ...call }]), createMessage(`${index}r`, "User", [{ kind: "ToolResult", ...call }])];
        });
        const pieces = piecesOf(messages, ({ id, parts }) => `<${id}>${parts[0]?.content}`);
        const slices: string[] = [];
        for (let next = 0; next < pieces.length; ) {
          const slice = sliceOf(pieces, next, most);
          expect(slice.next).toBeGreaterThan(next);
          slices.push(slice.text);
          next = slice.next;
        }
        // Nothing is lost, and nothing comes twice, where nothing had to be cut.
        if (!slices.some((text) => text.includes("left out"))) expect(slices.join("\n\n")).toBe(messages.map(({ id, parts }) => `<${id}>${parts[0]?.content}`).join("\n\n"));
        for (const { id } of messages) if (id.endsWith("r")) expect(slices.filter((text) => text.includes(`<${id.slice(0, -1)}>`) !== text.includes(`<${id}>`) && !text.includes("left out"))).toEqual([]);
      }),
    );
  });

  test("a cut parts no character, and says how much is missing (ME-16)", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 400 }), fc.integer({ min: 0, max: 300 }), (text, most) => {
        const cut = cutMiddle(text.toWellFormed(), most);
        expect(cut.isWellFormed()).toBe(true);
        const missing = Number(/\n\[\.\.\. (\d+) characters are left out here \.\.\.\]\n/.exec(cut)?.[1] ?? 0);
        expect(cut.replace(/\n\[\.\.\. \d+ characters are left out here \.\.\.\]\n/, "").length + missing).toBe(text.toWellFormed().length);
      }),
    );
  });
});

describe("summarize", () => {
  test("asks the session's model once, without tools or images, for notes on the whole conversation (PP-56)", async () => {
    const { lash, provider } = testLash({ script: ["seen", "  It is a cat.  "] });
    const session = await lash.openSession("s");
    await session.run({ items: [{ type: "text", text: "Look:" }, { type: "image_ref", id: "cat" }], imageBlobs: { cat: png(1) } });
    expect(await session.compact(summarize({ outputTokenCap: 500 }), { instructions: "Keep the animals." })).toBe(true);
    const request = provider.requests.at(-1);
    expect(request).toMatchObject({ tools: [], attachments: [], generation: { outputTokenCap: 500 }, scope: { sessionId: "s", requestId: "s:rolling-history-compaction" } });
    const texts = request?.messages.map(({ blocks }) => blocks.map((block) => (block.type === "text" ? block.text : block.type)).join());
    expect(texts?.[0]).toContain("Keep the animals.");
    expect(texts?.[1]).toBe("User:\nLook:\n[image]\n\nAssistant:\nseen");
    expect(transcriptOf(session)).toEqual(["User: Text Compaction summary:\nIt is a cat."]);
  });

  test("earlier notes are part of what it is shown, so they are brought up to date (PP-56)", async () => {
    const { session, provider } = await talked({ script: ["one", "two", "first notes", "three", "second notes"] });
    await session.compact(summarize());
    await session.run("c");
    await session.compact(summarize());
    expect(JSON.stringify(provider.requests.at(-1)?.messages)).toContain("Compaction summary:\\nfirst notes");
    expect(transcriptOf(session)).toEqual(["User: Text Compaction summary:\nsecond notes"]);
  });

  test("an empty answer changes nothing, and a failed call rejects with the provider's failure (PP-55, PP-47)", async () => {
    const { session } = await talked({ script: ["one", "two", "  ", { failure: { kind: "auth", retryable: false } }] });
    expect(await session.compact(summarize())).toBe(false);
    await expect(session.compact(summarize())).rejects.toMatchObject({ name: "DirectCompletionError", failure: { kind: "auth" } });
    expect(transcriptOf(session)).toEqual(BEFORE);
  });
});
