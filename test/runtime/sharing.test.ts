// Several turns, handles and processes on one session: one works, nobody loses anything (T-1, T-82, S-56).

import { describe, expect, test } from "vitest";
import { byAssistantMessages, gate, manualClock } from "../../src/testing/index.ts";
import { engineCases } from "../support/engines.ts";
import { heldLanes, keysOf } from "../support/rows.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

describe.each(engineCases())("on $name", ({ open }) => {
  test("turns of one handle run one after another, in the order they were asked for (S-56)", async () => {
    const hold = gate();
    const { lash, provider } = testLash({ engine: open(), script: byAssistantMessages([{ text: "one", before: hold }, "two", "three"]) });
    const session = await lash.openSession("s");
    const results = [session.run("a"), session.run("b"), session.run("c")];
    await hold.reached;
    expect(provider.running).toBe(1);
    hold.open();
    expect((await Promise.all(results)).map(({ text, headRevision }) => [text, headRevision])).toEqual([["one", 1], ["two", 2], ["three", 3]]);
    expect(transcriptOf(session)).toEqual(["User: Text a", "Assistant: Prose one", "User: Text b", "Assistant: Prose two", "User: Text c", "Assistant: Prose three"]);
  });

  test("a second owner that does not wait gets session_execution_busy, leaves no row, and works once the first is done (T-1, T-82, S-56)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const hold = gate();
    const one = testLash({ engine, clock, script: [{ text: "one", before: hold }] });
    const two = testLash({ engine, clock, script: ["two"] });
    const first = await one.lash.openSession("s");
    const second = await two.lash.openSession("s");
    const running = first.run("a");
    await hold.reached;
    const before = await keysOf(engine);
    await expect(second.run("b", { turnId: "mine", wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    expect(await keysOf(engine)).toEqual(before);
    hold.open();
    expect((await running).text).toBe("one");
    const result = await second.run("b", { turnId: "mine" });
    expect(result).toMatchObject({ text: "two", headRevision: 2 });
    expect(transcriptOf(second)).toEqual(["User: Text a", "Assistant: Prose one", "User: Text b", "Assistant: Prose two"]);
    expect(await heldLanes(engine)).toEqual([]);
  });

  test("two handles of one lash are two owners (S-56, S-58)", async () => {
    const hold = gate();
    const { lash } = testLash({ engine: open(), script: [{ text: "one", before: hold }, "two"] });
    const first = await lash.openSession("s");
    const second = await lash.openSession("s");
    const running = first.run("a");
    await hold.reached;
    await expect(second.run("b", { wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    hold.open();
    await running;
    expect((await second.run("b")).headRevision).toBe(2);
  });

  test("sessions do not wait for each other", async () => {
    const hold = gate();
    const { lash } = testLash({ engine: open(), script: [{ text: "slow", before: hold }, "fast"] });
    const slow = (await lash.openSession("a")).run("go");
    await hold.reached;
    expect((await (await lash.openSession("b")).run("go")).text).toBe("fast");
    hold.open();
    expect((await slow).text).toBe("slow");
  });

  test("a turn asked for again by its id gives the recorded result, also after a reopen, and runs nothing (E-29, E-32a, OP-11)", async () => {
    const engine = open();
    const first = testLash({ engine, script: ["once"] });
    const session = await first.lash.openSession("s");
    const result = await session.run("go", { turnId: "t" });
    const again = await session.run("go", { turnId: "t" });
    expect(again).toEqual(result);
    await session.run("next").catch(() => undefined);
    await first.lash.close();
    const second = testLash({ engine });
    const reopened = await second.lash.openSession("s");
    expect(await reopened.run("go", { turnId: "t" })).toEqual(result);
    expect([first.provider.requests.length, second.provider.requests.length]).toEqual([2, 0]);
    expect(transcriptOf(reopened)).toHaveLength(3);
  });

  test("the same turn id with another input is runtime_turn_commit_conflict, committed or in flight (E-29, OP-11)", async () => {
    const engine = open();
    const hold = gate();
    const clock = manualClock(1_000);
    const one = testLash({ engine, clock, script: ["once", { text: "held", before: hold }] });
    const session = await one.lash.openSession("s");
    await session.run("go", { turnId: "t" });
    const conflict = { code: "runtime_turn_commit_conflict" };
    await expect(session.run("other", { turnId: "t" })).rejects.toMatchObject(conflict);
    const held = session.run("go", { turnId: "u" });
    await hold.reached;
    const queued = session.run("other", { turnId: "u" });
    hold.open();
    expect((await held).text).toBe("held");
    await expect(queued).rejects.toMatchObject(conflict);
    expect(transcriptOf(session)).toHaveLength(4);
  });

  test("the same turn asked for twice at once runs once (T-82, design 7.1)", async () => {
    const { lash, provider } = testLash({ engine: open(), script: ["once", "twice"] });
    const session = await lash.openSession("s");
    const [a, b] = await Promise.all([session.run("go", { turnId: "t" }), session.run("go", { turnId: "t" })]);
    expect(b).toEqual(a);
    expect(provider.requests).toHaveLength(1);
  });
});
