// What a model is sent, and what becomes of its answer: the last pass before the wire, at the public API.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { batchTool, tool, type Tool } from "../../src/index.ts";
import { completeDirect } from "../../src/direct.ts";
import { byAssistantMessages, scriptedProvider } from "../../src/testing/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash, transcriptOf } from "../support/lash.ts";

const input = z.object({});
const plain = (name: string, run: () => unknown = () => "r"): Tool => tool({ name, description: "", input, readOnly: true, run });
const idsOf = ({ messages }: LlmRequest, type: "toolCall" | "toolResult") => messages.flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === type ? [block.callId] : [])));

describe("tool names", () => {
  test("all that MCP allows are taken, and others are refused by name (ME-14)", () => {
    for (const name of ["a", "calendar.updateEvent", "server/tool", "n".repeat(128)]) expect(plain(name).name).toBe(name);
    for (const name of ["", "n".repeat(129), "with space", "a,b", "häuser", "half\uD83D"]) {
      expect(() => plain(name)).toThrow("`tool.name` must be 1 to 128 letters, digits, `_`, `-`, `.` or `/`");
    }
  });

  test("a model is shown names that it takes; whoever watches, hooks or reads is told ours (ME-14)", async () => {
    const ran: string[] = [];
    const names = ["calendar.update", "calendar_update", "calendar/update"];
    const { lash, provider } = testLash({
      script: byAssistantMessages([{ toolCalls: ["calendar_update_2", "calendar_update", "calendar_update_3"].map((name) => ({ name })) }, "done"]),
      tools: names.map((name) => plain(name, () => (ran.push(name), name))),
    });
    const session = await lash.openSession("s");
    const turn = session.turn("go");
    const started = (await activitiesOf(turn)).flatMap((activity) => (activity.type === "tool_call_started" ? [activity.name] : []));
    expect((await turn.result).toolCalls.map(({ toolName, status }) => [toolName, status])).toEqual(names.map((name) => [name, "success"]));
    expect([started, ran]).toEqual([names, names]);
    expect(session.observe().readView.messages.flatMap(({ parts }) => parts.flatMap(({ toolName }) => toolName ?? []))).toEqual([...names, ...names]);
    expect(provider.requests[1]?.tools.map(({ name }) => name)).toEqual(["calendar_update_2", "calendar_update", "calendar_update_3"]);
    await lash.close();
  });

  test("a batch runs the tool that is meant, by the name that the model is shown and by ours (ME-14, T-35)", async () => {
    const tool_calls = ["calendar_update", "calendar.update"].map((name) => ({ tool: name, parameters: {} }));
    const { lash, provider } = testLash({ script: byAssistantMessages([{ toolCalls: [{ name: "batch", args: { tool_calls } }] }, "done"]), tools: [plain("calendar.update"), batchTool()] });
    await (await lash.openSession("s")).run("go");
    const [told] = provider.requests[1]?.messages.at(-1)?.blocks ?? [];
    expect(told).toMatchObject({ content: expect.stringMatching(/"tool":"calendar\.update","success":true.*"tool":"calendar\.update","success":true/) as string });
    await lash.close();
  });
});

describe.each(engineCases())("on $name", ({ open }) => {
  test("ids that a provider repeats are told apart on the wire, the same way after a restart; what is stored has its ids (ME-14)", async () => {
    const engine = open();
    const call = { name: "look", callId: "call_0" };
    const script = byAssistantMessages([{ toolCalls: [call, call] }, "done", { toolCalls: [call] }, "done"]);
    const tools = [plain("look")];
    const first = testLash({ engine, script, tools });
    await (await first.lash.openSession("s")).run("one");
    await first.lash.close();
    const second = testLash({ engine, script, tools });
    const session = await second.lash.openSession("s");
    await session.run("two");
    const last = second.provider.requests.at(-1);
    const ids = ["call_0", "call_0_2", "call_0_3"];
    expect(last && [idsOf(last, "toolCall"), idsOf(last, "toolResult")]).toEqual([ids, ids]);
    expect(last?.messages.slice(0, 3)).toEqual(first.provider.requests[1]?.messages.slice(0, 3));
    expect(session.observe().readView.messages.flatMap(({ parts }) => parts.flatMap(({ toolCallId }) => toolCallId ?? []))).toEqual(Array(6).fill("call_0"));
    await second.lash.close();
  });

  test("a fork and a branch that end between calls and results are complete on the wire, and nowhere else (ME-16)", async () => {
    const { lash, provider } = testLash({ engine: open(), script: (_, index) => (index === 0 ? { toolCalls: [{ name: "look", callId: "a" }, { name: "look", callId: "b" }] } : "done"), tools: [plain("look")] });
    const session = await lash.openSession("s");
    await session.run("go");
    const at = session.observe().readView.messages.find(({ role }) => role === "Assistant")?.id ?? "";
    const fork = await lash.openSession(await session.fork({ at }));
    await fork.run("on from here");
    await session.branch({ at });
    await session.run("on from here");
    for (const asked of provider.requests.slice(-2)) {
      expect(asked.messages.map(({ role }) => role)).toEqual(["user", "assistant", "user", "user"]);
      expect(asked.messages[2]?.blocks).toMatchObject([
        { type: "toolResult", callId: "a", isError: true, content: expect.stringContaining("There is no result") as string },
        { type: "toolResult", callId: "b", isError: true },
      ]);
    }
    expect(transcriptOf(fork)).toEqual(["User: Text go", "Assistant: ToolCall {} | ToolCall {}", "User: Text on from here", "Assistant: Prose done"]);
    await lash.close();
  });
});

test("text that is half a character is whole on the wire, wherever it comes from, and stored as it was (ME-14)", async () => {
  const half = "half \uD83D";
  const { lash, provider } = testLash({
    prompt: half,
    script: byAssistantMessages([{ text: half, toolCalls: [{ name: "text", inputJson: '{"q":"\\ud83d"}' }, { name: "json" }, { name: "fails" }] }, half]),
    tools: [
      tool({ name: "text", description: half, input: z.object({ q: z.string() }), run: () => half }),
      plain("json", () => ({ [half]: half })),
      plain("fails", () => {
        throw new Error(half);
      }),
    ],
  });
  const session = await lash.openSession("s");
  await session.run("go");
  await session.run("again");
  for (const asked of provider.requests) {
    const sent = JSON.stringify(asked);
    expect(sent).not.toMatch(/\\u[dD][89a-fA-F]/);
    expect(sent).toContain("half \uFFFD");
  }
  expect(transcriptOf(session)[3]).toBe(`Assistant: Prose ${half}`);
  await lash.close();
});

test("a model that a session comes back to gets its own signed reasoning again, and no other model does (ME-3)", async () => {
  const signed = { text: "ok", reasoning: { text: "Hm", replay: { signature: "sig" } } };
  const { lash, provider } = testLash({ script: () => signed, model: { id: "one" } });
  const session = await lash.openSession("s");
  await session.run("1");
  await session.run("2", { model: { id: "two" } });
  await session.run("3");
  const signatures = provider.requests.map(({ model, messages }) => [model, messages.map(({ blocks }) => blocks.filter(({ type }) => type === "reasoning").length)]);
  expect(signatures).toEqual([
    ["one", [0]],
    ["two", [0, 0, 0]],
    ["one", [0, 1, 0, 0, 0]],
  ]);
  await lash.close();
});

test("what a provider takes is its own to say (ME-14)", async () => {
  const script = byAssistantMessages([{ toolCalls: [{ name: "a.b", callId: "x:1" }] }, "done"]);
  const wire = { toolName: { characters: "ab.", maxLength: 64 } };
  const { lash, provider } = testLash({ script, tools: [plain("a.b")], providerOptions: { wire } });
  await (await lash.openSession("s")).run("go");
  expect(provider.requests[1]?.tools.map(({ name }) => name)).toEqual(["a.b"]);
  await lash.close();
});

test("a direct completion passes it, with a ladder around the provider and without (ME-14)", async () => {
  const provider = scriptedProvider(["one", "two"]);
  const messages = [
    { role: "system", content: "half \uD83D" },
    { role: "assistant", content: " " },
    { role: "user", content: "half \uD83D" },
  ] as const;
  const validate = () => null;
  await completeDirect(provider, { messages }, { requestId: "direct:1", validate });
  const asks = tool({ name: "ask", description: "", input, run: async (_, call) => (await call.complete({ messages })).text });
  const { lash, provider: turns } = testLash({ script: (asked) => (asked.tools.length > 0 && asked.messages.length === 1 ? { toolCalls: [{ name: "ask" }] } : "done"), tools: [asks] });
  await (await lash.openSession("s")).run("go");
  for (const asked of [provider.requests[0], turns.requests[1]]) {
    expect(asked?.messages.map(({ role, blocks }) => [role, ...blocks])).toEqual([
      ["system", { type: "text", text: "half \uFFFD" }],
      ["user", { type: "text", text: "half \uFFFD" }],
    ]);
  }
  await lash.close();
});
