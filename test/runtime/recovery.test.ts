// Turns taken up by another process in ways the crash matrix does not reach: policies, retries, other versions, damage.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, ToolError, type OnInterrupted, type Tool, type ToolCall, type ToolOptions } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byToolResults, byAssistantMessages, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { bury, Mortal } from "../support/mortal.ts";
import { heldLanes, keysOf, overwrite, rowsOf } from "../support/rows.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

const script = byAssistantMessages([{ toolCalls: [{ name: "it" }] }, "done"]);

interface Death {
  readonly engine: Engine;
  readonly clock: ManualClock;
}

/** Leaves a turn in flight whose tool `it` had begun; its process is dead and its lease has expired. */
async function dieInTool(options: Partial<Omit<ToolOptions<Record<string, never>>, "input">> = {}): Promise<Death> {
  const engine = memoryEngine();
  const clock = manualClock(1_000);
  const begun = gate();
  const process = new Mortal(engine);
  const it = tool({ name: "it", description: "", input: z.object({}), run: () => begun.pass(), ...options });
  const { lash } = testLash({ engine: process.engine, clock, script, tools: [it] });
  void (await lash.openSession("s")).run("go", { turnId: "t" });
  await begun.reached;
  process.kill();
  await clock.advance(31_000);
  return { engine, clock };
}

async function recoverWith({ engine, clock }: Death, tools: readonly Tool[]) {
  const host = testLash({ engine, clock, script, tools });
  const recovered = await clock.runUntil(host.lash.recover());
  const session = await host.lash.openSession("s");
  return { ...host, recovered, session, transcript: transcriptOf(session) };
}

const toolWith = (onInterrupted: OnInterrupted<Record<string, never>> | undefined, runs: ToolCall[], rest: { readOnly?: boolean; idempotent?: boolean } = {}) =>
  tool({ name: "it", description: "", input: z.object({}), ...rest, ...(onInterrupted && { onInterrupted }), run: (_args, call) => (runs.push(call), "ran") });

describe("what a crash during a call means (OP-3, design 5)", () => {
  test.each<[string, OnInterrupted<Record<string, never>> | undefined, { readOnly?: boolean; idempotent?: boolean }, number, string]>([
    ["a tool that says nothing is reported", undefined, {}, 0, "tool_interrupted"],
    ["a read-only tool runs again", undefined, { readOnly: true }, 1, "ran"],
    ["an idempotent tool runs again", undefined, { idempotent: true }, 1, "ran"],
    ["retry runs it again", "retry", {}, 1, "ran"],
    ["report wins over read-only", "report", { readOnly: true }, 0, "tool_interrupted"],
    ["a probe answers with the output", () => ({ found: true }), {}, 0, '{"found":true}'],
    ["a probe says retry", () => Promise.resolve("retry"), {}, 1, "ran"],
    ["a probe says report", () => "report", {}, 0, "tool_interrupted"],
    ["a probe that throws has not found out", () => { throw new Error("down"); }, {}, 0, "tool_interrupted"],
  ])("%s", async (_title, onInterrupted, rest, runs, shown) => {
    const ran: ToolCall[] = [];
    const { recovered, transcript } = await recoverWith(await dieInTool(), [toolWith(onInterrupted, ran, rest)]);
    expect(recovered).toMatchObject([{ sessionId: "s", turnId: "t", result: { isSuccess: true, text: "done" } }]);
    expect(ran.map(({ attempt, interrupted }) => ({ attempt, interrupted }))).toEqual(Array.from({ length: runs }, () => ({ attempt: 1, interrupted: true })));
    expect(transcript[2]).toContain(shown);
  });

  test("a call of a tool that was retired had begun, so it is reported as interrupted and not as if it had never run (ME-22, OP-3)", async () => {
    const death = await dieInTool();
    const host = testLash({ ...death, script, retiredTools: ["it"] });
    expect(await host.lash.recover()).toMatchObject([{ result: { isSuccess: true } }]);
    expect(transcriptOf(await host.lash.openSession("s"))[2]).toContain("tool_interrupted");
  });

  test("an attempt that had failed safely before the crash is not made again: the next one is (T-53, E-27, B2)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const process = new Mortal(engine);
    const attempts: string[] = [];
    const shaky = (name: string): Tool =>
      tool({
        name: "it", description: "", input: z.object({}), retry: { maxAttempts: 3, baseDelayMs: 60_000, maxDelayMs: 60_000 },
        run: (_args, { attempt, interrupted }) => {
          attempts.push(`${name} ${attempt} ${interrupted}`);
          if (attempt < 2) throw new ToolError({ message: "busy", retry: { type: "safe" } });
          return "at last";
        },
      });
    const first = testLash({ engine: process.engine, clock, script, tools: [shaky("first")] });
    void (await first.lash.openSession("s")).run("go", { turnId: "t" });
    await clock.advance(100);
    expect(attempts).toEqual(["first 1 false"]);
    process.kill();
    await clock.advance(31_000);
    const { transcript } = await recoverWith({ engine, clock }, [shaky("second")]);
    expect(attempts).toEqual(["first 1 false", "second 2 false"]);
    expect(transcript[2]).toContain("at last");
    // 60 s after the first attempt ended, not after the second process began.
    expect(clock.now()).toBe(1_000 + 60_000);
  });
});

describe("a retry policy that was changed while the turn was in flight (E-5, E-9, T-53)", () => {
  /** Dies in the call of `stuck`; `it` fails safely until its second attempt. */
  const died = async (before: (attempts: string[]) => Tool) => {
    const [engine, clock, attempts] = [memoryEngine(), manualClock(1_000), [] as string[]];
    const process = new Mortal(engine);
    const stuck = tool({ name: "stuck", description: "", input: z.object({}), readOnly: true, run: () => new Promise(() => undefined) });
    const calls = byToolResults([{ toolCalls: [{ name: "it" }, { name: "stuck" }] }, "done"]);
    void (await testLash({ engine: process.engine, clock, script: calls, tools: [before(attempts), stuck] }).lash.openSession("s")).run("go", { turnId: "t" });
    await clock.advance(500);
    process.kill();
    await clock.advance(31_000);
    return { engine, clock, attempts, calls };
  };
  const it = (attempts: string[], name: string, succeedsAt: number, maxAttempts?: number): Tool =>
    tool({
      name: "it", description: "", input: z.object({}), ...(maxAttempts !== undefined && { retry: { maxAttempts, baseDelayMs: 100, maxDelayMs: 100 } }),
      run: (_args, { attempt }) => {
        attempts.push(`${name} ${attempt}`);
        if (attempt < succeedsAt) throw new ToolError({ message: "busy", retry: { type: "safe" } });
        return `${name} at last`;
      },
    });
  const finish = async ({ engine, clock, calls }: Awaited<ReturnType<typeof died>>, own: Tool) => {
    const ended = tool({ name: "stuck", description: "", input: z.object({}), readOnly: true, run: () => "free" });
    const { lash } = testLash({ engine, clock, script: calls, tools: [own, ended] });
    const recovered = await clock.runUntil(lash.recover());
    return { recovered, shown: transcriptOf(await lash.openSession("s"))[2] };
  };

  test.each([1, 2, 9])("what was recorded under another policy answers, and none of it is done again: %i attempts at most now", async (maxAttempts) => {
    const death = await died((attempts) => it(attempts, "first", 2, 3));
    const { recovered, shown } = await finish(death, it(death.attempts, "second", 2, maxAttempts));
    expect(recovered).toMatchObject([{ result: { isSuccess: true, errors: [] } }]);
    expect(death.attempts).toEqual(["first 1", "first 2"]);
    expect(shown).toContain("first at last");
  });

  test("a tool that may be tried once more now is, and one that may not says what it came to", async () => {
    for (const [maxAttempts, expected, text] of [[3, ["first 1", "first 2", "second 3"], "second at last"], [1, ["first 1", "first 2"], "busy"]] as const) {
      const death = await died((attempts) => it(attempts, "first", 9, 2));
      const { recovered, shown } = await finish(death, it(death.attempts, "second", 3, maxAttempts));
      expect(recovered).toMatchObject([{ result: { isSuccess: true, errors: [] } }]);
      expect(death.attempts).toEqual(expected);
      expect(shown).toContain(text);
    }
  });
});

describe("who finishes what (OP-7, design 7.1)", () => {
  test("opening the session finishes its turn in flight, and a new turn comes after it", async () => {
    const death = await dieInTool();
    const host = testLash({ ...death, script, tools: [toolWith("retry", [])] });
    const session = await host.lash.openSession("s");
    await session.run("next");
    expect(transcriptOf(session).filter((line) => line.startsWith("User: Text"))).toEqual(["User: Text go", "User: Text next"]);
    expect(session.observe().readView.turnIndex).toBe(2);
    expect(host.logged).toEqual([]);
  });

  test("asking for the turn in flight by its id attaches to it instead of adding a second input (T-82)", async () => {
    const death = await dieInTool();
    const session = await testLash({ ...death, script, tools: [toolWith("retry", [])] }).lash.openSession("s");
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ turnId: "t", text: "done" });
    expect(session.observe().readView.turnIndex).toBe(1);
  });

  test("asking for it with another input is a conflict, and the turn still ends (OP-11)", async () => {
    const death = await dieInTool();
    const session = await testLash({ ...death, script, tools: [toolWith("retry", [])] }).lash.openSession("s");
    await expect(session.run("something else", { turnId: "t" })).rejects.toMatchObject({ code: "runtime_turn_commit_conflict" });
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done" });
  });

  test("a turn whose owner lives is left to it: recover says nothing about it (S-62, OP-7)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const hold = gate();
    const one = testLash({ engine, clock, script: [{ text: "mine", before: hold }] });
    const running = (await one.lash.openSession("s")).run("go");
    await hold.reached;
    expect(await testLash({ engine, clock }).lash.recover()).toEqual([]);
    hold.open();
    expect((await running).text).toBe("mine");
  });

  test("an owner that comes back after it was taken over gets session_execution_lease_lost and changes nothing (S-60, T-75)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const hold = gate();
    const owner = stoppable(engine);
    const paused = testLash({ engine: owner.engine, clock, script: [{ text: "too late", before: hold }] });
    const session = await paused.lash.openSession("s");
    const failed = session.run("go", { turnId: "t" }).catch((error: unknown) => error);
    await hold.reached;
    owner.stop();
    await clock.advance(31_000);
    await bury(engine);
    const taker = testLash({ engine, clock, script: ["taken over"] });
    expect(await taker.lash.recover()).toMatchObject([{ result: { text: "taken over" } }]);
    const before = await keysOf(engine);
    owner.goOn();
    hold.open();
    expect(await failed).toMatchObject({ code: "session_execution_lease_lost" });
    expect(await keysOf(engine)).toEqual(before);
    expect(await heldLanes(engine)).toEqual([]);
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "taken over" });
  });
});

describe("other versions and damage (design 4, OP-6)", () => {
  /** Rewrites the control row of the turn in flight. */
  async function damageControl({ engine }: Death, change: (row: Record<string, unknown>) => unknown): Promise<void> {
    const control = (await rowsOf(engine)).find(({ key }) => key[0] === "turn" && key[2] === 0);
    if (!control) throw new Error("no turn is in flight");
    await overwrite(engine, { key: control.key, value: change(structuredClone(control.value) as Record<string, unknown>) as never });
  }
  const ofVersion = (version: number) => (row: Record<string, unknown>) => ({ ...row, snapshot: { ...(row["snapshot"] as object), version } });

  test("a snapshot of another machine version restarts the turn from its input: recorded calls answer, nothing is lost (OP-6)", async () => {
    const death = await dieInTool();
    await damageControl(death, ofVersion(0));
    const ran: ToolCall[] = [];
    const { recovered, transcript, provider, logged } = await recoverWith(death, [toolWith("retry", ran)]);
    expect(recovered).toMatchObject([{ result: { isSuccess: true, usage: { inputTokens: 20 } } }]);
    expect(provider.requests).toHaveLength(1);
    expect(ran).toMatchObject([{ interrupted: true }]);
    expect(transcript).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult ran", "Assistant: Prose done"]);
    expect(logged).toMatchObject([{ event: "turn.restarted", code: "machine_version_unsupported" }]);
  });

  test("a restarted turn that is killed once more has every message once and every call counted once (OP-6, TT-9)", async () => {
    const death = await dieInTool();
    await damageControl(death, ofVersion(0));
    const begun = gate();
    const process = new Mortal(death.engine);
    const again = tool({ name: "it", description: "", input: z.object({}), onInterrupted: "retry", run: () => begun.pass() });
    const second = testLash({ engine: process.engine, clock: death.clock, script, tools: [again] });
    void second.lash.recover();
    await begun.reached;
    process.kill();
    await death.clock.advance(31_000);
    const { recovered, transcript } = await recoverWith(death, [toolWith("retry", [])]);
    expect(transcript).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult ran", "Assistant: Prose done"]);
    expect(recovered).toMatchObject([{ result: { usage: { inputTokens: 20, outputTokens: 10 }, toolCalls: [{ toolName: "it" }] } }]);
    const history = (await rowsOf(death.engine)).find(({ key }) => key[0] === "s" && key[2] === 2);
    expect(JSON.stringify(history?.value).split('"completed"')).toHaveLength(3);
  });

  test("a damaged snapshot is a typed error for its session, and the others recover (T-22, design 6)", async () => {
    const death = await dieInTool();
    await damageControl(death, (row) => ({ ...row, snapshot: { ...(row["snapshot"] as object), value: "dreaming" } }));
    const other = testLash({ ...death, script: ["fine"], tools: [toolWith("retry", [])] });
    const recovered = await other.lash.recover();
    expect(recovered).toMatchObject([{ sessionId: "s", turnId: "t", error: { code: "store_commit_failed", details: { causeCode: "stored_row_invalid" } } }]);
    expect(await (await other.lash.openSession("other")).run("go")).toMatchObject({ text: "fine" });
  });

  test("a session that cannot even be loaded does not keep recover from the others (OP-7, design 6)", async () => {
    const death = await dieInTool();
    // The first turn of `b` commits, its second is left in flight; then its head is damaged.
    const begun = gate();
    const process = new Mortal(death.engine);
    const b = testLash({ engine: process.engine, clock: death.clock, script: ["one", { text: "two", before: begun }] });
    const session = await b.lash.openSession("b");
    await session.run("one");
    void session.run("two", { turnId: "b2" });
    await begun.reached;
    process.kill();
    await death.clock.advance(31_000);
    await overwrite(death.engine, { key: ["s", "b", 0, "head"], value: { schemaVersion: 1, rubbish: true } });
    const recovered = await testLash({ ...death, script, tools: [toolWith("retry", [])] }).lash.recover();
    expect(recovered.map(({ sessionId, turnId }) => [sessionId, turnId])).toEqual(expect.arrayContaining([["s", "t"], ["b", "b2"]]));
    expect(recovered.find(({ sessionId }) => sessionId === "s")).toMatchObject({ result: { text: "done" } });
    expect(recovered.find(({ sessionId }) => sessionId === "b")).toMatchObject({ error: { code: "stored_row_invalid" } });
  });

  test("a control row that names no turn does not keep recover from the other sessions (OP-7, design 6)", async () => {
    const death = await dieInTool();
    await overwrite(death.engine, { key: ["turn", "a-damaged-one", 0], value: { rubbish: true } });
    const recovered = await testLash({ ...death, script, tools: [toolWith("retry", [])] }).lash.recover();
    expect(recovered.find(({ sessionId }) => sessionId === "s")).toMatchObject({ result: { text: "done" } });
    expect(recovered.find(({ sessionId }) => sessionId === "a-damaged-one")).toMatchObject({ error: { code: "stored_row_invalid" } });
  });

  test("a control row that names no turn does not keep another session's turn from being finished when that is opened (OP-7, design 6)", async () => {
    const death = await dieInTool();
    await overwrite(death.engine, { key: ["turn", "a-damaged-one", 0], value: { rubbish: true } });
    const session = await testLash({ ...death, script, tools: [toolWith("retry", [])] }).lash.openSession("s");
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done" });
  });

  test("a recorded call that belongs to another operation is not answered from the record, nor run again (E-9, OP-6)", async () => {
    const death = await dieInTool();
    await damageControl(death, (row) => {
      const snapshot = row["snapshot"] as { context: { open: { replayKey: string }[] } };
      const key = `${snapshot.context.open[0]?.replayKey}:child:0:call-1:attempt:1`;
      return { ...row, deltas: [...((row["deltas"] as unknown[] | undefined) ?? []), { settled: [[key, "0".repeat(64), { ok: { output: { outcome: { status: "success", payload: "forged" } }, durationMs: 0 } }]] }] };
    });
    const ran: ToolCall[] = [];
    const { recovered, transcript } = await recoverWith(death, [toolWith("retry", ran)]);
    expect(recovered).toMatchObject([{ result: { outcome: { kind: "stopped", stop: "runtime_error" }, errors: [{ code: "journaled_effect_replay_hash_conflict" }] } }]);
    expect(ran).toEqual([]);
    expect(transcript[0]).toBe("User: Text go");
  });
});

/** An owner that is stopped, as a laptop that is closed: its writes reach the store when it goes on. */
function stoppable(engine: Engine): { readonly engine: Engine; stop(): void; goOn(): void } {
  let stopped: ReturnType<typeof gate> | undefined;
  return {
    stop: () => void (stopped = gate()),
    goOn: () => stopped?.open(),
    engine: {
      name: engine.name,
      durable: engine.durable,
      read: (body) => engine.read(body),
      write: async (body) => {
        await stopped?.pass();
        return engine.write(body);
      },
      close: () => Promise.resolve(),
    },
  };
}
