// Providers that stand in for each other (ME-21, ME-3).

import { describe, expect, test } from "vitest";
import { createLash, fallback, tool, type Provider, type TurnActivity } from "../../src/index.ts";
import * as z from "zod";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { manualClock, scriptedProvider, type ProviderScript, type ScriptedProvider, type ScriptedProviderOptions } from "../../src/testing/index.ts";
import { zeroUsage } from "../../src/domain/usage.ts";
import { staysOpen } from "../support/lash.ts";

const named = (id: string, script: ProviderScript, options: ScriptedProviderOptions = {}): ScriptedProvider =>
  scriptedProvider(script, { id, modelId: `model-${id}`, reliability: { retry: { maxAttempts: 2, baseDelayMs: 0 } }, ...options });
const down: ProviderScript = () => ({ text: ["half "], reasoning: { text: "hm" }, failure: { kind: "http", status: 503, retryable: true }, usage: {} });
const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });

async function host(provider: Provider, engine: Engine = memoryEngine(), id = "s") {
  const clock = manualClock(1_000);
  const lash = createLash({ effects: "journaled", store: { engine: staysOpen(engine), liveness: opaqueLiveness }, clock, logger: () => undefined, tools: [look], provider });
  const session = await lash.openSession(id);
  const seen: TurnActivity[] = [];
  const run = (input: string, options = {}) => clock.runUntil(session.run(input, { ...options, onActivity: (activity) => void seen.push(activity) }));
  return { lash, session, clock, run, seen };
}

describe("where the first one gives up with a failure that may pass (ME-21)", () => {
  test("the next one answers; what the first had shown is taken back, and all attempts are told", async () => {
    const [a, b] = [named("a", down), named("b", ["whole"])];
    const { run, seen, session } = await host(fallback([a, b]));
    expect(await run("go")).toMatchObject({ text: "whole", isSuccess: true, errors: [] });
    expect([a.requests.length, b.requests.length]).toEqual([2, 1]);
    const rows = new Map<string, string>();
    for (const activity of seen) {
      if (activity.type === "assistant_prose_delta") rows.set(activity.correlationId, (rows.get(activity.correlationId) ?? "") + activity.text);
      if (activity.type === "model_attempt_reset") for (const row of activity.assistantProseCorrelationIds) rows.delete(row);
    }
    expect([...rows.values()].join("")).toBe("whole");
    const resets = seen.flatMap((activity) => (activity.type === "model_attempt_reset" ? [[activity.assistantProseCorrelationIds.length, activity.reasoningCorrelationIds.length]] : []));
    expect(resets).toEqual([[1, 1], [1, 1]]);
    expect(seen.filter(({ type }) => type === "retry_status").at(-1)).toMatchObject({ waitSeconds: 0, reason: expect.stringContaining("b is asked instead") });
    expect(session.observe().readView.messages.at(-1)?.answer).toMatchObject({ provider: "b", model: "model-b" });
  });

  test("each is asked for its own model, a model that the host names is asked of the first, and one that is given for a member wins", async () => {
    const [a, b, c] = [named("a", down), named("b", down), named("c", () => "ok")];
    const { run } = await host(fallback([a, b, { provider: c, model: "big" }]));
    await run("one");
    await run("two", { model: { id: "another" } });
    expect([a, b, c].map(({ requests }) => requests.map(({ model }) => model).filter((model, index, all) => all.indexOf(model) === index))).toEqual([["", "another"], [""], ["big"]]);
  });

  test("what is bound to one is not sent to the other, and goes back to its own (ME-3)", async () => {
    let isDown = false;
    const a = named("a", (_request, index) => (isDown ? { failure: {} } : index === 0 ? { reasoning: { text: "hm", replay: { signature: "of-a" } }, toolCalls: [{ name: "look" }] } : "from a"));
    const b = named("b", () => "from b");
    const { run } = await host(fallback([a, b]));
    await run("one");
    isDown = true;
    expect(await run("two")).toMatchObject({ text: "from b" });
    expect(JSON.stringify(b.requests[0]?.messages)).not.toContain("of-a");
    expect(JSON.stringify(b.requests[0]?.messages)).toContain("seen");
    isDown = false;
    expect(await run("three")).toMatchObject({ text: "from a" });
    expect(JSON.stringify(a.requests.at(-1)?.messages)).toContain("of-a");
    expect(JSON.stringify(a.requests.at(-1)?.messages)).toContain("from b");
  });

  test("each is sent what it takes, under the names that it takes", async () => {
    const dotted = tool({ name: "web.look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
    const rule = { characters: "abcdefghijklmnopqrstuvwxyz._", maxLength: 64 };
    const [a, b] = [named("a", down, { wire: { toolName: rule } }), named("b", (_request, index) => (index === 0 ? { toolCalls: [{ name: "web_look" }] } : "ok"))];
    const clock = manualClock(1_000);
    const lash = createLash({ clock, logger: () => undefined, tools: [dotted], provider: fallback([a, b]) });
    expect(await clock.runUntil((await lash.openSession("s")).run("go"))).toMatchObject({ text: "ok", toolCalls: [{ toolName: "web.look", status: "success" }] });
    expect([a.requests[0]?.tools[0]?.name, b.requests[0]?.tools[0]?.name]).toEqual(["web.look", "web_look"]);
  });

  test("usage of all attempts counts", async () => {
    const failing: ProviderScript = () => ({ text: "x", failure: { kind: "http", retryable: true } });
    const counted: Provider = { ...named("a", failing), complete: async (_request, call) => {
      await call.onStreamEvent?.({ type: "usage", usage: { ...zeroUsage, inputTokens: 100 } });
      throw new Error("503");
    }, classify: (failure) => ({ ...failure, retryable: true }) };
    const { run } = await host(fallback([counted, named("b", ["ok"])]));
    expect((await run("go")).usage).toMatchObject({ inputTokens: 210, outputTokens: 5 });
  });
});

describe("otherwise (ME-21)", () => {
  test.each([["a refusal", { kind: "auth", status: 401, retryable: false }], ["an invalid request", { kind: "validation", status: 400, retryable: false }]])("%s of the first ends the call", async (_what, failure) => {
    const [a, b] = [named("a", () => ({ failure: failure as never })), named("b", ["never"])];
    const { run } = await host(fallback([a, b]));
    expect(await run("go")).toMatchObject({ isSuccess: false, outcome: { stop: "provider_error" } });
    expect([a.requests.length, b.requests.length]).toEqual([1, 0]);
  });

  test("where none of them answers, the failure is the last one's, and what that one had said is kept", async () => {
    const { run } = await host(fallback([named("a", down), named("b", () => ({ text: "half of b", failure: { message: "b is down" } }))]));
    expect(await run("go")).toMatchObject({ isSuccess: false, text: "half of b", errors: [{ message: expect.stringContaining("b is down") }] });
  });

  test("a call that is cancelled is not made to the next", async () => {
    const [a, b] = [named("a", () => ({ hang: true })), named("b", ["never"])];
    const { session } = await host(fallback([a, b]));
    const turn = session.turn("go");
    const result = turn.result;
    while (a.running === 0) await Promise.resolve();
    await turn.cancel();
    expect(await result).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(b.requests).toHaveLength(0);
  });

  test("a session is recorded with its id, which is stable or given, and reopens with it alone", async () => {
    const engine = memoryEngine();
    const make = (id?: string) => fallback([named("a", () => "ok"), named("b", () => "ok")], id === undefined ? {} : { id });
    expect(make().id).toBe("fallback:a,b");
    const first = await host(make(), engine);
    await first.run("one");
    await first.lash.close();
    const again = await host(make(), engine);
    expect(await again.run("two")).toMatchObject({ isSuccess: true });
    await again.lash.close();
    await expect((await host(named("a", ["ok"]), engine)).run("three")).rejects.toMatchObject({ code: "provider_mismatch" });
    const alone = await host(named("a", ["ok"]), engine, "t");
    await alone.run("one");
    await alone.lash.close();
    expect(await (await host(make("a"), engine, "t")).run("two")).toMatchObject({ isSuccess: true });
  });

  test("a lash that closes closes them all; wrapped, it is still asked in turn", async () => {
    const closed: string[] = [];
    const closing = (id: string, script: ProviderScript): Provider => ({ ...named(id, script), close: async () => void closed.push(id) });
    const { lash, run } = await host(fallback([closing("a", down), closing("b", ["ok"])]));
    await run("go");
    await lash.close();
    expect(closed).toEqual(["a", "b"]);
    const inner = fallback([named("a", down), named("b", ["wrapped"])]);
    expect(await (await host({ ...inner, complete: (request, call) => inner.complete(request, call) })).run("go")).toMatchObject({ text: "wrapped" });
  });

  test.each<[string, () => unknown]>([
    ["at least one", () => fallback([])], ["array", () => fallback("a" as never)], ["providers[1]", () => fallback([named("a", []), {} as never])],
    ["name", () => fallback([named("a", [])], { name: "x" } as never)], ["id", () => fallback([named("a", [])], { id: "" })],
  ])("what cannot be is refused at once: %s", (named, make) => {
    expect(make).toThrow(named);
  });
});
