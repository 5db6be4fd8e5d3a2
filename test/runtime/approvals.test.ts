// Calls that somebody has to approve: before they run, however long that takes and whichever process is there (AE-8).

import { describe, expect, test } from "vitest";
import type { AnyActorRef } from "xstate";
import * as z from "zod";
import { batchTool, tool, type Json, type NeedsApproval, type Session, type Tool } from "../../src/index.ts";
import type { Inspect } from "../../src/actors/ports.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { hookLash, quiet, whileTimePasses } from "../support/asking.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, type TestLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes } from "../support/rows.ts";

/** What the world saw. */
interface Seen {
  readonly ran: { readonly tool: string; readonly city: string; readonly interrupted: boolean }[];
  checks: number;
}

const newSeen = (): Seen => ({ ran: [], checks: 0 });
const City = z.object({ city: z.string() });
type CityArgs = z.infer<typeof City>;

const sender = (seen: Seen, needsApproval?: NeedsApproval<CityArgs>, more: { readonly name?: string; readonly execution?: "serial" } = {}): Tool => {
  const name = more.name ?? "send";
  return tool({
    name,
    description: "",
    input: City,
    ...(needsApproval !== undefined && { needsApproval }),
    ...(more.execution && { execution: more.execution }),
    run: ({ city }, { interrupted }) => {
      seen.ran.push({ tool: name, city, interrupted });
      return `sent to ${city}`;
    },
  });
};

const SEND = { name: "send", args: { city: "Bern" } };
const SENDING = byAssistantMessages([{ toolCalls: [SEND] }, "done"]);

interface HostOptions {
  readonly engine?: Engine;
  readonly clock?: ManualClock;
  readonly tools: readonly Tool[];
  readonly script?: Parameters<typeof byAssistantMessages>[0][number];
  readonly effects?: "inline" | "journaled";
}

/** One process; `parked` resolves once a turn of it does nothing but wait. */
function hostOf({ engine = memoryEngine(), clock = manualClock(1_000), tools, script, effects = "journaled" }: HostOptions): TestLash & { readonly parked: Promise<void> } {
  const { promise: parked, resolve } = Promise.withResolvers<void>();
  const inspect: Inspect = (event) => {
    if (event.type === "@xstate.event" && event.event.type === "tools.parked") resolve();
  };
  return { ...testLash({ script: script ? byAssistantMessages([script, "done"]) : SENDING, engine, clock, tools, effects, inspect }), parked };
}

const sent = (result: string): readonly string[] => ["User: Text go", 'Assistant: ToolCall {"city":"Bern"}', `User: ToolResult ${result}`, "Assistant: Prose done"];
const DENIED = (message: string): string => JSON.stringify({ error: { class: "permission_denied", code: "tool_denied", message } });

/** Kills a process whose call waits; its lease has expired. */
async function killedWaiting(engine: Engine, seen: Seen, needsApproval: NeedsApproval<CityArgs> = true): Promise<ManualClock> {
  const clock = manualClock(1_000);
  const process = new Mortal(engine);
  const { lash, parked } = hostOf({ engine: process.engine, clock, tools: [sender(seen, needsApproval)] });
  (await lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
  await parked;
  process.kill();
  await clock.advance(31_000);
  return clock;
}

async function untilPending(session: Session, count: number): Promise<void> {
  for (let round = 0; round < 100 && (await session.pendingCalls()).length < count; round++) await quiet();
}

const onlyCall = async (session: Session) => (await session.pendingCalls())[0] ?? { id: "none" };

describe.each(engineCases())("on $name", ({ open }) => {
  test("a call waits for approval, is listed with its reason, and the same call runs after a yes (AE-8)", async () => {
    const seen = newSeen();
    const { lash, parked } = hostOf({ engine: open(), tools: [sender(seen, { reason: "it leaves the house" })] });
    const session = await lash.openSession("s");
    const result = session.run("go", { turnId: "t" });
    await parked;
    expect(seen.ran).toEqual([]);
    const calls = await session.pendingCalls();
    expect(calls).toEqual([
      { id: expect.stringMatching(/^[0-9a-f]{64}$/), sessionId: "s", turnId: "t", callId: expect.any(String), toolName: "send", args: { city: "Bern" }, reason: "it leaves the house", askedAtMs: 1_000 },
    ]);
    expect(await lash.pendingCalls()).toEqual(calls);
    expect(await session.approve(calls[0]?.id ?? "", { by: "ann", note: "fine" })).toEqual({ status: "accepted" });
    expect(await result).toMatchObject({
      text: "done",
      toolCalls: [{ args: { city: "Bern" }, output: { outcome: { status: "success", payload: "sent to Bern" }, approval: { decision: "approved", by: "ann", note: "fine", answeredAtMs: 1_000 } } }],
    });
    expect(transcriptOf(session)).toEqual(sent("sent to Bern"));
    expect(seen.ran).toHaveLength(1);
    expect([await session.pendingCalls(), await lash.pendingCalls()]).toEqual([[], []]);
    await lash.close();
  });

  test("killed while it waits, it is listed and approved where no model and no tool is, and runs uninterrupted in the next process (AE-8)", async () => {
    const [engine, seen] = [open(), newSeen()];
    let checks = 0;
    const clock = await killedWaiting(engine, seen, () => ++checks > 0);
    const hook = hookLash(engine, clock);
    const session = await hook.openSession("s");
    expect(await session.approve((await onlyCall(session)).id)).toEqual({ status: "accepted" });
    expect(await session.pendingCalls()).toEqual([]);
    await hook.close();
    const next = hostOf({ engine, clock, tools: [sender(seen, () => ++checks > 0)] });
    const opened = await next.lash.openSession("s");
    expect(await whileTimePasses(clock, opened.run("go", { turnId: "t" }))).toMatchObject({ text: "done" });
    expect(seen.ran).toEqual([{ tool: "send", city: "Bern", interrupted: false }]);
    expect(checks).toBe(1);
    expect(await heldLanes(engine)).toEqual([]);
    await next.lash.close();
  });

  test("a denied call is not run, and the model is told why (AE-8)", async () => {
    const seen = newSeen();
    const { lash, parked } = hostOf({ engine: open(), tools: [sender(seen, true)] });
    const session = await lash.openSession("s");
    const result = session.run("go");
    await parked;
    await session.deny((await onlyCall(session)).id, { message: "not to Bern", by: "ann" });
    expect(await result).toMatchObject({
      text: "done",
      toolCalls: [{ output: { outcome: { status: "failure", payload: { class: "permission_denied", code: "tool_denied", source: "policy", message: "not to Bern" } }, approval: { decision: "denied", by: "ann", answeredAtMs: 1_000 } } }],
    });
    expect(transcriptOf(session)).toEqual(sent(DENIED("not to Bern")));
    expect(seen.ran).toEqual([]);
    await lash.close();
  });

  test("a session that is closed while a call waits goes on when the answer comes, in whichever process (AE-8, OP-8)", async () => {
    const [engine, seen, clock] = [open(), newSeen(), manualClock(1_000)];
    const first = hostOf({ engine, clock, tools: [sender(seen, true)] });
    const session = await first.lash.openSession("s");
    const left = session.run("go", { turnId: "t" }).catch((error: { code: string }) => error.code);
    await first.parked;
    const { id } = await onlyCall(session);
    await session.close();
    expect(await left).toBe("turn_suspended");
    await first.lash.close();
    const next = hostOf({ engine, clock, tools: [sender(seen, true)] });
    const opened = await next.lash.openSession("s");
    expect(await opened.approve(id)).toEqual({ status: "accepted" });
    expect(await opened.run("go", { turnId: "t" })).toMatchObject({ text: "done" });
    expect(seen.ran).toHaveLength(1);
    await next.lash.close();
  });
});

describe("approval", () => {
  test("a call that had begun before its tool asked for approval is not asked for: it is told as interrupted (AE-8, OP-3)", async () => {
    const [engine, clock, seen] = [memoryEngine(), manualClock(1_000), newSeen()];
    const process = new Mortal(engine);
    const begun = Promise.withResolvers<void>();
    const hanging: Tool = { ...sender(seen), run: () => new Promise(() => begun.resolve()) };
    const dying = hostOf({ engine: process.engine, clock, tools: [hanging] });
    (await dying.lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
    await begun.promise;
    process.kill();
    await clock.advance(31_000);
    const next = hostOf({ engine, clock, tools: [sender(seen, () => ++seen.checks > 0)] });
    const session = await next.lash.openSession("s");
    await whileTimePasses(clock, session.run("go", { turnId: "t" }));
    expect(transcriptOf(session)[2]).toContain("tool_interrupted");
    expect([seen.checks, seen.ran]).toEqual([0, []]);
    await next.lash.close();
  });

  test("a call whose approval comes while its turn is parked is what a sweep takes up (AE-8, AE-9)", async () => {
    const [engine, seen] = [memoryEngine(), newSeen()];
    const clock = manualClock(1_000);
    const first = hostOf({ engine, clock, tools: [sender(seen, true)] });
    const session = await first.lash.openSession("s");
    session.run("go", { turnId: "t" }).catch(() => undefined);
    await first.parked;
    const { id } = await onlyCall(session);
    await session.close();
    await first.lash.close();
    const worker = hostOf({ engine, clock, tools: [sender(seen, true)] });
    expect(await worker.lash.recover()).toEqual([]);
    const hook = hookLash(engine, clock);
    expect(await (await hook.openSession("s")).approve(id)).toEqual({ status: "accepted" });
    await hook.close();
    expect(await worker.lash.recover()).toMatchObject([{ turnId: "t", result: { isSuccess: true } }]);
    expect(seen.ran).toHaveLength(1);
    await worker.lash.close();
  });

  test("other calls of the reply run meanwhile, and what they came to survives a kill (AE-8)", async () => {
    const [engine, seen, clock] = [memoryEngine(), newSeen(), manualClock(1_000)];
    const tools = [sender(seen, true), sender(seen, undefined, { name: "look" })];
    const script = { toolCalls: [SEND, { name: "look", args: { city: "Basel" } }] };
    const process = new Mortal(engine);
    const dying = hostOf({ engine: process.engine, clock, tools, script });
    (await dying.lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
    await dying.parked;
    expect(seen.ran).toEqual([{ tool: "look", city: "Basel", interrupted: false }]);
    process.kill();
    await clock.advance(31_000);
    const next = hostOf({ engine, clock, tools, script });
    const session = await next.lash.openSession("s");
    const result = session.run("go", { turnId: "t" });
    await session.approve((await onlyCall(session)).id);
    await whileTimePasses(clock, result);
    expect(seen.ran.map(({ tool: name }) => name)).toEqual(["look", "send"]);
    await next.lash.close();
  });

  test("serial calls are asked for up front, and may be answered in any order (AE-8)", async () => {
    const seen = newSeen();
    const { lash, parked } = hostOf({ tools: [sender(seen, true, { execution: "serial" })], script: { toolCalls: [SEND, { name: "send", args: { city: "Basel" } }] } });
    const session = await lash.openSession("s");
    const result = session.run("go");
    await parked;
    const [first, second] = await session.pendingCalls();
    expect([first?.args, second?.args]).toEqual([{ city: "Bern" }, { city: "Basel" }]);
    await session.approve(second?.id ?? "");
    await quiet();
    expect(seen.ran).toEqual([]);
    await session.approve(first?.id ?? "");
    await result;
    expect(seen.ran.map(({ city }) => city)).toEqual(["Bern", "Basel"]);
    await lash.close();
  });

  test("a call of a batch waits like any other, and its batch for it (AE-8, PP-42)", async () => {
    const seen = newSeen();
    const calls = [{ tool: "send", parameters: { city: "Bern" } }, { tool: "look", parameters: { city: "Basel" } }];
    const { lash, parked } = hostOf({ tools: [sender(seen, true), sender(seen, undefined, { name: "look" }), batchTool()], script: { toolCalls: [{ name: "batch", args: { tool_calls: calls } }] } });
    const session = await lash.openSession("s");
    const result = session.run("go");
    await parked;
    expect(seen.ran.map(({ tool: name }) => name)).toEqual(["look"]);
    await session.deny((await onlyCall(session)).id, { message: "no" });
    expect(await result).toMatchObject({ toolCalls: [{ output: { outcome: { payload: { results: [{ tool: "send", success: false, error: { code: "tool_denied" } }, { tool: "look", success: true }] } } } }] });
    await lash.close();
  });

  test("an inspector sees the chart of the call under a readable id, from its approval to its end (AE-8)", async () => {
    const states: string[] = [];
    const inspect: Inspect = (event) => {
      if (event.type !== "@xstate.snapshot" || !(event.actorRef as AnyActorRef).id.startsWith("tool:s:t:send:")) return;
      states.push(String((event.snapshot as { readonly value?: unknown }).value));
    };
    const { lash } = testLash({ script: SENDING, tools: [sender(newSeen(), true)], effects: "journaled", inspect });
    const session = await lash.openSession("s");
    const result = session.run("go", { turnId: "t" });
    await untilPending(session, 1);
    await session.approve((await onlyCall(session)).id);
    await result;
    expect(states.filter((state, index) => state !== states[index - 1])).toEqual(["issued", "approving", "issued", "running", "settled"]);
    await lash.close();
  });

  test("edited arguments are validated and run; the conversation keeps what the model wrote, and the result says which ran (AE-8)", async () => {
    const seen = newSeen();
    const { lash, parked } = hostOf({ tools: [sender(seen, true)] });
    const session = await lash.openSession("s");
    const result = session.run("go");
    await parked;
    const { id } = await onlyCall(session);
    await expect(session.approve(id, { args: { city: 7 } })).rejects.toMatchObject({ code: "invalid_argument", details: { field: "args" } });
    expect(await session.pendingCalls()).toHaveLength(1);
    await session.approve(id, { args: { city: "Chur" } });
    expect(await result).toMatchObject({ toolCalls: [{ args: { city: "Chur" }, output: { approval: { decision: "approved", isChanged: true } } }] });
    expect(transcriptOf(session)).toEqual(sent('sent to Chur\n[whoever approved the call changed its arguments; it ran with {"city":"Chur"}]'));
    await lash.close();
  });

  test("arguments that only the process that runs the tool can judge fail the call there, and it does not run (AE-8)", async () => {
    const [engine, seen] = [memoryEngine(), newSeen()];
    const clock = await killedWaiting(engine, seen);
    const hook = hookLash(engine, clock);
    const session = await hook.openSession("s");
    await session.approve((await onlyCall(session)).id, { args: { town: "Chur" } });
    await hook.close();
    const next = hostOf({ engine, clock, tools: [sender(seen, true)] });
    const opened = await next.lash.openSession("s");
    await whileTimePasses(clock, opened.run("go", { turnId: "t" }));
    expect(transcriptOf(opened)[2]).toContain("invalid_tool_args");
    expect(seen.ran).toEqual([]);
    await next.lash.close();
  });

  test.each([
    ["true", true, ""],
    ["a text", "it costs", "it costs"],
    ["an object", { reason: "it costs", expiresInMs: 60_000 }, "it costs"],
  ] as const)("a check that answers %s asks for approval (AE-8)", async (_what, verdict, reason) => {
    const seen = newSeen();
    const { lash, parked } = hostOf({ tools: [sender(seen, async ({ city }) => (city === "Bern" ? verdict : false))] });
    const session = await lash.openSession("s");
    const result = session.run("go");
    await parked;
    const call = await onlyCall(session);
    expect("reason" in call ? call.reason : "").toBe(reason);
    await session.approve(call.id);
    await result;
    expect(seen.ran).toHaveLength(1);
    await lash.close();
  });

  test("a check that says no lets the call run at once, and one that throws asks for approval (AE-8)", async () => {
    const seen = newSeen();
    const free = hostOf({ tools: [sender(seen, () => false)] });
    await (await free.lash.openSession("s")).run("go");
    expect(seen.ran).toHaveLength(1);
    const broken = hostOf({ tools: [sender(seen, () => { throw new Error("no rules"); })] });
    const session = await broken.lash.openSession("s");
    const result = session.run("go");
    await broken.parked;
    expect(await onlyCall(session)).toMatchObject({ reason: "whether the call needs approval could not be found out: no rules" });
    await session.deny((await onlyCall(session)).id);
    await result;
    expect(seen.ran).toHaveLength(1);
  });

  test("the first answer wins, and a later one is told what it was; an id that nothing waits under is unknown (AE-8, E-20)", async () => {
    const [engine, seen] = [memoryEngine(), newSeen()];
    const clock = await killedWaiting(engine, seen);
    const [one, two] = [hookLash(engine, clock), hookLash(engine, clock)];
    const [here, there] = [await one.openSession("s"), await two.openSession("s")];
    const { id } = await onlyCall(here);
    expect(await here.deny(id, { by: "ann" })).toEqual({ status: "accepted" });
    expect(await there.approve(id, { by: "bob" })).toEqual({ status: "already_answered", answer: { decision: "denied", by: "ann", answeredAtMs: clock.now() } });
    expect(await there.approve("0".repeat(64))).toEqual({ status: "unknown_call" });
    await Promise.all([one.close(), two.close()]);
  });

  test("a cancel denies: the call does not run, and a yes comes too late (AE-8, T-63)", async () => {
    const seen = newSeen();
    const { lash, parked } = hostOf({ tools: [sender(seen, true)] });
    const session = await lash.openSession("s");
    const turn = session.turn("go", { turnId: "t" });
    const result = turn.result;
    await parked;
    const { id } = await onlyCall(session);
    await turn.cancel();
    expect(await result).toMatchObject({ outcome: { kind: "stopped", stop: "cancelled" } });
    expect((await session.approve(id)).status).toBe("unknown_call");
    expect(seen.ran).toEqual([]);
    await lash.close();
  });

  test("a call whose time is over counts as denied, also where no process was there (AE-8, E-27)", async () => {
    const [engine, seen] = [memoryEngine(), newSeen()];
    const clock = await killedWaiting(engine, seen, { expiresInMs: 5_000 });
    const hook = hookLash(engine, clock);
    const session = await hook.openSession("s");
    expect([await session.pendingCalls(), await hook.pendingCalls()]).toEqual([[], []]);
    await hook.close();
    const next = hostOf({ engine, clock, tools: [sender(seen, true)] });
    const opened = await next.lash.openSession("s");
    await whileTimePasses(clock, opened.run("go", { turnId: "t" }));
    expect(transcriptOf(opened)).toEqual(sent(DENIED("Nobody approved the call in time; it was not run.")));
    expect(seen.ran).toEqual([]);
    await next.lash.close();
  });

  test("an approval that comes after its time changes nothing, and says so (AE-8)", async () => {
    const [engine, seen] = [memoryEngine(), newSeen()];
    const clock = manualClock(1_000);
    const process = new Mortal(engine);
    const { lash, parked } = hostOf({ engine: process.engine, clock, tools: [sender(seen, { expiresInMs: 60_000 })] });
    (await lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
    await parked;
    process.kill();
    const hook = hookLash(engine, clock);
    const session = await hook.openSession("s");
    const { id } = await onlyCall(session);
    await clock.advance(60_000);
    expect(await session.approve(id)).toEqual({ status: "already_answered", answer: { decision: "expired" } });
    await hook.close();
  });

  test("calls of all sessions are listed by session, page by page (AE-8)", async () => {
    const [engine, seen, clock] = [memoryEngine(), newSeen(), manualClock(1_000)];
    const { lash } = hostOf({ engine, clock, tools: [sender(seen, true)], script: { toolCalls: [SEND, SEND] } });
    for (const id of ["a", "b", "c"]) {
      const session = await lash.openSession(id);
      session.run("go").catch(() => undefined);
      await untilPending(session, 2);
    }
    const all = await lash.pendingCalls();
    expect(all.map(({ sessionId }) => sessionId)).toEqual(["a", "a", "b", "b", "c", "c"]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(6);
    const third = all[2];
    expect(await lash.pendingCalls(third ? { after: third } : {})).toEqual(all.slice(3));
    await lash.close({ graceMs: 0 });
  });

  test("a host that keeps nothing lists what waits in this process (AE-8)", async () => {
    const seen = newSeen();
    const { lash } = hostOf({ tools: [sender(seen, true)], effects: "inline" });
    const session = await lash.openSession("s");
    const result = session.run("go");
    await untilPending(session, 1);
    expect(await session.approve((await onlyCall(session)).id)).toEqual({ status: "accepted" });
    expect(await result).toMatchObject({ text: "done" });
    await lash.close();
  });

  test.each<[string, unknown, string]>([
    ["approve", { args: ["Bern"] }, "args"],
    ["approve", { note: 7 }, "note"],
    ["deny", { message: "x".repeat(5_000) }, "message"],
  ])("%s refuses what it cannot record (AE-8)", async (method, options, field) => {
    const { lash } = hostOf({ tools: [] });
    const session = await lash.openSession("s");
    await expect(session[method as "approve"]("x", options as Record<string, Json>)).rejects.toMatchObject({ code: "invalid_argument", details: { field } });
    await lash.close();
  });

  test.each<[string, unknown, string]>([
    ["needsApproval", "yes", "tool.needsApproval"],
    ["expiresInMs", { expiresInMs: 0 }, "expiresInMs"],
    ["reason", { reason: 1 }, "reason"],
  ])("a tool whose %s cannot be is refused when it is made (AE-8)", (_what, needsApproval, field) => {
    expect(() => tool({ name: "send", description: "", input: City, needsApproval: needsApproval as true, run: () => "" })).toThrow(field);
  });
});

describe("crashes", { timeout: 60_000 }, () => {
  test.each(engineCases())("a turn that asks for approval dies at any engine call on $name, and the call runs once, after the yes, or is told as interrupted (AE-8, E-45)", async ({ open }) => {
    const points = await crashEverywhere({
      open,
      world: newSeen,
      job: async (process, clock, seen) => {
        const host = hostOf({ engine: process.engine, clock, tools: [sender(seen, () => ++seen.checks > 0)] });
        const session = await host.lash.openSession("s");
        const result = session.run("go", { turnId: "t" });
        await host.parked;
        await session.approve((await onlyCall(session)).id);
        await whileTimePasses(clock, result);
        await host.lash.close();
      },
      check: async (disk, clock, seen) => {
        const host = hostOf({ engine: disk, clock, tools: [sender(seen, () => ++seen.checks > 0)] });
        const session = await host.lash.openSession("s");
        const result = session.run("go", { turnId: "t" });
        await Promise.race([host.parked, result]);
        for (const { id } of await session.pendingCalls()) await session.approve(id);
        expect(await whileTimePasses(clock, result)).toMatchObject({ text: "done", isSuccess: true });
        expect(seen.ran.length).toBeLessThanOrEqual(1);
        expect(seen.checks).toBeLessThanOrEqual(2);
        const said = transcriptOf(session)[2] ?? "";
        expect(said === "User: ToolResult sent to Bern" || said.includes("tool_interrupted")).toBe(true);
        expect(await heldLanes(disk)).toEqual([]);
        await host.lash.close();
      },
    });
    expect(points).toBeGreaterThan(20);
  });
});
