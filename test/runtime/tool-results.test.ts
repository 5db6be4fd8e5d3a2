// Results on their way to the model are bounded; what is stored is whole (ME-9).

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { batchTool, createLash, readResultTool, tool, type Tool } from "../../src/index.ts";
import { shownContent } from "../../src/domain/shown-result.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import type { Part } from "../../src/domain/messages.ts";
import { summarize } from "../../src/compaction.ts";
import { plugin } from "../../src/plugins/index.ts";
import { byAssistantMessages, scriptedProvider, type ProviderScript, type ScriptedToolCall } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { rowsOf } from "../support/rows.ts";
import { testLash, type TestLashOptions } from "../support/lash.ts";

const KIB = 1024;
const bytes = (text: string): number => Buffer.byteLength(text);
const giving = (text: unknown, rest: Partial<Tool> = {}): Tool => ({ ...tool({ name: "fetch", description: "", input: z.object({}), run: () => text }), ...rest });
const shownIn = (request: LlmRequest | undefined): readonly string[] => (request?.messages ?? []).flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "toolResult" ? [block.content] : [])));
const calling = (...toolCalls: readonly ScriptedToolCall[]): ProviderScript => byAssistantMessages([{ toolCalls }, "done"]);

async function turnWith(tools: readonly Tool[], script: ProviderScript, options: TestLashOptions = {}) {
  const host = testLash({ tools, script, ...options });
  const session = await host.lash.openSession("s");
  const result = await session.run("go");
  const parts = session.observe().readView.messages.flatMap((message) => message.parts.filter(({ kind }) => kind === "ToolResult"));
  return { ...host, session, result, parts, shown: shownIn(host.provider.requests.at(-1)) };
}

const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}: é😀`).join("\n");

describe.each(engineCases())("on $name", ({ open }) => {
  test("a result of more than 64 KiB is shown in part: its beginning, how much is missing of which call, its end; the part keeps all of it, and a later process shows the same (ME-9)", async () => {
    const engine = open();
    const { shown: [shown = ""], parts: [part], lash, result } = await turnWith([giving(lines)], calling({ name: "fetch", callId: "c7" }), { engine });
    expect(bytes(shown)).toBeLessThanOrEqual(64 * KIB);
    expect(bytes(shown)).toBeGreaterThan(64 * KIB - 16);
    expect(shown.isWellFormed()).toBe(true);
    const [, head = "", omitted = "", tail = ""] = /^(.*)\n\n\[(\d+) of \d+ bytes of the result of call "c7" are left out here\]\n\n(.*)$/s.exec(shown) ?? [];
    expect(lines.startsWith(head) && lines.endsWith(tail)).toBe(true);
    expect(bytes(head) + Number(omitted) + bytes(tail)).toBe(bytes(lines));
    expect(Math.abs(bytes(head) - bytes(tail))).toBeLessThan(8);
    expect(part).toMatchObject({ content: lines, shownBytes: 64 * KIB });
    expect(result.toolCalls[0]?.output?.outcome.payload).toBe(lines);
    await lash.close();
    const next = testLash({ engine, script: () => "more", tools: [giving(lines)] });
    await (await next.lash.openSession("s")).run("and now?");
    expect(shownIn(next.provider.requests[0])).toEqual([shown]);
    await next.lash.close();
  });

  test("a result that fits is stored without a limit, so that an older build reads the row (ME-9, ME-1)", async () => {
    const engine = open();
    const { parts: [part], shown, lash } = await turnWith([giving("x".repeat(64 * KIB))], calling({ name: "fetch" }), { engine });
    expect(shown).toEqual(["x".repeat(64 * KIB)]);
    expect(part && "shownBytes" in part).toBe(false);
    const versions = (await rowsOf(engine)).flatMap(({ value }) => (typeof value === "object" && value !== null && "schemaVersion" in value ? [value.schemaVersion] : []));
    expect(versions).not.toContain(2);
    await lash.close();
  });
});

describe("the limit", () => {
  test.each<[string, Partial<Tool>, TestLashOptions["limits"], number | undefined]>([
    ["the lash's", {}, { toolResultModelBytes: 1_000 }, 1_000],
    ["the tool's, where it has one", { maxModelBytes: 500 }, { toolResultModelBytes: 1_000 }, 500],
    ["a larger one of the tool", { maxModelBytes: 300 * KIB }, {}, 300 * KIB],
    ["none, where the tool says so", { maxModelBytes: null }, {}, undefined],
  ])("is %s (ME-9)", async (_title, rest, limits, most) => {
    const { shown: [shown = ""], parts: [part] } = await turnWith([giving(lines, rest)], calling({ name: "fetch" }), limits ? { limits } : {});
    expect(part?.shownBytes).toBe(most);
    if (most === undefined) expect(shown).toBe(lines);
    else expect([bytes(shown) <= most, bytes(shown) > most - 16]).toEqual([true, true]);
  });

  test("counts UTF-8 bytes of the text that is sent, values as JSON (ME-9)", async () => {
    const { parts } = await turnWith([giving({ a: "é".repeat(500) })], calling({ name: "fetch" }), { limits: { toolResultModelBytes: 1_000 } });
    expect(parts[0]?.shownBytes).toBe(1_000);
    const fits = await turnWith([giving({ a: "é".repeat(400) })], calling({ name: "fetch" }), { limits: { toolResultModelBytes: 1_000 } });
    expect(fits.parts[0]?.shownBytes).toBeUndefined();
  });

  test("holds for failures, too (ME-9)", async () => {
    const failing = giving(null, { run: () => Promise.reject(new Error("x".repeat(2_000))) });
    const { shown: [shown = ""] } = await turnWith([failing], calling({ name: "fetch" }), { limits: { toolResultModelBytes: 1_000 } });
    expect(bytes(shown)).toBeLessThanOrEqual(1_000);
  });

  test("of a batch is that of its calls together (ME-9)", async () => {
    const entries = (count: number) => ({ name: "batch", args: { tool_calls: Array.from({ length: count }, () => ({ tool: "fetch", parameters: {} })) } });
    const four = await turnWith([giving("x".repeat(900)), batchTool()], calling(entries(4)), { limits: { toolResultModelBytes: 1_000 } });
    expect([four.parts[0]?.shownBytes, JSON.parse(four.shown[0] ?? "null")]).toEqual([undefined, { results: expect.any(Array) as unknown }]);
    const long = await turnWith([giving("x".repeat(2_000)), batchTool()], calling(entries(4)), { limits: { toolResultModelBytes: 1_000 } });
    expect(long.parts[0]?.shownBytes).toBe(4_000);
    expect(bytes(long.shown[0] ?? "")).toBeLessThanOrEqual(4_000);
  });

  test("is the one that was there when the result was recorded: another one later changes nothing that was sent (ME-9)", async () => {
    const engine = engineCases()[0]?.open();
    if (!engine) throw new Error("no engine");
    const first = await turnWith([giving(lines)], calling({ name: "fetch" }), { engine, limits: { toolResultModelBytes: 1_000 } });
    const next = testLash({ engine, script: () => "more", limits: { toolResultModelBytes: 5_000 }, tools: [giving(lines, { maxModelBytes: null })] });
    await (await next.lash.openSession("s")).run("and now?");
    expect(shownIn(next.provider.requests[0])).toEqual(first.shown);
  });

  test("does not touch results of rows that have none (ME-9)", () => {
    const part: Part = { id: "m.p0", kind: "ToolResult", content: lines, toolCallId: "c" };
    expect(shownContent(part)).toBe(lines);
  });

  test("gives way to the plugin that projects results, also where it shows all of them; one that has nothing to say leaves it (ME-9, PT-64)", async () => {
    const projecting = (project: (shown: string) => string | undefined) => ({ plugins: [plugin({ id: "budget", build: () => ({ projectToolResult: (_call, shown) => project(shown) }) })], limits: { toolResultModelBytes: 1_000 } });
    const short = await turnWith([giving(lines)], calling({ name: "fetch" }), projecting((shown) => shown.slice(0, 2_000)));
    expect(short.shown).toEqual([lines.slice(0, 2_000)]);
    const all = await turnWith([giving(lines)], calling({ name: "fetch" }), projecting((shown) => shown));
    expect(all.shown).toEqual([lines]);
    const silent = await turnWith([giving(lines)], calling({ name: "fetch" }), projecting(() => undefined));
    expect(bytes(silent.shown[0] ?? "")).toBeLessThanOrEqual(1_000);
  });

  test("holds for a summary's request, too (ME-9)", async () => {
    const provider = scriptedProvider((request, index) => (index === 0 ? { toolCalls: [{ name: "fetch" }] } : "notes"));
    const lash = createLash({ provider, tools: [giving(lines)], limits: { toolResultModelBytes: 1_000 } });
    const session = await lash.openSession("s");
    await session.run("go");
    await session.compact(summarize());
    expect(JSON.stringify(provider.requests.at(-1)?.messages).length).toBeLessThan(4_000);
    await lash.close();
  });

  test.each([[0], [1.5], ["1000"], [-1]])("of %s is refused by name", (maxModelBytes) => {
    expect(() => tool({ name: "x", description: "", input: z.object({}), run: () => 1, maxModelBytes: maxModelBytes as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: 'tool.maxModelBytes (of "x")' } }) as Error);
  });
});

test("however it is cut, what is shown is well-formed, no longer than the limit where the marker fits, and adds up (ME-9)", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme-composite", minLength: 200, maxLength: 3_000 }), fc.integer({ min: 1, max: 1_500 }), (content, shownBytes) => {
      const shown = shownContent({ id: "m.p0", kind: "ToolResult", content, toolCallId: "c", shownBytes });
      if (bytes(content) <= shownBytes) return shown === content;
      const [, head = "", omitted = "", tail = ""] = /^(.*)\n\n\[(\d+) of \d+ bytes of .*? are left out here\]\n\n(.*)$/s.exec(shown) ?? [];
      expect(content.startsWith(head) && content.endsWith(tail)).toBe(true);
      expect(bytes(head) + Number(omitted) + bytes(tail)).toBe(bytes(content));
      expect(shown.isWellFormed()).toBe(content.isWellFormed());
      return shownBytes <= 100 || bytes(shown) <= shownBytes;
    }),
  );
});

describe("readResultTool", () => {
  const limits = { toolResultModelBytes: 1_000 };

  test("is named where bytes are left out while the session has it, and reads them until the end (ME-9)", async () => {
    const pieces: string[] = [];
    const script: ProviderScript = (request) => {
      const results = shownIn(request);
      if (results.length === 0) return { toolCalls: [{ name: "fetch", callId: "c" }] };
      const [cut = ""] = results;
      const latest = results.at(-1) ?? "";
      const named = results.length === 1 ? /read them with read_result (\{.*?\})\]/.exec(latest)?.[1] : undefined;
      if (results.length > 1) pieces.push(latest.slice(latest.indexOf("\n") + 1));
      const { result } = JSON.parse(/read_result (\{.*?\})\]/.exec(cut)?.[1] ?? "{}") as { result: string };
      const from = named === undefined ? /go on with "from": (\d+)/.exec(latest)?.[1] : String((JSON.parse(named) as { from: number }).from);
      return from === undefined ? "done" : { toolCalls: [{ name: "read_result", args: { result, from: Number(from), length: 32_768 } }] };
    };
    const { result, shown: [cut = ""] } = await turnWith([giving(lines), readResultTool()], script, { limits });
    expect(result.text).toBe("done");
    expect(cut.slice(0, cut.indexOf("\n\n[")) + pieces.join("")).toBe(lines);
  });

  test("finds results of earlier turns after a restart, by call id the latest (ME-9)", async () => {
    const engine = engineCases()[0]?.open();
    if (!engine) throw new Error("no engine");
    await turnWith([giving(lines)], calling({ name: "fetch", callId: "c" }), { engine, limits });
    const script = byAssistantMessages(["", "", { toolCalls: [{ name: "read_result", args: { result: "c", from: 5, length: 20 } }, { name: "read_result", args: { result: "none", from: 0 } }] }, "done"]);
    const next = testLash({ engine, script, limits, tools: [giving(lines), readResultTool()] });
    const result = await (await next.lash.openSession("s")).run("read");
    expect(result.toolCalls.map(({ output }) => output?.outcome.payload)).toMatchObject([
      `[bytes 5 to 25 of ${bytes(lines)}; go on with "from": 25]\n${Buffer.from(lines).subarray(5, 25).toString()}`,
      { class: "invalid_request", code: "tool_result_unknown" },
    ]);
  });

  test("gives whole characters, at least one, and never more than its own limit, which is not cut again (ME-9)", async () => {
    const read = readResultTool({ name: "rest", maxBytes: 1_024 });
    const run = (from: number, length: number): string => String(read.run({ result: "r", from, length }, { earlierResult: () => "a😀b" } as never));
    expect([run(0, 2), run(1, 1), run(2, 10), run(5, 9), run(99, 9)]).toEqual([
      '[bytes 0 to 1 of 6; go on with "from": 1]\na',
      '[bytes 1 to 5 of 6; go on with "from": 5]\n😀',
      "[bytes 1 to 6 of 6; this is the end of it]\n😀b",
      "[bytes 5 to 6 of 6; this is the end of it]\nb",
      "[bytes 6 to 6 of 6; this is the end of it]\n",
    ]);
    expect(await read.validate({ result: "r", from: 0, length: 1e9 })).toEqual({ args: { result: "r", from: 0, length: 1_024 } });
    const { shown } = await turnWith([giving(lines), read], byAssistantMessages([{ toolCalls: [{ name: "fetch", callId: "c" }] }, { toolCalls: [{ name: "rest", args: { result: "c", from: 0 } }] }, "done"]), { limits });
    expect(shown[1]).toMatch(/^\[bytes 0 to 102[0-4] of /);
    expect(shown[1]).not.toContain("left out");
  });

  test.each<[unknown, string]>([[{ from: 0 }, "result"], [{ result: "r" }, "from"], [{ result: "r", from: -1 }, "from"], [{ result: "r", from: 0, length: 0 }, "length"], [null, "result"]])("arguments %j are refused: %s (ME-9)", async (args, field) => {
    expect(await readResultTool().validate(args as never)).toEqual({ problem: expect.stringContaining(field) as string });
  });

  test.each<[object, string]>([[{ maxBytes: 1 }, "maxBytes"], [{ name: " " }, "name"], [{ size: 1 }, "size"]])("the option %j is refused by name", (options, field) => {
    expect(() => readResultTool(options)).toThrow(field);
  });

  test("results of sessions without it do not speak of it (ME-9)", async () => {
    const { shown } = await turnWith([giving(lines)], calling({ name: "fetch" }), { limits });
    expect(shown[0]).not.toContain("read");
  });
});
