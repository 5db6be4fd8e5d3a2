// What a host asks of the model, as the real clients say it to strict servers (ME-17), and tools that a provider runs itself (ME-19).

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, type RunOptions, type TurnActivity } from "../../src/index.ts";
import { aiSdk, type AiSdkOptions } from "../../src/providers/ai-sdk/index.ts";
import { memoryTrace } from "../../src/trace/index.ts";
import { startStrict, type StrictReply, type StrictServer } from "../support/strict/server.ts";
import { WIRES, type Wire } from "../support/strict/wires.ts";
import type { Said } from "../support/strict/said.ts";

const servers: StrictServer[] = [];
afterEach(async () => void (await Promise.all(servers.splice(0).map((server) => server.close()))));

const look = tool({ name: "web.look", description: "Looks.", input: z.object({ q: z.string() }), readOnly: true, run: () => "seen" });
const city = z.object({ name: z.string(), people: z.number() });

/** @param answers - what the model says, call by call; a function of the request for names that a wire has changed. */
async function asked(wire: Wire, answers: readonly (readonly Said[])[], options: RunOptions & { readonly tools?: boolean }, providerOptions: AiSdkOptions = {}) {
  let numbers = 0;
  const server = await startStrict(wire.dialect(), ({ index }): StrictReply => wire.reply(answers[index] ?? [{ kind: "text", text: "none" }], () => (numbers += 1)));
  servers.push(server);
  const { tools: withTools, ...run } = options;
  const lash = createLash({ provider: aiSdk(wire.model(server.url), { reliability: { retry: { enabled: false } }, ...providerOptions }), logger: () => undefined, ...(withTools && { tools: [look] }) });
  const result = await (await lash.openSession("s")).run("go", run);
  await lash.close();
  return { result, bodies: server.requests.map(({ body }) => JSON.stringify(body)), headers: server.requests.map(({ headers }) => headers) };
}

const says = (text: string): readonly Said[] => [{ kind: "text", text }];
const calls = (name: string): readonly Said[] => [{ kind: "call", tool: name, input: { q: "x" } }];

describe.each(WIRES)("over $name (ME-17)", (wire) => {
  const legal = wire.name === "google" ? "web.look" : "web_look";

  test("an answer of a form is asked for, and comes, without tools and behind them", async () => {
    const plain = await asked(wire, [says('{"name":"Oslo","people":7}')], { output: city });
    expect(plain.result).toMatchObject({ value: { name: "Oslo", people: 7 }, errors: [] });
    expect(plain.bodies[0]).toContain("people");
    const behind = await asked(wire, [calls(legal), says('{"name":"Oslo","people":7}')], { output: city, tools: true });
    expect(behind.result).toMatchObject({ value: { name: "Oslo", people: 7 }, errors: [], toolCalls: [{ toolName: "web.look", status: "success" }] });
    expect(behind.bodies).toHaveLength(2);
    for (const body of behind.bodies) expect(body).toContain("people");
  });

  test("an answer that does not fit is asked for again in the same conversation", async () => {
    const { result, bodies } = await asked(wire, [says('{"name":7}'), says('{"name":"Oslo","people":7}')], { output: city });
    expect(result).toMatchObject({ value: { people: 7 }, errors: [] });
    expect(bodies[1]).toContain("does not fit");
  });

  test("a tool is demanded by the name that the wire knows it by, at the first call only", async () => {
    const { result, bodies } = await asked(wire, [calls(legal), says("ok")], { toolChoice: { tool: "web.look" }, tools: true });
    expect(result).toMatchObject({ text: "ok", errors: [] });
    const choiceIn = (body: string | undefined): string => JSON.stringify(/"(?:tool_choice|toolConfig)":(\{.*?\}\}?\}?|"[a-z]+")/.exec(body ?? "")?.[1] ?? "none");
    expect(choiceIn(bodies[0])).toContain(legal);
    expect(choiceIn(bodies[1])).not.toContain(legal);
  });

  test("how to generate, what only its client understands, and headers arrive", async () => {
    const { bodies, headers, result } = await asked(wire, [says("ok")], { generation: { outputTokenCap: 1_234 }, headers: { "x-asked": "yes" } });
    expect(result).toMatchObject({ text: "ok", errors: [] });
    expect(bodies[0]).toMatch(/"max\w*[tT]okens?":1234/);
    expect(headers[0]).toMatchObject({ "x-asked": "yes" });
  });
});

describe("tools that the provider runs itself (ME-19)", () => {
  const anthropic = createAnthropic({ apiKey: "key" });
  const openai = createOpenAI({ apiKey: "key" });
  const own = new Map<string, object>([["anthropic", anthropic.tools.webSearch_20250305({ maxUses: 2 })], ["responses", openai.tools.webSearch({})]]);

  test.each(WIRES.filter(({ name }) => own.has(name)))("over $name are offered beside the host's, told and traced as providerExecuted, and never run here", async (wire) => {
    let numbers = 0;
    const answers: readonly (readonly Said[])[] = [[{ kind: "search", query: "weather" }, { kind: "text", text: "It rains." }], says("Still.")];
    const server = await startStrict(wire.dialect(), ({ index }) => wire.reply(answers[index] ?? [], () => (numbers += 1)));
    servers.push(server);
    const trace = memoryTrace();
    const lash = createLash({ provider: aiSdk(wire.model(server.url), { providerTools: [own.get(wire.name)] as never }), logger: () => undefined, tools: [look], trace: { sink: trace } });
    const session = await lash.openSession("s");
    const seen: TurnActivity[] = [];
    const result = await session.run("go", { onActivity: (activity) => void seen.push(activity) });
    expect(result).toMatchObject({ text: "It rains.", errors: [], toolCalls: [] });
    expect(JSON.stringify(server.requests[0]?.body["tools"])).toMatch(/web_look.*web_search|web_search.*web_look/);
    const told = seen.filter(({ type }) => type === "tool_call_started" || type === "tool_call_completed");
    expect(told).toMatchObject([{ type: "tool_call_started", name: "web_search", providerExecuted: true }, { type: "tool_call_completed", providerExecuted: true, output: { outcome: { status: "success" } } }]);
    const parts = session.observe().readView.messages.at(-1)?.parts ?? [];
    expect(parts.filter(({ providerExecuted }) => providerExecuted).map(({ kind }) => kind)).toEqual(["ToolCall", "ToolResult"]);
    expect(await session.run("and now?")).toMatchObject({ text: "Still.", errors: [] });
    await lash.close();
    expect(JSON.stringify(trace.records)).toContain("web_search");
  });
});
