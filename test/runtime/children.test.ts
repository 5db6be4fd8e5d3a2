// Child sessions (sessions.md section 10, T-78, T-79, PT-63): made by a host or by a running tool call, and what they cost.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { childSessions, type ChildRequest } from "../../src/children/index.ts";
import { switchFrame, tool, type Session, type Tool, type ToolCall } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byAssistantMessages, gate, manualClock, type ScriptedReply } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import type { CrashPoint } from "../../src/testing/faulty-engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { askTool, newAsked, untilWaiting, whileTimePasses } from "../support/asking.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash as plainLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { png } from "../support/pictures.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const testLash = (options: TestLashOptions = {}) => plainLash({ children: childSessions(), ...options });

const delegate = (run: (call: ToolCall, args: { readonly task: string }) => unknown, options: object = { idempotent: true }): Tool =>
  tool({ name: "delegate", description: "", input: z.object({ task: z.string().default("dig") }), ...options, run: (args, call) => run(call, args) });

/** The parent delegates once and is done; children answer what they are asked. */
const script = (request: LlmRequest): ScriptedReply => {
  const [block] = request.messages.at(-1)?.blocks ?? [];
  if (request.scope.sessionId !== "p") return { text: `re ${block?.type === "text" ? block.text : "?"}`, usage: { inputTokens: 100, outputTokens: 1 } };
  return block?.type === "toolResult" ? "done" : { toolCalls: [{ name: "delegate" }] };
};

const ledgerOf = async (engine: Engine, sessionId: string) => {
  const ledger = (await createPersistence(engine, { clock: manualClock() }).sessions.load(sessionId, { kind: "active_path" }))?.ledger ?? [];
  return Object.fromEntries(ledger.map(({ source, usage }) => [source, usage.inputTokens]));
};

async function parent(options: TestLashOptions = {}) {
  const host = testLash({ script, ...options });
  return { ...host, session: await host.lash.openSession("p") };
}

/** Before and after each engine call; on a disk every fourth of these. */
const boundaries = (name: string) => (all: readonly CrashPoint[]) => all.filter(({ when }) => when !== "inside").filter((_, index) => name === "memory" || index % 4 === 0);

/** Delegates to one child in two turns. */
const twoTurns = delegate(async (call, { task }) => {
  const child = await call.children.create({ usageSource: "subagent", prompt: "dig deep" });
  const first = await child.run(task);
  return `${first.text}, ${(await child.run("more")).text}`;
});

const SAID = ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult re dig, re more", "Assistant: Prose done"];
const CHILD_SAID = ["User: Text dig", "Assistant: Prose re dig", "User: Text more", "Assistant: Prose re more"];

describe.each(engineCases())("a child that a host makes, on $name,", ({ open, name }) => {
  test("S-65 S-66 begins empty with the policy and prompt of its parent, in an initial frame of its own, under what was asked for", async () => {
    const { lash, session, provider, engine } = await parent({ engine: open(), maxTurns: 7 });
    await session.configure({ prompt: "the parent's", model: { id: "own", contextWindowTokens: 9_000 } });
    const plain = await session.children.create({ id: "c1", initialMessages: [{ role: "Assistant", text: "hello" }] });
    expect(plain.id).toBe("c1");
    expect(plain.observe().readView).toMatchObject({
      revision: 1, turnIndex: 0, currentFrameId: "c1:frame:initial",
      policy: { providerId: "scripted", maxTurns: 7, model: { id: "own", limits: { contextWindowTokens: 9_000 } } },
    });
    await plain.run("a");
    expect(transcriptOf(plain)).toEqual(["Assistant: Text hello", "User: Text a", "Assistant: Prose re a"]);
    const other = await session.children.create({ model: { id: "small" }, prompt: "its own", maxTurns: 2, subagent: { capability: "explore" }, usageSource: "subagent" });
    await other.run("b");
    expect(provider.requests.map(({ model, messages }) => [model, JSON.stringify(messages[0])])).toEqual([["own", expect.stringContaining("the parent's")], ["small", expect.stringContaining("its own")]]);
    expect((await session.children.list()).find(({ sessionId }) => sessionId === other.id)).toMatchObject({ usageSource: "subagent", depth: 1, maxDepth: 5, capability: "explore" });
    await lash.close();
    // Whoever opens it without settings of their own finds it as it was made, whatever this lash gives to others.
    const again = testLash({ engine, script, model: { id: "lash-wide" }, maxTurns: 1 });
    const reopened = await again.lash.openSession("c1");
    await reopened.run("again");
    expect(reopened.observe().readView.policy).toMatchObject({ model: { id: "own" }, maxTurns: 7 });
    expect(again.provider.requests).toMatchObject([{ model: "own" }]);
  });

  test("S-66 begins with a copy: of its parent's present conversation, of another child, or of a view that was kept", async () => {
    const { session } = await parent({ engine: open(), script: byAssistantMessages(["one", "two", "three"]) });
    await session.run("old");
    await session.reset();
    await session.run("a");
    const kept = session.observe().readView;
    const copy = await session.children.create({ start: "current", initialMessages: [{ role: "User", text: "next" }] });
    await session.run("b");
    const expected = ["User: Text a", "Assistant: Prose one"];
    expect(transcriptOf(copy)).toEqual([...expected, "User: Text next"]);
    expect(copy.observe().readView.currentFrameId).toBe(`${copy.id}:frame:initial`);
    expect(transcriptOf(await session.children.create({ start: { sessionId: copy.id }, initialMessages: [{ role: "User", text: "and" }] }))).toEqual([...expected, "User: Text next", "User: Text and"]);
    const snapshot = JSON.parse(JSON.stringify({ ...kept, messages: kept.messages })) as typeof kept;
    const restored = await session.children.create({ start: { snapshot } });
    expect(transcriptOf(restored)).toEqual(expected);
    expect(await restored.run("c")).toMatchObject({ text: "two" });
    expect(transcriptOf(session)).toHaveLength(4);
  });

  test("S-68 is there with all that it starts with, or not at all, wherever its making dies", async () => {
    const request: ChildRequest = { id: "c", start: "current", prompt: "p", initialMessages: [{ role: "User", text: "x" }] };
    const state = async (session: Session) => (await session.children.list()).map(({ sessionId }) => sessionId);
    await crashEverywhere<null>({
      open,
      points: boundaries(name),
      world: () => null,
      prepare: async (disk, clock) => void (await (await parent({ engine: disk, clock })).session.run("a")),
      job: async (process, clock) => void (await (await parent({ engine: process.engine, clock })).session.children.create(request)),
      check: async (disk, clock) => {
        const { lash, session } = await parent({ engine: disk, clock });
        const made = await state(session);
        const child = made.length > 0 ? await lash.openSession("c") : await session.children.create(request);
        expect(transcriptOf(child)).toEqual(["User: Text a", "Assistant: ToolCall {}", expect.stringContaining("tool_unavailable"), "Assistant: Prose done", "User: Text x"]);
        expect(await state(session)).toEqual(["c"]);
        expect(await heldLanes(disk)).toEqual([]);
        await lash.close();
      },
    });
  });

  test("S-65 is refused under an id that is its parent's, exists, is open or was deleted, and nothing is written", async () => {
    const { lash, session, engine } = await parent({ engine: open() });
    await (await session.children.create({ id: "c" })).close();
    await lash.openSession("fresh");
    await lash.deleteSession("c2");
    await (await session.children.create({ id: "c2" })).close();
    await lash.deleteSession("c2");
    const before = await keysOf(engine);
    for (const id of ["p", "c", "fresh"]) await expect(session.children.create({ id })).rejects.toMatchObject({ code: "session_already_exists", message: `session ${id} already exists` });
    await expect(session.children.create({ id: "c2" })).rejects.toMatchObject({ code: "session_id_retired" });
    expect(await keysOf(engine)).toEqual(before);
    expect((await session.children.create({ id: "  " })).id).not.toBe("  ");
  });

  test("S-69 T-79 is booked by its parents in the commits of its own turns, also between two turns of theirs, and by none that was deleted", async () => {
    const { lash, session, engine } = await parent({ engine: open() });
    const child = await session.children.create({ id: "c" });
    const grandchild = await child.children.create({ id: "g", usageSource: "deep" });
    await child.run("a");
    await grandchild.run("b");
    expect(await session.run("go")).toMatchObject({ usage: { inputTokens: 20 }, childrenUsage: [], totalUsage: { inputTokens: 20 } });
    expect(await Promise.all(["p", "c", "g"].map((id) => ledgerOf(engine, id)))).toEqual([{ child: 200, turn: 20 }, { turn: 100, deep: 100 }, { turn: 100 }]);
    expect(session.observe().usageReport.bySource).toMatchObject({ child: { inputTokens: 200 }, turn: { inputTokens: 20 } });
    // A turn that ended is asked for again: nothing is booked again.
    await child.run("a", { turnId: "known" });
    await child.run("a", { turnId: "known" });
    expect(await ledgerOf(engine, "p")).toEqual({ child: 300, turn: 20 });
    expect((await session.usage()).bySource).toMatchObject({ child: { inputTokens: 300 }, turn: { inputTokens: 20 } });
    await lash.deleteSession("p");
    await grandchild.run("c");
    expect(await ledgerOf(engine, "c")).toEqual({ turn: 200, deep: 200 });
    expect((await keysOf(engine)).filter((key) => key.startsWith('["s","p"'))).toEqual([]);
    expect(transcriptOf(child)).toHaveLength(4);
  });

  test("S-70 is closed by its handle, not while its turn runs; it stays stored, is opened like any session, and runs one turn at a time", async () => {
    const held = gate();
    const { lash, session } = await parent({ engine: open(), script: () => ({ text: "slow", before: held }) });
    const child = await session.children.create({ id: "c" });
    const running = child.run("a");
    await held.reached;
    await expect(child.close()).rejects.toMatchObject({ code: "session_still_in_use" });
    await expect((await lash.openSession("c")).run("b", { wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    held.open();
    await running;
    await child.close();
    const foreground = await lash.openSession("c");
    expect(transcriptOf(foreground)).toEqual(["User: Text a", "Assistant: Prose slow"]);
    expect(await session.children.list()).toMatchObject([{ sessionId: "c" }]);
    await lash.deleteSession("c");
    expect(await session.children.list()).toEqual([]);
  });
});

describe.each(engineCases())("a child that a tool makes, on $name,", ({ open, name }) => {
  test("T-78 PT-63 tells its usage in the parent's turn, whose result has it beside its own", async () => {
    const { session, engine } = await parent({ engine: open(), tools: [twoTurns] });
    const turn = session.turn("go", { turnId: "t" });
    const told = (await activitiesOf(turn)).filter(({ type }) => type === "child_usage");
    const expected = { usage: { inputTokens: 20 }, childrenUsage: [{ source: "subagent", model: "scripted-model", usage: { inputTokens: 200 } }], totalUsage: { inputTokens: 220 } };
    expect(await turn.result).toMatchObject(expected);
    expect(told).toMatchObject([{ source: "subagent", usage: { inputTokens: 100 }, cumulative: { inputTokens: 100 } }, { usage: { inputTokens: 100 }, cumulative: { inputTokens: 200 } }]);
    // As recorded.
    expect(await session.run("go", { turnId: "t" })).toMatchObject(expected);
    expect(await ledgerOf(engine, "p")).toEqual({ turn: 20, subagent: 200 });
    expect(await session.children.list()).toMatchObject([{ causedBy: { type: "tool_call", turnId: "t", toolName: "delegate" } }]);
  });

  test("S-69 T-79 OP-5 E-45 is made once and booked once, each of its turns too, wherever the parent's process dies", { timeout: 60_000 }, async () => {
    interface World { readonly asked: string[] }
    const make = (world: World) => ({
      script: (request: LlmRequest) => {
        world.asked.push(request.scope.sessionId ?? "");
        return script(request);
      },
      tools: [twoTurns],
    });
    await crashEverywhere<World>({
      open,
      points: boundaries(name),
      world: () => ({ asked: [] }),
      job: async (process, clock, world) => void (await (await parent({ engine: process.engine, clock, ...make(world) })).session.run("go", { turnId: "t" })),
      check: async (disk, clock, world) => {
        const settled = world.asked.length;
        const { lash, session } = await parent({ engine: disk, clock, ...make(world) });
        expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done", childrenUsage: [{ source: "subagent", usage: { inputTokens: 200 } }] });
        const [child, ...others] = await session.children.list();
        expect(others).toEqual([]);
        expect(transcriptOf(session)).toEqual(SAID);
        expect(transcriptOf(await lash.openSession(child?.sessionId ?? ""))).toEqual(CHILD_SAID);
        expect(await ledgerOf(disk, "p")).toEqual({ turn: 20, subagent: 200 });
        // At most the one call that was running is made again.
        expect(world.asked.length - settled).toBeLessThanOrEqual(4);
        expect(world.asked.length).toBeLessThanOrEqual(5);
        expect(await heldLanes(disk)).toEqual([]);
        expect((await keysOf(disk)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
        await lash.close();
      },
    });
  });

  test.each([1, 8])("OP-7 S-69 a parent and the child it waits for are both finished by recover(), %i at a time, and neither waits for the other for ever", async (atOnce) => {
    const [engine, clock, begun] = [open(), manualClock(1_000), gate()];
    const dying = new Mortal(engine);
    const digging = (request: LlmRequest): ScriptedReply => (request.scope.sessionId !== "p" && request.messages.length === 1 ? { toolCalls: [{ name: "shovel" }] } : script(request));
    // It has a tool that only the parent's tool can give it.
    const make = (dig: () => unknown) => {
      const shovel = tool({ name: "shovel", description: "", input: z.object({}), idempotent: true, run: dig });
      return { script: digging, tools: [delegate(async (call) => (await (await call.children.create({ id: "c", tools: [shovel] })).run("dig")).text)] };
    };
    (await parent({ engine: dying.engine, clock, ...make(() => begun.pass()) })).session.run("go", { turnId: "t" }).catch(() => {});
    await begun.reached;
    dying.kill();
    await clock.advance(31_000);
    const { lash, provider } = testLash({ engine, clock, ...make(() => "dug") });
    const recovered = await lash.recover({ atOnce });
    expect(recovered).toMatchObject([{ sessionId: "p", turnId: "t", result: { text: "done", usage: { inputTokens: 20 } } }, { sessionId: "c", result: { isSuccess: true } }]);
    expect(transcriptOf(await lash.openSession("p")).at(-1)).toBe("Assistant: Prose done");
    expect(transcriptOf(await lash.openSession("c"))[2]).toBe("User: ToolResult dug");
    expect(provider.requests.map(({ scope }) => scope.sessionId)).toEqual(["c", "p"]);
    expect(await lash.recover()).toEqual([]);
  });

  test("S-60 E-45 a process that loses the parent ends the child's turn, and the one that took the parent over waits for it", async () => {
    const [engine, clock, begun] = [open(), manualClock(1_000), gate()];
    const one = await parent({ engine, clock, tools: [twoTurns], script: (request) => (request.scope.sessionId === "p" ? script(request) : { ...(script(request) as object), before: begun }) });
    const lost = one.session.run("go", { turnId: "t" }).catch((error: { code: string }) => error.code);
    await begun.reached;
    const store = createPersistence(engine, { clock });
    const lease = await store.leases.current("p");
    if (lease) await store.leases.release({ ...lease, ownerId: lease.owner.ownerId, incarnationId: lease.owner.incarnationId });
    const two = await parent({ engine, clock, tools: [twoTurns] });
    const taken = two.session.run("go", { turnId: "t" });
    while (!(await store.leases.current("p"))) await clock.advance(1);
    // It learns of its loss while the child still runs.
    await whileTimePasses(clock, lost);
    begun.open();
    expect(await whileTimePasses(clock, taken)).toMatchObject({ text: "done", childrenUsage: [{ usage: { inputTokens: 200 } }] });
    expect(transcriptOf(two.session)).toEqual(SAID);
    expect(await ledgerOf(engine, "p")).toEqual({ turn: 20, subagent: 200 });
    expect(await lost).toBe("session_execution_lease_lost");
    await one.lash.close();
  });

  test("T-63 a parent that is cancelled cancels the turn of the child that it waits for, and counts what it heard of it", async () => {
    const calls = { child: 0 };
    const [inChild, clock] = [gate(), manualClock(1_000)];
    const { session, lash, engine } = await parent({
      engine: open(), clock,
      tools: [delegate(async (call) => (await (await call.children.create({ id: "c" })).run("dig")).text), tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" })],
      script: (request) => {
        if (request.scope.sessionId === "p") return script(request);
        return ++calls.child === 1 ? { toolCalls: [{ name: "look" }], usage: { inputTokens: 100 } } : { text: "never", before: inChild };
      },
    });
    const turn = session.turn("go", { turnId: "t" });
    const ended = turn.result;
    await inChild.reached;
    await turn.cancel();
    await clock.advance(60);
    expect(await ended).toMatchObject({ outcome: { stop: "cancelled" }, childrenUsage: [{ source: "child", usage: { inputTokens: 100 } }] });
    expect(await lash.recover()).toEqual([]);
    expect((await lash.openSession("c")).observe().readView).toMatchObject({ turnIndex: 1 });
    expect(await ledgerOf(engine, "p")).toMatchObject({ child: 100 });
  });
});

describe("children", () => {
  test("OP-8 of which one waits for an answer from outside hold up nobody: both turns are left in flight, and the answer wakes both", async () => {
    const [engine, clock] = [memoryEngine(), manualClock(1_000)];
    const asked = newAsked();
    const make = (): TestLashOptions => ({
      engine, clock,
      tools: [delegate(async (call) => (await (await call.children.create({ id: "c" })).run("dig")).text), askTool(asked)],
      script: (request) => {
        if (request.scope.sessionId === "p") return script(request);
        return request.messages.at(-1)?.blocks[0]?.type === "toolResult" ? "answered" : { toolCalls: [{ name: "ask" }] };
      },
    });
    const dying = new Mortal(engine);
    (await parent({ ...make(), engine: dying.engine })).session.run("go", { turnId: "t" }).catch(() => {});
    await untilWaiting(engine);
    dying.kill();
    await clock.advance(31_000);
    const { lash } = testLash(make());
    expect(await lash.recover()).toEqual([{ sessionId: "p", turnId: "t", suspended: true }]);
    expect(await heldLanes(engine)).toEqual([]);
    await lash.completions.resolve(asked.keys[0] ?? "", { status: "ok", payload: "yes" });
    const session = await lash.openSession("p");
    expect(await whileTimePasses(clock, session.run("go", { turnId: "t" }))).toMatchObject({ text: "done", toolCalls: [{ status: "success" }] });
    expect(transcriptOf(session)).toContain("User: ToolResult answered");
    expect(asked.keys).toHaveLength(1);
    expect(await lash.recover()).toEqual([]);
    await lash.close();
  });

  test("T-63 OP-20 whose parent was cancelled while nobody drove it are cancelled with it, without another model call", async () => {
    const [engine, clock, begun] = [memoryEngine(), manualClock(1_000), gate()];
    const dying = new Mortal(engine);
    const first = await parent({ engine: dying.engine, clock, tools: [twoTurns], script: (request) => (request.scope.sessionId === "p" ? script(request) : { text: "never", before: begun }) });
    first.session.run("go", { turnId: "t" }).catch(() => {});
    await begun.reached;
    dying.kill();
    await clock.advance(31_000);
    const { lash, provider } = testLash({ engine, clock, script, tools: [twoTurns] });
    expect(await lash.cancelTurn("p", "t", "enough")).toEqual({ status: "accepted" });
    const session = await lash.openSession("p");
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ outcome: { stop: "cancelled" }, cancellation: { reason: "enough" } });
    const [child] = await session.children.list();
    expect((await lash.openSession(child?.sessionId ?? "")).observe().readView).toMatchObject({ turnIndex: 1, usage: { inputTokens: 0 } });
    expect(provider.requests).toEqual([]);
    expect(await lash.recover()).toEqual([]);
    await lash.close();
  });

  test("S-67 PT-37 get the tools of their parent but those that are hidden from them and theirs, also when others open them", async () => {
    const named = (name: string) => tool({ name, description: "", input: z.object({}), run: () => name });
    const { lash, session, provider } = await parent({ tools: [named("a"), named("b"), named("c")] });
    const child = await session.children.create({ id: "c1", hiddenTools: ["a"], tools: [named("own")] });
    const grandchild = await child.children.create({ id: "c2", hiddenTools: ["b"] });
    for (const each of [child, grandchild]) await each.run("x");
    await Promise.all([child, grandchild].map((each) => each.close()));
    await (await lash.openSession("c2")).run("x");
    expect(provider.requests.map(({ tools }) => tools.map(({ name }) => name))).toEqual([["b", "c", "own"], ["c", "own"], ["c"]]);
    await expect(session.children.create({ tools: [named("b")] })).rejects.toMatchObject({ code: "duplicate_tool_name" });
    // What is hidden may be replaced.
    expect((await session.children.create({ hiddenTools: ["b"], tools: [named("b")] })).id).toBeTruthy();
  });

  test("S-66 C-46 hold the images that they start with, also when their parent is deleted", async () => {
    const { lash, session, engine, clock } = await parent();
    await session.run({ items: [{ type: "image_ref", id: "i" }], imageBlobs: { i: png(1) } });
    const view = session.observe().readView;
    const child = await session.children.create({ start: { snapshot: view } });
    await lash.deleteSession("p");
    const [image] = child.observe().readView.messages[0]?.parts ?? [];
    const { attachments } = createPersistence(engine, { clock });
    expect((await attachments.get(image?.attachment?.reference.id ?? "")).bytes).toEqual(png(1));
    expect(await attachments.sweep(clock.now() + 1)).toMatchObject({ reclaimed: 0 });
  });

  test("S-67 PT-27 go on from the tool state and plugin snapshot that their parent committed last, or begin without", async () => {
    const { session, engine, clock } = await parent();
    await session.tools.add(["kept", "taken"].map((name) => tool({ name, description: "", input: z.object({}), run: () => null })));
    await session.tools.setMembership("taken", false);
    const { sessions, leases } = createPersistence(engine, { clock });
    const claim = await leases.claim({ sessionId: "p", owner: { ownerId: "o", incarnationId: "i", liveness: { kind: "opaque" } }, ttlMs: 1_000, leaseToken: "t" });
    const read = await sessions.load("p", { kind: "active_path" });
    if (claim.kind !== "acquired" || !read) throw new Error("the lane is free and the session there");
    const components = { pluginSnapshot: { of: "plugins" }, executionState: { of: "code" } };
    await sessions.commit({ sessionId: "p", expectedHeadRevision: read.headRevision, fence: { ...claim.lease, ...claim.lease.owner }, releaseLease: true, head: read.head, frames: [], nodes: [], usageDeltas: [], committedAttachmentIds: [], components });
    const componentsOf = async ({ id }: Session) => (await sessions.load(id, { kind: "active_path" }))?.components;
    const fork = await session.children.create();
    expect(await componentsOf(fork)).toEqual({ toolState: read.components.toolState, pluginSnapshot: { of: "plugins" } });
    expect((await fork.tools.state()).tools).toMatchObject({ kept: {}, taken: { member: false, orphaned: true } });
    const fresh = await session.children.create({ state: "fresh", start: "current" });
    expect(await componentsOf(fresh)).toEqual({});
    expect((await fresh.tools.activeManifests()).map(({ id }) => id)).toEqual((await fork.tools.activeManifests()).map(({ id }) => id));
  });

  test("S-65 have no children beyond the depth of their line, however deep they ask", async () => {
    const { session, engine } = await parent();
    const child = await session.children.create({ maxDepth: 2 });
    const grandchild = await child.children.create({ maxDepth: 64 });
    const before = await keysOf(engine);
    await expect(grandchild.children.create({ maxDepth: 64 })).rejects.toMatchObject({ code: "limit_exceeded", details: { field: "maxDepth", max: 2 } });
    expect(await keysOf(engine)).toEqual(before);
    expect(await child.children.list()).toMatchObject([{ depth: 2, maxDepth: 2 }]);
  });

  const message = { id: "m", role: "User", parts: [{ id: "m.p0", kind: "Text", content: "x" }] };
  test.each<[string, unknown]>([
    ["child request: idd", { idd: "x" }],
    ["id", { id: "x".repeat(201) }],
    ["start", { start: "later" }],
    ["start", { start: { sessionId: "p", snapshot: { messages: [] } } }],
    ["start.sessionId", { start: { sessionId: "stranger" } }],
    ["start.snapshot", { start: { snapshot: null } }],
    ["start.snapshot.messages[0]", { start: { snapshot: { messages: [{ ...message, role: "Root" }] } } }],
    ["start.snapshot.messages[1]", { start: { snapshot: { messages: [message, message] } } }],
    ["start.snapshot.policy", { start: { snapshot: { messages: [], policy: { providerId: 1 } } } }],
    ["start", { start: { snapshot: { messages: [{ ...message, parts: [{ id: "m.p0", kind: "Image", content: "", attachment: { reference: { id: "f".repeat(64), mime: "image/png", byteLength: 1 } } }] }] } } }],
    ["hiddenTools", { hiddenTools: "a" }],
    ["initialMessages[0]", { initialMessages: [{ role: "Tool", text: "" }] }],
    ["usageSource", { usageSource: "turn" }],
    ["usageSource", { usageSource: " " }],
    ["state", { state: "stale" }],
    ["subagent.capability", { subagent: {} }],
    ["maxDepth", { maxDepth: 0 }],
    ["maxTurns", { maxTurns: 0 }],
    ["tools[0]", { tools: [{}] }],
  ])("S-65 are not made with a wrong `%s`, and nothing is written (design 10)", async (field, request) => {
    const { lash, session, engine } = await parent();
    await (await lash.openSession("stranger")).run("secret");
    const before = await keysOf(engine);
    await expect(session.children.create(request as ChildRequest)).rejects.toMatchObject({ code: "invalid_argument", details: { field } });
    expect(await keysOf(engine)).toEqual(before);
  });

  test("PT-63 are within reach of a call only as long as it runs, and only its session's own; a turn that it left behind goes on", async () => {
    const held = gate();
    let late: Promise<unknown> = Promise.resolve();
    let children: ToolCall["children"] | undefined;
    const { lash, session } = await parent({
      script: (request) => (request.scope.sessionId === "c" ? { text: "late", before: held } : script(request)),
      tools: [delegate(async (call) => {
        children = call.children;
        const refused = await call.children.open("stranger").catch((error: { code: string }) => error.code);
        late = (await call.children.create({ id: "c" })).run("dig").then(({ text }) => text);
        return refused;
      })],
    });
    await (await lash.openSession("stranger")).run("x");
    expect(await session.run("go")).toMatchObject({ text: "done", toolCalls: [{ output: { outcome: { payload: "invalid_argument" } } }] });
    held.open();
    expect(await late).toBe("late");
    await expect(children?.create()).rejects.toMatchObject({ code: "durable_effects_unavailable_in_tool_attempt" });
    await lash.close();
  });

  test("E-45 S-69 survive a second death, anywhere in the recovery from a first one that came while a child ran", { timeout: 60_000 }, async () => {
    await crashEverywhere<null>({
      open: memoryEngine,
      points: (all) => boundaries("memory")(all).filter((_, index) => index % 2 === 0),
      world: () => null,
      prepare: async (disk, clock) => {
        const [dying, begun] = [new Mortal(disk), gate()];
        (await parent({ engine: dying.engine, clock, tools: [twoTurns], script: (request) => (request.messages.length > 2 ? { text: "never", before: begun } : script(request)) })).session.run("go", { turnId: "t" }).catch(() => {});
        await begun.reached;
        dying.kill();
        await clock.advance(31_000);
      },
      job: async (process, clock) => void (await testLash({ engine: process.engine, clock, script, tools: [twoTurns] }).lash.recover()),
      check: async (disk, clock) => {
        const { lash, session } = await parent({ engine: disk, clock, tools: [twoTurns] });
        await lash.recover();
        expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done", childrenUsage: [{ usage: { inputTokens: 200 } }] });
        expect(transcriptOf(session)).toEqual(SAID);
        expect(await ledgerOf(disk, "p")).toEqual({ turn: 20, subagent: 200 });
        expect(await session.children.list()).toHaveLength(1);
        expect(await heldLanes(disk)).toEqual([]);
        await lash.close();
      },
    });
  });

  test("OP-15 work where nothing is durable, and a second child turn in another frame counts all of its frames (T-67)", async () => {
    const { session, engine } = await parent({
      effects: "inline",
      tools: [delegate(async (call) => (await (await call.children.create()).run("dig")).text), tool({ name: "move", description: "", input: z.object({}), run: () => switchFrame({ frameId: "next", task: "on" }) })],
      script: (request) => (request.scope.sessionId === "p" || request.scope.agentFrameId === "next" ? script(request) : { toolCalls: [{ name: "move" }], usage: { inputTokens: 30 } }),
    });
    expect(await session.run("go")).toMatchObject({ text: "done", childrenUsage: [{ source: "child", usage: { inputTokens: 130 } }] });
    expect(await ledgerOf(engine, "p")).toEqual({ turn: 20, child: 130 });
  });

  test("FA-1 need `children` at createLash, and say so; what it is given is checked", async () => {
    const tools = [delegate((call) => call.children.create())];
    const { lash } = plainLash({ script, tools });
    const session = await lash.openSession("p");
    expect(() => session.children).toThrow(expect.objectContaining({ code: "missing_child_sessions" }));
    expect(await session.run("go")).toMatchObject({ text: "done", toolCalls: [{ output: { outcome: { payload: { code: "missing_child_sessions" } } } }] });
    expect(() => plainLash({ children: {} as never })).toThrow(expect.objectContaining({ code: "invalid_argument" }));
    await expect(lash.recover({ atOnce: 0 })).rejects.toMatchObject({ code: "invalid_argument", details: { field: "atOnce" } });
  });

  test("OP-10 of one call are told apart by their number or key, and so are their turns; another input under the same key is refused", async () => {
    const { session } = await parent({
      tools: [delegate(async (call) => {
        const [one, two, named] = await Promise.all([call.children.create(), call.children.create(), call.children.create({ key: "x" })]);
        const same = await call.children.create({ key: "x" });
        await one.run("a", { key: "k" });
        const conflict = await one.run("b", { key: "k" }).catch((error: { code: string }) => error.code);
        return [new Set([one.id, two.id, named.id]).size, same.id === named.id, conflict];
      })],
    });
    expect(await session.run("go")).toMatchObject({ toolCalls: [{ output: { outcome: { payload: [3, true, "runtime_turn_commit_conflict"] } } }] });
  });
});
