// The protocol of a session is a durable fact of it (ME-23).

import { describe, expect, test } from "vitest";
import type { ProtocolDriver } from "../../src/machines/protocol.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { childSessions } from "../../src/children/index.ts";
import { gate, manualClock } from "../../src/testing/index.ts";
import { quiet } from "../support/asking.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { rowsOf } from "../support/rows.ts";

/** Answers every reply in its own words. */
const other: ProtocolDriver = {
  id: "other",
  version: 7,
  onModelReply: () => ({ next: { type: "finish", outcome: { finished: { assistant_message: { text: "from the other protocol" } } } } }),
  onToolResults: () => expect.fail("asked"),
  onCodeResult: () => expect.fail("asked"),
};
const pinned = (expected: string, actual: string, more = {}) => ({ code: "session_fact_pinned", isTerminal: true, details: { sessionId: "s", fact: "protocol", expected, actual, ...more } });

describe.each(engineCases())("on $name", ({ open }) => {
  test.each([[undefined, other], [other, undefined]])("a session that was made under one protocol is refused under another, both ways, and goes on under its own (ME-23)", async (first, second) => {
    const engine = open();
    const made = testLash({ engine, script: () => "said", ...(first && { protocol: first }) });
    await (await made.lash.openSession("s")).run("one");
    const refused = testLash({ engine, script: () => "said", ...(second && { protocol: second }) });
    await expect(refused.lash.openSession("s")).rejects.toMatchObject(pinned(first?.id ?? "standard", second?.id ?? "standard"));
    await expect(refused.lash.resume({ sessionId: "s" })).rejects.toMatchObject({ code: "session_fact_pinned" });
    const again = testLash({ engine, script: () => "said", ...(first && { protocol: first }) });
    expect(await (await again.lash.openSession("s")).run("two")).toMatchObject({ isSuccess: true });
  });

  test("a turn in flight is left alone under another protocol, counts no recovery there, and goes on under its own (ME-22, ME-23)", async () => {
    const engine = open();
    const [clock, hold] = [manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const first = testLash({ engine: process.engine, clock, script: [{ text: "late", before: hold }] });
    void (await first.lash.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    process.kill();
    await clock.advance(31_000);
    const wrong = testLash({ engine, clock, protocol: other });
    expect(await wrong.lash.recover()).toMatchObject([{ turnId: "t", error: pinned("standard", "other") }]);
    expect(wrong.provider.requests).toEqual([]);
    expect(await createPersistence(engine, { clock }).turns.load("s", "t")).toMatchObject({ recoveries: 0 });
    expect(await testLash({ engine, clock, script: ["y"] }).lash.recover()).toMatchObject([{ result: { text: "y" } }]);
  });

  test("a session that is opened in two lashes before it is made belongs to the protocol of the first turn (ME-23)", async () => {
    const engine = open();
    const [one, two] = [testLash({ engine, script: () => "said" }), testLash({ engine, protocol: other })];
    const [standard, foreign] = [await one.lash.openSession("s"), await two.lash.openSession("s")];
    await standard.run("one", { turnId: "a" });
    await expect(foreign.run("two")).rejects.toMatchObject(pinned("standard", "other"));
    expect(await standard.run("three")).toMatchObject({ text: "said" });
    expect(two.provider.requests).toEqual([]);
  });

  test("a turn that is found by a session which was open before it is left alone, too, and named (ME-22, ME-23)", async () => {
    const engine = open();
    const [clock, hold] = [manualClock(1_000), gate()];
    const process = new Mortal(engine);
    const foreign = await testLash({ engine, clock, protocol: other }).lash.openSession("s");
    void (await testLash({ engine: process.engine, clock, script: [{ text: "late", before: hold }] }).lash.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    process.kill();
    await clock.advance(31_000);
    await expect(foreign.run("next")).rejects.toMatchObject(pinned("standard", "other", { turnId: "t" }));
    await expect(foreign.run("go", { turnId: "t" })).rejects.toMatchObject(pinned("standard", "other", { turnId: "t" }));
  });
});

test("a session whose rows name no protocol, as older builds wrote them, has the standard one; new rows of it name none either (ME-23)", async () => {
  const engine = memoryEngine();
  await (await testLash({ engine, script: () => "said" }).lash.openSession("s")).run("one");
  const meta = (await rowsOf(engine)).find(({ key }) => key[0] === "session")?.value;
  expect(meta).toMatchObject({ sessionId: "s" });
  expect(meta).not.toHaveProperty("protocol");
});

test("whatever makes a session binds it: a change of settings, a fork, a child (ME-23)", async () => {
  const engine = memoryEngine();
  const host = testLash({ engine, protocol: other, script: () => "said", children: childSessions() });
  const configured = await host.lash.openSession("configured");
  await configured.configure({ maxTurns: 3 });
  const session = await host.lash.openSession("s");
  await session.run("one");
  await session.fork({ id: "fork" });
  await session.children.create({ id: "child" });
  const standard = testLash({ engine });
  for (const id of ["configured", "fork", "child"]) await expect(standard.lash.openSession(id)).rejects.toMatchObject({ code: "session_fact_pinned", details: { sessionId: id, expected: "other" } });
  const again = testLash({ engine, protocol: other, script: () => "said" });
  for (const id of ["configured", "fork", "child"]) expect(await (await again.lash.openSession(id)).run("more")).toMatchObject({ text: "from the other protocol" });
});

test("a session of another protocol can be ended and deleted all the same (ME-22, ME-23)", async () => {
  const engine = memoryEngine();
  const [clock, hold] = [manualClock(1_000), gate()];
  const process = new Mortal(engine);
  void (await testLash({ engine: process.engine, clock, protocol: other, script: [{ text: "late", before: hold }] }).lash.openSession("s")).run("go", { turnId: "t" });
  await hold.reached;
  process.kill();
  await clock.advance(31_000);
  const standard = testLash({ engine, clock });
  expect(await standard.lash.abandonTurn("s", "t", "its protocol is gone")).toMatchObject({ errors: [{ code: "turn_abandoned" }] });
  await quiet();
  const right = await testLash({ engine, clock, protocol: other, script: () => "said" }).lash.openSession("s");
  expect(transcriptOf(right)).toEqual(["User: Text go"]);
  expect(await right.run("next")).toMatchObject({ text: "from the other protocol" });
  expect(await standard.lash.deleteSession("s")).toMatchObject({ existed: true });
});
