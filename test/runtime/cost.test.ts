// What a turn may cost (design 9): transactions, reads, snapshot, memory. Counted, not timed.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Provider } from "../../src/index.ts";
import type { LlmOutputPart } from "../../src/providers/contract.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import type { Engine, Value } from "../../src/stores/engine.ts";
import { byAssistantMessages, manualClock } from "../../src/testing/index.ts";
import { countingEngine, type CountingEngine } from "../../src/testing/counting-engine.ts";
import { engineCases } from "../support/engines.ts";
import { testLash } from "../support/lash.ts";

const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "x".repeat(1_024) });
const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Answers every second request with a tool call. Keeps nothing, where the scripted provider remembers every request. */
function forgetfulModel(): Provider {
  let index = 0;
  const usage = { inputTokens: 10, outputTokens: 5, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };
  return {
    id: "forgetful",
    modelId: "m",
    complete: () => {
      const isCall = index++ % 2 === 0;
      const part: LlmOutputPart = isCall ? { type: "toolCall", toolName: "look", callId: "c", inputJson: "{}" } : { type: "text", text: "y".repeat(400) };
      return Promise.resolve({ fullText: "", parts: [part], usage, terminalReason: isCall ? "tool_use" : "stop" });
    },
  };
}

async function counted(engine: CountingEngine) {
  const { lash } = testLash({ engine, tools: [look] });
  const session = await lash.openSession("s", { provider: forgetfulModel() });
  await idle();
  return { session, lash, turn: async () => (engine.reset(), await session.run("x".repeat(200)), engine.reset()) };
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("a turn with one tool is exactly 4 write transactions and no read transaction (design 9)", async () => {
    const { turn } = await counted(countingEngine(open()));
    for (let index = 0; index < 3; index++) expect(await turn()).toMatchObject({ writes: 4, reads: 0 });
  });
});

test("a turn without tools is 2 transactions, each concurrent call beyond the first adds one (design 9, B2)", async () => {
  const engine = countingEngine(memoryEngine());
  const plain = testLash({ engine, script: ["done"] });
  const session = await plain.lash.openSession("plain");
  await idle();
  engine.reset();
  await session.run("go");
  expect(engine.reset().writes).toBe(2);
  for (const parallel of [1, 2, 5]) {
    const { lash } = testLash({ engine, tools: [look], script: byAssistantMessages([{ toolCalls: Array.from({ length: parallel }, () => ({ name: "look" })) }, "done"]) });
    const batch = await lash.openSession(`batch-${parallel}`);
    await idle();
    engine.reset();
    await batch.run("go");
    expect(engine.reset().writes).toBe(3 + parallel);
  }
});

test("the snapshot of a step is bounded and holds nothing of what was said (M3, design 2B)", async () => {
  const snapshots: number[] = [];
  const said = "s3cret-".repeat(2_000);
  const { lash } = testLash({
    engine: watched((value) => {
      const { snapshot } = (value ?? {}) as { snapshot?: unknown };
      if (snapshot === undefined) return;
      const text = JSON.stringify(snapshot);
      expect(text).not.toContain("s3cret");
      snapshots.push(text.length);
    }),
    tools: [tool({ name: "look", description: "", input: z.object({}), run: () => said })],
    script: (_request, index) => (index % 20 < 19 ? { text: said, toolCalls: [{ name: "look" }] } : said),
  });
  const session = await lash.openSession("s");
  for (let index = 0; index < 5; index++) await session.run(said);
  expect(snapshots.length).toBeGreaterThan(100);
  expect(Math.max(...snapshots)).toBeLessThan(1_200);
});

describe("memory", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap = async (): Promise<number> => {
    for (let round = 0; round < 4; round++) {
      await idle();
      collect();
    }
    return process.memoryUsage().heapUsed;
  };

  test("after 200 turns nothing of them is waiting: no timer, no running actor, no listener on the host's signal (design 9)", async () => {
    const clock = manualClock(1_000);
    const running = new Set<string>();
    const { lash } = testLash({
      clock,
      tools: [look],
      inspect: (event) => {
        if (event.type === "@xstate.actor" && "sessionId" in event.actorRef) running.add(String(event.actorRef.sessionId));
        if (event.type === "@xstate.snapshot" && "status" in event.snapshot && event.snapshot.status !== "active" && "sessionId" in event.actorRef) running.delete(String(event.actorRef.sessionId));
      },
    });
    const session = await lash.openSession("s", { provider: forgetfulModel() });
    const host = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = host.signal;
    host.signal.addEventListener = (...args: Parameters<AbortSignal["addEventListener"]>) => (listeners++, addEventListener.apply(host.signal, args));
    host.signal.removeEventListener = (...args: Parameters<AbortSignal["removeEventListener"]>) => (listeners--, removeEventListener.apply(host.signal, args));
    for (let index = 0; index < 200; index++) await session.run("x", { signal: host.signal });
    expect({ timers: clock.pendingTimers, listeners, state: session.runtime.actor.getSnapshot().value.residency }).toEqual({ timers: 0, listeners: 0, state: { resident: "clean" } });
    // The session and its effects actor.
    expect(running.size).toBe(2);
  }, 60_000);

  test("an idle session is under 50 KB of heap, and closing it gives that back (design 9)", async () => {
    const { lash } = testLash({ engine: memoryEngine(), script: () => "done", tools: [look] });
    const sessions = 200;
    const warm = await lash.openSession("warm");
    await warm.run("go");
    const before = await heap();
    const open = await Promise.all(Array.from({ length: sessions }, (_, index) => lash.openSession(`s${index}`)));
    const after = await heap();
    expect((after - before) / sessions).toBeLessThan(50_000);
    for (const session of open.splice(0)) await session.close();
    expect(((await heap()) - before) / sessions).toBeLessThan(5_000);
  });

  test("turn 1,000 reads, writes and keeps as much as turn 10: nothing but its own content grows (design 1.3, 9)", { timeout: 60_000 }, async () => {
    const engine = countingEngine(forgetful());
    const { turn, session } = await counted(engine);
    let tenth;
    let before = 0;
    for (let index = 1; index < 1_000; index++) {
      const counts = await turn();
      if (index === 10) tenth = counts;
      if (index === 100) before = await heap();
    }
    const { bytesSet, ...thousandth } = await turn();
    const { bytesSet: bytesAtTen = 0, ...atTen } = tenth ?? {};
    expect(thousandth).toEqual(atTen);
    // Counters get longer by a digit here and there.
    expect(bytesSet).toBeLessThan(bytesAtTen * 1.01);
    // About 1.7 KB of text in four messages, kept as messages and once more as their projection for the model.
    expect(((await heap()) - before) / 900).toBeLessThan(12_000);
    expect(session.observe().readView.turnIndex).toBe(1_000);
  });
});

/** A memory engine that shows every value that is set. */
function watched(look: (value: Value) => void): Engine {
  const engine = memoryEngine();
  return {
    ...shared(engine),
    write: (body) =>
      engine.write((tx) =>
        body({
          get: (key) => tx.get(key),
          range: (from, to, options) => tx.range(from, to, options),
          prefetch: (reads) => tx.prefetch(reads),
          widen: (sessionId) => tx.widen(sessionId),
          delete: (key) => tx.delete(key),
          set: (key, value) => (look(value), tx.set(key, value)),
        }),
      ),
  };
}

/** Keeps everything but the history rows, so that what grows is the runtime's own. */
function forgetful(): Engine {
  const engine = memoryEngine();
  return {
    ...shared(engine),
    write: (body) =>
      engine.write((tx) =>
        body({
          get: (key) => tx.get(key),
          range: (from, to, options) => tx.range(from, to, options),
          prefetch: (reads) => tx.prefetch(reads),
          widen: (sessionId) => tx.widen(sessionId),
          delete: (key) => tx.delete(key),
          set: (key, value) => (key[2] === 2 || key[2] === 3 ? undefined : tx.set(key, value)),
        }),
      ),
  };
}

const shared = (engine: Engine): Engine => ({
  name: engine.name,
  durable: engine.durable,
  read: (body) => engine.read(body),
  write: (body) => engine.write(body),
  close: () => engine.close(),
});

