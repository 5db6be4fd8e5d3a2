// The crash matrix of effects.md section 10, row by row, as the journaled host has it: what another process finds, does again
// and leaves alone (E-45, design section 5).
//
// One row is missing: "after commit, before post-persist hooks" needs plugins, which there are none of yet.

import { expect, test } from "vitest";
import * as z from "zod";
import { pending, tool, ToolError, type Tool, type ToolOptions, type TurnResult } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byAssistantMessages, gate, manualClock, type Gate, type ManualClock } from "../../src/testing/index.ts";
import { quiet } from "../support/asking.ts";
import { testLash, transcriptOf, type TestLash } from "../support/lash.ts";
import { Mortal, type DeathPoint } from "../support/mortal.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

/** What happened outside, whoever did it. */
interface World {
  readonly clock: ManualClock;
  models: number;
  readonly ran: string[];
  readonly keys: string[];
  /** Where the first process is held until it dies. */
  readonly hold: Gate;
  process: "first" | "second";
}

interface Row {
  /** As in the table. */
  readonly at: string;
  /** What the journaled host promises there. */
  readonly fact: string;
  readonly tools?: (world: World) => readonly Tool[];
  /** The first process: ends dead, at the point the row names. */
  readonly die: (world: World, start: (death?: DeathPoint) => { readonly process: Mortal; readonly host: TestLash; readonly result: Promise<TurnResult> }) => Promise<void>;
  /** Between the two. */
  readonly meanwhile?: (world: World, engine: Engine) => Promise<void>;
  /** Model calls and tool runs over both processes. */
  readonly models: number;
  readonly ran: readonly string[];
  readonly shown?: string;
}

const looks = (world: World, name = "look", rest: Partial<Omit<ToolOptions<Record<string, never>>, "input">> = {}): Tool =>
  tool({ name, description: "", input: z.object({}), run: () => void world.ran.push(`${world.process} ${name}`), ...rest });

/** Held in the first process, done in the second. */
const stuck = (world: World, name: string, rest: Partial<Omit<ToolOptions<Record<string, never>>, "input">> = {}): Tool =>
  looks(world, name, {
    run: async () => {
      world.ran.push(`${world.process} ${name}`);
      if (world.process === "first") await world.hold.pass();
      return "fine";
    },
    ...rest,
  });

const dieHeld: Row["die"] = async (world, start) => {
  const { process } = start();
  await world.hold.reached;
  await quiet();
  process.kill();
};

/** Dies at the last write of an undisturbed run, which is the final commit. */
const dieInCommit =
  (when: "before" | "after"): Row["die"] =>
  async (_world, start) => {
    const rehearsal = start({ kind: "never" });
    await rehearsal.result;
    const call = rehearsal.process.engineCalls.findLastIndex(({ kind }) => kind === "write") + 1;
    const { process } = start({ kind: "engine", crash: { when, call } });
    await process.died;
  };

const ROWS: readonly Row[] = [
  {
    at: "before prepared checkpoint",
    fact: "an input whose acceptance was not durable is asked again and runs from the start",
    die: async (_world, start) => void (await start({ kind: "engine", crash: { when: "before", call: 3 } }).process.died),
    models: 2, ran: ["second look"],
  },
  {
    at: "after it, before or in model call: unrecorded",
    fact: "the accepted turn goes on and the call runs again",
    die: async (_world, start) => void (await start({ kind: "boundary", channel: "effect", nth: 1 }).process.died),
    models: 2, ran: ["second look"],
  },
  {
    at: "after it, before or in model call: recorded",
    fact: "a recorded call answers from its record, the one in progress runs again",
    die: async (_world, start) => void (await start({ kind: "boundary", channel: "effect", nth: 3 }).process.died),
    models: 2, ran: ["first look"],
  },
  {
    at: "in a tool attempt (retry)",
    fact: "a tool that may be retried runs again and is told so",
    tools: (world) => [stuck(world, "look", { readOnly: true })],
    die: dieHeld,
    models: 2, ran: ["first look", "second look"],
  },
  {
    at: "in a tool attempt (report)",
    fact: "a tool that may not is not run again; the model is told that its outcome is unknown",
    tools: (world) => [stuck(world, "look")],
    die: dieHeld,
    models: 2, ran: ["first look"], shown: "tool_interrupted",
  },
  {
    at: "between attempts of a batch",
    fact: "recorded attempts answer from their record, only missing ones run",
    tools: (world) => [looks(world, "look"), stuck(world, "other", { readOnly: true })],
    die: dieHeld,
    models: 2, ran: ["first look", "first other", "second other"],
  },
  {
    at: "in a retry sleep",
    fact: "the attempt that failed is not made again, the next one is",
    tools: (world) => [
      looks(world, "look", {
        retry: { maxAttempts: 2, baseDelayMs: 60_000, maxDelayMs: 60_000 },
        run: (_args, { attempt }) => {
          world.ran.push(`${world.process} look ${attempt}`);
          if (attempt > 1) return "fine";
          void world.hold.pass();
          throw new ToolError({ message: "busy", retry: { type: "safe" } });
        },
      }),
    ],
    die: dieHeld,
    models: 2, ran: ["first look 1", "second look 2"],
  },
  {
    at: "parked on a wait",
    fact: "it is still parked; an answer that came while no process ran is kept, the tool does not run again",
    tools: (world) => [
      looks(world, "look", {
        run: async (_args, call) => {
          world.ran.push(`${world.process} look`);
          world.keys.push(await call.completionKey());
          void world.hold.pass();
          return pending();
        },
      }),
    ],
    die: dieHeld,
    meanwhile: async ({ clock, keys }, engine) => {
      const hook = testLash({ engine, clock, script: [] });
      // Held elsewhere until its lease has run out, so the answer wakes nobody.
      expect(await hook.lash.completions.resolve(keys[0] ?? "", { status: "ok", payload: "yes" })).toEqual({ status: "accepted" });
      await hook.lash.close();
    },
    models: 2, ran: ["first look"], shown: "ToolResult yes",
  },
  {
    at: "after the last effect, before commit",
    fact: "what was recorded replays to the same commit; only the last call, whose record rides on it, runs again",
    die: dieInCommit("before"),
    models: 3, ran: ["first look"],
  },
  {
    at: "in commit, answer lost",
    fact: "the turn is found committed by its id, with its recorded result; nothing runs",
    die: dieInCommit("after"),
    models: 2, ran: ["first look"],
  },
  {
    at: "lease lost while running",
    fact: "the loser commits nothing and says so; the next owner ends the turn",
    tools: (world) => [stuck(world, "look", { readOnly: true })],
    die: async (world, start) => {
      const { process, host, result } = start();
      const failed = result.catch((error: unknown) => error);
      await world.hold.reached;
      // Somebody else holds the lane by the time this owner wakes.
      await host.engine.write(async (tx) => {
        const lease = (await tx.range(["s", "s", 0], ["s", "s", 1])).find(({ key }) => key[3] === "lease");
        if (!lease) throw new Error("nobody holds the lane");
        const text = JSON.stringify(lease.value).replace(/"incarnationId":"[^"]*"/, '"incarnationId":"somebody else"');
        tx.set(lease.key, JSON.parse(text) as never);
      });
      world.hold.open();
      await world.clock.advance(11_000);
      expect(await failed).toMatchObject({ code: "session_execution_lease_lost", isRetryable: false, askAgain: { sessionId: "s", turnId: "t" } });
      process.kill();
    },
    models: 2, ran: ["first look", "second look"],
  },
];

test.each(ROWS)("crash $at: $fact (effects.md 10, E-45)", async ({ tools, die, meanwhile, models, ran, shown }) => {
  let engine = memoryEngine();
  let world = newWorld();
  const hostOf = (disk: Engine, process: Mortal): TestLash => {
    const current = world;
    const twice = [...(tools?.(current) ?? [looks(current)])];
    const script = byAssistantMessages([{ toolCalls: twice.map(({ name }) => ({ name })) }, "done"]);
    const wrapped = twice.map((one): Tool => ({ ...one, run: async (args, call) => {
      await process.reach("effect", `${one.name} begins`);
      return one.run(args, call);
    } }));
    return testLash({
      engine: disk, clock: current.clock, tools: wrapped, inspect: process.inspect,
      script: async (request, index) => {
        await process.reach("effect", "model begins");
        current.models += 1;
        return typeof script === "function" ? script(request, index) : "wrong";
      },
    });
  };
  await die(world, (death) => {
    // A rehearsal had a disk and a world of its own.
    if (death?.kind === "engine" && world.models > 0) [engine, world] = [memoryEngine(), newWorld()];
    const process = new Mortal(engine, death);
    const host = hostOf(process.engine, process);
    const result = host.lash.openSession("s").then((session) => session.run("go", { turnId: "t" }));
    result.catch(() => undefined);
    return { process, host: { ...host, engine }, result };
  });
  await quiet();
  await meanwhile?.(world, engine);
  await world.clock.advance(31_000);

  world.process = "second";
  const second = new Mortal(engine);
  const host = hostOf(engine, second);
  await world.clock.runUntil(host.lash.recover());
  const session = await host.lash.openSession("s");
  const result = await session.run("go", { turnId: "t" });
  expect(result).toMatchObject({ turnId: "t", text: "done", isSuccess: true, usage: { inputTokens: 20, outputTokens: 10 } });
  const transcript = transcriptOf(session);
  expect([transcript[0], transcript[3], transcript.length]).toEqual(["User: Text go", "Assistant: Prose done", 4]);
  if (shown !== undefined) expect(transcript[2]).toContain(shown);
  expect({ models: world.models, ran: world.ran }).toEqual({ models, ran });
  expect(await heldLanes(engine)).toEqual([]);
  expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
});

const newWorld = (): World => ({ clock: manualClock(1_000), models: 0, ran: [], keys: [], hold: gate(), process: "first" });
