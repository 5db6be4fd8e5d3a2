// What a model says is kept whole, shown as it comes, and goes back as it came (ME-1, ME-2, ME-5, ME-6).

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, withFiles, type Lash, type LashOptions, type Session, type TurnActivity } from "../../src/index.ts";
import { aiSdk, type AiSdkOptions } from "../../src/providers/ai-sdk/index.ts";
import type { LlmOutputPart, LlmRequest, Provider } from "../../src/providers/contract.ts";
import { base64Of } from "../../src/domain/base64.ts";
import { messageText } from "../../src/domain/messages.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import type { Engine, Value } from "../../src/stores/engine.ts";
import { zeroUsage } from "../../src/domain/usage.ts";
import { countingEngine, manualClock } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { staysOpen, witness } from "../support/lash.ts";
import { bury } from "../support/mortal.ts";
import { overwrite, rowsOf } from "../support/rows.ts";
import { png } from "../support/pictures.ts";
import { finish, playingModel, text, type PlayingModel, type StreamPart } from "../support/playing-model.ts";

const tag = (name: string) => ({ acme: { tag: name, deep: [{ n: 1 }] } });
const PNG = png(7);

/** One of everything that a prompt can hold. */
const everything: readonly StreamPart[] = [
  { type: "reasoning-start", id: "r" }, { type: "reasoning-delta", id: "r", delta: "hm" }, { type: "reasoning-end", id: "r", providerMetadata: tag("r") },
  { type: "text-start", id: "a", providerMetadata: tag("a") }, { type: "text-delta", id: "a", delta: "Let me " }, { type: "text-end", id: "a" },
  ...text("b", "see."),
  { type: "custom", kind: "acme.thing", providerMetadata: tag("c") },
  { type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: base64Of(PNG) }, providerMetadata: tag("rf") },
  { type: "file", mediaType: "image/png", data: { type: "data", data: base64Of(PNG) }, providerMetadata: tag("f") },
  { type: "tool-call", toolCallId: "s1", toolName: "look", input: '{"q":1}', providerExecuted: true, providerMetadata: tag("s") },
  { type: "tool-result", toolCallId: "s1", toolName: "look", result: { hits: 2 }, providerMetadata: tag("sr") },
  { type: "tool-call", toolCallId: "l1", toolName: "look", input: '{"q":"x"}', providerMetadata: tag("l") },
  { type: "text-start", id: "e" }, { type: "text-end", id: "e", providerMetadata: tag("empty") },
  finish("tool-calls"),
];

const asSent = [
  { type: "reasoning", text: "hm", providerOptions: tag("r") },
  { type: "text", text: "Let me ", providerOptions: tag("a") },
  { type: "text", text: "see." },
  { type: "custom", kind: "acme.thing", providerOptions: tag("c") },
  { type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: [...PNG] }, providerOptions: tag("rf") },
  { type: "file", mediaType: "image/png", data: { type: "data", data: [...PNG] }, providerOptions: tag("f") },
  { type: "tool-call", toolCallId: "s1", toolName: "look", input: { q: 1 }, providerExecuted: true, providerOptions: tag("s") },
  { type: "tool-result", toolCallId: "s1", toolName: "look", output: { type: "json", value: { hits: 2 } }, providerOptions: tag("sr") },
  { type: "tool-call", toolCallId: "l1", toolName: "look", input: { q: "x" }, providerOptions: tag("l") },
  { type: "text", text: "", providerOptions: tag("empty") },
];

const ran: unknown[] = [];
const look = tool({ name: "look", description: "", input: z.object({ q: z.unknown() }), readOnly: true, run: ({ q }) => (ran.push(q), "seen") });

const lashOf = (engine: Engine, provider: Provider, options: Partial<LashOptions> = {}): Lash =>
  createLash({ effects: "journaled", store: { engine: staysOpen(engine), liveness: witness }, clock: manualClock(1_000), logger: () => undefined, tools: [look], ...options, provider });

const asking = (playing: PlayingModel, options: AiSdkOptions = {}): Provider => aiSdk(playing.model, options);
const firstSays = (parts: readonly StreamPart[]): PlayingModel => playingModel((call) => (call === 0 ? parts : text("t", "ok")));

/** What people were shown as the model's text: rows in order of their first delta, without those that were taken back. */
function shownText(activities: readonly TurnActivity[]): string {
  const rows = new Map<string, string>();
  for (const activity of activities) {
    if (activity.type === "assistant_prose_delta") rows.set(activity.correlationId, (rows.get(activity.correlationId) ?? "") + activity.text);
    if (activity.type === "model_attempt_reset") for (const row of activity.assistantProseCorrelationIds) rows.delete(row);
  }
  return [...rows.values()].join("");
}

const lastText = (session: Session): string => {
  const last = session.observe().readView.messages.findLast(({ role }) => role === "Assistant");
  return last ? messageText(last) : "";
};

describe.each(engineCases())("on $name", ({ open }) => {
  test("an answer goes back as it came: in its turn, in the next one, after a restart and in a fork, byte for byte (ME-2)", async () => {
    ran.length = 0;
    const engine = open();
    const first = firstSays(everything);
    const lash = lashOf(engine, asking(first));
    const session = await lash.openSession("s");
    await session.run("one");
    await session.run("two");
    await session.fork({ id: "f" });
    await lash.close();
    const [, sameTurn, nextTurn] = first.prompts;
    expect(sameTurn?.[1]).toEqual({ role: "assistant", content: asSent });
    expect(nextTurn?.slice(0, 3)).toEqual(sameTurn?.slice(0, 3));
    for (const id of ["s", "f"]) {
      const after = playingModel(() => text("t", "ok"));
      const again = lashOf(engine, asking(after));
      await (await again.openSession(id)).run("three");
      await again.close();
      expect(after.prompts[0]?.slice(0, nextTurn?.length)).toEqual(nextTurn);
    }
    expect(ran).toEqual(["x"]);
  });

  test("the message says who was asked, what answered and how it ended (ME-1)", async () => {
    const lash = lashOf(
      open(),
      asking(
        firstSays([
          { type: "stream-start", warnings: [{ type: "other", message: "w" }] },
          { type: "response-metadata", id: "R", modelId: "served" },
          ...text("a", "Hi"),
          finish("stop", { providerMetadata: tag("end") }),
        ]),
      ),
    );
    const session = await lash.openSession("s");
    await session.run("one");
    expect(session.observe().readView.messages.at(-1)?.answer).toEqual({
      provider: "ai-sdk:acme.chat", model: "m", servedModel: "served", responseId: "R", finish: { unified: "stop", raw: "stop" }, metadata: tag("end"), warnings: [{ type: "other", message: "w" }],
    });
    await lash.close();
  });

  test("bytes that a model made are kept with the session: a sweep leaves them, and a fork holds them when its source is gone (ME-1, S-78)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const lash = lashOf(engine, asking(firstSays([{ type: "file", mediaType: "application/pdf", data: { type: "data", data: new Uint8Array([1, 2]) } }])), { clock });
    const session = await lash.openSession("s");
    const result = await session.run("draw");
    expect(result).toMatchObject({ isSuccess: true, text: "" });
    const [part] = session.observe().readView.messages.at(-1)?.parts ?? [];
    expect(part).toMatchObject({ kind: "File", attachment: { reference: { mime: "application/pdf", byteLength: 2 } } });
    await session.fork({ id: "f" });
    await session.close();
    await lash.deleteSession("s");
    const { attachments } = createPersistence(engine, { clock });
    await attachments.sweep(Number.MAX_SAFE_INTEGER);
    expect((await attachments.get(part?.attachment?.reference.id ?? "")).bytes).toEqual(new Uint8Array([1, 2]));
    await lash.close();
  });

  test("a process that dies behind the answer goes on with its files, and asks as it would have (ME-2, E-4)", async () => {
    const [whole, cut] = [firstSays(everything), firstSays(everything)];
    const untouched = lashOf(open(), asking(whole));
    await (await untouched.openSession("s")).run("one", { turnId: "t" });
    await untouched.close();

    const engine = open();
    let dies: () => void = () => undefined;
    const died = new Promise<void>((resolve) => (dies = resolve));
    const dying = lashOf(engine, asking(cut), { tools: [tool({ name: "look", description: "", input: z.object({ q: z.unknown() }), readOnly: true, run: () => (dies(), new Promise<string>(() => undefined)) })] });
    void (await dying.openSession("s")).run("one", { turnId: "t" }).catch(() => undefined);
    await died;
    // It is dead; nothing of it is heard of again.
    await bury(engine);
    const after = playingModel(() => text("t", "ok"));
    const heir = lashOf(engine, asking(after), { clock: manualClock(10_000_000) });
    await heir.recover();
    await heir.close();
    expect(after.prompts).toEqual(whole.prompts.slice(1));
  });
});

test("a turn whose answer has no file takes no transaction more, and one with a file takes its bytes and their intent (ME-1)", async () => {
  const transactions = async (parts: readonly StreamPart[]): Promise<number> => {
    const engine = countingEngine(memoryEngine());
    const lash = lashOf(engine, asking(firstSays(parts)));
    const session = await lash.openSession("s");
    await session.run("warm");
    const second = lashOf(engine, asking(firstSays(parts)));
    await lash.close();
    const again = await second.openSession("s");
    const before = engine.counts.writes;
    await again.run("count");
    const { writes } = engine.counts;
    await second.close();
    return writes - before;
  };
  const plain = await transactions(text("a", "Hi"));
  const rich = await transactions([...text("a", "Hi"), { type: "custom", kind: "acme.thing" }, { type: "source", sourceType: "url", id: "s", url: "https://example.org" }]);
  const withFile = await transactions([...text("a", "Hi"), { type: "file", mediaType: "image/png", data: { type: "data", data: PNG } }]);
  expect([rich - plain, withFile - plain]).toEqual([0, 2]);
});

test("a call that the provider runs is shown as its own and never run here, though a tool has its name (ME-19)", async () => {
  ran.length = 0;
  const lash = lashOf(
    memoryEngine(),
    asking(
      firstSays([
        { type: "tool-call", toolCallId: "c", toolName: "look", input: '{"q":1}', providerExecuted: true },
        { type: "tool-approval-request", approvalId: "A", toolCallId: "c" },
        { type: "tool-result", toolCallId: "c", toolName: "look", result: { code: "busy" }, isError: true },
        { type: "source", sourceType: "url", id: "s", url: "https://example.org", title: "T" },
        { type: "file", mediaType: "image/png", data: { type: "data", data: PNG } },
        ...text("a", "Hi"),
        finish("stop"),
      ]),
    ),
  );
  const session = await lash.openSession("s");
  const seen: TurnActivity[] = [];
  const result = await session.run("go", { onActivity: (activity) => void seen.push(activity) });
  expect([ran, result.text, result.toolCalls]).toEqual([[], "Hi", []]);
  expect(seen.filter(({ type }) => !["usage", "assistant_prose_delta", "model_request_started"].includes(type))).toMatchObject([
    { type: "tool_call_started", correlationId: "llm:1:call:c", callId: "c", name: "look", args: { q: 1 }, providerExecuted: true },
    { type: "tool_approval_requested", approvalId: "A", callId: "c" },
    { type: "tool_call_completed", correlationId: "llm:1:call:c", callId: "c", args: { q: 1 }, providerExecuted: true, output: { outcome: { status: "failure", payload: { raw: { code: "busy" } } } } },
    { type: "source", source: { sourceType: "url", url: "https://example.org", title: "T" } },
    { type: "file_generated", mime: "image/png", attachment: { mime: "image/png", byteLength: PNG.length } },
  ]);
  expect(session.observe().readView.messages.at(-1)?.parts.map(({ kind }) => kind)).toEqual(["ToolCall", "ApprovalRequest", "ToolResult", "Source", "File", "Prose"]);
  await lash.close();
});

test("results of a batch that failed say so to the provider (ME-5)", async () => {
  const boom = tool({ name: "boom", description: "", input: z.object({}), run: () => Promise.reject(new Error("no such row")) });
  const playing = firstSays([{ type: "tool-call", toolCallId: "b", toolName: "boom", input: "{}" }, { type: "tool-call", toolCallId: "l", toolName: "look", input: '{"q":1}' }]);
  const lash = lashOf(memoryEngine(), asking(playing), { tools: [look, boom] });
  await (await lash.openSession("s")).run("go");
  expect(playing.prompts[1]?.at(-1)).toMatchObject({ role: "tool", content: [{ toolCallId: "b", output: { type: "error-text" } }, { toolCallId: "l", output: { type: "text", value: "seen" } }] });
  await lash.close();
});

test("a tool shows files of any media type behind all results; what is none is left out, and the result says so (ME-5, ME-8)", async () => {
  const files = [
    { data: new Uint8Array([1]), mediaType: "application/pdf", filename: "a.pdf" },
    { data: PNG, mediaType: "image/png" },
    { data: new Uint8Array([1]), mediaType: "image/png" },
    { data: new Uint8Array(), mediaType: "text/plain" },
    { data: new Uint8Array([1]), mediaType: "pdf" },
  ];
  const scan = tool({ name: "scan", description: "", input: z.object({}), readOnly: true, run: () => withFiles("scanned", files) });
  const playing = firstSays([{ type: "tool-call", toolCallId: "s", toolName: "scan", input: "{}" }, { type: "tool-call", toolCallId: "l", toolName: "look", input: '{"q":1}' }]);
  const engine = memoryEngine();
  const lash = lashOf(engine, asking(playing), { tools: [look, scan] });
  const session = await lash.openSession("s");
  await session.run("go");
  const [tools, user] = playing.prompts[1]?.slice(-2) ?? [];
  expect(tools).toMatchObject({ role: "tool", content: [{ toolCallId: "s" }, { toolCallId: "l" }] });
  expect(user).toEqual({
    role: "user",
    content: [
      { type: "file", mediaType: "application/pdf", filename: "a.pdf", data: { type: "data", data: [1] } },
      { type: "file", mediaType: "image/png", data: { type: "data", data: [...PNG] } },
    ],
  });
  expect(JSON.stringify(tools)).toMatch(/file 3 of 5 is left out.*file 4 of 5 is left out.*file 5 of 5 is left out/);
  const parts = session.observe().readView.messages.flatMap((message) => message.parts);
  expect(parts.filter(({ attachment }) => attachment).map(({ kind, filename }) => [kind, filename])).toEqual([["File", "a.pdf"], ["Image", undefined]]);
  await lash.close();
});

test("rows of the first versions name the model that their turn asked as the origin of what is bound to it (ME-3)", async () => {
  const engine = memoryEngine();
  const requests: LlmRequest[] = [];
  const signing = (id: string): Provider => ({
    id: "p",
    modelId: id,
    complete: async (request) => {
      requests.push(request);
      const parts: LlmOutputPart[] = [{ type: "reasoning", text: "hm", replay: { opaque: '{"v":{"signature":"s"}}' } }, { type: "text", text: "so " }, { type: "text", text: "on" }];
      return { fullText: "", parts, usage: { ...zeroUsage, outputTokens: 1 }, terminalReason: "stop" };
    },
  });
  for (const model of ["old", "new"]) {
    const lash = lashOf(engine, signing(model), { model: { id: model } });
    await (await lash.openSession("s", { model: { id: model } })).run(model);
    await lash.close();
  }
  for (const { key, value } of await rowsOf(engine)) {
    const row = value as { readonly nodes?: readonly { readonly answer?: unknown }[] };
    if (row.nodes) await overwrite(engine, { key, value: { ...row, nodes: row.nodes.map((node) => Object.fromEntries(Object.entries(node).filter(([field]) => field !== "answer"))) } as Value });
  }
  const lash = lashOf(engine, signing("new"), { model: { id: "new" } });
  const session = await lash.openSession("s");
  // As such a version has shown it.
  expect(session.observe().readView.messages.map(messageText)).toEqual(["old", "so \n\non", "new", "so \n\non"]);
  await session.run("on");
  // What the other model thought is not sent to this one.
  expect(requests.at(-1)?.messages.flatMap(({ role, blocks }) => (role === "assistant" ? [blocks.map(({ type }) => type)] : []))).toEqual([["text", "text"], ["reasoning", "text", "text"]]);
  await lash.close();
});

describe("what is shown while a model speaks is what it said (ME-6)", () => {
  async function shown(parts: readonly StreamPart[], options: AiSdkOptions = {}) {
    const lash = lashOf(memoryEngine(), asking(firstSays(parts), options));
    const session = await lash.openSession("s");
    const seen: TurnActivity[] = [];
    const result = await session.run("go", { onActivity: (activity) => void seen.push(activity) });
    const answer = session.observe().readView.messages.find(({ role }) => role === "Assistant");
    await lash.close();
    return { seen, result, answered: answer ? messageText(answer) : "", last: lastText(session) };
  }

  test("newlines between texts are told in their place, and texts that follow each other are one (T-27)", async () => {
    const { seen, result } = await shown([
      ...text("a", "The tower is "), ...text("b", "330 m high."),
      { type: "reasoning-start", id: "r" }, { type: "reasoning-delta", id: "r", delta: "hm" }, { type: "reasoning-end", id: "r" },
      { type: "text-start", id: "c" }, { type: "text-delta", id: "c", delta: "\n" }, { type: "text-delta", id: "c", delta: "So there." }, { type: "text-end", id: "c" },
    ]);
    expect(seen.flatMap((activity) => (activity.type === "assistant_prose_delta" ? [[activity.correlationId, activity.text]] : []))).toEqual([
      ["llm:1:a", "The tower is "], ["llm:1:b", "330 m high."], ["llm:1:c:break", "\n"], ["llm:1:c", "\nSo there."],
    ]);
    expect(result.text).toBe("The tower is 330 m high.\n\nSo there.");
  });

  test("commentary is taken back once there is a final answer (PP-8)", async () => {
    const phase = (id: string, name: string, said: string): readonly StreamPart[] => [
      { type: "text-start", id, providerMetadata: { openai: { phase: name } } }, { type: "text-delta", id, delta: said }, { type: "text-end", id },
    ];
    const { seen, result } = await shown([...phase("a", "commentary", "Looking."), ...phase("b", "final_answer", "42")]);
    expect([shownText(seen), result.text]).toEqual(["42", "42"]);
  });

  test("an answer that does not stream is shown when it is there", async () => {
    const { model } = playingModel(() => []);
    const whole = { ...model, doGenerate: async () => ({ content: [{ type: "text" as const, text: "Hi" }, { type: "reasoning" as const, text: "hm" }, { type: "text" as const, text: "you" }, { type: "source" as const, sourceType: "url" as const, id: "s", url: "https://example.org" }], finishReason: { unified: "stop" as const, raw: undefined }, usage: { inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 1, text: 1, reasoning: 0 } }, warnings: [] }) };
    const lash = lashOf(memoryEngine(), aiSdk(whole, { streaming: false }));
    const seen: TurnActivity[] = [];
    const result = await (await lash.openSession("s")).run("go", { onActivity: (activity) => void seen.push(activity) });
    expect([shownText(seen), result.text, seen.filter(({ type }) => type === "source").length]).toEqual(["Hi\n\nyou", "Hi\n\nyou", 1]);
    await lash.close();
  });

  const piece = fc.string({ unit: fc.constantFrom("a", " ", "\n"), maxLength: 3 });
  const block = fc.record({ kind: fc.constantFrom("text", "text", "reasoning", "call", "search", "source", "custom"), pieces: fc.array(piece, { minLength: 1, maxLength: 4 }), thinking: fc.boolean() });

  test("however texts, thoughts and calls are cut and follow each other, the rows joined are the text of the message (T-27)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(block, { minLength: 1, maxLength: 6 }), fc.boolean(), async (blocks, exposeThinking) => {
        const parts = blocks.flatMap(({ kind, pieces }, index): StreamPart[] => {
          const id = `${kind}${index}`;
          if (kind === "text" || kind === "reasoning") return [{ type: `${kind}-start`, id }, ...pieces.map((delta): StreamPart => ({ type: `${kind}-delta`, id, delta })), { type: `${kind}-end`, id }];
          if (kind === "call") return [{ type: "tool-input-start", id, toolName: "look" }, { type: "tool-call", toolCallId: id, toolName: "look", input: '{"q":1}' }];
          if (kind === "search") return [{ type: "tool-call", toolCallId: id, toolName: "search", input: "{}", providerExecuted: true }];
          if (kind === "source") return [{ type: "source", sourceType: "url", id, url: "https://example.org" }];
          return [{ type: "custom", kind: "acme.thing" }];
        });
        const { seen, answered } = await shown(parts, { exposeThinking, reliability: { retry: { enabled: false } } });
        const own = seen.filter(({ correlationId }) => correlationId.startsWith("llm:1:"));
        expect(shownText(own)).toBe(answered);
        const said = blocks.flatMap(({ kind, pieces }, index) => (kind === "text" && pieces.join("") !== "" ? [[`llm:1:text${index}`, pieces.join("")]] : []));
        const rows = new Map<string, string>();
        for (const activity of own) if (activity.type === "assistant_prose_delta") rows.set(activity.correlationId, (rows.get(activity.correlationId) ?? "") + activity.text);
        expect([...rows].filter(([id]) => !id.includes("break"))).toEqual(said);
      }),
      { numRuns: 150 },
    );
  });
});
