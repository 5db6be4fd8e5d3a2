// Closing a lash: what ends, what is left in flight, and what is not begun (OP-8).

import { expect, test } from "vitest";
import * as z from "zod";
import { tool, type ToolCall } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, manualClock } from "../../src/testing/index.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { heldLanes } from "../support/rows.ts";

const script = byAssistantMessages([{ toolCalls: [{ name: "it" }] }, "done"]);

test("closing waits for the turn that runs, and refuses what comes after it (OP-8)", async () => {
  const hold = gate();
  const { lash } = testLash({ script: [{ text: "in time", before: hold }] });
  const session = await lash.openSession("s");
  const turn = session.run("go");
  await hold.reached;
  const closed = lash.close();
  await expect(lash.openSession("other")).rejects.toMatchObject({ code: "lash_closed" });
  hold.open();
  expect(await turn).toMatchObject({ text: "in time" });
  await closed;
});

test("whoever asks again to close waits for the same end", async () => {
  const { lash } = testLash();
  const first = lash.close();
  expect(lash.close({ graceMs: 1 })).toBe(first);
  await first;
});

test("past the grace a turn is left in flight: its caller is told, its lane is free, the next process settles its tool by policy (OP-3, OP-8)", async () => {
  const engine = memoryEngine();
  const clock = manualClock(1_000);
  const begun = gate();
  const signals: AbortSignal[] = [];
  const slow = tool({ name: "it", description: "", input: z.object({}), run: async (_args, call) => (signals.push(call.signal), begun.pass()) });
  const first = testLash({ engine, clock, script, tools: [slow] });
  const session = await first.lash.openSession("s");
  const turn = session.run("go", { turnId: "t" }).catch((error: unknown) => error);
  const behind = session.run("later").catch((error: unknown) => error);
  await begun.reached;
  const closed = first.lash.close({ graceMs: 500 });
  await clock.runUntil(closed);
  expect(await turn).toMatchObject({ code: "lash_closed" });
  expect(await behind).toMatchObject({ code: "lash_closed" });
  expect(signals.map((signal) => signal.aborted)).toEqual([true]);
  expect(await heldLanes(engine)).toEqual([]);

  const calls: ToolCall[] = [];
  const again = tool({ name: "it", description: "", input: z.object({}), onInterrupted: "retry", run: (_args, call) => (calls.push(call), "ran") });
  const second = testLash({ engine, clock, script, tools: [again] });
  expect(await second.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
  expect(calls).toMatchObject([{ interrupted: true, attempt: 1 }]);
  expect(transcriptOf(await second.lash.openSession("s"))).toEqual(["User: Text go", "Assistant: ToolCall {}", "User: ToolResult ran", "Assistant: Prose done"]);
});

test("a turn that is abandoned while its lane is being claimed gives the lane back, and is found by the next process (OP-8, S-62)", async () => {
  const engine = memoryEngine();
  const clock = manualClock(1_000);
  const claiming = gate();
  const slow: Engine = { ...staysOpen(engine), write: async (body) => (await claiming.pass(), engine.write(body)) };
  const first = testLash({ engine: slow, clock });
  const turn = (await first.lash.openSession("s")).run("go", { turnId: "t" }).catch((error: unknown) => error);
  await claiming.reached;
  const closed = first.lash.close({ graceMs: 0 });
  await clock.advance(0);
  claiming.open();
  await closed;
  expect(await turn).toMatchObject({ code: "lash_closed" });
  expect(await heldLanes(engine)).toEqual([]);
  expect(await testLash({ engine, clock }).lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
});

test.each([[{ graceMs: -1 }], [{ graceMs: Number.NaN }], [{ grace: 5 }]])("close(%o) is refused", async (options) => {
  const { lash } = testLash();
  expect(() => lash.close(options as never)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  await lash.close();
});
