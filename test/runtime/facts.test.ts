// Requirements that need no scene of their own: what a turn, a session and their wiring promise, one fact each.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, LashError, tool, ToolError, type TurnActivity } from "../../src/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { memory } from "../../src/stores/memory/store.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, scriptedProvider } from "../../src/testing/index.ts";
import { activitiesOf, testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { heldLanes, keysOf, overwrite, rowsOf } from "../support/rows.ts";

const look = tool({ name: "look", description: "Looks.", input: z.object({}), readOnly: true, run: () => "seen" });
const looking = byAssistantMessages([{ text: "Let me see.", toolCalls: [{ name: "look" }] }, "done"]);

async function ran(options: TestLashOptions = {}) {
  const host = testLash({ script: looking, tools: [look], ...options });
  const session = await host.lash.openSession("s");
  // An answer that says nothing is asked for again after a while.
  const result = await host.clock.runUntil(session.run("go", { turnId: "t" }));
  const read = await createPersistence(host.engine, { clock: host.clock }).sessions.load("s", { kind: "full_graph" });
  return { ...host, session, result, read };
}

describe("turns", () => {
  test("times come from the injected clock alone: the start as wall time, the duration measured (T-2)", async () => {
    const hold = gate();
    const { lash, clock } = testLash({ script: [{ text: "late", before: hold }] });
    const running = (await lash.openSession("s")).run("go");
    await hold.reached;
    await clock.advance(1_234);
    hold.open();
    expect((await running).execution).toEqual({ startedAtMs: 1_000, durationMs: 1_234 });
  });

  test("a model is sent the prompt of lash and session, the history, all tools and the call's scope (T-36, T-40, PP-3, PP-36)", async () => {
    const { lash, provider } = testLash({ prompt: "Be brief.", tools: [look] });
    await (await lash.openSession("s", { prompt: "Be kind." })).run("go", { turnId: "t" });
    expect(provider.requests[0]).toMatchObject({
      tools: [{ name: "look", description: "Looks." }],
      toolChoice: "auto",
      scope: { sessionId: "s", agentFrameId: "s:frame:initial", requestId: "s:turn:t:llm:0" },
    });
    const system = JSON.stringify(provider.requests[0]);
    expect(system).toContain("Be brief.\\n\\nBe kind.");
  });

  test("a blank prompt sends no system message (T-36, PP-36)", async () => {
    const { provider } = await ran({ prompt: "  " });
    expect(provider.requests[0]?.messages.map(({ role }) => role)).toEqual(["user"]);
  });

  test("every wait between two attempts of a model call says how long, which attempt, and why (T-49)", async () => {
    const { lash, clock } = testLash({ script: (_request, index) => (index === 0 ? { failure: { message: "cut" } } : "done") });
    const turn = (await lash.openSession("s")).turn("go");
    const activities = await clock.runUntil(activitiesOf(turn));
    expect(activities.find(({ type }) => type === "retry_status")).toMatchObject({ waitSeconds: 2, attempt: 2, maxAttempts: 4, reason: expect.stringContaining("cut") as string });
  });

  test("what a turn cost is booked once under its source and model, and adds up over turns (T-79, FA-70)", async () => {
    const { session, engine, clock } = await ran();
    await session.run("more", { turnId: "u" });
    const read = await createPersistence(engine, { clock }).sessions.load("s", { kind: "full_graph" });
    expect(read?.ledger).toMatchObject([{ source: "turn", model: "scripted-model", usage: { inputTokens: 30, outputTokens: 15 } }]);
  });

  test("a recorded turn asked for again books nothing twice (E-11, T-79, EE-11)", async () => {
    const { session, engine } = await ran();
    const before = await rowsOf(engine);
    await session.run("go", { turnId: "t" });
    expect(await rowsOf(engine)).toEqual(before);
  });

  test("a blank turn id is refused before anything is durable (E-2, FA-21)", async () => {
    const { lash, engine } = testLash();
    const session = await lash.openSession("s");
    for (const turnId of ["", "  "]) expect(() => session.turn("go", { turnId })).toThrow("blank");
    expect(await keysOf(engine)).toEqual([]);
  });

  test("the turn's id is the one given, else that of the input, else a fresh one (FA-20, FA-21)", async () => {
    const { lash } = testLash({ newId: () => "fresh" });
    const session = await lash.openSession("s");
    const input = { items: [], traceTurnId: "traced" };
    expect([session.turn("go", { turnId: "given" }).id, session.turn(input).id, session.turn("go").id]).toEqual(["given", "traced", "fresh"]);
    expect(() => session.turn(input, { turnId: "other" })).toThrow(LashError);
  });

  test("a provider that fails and a tool that fails are outcomes; a lane that is held is thrown (FA-26, ER-7)", async () => {
    const failed = await ran({ script: [{ failure: { kind: "auth", message: "no", retryable: false } }] });
    expect(failed.result).toMatchObject({ isSuccess: false, errors: [{ retryable: false, providerFailureKind: "auth" }] });
    const hold = gate();
    const { lash, engine, clock } = testLash({ script: [{ text: "x", before: hold }] });
    const running = (await lash.openSession("s")).run("go");
    await hold.reached;
    const error: unknown = await (await testLash({ engine, clock }).lash.openSession("s")).run("me", { wait: false }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "session_execution_busy", isRetryable: true, isTerminal: false });
    hold.open();
    await running;
  });

  test("success is an outcome that finished, nothing else (FA-28)", async () => {
    expect((await ran()).result.isSuccess).toBe(true);
    expect((await ran({ script: [{ failure: { kind: "auth", message: "no" } }] })).result.isSuccess).toBe(false);
  });

  test("a cancel wins over every other way to end (ER-7, T-58)", async () => {
    const hold = gate();
    const { lash } = testLash({ script: [{ text: ["half", hold], failure: { kind: "auth", message: "no", retryable: false } }] });
    const turn = (await lash.openSession("s")).turn("go");
    const { result } = turn;
    await hold.reached;
    turn.cancel();
    hold.open();
    expect(await result).toMatchObject({ outcome: { kind: "stopped", stop: "cancelled" } });
  });

  test("streamed text is not said again at the end, and stands in the transcript once (PP-41, T-44, TT-9)", async () => {
    const { lash } = testLash({ script: [{ text: ["Hel", "lo"] }] });
    const session = await lash.openSession("s");
    const deltas = (await activitiesOf(session.turn("go"))).flatMap((one: TurnActivity) => (one.type === "assistant_prose_delta" ? [one.text] : []));
    expect(deltas).toEqual(["Hel", "lo"]);
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose Hello"]);
  });
});

describe("what is stored", () => {
  test("a message's node has its id; each node hangs on the one before and names its frame (S-3, S-4, S-49)", async () => {
    const { read } = await ran();
    expect(read?.nodes.map(({ nodeId, parentNodeId, agentFrameId }) => [nodeId, parentNodeId, agentFrameId])).toEqual([
      ["t:0", undefined, "s:frame:initial"], ["t:1", "t:0", "s:frame:initial"], ["t:2", "t:1", "s:frame:initial"], ["t:3", "t:2", "s:frame:initial"],
    ]);
  });

  test("revisions count from 1 without gaps, each turn one (S-49, P-17)", async () => {
    const { session, result } = await ran();
    const next = await session.run("b");
    expect([result.headRevision, next.headRevision, session.observe().readView.revision]).toEqual([1, 2, 2]);
  });

  test("of the host's provider only its id is stored, of its model id and limits; no key and no provider object (S-24, PP-2, PP-29)", async () => {
    const provider = { ...scriptedProvider(["done"]), apiKey: "sk-very-secret" };
    const host = testLash();
    const session = await host.lash.openSession("s", { provider, model: { id: "big", contextWindowTokens: 1_000 } });
    await session.run("go");
    const read = await createPersistence(host.engine, { clock: host.clock }).sessions.load("s", { kind: "full_graph" });
    expect(read?.head.policy).toEqual({ providerId: "scripted", model: { id: "big", limits: { contextWindowTokens: 1_000 } }, maxTurns: null });
    expect(JSON.stringify(await rowsOf(host.engine))).not.toContain("sk-very-secret");
  });

  test.each([["a provider", { provider: { kind: "openai", apiKey: "sk" } }], ["something unknown", { temperature: 1 }]])(
    "a recorded policy that holds %s is refused with the key of its row, and not read in part (S-24)",
    async (_title, extra) => {
      const { engine, lash } = await ran();
      await lash.close();
      const holding = (await rowsOf(engine)).filter(({ value }) => typeof value === "object" && value !== null && "policy" in value);
      expect(holding.map(({ key }) => key.slice(0, 3))).toEqual([["s", "s", 0], ["s", "s", 1]]);
      for (const { key, value } of holding) {
        const row = value as { readonly policy: object };
        await overwrite(engine, { key, value: { ...row, policy: { ...row.policy, ...extra } } as never });
        const opened = testLash({ engine }).lash.openSession("s");
        await expect(opened).rejects.toMatchObject({ code: "stored_row_invalid", details: { key } });
        await overwrite(engine, { key, value });
      }
      expect(transcriptOf(await testLash({ engine }).lash.openSession("s"))).toHaveLength(4);
    },
  );

  test("a model named at open wins and is recorded by the next commit; none named, the recorded one holds (S-25, PP-27, design 7.5)", async () => {
    const engine = memoryEngine();
    const modelOf = async (options: TestLashOptions): Promise<string> => {
      const host = testLash({ engine, ...options });
      const session = await host.lash.openSession("s");
      await session.run("go");
      return session.observe().readView.policy.model.id;
    };
    expect([await modelOf({ model: { id: "big" } }), await modelOf({}), await modelOf({ model: { id: "small" } }), await modelOf({})]).toEqual(["big", "big", "small", "small"]);
  });

  test("every commit releases its lease, also that of a failed turn (S-52, S-63, T-73)", async () => {
    expect(await heldLanes((await ran()).engine)).toEqual([]);
    expect(await heldLanes((await ran({ script: [{ failure: { kind: "auth", message: "no" } }] })).engine)).toEqual([]);
  });

  test("the wire of a journaled call: its tools and their order, replay keys that append to their parent's (E-12)", async () => {
    const seen: string[] = [];
    const hold = gate();
    const host = testLash({ script: looking, tools: [tool({ name: "look", description: "", input: z.object({}), run: () => hold.pass().then(() => "x") })] });
    const running = (await host.lash.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    const turn = await createPersistence(host.engine, { clock: host.clock }).turns.load("s", "t");
    seen.push(...(turn?.journal.map(({ replayKey }) => replayKey) ?? []), ...(turn?.issued ?? []));
    expect(seen).toEqual(["s:t:0:0:llm_call:1", "s:t:0:0:tool_batch:2:child:0:call-1:attempt:1"]);
    hold.open();
    await running;
  });

  test("one batch per answer of the model, and in it an effect of its own for each call and each attempt (E-13)", async () => {
    const [hold, keys] = [gate(), [] as string[]];
    const shaky = tool({
      name: "look", description: "", input: z.object({}), retry: { maxAttempts: 3, baseDelayMs: 1, maxDelayMs: 1 },
      run: (_args, { attempt, callId }) => {
        if (callId === "call-2" && attempt < 3) throw new ToolError({ message: "busy", retry: { type: "safe" } });
        return "x";
      },
    });
    const script = byAssistantMessages([{ toolCalls: [{ name: "look" }, { name: "look" }] }, { toolCalls: [{ name: "look" }] }, { text: "done", before: hold }]);
    const host = testLash({ script, tools: [shaky] });
    const running = (await host.lash.openSession("s")).run("go", { turnId: "t" });
    await host.clock.runUntil(hold.reached);
    const turn = await createPersistence(host.engine, { clock: host.clock }).turns.load("s", "t");
    keys.push(...(turn?.journal.map(({ replayKey }) => replayKey) ?? []));
    expect(keys.filter((key) => key.includes("tool_batch")).toSorted()).toEqual([
      "s:t:0:0:tool_batch:2:child:0:call-1:attempt:1",
      "s:t:0:0:tool_batch:2:child:1:call-2:attempt:1",
      "s:t:0:0:tool_batch:2:child:1:call-2:attempt:2",
      "s:t:0:0:tool_batch:2:child:1:call-2:attempt:3",
      "s:t:0:1:tool_batch:5:child:0:call-3:attempt:1",
    ]);
    hold.open();
    await running;
  });

  test("a provider that says nothing of itself is asked four times, 2, 4 and 8 s apart, and each attempt has 300 s (PP-14)", async () => {
    const failing = testLash({ script: () => ({ failure: { message: "down" } }) });
    expect(await failing.clock.runUntil((await failing.lash.openSession("s")).run("go"))).toMatchObject({ outcome: { stop: "provider_error" } });
    expect([failing.provider.requests.length, failing.clock.now() - 1_000]).toEqual([4, 14_000]);
    const silent = testLash({ script: (_request, index) => (index === 0 ? { hang: true } : "at last") });
    expect(await silent.clock.runUntil((await silent.lash.openSession("s")).run("go"))).toMatchObject({ text: "at last" });
    expect([silent.provider.requests.length, silent.clock.now() - 1_000]).toEqual([2, 122_000]);
    const patient = testLash({ script: (_request, index) => (index === 0 ? { hang: true } : "at last"), providerOptions: { reliability: { chunkTimeoutMs: 10_000_000 } } });
    expect(await patient.clock.runUntil((await patient.lash.openSession("s")).run("go"))).toMatchObject({ text: "at last" });
    expect([patient.provider.requests.length, patient.clock.now() - 1_000]).toEqual([2, 302_000]);
  });
});

describe("sessions", () => {
  test("opening takes no lease and writes nothing; two handles may be open (FA-10, FA-16, S-86)", async () => {
    const { lash, engine } = testLash();
    await lash.openSession("s");
    await lash.openSession("s");
    expect(await keysOf(engine)).toEqual([]);
  });

  test("closing a session that never committed leaves nothing (S-45, FA-45)", async () => {
    const { lash, engine } = testLash();
    await (await lash.openSession("s")).close();
    expect(await keysOf(engine)).toEqual([]);
  });

  test("view and cursor are taken together, show the last commit while a turn runs, and never change (S-81, FA-50)", async () => {
    const hold = gate();
    const { lash } = testLash({ script: ["one", { text: "two", before: hold }] });
    const session = await lash.openSession("s");
    await session.run("a");
    const running = session.run("b");
    await hold.reached;
    const during = session.observe();
    expect(during).toMatchObject({ revision: 1, readView: { revision: 1, turnIndex: 1 } });
    const { messages } = during.readView;
    expect(messages).toHaveLength(2);
    hold.open();
    await running;
    expect(messages).toHaveLength(2);
    expect(Object.isFrozen(messages)).toBe(true);
    expect(session.observe()).toMatchObject({ revision: 2, readView: { revision: 2 } });
    expect(session.observe().cursor).not.toBe(during.cursor);
  });

  test("without a provider a session opens and reads; its turn is provider_unconfigured before anything is accepted (S-26, PP-26)", async () => {
    const lash = createLash({ store: memory() });
    const session = await lash.openSession("s");
    await expect(session.run("go")).rejects.toMatchObject({ family: "session", code: "provider_unconfigured", isTerminal: true });
    expect(session.observe().readView.revision).toBe(0);
    await lash.close();
  });

  test("another provider than the recorded one is provider_mismatch at the turn, naming both, and nothing changes (S-26, PP-26, PP-27)", async () => {
    const { engine, lash } = await ran();
    await lash.close();
    const other = testLash({ engine, providerOptions: { id: "someone-else" } });
    const session = await other.lash.openSession("s");
    const before = await rowsOf(engine);
    await expect(session.run("go")).rejects.toMatchObject({ code: "provider_mismatch", isTerminal: true, details: { expected: "scripted", actual: "someone-else" } });
    expect(await rowsOf(engine)).toEqual(before);
  });
});

describe("wiring", () => {
  const provider = scriptedProvider(["done"]);
  test.each<[string, object, string]>([
    ["a model id that is blank (S-23, FA-5)", { provider, model: { id: " " } }, "model.id"],
    ["a window of zero tokens (S-23, FA-5)", { provider, model: { id: "m", contextWindowTokens: 0 } }, "model.contextWindowTokens"],
    ["an output capacity of zero (S-23, FA-5)", { provider, model: { id: "m", outputTokenCapacity: 0 } }, "model.outputTokenCapacity"],
    ["two tools of one name (FA-7)", { tools: [look, look] }, "look"],
    ["an option that does not exist (FA-1)", { stor: memory() }, "stor"],
  ])("createLash refuses %s and names it (FA-1)", (_title, options, field) => {
    expect(() => createLash(options)).toThrow(field);
  });

  test("blank model ids and zero limits are refused where the lash is made, and where a session is opened (S-23, FA-5, FA-9)", async () => {
    const { lash } = testLash();
    await expect(lash.openSession("s", { model: { id: "" } })).rejects.toMatchObject({ code: "invalid_argument" });
    expect(() => createLash({ provider: { ...provider, modelId: "" } })).toThrow(expect.objectContaining({ code: "missing_model_spec", isTerminal: true }) as Error);
  });

  test("without limits nothing is guessed: the request carries no cap and the window is unknown (FA-9, PP-29)", async () => {
    const { provider: model, session } = await ran();
    expect(model.requests[0]?.generation).toEqual({});
    expect(session.observe().readView.policy.model).toEqual({ id: "scripted-model" });
  });

  test("tools of a lash are those it was made with: a list that changes later changes nothing (FA-6)", async () => {
    const tools = [look];
    const host = testLash({ tools });
    tools.pop();
    await (await host.lash.openSession("s")).run("go");
    expect(host.provider.requests[0]?.tools.map(({ name }) => name)).toEqual(["look"]);
  });

  test("a turn on the default host needs no controller, scope or effects: they follow from its id (FA-82, E-33)", async () => {
    expect((await ran({ effects: "journaled" })).result.isSuccess).toBe(true);
    expect((await ran({ effects: "inline" })).result.isSuccess).toBe(true);
  });

  test("every refusal is one class with a code, and never both retryable and terminal (FA-75, FA-76, S-85, ER-19)", async () => {
    const { lash } = testLash();
    await lash.close();
    const errors = [
      await lash.openSession("s").catch((error: unknown) => error),
      await testLash().lash.openSession("").catch((error: unknown) => error),
    ];
    for (const error of errors) {
      expect(LashError.is(error)).toBe(true);
      if (LashError.is(error)) expect(error.isRetryable && error.isTerminal).toBe(false);
    }
  });
});
