// Input that reaches a turn while it runs: taken at its checkpoints, committed once and in its place, or left to the next turn.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Session } from "../../src/index.ts";
import type { EnqueueOptions } from "../../src/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { gate, manualClock, type ManualClock, type ScriptedReply } from "../../src/testing/index.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { bury, Mortal } from "../support/mortal.ts";
import { png } from "../support/pictures.ts";
import { heldLanes, overwrite, rowsOf } from "../support/rows.ts";

const ACTIVE: EnqueueOptions = { ingress: { scope: "active_turn" } };
const LAST: EnqueueOptions = { ingress: { scope: "active_turn", minBoundary: "before_completion" } };
const stateOf = async (engine: Engine, value: string) => (await createPersistence(engine, { clock: manualClock(1_000) }).inputs.cancel("s", [{ kind: "source_key", value }]))[0]?.outcome;

/** A session whose tool and whose model calls do what the test says, while they run. */
function acting(acts: { readonly tool?: (session: Session) => Promise<unknown>; readonly model?: readonly ((session: Session) => Promise<unknown>)[] }, options: Parameters<typeof testLash>[0] & { readonly replies?: readonly ScriptedReply[] } = {}) {
  const { replies = [{ toolCalls: [{ name: "look" }] }, "first", "second", "third"], ...rest } = options;
  const own: { session?: Session } = {};
  const theSession = (): Session => own.session ?? expect.fail("no session yet");
  const host = testLash({
    script: async (_request, index) => {
      await acts.model?.[index]?.(theSession());
      return replies[index] ?? "more";
    },
    tools: [tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: async () => (await acts.tool?.(theSession()), "seen") })],
    ...rest,
  });
  return { ...host, open: async () => (own.session = await host.lash.openSession("s")) };
}

const nothing = (): Promise<void> => Promise.resolve();

describe.each(engineCases())("on $name", ({ open: openEngine }) => {
  test("what arrives while a tool runs is said behind its result and answered in the same turn (T-55, T-56, FA-64)", async () => {
    const engine = openEngine();
    const { open, provider } = acting({ tool: (session) => session.inject("and the wind?", { id: "w" }) }, { engine });
    const session = await open();
    const turn = session.turn("weather?", { turnId: "t" });
    const seen = await activitiesOf(turn);
    expect(await turn.result).toMatchObject({ text: "first", isSuccess: true });
    expect(transcriptOf(session)).toEqual(["User: Text weather?", "Assistant: ToolCall {}", "User: ToolResult seen", "User: Text and the wind?", "Assistant: Prose first"]);
    expect(provider.requests[1]?.messages.at(-1)).toEqual({ role: "user", blocks: [{ type: "text", text: "and the wind?" }] });
    const message = expect.objectContaining({ id: "t:3", role: "User" });
    expect(seen.filter(({ type }) => type.startsWith("queued"))).toEqual([
      expect.objectContaining({ type: "queued_input_accepted", checkpoint: "after_work", inputs: [{ id: "w", message }] }),
      expect.objectContaining({ type: "queued_messages_committed", checkpoint: "after_work", messages: [message] }),
    ]);
    expect([await stateOf(engine, "injection:w"), await session.pendingTurnInputs(), await session.queuedTurn()]).toEqual(["already_completed", [], undefined]);
  });

  test("what arrives while the last answer is given prevents completion; the answer stays where it stood (T-57, T-57a, TT-7)", async () => {
    const { open } = acting({ model: [nothing, (session) => session.enqueue("wait!", ACTIVE)] }, { engine: openEngine() });
    const session = await open();
    const result = await session.run("go");
    expect(result).toMatchObject({ text: "second", isSuccess: true, usage: { inputTokens: 30 } });
    const transcript = ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", "Assistant: Prose first", "User: Text wait!", "Assistant: Prose second"];
    expect(transcriptOf(session)).toEqual(transcript);
    expect(await session.run("on")).toMatchObject({ isSuccess: true });
    expect(transcriptOf(session).slice(0, 6)).toEqual(transcript);
  });

  test("it may come from another process that holds no lease, and again and again (FA-35, OP-9)", async () => {
    const engine = openEngine();
    const other = await testLash({ engine }).lash.openSession("s");
    const say = (text: string) => () => other.enqueue(text, ACTIVE);
    const { open } = acting({ model: [say("one"), say("two"), say("three")] }, { engine, replies: ["a", "b", "c", "d"] });
    const session = await open();
    expect(await session.run("go")).toMatchObject({ text: "d" });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose a", "User: Text one", "Assistant: Prose b", "User: Text two", "Assistant: Prose c", "User: Text three", "Assistant: Prose d"]);
    expect(await heldLanes(engine)).toEqual([]);
  });

  test("input for the end is not taken after work, and does not hold up what is behind it (I-15, T-55)", async () => {
    const { open } = acting({ tool: async (session) => [await session.enqueue("at last", LAST), await session.enqueue("soon", ACTIVE)] }, { engine: openEngine() });
    const session = await open();
    await session.run("go");
    expect(transcriptOf(session).slice(3)).toEqual(["User: Text soon", "Assistant: Prose first", "User: Text at last", "Assistant: Prose second"]);
  });

  test("a checkpoint takes 64 at most, in order; the next one takes the rest (T-55, I-17)", async () => {
    const texts = Array.from({ length: 70 }, (_, index) => `n${index}`);
    const { open } = acting({ tool: async (session) => { for (const text of texts) await session.enqueue(text, ACTIVE); } }, { engine: openEngine() });
    const session = await open();
    await session.run("go");
    const said = transcriptOf(session).slice(3);
    expect(said.filter((line) => line.startsWith("User"))).toEqual(texts.map((text) => `User: Text ${text}`));
    expect(said.indexOf("Assistant: Prose first")).toBe(64);
  });

  test("a turn that is cancelled completes what it had taken and leaves the rest to the next turn, once (T-65, I-32, I-33)", async () => {
    const engine = openEngine();
    const held = gate();
    const { open } = acting({ tool: (session) => session.inject("taken", { id: "a" }), model: [nothing, () => held.pass()] }, { engine });
    const session = await open();
    const turn = session.turn("go");
    const { result } = turn;
    await held.reached;
    await session.enqueue("late", { id: "b", ...ACTIVE });
    turn.cancel();
    held.open();
    expect(await result).toMatchObject({ outcome: { kind: "stopped", stop: "cancelled" } });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", "User: Text taken"]);
    expect(await session.pendingTurnInputs()).toMatchObject([{ state: "deferred_next_turn", ingress: { scope: "next_turn" }, sourceKey: "host:b" }]);
    expect(await session.queuedTurn()).toMatchObject({ isSuccess: true });
    expect(transcriptOf(session).slice(4, 5)).toEqual(["User: Text late"]);
    expect([await session.pendingTurnInputs(), await session.queuedTurn()]).toEqual([[], undefined]);
  });

  test("a turn that fails leaves what it never looked for to the next turn (T-65, I-32)", async () => {
    const { open } = acting({ model: [(session) => session.enqueue("late", ACTIVE)] }, { engine: openEngine(), replies: [{ failure: { kind: "auth", retryable: false } }] });
    const session = await open();
    expect(await session.run("go")).toMatchObject({ outcome: { kind: "stopped", stop: "provider_error" } });
    expect(await session.pendingTurnInputs()).toMatchObject([{ state: "deferred_next_turn", input: { items: [{ text: "late" }] } }]);
  });

  test("input beyond the turn limit is said, and the turn stops (TT-6, I-31)", async () => {
    const { open } = acting({ model: [(session) => session.enqueue("more", ACTIVE)] }, { engine: openEngine(), replies: ["done"], maxTurns: 1 });
    const session = await open();
    expect(await session.run("go")).toMatchObject({ outcome: { kind: "stopped", stop: "max_turns" } });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose done", "User: Text more"]);
    expect(await session.pendingTurnInputs()).toEqual([]);
  });

  test("images come along, and an input of nothing says nothing (OP-25, I-51)", async () => {
    const image = { items: [{ type: "image_ref", id: "i" }], imageBlobs: { i: png(1) } } as const;
    const { open, provider } = acting({ tool: async (session) => [await session.enqueue("", { id: "e", ...ACTIVE }), await session.inject(image)] }, { engine: openEngine() });
    const session = await open();
    await session.run("go");
    expect(provider.requests[1]?.attachments).toMatchObject([{ mime: "image/png", data: png(1) }]);
    expect(transcriptOf(session).slice(3)).toEqual(["User: Image ", "Assistant: Prose first"]);
    expect(await session.cancelTurnInput({ kind: "source_key", value: "host:e" })).toMatchObject({ outcome: "already_completed" });
  });

  test("input for a turn that has ended, or for any while none runs, waits for the next turn; retries are no conflict (I-7, I-32)", async () => {
    const { open } = acting({}, { engine: openEngine(), replies: ["done"] });
    const session = await open();
    await session.run("go", { turnId: "t" });
    const late = { id: "a", ingress: { scope: "active_turn", turnId: "t" } } as const;
    const first = await session.enqueue("late", late);
    expect(first).toMatchObject({ state: "deferred_next_turn", ingress: { scope: "next_turn" }, submittedIngress: { scope: "active_turn", turnId: "t", minBoundary: "after_work" } });
    expect(await session.enqueue("late", late)).toEqual(first);
    const any = await session.inject("any", { id: "a" });
    expect(any).toMatchObject({ state: "deferred_next_turn", submittedIngress: { scope: "active_turn", minBoundary: "after_work" } });
    expect(await session.inject("any", { id: "a" })).toEqual(any);
  });

  test("a turn that nobody tells anything pays one range of keys per checkpoint, in transactions that it makes anyway (design 9, T-55)", async () => {
    const engine = countingEngine(openEngine());
    const { open } = acting({}, { engine, replies: [{ toolCalls: [{ name: "look" }] }, "done"] });
    const session = await open();
    engine.reset();
    await session.run("go");
    const { reads, writes, ranges, entriesRead } = engine.reset();
    // The second one of the commit asks for node ids.
    expect({ reads, writes, ranges, entriesRead }).toEqual({ reads: 0, writes: 4, ranges: 3, entriesRead: 0 });
  });
});

describe("a turn that is taken up with input claimed and not said yet", () => {
  /** Dies in the model call behind the checkpoint that claimed. */
  async function left(change: (engine: Engine) => Promise<void> = nothing, options: { readonly maxRecoveries?: number } = {}) {
    const engine = memoryEngine();
    const held = gate();
    const dying = acting({ tool: (session) => session.inject("psst", { id: "p" }), model: [nothing, () => held.pass()] }, { engine });
    void (await dying.open()).run("go", { turnId: "t" }).catch(() => undefined);
    await held.reached;
    await change(engine);
    await bury(engine);
    const next = acting({ tool: () => expect.fail("the tool's outcome was recorded") }, { engine, clock: manualClock(40_000), replies: ["first"], ...options });
    return { engine, session: await next.open() };
  }

  test("says it once, where it stood (T-55)", async () => {
    const { session } = await left();
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "first" });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", "User: Text psst", "Assistant: Prose first"]);
    expect(await session.pendingTurnInputs()).toEqual([]);
  });

  test("says it once where its snapshot is of another version and it starts again from its input (design 4)", async () => {
    const { session } = await left(async (engine) => {
      const [row] = (await rowsOf(engine)).filter(({ key }) => key[0] === "turn" && key[2] === 0);
      const control = row?.value as { snapshot: object };
      await overwrite(engine, { key: row?.key ?? [], value: { ...control, snapshot: { ...control.snapshot, version: 99 } } as never });
    });
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "first" });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", "User: Text psst", "Assistant: Prose first"]);
    expect(await session.pendingTurnInputs()).toEqual([]);
  });

  test("leaves it to the next turn where it is given up (OP-6, I-32)", async () => {
    const { session } = await left(nothing, { maxRecoveries: 0 });
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ outcome: { kind: "stopped", stop: "runtime_error" }, errors: [{ code: "turn_recovery_exhausted" }] });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen"]);
    expect(await session.pendingTurnInputs()).toMatchObject([{ sourceKey: "injection:p", state: "deferred_next_turn" }]);
    expect(await session.queuedTurn()).toBeDefined();
    expect(transcriptOf(session)[3]).toBe("User: Text psst");
  });
});

describe("without a journal", () => {
  test("checkpoints work as well, and a turn that starts again says what it had taken once more, not twice (I-16, T-57a)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const held = gate();
    const dying = acting({ tool: (session) => session.inject("psst", { id: "p" }), model: [nothing, () => held.pass()] }, { engine, clock, effects: "inline" });
    void (await dying.open()).run("go", { turnId: "t" }).catch(() => undefined);
    await held.reached;
    await clock.advance(31_000);
    await bury(engine);
    const next = acting({ tool: (session) => session.inject("psst", { id: "p" }) }, { engine: engine, clock: manualClock(clock.now() + 31_000), effects: "inline" });
    const session = await next.open();
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "first" });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", "User: Text psst", "Assistant: Prose first"]);
    expect(await session.pendingTurnInputs()).toEqual([]);
  });
});

describe("any moment", { timeout: 60_000 }, () => {
  /** Lets something else happen before the n-th call of the engine, counted from 1. */
  function interrupted(engine: Engine, nth: number, act: () => Promise<unknown>): { readonly engine: Engine; readonly calls: () => number } {
    let calls = 0;
    const before = async (): Promise<void> => void (++calls === nth && (await act()));
    return {
      calls: () => calls,
      engine: { ...staysOpen(engine), read: async (body) => (await before(), engine.read(body)), write: async (body) => (await before(), engine.write(body)) },
    };
  }

  test.each(engineCases())("input that arrives before any engine call of a turn on $name is said once, in it or in the next turn (TT-7, T-65, I-32)", async ({ open }) => {
    const places = new Set<string>();
    for (let nth = 1, goesOn = true; goesOn; nth++) {
      const disk = open();
      const other = await testLash({ engine: disk }).lash.openSession("s");
      const watched = interrupted(disk, nth, () => other.enqueue("psst", { id: "p", ...ACTIVE }));
      const { open: openSession } = acting({}, { engine: watched.engine });
      const session = await openSession();
      expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true, errors: [] });
      goesOn = watched.calls() >= nth;
      if (!goesOn) break;
      const { messages } = session.observe().readView;
      const place = messages.findIndex(({ parts }) => parts[0]?.content === "psst");
      places.add(`${place} of ${messages.length}`);
      const drained = await session.queuedTurn();
      expect(drained === undefined).toBe(place >= 0);
      expect(transcriptOf(session).filter((line) => line === "User: Text psst")).toHaveLength(1);
      expect([await session.pendingTurnInputs(), await heldLanes(disk)]).toEqual([[], []]);
      await disk.close();
    }
    // Before the turn: left to the next one; until its tools are done: behind their results; until its commit: behind its answer.
    expect([...places]).toEqual(["-1 of 4", "3 of 5", "4 of 6"]);
  });
});

describe("crashes", { timeout: 120_000 }, () => {
  /** Its tool and its second model call tell the turn something, each under an id of its own. */
  const hostOn = async (engine: Engine, clock: ManualClock) => {
    const own: { session?: Session } = {};
    const tell = async (text: string): Promise<void> => void (await (own.session ?? expect.fail("no session")).enqueue(text, { id: text, ...ACTIVE }));
    const { lash } = testLash({
      engine,
      clock,
      tools: [tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: async () => (await tell("during"), "seen") })],
      // By what the model said before, so that a call that is made again is answered as the first time.
      script: async ({ messages }) => {
        const said = messages.filter(({ role }) => role === "assistant").length;
        if (said === 0) return { toolCalls: [{ name: "look" }] };
        if (said === 1) await tell("at the end");
        return said === 1 ? "first" : "second";
      },
    });
    own.session = await lash.openSession("s");
    return { lash, session: own.session };
  };

  const job = async (process: Mortal, clock: ManualClock): Promise<void> => {
    const { lash, session } = await hostOn(process.engine, clock);
    await session.run("go", { turnId: "t" });
    await lash.close();
  };

  const check = async (disk: Engine, clock: ManualClock): Promise<void> => {
    const { lash, session } = await hostOn(disk, clock);
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "second", isSuccess: true, errors: [] });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", "User: Text during", "Assistant: Prose first", "User: Text at the end", "Assistant: Prose second"]);
    expect([await session.pendingTurnInputs(), await session.queuedTurn(), await heldLanes(disk)]).toEqual([[], undefined, []]);
    const targets = ["host:during", "host:at the end"].map((value) => ({ kind: "source_key", value }) as const);
    expect((await session.cancelTurnInputs(targets)).map(({ outcome }) => outcome)).toEqual(["already_completed", "already_completed"]);
    await lash.close();
  };

  test.each(engineCases())("a turn that dies at any engine call on $name around its claims ends with every input said once, in its place (T-55, T-56, T-57a, I-16, E-45)", async ({ open }) => {
    const points = await crashEverywhere({
      open,
      world: () => null,
      job,
      check,
    });
    expect(points).toBeGreaterThan(100);
  });

  test("a second death, anywhere in the recovery from one right after a claim, changes nothing (T-56, I-13, E-45)", async () => {
    const dieAfter = async (disk: Engine, clock: ManualClock, call: number): Promise<void> => {
      const dying = new Mortal(staysOpen(disk), { kind: "engine", crash: { when: "after", call } });
      await Promise.race([job(dying, clock), dying.died]);
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(31_000);
    };
    const accepted = async (disk: Engine): Promise<number> => (await rowsOf(disk)).filter(({ value }) => (value as { state?: unknown } | null)?.state === "accepted").length;
    let claims = 0;
    for (let call = 1; claims < 2; call++) {
      const disk = memoryEngine();
      await dieAfter(disk, manualClock(1_000), call);
      if ((await accepted(disk)) <= claims) continue;
      claims++;
      const points = await crashEverywhere({ open: memoryEngine, world: () => null, prepare: (fresh, clock) => dieAfter(fresh, clock, call), job, check });
      expect(points).toBeGreaterThan(30);
    }
  });
});
