// What a session is asked while one of its turns runs, by that turn's own tools and hooks among others: it works, or it is refused
// at once. Nobody waits for himself (OP-22).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, type Session, type Tool } from "../../src/index.ts";
import { plugin } from "../../src/plugins/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { byToolResults, gate } from "../../src/testing/index.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLash } from "../support/lash.ts";
import { heldLanes } from "../support/rows.ts";

const acting = (act: () => unknown): Tool => tool({ name: "act", description: "", input: z.object({}), onInterrupted: "retry", run: async () => ((await act()) ?? "acted") as string });
const script = byToolResults([{ toolCalls: [{ name: "act" }] }, "done"]);
const systemOf = ({ messages }: LlmRequest): string => messages.flatMap(({ role, blocks }) => (role === "system" ? blocks.map((block) => (block.type === "text" ? block.text : "")) : []))[0] ?? "";
const systems = ({ provider }: Pick<TestLash, "provider">): readonly string[] => provider.requests.map(systemOf);
const loaded = ({ engine, clock }: Pick<TestLash, "engine" | "clock">) => createPersistence(engine, { clock }).sessions.load("s", { kind: "active_path" });
const codeOf = (call: Promise<unknown>): Promise<unknown> => call.then(() => "ok", (error: { readonly code: string }) => error.code);

describe.each(engineCases())("on $name", ({ open }) => {
  test("settings that a tool changes hold from the next turn on, and are recorded by its turn's commit; the call waits for nobody (FA-60, OP-22)", async () => {
    const opened: Session[] = [];
    const host = testLash({ engine: open(), script, tools: [acting(() => opened[0]?.configure({ prompt: "New.", maxTurns: 7 }))] });
    opened.push(await host.lash.openSession("s", { prompt: "Old." }));
    const [session] = opened as [Session];
    expect(await session.run("a")).toMatchObject({ text: "done", headRevision: 1 });
    expect((await loaded(host))?.head.policy.maxTurns).toBe(7);
    await session.run("b");
    expect(systems(host)).toEqual(["Old.", "Old.", "New."]);
  });
});

test("killed at any engine call, settings that a tool changed are kept where its outcome is (FA-60, OP-22, E-45)", async () => {
  let keptWithoutCommit = 0;
  await crashEverywhere<{ configured: boolean }>({
    open: memoryEngine,
    world: () => ({ configured: false }),
    job: async ({ engine }, clock, world) => {
      const opened: Session[] = [];
      const act = acting(async () => {
        await opened[0]?.configure({ prompt: "New.", model: { id: "big" } });
        world.configured = true;
      });
      const { lash } = testLash({ engine, clock, script, tools: [act] });
      opened.push(await lash.openSession("s", { prompt: "Old." }));
      await opened[0]?.run("a", { turnId: "t" });
      await lash.close();
    },
    check: async (disk, clock, { configured }) => {
      let ranAgain = false;
      const next = testLash({ engine: disk, clock, script, tools: [acting(() => void (ranAgain = true))] });
      const recovered = await next.lash.recover();
      const session = await next.lash.openSession("s");
      const outcomeWasKept = configured && !ranAgain && session.observe().readView.messages.length > 0;
      expect(session.observe().readView.policy.model.id).toBe(outcomeWasKept ? "big" : "scripted-model");
      if (outcomeWasKept && recovered.length > 0) keptWithoutCommit += 1;
      await session.run("b");
      if (outcomeWasKept) expect(systems(next).at(-1)).toBe("New.");
      expect(await heldLanes(disk)).toEqual([]);
    },
  });
  expect(keptWithoutCommit).toBeGreaterThan(0);
});

test("of two changes the later one holds, also where the earlier one waits for its turn to be over (OP-22)", async () => {
  const hold = gate();
  const host = testLash({ script: [{ text: "first", before: hold }, "second"] });
  const session = await host.lash.openSession("s");
  const running = session.run("a");
  const earlier = session.configure({ prompt: "Earlier.", maxTurns: 3 });
  await hold.reached;
  await session.configure({ prompt: "Later." });
  hold.open();
  await Promise.all([running, earlier]);
  await session.run("b");
  expect(systems(host)).toEqual(["Earlier.", "Later."]);
  expect(session.observe().readView.policy.maxTurns).toBe(3);
});

describe("what changes the history, or ends the session", () => {
  const refused: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
    branch: (session) => session.branch({ at: null }),
    reset: (session) => session.reset(),
    compact: (session) => session.compact(() => ({ messages: [{ role: "User", text: "short" }] })),
    queuedTurn: (session) => session.queuedTurn(),
  };
  const left: typeof refused = { park: (session) => session.park(), close: (session) => session.close() };
  const taken: typeof refused = {
    fork: (session) => session.fork(),
    "commands.reset": (session) => session.commands.reset("again", "k"),
    "commands.refreshToolCatalog": (session) => session.commands.refreshToolCatalog("again", "k"),
    enqueue: (session) => session.enqueue("later"),
    revokeDurableWaits: (session) => session.revokeDurableWaits(),
    configure: (session) => session.configure({ maxTurns: 9 }),
    setMembership: (session) => session.tools.setMembership("act", true),
  };
  const answers = async (session: Session): Promise<Readonly<Record<string, unknown>>> => {
    const told: Record<string, unknown> = {};
    for (const [name, ask] of Object.entries({ ...refused, ...left, ...taken })) told[name] = await codeOf(ask(session));
    return told;
  };
  const expected = {
    ...Object.fromEntries(Object.keys(refused).map((name) => [name, "session_execution_busy"])),
    ...Object.fromEntries(Object.keys(left).map((name) => [name, "session_still_in_use"])),
    ...Object.fromEntries(Object.keys(taken).map((name) => [name, "ok"])),
  };

  test("a tool that asks for it is refused at once, and everything else works; when its turn is over all of it does (S-42, S-53, S-56)", async () => {
    const opened: Session[] = [];
    let told: unknown;
    const ask = acting(async () => void (told = await answers(opened[0] as Session)));
    const host = testLash({ script: (_request, index) => (index === 1 ? { toolCalls: [{ name: "act" }] } : "done"), tools: [ask] });
    const session = await host.lash.openSession("s");
    opened.push(session);
    await session.run("before");
    expect(await session.run("a")).toMatchObject({ isSuccess: true });
    expect(told).toEqual(expected);
    expect(transcriptOf(session)).toHaveLength(6);
    expect(await session.queuedTurn()).toMatchObject({ isSuccess: true });
    for (const later of Object.values(refused)) expect(await codeOf(later(session))).toBe("ok");
    await session.park();
  });

  test.each(["beforeTurn", "onTurnFinalized", "onTurnPersisted"] as const)("a plugin that asks in `%s` is refused or served as a tool is, and its turn ends (PT-17, S-53)", async (hook) => {
    const opened: Session[] = [];
    let told: unknown;
    const ask = async (): Promise<void> => void (told ??= await answers(opened[0] as Session));
    const host = testLash({ script: () => "done", tools: [acting(() => "acted")], plugins: [plugin({ id: "p", build: () => ({ [hook]: ask }) })] });
    opened.push(await host.lash.openSession("s"));
    expect(await opened[0]?.run("a")).toMatchObject({ isSuccess: true });
    // Nothing was committed before the turn that asks: there is nothing to copy yet.
    const nothingToFork = hook === "onTurnPersisted" ? {} : { fork: "invalid_argument" };
    expect(told).toEqual({ ...expected, ...nothingToFork });
  });
});
