// The durable state of a session decides how it opens: stores in which only that differs (OP-1, S-82, S-89).

import { expect, test } from "vitest";
import * as z from "zod/mini";
import { tool, type LashOptions } from "../../src/index.ts";
import type { JsonObject } from "../../src/domain/json.ts";
import type { Engine, Entry, Value } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { countingEngine, gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { askingLash, quiet } from "../support/asking.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { keysOf, rowsOf } from "../support/rows.ts";

const CONTROL = JSON.stringify(["turn", "s", 0]);
const script = [{ toolCalls: [{ name: "slow" }] }, "done"] as const;

/** A session whose second turn was killed while its tool ran; the lease of its process has expired. */
async function left(): Promise<{ readonly rows: readonly Entry[]; readonly clock: ManualClock }> {
  const engine = memoryEngine();
  const clock = manualClock(1_000);
  await (await testLash({ engine, clock, script: ["hello"] }).lash.openSession("s")).run("hi", { turnId: "first" });
  const began = gate();
  const process = new Mortal(engine);
  const slow = tool({ name: "slow", description: "", input: z.object({}), run: () => began.pass() });
  (await testLash({ engine: process.engine, clock, script: [...script], tools: [slow] }).lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
  await began.reached;
  process.kill();
  await clock.advance(31_000);
  return { rows: await rowsOf(engine), clock };
}

/** The same store, but for what its control row says of the session. */
async function edited(rows: readonly Entry[], change: (control: JsonObject) => Value | undefined): Promise<Engine> {
  const engine = memoryEngine();
  await engine.write(async (tx) => {
    for (const { key, value } of rows) {
      const changed = JSON.stringify(key) === CONTROL ? change(value as JsonObject) : value;
      if (changed !== undefined) tx.set(key, changed);
    }
  });
  return engine;
}

const slowTool = tool({ name: "slow", description: "", input: z.object({}), run: async () => "never" });
const host = (engine: Engine, clock: ManualClock, options: Partial<LashOptions> = {}) => testLash({ ...options, engine, clock, script: ["done"], tools: [slowTool] });
const durableOf = (session: { readonly runtime: { readonly actor: { getSnapshot(): { readonly value: { readonly durable: string } } } } }): string => session.runtime.actor.getSnapshot().value.durable;

test("in a turn: what was left is recovered, and the attempt that was lost counts against it (OP-6, OP-7)", async () => {
  const { rows, clock } = await left();
  const kept = host(await edited(rows, (control) => control), clock);
  const session = await kept.lash.openSession("s");
  expect(durableOf(session)).toBe("inTurn");
  expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true, text: "done" });
  expect(durableOf(session)).toBe("idle");
  const refused = host(await edited(rows, (control) => control), clock, { maxRecoveries: 0 });
  expect(await (await refused.lash.openSession("s")).run("go", { turnId: "t" })).toMatchObject({ isSuccess: false, outcome: { kind: "stopped", stop: "runtime_error" } });
});

test("in a turn: whoever opens the session finishes what was left, unasked (OP-7)", async () => {
  const { rows, clock } = await left();
  const { lash } = host(await edited(rows, (control) => control), clock);
  const session = await lash.openSession("s");
  await quiet();
  expect(transcriptOf(session)).toEqual(["User: Text hi", "Assistant: Prose hello", "User: Text go", expect.stringContaining("ToolCall"), expect.stringContaining("ToolResult"), "Assistant: Prose done"]);
});

test("parked: nobody drove it, so no attempt was lost, and whoever opens the session may go on with the turn (OP-8)", async () => {
  const { rows, clock } = await left();
  const { lash } = host(await edited(rows, (control) => ({ ...control, parked: { waits: ["w"] } })), clock, { maxRecoveries: 0 });
  const session = await lash.openSession("s");
  expect(durableOf(session)).toBe("parked");
  expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true, text: "done" });
});

test("idle: opening looks for nothing that somebody left (OP-7)", async () => {
  const engine = countingEngine(memoryEngine());
  const { lash, clock } = testLash({ engine });
  await (await lash.openSession("s")).run("hi");
  await lash.close();
  engine.reset();
  await testLash({ engine, clock }).lash.openSession("s");
  await quiet();
  expect(engine.reset()).toMatchObject({ reads: 2, writes: 0 });
});

test("idle, without rows of a turn: there is nothing to finish, and the next turn follows what was committed (OP-7)", async () => {
  const { rows, clock } = await left();
  const { lash } = host(await edited(rows.filter(({ key }) => key[0] !== "turn"), (control) => control), clock);
  const session = await lash.openSession("s");
  expect(durableOf(session)).toBe("idle");
  expect(await lash.recover()).toEqual([]);
  await session.run("next");
  expect(transcriptOf(session)).toEqual(["User: Text hi", "Assistant: Prose hello", "User: Text next", "Assistant: Prose done"]);
});

test("being deleted: opening goes on with the deletion and says that the id is used up (S-82, S-89)", async () => {
  const { rows, clock } = await left();
  const engine = await edited(rows, (control) => ({ ...control, deleting: { stage: "history" } }));
  const { lash } = host(engine, clock);
  await expect(lash.openSession("s")).rejects.toMatchObject({ code: "session_id_retired" });
  expect((await keysOf(engine)).filter((key) => key.startsWith('["s",') || key.startsWith('["turn"') || key === '["session","s"]')).toEqual([]);
  expect(await lash.deleteSession("s")).toEqual({ sessionId: "s", existed: false });
});

test("being deleted: recover goes on with the deletion, and not with the turn (S-82)", async () => {
  const { rows, clock } = await left();
  const engine = await edited(rows, (control) => ({ ...control, deleting: { stage: "history" } }));
  expect(await host(engine, clock).lash.recover()).toEqual([]);
  expect((await keysOf(engine)).filter((key) => key.startsWith('["s",'))).toEqual([]);
});

test("a deletion whose stage nobody knows keeps no other session from being recovered (OP-7)", async () => {
  const { rows, clock } = await left();
  const engine = await edited(rows, (control) => ({ ...control, deleting: { stage: "later" } }));
  const { lash, logged } = host(engine, clock);
  expect(await lash.recover()).toEqual([]);
  expect(logged).toMatchObject([{ event: "session.deletion_failed", sessionId: "s", code: "stored_row_invalid" }]);
});

test("a session that was deleted under its turn is not brought back by reading it again: nothing is written, and what was read stays (S-84, S-89)", async () => {
  const engine = countingEngine(memoryEngine());
  const hold = gate();
  const { lash, clock } = testLash({ engine, script: ["hello", { text: "late", before: hold }, "never"] });
  const session = await lash.openSession("s");
  await session.run("hi");
  const failed = session.run("more").catch((error: unknown) => error);
  await hold.reached;
  await testLash({ engine, clock }).lash.deleteSession("s");
  hold.open();
  expect(await failed).toMatchObject({ family: "runtime" });
  await quiet();
  engine.reset();
  await expect(session.run("again")).rejects.toMatchObject({ code: "session_id_retired" });
  expect(engine.reset().writes).toBe(0);
  expect(transcriptOf(session)).toEqual(["User: Text hi", "Assistant: Prose hello"]);
});

test("a turn that was left waiting is shown as waiting to whoever opens its session, and is over with its answer (OP-8, FA-40)", async () => {
  const engine = memoryEngine();
  const first = askingLash({ engine });
  const session = await first.lash.openSession("s");
  session.run("go", { turnId: "t" }).catch(() => undefined);
  await first.parked;
  await session.close();
  const next = askingLash({ engine, clock: first.clock, asked: first.asked });
  const opened = await next.lash.openSession("s");
  expect(durableOf(opened)).toBe("parked");
  await next.lash.completions.resolve(first.asked.keys[0] ?? "", { status: "ok", payload: "yes" });
  expect(await opened.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true });
  expect(durableOf(opened)).toBe("idle");
});

test("a head row says nothing of a process's memory; one of 0.1.0 that does is read, and rewritten without it (SC-31)", async () => {
  const engine = memoryEngine();
  const { lash, clock } = testLash({ engine, script: ["a"] });
  await (await lash.openSession("s")).run("hi");
  const head = (await rowsOf(engine)).find(({ key }) => key[3] === "head") as Entry;
  expect(head.value).not.toHaveProperty("machine");
  const machine = { machine: "session", version: 1, value: { residency: "committing", lease: "held" }, context: { handles: 1 } };
  await engine.write(async (tx) => void tx.set(head.key, { ...(head.value as JsonObject), machine }));
  const session = await testLash({ engine, clock, script: ["b"] }).lash.openSession("s");
  expect(await session.run("again")).toMatchObject({ isSuccess: true, headRevision: 2 });
  expect(session.observe().persistedState).not.toHaveProperty("machine");
  expect((await rowsOf(engine)).find(({ key }) => key[3] === "head")?.value).not.toHaveProperty("machine");
});
