// Settings of one turn: they hold until it ends, whoever ends it, and nothing of them becomes the session's (T-15, FA-24).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { switchFrame, tool, type Provider, type Tool } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, gate, manualClock, scriptedProvider } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes, keysOf, rowsOf } from "../support/rows.ts";

const look: Tool = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
const script = byToolResults([{ toolCalls: [{ name: "look" }] }, "done"]);
const systemOf = ({ messages }: LlmRequest): string => messages.flatMap(({ role, blocks }) => (role === "system" ? blocks.map((block) => (block.type === "text" ? block.text : "")) : []))[0] ?? "";

test("model, prompt and limit of a turn are laid over the session's; the next turn has the session's again, and that is what is recorded (T-15, FA-24, PP-43, PP-46)", async () => {
  const { lash, provider, engine, clock } = testLash({ script: () => ({ toolCalls: [{ name: "look" }] }), tools: [look], prompt: "One.", maxTurns: 2 });
  const session = await lash.openSession("s", { prompt: "Two.", model: { id: "own" } });
  expect(await session.run("go", { model: { id: "big", contextWindowTokens: 9_000 }, prompt: "Three.", maxTurns: 1 })).toMatchObject({ outcome: { stop: "max_turns" } });
  expect(provider.requests.map((request) => [request.model, systemOf(request)])).toEqual([["big", "One.\n\nTwo.\n\nThree."]]);
  await session.run("go");
  expect(provider.requests.slice(1).map((request) => [request.model, systemOf(request)])).toEqual([["own", "One.\n\nTwo."], ["own", "One.\n\nTwo."]]);
  const read = await createPersistence(engine, { clock }).sessions.load("s", { kind: "full_graph" });
  expect(read?.head.policy).toEqual({ providerId: "scripted", model: { id: "own" }, maxTurns: 2 });
  // Each call is booked under the model that answered.
  expect(read?.ledger.map(({ model, usage }) => [model, usage.inputTokens])).toEqual([["big", 10], ["own", 20]]);
});

test("a turn's provider answers this turn with its own model; the session keeps its provider, also where the first turn had another (T-15, PP-27)", async () => {
  const guest = scriptedProvider(["guest"], { id: "guest", modelId: "guest-model" });
  const { lash, engine } = testLash({ script: ["host"] });
  const session = await lash.openSession("s");
  expect((await session.run("go", { provider: guest })).text).toBe("guest");
  expect(guest.requests.map(({ model }) => model)).toEqual(["guest-model"]);
  expect((await session.run("go")).text).toBe("host");
  expect(session.observe().readView.policy).toMatchObject({ providerId: "scripted", model: { id: "scripted-model" } });
  const reopened = await testLash({ engine, script: ["again"] }).lash.openSession("s");
  expect((await reopened.run("go")).text).toBe("again");
});

describe.each(engineCases())("on $name", ({ open }) => {
  test("killed at any engine call, the turn goes on with what was laid over, and the session records its own (FA-24, OP-7, E-45)", async () => {
    const deaths = await crashEverywhere<LlmRequest[]>({
      open,
      world: () => [],
      job: async (process, clock, requests) => {
        const { lash, provider } = testLash({ engine: process.engine, clock, script, tools: [look], model: { id: "own" } });
        const session = await lash.openSession("s", { prompt: "Two." });
        const turn = session.run("go", { turnId: "t", model: { id: "big" }, prompt: "Three.", maxTurns: 9 });
        void process.died.then(() => requests.push(...provider.requests));
        await turn;
      },
      check: async (disk, clock, requests) => {
        const next = testLash({ engine: disk, clock, script, tools: [look] });
        const recovered = await next.lash.recover();
        for (const request of [...requests, ...next.provider.requests]) expect([request.model, systemOf(request)]).toEqual(["big", "Two.\n\nThree."]);
        const session = await next.lash.openSession("s");
        const { revision, policy } = session.observe().readView;
        if (recovered.length > 0) expect(recovered).toMatchObject([{ result: { isSuccess: true } }]);
        // Nothing is recorded of a turn that was never accepted.
        expect(policy).toEqual({ providerId: "scripted", model: { id: revision > 0 ? "own" : "scripted-model" }, maxTurns: null });
        await session.run("go");
        expect(systemOf(next.provider.requests.at(-1) ?? expect.fail())).toBe(revision > 0 ? "Two." : "");
        expect(await heldLanes(disk)).toEqual([]);
        await next.lash.close();
      },
    });
    expect(deaths).toBeGreaterThan(10);
  });
});

test("a chain of frames keeps what its first turn was given, also where another process makes the second one; the session keeps its own (FA-24, FA-25, T-67)", async () => {
  const [engine, clock, begun] = [memoryEngine(), manualClock(1_000), gate()];
  const process = new Mortal(engine);
  const move = tool({ name: "move", description: "", input: z.object({}), readOnly: true, run: () => switchFrame({ frameId: "work", task: "carry on" }) });
  const dying = testLash({ engine: process.engine, clock, tools: [move], script: [{ toolCalls: [{ name: "move" }] }, { text: "too late", before: begun }] });
  void (await dying.lash.openSession("s", { model: { id: "own" } })).run("go", { turnId: "t", model: { id: "big" }, prompt: "Three." });
  await begun.reached;
  process.kill();
  await clock.advance(31_000);
  const next = testLash({ engine, clock, tools: [move], script: () => "arrived" });
  expect(await next.lash.recover()).toMatchObject([{ turnId: "t:agent-frame:1", result: { text: "arrived" } }]);
  expect([...dying.provider.requests, ...next.provider.requests].map((request) => [request.model, systemOf(request)])).toEqual(Array.from({ length: 3 }, () => ["big", "Three."]));
  expect((await next.lash.openSession("s")).observe().readView).toMatchObject({ revision: 2, policy: { model: { id: "own" } } });
});

describe("a provider is live (T-8, PP-27)", () => {
  async function dieWithGuest() {
    const [engine, clock, begun] = [memoryEngine(), manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const guest = scriptedProvider([{ text: "too late", before: begun }], { id: "guest" });
    void (await testLash({ engine: process.engine, clock }).lash.openSession("s")).run("go", { turnId: "t", provider: guest });
    await begun.reached;
    process.kill();
    await clock.advance(31_000);
    return { engine, clock };
  }

  test("who has no provider of the turn's id leaves the turn in flight; who has one finishes it: as the lash's, the session's or again the turn's (PP-26, OP-7)", async () => {
    const guest = (): Provider => scriptedProvider(["at last"], { id: "guest" });
    const death = await dieWithGuest();
    const host = testLash({ ...death, script: ["host"] });
    expect(await host.lash.recover()).toMatchObject([{ error: { code: "provider_mismatch", details: { expected: "guest", actual: "scripted" } } }]);
    const session = await host.lash.openSession("s");
    // No input is passed over: a turn that nobody here can finish holds up the one that comes after it.
    await expect(session.run("next")).rejects.toMatchObject({ code: "provider_mismatch" });
    expect(await session.run("go", { turnId: "t", provider: guest() })).toMatchObject({ text: "at last" });
    expect((await session.run("next")).text).toBe("host");
    const asLash = await dieWithGuest();
    expect(await testLash({ ...asLash, script: ["found"], providerOptions: { id: "guest" } }).lash.recover()).toMatchObject([{ result: { text: "found" } }]);
    const asSession = await dieWithGuest();
    const opened = await testLash(asSession).lash.openSession("s", { provider: guest() });
    expect(await opened.run("go", { turnId: "t" })).toMatchObject({ text: "at last" });
  });

  test("one that cannot even say who it is, is llm_provider, and nothing is accepted (T-15)", async () => {
    const { lash, engine } = testLash();
    const session = await lash.openSession("s");
    const broken = { ...scriptedProvider([]), get id(): string { throw new Error("not configured yet"); } };
    expect(() => session.turn("go", { provider: broken })).toThrowError(expect.objectContaining({ code: "llm_provider" }));
    expect(await keysOf(engine)).toEqual([]);
  });
});

describe("what is refused before anything is accepted (FA-24)", () => {
  test.each<[object, string, string]>([
    [{ model: { id: " " } }, "invalid_argument", "model.id"],
    [{ maxTurns: 0 }, "invalid_argument", "maxTurns"],
    [{ prompt: { slots: { outro: "x" } } }, "invalid_argument", "prompt.slots"],
    [{ provider: "gpt" }, "invalid_argument", "provider"],
    [{ tools: [] }, "invalid_argument", "turn options: tools"],
  ])("%j", async (options, code, field) => {
    const { lash, engine } = testLash();
    const session = await lash.openSession("s");
    expect(() => session.turn("go", options)).toThrowError(expect.objectContaining({ code, details: { field } }));
    expect(await rowsOf(engine)).toEqual([]);
  });

  test("a provider without a model of its own, and no model", async () => {
    const { modelId: _, ...nameless } = scriptedProvider([], { id: "nameless" });
    const session = await testLash().lash.openSession("s");
    expect(() => session.turn("go", { provider: nameless })).toThrowError(expect.objectContaining({ code: "missing_model_spec" }));
  });
});
