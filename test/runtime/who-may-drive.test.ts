// Who may drive a turn that is in flight: only a process that has what it was accepted with, through whatever door it comes (ME-22).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, type Lash, type LashOptions, type Session, type SessionOptions, type Tool } from "../../src/index.ts";
import { childSessions } from "../../src/children/index.ts";
import { plugin, type Plugin } from "../../src/plugins/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";
import { byAssistantMessages, countingEngine, gate, manualClock, scriptedProvider, type ManualClock, type ProviderScript } from "../../src/testing/index.ts";
import { askTool, newAsked, quiet } from "../support/asking.ts";
import { engineCases, scratchFiles } from "../support/engines.ts";
import { LEFT_SCRIPT, mailTool } from "../support/left-job.ts";
import { staysOpen, testLash, transcriptOf, type TestLashOptions, witness } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { mortals, peerBus } from "../support/peers.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const fileOf = scratchFiles();

const named = (name: string, run: () => unknown = () => `${name} ran`, rest: { readonly onInterrupted?: "retry" | "report" } = { onInterrupted: "retry" }): Tool =>
  tool({ name, description: `Does ${name}.`, input: z.object({}), ...rest, run });
const script: ProviderScript = ({ messages }) => (messages.at(-1)?.blocks.some(({ type }) => type === "toolResult") ? "done" : { toolCalls: [{ name: "mail" }] });
const MISSING = { code: "tool_missing", details: { sessionId: "s", turnId: "t", tools: ["mail"] } };
const DONE = ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult mail ran", "Assistant: Prose done"];

interface Left {
  readonly engine: Engine;
  readonly clock: ManualClock;
}

/** Leaves turn `t` in flight while its tool `mail` runs; its process is dead and its lease has expired. */
async function leftInMail(engine: Engine, options: TestLashOptions = {}, session: SessionOptions = { tools: [named("mail")] }): Promise<Left> {
  const [clock, begun] = [manualClock(1_000), gate()];
  const process = new Mortal(engine);
  const held = session.tools?.map((each) => (each.name === "mail" ? { ...each, run: () => begun.pass() } : each));
  const { lash } = testLash({ script, ...options, engine: process.engine, clock });
  void (await lash.openSession("s", { ...session, ...(held && { tools: held }) })).run("go", { turnId: "t" });
  await begun.reached;
  process.kill();
  await clock.advance(31_000);
  return { engine, clock };
}

const record = ({ engine, clock }: Left) => createPersistence(engine, { clock }).turns.load("s", "t");

/** Whoever has the tool finishes the turn, as if nobody had tried before. */
async function expectFinishable(left: Left): Promise<void> {
  expect(await record(left)).toMatchObject({ turnId: "t", recoveries: 0 });
  const right = testLash({ ...left, script, tools: [named("mail")] });
  expect(await right.lash.recover()).toMatchObject([{ sessionId: "s", turnId: "t", result: { isSuccess: true, text: "done" } }]);
  expect(transcriptOf(await right.lash.openSession("s"))).toEqual(DONE);
  expect(await heldLanes(left.engine)).toEqual([]);
}

const doors: Record<string, (lash: Lash, open: () => Promise<Session>) => Promise<unknown>> = {
  "recover()": async (lash) => expect(await lash.recover()).toMatchObject([{ turnId: "t", error: MISSING }]),
  "recover() again and again": async (lash) => {
    for (let attempt = 0; attempt < 8; attempt++) expect(await lash.recover()).toMatchObject([{ error: MISSING }]);
  },
  "opening the session, and reading it": async (_lash, open) => {
    const session = await open();
    await quiet();
    expect(session.observe().readView.messages).toEqual([]);
  },
  "the turn by its id": async (_lash, open) => expect((await open()).run("go", { turnId: "t" })).rejects.toMatchObject(MISSING),
  "a new turn behind it": async (_lash, open) => expect((await open()).run("next", { turnId: "u" })).rejects.toMatchObject(MISSING),
  "a drain of what waits": async (_lash, open) => {
    const session = await open();
    await session.enqueue("later");
    await expect(session.queuedTurn()).rejects.toMatchObject(MISSING);
    expect(await session.pendingTurnInputs()).toHaveLength(1);
    await session.cancelTurnInputsFrom({ kind: "input_id", value: (await session.pendingTurnInputs())[0]?.inputId ?? "" });
  },
  "a change of the history": async (_lash, open) => expect((await open()).reset()).rejects.toMatchObject(MISSING),
};

describe.each(engineCases())("without the tools of its session, on $name", ({ open }) => {
  test.each(Object.entries(doors))("%s runs nothing of the turn, claims nothing, counts no recovery, and says what is missing (ME-22)", async (_door, enter) => {
    const left = await leftInMail(open());
    const poor = testLash({ ...left, script, tools: [named("other")] });
    await enter(poor.lash, () => poor.lash.openSession("s"));
    await poor.lash.close();
    expect(poor.provider.requests).toEqual([]);
    await expectFinishable(left);
  });

  test("a lash that drains by itself leaves the turn and what waits behind it alone (ME-22, I-45)", async () => {
    const left = await leftInMail(open());
    const poor = testLash({ ...left, script, drain: "auto" });
    const session = await poor.lash.openSession("s");
    await session.enqueueTurnInput("later", { deliveryPolicy: "after_current_turn_commit", slotPolicy: "exclusive" });
    await poor.lash.recover();
    await poor.lash.close();
    expect(poor.provider.requests).toEqual([]);
    const codes = poor.logged.flatMap(({ event, code }) => (event === "queue.drain_failed" ? [code] : []));
    expect(new Set(codes)).toEqual(new Set(["tool_missing"]));
    await expectFinishable(left);
  });
});

test("the refusal writes nothing at all: the store holds the same rows before and after (ME-22)", async () => {
  const left = await leftInMail(memoryEngine());
  const counting = countingEngine(left.engine);
  const before = await keysOf(left.engine);
  const poor = testLash({ ...left, engine: counting, script });
  expect(await poor.lash.recover()).toMatchObject([{ error: MISSING }]);
  await poor.lash.close();
  expect(await keysOf(left.engine)).toEqual(before);
  expect(counting.counts.sets).toBe(0);
});

test("a killed process's turn is left alone by a process that lacks its tool, and finished at once by one that has it (ME-22, S-62)", { timeout: 120_000 }, async () => {
  const file = fileOf();
  const job = spawn(process.execPath, ["--no-warnings", fileURLToPath(new URL("../support/left-job.ts", import.meta.url)), file], { stdio: ["ignore", "pipe", "inherit"] });
  await once(job.stdout, "data");
  job.kill("SIGKILL");
  await once(job, "exit");
  const open = (tools: readonly Tool[]) => {
    const provider = scriptedProvider(LEFT_SCRIPT);
    return { provider, lash: createLash({ provider, store: sqlite(file), tools, logger: () => undefined }) };
  };
  const web = open([]);
  const shown = await web.lash.openSession("s");
  expect(await web.lash.recover()).toMatchObject([{ error: MISSING }]);
  await expect(shown.run("go", { turnId: "t" })).rejects.toMatchObject(MISSING);
  await web.lash.close();
  expect(web.provider.requests).toEqual([]);
  const worker = open([mailTool(() => "mail ran")]);
  expect(await worker.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
  await worker.lash.close();
});

test("a session that was opened to be read can be closed at once (ME-22, S-42)", async () => {
  const left = await leftInMail(memoryEngine());
  const poor = testLash({ ...left, script });
  await (await poor.lash.openSession("s")).close();
  const session = await poor.lash.openSession("s");
  expect(await session.park()).toEqual({ sessionId: "s" });
  await expectFinishable(left);
});

describe("a turn that waits for an answer", () => {
  const asking = byAssistantMessages([{ toolCalls: [{ name: "ask" }] }, { toolCalls: [{ name: "mail" }] }, "done"]);

  /** Dies while its turn waits. */
  async function leftWaiting(engine: Engine = memoryEngine(), clock: ManualClock = manualClock(1_000)) {
    const asked = newAsked();
    const process = new Mortal(engine);
    const { lash } = testLash({ engine: process.engine, clock, script: asking, tools: [askTool(asked), named("mail")] });
    void (await lash.openSession("s")).run("go", { turnId: "t" });
    while (asked.keys.length === 0) await quiet();
    await quiet();
    process.kill();
    await clock.advance(31_000);
    return { at: { engine, clock }, asked };
  }

  test("is driven on by the handle that has its tools, whatever other handle is open (ME-22, OP-8)", async () => {
    const [engine, clock, never] = [memoryEngine(), manualClock(1_000), newAsked()];
    const host = testLash({ engine, clock, script: asking });
    await host.lash.openSession("s");
    const worker = await host.lash.openSession("s", { tools: [askTool(never), named("mail")] });
    const { asked } = await leftWaiting(engine, clock);
    await host.lash.completions.resolve(asked.keys[0] ?? "", { status: "ok", payload: "yes" });
    await quiet();
    expect(transcriptOf(worker).at(-1)).toBe("Assistant: Prose done");
    expect(never.keys).toEqual([]);
  });

  test.each([["where its session is open", true], ["where it is not", false]])("is not driven on by whoever only records the answer, %s (ME-22, OP-8)", async (_where, opens) => {
    const { at, asked } = await leftWaiting();
    const web = testLash({ ...at, script: asking });
    if (opens) await web.lash.openSession("s");
    expect(await web.lash.completions.resolve(asked.keys[0] ?? "", { status: "ok", payload: "yes" })).toEqual({ status: "accepted" });
    await quiet();
    await web.lash.close();
    expect(web.provider.requests).toEqual([]);
    expect(web.logged.filter(({ event }) => event === "turn.recovery_failed").at(-1)).toMatchObject({ code: "tool_missing", sessionId: "s" });
    const right = testLash({ ...at, script: asking, tools: [askTool(asked), named("mail")] });
    expect(await right.lash.recover()).toMatchObject([{ result: { text: "done" } }]);
    expect(asked.keys).toHaveLength(1);
  });

  test("is woken when its time runs out with what sessionOptions gives, and is left alone without (ME-22, OP-8)", async () => {
    const suspended = async (sessionOptions?: LashOptions["sessionOptions"]) => {
      const [engine, clock, asked] = [memoryEngine(), manualClock(1_000), newAsked()];
      const tools = [askTool(asked, { timeoutMs: 5_000 }), named("mail")];
      const host = testLash({ engine, clock, script: asking, ...(sessionOptions && { sessionOptions: () => ({ tools }) }) });
      const session = await host.lash.openSession("s", { tools });
      void session.run("go", { turnId: "t" }).catch(() => undefined);
      while (asked.keys.length === 0) await quiet();
      await quiet();
      await session.close();
      await clock.advance(6_000);
      await quiet();
      await host.lash.close();
      return { host, inFlight: await createPersistence(engine, { clock }).turns.inFlight("s") };
    };
    const poor = await suspended();
    expect([poor.host.provider.requests.length, poor.inFlight.length]).toEqual([1, 1]);
    expect(poor.host.logged.filter(({ event }) => event === "turn.recovery_failed")).toMatchObject([{ code: "tool_missing" }]);
    const rich = await suspended(() => ({}));
    expect([rich.host.provider.requests.length, rich.inFlight.length]).toEqual([3, 0]);
  });
});

describe("a session that is open without the tools", () => {
  test("takes the turn up as soon as they are added (ME-22)", async () => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script });
    const session = await host.lash.openSession("s");
    await quiet();
    expect(host.provider.requests).toEqual([]);
    await session.tools.add([named("mail")]);
    await quiet();
    expect(transcriptOf(session)).toEqual(DONE);
    await host.lash.close();
  });

  test("lends them to recover(), which has them from nowhere else; so does the second of two handles (ME-22)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const host = testLash({ engine, clock, script });
    await host.lash.openSession("s");
    const session = await host.lash.openSession("s", { tools: [named("mail")] });
    await leftInMail(engine);
    await clock.advance(61_000);
    expect(await host.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
    expect(transcriptOf(session)).toEqual(DONE);
  });

  test("does not take over from a tab that dies, and the one that has them does (ME-22, OP-9)", async () => {
    const [engine, clock, bus, owners, held] = [memoryEngine(), manualClock(1_000), peerBus(), mortals(), gate()];
    const tab = (name: string, process: Engine, tools: readonly Tool[]) => {
      const host = testLash({ engine: process, clock, script, tools });
      return createLash({
        store: { engine: staysOpen(process), liveness: owners.liveness(name), peers: bus.join() },
        effects: "journaled", clock, provider: host.provider, tools, logger: () => undefined,
      });
    };
    const first = new Mortal(engine);
    const one = await tab("one", first.engine, [named("mail", () => held.pass())]).openSession("s");
    const seen: string[] = [];
    const poor = tab("two", engine, [named("other", () => seen.push("other"))]);
    const rich = tab("three", engine, [named("mail", () => (seen.push("mail"), "mail ran"))]);
    const [reader, worker] = [await poor.openSession("s"), await rich.openSession("s")];
    void one.run("go", { turnId: "t" });
    await held.reached;
    await quiet();
    first.kill();
    owners.kill("one");
    await quiet();
    await clock.advance(1);
    await quiet();
    expect(seen).toEqual(["mail"]);
    expect(transcriptOf(worker)).toEqual(DONE);
    await quiet();
    expect(transcriptOf(reader)).toEqual(DONE);
    await poor.close();
    await rich.close();
  });
});

test("a tab that was opened without the tools says once that it leaves the turn, and stands by (ME-22, OP-9)", async () => {
  const left = await leftInMail(memoryEngine());
  const codes: unknown[] = [];
  const { provider } = testLash();
  const tab = createLash({
    store: { engine: staysOpen(left.engine), liveness: mortals().liveness("tab"), peers: peerBus().join() },
    effects: "journaled", clock: left.clock, provider, logger: ({ code }) => codes.push(code),
  });
  await tab.openSession("s");
  await quiet();
  await left.clock.advance(200_000);
  await quiet();
  await tab.close();
  expect(codes).toEqual(["tool_missing"]);
});

describe("a tool is the same by its id", () => {
  const mailAs = (name: string, id: string, run: () => unknown): Tool => tool({ id, name, description: `As ${name}.`, input: z.object({ more: z.string().optional() }), onInterrupted: "retry", run });

  test("under another name, description and schema it runs, and the model is shown the recorded ones (ME-22)", async () => {
    const left = await leftInMail(memoryEngine(), {}, { tools: [mailAs("mail", "mail-1", () => undefined)] });
    const host = testLash({ ...left, script, tools: [mailAs("post", "mail-1", () => "post ran")] });
    expect(await host.lash.recover()).toMatchObject([{ result: { text: "done", toolCalls: [{ toolName: "mail", status: "success", output: { outcome: { payload: "post ran" } } }] } }]);
    expect(host.provider.requests.map(({ tools }) => tools.map(({ name, description }) => [name, description]))).toEqual([[["mail", "As mail."]]]);
  });

  test("another one under its name is not it, and does not run (ME-22)", async () => {
    const left = await leftInMail(memoryEngine(), {}, { tools: [mailAs("mail", "mail-1", () => undefined)] });
    const host = testLash({ ...left, script, tools: [mailAs("mail", "mail-2", () => expect.fail("it ran"))] });
    expect(await host.lash.recover()).toMatchObject([{ error: MISSING }]);
  });
});

describe("what stands for a tool", () => {
  const lending = (tools: readonly Tool[], id = "mailer"): Plugin => plugin({ id, build: () => ({ tools }) });

  test("a plugin that is there stands for the tools it offered: a call of one that it does not offer now fails as unavailable, and the turn goes on (ME-22)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const hold = gate();
    const process = new Mortal(engine);
    const first = testLash({ engine: process.engine, clock, script: [{ text: "late", before: hold }], plugins: [lending([named("mail")])] });
    void (await first.lash.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    process.kill();
    await clock.advance(31_000);
    const without = testLash({ engine, clock, script });
    expect(await without.lash.recover()).toMatchObject([{ error: { code: "plugin_missing", details: { pluginId: "mailer", sessionId: "s", turnId: "t" } } }]);
    const down = testLash({ engine, clock, script, plugins: [lending([])] });
    expect(await down.lash.recover()).toMatchObject([{ result: { isSuccess: true, text: "done", toolCalls: [{ output: { outcome: { payload: { class: "unavailable", code: "tool_unavailable" } } } }] } }]);
    // The model is shown the tool as it was recorded, and not where it came from.
    expect(down.provider.requests.map(({ tools }) => tools)).toEqual([0, 1].map(() => [{ name: "mail", description: "Does mail.", inputSchema: expect.anything() }]));
  });

  test("another plugin does not stand for them, nor does a plugin for a tool of the host (ME-22)", async () => {
    const left = await leftInMail(memoryEngine(), { plugins: [lending([named("own")])] });
    const host = testLash({ ...left, script, plugins: [lending([]), lending([], "second")] });
    expect(await host.lash.recover()).toMatchObject([{ error: { code: "tool_missing", details: { tools: ["mail"] } } }]);
  });

  test("a function that was added stands for the tools of such functions while it offers none; one that offers others does not (ME-22)", async () => {
    const engine = memoryEngine();
    const [clock, hold] = [manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const first = await testLash({ engine: process.engine, clock, script: [{ text: "late", before: hold }] }).lash.openSession("s");
    await first.tools.add(() => [named("mail")]);
    void first.run("go", { turnId: "t" });
    await hold.reached;
    process.kill();
    await clock.advance(31_000);
    const host = testLash({ engine, clock, script });
    const session = await host.lash.openSession("s");
    await session.tools.add(() => [named("weather")]);
    await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject(MISSING);
    await session.tools.add(() => []);
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true, text: "done" });
    expect(transcriptOf(session)[2]).toMatch(/tool_unavailable.*is unavailable/);
  });

  test.each<[string, Pick<LashOptions, "retiredTools">, SessionOptions]>([
    ["createLash", { retiredTools: ["mail"] }, {}],
    ["openSession", {}, { retiredTools: ["mail"] }],
  ])("retiredTools of %s: the call answers tool_unavailable and the turn goes on (ME-22)", async (_where, lash, session) => {
    const engine = memoryEngine();
    const [clock, hold] = [manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const first = testLash({ engine: process.engine, clock, script: [{ text: "late", before: hold }], tools: [named("mail"), named("other")] });
    void (await first.lash.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    process.kill();
    await clock.advance(31_000);
    const host = testLash({ engine, clock, script, tools: [named("other")], ...lash });
    const opened = await host.lash.openSession("s", session);
    expect(await opened.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true, text: "done" });
    expect(transcriptOf(opened)[2]).toMatch(/tool_unavailable.*was dropped by this application/);
    // A new turn is not offered it.
    await opened.run("next");
    expect(host.provider.requests.at(-1)?.tools.map(({ name }) => name)).toEqual(["other"]);
  });

  test("a tool that is given is there, whatever retiredTools says (ME-22)", async () => {
    const left = await leftInMail(memoryEngine());
    expect(await testLash({ ...left, script, tools: [named("mail")], retiredTools: ["mail"] }).lash.recover()).toMatchObject([{ result: { text: "done" } }]);
  });

  test("a tool that was taken away while its turn was in flight is refused there and does not keep the turn from going on (PT-45, ME-22)", async () => {
    const left = await leftInMail(memoryEngine(), {}, { tools: [named("mail"), named("other")] });
    const host = testLash({ ...left, script: byAssistantMessages([{ toolCalls: [{ name: "mail" }] }, { toolCalls: [{ name: "other" }] }, "done"]) });
    const session = await host.lash.openSession("s", { tools: [named("mail")] });
    const handle = await session.tools.add([named("other")]);
    await session.tools.remove(handle);
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true });
  });
});

describe("ending needs less than driving", () => {
  const CANCELLED = { outcome: { kind: "stopped", stop: "cancelled" }, errors: [{ code: "cancelled" }], cancellation: { origin: "lash", reason: "no longer needed" } };
  const other = { id: "other", version: 1, onModelReply: () => expect.fail("asked"), onToolResults: () => expect.fail("asked"), onCodeResult: () => expect.fail("asked") };

  test.each<[string, Partial<TestLashOptions>]>([
    ["the tools", {}],
    ["the provider", { providerOptions: { id: "someone-else" } }],
    ["options: sessionOptions throws", { sessionOptions: () => { throw new Error("no database"); } }],
    ["the protocol", { protocol: other }],
  ])("cancelTurn ends the turn without %s, and the history says that its call was interrupted (ME-22, OP-20)", async (_what, options) => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script, ...options });
    expect(await host.lash.cancelTurn("s", "t", "no longer needed")).toEqual({ status: "accepted" });
    await quiet();
    await host.lash.close();
    expect(host.provider.requests).toEqual([]);
    expect((await keysOf(left.engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
    const right = testLash({ ...left, tools: [named("mail")], script: ["next"] });
    const session = await right.lash.openSession("s");
    expect(await session.run("go", { turnId: "t" })).toMatchObject(CANCELLED);
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", expect.stringContaining("tool_interrupted")]);
    expect(await session.run("and now?")).toMatchObject({ text: "next" });
  });

  test("a lash without any provider ends it, too (ME-22)", async () => {
    const left = await leftInMail(memoryEngine());
    const hook = createLash({ store: { engine: staysOpen(left.engine), liveness: witness }, effects: "journaled", clock: left.clock, logger: () => undefined });
    await hook.cancelTurn("s", "t");
    await quiet();
    await hook.close();
    expect((await keysOf(left.engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
  });

  test("where its session is open without the tools, and where the request waits for whoever comes next (ME-22)", async () => {
    const left = await leftInMail(memoryEngine());
    const open = testLash({ ...left, script });
    const session = await open.lash.openSession("s");
    await quiet();
    await open.lash.cancelTurn("s", "t", "no longer needed");
    expect(await session.run("go", { turnId: "t" })).toMatchObject(CANCELLED);
    expect(transcriptOf(session)).toHaveLength(3);
    const again = await leftInMail(memoryEngine());
    await createPersistence(again.engine, { clock: again.clock }).turns.requestCancel("s", "t", { requestId: "r", origin: "lash", reason: "no longer needed", requestedAtMs: 1 });
    expect(await testLash({ ...again, script }).lash.recover()).toMatchObject([{ result: CANCELLED }]);
  });

  test("a request through a handle ends the turn without anybody asking for it again (ME-22, OP-20)", async () => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go", { turnId: "t" });
    await expect(turn.result).rejects.toMatchObject(MISSING);
    expect(await turn.cancel("no longer needed")).toEqual({ status: "accepted" });
    await quiet();
    await host.lash.close();
    expect((await keysOf(left.engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
  });

  test("with the tools a call that had begun is told by their own policy: interrupted, or cancelled where running it again is harmless (ME-22, OP-3)", async () => {
    for (const [onInterrupted, shown] of [["report", "tool_interrupted"], ["retry", "cancelled"]] as const) {
      const left = await leftInMail(memoryEngine());
      const host = testLash({ ...left, script, tools: [named("mail", () => expect.fail("it ran"), { onInterrupted })] });
      await host.lash.cancelTurn("s", "t");
      const session = await host.lash.openSession("s");
      expect(await session.run("go", { turnId: "t" })).toMatchObject({ outcome: { stop: "cancelled" } });
      expect(transcriptOf(session)[2]).toContain(shown);
    }
  });

  test("a turn that was recovered too often ends without its tools, and reports its open call (OP-6, ME-22)", async () => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script, maxRecoveries: 0 });
    expect(await host.lash.recover()).toMatchObject([{ result: { outcome: { stop: "runtime_error" }, errors: [{ code: "turn_recovery_exhausted" }], toolCalls: [{ toolName: "mail", status: "failure" }] } }]);
    expect(transcriptOf(await host.lash.openSession("s"))).toEqual(["User: Text go", "Assistant: ToolCall {}", expect.stringContaining("tool_interrupted")]);
  });

  test("deleting the session needs none of it (S-84, ME-22)", async () => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script });
    expect(await host.lash.deleteSession("s")).toMatchObject({ existed: true });
    expect(await host.lash.recover()).toEqual([]);
  });
});

describe("sessionOptions", () => {
  const mailOf = (id: string): SessionOptions => ({ tools: [named("mail", () => `mail of ${id}`)] });

  test("gives recover() what the session is opened with, by its id (ME-22)", async () => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script, sessionOptions: mailOf });
    expect(await host.lash.recover()).toMatchObject([{ result: { text: "done", toolCalls: [{ output: { outcome: { payload: "mail of s" } } }] } }]);
  });

  test("gives recover() the session's own provider; whoever has another one leaves the turn in flight (ME-22, PP-26)", async () => {
    const left = await leftInMail(memoryEngine(), {}, { tools: [named("mail")], provider: scriptedProvider(script, { id: "its-own" }) });
    const other = testLash({ ...left, script, sessionOptions: mailOf });
    expect(await other.lash.recover()).toMatchObject([{ turnId: "t", error: { code: "provider_mismatch" } }]);
    const own = scriptedProvider(script, { id: "its-own" });
    const host = testLash({ ...left, script, sessionOptions: (id) => ({ ...mailOf(id), provider: own }) });
    expect(await host.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
    expect([host.provider.requests, own.requests.length]).toEqual([[], 1]);
  });

  test("gives drains what the session is opened with, also later than at once (ME-22, I-45)", async () => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script, drain: "auto", sessionOptions: (id) => Promise.resolve(mailOf(id)) });
    const writer = await testLash({ ...left }).lash.openSession("s");
    await writer.enqueue("later");
    await host.lash.recover();
    await host.lash.close();
    const session = await testLash({ ...left, script }).lash.openSession("s");
    expect(transcriptOf(session)).toEqual([...DONE.slice(0, 2), "User: ToolResult mail of s", DONE[3], "User: Text later", "Assistant: ToolCall {}", "User: ToolResult mail of s", "Assistant: Prose done"]);
  });

  test("is the base of openSession and resume: options that are given there win field by field, and the lash's tools are there anyway (ME-22)", async () => {
    const asked: string[] = [];
    const host = testLash({
      tools: [named("shared")],
      prompt: "core",
      script: () => "ok",
      sessionOptions: (id) => (asked.push(id), { tools: [named("mail")], prompt: "based", maxTurns: 7 }),
    });
    const toolsOf = () => host.provider.requests.at(-1)?.tools.map(({ name }) => name);
    const promptOf = () => JSON.stringify(host.provider.requests.at(-1)?.messages[0]);
    const based = await host.lash.openSession("a");
    await based.run("go");
    expect([toolsOf(), promptOf()]).toEqual([["shared", "mail"], expect.stringContaining("core\\n\\nbased")]);
    const own = await host.lash.openSession("b", { tools: [named("own")] });
    await own.run("go");
    expect([toolsOf(), promptOf()]).toEqual([["shared", "own"], expect.stringContaining("core\\n\\nbased")]);
    const resumed = await host.lash.resume(await based.park(), { prompt: "said" });
    await resumed.run("go");
    expect([toolsOf(), promptOf()]).toEqual([["shared", "mail"], expect.stringContaining("core\\n\\nsaid")]);
    expect(asked).toEqual(["a", "b", "a"]);
  });

  test.each<[string, () => SessionOptions]>([
    ["throws", () => { throw new Error("no database"); }],
    ["rejects", () => Promise.reject(new Error("no database")) as never],
    ["gives no options", () => ({ tolls: [] }) as never],
    ["gives nothing", () => undefined as never],
  ])("where it %s, opening and recovering fail with session_options_failed, and the turn stays in flight (ME-22)", async (_how, sessionOptions) => {
    const left = await leftInMail(memoryEngine());
    const host = testLash({ ...left, script, tools: [named("mail")], sessionOptions });
    const failed = { code: "session_options_failed", details: { sessionId: "s" }, cause: expect.any(Error) };
    expect(await host.lash.recover()).toMatchObject([{ turnId: "t", error: failed }]);
    await expect(host.lash.openSession("s")).rejects.toMatchObject(failed);
    await expectFinishable(left);
  });

  test("options of it and of retiredTools that cannot be are refused with their field (ME-22)", async () => {
    expect(() => testLash({ sessionOptions: {} as never })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "sessionOptions" } }));
    expect(() => testLash({ retiredTools: [""] })).toThrow(expect.objectContaining({ code: "invalid_argument", details: { field: "retiredTools" } }));
    await expect(testLash().lash.openSession("s", { retiredTools: "mail" as never })).rejects.toMatchObject({ code: "invalid_argument", details: { field: "retiredTools" } });
  });
});

describe("children", () => {
  /** The tool `dig` of the parent runs a turn of a child, whose tool `mail` is the parent's. */
  const parentTools = (mail: () => unknown = () => "mail ran"): readonly Tool[] => [
    tool({ name: "dig", description: "", input: z.object({}), onInterrupted: "retry", run: async (_args, { children }) => (await (await children.create()).run("look")).text }),
    named("mail", mail),
  ];
  const digging: ProviderScript = ({ messages, scope }) => {
    const isChild = scope.sessionId !== "s";
    const results = messages.flatMap(({ blocks }) => blocks.filter(({ type }) => type === "toolResult")).length;
    return results > 0 ? (isChild ? "child done" : "parent done") : { toolCalls: [{ name: isChild ? "mail" : "dig" }] };
  };

  async function leftInChild(): Promise<Left> {
    const [engine, clock, begun] = [memoryEngine(), manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const { lash } = testLash({ engine: process.engine, clock, script: digging, children: childSessions() });
    void (await lash.openSession("s", { tools: parentTools(() => begun.pass()) })).run("go", { turnId: "t" });
    await begun.reached;
    process.kill();
    await clock.advance(31_000);
    return { engine, clock };
  }

  test("neither the parent's turn nor the child's runs without the tools, and both do with what sessionOptions gives for the parent (ME-22, S-69)", async () => {
    const left = await leftInChild();
    const poor = testLash({ ...left, script: digging, children: childSessions() });
    expect(await poor.lash.recover()).toMatchObject([{ sessionId: "s", turnId: "t", error: { code: "tool_missing", details: { tools: ["dig", "mail"] } } }]);
    expect(poor.provider.requests).toEqual([]);
    const rich = testLash({ ...left, script: digging, children: childSessions(), sessionOptions: (id) => (id === "s" ? { tools: parentTools() } : {}) });
    expect((await rich.lash.recover()).map((each) => ("result" in each ? each.result.text : each))).toEqual(["parent done", "child done"]);
  });

  test("a child's turn that nobody waits for any more is driven with what its parent is opened with, hidden tools left out (ME-22, S-67)", async () => {
    const left = await leftInChild();
    const ended = testLash({ ...left, script: digging, children: childSessions() });
    await ended.lash.abandonTurn("s", "t", "gone");
    expect(await ended.lash.recover()).toMatchObject([{ error: { code: "tool_missing", details: { tools: ["dig", "mail"] } } }]);
    const host = testLash({ ...left, script: digging, children: childSessions(), sessionOptions: (id) => (id === "s" ? { tools: parentTools() } : {}) });
    expect(await host.lash.recover()).toMatchObject([{ result: { text: "child done" } }]);
  });

  test("cancelTurn ends a child's turn without its tools, while its parent's turn waits for whoever has them (ME-22, OP-20)", async () => {
    const left = await leftInChild();
    const { turns } = createPersistence(left.engine, { clock: left.clock });
    const child = (await turns.inFlight()).find(({ sessionId }) => sessionId !== "s") ?? expect.fail();
    const poor = testLash({ ...left, script: digging, children: childSessions() });
    await poor.lash.cancelTurn(child.sessionId, child.turnId);
    await quiet();
    await poor.lash.close();
    expect((await turns.inFlight()).map(({ sessionId }) => sessionId)).toEqual(["s"]);
    expect(await turns.settled(child.sessionId, child.turnId)).toMatchObject({ outcome: { stopped: "cancelled" } });
  });
});
