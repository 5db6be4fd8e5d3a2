import { describe, expect, test } from "vitest";
import * as z from "zod";
import { LashError, type LashOptions, tool, type ToolOptions, type TurnResult } from "../../src/index.ts";
import { defineQuery, plugin, type Plugin } from "../../src/plugins/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { byToolResults, type CrashSweep, crashSweep, recordProvider, replayProvider, scriptedProvider, type SweepReport } from "../../src/testing/index.ts";
import { scratchFiles } from "../support/engines.ts";
import { sqlite } from "../../src/stores/sqlite/store.ts";

interface World {
  /** Payments that were really made, by idempotency key. */
  readonly paid: string[];
}

type Pay = Pick<ToolOptions<unknown>, "readOnly" | "idempotent" | "onInterrupted">;

const script = byToolResults([{ text: "I pay.", toolCalls: [{ name: "pay" }] }, "Paid."]);
const message = ({ violations }: SweepReport): readonly string[] => [...new Set(violations.map((each) => each.message))];

/** One turn with a tool that pays, whatever is asked for with one key. */
function paying({ declared = {}, once = false, ...rest }: { readonly declared?: Pay; readonly once?: boolean } & Partial<LashOptions> = {}): CrashSweep<TurnResult, World> {
  return {
    world: () => ({ paid: [] }),
    make: ({ world }) => ({
      provider: scriptedProvider(script),
      tools: [
        tool({
          name: "pay", description: "Pay", input: z.object({}), ...declared,
          run: (_args, { idempotencyKey }) => {
            if (!once || !world.paid.includes(idempotencyKey)) world.paid.push(idempotencyKey);
            return "paid";
          },
        }),
      ],
      ...rest,
    }),
    job: async (lash) => (await lash.openSession("s")).run("Pay", { turnId: "t" }),
    check: ({ world, result }) => [
      ...(world.paid.length > 1 ? [`paid ${world.paid.length} times`] : []),
      ...(result.isSuccess && result.text === "Paid." ? [] : [`the turn came to ${JSON.stringify(result.outcome)}`]),
    ],
  };
}

describe("crashSweep", () => {
  test("finds nothing wrong with a tool that declares nothing, one that is idempotent, and one whose probe looks", async () => {
    const report = await crashSweep(paying());
    expect(String(report)).toBe("crashSweep: 22 runs (4 writes, 6 effect boundaries), 0 violations");
    expect(report.effects).toEqual([
      "model call 1 begins", "model call 1 has ended", "tool pay begins", "tool pay has ended", "model call 2 begins", "model call 2 has ended",
    ]);
    expect(() => report.throwIfViolated()).not.toThrow();
    expect(message(await crashSweep(paying({ declared: { idempotent: true }, once: true })))).toEqual([]);
    expect(message(await crashSweep(paying({ declared: { onInterrupted: () => "report" } })))).toEqual([]);
  });

  test("finds a tool that is wrongly declared idempotent, and the one run that shows it again", async () => {
    const sweep = paying({ declared: { idempotent: true } });
    const report = await crashSweep(sweep);
    expect(message(report)).toEqual(["paid 2 times"]);
    const places = report.violations.map(({ kill }) => kill);
    expect(places).toContainEqual({ kind: "killAtEffect", n: 4 });
    expect(String(report)).toContain('killed where tool pay has ended\n     to see it again: crashSweep({ ..., only: { kind: "killAtEffect", n: 4 } })');
    expect(() => report.throwIfViolated()).toThrow("paid 2 times");
    const again = await crashSweep({ ...sweep, only: { kind: "killAtEffect", n: 4 } });
    expect([again.runs, message(again)]).toEqual([1, ["paid 2 times"]]);
    expect(message(await crashSweep({ ...sweep, only: { kind: "killAtEffect", n: 3 } }))).toEqual([]);
  });

  test("finds by its own rules that a tool runs again unasked where nothing is journaled", async () => {
    const { check: _, ...unchecked } = paying({ effects: "inline" });
    expect(message(await crashSweep(unchecked))).toEqual(["tool pay (call call-1, attempt 1) ran 2 times, and does not declare that it may"]);
    const { check: __, ...idempotent } = paying({ effects: "inline", declared: { idempotent: true } });
    expect(message(await crashSweep(idempotent))).toEqual(["tool pay (call call-1, attempt 1) ran 2 times, and was not told `interrupted`"]);
    expect(message(await crashSweep({ ...idempotent, without: ["tools"] }))).toEqual([]);
  });

  test("finds a plugin that keeps its state outside of the store, and nothing wrong with one that does not", async () => {
    const counted = defineQuery({ name: "counted", description: "Calls so far" });
    const counting = (isKept: boolean): Plugin =>
      plugin({
        id: "counting",
        build: () => {
          let calls = 0;
          return {
            afterToolCall: () => void (calls += 1),
            operations: [counted.handle(() => calls)],
            ...(isKept && { state: { revision: () => calls, save: () => calls, load: (saved) => void (calls = Number(saved?.state ?? 0)) } }),
          };
        },
      });
    const sweep = (isKept: boolean): CrashSweep<unknown, World> => ({
      ...paying(),
      make: async (process) => ({ ...(await paying().make(process)), plugins: [counting(isKept)] }),
      // Asked of the process that did the job: of two turns the second one sees the first.
      job: async (lash) => {
        const session = await lash.openSession("s");
        await session.run("Pay", { turnId: "t" });
        return session.plugins.query(counted, null);
      },
      check: ({ result }) => (result === 1 ? [] : [`${JSON.stringify(result)} calls counted`]),
    });
    expect(message(await crashSweep(sweep(true)))).toEqual([]);
    expect(message(await crashSweep(sweep(false)))).toEqual(["0 calls counted"]);
  });

  test("finds a job that asks without naming its turns: it is said twice", async () => {
    const report = await crashSweep({ ...paying(), job: async (lash) => (await lash.openSession("s")).run("Pay"), check: () => [] });
    expect(message(report)).toEqual(expect.arrayContaining([
      "session s has 2 committed turns, 1 in the undisturbed run",
      'session s: users said ["Pay","Pay"], ["Pay"] in the undisturbed run',
    ]));
    expect(message(await crashSweep({ ...paying(), job: async (lash) => (await lash.openSession("s")).run("Pay"), check: () => [], without: ["turns", "messages", "tools"] }))).toEqual([]);
  });

  test("finds a turn that nobody takes up again", async () => {
    const report = await crashSweep({ ...paying(), resume: async () => ({ isSuccess: true, text: "Paid." }) as TurnResult });
    expect(message(report)).toContain("turn in flight after everything has ended: t of session s");
  });

  test("finds a store that says of a write that it was made, and did not make it", async () => {
    let stores = 0;
    const forgetful = (): Engine => {
      const disk = memoryEngine();
      // The run that loads code and the undisturbed one are spared.
      if (++stores < 3) return disk;
      let writes = 0;
      return {
        name: disk.name, durable: true,
        read: (body) => disk.read(body),
        close: () => disk.close(),
        // The write that names the tool before it runs.
        write: async (body) => {
          if (++writes !== 2) return disk.write(body);
          const kept: { value?: Awaited<ReturnType<typeof body>> } = {};
          await disk.write(async (tx) => {
            kept.value = await body(tx);
            throw new Error("forgotten");
          }).catch(() => undefined);
          return kept.value as Awaited<ReturnType<typeof body>>;
        },
      };
    };
    const found = message(await crashSweep({ ...paying(), engine: forgetful }));
    expect(found).toContain("tool pay (call call-1, attempt 1) ran 2 times, and does not declare that it may");
  });

  test("says of a job that fails, waits for ever, or does something else each time, that nothing is proved", async () => {
    await expect(crashSweep({ ...paying(), job: () => Promise.reject(new Error("no such customer")) })).rejects.toThrow("no such customer");
    let jobs = 0;
    const moody = await crashSweep({ ...paying(), kinds: ["failWrite"], job: async (lash) => {
      const session = await lash.openSession("s");
      return ++jobs < 3 ? session.run("Pay", { turnId: "t" }) : ({ isSuccess: true, text: "Paid." } as TurnResult);
    } });
    expect(message(moody)).toEqual(["the run did not come this far: it does not do the same every time, so that nothing is proved of this place"]);
    const picky = await crashSweep({ ...paying(), only: { kind: "killAfterWrite", n: 2 }, resume: () => Promise.reject(new Error("not today")) });
    expect(message(picky)).toEqual(["the job fails: not today"]);
    const stuck = await crashSweep({ ...paying(), only: { kind: "killAfterWrite", n: 2 }, resume: () => new Promise(() => {}) });
    expect(message(stuck)).toEqual([expect.stringContaining("it waits for something that is not due on the clock of the sweep")]);
  });

  test("does the same every time: ids, times and histories of two sweeps are equal", async () => {
    const sweep = async (): Promise<readonly string[]> => {
      const seen: string[] = [];
      await crashSweep({
        ...paying(),
        // A turn without a name has an id that the lash made.
        job: async (lash) => (await lash.openSession("s")).run("Pay"),
        check: ({ kill, result, history, toolRuns }) => void seen.push(JSON.stringify([kill, result, history, toolRuns])),
      });
      return seen;
    };
    const first = await sweep();
    expect(first).toHaveLength(23);
    expect(await sweep()).toEqual(first);
  });

  test("does to each write what its kind says, and nothing of a dead process goes on", async () => {
    const heard = async (kind: "failWrite" | "loseAnswer" | "loseAnswerAsError"): Promise<readonly string[]> => {
      const errors: string[] = [];
      const { job } = paying();
      await crashSweep({ ...paying(), only: { kind, n: 1 }, job: (lash, process) => job(lash, process).catch((error: unknown) => {
        errors.push(LashError.is(error) ? error.code : String(error));
        throw error;
      }) });
      return errors;
    };
    expect([await heard("failWrite"), await heard("loseAnswer"), await heard("loseAnswerAsError")]).toEqual([["store_commit_failed"], [], []]);

    const report = await crashSweep({
      world: () => ({ woke: 0 }),
      make: ({ world, clock }) => ({
        provider: scriptedProvider(byToolResults([{ toolCalls: [{ name: "nap" }, { name: "quick" }] }, "x", "done"])),
        tools: [
          tool({ name: "nap", description: "Nap", input: z.object({}), run: () => clock.sleep(1_000).then(() => void (world.woke += 1)) }),
          tool({ name: "quick", description: "Quick", input: z.object({}), run: () => "quick" }),
        ],
      }),
      job: async (lash) => (await lash.openSession("s")).run("Go", { turnId: "t" }),
      check: ({ world, toolRuns }) => {
        const ended = toolRuns.filter((each) => each.toolName === "nap" && each.ended).length;
        return world.woke === ended ? [] : [`it woke ${world.woke} times, and ended ${ended} times`];
      },
      kinds: ["killAfterWrite"],
    });
    expect(message(report)).toEqual([]);
  });

  test("lets an hour of waiting in a tool pass in no time, without losing the lease", async () => {
    const report = await crashSweep({
      make: (process) => ({
        provider: scriptedProvider(byToolResults([{ toolCalls: [{ name: "sleep" }] }, "Awake."])),
        tools: [tool({ name: "sleep", description: "Sleep", input: z.object({}), readOnly: true, run: () => process.clock.sleep(3_600_000) })],
        lease: { ttlMs: 3_600_000, renewMs: 1_000_000 },
      }),
      job: async (lash) => (await lash.openSession("s")).run("Sleep", { turnId: "t" }),
      check: ({ result, undisturbed }) => (result.isSuccess && undisturbed.result.execution.durationMs >= 3_600_000 ? [] : ["it did not sleep"]),
    });
    expect(message(report)).toEqual([]);
  });

  test("runs on a store of files, and watches tools that are given to a session alone", async () => {
    const fileOf = scratchFiles();
    const seen: number[] = [];
    const report = await crashSweep({
      engine: () => sqlite(fileOf()).engine,
      make: () => ({ provider: scriptedProvider(script) }),
      job: async (lash, process) => {
        const tools = [tool({ name: "pay", description: "Pay", input: z.object({}), run: () => "paid" })];
        return (await lash.openSession("s", process.watch({ tools }))).run("Pay", { turnId: "t" });
      },
      check: ({ toolRuns }) => void seen.push(toolRuns.length),
      kinds: ["killAfterWrite", "loseAnswer"],
    });
    expect(message(report)).toEqual([]);
    expect(Math.max(...seen)).toBe(1);
  });

  test("takes a recording for a model: what a crash changes in a request is a mismatch, or goes to another model", async () => {
    const recording = recordProvider(scriptedProvider(script));
    const { check, ...sweep } = paying();
    await crashSweep({ ...sweep, only: [], make: async (process) => ({ ...(await sweep.make(process)), provider: recording }) });
    const cassette = recording.toJSON();
    const replayed = (onMismatch: Parameters<typeof replayProvider>[1]): CrashSweep<TurnResult, World> => ({
      ...sweep, make: async (process) => ({ ...(await sweep.make(process)), provider: replayProvider(cassette, onMismatch) }), ...(check && { check }),
    });
    const strict = await crashSweep(replayed({}));
    expect(message(strict)).toEqual([expect.stringContaining("provider_error")]);
    expect(message(await crashSweep(replayed({ onMismatch: scriptedProvider(script) })))).toEqual([]);
  });

  test("refuses options that cannot be, by name", async () => {
    await expect(crashSweep({ ...paying(), kinds: ["kill" as never] })).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining("killAfterWrite") });
    await expect(crashSweep({ ...paying(), without: ["tool" as never] })).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(crashSweep({ ...paying(), jobs: 1 } as never)).rejects.toMatchObject({ code: "invalid_argument" });
  });
});
