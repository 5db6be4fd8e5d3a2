// One turn of three parallel tools, in which each write fails once, in every way there is. What really happened is kept outside the
// store. Runs in Node and in a page.

import { expect } from "vitest";
import * as z from "zod";
import { childSessions } from "../../src/children/index.ts";
import { LashError, tool, withImages, type Session, type Tool, type ToolCall } from "../../src/index.ts";
import type { LlmRequest } from "../../src/providers/contract.ts";
import type { Body, Engine, WriteTransaction } from "../../src/stores/engine.ts";
import { FAULTS, type Fault } from "./faults.ts";
import { gate, type Gate, type ScriptedReply } from "../../src/testing/index.ts";
import { staysOpen, testLash, transcriptOf, type TestLash } from "./lash.ts";
import { png } from "./pictures.ts";
import { heldLanes, keysOf, rowsOf } from "./rows.ts";

/** After these the run may not be able to go on: the engine says for certain that the write was not made. */
const CERTAIN: readonly Fault[] = ["not made, the store is full", "not made, the store is locked", "made, and the engine says that it was not"];

interface World {
  readonly began: { readonly tool: string; readonly interrupted: boolean }[];
  readonly ended: string[];
  /** Somebody tried to record what the first tool did. */
  readonly triedToRecord: Gate;
  /** What came of what the tools asked for. */
  readonly asked: string[];
}

/** Fails the n-th write from when it is armed. */
function failing(disk: Engine, nth: number, fault: Fault, { ended, triedToRecord }: World) {
  const state = { armed: false, writes: 0, struck: false };
  const { promise: struck, resolve: strike } = Promise.withResolvers<readonly string[]>();
  const engine: Engine = {
    ...staysOpen(disk),
    write: async (body) => {
      const isIt = state.armed && ++state.writes === nth;
      const isRecord = ended.length > 0;
      try {
        return await (isIt ? fail(body) : disk.write(body));
      } finally {
        if (isRecord) triedToRecord.open();
      }
    },
  };
  const fail = async <T>(body: Body<WriteTransaction, T>): Promise<T> => {
    const { made, error } = FAULTS[fault];
    await disk.write(async (tx) => {
      const result = await body(tx);
      if (!made) throw error();
      return result;
    }).catch(() => undefined);
    state.struck = true;
    strike(await contentsOf(disk));
    throw error();
  };
  return { engine, state, struck };
}

const contentsOf = async (disk: Engine): Promise<readonly string[]> => (await rowsOf(disk)).map(({ key, value }) => JSON.stringify([key, value instanceof Uint8Array ? [...value] : value]));

/** The first is done at once; the others begin to ask for things when somebody tried to record that, and the last one ends last. */
function toolsOf(world: World): readonly Tool[] {
  const second = gate();
  const one = (name: string, run: (call: ToolCall) => unknown): Tool =>
    tool({
      name, description: name, input: z.object({}),
      run: async (_args, call) => {
        world.began.push({ tool: name, interrupted: call.interrupted });
        const output = await run(call);
        world.ended.push(name);
        return output;
      },
    });
  const ask = async (what: string, asking: Promise<unknown>): Promise<void> => {
    world.asked.push(await asking.then(() => what, (error: unknown) => `${what}: ${LashError.is(error) ? error.code : String(error)}`));
  };
  return [
    one("alpha", () => "alpha did it"),
    one("beta", async (call) => {
      await world.triedToRecord.opened;
      await ask("question", call.complete({ messages: [{ role: "user", content: "why?" }] }));
      await ask("child", call.children.create().then((child) => child.run("dig")));
      second.open();
      return "beta did it";
    }),
    one("gamma", async (call) => {
      await second.opened;
      await ask("key", call.completionKey());
      return withImages("gamma did it", [png(1)]);
    }),
  ];
}

const script = (request: LlmRequest): ScriptedReply => {
  if (request.scope.agentFrameId === "direct") return "because";
  if (request.scope.sessionId !== "s") return "dug";
  const [block] = request.messages.at(-1)?.blocks ?? [];
  return block?.type === "toolResult" || block?.type === "image" ? "done" : { text: "first", toolCalls: [{ name: "alpha" }, { name: "beta" }, { name: "gamma" }] };
};

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Lets a little time pass again and again until it holds. */
async function inTime({ clock }: TestLash, holds: () => boolean, ms = 60_000): Promise<boolean> {
  for (const end = clock.now() + ms; !holds() && clock.now() < end; await turn()) await clock.advance(50);
  return holds();
}

async function settled<T>(host: TestLash, promise: Promise<T>): Promise<T> {
  const state = { over: false };
  const mark = (): void => void (state.over = true);
  promise.then(mark, mark);
  if (!(await inTime(host, () => state.over))) throw new Error("it does not settle");
  return promise;
}

const isDone = (session: Session): boolean => transcriptOf(session).at(-1) === "Assistant: Prose done";

/** @returns how many writes the turn makes. */
export async function writesOfTheTurn(disk: Engine, effects?: "inline"): Promise<number> {
  const { state } = await failOnce(disk, Infinity, "not made, the store is full", effects);
  expect(state.struck).toBe(false);
  return state.writes;
}

/** Runs the turn with one failing write, and checks all that must hold. */
export async function failOnce(disk: Engine, nth: number, fault: Fault, effects: "journaled" | "inline" = "journaled") {
  const world: World = { began: [], ended: [], asked: [], triedToRecord: gate() };
  const { engine, state, struck } = failing(disk, nth, fault, world);
  const host = testLash({ engine, effects, script, tools: toolsOf(world), children: childSessions() });
  const { lash } = host;
  const session = await lash.openSession("s");
  state.armed = true;
  const first = await settled(host, session.run("go", { turnId: "t" }).then(() => undefined, (error: unknown) => error));
  if (first !== undefined) await checkFailure(first, { disk, session, host, struck, fault });
  const done = await inTime(host, () => isDone(session));
  expect(done, "the turn ends by itself").toBe(true);
  state.armed = false;
  await settled(host, lash.recover());
  const result = await settled(host, session.run("go", { turnId: "t" }));

  // Whatever failed was said once, and every tool has one outcome.
  const [question, reply, results, answer, ...more] = transcriptOf(session);
  expect([question, reply, answer, more]).toEqual(["User: Text go", "Assistant: Prose first | ToolCall {} | ToolCall {} | ToolCall {}", "Assistant: Prose done", []]);
  const shown = results?.split("ToolResult ").slice(1);
  for (const [index, { toolName, status }] of result.toolCalls.entries()) {
    const runs = world.began.filter((each) => each.tool === toolName);
    // None of them may run again.
    expect(`${toolName} x${runs.length}, ${runs.some(({ interrupted }) => interrupted)}`).toBe(`${toolName} x1, false`);
    if (status === "success") expect(world.ended).toContain(toolName);
    else expect(shown?.[index]).toContain("tool_interrupted");
    // What could be found out, or made once more, interrupts nobody.
    if (!CERTAIN.includes(fault)) expect(`${toolName} ${status}`).toBe(`${toolName} success`);
  }
  if (!CERTAIN.includes(fault)) expect([first, world.asked]).toEqual([undefined, ["question", "child", "key"]]);
  const children = await session.children.list();
  expect(children.length).toBeLessThan(2);
  for (const { sessionId } of children) {
    const said = transcriptOf(await lash.openSession(sessionId));
    expect([[], ["User: Text dig", "Assistant: Prose dug"]]).toContainEqual(said);
  }
  await settled(host, lash.close());
  expect([await heldLanes(disk), (await keysOf(disk)).filter((key) => key.startsWith('["turn"'))]).toEqual([[], []]);
  return { state, world, first, result };
}

interface Failed {
  readonly disk: Engine;
  readonly session: Session;
  readonly host: TestLash;
  readonly struck: Promise<readonly string[]>;
  readonly fault: Fault;
}

async function checkFailure(error: unknown, { disk, session, struck, fault }: Failed): Promise<void> {
  expect(CERTAIN).toContain(fault);
  if (!LashError.is(error)) throw error;
  const { accepted } = error.details;
  expect(error).toMatchObject({ code: "store_commit_failed", details: { sessionId: "s", turnId: "t" }, isRetryable: !accepted });
  expect(error.askAgain).toEqual(accepted ? { sessionId: "s", turnId: "t" } : undefined);
  expect(error.message).not.toMatch(/nothing/);
  const before = await struck;
  // The tools that still run do what they do.
  for (let n = 0; n < 12; n++) await turn();
  const after = await contentsOf(disk);
  const isOfChild = (row: string): boolean => row.includes('"child:');
  const changed = after.filter((row) => !before.includes(row) && !isOfChild(row));
  const [lease, ...others] = changed;
  // A child that was made before goes on, and books what it has used.
  if (!before.some(isOfChild)) expect([others, changed.length === 0 || lease?.includes('"lease"')]).toEqual([[], true]);
  // Not accepted, it is simply asked again.
  if (accepted !== true) void session.run("go", { turnId: "t" });
}
