// A turn that is asked for from inside another one of its session: refused at once, by whichever way it is asked for (AE-7).

import { afterEach, describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { childSessions } from "../../src/children/index.ts";
import { asyncContext } from "../../src/domain/async-context.ts";
import { tool, type LashError, type Session, type Tool, type ToolCall } from "../../src/index.ts";
import { plugin } from "../../src/plugins/index.ts";
import { byToolResults, gate } from "../../src/testing/index.ts";
import { quiet } from "../support/asking.ts";
import { engineCases } from "../support/engines.ts";
import { activitiesOf, testLash, transcriptOf, type TestLash, type TestLashOptions } from "../support/lash.ts";

const SCRIPT = byToolResults([{ toolCalls: [{ name: "act" }] }, "done"]);
const acting = (act: (call: ToolCall) => unknown): Tool => tool({ name: "act", description: "", input: z.object({}), onInterrupted: "retry", run: async (_args, call) => (await act(call), "acted") });

/** What asking came to: the code of its refusal, or `ok`. */
const codeOf = (asked: Promise<unknown>): Promise<string> => asked.then(() => "ok", ({ code }: LashError) => code);

interface Scene extends TestLash {
  readonly session: Session;
}

/** A session `s` whose tool acts. */
async function scene(act: (scene: Scene, call: ToolCall) => unknown, options: TestLashOptions = {}): Promise<Scene> {
  const made: Scene[] = [];
  const host = testLash({ script: SCRIPT, tools: [acting((call) => act(made[0] as Scene, call))], children: childSessions(), ...options });
  const it = { ...host, session: await host.lash.openSession("s") };
  made.push(it);
  return it;
}

const WAYS: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  "session.run": ({ session }) => session.run("again"),
  "session.turn": ({ session }) => session.turn("again", { turnId: "x" }).result,
  "session.turn, iterated": ({ session }) => activitiesOf(session.turn("again")),
  "the id of the turn that asks": ({ session }) => session.run("go", { turnId: "t" }),
  queuedTurn: ({ session }) => session.queuedTurn(),
  "a clone": ({ session }) => session.clone().run("again"),
  "another handle": async ({ lash }) => (await lash.openSession("s")).run("again"),
  "a drain of another handle": async ({ lash }) => (await lash.openSession("s")).queuedTurn(),
  "another lash on the same store": async ({ engine, clock }) => (await testLash({ engine, clock }).lash.openSession("s")).run("again"),
};

describe.each(engineCases())("on $name", ({ open }) => {
  test.each(Object.keys(WAYS))("a tool that asks by %s is refused at once, before and after it has waited, and its turn ends (AE-7, OP-22)", async (way) => {
    const told: string[] = [];
    const { session } = await scene(async (it) => {
      told.push(await codeOf(WAYS[way]?.(it) as Promise<unknown>));
      await quiet();
      told.push(await codeOf(Promise.all([quiet(), WAYS[way]?.(it)])));
    }, { engine: open() });
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true });
    expect(told).toEqual(["session_execution_busy", "session_execution_busy"]);
    expect(transcriptOf(session)).toHaveLength(4);
  });
});

test("the refusal says why, and what to do instead (AE-7)", async () => {
  const told: LashError[] = [];
  const { session } = await scene(async (it) => void told.push(...(await Promise.all([it.session.run("again", { turnId: "x" }), it.session.queuedTurn(), WAYS["another lash on the same store"]?.(it) as Promise<unknown>].map((asked) => asked.catch((error: unknown) => error as LashError))) as LashError[])));
  await session.run("go", { turnId: "t" });
  expect(told).toMatchObject([
    { message: expect.stringMatching(/turn x of session s .* inside turn t .*session\.enqueue\(input\)/), isRetryable: true, details: { sessionId: "s", turnId: "x", behind: "t", accepted: false } },
    { message: expect.stringMatching(/drain of session s .* inside turn t .*nothing was taken/), details: { turnId: "t", accepted: false } },
    { message: expect.stringMatching(/of session s .* inside turn t .*session\.enqueue\(input\)/), details: { behind: "t", accepted: false } },
  ]);
});

test.each(["beforeTurn", "onTurnFinalized", "onTurnPersisted", "beforeToolCall", "afterToolCall", "beforeModelCall", "atCheckpoint"] as const)("a hook that asks in `%s` is refused as a tool is (AE-7)", async (hook) => {
  const told: string[] = [];
  const session: Session[] = [];
  const ask = async (): Promise<undefined> => {
    await quiet();
    told.push(await codeOf(session[0]?.run("again") as Promise<unknown>));
    return undefined;
  };
  const { lash } = testLash({ script: SCRIPT, tools: [acting(() => undefined)], plugins: [plugin({ id: "p", build: () => ({ [hook]: ask }) })] });
  session.push(await lash.openSession("s"));
  expect(await session[0]?.run("go")).toMatchObject({ isSuccess: true });
  expect(new Set(told)).toEqual(new Set(["session_execution_busy"]));
});

test("a check for approval that asks is refused as a tool is (AE-7)", async () => {
  const told: string[] = [];
  const session: Session[] = [];
  const needsApproval = async (): Promise<boolean> => {
    told.push(await codeOf(session[0]?.run("again") as Promise<unknown>));
    return false;
  };
  const checked = tool({ name: "act", description: "", input: z.object({}), needsApproval, run: () => "acted" });
  session.push(await testLash({ script: SCRIPT, tools: [checked] }).lash.openSession("s"));
  expect(await session[0]?.run("go")).toMatchObject({ isSuccess: true });
  expect(told).toEqual(["session_execution_busy"]);
});

test("a tool of a child that asks the session of its parent is refused, and so is one of a session that a tool asked (AE-7)", async () => {
  const told: string[] = [];
  const act = async ({ lash, session }: Scene, call: ToolCall): Promise<void> => {
    if (call.sessionId !== "s") {
      await quiet();
      told.push(`${call.sessionId} ${await codeOf(session.run("again"))}`);
      return;
    }
    const child = await call.children.create({ id: "child" });
    await child.run("go");
    await (await lash.openSession("friend")).run("go");
  };
  const { session } = await scene(act);
  expect(await session.run("go")).toMatchObject({ isSuccess: true });
  expect(told).toEqual(["child session_execution_busy", "friend session_execution_busy"]);
});

test("other sessions may be asked, and those of another store under the same id (AE-7)", async () => {
  const stranger = testLash({ script: () => "theirs" });
  const told: string[] = [];
  const { session } = await scene(async ({ lash }) => {
    const sessions = [await lash.openSession("other"), await stranger.lash.openSession("s")];
    told.push(...(await Promise.all(sessions.map((other) => codeOf(other.run("hello"))))));
  });
  await session.run("go");
  expect(told.at(-1)).toBe("ok");
});

test("what a tool leaves behind may ask once its turn has ended, and what its host is told of a commit may ask at once (AE-7)", async () => {
  const left = gate();
  const asked: Promise<string>[] = [];
  const { session } = await scene(({ session: own }) => void asked.push(left.pass().then(() => codeOf(own.run("later")))), { script: (_request, index) => (index === 0 ? { toolCalls: [{ name: "act" }] } : "done") });
  const subscription = session.view.subscribe(() => {
    subscription.unsubscribe();
    asked.push(codeOf(session.run("on commit")));
  });
  await session.run("go");
  left.open();
  expect(await Promise.all(asked)).toEqual(["ok", "ok"]);
  expect(transcriptOf(session).filter((line) => line.startsWith("User: Text"))).toEqual(["User: Text go", "User: Text on commit", "User: Text later"]);
});

test("what a lash drains by itself is asked for by nobody: a tool of its turn may ask the session whose tool filled the queue (AE-7, I-45)", async () => {
  const told: string[] = [];
  const act = async ({ lash, session }: Scene, call: ToolCall): Promise<void> => {
    if (call.sessionId === "s") return void (await (await lash.openSession("queue")).enqueue("work"));
    told.push(await codeOf(session.run("again")));
  };
  const { session } = await scene(act, { drain: "auto" });
  await session.run("go");
  while (told.length === 0) await quiet();
  expect(told).toEqual(["ok"]);
});

describe("where no context goes along with asynchronous code, as in pages", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  test("what a tool asks for before it first waits is refused; later it waits, for as long as it says (AE-7, IN3)", async () => {
    vi.resetModules();
    vi.stubGlobal("process", { ...process, getBuiltinModule: undefined });
    const { testLash: lashOf } = await import("../support/lash.ts");
    const { tool: toolOf } = await import("../../src/index.ts");
    const told: string[] = [];
    const sessions: Session[] = [];
    const act = toolOf({
      name: "act", description: "", input: z.object({}),
      run: async () => {
        const atOnce = codeOf(sessions[0]?.run("again") as Promise<unknown>);
        told.push(await atOnce);
        const later = codeOf(sessions[0]?.run("again", { waitMs: 100 }) as Promise<unknown>);
        await quiet();
        await clock.advance(100);
        told.push(await later);
        return "acted";
      },
    });
    const { lash, clock } = lashOf({ script: SCRIPT, tools: [act] });
    sessions.push(await lash.openSession("s"));
    expect(await sessions[0]?.run("go")).toMatchObject({ isSuccess: true });
    expect(told).toEqual(["session_execution_busy", "session_execution_busy"]);
  });

  test("a value is there until the body returns, whatever it throws, and the one around it again afterwards", async () => {
    const context = asyncContext<string>(() => undefined);
    expect(context.value).toBeUndefined();
    const seen = context.run("a", () => [context.value, context.run("b", () => context.value), context.value]);
    expect(seen).toEqual(["a", "b", "a"]);
    expect(() => context.run("c", () => { throw new Error("x"); })).toThrow("x");
    const waited = context.run("d", async () => (await Promise.resolve(), context.value));
    expect([await waited, context.value]).toEqual([undefined, undefined]);
  });
});
