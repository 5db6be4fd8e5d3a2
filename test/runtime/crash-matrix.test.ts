// One turn - two concurrent tools, then a serial pair - killed at every engine call, at every effect boundary and after
// every message to the effects actor. Whoever comes next has to end it as if nothing had happened.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, tool, type Lash, type TurnResult } from "../../src/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import type { TurnRecord } from "../../src/stores/contract.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { byToolResults, gate, manualClock, scriptedProvider, type ManualClock } from "../../src/testing/index.ts";
import { crashPoints } from "../../src/testing/faulty-engine.ts";
import { Mortal, type DeathPoint } from "../support/mortal.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

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
    store: { engine: process.engine, liveness: opaqueLiveness },
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

const scratch = mkdtempSync(join(tmpdir(), "lash-crash-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let files = 0;

const DISKS: Readonly<Record<string, () => Engine>> = {
  memory: memoryEngine,
  sqlite: () => sqliteEngine(join(scratch, `${files++}.db`)),
};

const INTERRUPTED = "tool_interrupted";
const USAGE = { inputTokens: 30, outputTokens: 15, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };

/** Runs the job, dies, and lets a second process do the same job; checks everything that must hold then. */
async function dieAndRecover(disk: Engine, death: DeathPoint, expectedKeys: readonly string[]): Promise<void> {
  const world = newWorld();
  const first = new Mortal(shared(disk), death);
  const outcome = await Promise.race([job(first, world).then(() => "survived"), first.died.then(() => "died")]);
  expect(outcome).toBe("died");
  // Lets the rest of the dying process reach whatever it still reaches: nothing of it may count.
  await new Promise((resolve) => setImmediate(resolve));
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
async function dieTwiceAndRecover(disk: Engine, first: DeathPoint, second: DeathPoint, expectedKeys: readonly string[]): Promise<"twice" | "once"> {
  const world = newWorld();
  const dead = new Mortal(shared(disk), first);
  await Promise.race([job(dead, world), dead.died]);
  await new Promise((resolve) => setImmediate(resolve));
  await world.clock.advance(31_000);
  const dying = new Mortal(shared(disk), second);
  const outcome = await Promise.race([job(dying, world).then(() => "once" as const), dying.died.then(() => "twice" as const)]);
  await new Promise((resolve) => setImmediate(resolve));
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

async function rehearse(disk: Engine): Promise<{ readonly process: Mortal; readonly keys: readonly string[]; readonly world: World }> {
  const world = newWorld();
  const process = new Mortal(shared(disk));
  const { result } = await job(process, world);
  expect(result.toolCalls.map(({ output }) => output?.outcome.payload)).toEqual(TOOLS.map((name) => `${name} did it`));
  const keys = await keysOf(disk);
  await disk.close();
  return { process, keys, world };
}

/** Hundreds of small runs each; slow only on a machine that is busy with something else. */
const LONG = 60_000;

describe.each(Object.keys(DISKS))("crash matrix on %s", { timeout: LONG }, (name) => {
  const open = DISKS[name] ?? memoryEngine;

  test("a crash at any engine call, before, inside or after it, leaves a turn that the next process ends well (E-45, OP-3, T-73)", async () => {
    const { process, keys } = await rehearse(open());
    const points = crashPoints(process.engineCalls);
    expect(points.length).toBeGreaterThan(60);
    for (const crash of points) {
      await dieAndRecover(open(), { kind: "engine", crash }, keys).catch((error: unknown) => {
        throw new Error(`crash ${JSON.stringify(crash)}: ${String(error)}`, { cause: error });
      });
    }
  });

  test.each<"effect" | "message">(["effect", "message"])(
    "a crash at any %s boundary leaves a turn that the next process ends well, finished effects run once (E-8, E-45, OP-3)",
    async (channel) => {
      const { process, keys } = await rehearse(open());
      const names = process.passed[channel];
      expect(names.length).toBeGreaterThan(10);
      for (const [index, at] of names.entries()) {
        await dieAndRecover(open(), { kind: "boundary", channel, nth: index + 1 }, keys).catch((error: unknown) => {
          throw new Error(`crash at ${channel} ${index + 1} (${at}): ${String(error)}`, { cause: error });
        });
      }
    },
  );
});

test("a second crash, anywhere in the recovery from a first one, changes nothing: nothing reported runs, nothing recorded runs again (E-45, OP-3, OP-6)", { timeout: LONG }, async () => {
  const { process, keys } = await rehearse(memoryEngine());
  let twice = 0;
  for (const [index] of process.passed.effect.entries()) {
    // Before the next call is as after this one.
    for (let call = 1, dies = true; dies; call++) {
      const at = { kind: "engine", crash: { when: "after", call } } as const;
      const outcome = await dieTwiceAndRecover(memoryEngine(), { kind: "boundary", channel: "effect", nth: index + 1 }, at, keys).catch((error: unknown) => {
        throw new Error(`crash at effect ${index + 1}, then after engine call ${call}: ${String(error)}`, { cause: error });
      });
      dies = outcome === "twice";
      if (dies) twice++;
    }
  }
  expect(twice).toBeGreaterThan(80);
});
