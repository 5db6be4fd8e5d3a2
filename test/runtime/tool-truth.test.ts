// What tools are run with and what they returned is told truthfully: nothing runs on arguments that nobody wrote, and no call that
// ran is reported as failed (ME-7, ME-8).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { batchTool, finishTurn, switchFrame, tool, withImages, type Tool, type ToolCallOutput } from "../../src/index.ts";
import { plugin } from "../../src/plugins/index.ts";
import { byAssistantMessages, type ScriptedToolCall } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";

const seen: unknown[] = [];
const anything = (run: ((args: unknown) => unknown) | undefined = (args) => void seen.push(args), rest: Partial<Tool> = {}): Tool => ({ ...tool({ name: "it", description: "", input: z.looseObject({}), run }), ...rest });

async function turnWith(tools: readonly Tool[], toolCalls: readonly ScriptedToolCall[], options: TestLashOptions = {}) {
  seen.length = 0;
  const host = testLash({ tools, script: byAssistantMessages([{ toolCalls }, "done"]), ...options });
  const session = await host.lash.openSession("s");
  const turn = session.turn("go", { turnId: "t" });
  const activities = activitiesOf(turn);
  const result = await turn.result;
  const shown = (host.provider.requests[1]?.messages.at(-1)?.blocks ?? []).map((block) => (block.type === "toolResult" ? block.content : block.type));
  return { ...host, session, result, shown, activities: await activities, outputs: result.toolCalls.map(({ output }) => output as ToolCallOutput) };
}

const refusal = (where: string) => ({ outcome: { status: "failure", payload: { class: "invalid_request", code: "invalid_tool_args", source: "runtime", retry: { type: "never" }, message: expect.stringContaining(where) as string } } });

describe.each(engineCases())("arguments on $name", ({ open }) => {
  test.each<[string, string, string]>([
    ["cut off within a string", '{"where":"age > 9', "the text ends within a string, at position 17"],
    ["cut off behind a field", '{"where":"x"', "the text ends before it is complete, at position 12"],
    ["followed by something", '{"where":"x"} or so', '"o" stands behind the end of the JSON text, at position 14'],
    ["two objects", '{"a":1}{"a":1}', "at position 7"],
    ["fenced", '```json\n{"a":1}\n```', "at position 0"],
    ["words", "all of them", "at position 0"],
    ["null", "null", "they are null"],
    ["an array", '[{"where":"x"}]', "they are an array"],
    ["a number", "7", "they are a number"],
    ["a text", '"{}"', "they are a string"],
    ["true", "true", "they are a boolean"],
  ])("%s: the tool is not run, the failure says where, and the text stays in history as the model wrote it (ME-7)", async (_title, inputJson, where) => {
    const { outputs, shown, session, result, lash } = await turnWith([anything()], [{ name: "it", inputJson }, { name: "it", args: { fine: true } }], { engine: open() });
    expect(seen).toEqual([{ fine: true }]);
    expect(outputs[0]).toMatchObject(refusal(where));
    expect(shown[0]).toContain(where.replaceAll('"', '\\"'));
    expect(result).toMatchObject({ text: "done", isSuccess: true });
    expect(transcriptOf(session)[1]).toContain(`ToolCall ${inputJson} |`);
    await lash.close();
  });
});

describe("arguments", () => {
  test.each([["nothing", ""], ["spaces", " \n\t "], ["a byte order mark", "\uFEFF"], ["an empty object", "{}"], ["an object behind a byte order mark", "\uFEFF{}"]])("%s counts as {} (ME-7)", async (_title, inputJson) => {
    await turnWith([anything()], [{ name: "it", inputJson }]);
    expect(seen).toEqual([{}]);
  });

  test("an object behind a byte order mark, or with a field twice, is read as parsers do (ME-7)", async () => {
    await turnWith([anything()], [{ name: "it", inputJson: '\uFEFF{"a":1,"a":2}' }]);
    expect(seen).toEqual([{ a: 2 }]);
  });

  test("the position counts from the first character of the text itself (ME-7)", async () => {
    const { outputs } = await turnWith([anything()], [{ name: "it", inputJson: '  {"a":x}' }]);
    expect(outputs[0]).toMatchObject(refusal('"x" stands where a value has to be, at position 7'));
  });

  test.each<[string, unknown]>([["null", null], ["an array", [1]], ["a text", "{}"], ["a number", 7]])("an entry of a batch whose parameters are %s is not run, and fails alone (ME-7, PP-42)", async (_title, parameters) => {
    // Its own validation would take anything.
    const taking = anything(undefined, { validate: (args) => Promise.resolve({ args }) });
    const { outputs } = await turnWith([taking, batchTool()], [{ name: "batch", args: { tool_calls: [{ tool: "it", parameters }, { tool: "it", parameters: { fine: 1 } }, { tool: "it" }] } }]);
    expect(seen).toEqual([{ fine: 1 }, {}]);
    expect(outputs[0]?.outcome.payload).toMatchObject({ results: [{ success: false, error: { class: "invalid_request", code: "invalid_tool_args" } }, { success: true }, { success: true }] });
  });

  test("a whole batch that is cut off runs none of its calls (ME-7)", async () => {
    const { outputs } = await turnWith([anything(), batchTool()], [{ name: "batch", inputJson: '{"tool_calls":[{"tool":"it","parameters":{}},{"tool":"it"' }]);
    expect(seen).toEqual([]);
    expect(outputs[0]).toMatchObject(refusal("the text ends"));
  });

  test("no plugin is asked about a call whose arguments are none, so none can let it run (ME-7)", async () => {
    const asked: string[] = [];
    const eager = plugin({ id: "eager", build: () => ({ beforeToolCall: ({ callId }) => void asked.push(callId) }) });
    await turnWith([anything()], [{ name: "it", inputJson: '{"a":' }], { plugins: [eager] });
    expect([seen, asked]).toEqual([[], []]);
  });

  test("a turn that is taken up comes to the same refusal, and the call still does not run (ME-7, T-51)", async () => {
    const engine = engineCases()[0]?.open();
    if (!engine) throw new Error("no engine");
    seen.length = 0;
    const script = byAssistantMessages([{ toolCalls: [{ name: "it", inputJson: '{"a":' }, { name: "slow" }] }, "done"]);
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const slow = tool({ name: "slow", description: "", input: z.object({}), readOnly: true, run: () => (resolve(), new Promise(() => undefined)) });
    const process = new Mortal(engine);
    const first = testLash({ engine: process.engine, script, tools: [anything(), slow] });
    const running = (await first.lash.openSession("s")).run("go", { turnId: "t" });
    running.catch(() => undefined);
    await begun;
    process.kill();
    const next = testLash({ engine, script, tools: [anything(), { ...slow, run: () => "fast" }], clock: first.clock });
    await first.clock.advance(120_000);
    const session = await next.lash.openSession("s");
    const result = await first.clock.runUntil(session.run("go", { turnId: "t" }));
    expect(result).toMatchObject({ text: "done" });
    expect(seen).toEqual([]);
    expect(transcriptOf(session)[2]).toContain("invalid_tool_args");
    await next.lash.close();
  });
});

const circular: Record<string, unknown> = { id: "tx1" };
circular["self"] = circular;

describe.each(engineCases())("results on $name", ({ open }) => {
  test.each<[string, unknown, unknown, unknown]>([
    ["a bigint", { paid: true, block: 12345678901234567890n }, { paid: true, block: "12345678901234567890" }, [{ path: "$.block", from: "bigint" }]],
    ["a cycle", circular, { id: "tx1", self: "[circular]" }, [{ path: "$.self", from: "circular" }]],
    ["a map", new Map([["answer", 1]]), [["answer", 1]], [{ path: "$", from: "Map" }]],
    ["a set within an array", [new Set([1])], [[1]], [{ path: "$[0]", from: "Set" }]],
    ["an error", new TypeError("no"), { name: "TypeError", message: "no" }, [{ path: "$", from: "Error" }]],
    ["a function", () => 1, "[function]", [{ path: "$", from: "function" }]],
    ["bytes", new Uint8Array(4), { bytes: 4 }, [{ path: "$", from: "bytes" }]],
    ["a toJSON that throws", { toJSON: () => { throw new Error("no"); } }, "[unreadable: no]", [{ path: "$", from: "unreadable" }]],
    ["a proxy that throws", new Proxy({}, { get: () => { throw new Error("no"); }, has: () => { throw new Error("no"); } }), expect.stringContaining("unreadable"), [{ path: "$", from: "unreadable" }]],
  ])("%s is told, and the call is a success: it has run (ME-8)", async (_title, value, payload, converted) => {
    const engine = open();
    const { outputs, activities, session, lash } = await turnWith([anything(() => value)], [{ name: "it" }], { engine });
    const output = { outcome: { status: "success", payload }, converted };
    expect(outputs).toEqual([output]);
    expect(activities.find(({ type }) => type === "tool_call_completed")).toMatchObject({ output });
    const transcript = transcriptOf(session);
    await lash.close();
    const reopened = testLash({ engine });
    expect(transcriptOf(await reopened.lash.openSession("s"))).toEqual(transcript);
    await reopened.lash.close();
  });

  test("9 MiB are kept as far as they fit, with what follows them (ME-8, OP-17)", async () => {
    const { outputs, lash } = await turnWith([anything(() => ({ log: "é".repeat(9 * 1024 * 1024), id: "tx1" }))], [{ name: "it" }], { engine: open() });
    expect(outputs[0]).toMatchObject({ outcome: { status: "success", payload: { id: "tx1", log: expect.stringMatching(/^é+\[cut: \d+ more characters\]$/) as string } }, converted: [{ path: "$.log", from: "cut" }] });
    await lash.close();
  });
});

describe("results", () => {
  test("JSON is given on as it is, and nothing else is said of it (ME-8)", async () => {
    const value = { text: "x", list: [1, null, true, { a: [] }], left: undefined };
    const { outputs, logged } = await turnWith([anything(() => value)], [{ name: "it" }]);
    expect(outputs).toEqual([{ outcome: { status: "success", payload: { text: "x", list: [1, null, true, { a: [] }] } } }]);
    expect(Object.keys(outputs[0] ?? {})).toEqual(["outcome"]);
    expect(logged).toEqual([]);
  });

  test("the logger hears once of each tool whose results are converted, and by their place (ME-8)", async () => {
    const big = anything(() => ({ n: 1n }));
    const other = { ...anything(() => new Date(0)), name: "other" };
    const { logged, session } = await turnWith([big, other], [{ name: "it" }, { name: "it" }, { name: "other" }]);
    await session.run("again");
    expect(logged.map(({ level, event, sessionId, message }) => [level, event, sessionId, message.slice(0, 10)])).toEqual([
      ["warn", "tool.result_converted", "s", 'tool "it" '],
      ["warn", "tool.result_converted", "s", 'tool "othe'],
    ]);
    expect(logged[0]?.message).toContain("$.n (bigint)");
  });

  test("what a tool ends the turn with is told the same way (ME-8)", async () => {
    const { result } = await turnWith([anything(() => finishTurn({ total: 5n } as never))], [{ name: "it" }]);
    expect(result).toMatchObject({ outcome: { value: { total: "5" } }, toolCalls: [{ status: "success" }] });
  });

  test("a frame is switched to also where its first messages are cut (ME-8)", async () => {
    const seed = Array.from({ length: 3 }, (_, index) => ({ role: "User" as const, text: `${index}`.repeat(200) }));
    const { result, session } = await turnWith([anything(() => switchFrame({ frameId: "next", task: "go on", seed }))], [{ name: "it" }], { limits: { toolResultBytes: 500 } });
    expect(result).toMatchObject({ toolCalls: [{ status: "success" }], isSuccess: true });
    expect(session.observe().readView.currentFrameId).toBe("next");
    expect(transcriptOf(session)[0]).toBe(`User: Text ${"0".repeat(200)}`);
  });

  test("images that are no array are left out, and the result says so (ME-8)", async () => {
    const { outputs, shown } = await turnWith([anything(() => withImages("photo", new Uint8Array(3) as never))], [{ name: "it" }]);
    expect(outputs[0]).toMatchObject({ outcome: { status: "success", payload: "photo" } });
    expect(shown).toEqual(["photo\n[the images are left out: they are no array]"]);
  });

  test("what a plugin answers a call with is still refused where it is no JSON: no tool has run (ME-8, OP-17)", async () => {
    const answering = plugin({ id: "answering", build: () => ({ beforeToolCall: () => ({ type: "short_circuit_tool", output: { outcome: { status: "success", payload: 1n as never } } }) }) });
    const { outputs } = await turnWith([anything()], [{ name: "it" }], { plugins: [answering] });
    expect(outputs[0]).toMatchObject({ outcome: { status: "failure", payload: { code: "before_tool_call_failed" } } });
    expect(seen).toEqual([]);
  });

  test("a batch whose calls return what is no JSON succeeds, and says which were converted nowhere but in their own results (ME-8)", async () => {
    const { outputs } = await turnWith([anything(() => 1n), batchTool()], [{ name: "batch", args: { tool_calls: [{ tool: "it", parameters: {} }] } }]);
    expect(outputs[0]).toMatchObject({ outcome: { status: "success", payload: { results: [{ success: true, result: "1" }] } } });
  });
});
