// configure: the settings of an open session, from the next turn on and for whoever opens it next (OP-22, S-27, FA-60, PP-46).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { pending, tool, type PromptParts } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, gate, manualClock, scriptedProvider } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, type TestLash } from "../support/lash.ts";
import { heldLanes, keysOf, rowsOf } from "../support/rows.ts";

const systemOf = ({ messages }: LlmRequest): string => messages.flatMap(({ role, blocks }) => (role === "system" ? blocks.map((block) => (block.type === "text" ? block.text : "")) : []))[0] ?? "";
const loaded = ({ engine, clock }: Pick<TestLash, "engine" | "clock">) => createPersistence(engine, { clock }).sessions.load("s", { kind: "full_graph" });
const given = ({ provider }: TestLash): readonly (readonly [string, string])[] => provider.requests.map((request) => [request.model, systemOf(request)] as const);

describe.each(engineCases())("on $name", ({ open }) => {
  test("an idle session has committed the change when it resolves, with its frame; the next turn and the next host have it (FA-60, OP-22, S-27, PP-46)", async () => {
    const engine = open();
    const host = testLash({ engine, script: () => "done", prompt: "Core." });
    const session = await host.lash.openSession("s");
    await session.run("a");
    await session.configure({ model: { id: "big", contextWindowTokens: 9_000 }, prompt: "Be kind.", maxTurns: 3 });
    const policy = { providerId: "scripted", model: { id: "big", limits: { contextWindowTokens: 9_000 } }, maxTurns: 3 };
    expect(await loaded(host)).toMatchObject({ headRevision: 2, head: { policy }, frames: [{ policy }] });
    expect(session.observe().readView).toMatchObject({ revision: 2, policy, turnIndex: 1 });
    expect(await heldLanes(engine)).toEqual([]);
    await session.run("b");
    expect(given(host)).toEqual([["scripted-model", "Core."], ["big", "Core.\n\nBe kind."]]);
    await host.lash.close();
    const next = testLash({ engine, script: () => "done" });
    await (await next.lash.openSession("s")).run("c");
    expect(given(next)).toEqual([["big", "Be kind."]]);
    expect((await loaded(next))?.head.policy).toEqual(policy);
  });

  test("killed at any engine call, the session has the old settings or the new ones, all of them, and the old ones only where nobody was told (FA-60, E-45)", async () => {
    const seen = new Set<string>();
    const deaths = await crashEverywhere<{ told: boolean }>({
      open,
      world: () => ({ told: false }),
      prepare: async (disk, clock) => {
        const { lash } = testLash({ engine: disk, clock });
        await (await lash.openSession("s", { prompt: "Old." })).run("a");
        await lash.close();
      },
      job: async (process, clock, world) => {
        const session = await testLash({ engine: process.engine, clock }).lash.openSession("s");
        await session.configure({ model: { id: "big" }, prompt: "New." });
        world.told = !process.isDead;
      },
      check: async (disk, clock, { told }) => {
        const next = testLash({ engine: disk, clock, script: () => "done" });
        await (await next.lash.openSession("s")).run("b");
        const [found] = given(next);
        expect(told ? [["big", "New."]] : [["big", "New."], ["scripted-model", "Old."]]).toContainEqual(found);
        seen.add(String(found));
        expect(await heldLanes(disk)).toEqual([]);
        await next.lash.close();
      },
    });
    expect(deaths).toBeGreaterThan(5);
    expect(seen.size).toBe(2);
  });
});

describe("while a turn runs", () => {
  test("the turn goes on as it was accepted, its commit records the change in no transaction more, and the next turn has it (FA-60, OP-22)", async () => {
    const hold = gate();
    const host = testLash({ script: [{ text: "first", before: hold }, "second"] });
    const session = await host.lash.openSession("s");
    const running = session.run("a");
    await hold.reached;
    const configuring = session.configure({ model: { id: "big" }, prompt: "Be kind." });
    const waiting = session.run("b");
    hold.open();
    expect((await running).headRevision).toBe(1);
    expect((await waiting).headRevision).toBe(2);
    await configuring;
    expect((await loaded(host))?.headRevision).toBe(2);
    expect(given(host)).toEqual([["scripted-model", ""], ["big", "Be kind."]]);
  });

  test("where the turn only waits and the session is left, the change has a commit of its own; the turn ends later and takes nothing back (FA-60, OP-8, OP-22)", async () => {
    const [engine, clock, asked] = [memoryEngine(), manualClock(1_000), gate()];
    let key = "";
    const ask = tool({ name: "ask", description: "", input: z.object({}), run: async (_args, call) => ((key = await call.completionKey()), asked.open(), pending()) });
    const script = byToolResults([{ toolCalls: [{ name: "ask" }] }, "done"]);
    const host = testLash({ engine, clock, script, tools: [ask] });
    const session = await host.lash.openSession("s", { prompt: "Old." });
    const running = session.run("a", { turnId: "t" }).catch((error: unknown) => error);
    await asked.opened;
    const configuring = session.configure({ prompt: "New.", maxTurns: 7 });
    await host.lash.close();
    expect(await running).toMatchObject({ code: "turn_suspended" });
    await configuring;
    const next = testLash({ engine, clock, script, tools: [ask] });
    await next.lash.completions.resolve(key, { status: "ok", payload: "yes" });
    await next.lash.recover();
    const reopened = await next.lash.openSession("s");
    await reopened.run("b");
    expect(reopened.observe().readView.policy.maxTurns).toBe(7);
    expect(given(next).map(([, system]) => system)).toEqual(["Old.", "New."]);
  });
});

describe("what is recorded and what is stated (design 7.5, PP-27)", () => {
  test("a change to what is recorded already writes nothing, and an empty one neither (S-27)", async () => {
    const { lash, engine } = testLash({ script: () => "done" });
    const session = await lash.openSession("s");
    await session.run("a");
    await session.configure({ model: { id: "big" }, prompt: { slots: { guidance: "Be kind." } } });
    const before = await rowsOf(engine);
    await session.configure({ model: { id: "big" }, prompt: { slots: { guidance: ["Be kind."] } } });
    await session.configure({});
    expect(await rowsOf(engine)).toEqual(before);
  });

  test("a session that never committed can be configured, and a turn that is found later has it (FA-60)", async () => {
    const host = testLash({ script: () => "done" });
    await (await host.lash.openSession("s")).configure({ prompt: "Be kind." });
    const next = testLash({ engine: host.engine, script: () => "done" });
    const session = await next.lash.openSession("s");
    expect(await session.run("a")).toMatchObject({ headRevision: 2, isSuccess: true });
    expect(given(next)).toEqual([["scripted-model", "Be kind."]]);
  });

  test("a host that states a prompt at open wins, and its next commit records it; a fork and a copy by frame keep it (PP-46, S-27)", async () => {
    const host = testLash({ script: () => "done" });
    const first = await host.lash.openSession("s", { prompt: "One." });
    await first.run("a");
    const second = testLash({ engine: host.engine, script: () => "done" });
    const session = await second.lash.openSession("s", { prompt: "Two." });
    await session.run("b");
    const third = testLash({ engine: host.engine, script: () => "done" });
    await (await third.lash.openSession("s")).run("c");
    await (await third.lash.openSession(await session.fork({ id: "copy" }))).run("d");
    expect([...given(second), ...given(third)].map(([, system]) => system)).toEqual(["Two.", "Two.", "Two."]);
  });

  test("what a turn's host had stated is recorded by the turn's commit, whoever makes it (OP-7, PP-27)", async () => {
    const host = testLash({ script: () => "done" });
    await (await host.lash.openSession("s")).run("a");
    const hold = gate();
    const dying = testLash({ engine: host.engine, script: [{ text: "x", before: hold }], model: { id: "big" } });
    const session = await dying.lash.openSession("s", { prompt: "Be kind." });
    void session.run("b", { turnId: "t" }).catch(() => undefined);
    await hold.reached;
    session.runtime.abandonTurns();
    await new Promise((resolve) => setImmediate(resolve));
    const next = testLash({ engine: host.engine, script: () => "done" });
    expect(await next.lash.recover()).toMatchObject([{ turnId: "t", result: { isSuccess: true } }]);
    await (await next.lash.openSession("s")).run("c");
    expect(given(next)).toEqual([["big", "Be kind."], ["big", "Be kind."]]);
  });

  test("another provider is recorded from then on: the old one does not fit any more, the new one does (PP-27)", async () => {
    const host = testLash({ script: ["host"] });
    const session = await host.lash.openSession("s");
    await session.run("a");
    const guest = () => scriptedProvider(["guest", "guest"], { id: "guest", modelId: "guest-model" });
    await session.configure({ provider: guest() });
    expect((await session.run("b")).text).toBe("guest");
    expect(session.observe().readView.policy).toMatchObject({ providerId: "guest", model: { id: "guest-model" } });
    const stale = await testLash({ engine: host.engine }).lash.openSession("s");
    await expect(stale.run("c")).rejects.toMatchObject({ code: "provider_mismatch", details: { expected: "guest", actual: "scripted" } });
    const fitting = await testLash({ engine: host.engine }).lash.openSession("s", { provider: guest() });
    expect((await fitting.run("c")).text).toBe("guest");
  });

  test("a turn in flight that nobody here can finish is no obstacle, and keeps its own provider and prompt (OP-7, PP-27)", async () => {
    const [engine, hold] = [memoryEngine(), gate()];
    const dying = testLash({ engine, script: [{ text: "x", before: hold }] });
    const left = await dying.lash.openSession("s", { prompt: "Old." });
    void left.run("a", { turnId: "t" }).catch(() => undefined);
    await hold.reached;
    left.runtime.abandonTurns();
    await left.runtime.idle();
    const guest = testLash({ engine, script: () => "guest", providerOptions: { id: "guest" } });
    const session = await guest.lash.openSession("s");
    await session.configure({ provider: scriptedProvider(["guest"], { id: "guest" }), prompt: "New." });
    await expect(session.run("b")).rejects.toMatchObject({ code: "provider_mismatch", details: { expected: "scripted", actual: "guest" } });
    const right = testLash({ engine, script: () => "done" });
    expect(await right.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
    expect(given(right)).toEqual([["scripted-model", "Old."]]);
    expect((await session.run("b")).text).toBe("guest");
    expect((await loaded(guest))?.head.policy.providerId).toBe("guest");
  });

  test("the prompt can be edited where it stands: template set and cleared, a contribution added, a slot replaced and cleared (FA-60, PP-43, PP-46)", async () => {
    const host = testLash({ script: () => "done", prompt: { slots: { guidance: "Core." } } });
    const session = await host.lash.openSession("s");
    const edits: ((present: PromptParts) => PromptParts)[] = [
      (present) => ({ ...present, slots: { ...present.slots, guidance: [...(present.slots?.guidance ?? []), "Own."] } }),
      (present) => ({ ...present, reset: ["guidance"] }),
      (present) => ({ ...present, template: { sections: [{ title: "All", entries: [{ kind: "slot", slot: "guidance" }] }] } }),
      ({ slots = {}, reset = [] }) => ({ slots, reset }),
      () => ({ reset: ["guidance"] }),
      () => ({}),
    ];
    for (const prompt of edits) {
      await session.configure({ prompt });
      await session.run("go");
    }
    expect(given(host).map(([, system]) => system)).toEqual(["## Guidance\n\nCore.\n\nOwn.", "## Guidance\n\nOwn.", "## All\n\nOwn.", "## Guidance\n\nOwn.", "", "## Guidance\n\nCore."]);
  });
});

describe("who may not", () => {
  test("a lane that is held elsewhere is session_execution_busy: nothing changes, here neither (OP-22, S-56)", async () => {
    const [engine, clock, hold] = [memoryEngine(), manualClock(1_000), gate()];
    const one = testLash({ engine, clock, script: ["zero", { text: "one", before: hold }] });
    const busy = await one.lash.openSession("s");
    await busy.run("a");
    const other = testLash({ engine, clock, script: () => "two" });
    const session = await other.lash.openSession("s");
    const running = busy.run("b");
    await hold.reached;
    await expect(session.configure({ model: { id: "big" } })).rejects.toMatchObject({ code: "session_execution_busy" });
    hold.open();
    await running;
    await session.run("c");
    expect(given(other).map(([model]) => model)).toEqual(["scripted-model"]);
  });

  test.each<[object, string]>([
    [{ system: "x" }, "configure: system"],
    [{ prompt: 5 }, "prompt"],
    [{ prompt: () => 5 }, "prompt"],
    [{ maxTurns: 1.5 }, "maxTurns"],
    [{ model: { id: "" } }, "model.id"],
    [{ provider: {} }, "provider"],
  ])("%j is refused, and nothing is written (FA-60)", async (patch, field) => {
    const { lash, engine } = testLash();
    const session = await lash.openSession("s");
    await expect(session.configure(patch)).rejects.toMatchObject({ code: "invalid_argument", details: { field } });
    expect(await keysOf(engine)).toEqual([]);
  });
});
