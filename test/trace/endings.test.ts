// Every way in which a turn can end, and every point at which its store can fail or its process die: what a trace began is ended,
// once, as long as the process lives (TR-3, TR-4, TR-12).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { batchTool, pending, tool, type Lash, type Tool } from "../../src/index.ts";
import { LashError, storeError } from "../../src/domain/errors.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, manualClock, type Gate, type ManualClock } from "../../src/testing/index.ts";
import { memoryTrace, type MemoryTrace } from "../../src/trace/index.ts";
import type { LlmResponse } from "../../src/providers/contract.ts";
import { zeroUsage } from "../../src/domain/usage.ts";
import { request } from "../providers/fixtures.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, type TestLash, type TestLashOptions } from "../support/lash.ts";
import { bury } from "../support/mortal.ts";
import { ofType, outlineOf, pairsOf } from "../support/trace-pairs.ts";

const input = z.object({});
const WHOLE = { open: [], wrong: [] };

interface Scene extends TestLash {
  readonly sink: MemoryTrace;
  readonly hold: Gate;
}

function scene(options: (hold: Gate) => TestLashOptions): Scene {
  const sink = memoryTrace();
  const hold = gate();
  return { ...testLash({ trace: { sink }, ...options(hold) }), sink, hold };
}

const calling = (name: string) => byAssistantMessages([{ toolCalls: [{ name }] }, "done"]);
/** Hears nothing and never ends by itself. */
const deaf = (hold: Gate): Tool => tool({ name: "deaf", description: "", input, run: () => hold.pass() });
const asking: Tool = tool({ name: "ask", description: "", input, run: async (_args, call) => (await call.completionKey(), pending()) });

interface Ending {
  readonly options: (hold: Gate) => TestLashOptions;
  /** Does it, and says what the host got. */
  readonly end: (scene: Scene, run: Promise<unknown>) => Promise<unknown>;
  /** The last records. */
  readonly outline: readonly string[];
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  "a cancel while the model speaks": {
    options: (hold) => ({ script: [{ text: ["so", hold, "far"] }] }),
    end: async ({ lash, hold }, run) => (await hold.reached, await lash.cancelTurn("s", "t"), run),
    outline: ["llm_call_started", "llm_call_failed cancelled", "session_execution_lease.released", "turn_completed stopped cancelled"],
  },
  "a cancel while a tool that does not listen runs": {
    options: (hold) => ({ script: calling("deaf"), tools: [deaf(hold)] }),
    end: async ({ lash, hold, clock }, run) => (await hold.reached, await lash.cancelTurn("s", "t"), clock.runUntil(run)),
    outline: ["tool_call_started call-1", "tool_call_completed call-1 cancelled", "session_execution_lease.released", "turn_completed stopped cancelled"],
  },
  "a lash that is closed while a tool runs": {
    options: (hold) => ({ script: calling("deaf"), tools: [deaf(hold)] }),
    end: async ({ lash, hold, clock }, run) => {
      const failed = run.catch((error: unknown) => error);
      await hold.reached;
      await clock.runUntil(lash.close({ graceMs: 500 }));
      return failed;
    },
    outline: ["tool_call_started call-1", "session_execution_lease.released", "tool_call_completed call-1 interrupted", "turn_completed failed lash_closed"],
  },
  "a session that is left while its turn waits for an answer": {
    options: () => ({ script: calling("ask"), tools: [asking] }),
    end: async ({ lash, sink }, run) => {
      const failed = run.catch((error: unknown) => error);
      while (ofType(sink.records, "tool_call_started").length === 0) await new Promise((resolve) => setImmediate(resolve));
      await lash.close();
      return failed;
    },
    outline: ["tool_call_started call-1", "session_execution_lease.released", "tool_call_completed call-1 interrupted", "turn_completed failed turn_suspended"],
  },
  "a provider that fails for good": {
    options: () => ({ script: [{ failure: { kind: "auth", message: "no", code: "401" } }] }),
    end: (_scene, run) => run,
    outline: ["llm_call_started", "llm_call_failed 401", "session_execution_lease.released", "turn_completed stopped provider_error"],
  },
  "an answer that is too large": {
    options: () => ({ script: ["x".repeat(200)], limits: { modelResponseBytes: 100 } }),
    end: (_scene, run) => run,
    outline: ["llm_call_started", "llm_call_failed limit_exceeded", "session_execution_lease.released", "turn_completed stopped provider_error"],
  },
  "a limit of rounds": {
    options: () => ({ script: (_request, index) => ({ toolCalls: [{ name: "nobody", callId: `${index}` }] }), maxTurns: 1 }),
    end: (_scene, run) => run,
    outline: ["tool_call_completed 0 failure", "session_execution_lease.released", "turn_completed stopped max_turns"],
  },
  "another owner that took the turn over": {
    options: (hold) => ({ script: [{ before: hold, text: "late" }] }),
    end: async ({ engine, clock, hold }, run) => {
      const failed = run.catch((error: unknown) => error);
      await hold.reached;
      await bury(engine);
      const other = testLash({ engine, clock, script: ["theirs"] });
      await other.lash.recover();
      await clock.advance(10_000);
      return failed;
    },
    outline: ["llm_call_started", "session_execution_lease.lost", "llm_call_failed session_execution_lease_lost", "turn_completed failed session_execution_lease_lost"],
  },
};

describe("a turn that is ended by", () => {
  test("a lease that ran out while its store was down tells of the loss, known by the clock alone (S-64, TR-12)", async () => {
    const disk = memoryEngine();
    let isDown = false;
    const up = async <T>(call: () => Promise<T>): Promise<T> => {
      if (isDown) throw storeError("store_unavailable", "down");
      return call();
    };
    const engine: Engine = { name: "m", durable: true, read: (body) => up(() => disk.read(body)), write: (body) => up(() => disk.write(body)), close: () => disk.close() };
    const { lash, clock, hold, sink } = scene((held) => ({ engine, script: [{ before: held, text: "late" }] }));
    const failed = (await lash.openSession("s")).run("go", { turnId: "t" }).catch((error: unknown) => error);
    await hold.reached;
    isDown = true;
    await clock.advance(60_000);
    expect(await failed).toMatchObject({ code: "session_execution_lease_lost" });
    expect(outlineOf(sink.records).slice(-3)).toEqual(["llm_call_failed session_execution_lease_lost", "session_execution_lease.lost", "turn_completed failed session_execution_lease_lost"]);
  });

  test("a call that its provider does not let go of is ended with its turn; what comes of it later is not told, and reaches who asked (TR-4)", async () => {
    const sink = memoryTrace();
    const tracer = sink.openTrace({ clock: manualClock(0), newId: () => `${sink.records.length}`, logger: () => undefined });
    const policy = { providerId: "p", model: { id: "m" }, maxTurns: null };
    const turn = tracer.turn({ sessionId: "s", turnId: "t", turnIndex: 0, policy, origin: "asked" });
    const end = Promise.withResolvers<never>();
    const ending = turn.ending(end.promise).catch((error: unknown) => error);
    const answer = Promise.withResolvers<LlmResponse>();
    const effect = turn.effect({ effectId: 1, replayKey: "k", command: { kind: "llm_call", iteration: 0, logLength: 1 } }, 0);
    const provider = effect.watchProvider({ id: "p", complete: () => answer.promise }, "turn");
    const call = { signal: new AbortController().signal, clock: manualClock(0) };
    const [early, late] = [provider.complete(request(), call), effect.watchProvider({ id: "p", complete: () => answer.promise }, "turn")];
    end.reject(new LashError("runtime", "lash_closed", "closed"));
    await ending;
    answer.resolve({ fullText: "x", parts: [], usage: zeroUsage, terminalReason: "stop" });
    expect(await early).toEqual(await late.complete(request(), call));
    expect(outlineOf(sink.records)).toEqual(["turn_started", "llm_call_started", "llm_call_failed lash_closed", "turn_completed failed lash_closed"]);
  });

  test.each(Object.entries(ENDINGS))("%s leaves no call open, and says how it ended (TR-4, TR-12, S-64)", async (_name, { options, end, outline }) => {
    const host = scene(options);
    const session = await host.lash.openSession("s");
    const got = await end(host, session.run("go", { turnId: "t" }));
    // What still comes from what was cut off is not told any more.
    host.hold.open();
    await host.clock.advance(100);
    const { records } = host.sink;
    expect(pairsOf(records)).toEqual(WHOLE);
    const last = records.findLastIndex(({ type }) => type === "turn_completed");
    expect(outlineOf(records.slice(0, last + 1)).filter((line) => line !== "token_usage").slice(-outline.length)).toEqual(outline);
    if (LashError.is(got)) expect(ofType(records, "turn_completed").at(-1)).toMatchObject({ status: "failed", error: { code: got.code } });
  });

  test("a turn that does not wait for whoever runs its session throws `session_execution_busy`, and so says its trace (TR-12, S-64)", async () => {
    const engine = memoryEngine();
    const hold = gate();
    const first = testLash({ engine, script: [{ before: hold, text: "x" }] });
    const running = (await first.lash.openSession("s")).run("go");
    await hold.reached;
    const { lash, sink } = scene(() => ({ engine }));
    await expect((await lash.openSession("s")).run("too", { turnId: "t", wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    // What follows is of the session that was opened: it looks after the turn in flight.
    expect(outlineOf(sink.records).slice(0, 4)).toEqual(["session_started", "turn_started", "session_execution_lease.busy", "turn_completed failed session_execution_busy"]);
    expect(pairsOf(sink.records)).toEqual(WHOLE);
    hold.open();
    await running;
  });
});

// ---- a turn with everything in it ---------------------------------------------------------------------------------

const script = byAssistantMessages([
  { text: "first", toolCalls: [{ name: "look", callId: "a" }, { name: "change", callId: "a" }, { name: "batch", callId: "b", args: { tool_calls: [{ tool: "look", parameters: {} }, { tool: "nobody", parameters: {} }] } }] },
  "done",
]);
const tools: readonly Tool[] = [
  tool({ name: "look", description: "", input, readOnly: true, run: () => "seen" }),
  tool({ name: "change", description: "", input, execution: "serial", onInterrupted: "report", run: () => "changed" }),
  batchTool(),
];
const hostOn = (engine: Engine, clock: ManualClock, sink: MemoryTrace): Lash => testLash({ engine, clock, script, tools, trace: { sink } }).lash;

async function oneTurn(lash: Lash): Promise<void> {
  const session = await lash.openSession("s");
  await session.run("go", { turnId: "t" });
  await lash.close();
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("a store that fails at any call of a turn: the trace of the turn is closed with the very code that the host gets (TR-4, TR-12)", async () => {
    const codes: string[] = [];
    for (const when of ["before", "after"] as const) {
      for (let call = 1; ; call++) {
        const disk = open();
        const clock = manualClock(1_000);
        const { engine, calls } = failingAt(disk, call, when);
        const sink = memoryTrace();
        const thrown = await oneTurn(hostOn(engine, clock, sink)).then(() => undefined, (error: unknown) => error);
        await clock.advance(31_000);
        await bury(disk);
        const reached = calls() >= call;
        expect(pairsOf(sink.records)).toEqual(WHOLE);
        const turns = ofType(sink.records, "turn_completed");
        if (LashError.is(thrown) && turns.length > 0) {
          codes.push(`${thrown.code}`);
          // The session may have taken the turn up by itself since.
          expect(turns[0]).toMatchObject({ status: "failed", error: { code: thrown.code } });
        }
        // What is left is finished, and traced as whole, by the next one.
        const next = memoryTrace();
        await oneTurn(hostOn(disk, clock, next));
        expect(pairsOf(next.records)).toEqual(WHOLE);
        expect(ofType(next.records, "turn_completed").at(-1)).toMatchObject({ status: "completed", done_reason: "assistant_message" });
        await disk.close();
        if (!reached) break;
      }
    }
    expect(new Set(codes)).toEqual(new Set(["store_commit_failed"]));
    // A write that was made and reported as failed is found, and fails nothing.
    expect(codes.length).toBeGreaterThan(4);
  });
});

test("dying at any engine call: a process leaves at most its beginnings behind, and the next one tells what it does itself as whole; calls with an outcome are told as replayed (TR-3, TR-4, E-11)", { timeout: 60_000 }, async () => {
  interface World { readonly sink: MemoryTrace }
  let replayed = 0;
  const deaths = await crashEverywhere<World>({
    open: memoryEngine,
    world: () => ({ sink: memoryTrace() }),
    job: ({ engine }, clock, { sink }) => oneTurn(hostOn(engine, clock, sink)),
    check: async (disk, clock, { sink }) => {
      expect(pairsOf(sink.records).wrong).toEqual([]);
      const next = memoryTrace();
      await oneTurn(hostOn(disk, clock, next));
      expect(pairsOf(next.records)).toEqual(WHOLE);
      const told = ofType(next.records, "tool_call_completed").filter((record) => record.replayed);
      replayed += told.length;
      const before = new Set(ofType(sink.records, "tool_call_started").map(({ call_key }) => call_key));
      expect(told.filter(({ call_key }) => !before.has(call_key))).toEqual([]);
    },
  });
  expect(deaths).toBeGreaterThan(50);
  expect(replayed).toBeGreaterThan(0);
});

/** Rejects that call, before or after it has done its work; goes on living. */
function failingAt(disk: Engine, nth: number, when: "before" | "after") {
  let made = 0;
  const call = async <T>(run: () => Promise<T>): Promise<T> => {
    const isIt = ++made === nth;
    const fail = (): never => {
      throw storeError("store_backend", "the disk said no");
    };
    if (isIt && when === "before") fail();
    const given = await run();
    if (isIt) fail();
    return given;
  };
  const engine: Engine = { name: disk.name, durable: disk.durable, read: (body) => call(() => disk.read(body)), write: (body) => call(() => disk.write(body)), close: () => Promise.resolve() };
  return { engine, calls: () => made };
}
