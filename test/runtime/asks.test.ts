// What a host asks of the model beside the conversation (ME-17).

import { describe, expect, expectTypeOf, test, vi } from "vitest";
import * as z from "zod";
import { createLash, tool, type Json } from "../../src/index.ts";
import { gate, manualClock, scriptedProvider, type ProviderScript } from "../../src/testing/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";

const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
const city = z.object({ name: z.string(), people: z.number().default(0) });
const asJson = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };

describe.each(engineCases())("an answer of a given form, on $name (ME-17)", ({ open }) => {
  test("is the turn's value, also behind tools, and for whoever asks by the turn's id after a restart", async () => {
    const engine = open();
    const script: ProviderScript = (_request, index) => (index === 0 ? { toolCalls: [{ name: "look" }] } : '{"name":"Oslo"}');
    const first = testLash({ engine, script, tools: [look] });
    const session = await first.lash.openSession("s");
    const result = await session.run("go", { turnId: "t", output: city });
    expect(result).toMatchObject({ value: { name: "Oslo", people: 0 }, isSuccess: true, errors: [], outcome: { kind: "finished", finish: "final_value", value: { name: "Oslo" } } });
    expect(first.provider.requests[0]?.outputSpec).toMatchObject({ type: "jsonSchema", schema: { type: "object", required: ["name"] } });
    await first.lash.close();
    const next = await testLash({ engine }).lash.openSession("s");
    expect(await next.run("go", { turnId: "t" })).toMatchObject({ value: { name: "Oslo" }, outcome: { finish: "final_value" } });
    expect(await next.run("go", { turnId: "t", output: city })).toMatchObject({ value: { name: "Oslo", people: 0 } });
  });

  test("that does not fit is asked for again, twice, with the problem named", async () => {
    const script: ProviderScript = (_request, index) => ["no JSON", '{"name":7}', '```json\n{"name":"Oslo"}\n```'][index] ?? "none";
    const host = testLash({ engine: open(), script });
    const session = await host.lash.openSession("s");
    expect(await session.run("go", { output: asJson })).toMatchObject({ value: { name: "Oslo" }, errors: [] });
    expect(host.provider.requests).toHaveLength(3);
    const shown = host.provider.requests.map(({ messages }) => JSON.stringify(messages.at(-1)));
    expect(shown[1]).toContain("not JSON");
    expect(shown[2]).toContain("name");
    expect(transcriptOf(session).at(-1)).toContain("Oslo");
  });

  test("that never fits ends the turn, names what is wrong, and leaves the session usable", async () => {
    const host = testLash({ engine: open(), script: (_request, index) => (index < 3 ? '{"name":7}' : "fine") });
    const session = await host.lash.openSession("s");
    const result = await session.run("go", { output: city });
    expect(result).toMatchObject({ isSuccess: false, outcome: { stop: "provider_error" }, text: '{"name":7}' });
    expect(result.errors[0]).toMatchObject({ code: "invalid_structured_output", message: expect.stringContaining("name") });
    expect(result.value).toBeUndefined();
    expect(await session.run("and?")).toMatchObject({ text: "fine", isSuccess: true });
  });
});

describe("how it is asked (ME-17)", () => {
  test("questions that are asked again count against the limit", async () => {
    const host = testLash({ script: () => "no", maxTurns: 2 });
    expect(await (await host.lash.openSession("s")).run("go", { output: city })).toMatchObject({ outcome: { stop: "max_turns" } });
    expect(host.provider.requests).toHaveLength(2);
  });

  test("a turn wins over its session, that over the lash, field by field; a turn that says nothing has theirs", async () => {
    const host = testLash({ script: () => "ok", generation: { temperature: 1, topK: 4 }, reasoning: "low" });
    const session = await host.lash.openSession("s", { generation: { temperature: 0.5 }, providerOptions: { vendor: { a: 1, b: 1 } } });
    await session.run("one", { generation: { seed: 7 }, reasoning: "high", providerOptions: { vendor: { b: 2 } }, headers: { "x-one": "1" } });
    await session.run("two");
    expect(host.provider.requests.map(({ generation, reasoning, providerOptions, headers }) => ({ generation, reasoning, providerOptions, headers }))).toEqual([
      { generation: { temperature: 0.5, topK: 4, seed: 7 }, reasoning: "high", providerOptions: { vendor: { a: 1, b: 2 } }, headers: { "x-one": "1" } },
      { generation: { temperature: 0.5, topK: 4 }, reasoning: "low", providerOptions: { vendor: { a: 1, b: 1 } }, headers: undefined },
    ]);
  });

  test("a tool is demanded of the first model call, or of all", async () => {
    const script: ProviderScript = (_request, index) => (index % 2 === 0 ? { toolCalls: [{ name: "look" }] } : "done");
    const host = testLash({ script, tools: [look] });
    const session = await host.lash.openSession("s");
    await session.run("one", { toolChoice: { tool: "look" } });
    await session.run("two", { toolChoice: { choice: "required", calls: "all" } });
    expect(host.provider.requests.map(({ toolChoice }) => toolChoice)).toEqual([{ tool: "look" }, "auto", "required", "required"]);
  });

  test("headers are in no row of the store; whoever goes on sends its own", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const held = gate();
    const dying = new Mortal(engine);
    const slow = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => held.pass() });
    const script: ProviderScript = (request) => (request.messages.length > 1 ? '{"name":"Oslo"}' : { toolCalls: [{ name: "look" }] });
    void (await testLash({ engine: dying.engine, clock, tools: [slow], script, headers: { authorization: "Bearer first" } }).lash.openSession("s")).run("go", { turnId: "t", output: city });
    await held.reached;
    dying.kill();
    await clock.advance(31_000);
    expect(JSON.stringify(await engine.read((tx) => tx.range([], ["\uffff"])))).not.toContain("Bearer");
    const next = testLash({ engine, clock, tools: [look], script, headers: { authorization: "Bearer second" } });
    expect(await clock.runUntil(next.lash.recover())).toMatchObject([{ result: { value: { name: "Oslo" } } }]);
    expect(next.provider.requests[0]).toMatchObject({ headers: { authorization: "Bearer second" }, outputSpec: { schema: { required: ["name"] } } });
  });

  test.each([
    [{ output: 7 }, "output"], [{ output: z.object({ at: z.date() }) }, "output"], [{ toolChoice: "must" }, "toolChoice"], [{ toolChoice: { tool: "" } }, "toolChoice"],
    [{ toolChoice: { choice: "none", calls: "some" } }, "toolChoice.calls"], [{ generation: { temperature: "hot" } }, "generation.temperature"], [{ generation: { heat: 1 } }, "heat"],
    [{ reasoning: "much" }, "reasoning"], [{ providerOptions: { vendor: 1 } }, "providerOptions"], [{ headers: { a: 1 } }, "headers"],
  ])("%j is refused by name before anything is durable, for lash, session and turn", async (options, field) => {
    expect(() => createLash({ provider: scriptedProvider(["done"]), ...(options as object) })).toThrow(field);
    const { lash, provider } = testLash();
    await expect(lash.openSession("s", options as never)).rejects.toThrow(field);
    const session = await lash.openSession("s");
    await expect(session.run("go", options as never)).rejects.toThrow(field);
    expect(provider.requests).toHaveLength(0);
  });
});

test("a checker of JSON Schemas that cannot be loaded ends no turn: nothing is accepted, and one that is in flight stays so (ME-17)", async () => {
  const engine = memoryEngine();
  const clock = manualClock(1_000);
  const held = gate();
  const dying = new Mortal(engine);
  const doing = testLash({ engine: dying.engine, clock, script: async () => (await held.pass(), "never") });
  void (await doing.lash.openSession("s")).run("go", { turnId: "t", output: asJson });
  await held.reached;
  dying.kill();
  await clock.advance(31_000);
  const before = await engine.read((tx) => tx.range([], ["\uffff"]));
  vi.resetModules();
  vi.doMock("../../src/providers/json-schema.ts", () => {
    throw new Error("no such chunk");
  });
  try {
    const cut = testLash({ engine, clock, script: () => '{"name":"Oslo"}' });
    const fresh = await cut.lash.openSession("fresh");
    await expect(fresh.run("go", { output: asJson })).rejects.toMatchObject({ code: "llm_provider", message: expect.stringContaining("could not be loaded") });
    expect(JSON.stringify(await engine.read((tx) => tx.range([], ["\uffff"])))).not.toContain("fresh");
    await expect(fresh.run("plain")).resolves.toMatchObject({ isSuccess: true });
    expect(await clock.runUntil(cut.lash.recover())).toMatchObject([{ error: { message: expect.stringContaining("could not be loaded") } }]);
    await cut.lash.close();
    expect((await engine.read((tx) => tx.range(["turn"], ["turn", "\uffff"]))).length).toBe(before.filter(({ key }) => key[0] === "turn").length);
  } finally {
    vi.doUnmock("../../src/providers/json-schema.ts");
    vi.resetModules();
  }
  const next = testLash({ engine, clock, script: () => '{"name":"Oslo"}' });
  expect(await clock.runUntil(next.lash.recover())).toMatchObject([{ result: { value: { name: "Oslo" } } }]);
});

test("result.value has the type of its schema (ME-17)", async () => {
  const { lash } = testLash({ script: () => '{"name":"Oslo"}' });
  const session = await lash.openSession("s");
  const { value } = await session.run("go", { output: city });
  expectTypeOf(value).toEqualTypeOf<{ name: string; people: number } | undefined>();
  const plain = await session.run("go", { output: asJson });
  expectTypeOf(plain.value).toEqualTypeOf<Json | undefined>();
  expectTypeOf(session.turn("go", { output: city }).result).resolves.toHaveProperty("value").toEqualTypeOf<{ name: string; people: number } | undefined>();
  expect([value?.people, plain.value]).toEqual([0, { name: "Oslo" }]);
});
