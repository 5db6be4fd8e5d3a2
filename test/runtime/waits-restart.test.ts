// Turns that wait while processes come and go: killed, closed, parked, recovered, answered by others (OP-8, E-23, effects.md 10).

import { describe, expect, test } from "vitest";
import type { Resolution } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { ASKING, askingLash, askTool, newAsked, quiet, hookLash, untilWaiting, whileTimePasses, type Asked, type AskingOptions } from "../support/asking.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const yes: Resolution = { status: "ok", payload: "yes" };
const ANSWERED = ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult yes", "Assistant: Prose done"];

interface Left {
  readonly engine: Engine;
  readonly clock: ManualClock;
  readonly asked: Asked;
  readonly key: string;
}

/** Kills a process whose turn waits for an answer; its lease has expired. */
async function killedWaiting(engine: Engine, options: AskingOptions = {}): Promise<Left> {
  const clock = manualClock(1_000);
  const process = new Mortal(engine);
  const { lash, asked, parked } = askingLash({ ...options, engine: process.engine, clock });
  (await lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
  await parked;
  process.kill();
  await clock.advance(31_000);
  return { engine, clock, asked, key: asked.keys[0] ?? "" };
}

/** The next process, whose tool must never be asked again. */
const nextProcess = ({ engine, clock, asked }: Left, options: AskingOptions = {}) => askingLash({ ...options, engine, clock, asked });

async function expectAnswered({ engine, asked }: Left, host: ReturnType<typeof askingLash>): Promise<void> {
  const session = await host.lash.openSession("s");
  await session.run("go", { turnId: "t" });
  expect(transcriptOf(session)).toEqual(ANSWERED);
  expect(asked.keys).toHaveLength(1);
  expect(await heldLanes(engine)).toEqual([]);
  expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("killed while it waits and answered after the next process took it up: the tool does not run again (E-23, OP-8, PT-60)", async () => {
    const left = await killedWaiting(open());
    const host = nextProcess(left);
    const session = await host.lash.openSession("s");
    const result = session.run("go", { turnId: "t" });
    await host.parked;
    expect(await host.lash.completions.resolve(left.key, yes)).toEqual({ status: "accepted" });
    expect(await whileTimePasses(left.clock, result)).toMatchObject({ text: "done", usage: { inputTokens: 20 } });
    await expectAnswered(left, host);
  });

  test("answered while no process runs: the answer is kept, and recover ends the turn (E-20, OP-8, PT-60)", async () => {
    const left = await killedWaiting(open());
    const hook = hookLash(left.engine, left.clock);
    expect(await hook.completions.resolve(left.key, yes)).toEqual({ status: "accepted" });
    await hook.close();
    const host = nextProcess(left);
    expect(await host.lash.recover()).toMatchObject([{ turnId: "t", result: { isSuccess: true } }]);
    await expectAnswered(left, host);
  });

  test("an answer through a live runtime wakes a turn whose process is dead (OP-8, FA-40)", async () => {
    const left = await killedWaiting(open());
    const host = nextProcess(left);
    expect(await host.lash.completions.resolve(left.key, yes)).toEqual({ status: "accepted" });
    await host.lash.close();
    await expectAnswered(left, nextProcess(left));
  });

  test("recover leaves a turn that only waits in flight, says so, and holds no lane (OP-7, OP-8)", async () => {
    const left = await killedWaiting(open());
    const host = nextProcess(left);
    expect(await whileTimePasses(left.clock, host.lash.recover())).toEqual([{ sessionId: "s", turnId: "t", suspended: true }]);
    expect(await heldLanes(left.engine)).toEqual([]);
    expect(await host.lash.completions.resolve(left.key, yes)).toEqual({ status: "accepted" });
    await host.lash.close();
    await expectAnswered(left, nextProcess(left));
  });

  test("its time runs out while no process runs: the next one records the timeout, and a late answer is told so (E-21, E-27, OP-8)", async () => {
    const left = await killedWaiting(open(), { pending: { timeoutMs: 60_000 } });
    await left.clock.advance(60_000);
    const host = nextProcess(left);
    expect(await whileTimePasses(left.clock, host.lash.recover())).toMatchObject([{ turnId: "t", result: { isSuccess: true, toolCalls: [{ toolName: "ask", status: "failure" }] } }]);
    expect(await host.lash.completions.resolve(left.key, yes)).toEqual({ status: "already_resolved", terminal: { status: "timeout" } });
    const session = await host.lash.openSession("s");
    expect(transcriptOf(session)[2]).toContain("tool_completion_timeout");
    expect(left.asked.keys).toHaveLength(1);
  });

  test("an answer that came in time counts, although the process came back after the deadline (E-20, E-27)", async () => {
    const left = await killedWaiting(open(), { pending: { timeoutMs: 60_000, onTimeout: "fail_turn" } });
    const hook = hookLash(left.engine, left.clock);
    await hook.completions.resolve(left.key, yes);
    await hook.close();
    await left.clock.advance(600_000);
    const host = nextProcess(left);
    expect(await host.lash.recover()).toMatchObject([{ result: { isSuccess: true } }]);
    await expectAnswered(left, host);
  });

  test("the deadline counts on after a restart: only what remains of it is waited (E-27, T-70)", async () => {
    const left = await killedWaiting(open(), { pending: { timeoutMs: 60_000, onTimeout: "fail_turn" } });
    const host = nextProcess(left);
    const session = await host.lash.openSession("s");
    const result = await whileTimePasses(left.clock, session.run("go", { turnId: "t" }));
    expect(result).toMatchObject({ outcome: { kind: "stopped", stop: "tool_failure" } });
    expect(left.clock.now()).toBeGreaterThanOrEqual(61_000);
    expect(left.clock.now()).toBeLessThan(63_000);
  });

  test("cancelled before the process that found it had taken it up, it is cancelled all the same (T-62, T-63)", async () => {
    const left = await killedWaiting(open());
    const host = nextProcess(left);
    const session = await host.lash.openSession("s");
    const turn = session.turn("go", { turnId: "t" });
    const { result } = turn;
    turn.cancel();
    expect(await whileTimePasses(left.clock, result)).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(left.asked.keys).toHaveLength(1);
  });

  test("cancelled by the process that took it up: the wait is cancelled, its tool told, the turn committed (E-21, T-64, PT-61)", async () => {
    const left = await killedWaiting(open(), { pending: { onCancel: "cancel_external_work" } });
    const host = nextProcess(left);
    const session = await host.lash.openSession("s");
    const turn = session.turn("go", { turnId: "t" });
    const { result } = turn;
    await host.parked;
    turn.cancel();
    expect(await whileTimePasses(left.clock, result)).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(await host.lash.completions.resolve(left.key, yes)).toMatchObject({ terminal: { status: "cancelled" } });
    expect(left.asked).toMatchObject({ keys: [left.key], calledOff: [{}] });
  });

  test("the first of several answers counts, whichever processes they come from and whenever (E-20, PT-60)", async () => {
    const left = await killedWaiting(open());
    const hooks = [1, 2, 3].map(() => hookLash(left.engine, left.clock));
    const outcomes = await Promise.all(hooks.map((lash, index) => lash.completions.resolve(left.key, index === 0 ? yes : { status: "ok", payload: index })));
    expect(outcomes.filter(({ status }) => status === "accepted")).toHaveLength(1);
    await Promise.all(hooks.map((lash) => lash.close()));
  });

  test.each(["close", "park", "lash.close"] as const)("%s leaves a waiting turn in flight; its promise rejects with turn_suspended, the next open goes on (OP-8, S-42, FA-45)", async (way) => {
    const engine = open();
    const first = askingLash({ engine });
    const session = await first.lash.openSession("s");
    const result = session.run("go", { turnId: "t" });
    const ended = result.catch((error: unknown) => error);
    await first.parked;
    if (way === "close") await session.close();
    else if (way === "park") expect(await session.park()).toEqual({ sessionId: "s" });
    else await first.lash.close();
    expect(await ended).toMatchObject({ code: "turn_suspended", details: { sessionId: "s", turnId: "t" } });
    expect(await heldLanes(engine)).toEqual([]);
    expect(first.clock.pendingTimers).toBe(0);

    const left: Left = { engine, clock: first.clock, asked: first.asked, key: first.asked.keys[0] ?? "" };
    const second = nextProcess(left);
    const again = await second.lash.resume({ sessionId: "s" });
    const next = again.run("next");
    await second.parked;
    await second.lash.completions.resolve(left.key, yes);
    await whileTimePasses(first.clock, next);
    expect(transcriptOf(again).slice(0, 4)).toEqual(ANSWERED);
    expect(transcriptOf(again)[4]).toBe("User: Text next");
    expect(first.asked.keys).toHaveLength(1);
  });
});

describe("who wakes it", () => {
  test("killed again and again while it waits, a turn is never given up: waiting is no failed recovery (OP-6, OP-8)", async () => {
    const left = await killedWaiting(memoryEngine());
    for (let kill = 0; kill < 8; kill++) {
      const process = new Mortal(left.engine);
      const { lash, parked } = askingLash({ engine: process.engine, clock: left.clock, asked: left.asked });
      await lash.openSession("s");
      await parked;
      await quiet();
      expect(await heldLanes(left.engine)).toEqual(["s"]);
      process.kill();
      await left.clock.advance(31_000);
    }
    const host = nextProcess(left);
    await host.lash.completions.resolve(left.key, yes);
    await host.lash.close();
    await expectAnswered(left, nextProcess(left));
  });

  test("the first recover leaves it waiting, and no other takes it up while it waits (OP-6, OP-8, AE-9)", async () => {
    const left = await killedWaiting(memoryEngine());
    for (let time = 0; time < 8; time++) {
      const { lash } = nextProcess(left);
      expect(await lash.recover()).toEqual(time === 0 ? [{ sessionId: "s", turnId: "t", suspended: true }] : []);
      await lash.close();
    }
    const host = nextProcess(left);
    await host.lash.completions.resolve(left.key, yes);
    await host.lash.close();
    await expectAnswered(left, nextProcess(left));
  });

  test("asking for a turn that the open is finishing already watches it and cancels it (T-62, T-82)", async () => {
    const left = await killedWaiting(memoryEngine());
    const host = nextProcess(left);
    const session = await host.lash.openSession("s");
    await quiet();
    const turn = session.turn("go", { turnId: "t" });
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { type } of turn) seen.push(type);
    })();
    await quiet();
    turn.cancel();
    await left.clock.runUntil(watching);
    expect(await turn.result).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(seen).toEqual(["tool_call_completed"]);
    expect(session.observe().readView.turnIndex).toBe(1);
  });

  test("a call whose outcome is recorded needs its tool no more: an answer reaches it in a process without the tool (E-8, OP-7)", async () => {
    const left = await killedWaiting(memoryEngine());
    const bare = testLash({ engine: left.engine, clock: left.clock, script: ASKING });
    expect(await bare.lash.completions.resolve(left.key, yes)).toEqual({ status: "accepted" });
    await bare.lash.close();
    await expectAnswered(left, nextProcess(left));
  });

  test("an answer wakes the turn also where the session is open and idle (OP-8, FA-40)", async () => {
    // Opened before the lease ran out, it left the turn to its owner; that owner never comes back.
    const early = manualClock(1_000);
    const engine = memoryEngine();
    const process = new Mortal(engine);
    const asked = newAsked();
    const dying = askingLash({ engine: process.engine, clock: early, asked });
    (await dying.lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
    await untilWaiting(engine);
    const host = askingLash({ engine, clock: early, asked });
    const session = await host.lash.openSession("s");
    await quiet();
    process.kill();
    await early.advance(31_000);
    await host.lash.completions.resolve(asked.keys[0] ?? "", yes);
    await quiet();
    expect(session.observe().readView.turnIndex).toBe(1);
    expect(asked.keys).toHaveLength(1);
  });

  test("a suspended turn whose time runs out is driven on by the runtime that left it (OP-8, E-27)", async () => {
    const left = await killedWaiting(memoryEngine(), { pending: { timeoutMs: 600_000 } });
    const host = nextProcess(left);
    expect(await host.lash.recover()).toMatchObject([{ suspended: true }]);
    await left.clock.advance(700_000);
    await quiet();
    expect((await keysOf(left.engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
  });

  test("close with a sibling handle refuses and leaves the waiting turn alone (S-42, FA-49)", async () => {
    const host = askingLash();
    const session = await host.lash.openSession("s");
    const sibling = session.clone();
    const result = session.run("go");
    await untilWaiting(host.engine);
    await quiet();
    await expect(session.close()).rejects.toMatchObject({ code: "session_still_in_use" });
    await expect(sibling.park()).rejects.toMatchObject({ code: "session_still_in_use" });
    await host.lash.completions.resolve(host.asked.keys[0] ?? "", yes);
    expect(await host.clock.runUntil(result)).toMatchObject({ text: "done" });
    await sibling[Symbol.asyncDispose]();
    await session.close();
  });

  test("a turn is not suspended while another of its calls still runs (OP-8, S-42)", async () => {
    const engine = memoryEngine();
    const hold = gate();
    const asked = newAsked();
    const host = askingLash({
      engine,
      asked,
      script: (request) => (request.messages.length === 1 ? { toolCalls: [{ name: "ask" }, { name: "slow" }] } : "done"),
      tools: [askTool(asked), { ...askTool(newAsked(), {}, { name: "slow" }), run: () => hold.pass().then(() => "slow") }],
    });
    const session = await host.lash.openSession("s");
    const result = session.run("go", { turnId: "t" });
    result.catch(() => undefined);
    await untilWaiting(engine);
    await hold.reached;
    await expect(session.close()).rejects.toMatchObject({ code: "session_still_in_use" });
    await host.lash.completions.resolve(asked.keys[0] ?? "", yes);
    hold.open();
    expect(await host.clock.runUntil(result)).toMatchObject({ text: "done", toolCalls: [{ status: "success" }, { status: "success" }] });
  });

  test("on an inline host a waiting turn is not suspended, and close says what to do (E-23, S-42)", async () => {
    const host = askingLash({ effects: "inline" });
    const session = await host.lash.openSession("s");
    const result = session.run("go");
    await untilWaiting(host.engine);
    await expect(session.close()).rejects.toMatchObject({ code: "session_still_in_use" });
    await host.lash.completions.resolve(host.asked.keys[0] ?? "", yes);
    expect(await host.clock.runUntil(result)).toMatchObject({ text: "done" });
  });

  test("a lash that answers but has no provider does not try to drive the turn (FA-40)", async () => {
    const left = await killedWaiting(memoryEngine());
    const { lash, logged } = testLash({ engine: left.engine, clock: left.clock, script: ASKING });
    const opened = await lash.openSession("s");
    await quiet();
    await opened.close().catch(() => undefined);
    expect(logged.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("crashes", { timeout: 60_000 }, () => {
  test.each(engineCases())("a turn that asks, waits and is answered dies at any engine call on $name and ends with that answer; whoever was asked twice has the same key (E-45, E-20, OP-3)", async ({ open }) => {
    const points = await crashEverywhere({
      open,
      world: newAsked,
      job: async (process, clock, asked) => {
        const host = askingLash({ engine: process.engine, clock, asked });
        const result = (await host.lash.openSession("s")).run("go", { turnId: "t" });
        await host.parked;
        await host.lash.completions.resolve(asked.keys[0] ?? "", yes);
        await whileTimePasses(clock, result);
        await host.lash.close();
      },
      check: async (disk, clock, asked) => {
        const host = askingLash({ engine: disk, clock, asked, tools: [{ ...askTool(asked), onInterrupted: "retry" }] });
        const session = await host.lash.openSession("s");
        const result = session.run("go", { turnId: "t" });
        const ended = result.then(() => undefined);
        await Promise.race([host.parked, ended]);
        const outcome = await host.lash.completions.resolve(asked.keys.at(-1) ?? "", yes);
        expect(["accepted", "already_resolved"]).toContain(outcome.status);
        expect(await whileTimePasses(clock, result)).toMatchObject({ text: "done", isSuccess: true });
        expect(transcriptOf(session)).toEqual(ANSWERED);
        expect(new Set(asked.keys).size).toBe(1);
        expect(await heldLanes(disk)).toEqual([]);
        await host.lash.close();
      },
    });
    expect(points).toBeGreaterThan(20);
  });
});
