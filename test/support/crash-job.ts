// One turn - two concurrent tools, then a serial pair - for tests that kill it at every point there is, and the checks of what
// the next process made of it. Runs in Node and in a page.

import { expect } from "vitest";
import * as z from "zod";
import { createLash, tool, type Lash, type TurnResult } from "../../src/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { witness as liveness } from "./lash.ts";
import type { TurnRecord } from "../../src/stores/contract.ts";
import { gate, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { byToolResults, scriptedProvider } from "../../src/testing/scripted-provider.ts";
import { Mortal, type DeathPoint } from "./mortal.ts";
import { heldLanes, keysOf } from "./rows.ts";

const SESSION = "chat";
const TURN = "t1";
const TOOLS = ["alpha", "beta", "gamma", "delta"] as const;
type ToolName = (typeof TOOLS)[number];
/** What a crash during the call means; the other two run again. */
const REPORTS: readonly ToolName[] = ["alpha", "gamma"];

/** What really happened outside, whoever did it. */
interface World {
  readonly clock: ManualClock;
  readonly modelCalls: number[];
  readonly started: { readonly tool: ToolName; readonly interrupted: boolean; readonly idempotencyKey: string }[];
  readonly betaEnded: ReturnType<typeof gate>;
}

const newWorld = (): World => ({ clock: manualClock(1_000), modelCalls: [], started: [], betaEnded: gate() });

function lashOf(process: Mortal, world: World): Lash {
  const concurrent = { text: "first", toolCalls: [{ name: "alpha", callId: "a" }, { name: "beta", callId: "b" }] };
  const serial = { toolCalls: [{ name: "gamma", callId: "c" }, { name: "delta", callId: "d" }] };
  // By the number of tool results in the request; 1 and 3 cannot occur.
  const script = byToolResults([concurrent, "wrong", serial, "wrong", "done"]);
  const witness = (name: ToolName) =>
    tool({
      name,
      description: name,
      input: z.object({}),
      execution: name === "gamma" || name === "delta" ? "serial" : "parallel",
      ...(name === "beta" && { readOnly: true }),
      ...(name === "delta" && { idempotent: true }),
      run: async (_args, { interrupted, idempotencyKey }) => {
        await process.reach("effect", `${name} begins`);
        world.started.push({ tool: name, interrupted, idempotencyKey });
        // Finishes in another order than it was called in, where both run.
        if (name === "alpha") await world.betaEnded.opened;
        if (name === "beta") world.betaEnded.open();
        await process.reach("effect", `${name} ends`);
        return `${name} did it`;
      },
    });
  return createLash({
    store: { engine: process.engine, liveness },
    effects: "journaled",
    clock: world.clock,
    logger: () => {},
    inspect: process.inspect,
    provider: process.provider(scriptedProvider(script), () => world.modelCalls.push(world.modelCalls.length)),
    tools: TOOLS.map(witness),
  });
}

/** The host's job: one turn under an id of its own, so that doing it again is safe. */
async function job(process: Mortal, world: World): Promise<{ readonly result: TurnResult; readonly transcript: readonly string[] }> {
  const lash = lashOf(process, world);
  await lash.recover();
  const session = await lash.openSession(SESSION);
  const result = await session.run("go", { turnId: TURN });
  const transcript = session.observe().readView.messages.map(({ role, parts }) => `${role}: ${parts.map((part) => `${part.kind} ${part.content}`).join(" | ")}`);
  await lash.close();
  return { result, transcript };
}

/** Keeps the engine below it open when a lash closes. */
const shared = (engine: Engine): Engine => ({ ...bound(engine), close: () => Promise.resolve() });
const bound = (engine: Engine): Engine => ({
  name: engine.name,
  durable: engine.durable,
  read: (body) => engine.read(body),
  write: (body) => engine.write(body),
  close: () => engine.close(),
});

const INTERRUPTED = "tool_interrupted";
const USAGE = { inputTokens: 30, outputTokens: 15, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };

/** Runs the job, dies, and lets a second process do the same job; checks everything that must hold then. */
export async function dieAndRecover(disk: Engine, death: DeathPoint, expectedKeys: readonly string[]): Promise<void> {
  const world = newWorld();
  const first = new Mortal(shared(disk), death);
  const outcome = await Promise.race([job(first, world).then(() => "survived"), first.died.then(() => "died")]);
  expect(outcome).toBe("died");
  // Lets the rest of the dying process reach whatever it still reaches: nothing of it may count.
  await macrotask();
  const left = await createPersistence(shared(disk), { clock: world.clock }).turns.load(SESSION, TURN);
  const before = { models: world.modelCalls.length, tools: [...world.started] };
  await world.clock.advance(31_000);

  const second = new Mortal(shared(disk));
  const { result, transcript } = await job(second, world);

  const ended = startedOf(before.tools);
  const interrupted = TOOLS.filter((name) => left !== undefined && isOrphan(left, name));
  const expectedResults = TOOLS.map((name) => (REPORTS.includes(name) && interrupted.includes(name) ? INTERRUPTED : `${name} did it`));
  expect(result).toMatchObject({ turnId: TURN, text: "done", isSuccess: true, errors: [], usage: USAGE });
  expect(result.toolCalls.map(({ toolName }) => toolName)).toEqual(TOOLS);
  expect(transcript).toHaveLength(6);
  expect([transcript[0], transcript[1], transcript[3], transcript[5]]).toEqual([
    "User: Text go",
    "Assistant: Prose first | ToolCall {} | ToolCall {}",
    "Assistant: ToolCall {} | ToolCall {}",
    "Assistant: Prose done",
  ]);
  const shown = `${transcript[2]} ${transcript[4]}`.split("ToolResult ").slice(1);
  expect(shown.map((text, index) => text.includes(expectedResults[index] ?? ""))).toEqual([true, true, true, true]);

  // Finished effects ran once; interrupted ones followed their policy.
  const again = world.started.slice(before.tools.length);
  for (const name of TOOLS) {
    const ran = again.filter((start) => start.tool === name);
    const recorded = left === undefined ? false : isRecorded(left, name);
    const committed = left === undefined && ended.includes("delta") && world.modelCalls.length === before.models;
    const expected = recorded || committed || (REPORTS.includes(name) && interrupted.includes(name)) ? 0 : 1;
    expect(`${name} x${ran.length}`).toBe(`${name} x${expected}`);
    for (const start of ran) expect(start.interrupted).toBe(interrupted.includes(name));
    expect(new Set(world.started.filter((start) => start.tool === name).map((start) => start.idempotencyKey)).size).toBeLessThan(2);
  }
  const recordedModels = left?.modelCalls.length ?? (world.modelCalls.length === before.models ? 3 : 0);
  expect(world.modelCalls.length - before.models).toBe(3 - recordedModels);

  // Nothing of the turn in flight is left, and the lane is free for whoever comes next.
  expect(await heldLanes(disk)).toEqual([]);
  expect(await keysOf(disk)).toEqual(expectedKeys);
  await disk.close();
}

const startedOf = (starts: World["started"]): readonly string[] => starts.map((start) => start.tool);
const keyOf = (name: ToolName): string => `:${"abcd".charAt(TOOLS.indexOf(name))}:attempt:1`;
const isRecorded = (left: TurnRecord, name: ToolName): boolean => left.journal.some((entry) => entry.replayKey.endsWith(keyOf(name)));
const isOrphan = (left: TurnRecord, name: ToolName): boolean => !isRecorded(left, name) && left.issued.some((key) => key.endsWith(keyOf(name)));

/** Two crashes in a row: what the first recovery had done counts for the second as any other record does. */
export async function dieTwiceAndRecover(disk: Engine, first: DeathPoint, second: DeathPoint, expectedKeys: readonly string[]): Promise<"twice" | "once"> {
  const world = newWorld();
  const dead = new Mortal(shared(disk), first);
  await Promise.race([job(dead, world), dead.died]);
  await macrotask();
  await world.clock.advance(31_000);
  const dying = new Mortal(shared(disk), second);
  const outcome = await Promise.race([job(dying, world).then(() => "once" as const), dying.died.then(() => "twice" as const)]);
  await macrotask();
  await world.clock.advance(31_000);

  const { result } = await job(new Mortal(shared(disk)), world);
  expect(result).toMatchObject({ text: "done", isSuccess: true, errors: [], usage: USAGE });
  for (const [index, name] of TOOLS.entries()) {
    const starts = world.started.filter((start) => start.tool === name);
    const call = result.toolCalls[index];
    expect(call?.toolName).toBe(name);
    if (REPORTS.includes(name)) expect(`${name} x${Math.min(2, starts.length)}`).not.toBe(`${name} x2`);
    else expect(call?.status).toBe("success");
    if (call?.status === "success") expect(starts.length).toBeGreaterThan(0);
  }
  expect(await heldLanes(disk)).toEqual([]);
  expect(await keysOf(disk)).toEqual(expectedKeys);
  await disk.close();
  return outcome;
}

export async function rehearse(disk: Engine): Promise<{ readonly process: Mortal; readonly keys: readonly string[]; readonly world: World }> {
  const world = newWorld();
  const process = new Mortal(shared(disk));
  const { result } = await job(process, world);
  expect(result.toolCalls.map(({ output }) => output?.outcome.payload)).toEqual(TOOLS.map((name) => `${name} did it`));
  const keys = await keysOf(disk);
  await disk.close();
  return { process, keys, world };
}

/** Lets everything that is already under way come to rest. */
const macrotask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
