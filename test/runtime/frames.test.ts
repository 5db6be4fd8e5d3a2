// Agent frames: a tool ends its turn, opens a fresh context and goes on there, in one commit (T-66..T-68, S-14..S-19).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { switchFrame, tool, type FrameSwitch, type Tool } from "../../src/index.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { gate, manualClock, type ProviderScript } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { bury } from "../support/mortal.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const SEED = [{ role: "Assistant" as const, text: "What I know." }];
const TO_WORK: FrameSwitch = { frameId: "work", task: "carry on", seed: SEED };

const mover = (to: FrameSwitch, onRun: () => void = () => {}): Tool =>
  tool({ name: "move", description: "", input: z.object({}), readOnly: true, run: () => (onRun(), switchFrame(to)) });

/** Moves in the first frame, answers in the next. */
const moving: ProviderScript = ({ messages }) => {
  const said = messages.flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])));
  return said.includes("carry on") || said.includes("later") ? "arrived" : { text: "Moving.", toolCalls: [{ name: "move" }] };
};

async function moved(options: TestLashOptions = {}) {
  const host = testLash({ script: moving, tools: [mover(TO_WORK)], ...options });
  const session = await host.lash.openSession("s");
  return { ...host, session, result: await session.run("go", { turnId: "t" }) };
}

const persistenceOf = ({ engine, clock }: ReturnType<typeof testLash>) => createPersistence(engine, { clock });

describe.each(engineCases())("on $name", ({ open }) => {
  test("the host gets the last turn of the chain; the new frame shows its seed and the task, nothing of the old one (T-66, T-67, T-68, S-16, FA-25)", async () => {
    const host = await moved({ engine: open() });
    expect(host.result).toMatchObject({ turnId: "t:agent-frame:1", text: "arrived", outcome: { kind: "finished" }, headRevision: 2 });
    expect(transcriptOf(host.session)).toEqual(["Assistant: Text What I know.", "User: Text carry on", "Assistant: Prose arrived"]);
    expect(host.session.observe().readView).toMatchObject({ currentFrameId: "work", turnIndex: 2, usage: { inputTokens: 20 } });
    expect(host.provider.requests[1]?.messages.map(({ blocks }) => blocks[0])).toMatchObject([
      { text: "[The beginning of this conversation is not shown.]" },
      { text: "What I know." },
      { text: "carry on" },
    ]);
    expect(host.provider.requests[1]?.scope).toMatchObject({ agentFrameId: "work", requestId: "s:turn:t:agent-frame:1:llm:0" });
    expect(await heldLanes(host.engine)).toEqual([]);
  });

  test("the old frame is superseded and linked, with reason continue_as; its messages stay stored (S-14, S-16, PP-52)", async () => {
    const host = await moved({ engine: open() });
    const read = await persistenceOf(host).sessions.load("s", { kind: "full_graph" });
    expect(read?.frames).toMatchObject([
      { frameId: "s:frame:initial", status: "superseded", reason: "initial" },
      { frameId: "work", previousFrameId: "s:frame:initial", status: "active", reason: "continue_as" },
    ]);
    expect(read?.nodes.map(({ agentFrameId }) => agentFrameId)).toEqual([...Array.from({ length: 3 }, () => "s:frame:initial"), "work", "work", "work"]);
    expect(await host.session.historicNode("t:0")).toMatchObject({ body: { message: { role: "User" } } });
    expect(await host.session.orphanedNodeIds()).toEqual([]);
  });

  test("the frame survives a reopen under either residency, and the next turn goes on in it (S-15)", async () => {
    const engine = open();
    await (await moved({ engine })).lash.close();
    for (const residency of ["keep_all", "active_path_only"] as const) {
      const { lash, provider } = testLash({ engine, script: ["more"], residency });
      const session = await lash.openSession("s");
      expect(transcriptOf(session)[0]).toBe("Assistant: Text What I know.");
      await session.run("later");
      expect(provider.requests[0]?.scope.agentFrameId).toBe("work");
      await lash.close();
    }
  });

  test("asking again by the turn's id gives the last turn of its chain, in this process and the next, and runs nothing (E-29, E-32a)", async () => {
    const engine = open();
    const first = await moved({ engine });
    expect(await first.session.run("go", { turnId: "t" })).toEqual(await first.session.run("go", { turnId: "t" }));
    await first.lash.close();
    const second = testLash({ engine });
    const again = await (await second.lash.openSession("s")).run("go", { turnId: "t" });
    expect(again).toMatchObject({ turnId: "t:agent-frame:1", text: "arrived" });
    expect(second.provider.requests).toEqual([]);
  });
});

describe("which switch counts", () => {
  test("frames may follow each other: each turn of the chain is numbered, with its own commit (T-68, S-19)", async () => {
    let frames = 0;
    const again = tool({ name: "move", description: "", input: z.object({}), run: () => switchFrame({ frameId: `f${++frames}`, task: "on" }) });
    const { result, session } = await moved({ tools: [again], script: (_request, index) => (index < 3 ? { toolCalls: [{ name: "move" }] } : "there") });
    expect(result).toMatchObject({ turnId: "t:agent-frame:3", text: "there", headRevision: 4 });
    expect(session.observe().readView.currentFrameId).toBe("f3");
  });

  test("the first control in call order wins, and all results are recorded (T-31, PT-57)", async () => {
    const other = { ...mover({ frameId: "other", task: "carry on" }), name: "other" };
    const script: ProviderScript = (request, index) => (index === 0 ? { toolCalls: [{ name: "move" }, { name: "other" }] } : moving(request, index));
    const host = await moved({ tools: [mover(TO_WORK), other], script });
    expect(host.session.observe().readView.currentFrameId).toBe("work");
    const read = await persistenceOf(host).sessions.load("s", { kind: "full_graph" });
    expect(JSON.stringify(read?.nodes[2]).split('"ToolResult"')).toHaveLength(3);
  });

  test.each<[string, FrameSwitch]>([
    ["a blank frame id", { frameId: " ", task: "carry on" }],
    ["a blank task", { frameId: "work", task: "" }],
  ])("%s is no switch: the turn goes on (T-31, T-66, PT-57)", async (_title, to) => {
    const { result, session } = await moved({ tools: [mover(to)], script: (_request, index) => (index === 0 ? { toolCalls: [{ name: "move" }] } : "stayed") });
    expect(result).toMatchObject({ turnId: "t", text: "stayed" });
    expect(session.observe().readView.currentFrameId).toBe("s:frame:initial");
  });

  test("the current frame's id opens nothing, and nothing follows (T-66, S-16)", async () => {
    const { result, session, provider } = await moved({ tools: [mover({ frameId: "s:frame:initial", task: "carry on" })] });
    expect(result).toMatchObject({ turnId: "t", outcome: { kind: "agent_frame_switch", frameId: "s:frame:initial" } });
    expect(session.observe().readView).toMatchObject({ currentFrameId: "s:frame:initial", turnIndex: 1 });
    expect(provider.requests).toHaveLength(1);
  });

  test("a seed that cannot be read fails the call, not the commit (S-18)", async () => {
    const bad = mover({ frameId: "work", task: "carry on", seed: [{ role: "Robot", text: 7 } as never] });
    const { result } = await moved({ tools: [bad], script: (_request, index) => (index === 0 ? { toolCalls: [{ name: "move" }] } : "stayed") });
    expect(result).toMatchObject({ turnId: "t", text: "stayed", toolCalls: [{ status: "failure" }] });
  });

  test("a cancel between two turns of a chain ends the chain as cancelled; the frame is open (T-62, T-67)", async () => {
    const hold = gate();
    const host = testLash({ script: (request, index) => (index === 0 ? moving(request, index) : { text: "never", before: hold }), tools: [mover(TO_WORK)] });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const { result } = turn;
    await hold.reached;
    turn.cancel();
    expect(await result).toMatchObject({ outcome: { stop: "cancelled" } });
    expect(session.observe().readView.currentFrameId).toBe("work");
    expect(await heldLanes(host.engine)).toEqual([]);
  });

  test("no other turn gets in between the turns of a chain (TT-13, T-67)", async () => {
    const hold = gate();
    const host = testLash({ script: (request, index) => (index === 1 ? { text: "arrived", before: hold } : moving(request, index)), tools: [mover(TO_WORK)] });
    const session = await host.lash.openSession("s");
    const first = session.run("go", { turnId: "t" });
    const second = session.run("later", { turnId: "u" });
    await hold.reached;
    const other = testLash({ engine: host.engine, clock: host.clock });
    await expect((await other.lash.openSession("s")).run("me", { wait: false })).rejects.toMatchObject({ code: "session_execution_busy" });
    hold.open();
    expect([(await first).turnId, (await second).turnId]).toEqual(["t:agent-frame:1", "u"]);
  });

  test("going back to nothing in a later frame leaves the earlier frame alone: none of it becomes an orphan (S-16, S-87, PP-52)", async () => {
    const { session } = await moved();
    await session.branch({ at: null });
    expect(transcriptOf(session)).toEqual([]);
    expect(await session.orphanedNodeIds()).toHaveLength(3);
    expect(await session.historicNode("t:0")).toBeDefined();
  });
});

describe("crashes (T-67, S-18)", { timeout: 60_000 }, () => {
  test.each(engineCases())("a switching turn that dies at any engine call on $name ends in the new frame, its tool run once, no second input (S-18, T-68, E-45)", async ({ open }) => {
    const keys: string[][] = [];
    const points = await crashEverywhere({
      open,
      world: () => ({ runs: 0 }),
      job: async (process, clock, world) => {
        const { lash } = testLash({ engine: process.engine, clock, script: moving, tools: [mover(TO_WORK, () => (world.runs += 1))] });
        await (await lash.openSession("s")).run("go", { turnId: "t" });
        await lash.close();
      },
      check: async (disk, clock, world) => {
        const host = testLash({ engine: disk, clock, script: moving, tools: [mover(TO_WORK, () => (world.runs += 1))] });
        await host.lash.recover();
        const session = await host.lash.openSession("s");
        expect(await session.run("go", { turnId: "t" })).toMatchObject({ turnId: "t:agent-frame:1", text: "arrived" });
        expect(transcriptOf(session)).toEqual(["Assistant: Text What I know.", "User: Text carry on", "Assistant: Prose arrived"]);
        expect(session.observe().readView).toMatchObject({ turnIndex: 2, usage: { inputTokens: 20 } });
        expect(world.runs).toBeLessThanOrEqual(2);
        expect(await heldLanes(disk)).toEqual([]);
        keys.push([...(await keysOf(disk))]);
        expect(keys.at(-1)).toEqual(keys[0]);
      },
    });
    expect(points).toBeGreaterThan(20);
  });

  test("died between the two turns, the second is finished by recover alone, without anybody asking (T-67, design 7.1)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const hold = gate();
    const first = testLash({ engine, clock, script: (request, index) => (index === 0 ? moving(request, index) : { text: "x", before: hold }), tools: [mover(TO_WORK)] });
    (await first.lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
    await hold.reached;
    await bury(engine);
    const other = testLash({ engine, clock: manualClock(100_000), script: moving, tools: [mover(TO_WORK)] });
    expect(await other.lash.recover()).toMatchObject([{ turnId: "t:agent-frame:1", result: { text: "arrived" } }]);
  });
});
