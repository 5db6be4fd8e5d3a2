// Cancelling a turn by its address, from wherever, durably: the first to write wins (OP-20, OP-9, T-58, T-62..T-64).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createLash, switchFrame, tool, type TurnCancelOutcome, type TurnResult } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { opaqueLiveness } from "../../src/stores/store.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { byAssistantMessages, byToolResults, countingEngine, gate, manualClock, scriptedProvider } from "../../src/testing/index.ts";
import { askingLash, untilWaiting, whileTimePasses } from "../support/asking.ts";
import { crashEverywhere } from "../support/crash-sweep.ts";
import { engineCases, scratchFiles } from "../support/engines.ts";
import { staysOpen, testLash, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { peerBus } from "../support/peers.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const ACCEPTED: TurnCancelOutcome = { status: "accepted" };

function expectCancelled(result: TurnResult, cancellation: object): void {
  expect(result).toMatchObject({ outcome: { kind: "stopped", stop: "cancelled" }, isSuccess: false, cancellation });
  expect(result.errors.filter(({ code }) => code === "cancelled")).toHaveLength(1);
}

async function expectNothingLeft(engine: Engine): Promise<void> {
  expect(await heldLanes(engine)).toEqual([]);
  expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("a request of another process that comes before the commit wins: what was said is kept, the turn is cancelled, and says by whom (OP-20, T-58, T-64)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const hold = gate();
    const running = testLash({ engine, clock, script: [{ text: "too late", before: hold }, "next"] });
    const other = testLash({ engine, clock });
    const session = await running.lash.openSession("s");
    const ended = session.run("go", { turnId: "t" });
    await hold.reached;
    expect(await other.lash.cancelTurn("s", "t", "changed my mind")).toEqual(ACCEPTED);
    expect(await other.lash.cancelTurn("s", "t", "once more")).toEqual(ACCEPTED);
    hold.open();
    const result = await ended;
    expectCancelled(result, { origin: "lash", reason: "changed my mind", requestedAtMs: 1_000, requestId: expect.any(String) });
    expect(result.text).toBe("too late");
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose too late"]);
    expect(await session.run("go", { turnId: "t" })).toEqual({ ...result, toolCalls: [] });
    expect(await other.lash.cancelTurn("s", "t")).toEqual({ status: "completion_won" });
    expect(await other.lash.cancelTurn("s", "u")).toEqual({ status: "unknown_turn" });
    expect(await session.run("and now?")).toMatchObject({ text: "next", isSuccess: true });
    await expectNothingLeft(engine);
  });

  test("a turn hears of a request with its next step: what that step would have issued does not run (OP-9, T-63)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const hold = gate();
    const started: string[] = [];
    const mark = tool({ name: "mark", description: "", input: z.object({}), run: () => void started.push("mark") });
    const running = testLash({ engine, clock, tools: [mark], script: byAssistantMessages([{ text: "Wait.", toolCalls: [{ name: "mark" }], before: hold }, "done"]) });
    const session = await running.lash.openSession("s");
    const ended = session.run("go", { turnId: "t" });
    await hold.reached;
    await testLash({ engine, clock }).lash.cancelTurn("s", "t");
    hold.open();
    const result = await ended;
    expectCancelled(result, { origin: "lash" });
    expect([started, result.toolCalls.map(({ status }) => status)]).toEqual([[], ["cancelled"]]);
    expect(running.provider.requests).toHaveLength(1);
    await expectNothingLeft(engine);
  });

  test("in one process it ends at once what runs there (OP-9, FA-27)", async () => {
    const hold = gate();
    const host = testLash({ engine: open(), script: [{ text: ["half of", hold, " it"] }, "next"] });
    const session = await host.lash.openSession("s");
    const ended = session.run("go", { turnId: "t" });
    await hold.reached;
    expect(await host.lash.cancelTurn("s", "t", "stop")).toEqual(ACCEPTED);
    expectCancelled(await ended, { origin: "lash", reason: "stop" });
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose half of"]);
    expect(host.clock.pendingTimers).toBe(0);
    await expectNothingLeft(host.engine);
  });

  test("what a dead process left is ended by the request itself once its lease has expired, without a model call (OP-20, T-63)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const hold = gate();
    const dead = new Mortal(engine);
    const first = testLash({ engine: dead.engine, clock, script: [{ text: "never", before: hold }] });
    (await first.lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
    await hold.reached;
    dead.kill();
    await clock.advance(31_000);
    const next = testLash({ engine, clock });
    expect(await next.lash.cancelTurn("s", "t", "given up")).toEqual(ACCEPTED);
    const session = await next.lash.openSession("s");
    expectCancelled(await session.run("go", { turnId: "t" }), { reason: "given up" });
    expect([next.provider.requests, transcriptOf(session)]).toEqual([[], ["User: Text go"]]);
    await expectNothingLeft(engine);
  });

  test("a request for a turn whose owner seems to live is honoured by whoever recovers it; tools that were cut off do not run again (OP-20, OP-3)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const reached = gate();
    const dead = new Mortal(engine);
    const started: boolean[] = [];
    const slow = (pass: () => Promise<unknown>) =>
      tool({ name: "slow", description: "", input: z.object({}), readOnly: true, run: async (_args, { interrupted }) => (started.push(interrupted), void (await pass())) });
    const script = byToolResults([{ toolCalls: [{ name: "slow" }] }, "done"]);
    const first = testLash({ engine: dead.engine, clock, script, tools: [slow(() => reached.pass())] });
    (await first.lash.openSession("s")).run("go", { turnId: "t" }).catch(() => undefined);
    await reached.reached;
    dead.kill();
    const next = testLash({ engine, clock, script, liveness: opaqueLiveness, tools: [slow(() => Promise.resolve())] });
    expect(await next.lash.cancelTurn("s", "t")).toEqual(ACCEPTED);
    await clock.advance(31_000);
    const [recovered] = await next.lash.recover();
    expectCancelled((recovered as { readonly result: TurnResult }).result, { origin: "lash" });
    expect([started, next.provider.requests]).toEqual([[false], []]);
    await expectNothingLeft(engine);
  });

  test("a turn that waits for an answer and that nobody drives is ended by the request (OP-8, OP-20)", async () => {
    const engine = open();
    const clock = manualClock(1_000);
    const first = askingLash({ engine, clock });
    const session = await first.lash.openSession("s");
    const left = session.run("go", { turnId: "t" }).catch((error: unknown) => error);
    await first.parked;
    await session.park();
    expect(await left).toMatchObject({ code: "turn_suspended" });
    const next = askingLash({ engine, clock, asked: first.asked });
    expect(await next.lash.cancelTurn("s", "t")).toEqual(ACCEPTED);
    const reopened = await next.lash.openSession("s");
    expectCancelled(await reopened.run("go", { turnId: "t" }), { origin: "lash" });
    expect(first.asked.keys).toHaveLength(1);
    await expectNothingLeft(engine);
  });

  test("whenever a request comes, before or after whichever write of a turn, its answer says how the turn ends (OP-20)", async () => {
    const script = byToolResults([{ text: "Wait.", toolCalls: [{ name: "look" }] }, "done"]);
    const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
    const seen: string[] = [];
    for (let nth = 1; nth <= 4; nth++) {
      for (const when of ["before", "after"] as const) {
        const engine = open();
        const clock = manualClock(1_000);
        const other = testLash({ engine, clock });
        let writes = 0;
        let answer: TurnCancelOutcome | undefined;
        const ask = async (): Promise<void> => void (answer = await other.lash.cancelTurn("s", "t"));
        const interrupted: Engine = {
          ...staysOpen(engine),
          write: async (body) => {
            const isIt = ++writes === nth;
            if (isIt && when === "before") await ask();
            const result = await engine.write(body);
            if (isIt && when === "after") await ask();
            return result;
          },
        };
        const { lash } = testLash({ engine: interrupted, clock, script, tools: [look] });
        const session = await lash.openSession("s");
        const result = await session.run("go", { turnId: "t" });
        const ended = result.outcome.kind === "stopped" ? result.outcome.stop : "finished";
        seen.push(`${answer?.status} ${ended}`);
        expect(seen.at(-1)).toBe(answer?.status === "accepted" ? "accepted cancelled" : `${answer?.status} finished`);
        expect(result.cancellation === undefined).toBe(answer?.status !== "accepted");
        expect(await session.run("and now?")).toMatchObject({ isSuccess: true });
        await expectNothingLeft(engine);
        await engine.close();
      }
    }
    expect(seen).toEqual(["unknown_turn finished", ...Array.from({ length: 6 }, () => "accepted cancelled"), "completion_won finished"]);
  });
});

describe("hearing of it (OP-9)", () => {
  const fileOf = scratchFiles();
  const sqlite = engineCases()[1];

  test("a turn that another process drives is told within 25 ms, and later ones within a second; a store that fails meanwhile is asked again", async () => {
    const engine = sqlite?.open() ?? expect.fail();
    const clock = manualClock(1_000);
    for (const [turnId, wait, steps] of [["a", 0, 25], ["b", 10_000, 1_000]] as const) {
      let isBroken = false;
      const flaky: Engine = { ...staysOpen(engine), read: (body) => (isBroken ? Promise.reject(new Error("gone for a moment")) : engine.read(body)) };
      const hold = gate();
      const { lash } = testLash({ engine: flaky, clock, script: [{ text: "never", before: hold }] });
      const session = await lash.openSession("s");
      const ended = session.run("go", { turnId });
      await hold.reached;
      isBroken = true;
      await clock.advance(wait);
      isBroken = false;
      const other = testLash({ engine, clock });
      expect(await other.lash.cancelTurn("s", turnId)).toEqual(ACCEPTED);
      await clock.advance(steps);
      expectCancelled(await ended, { origin: "lash" });
      await lash.close();
    }
    await engine.close();
  });

  test("through another connection to the same file it is no different, and neither where effects are kept in memory only", async () => {
    for (const effects of ["journaled", "inline"] as const) {
      const path = fileOf();
      const [own, theirs] = [sqliteEngine(path), sqliteEngine(path)];
      const hold = gate();
      const { lash, clock } = testLash({ engine: own, effects, script: [{ text: "never", before: hold }] });
      const ended = (await lash.openSession("s")).run("go", { turnId: "t" });
      await hold.reached;
      expect(await testLash({ engine: theirs, clock }).lash.cancelTurn("s", "t")).toEqual(ACCEPTED);
      expectCancelled(await whileTimePasses(clock, ended), { origin: "lash" });
      await lash.close();
      await expectNothingLeft(own);
      for (const engine of [own, theirs]) await engine.close();
    }
  });

  test("a turn that is over sooner reads nothing for it, and leaves no timer (design 9)", async () => {
    const engine = countingEngine(sqlite?.open() ?? expect.fail());
    const { lash, clock } = testLash({ engine });
    const session = await lash.openSession("s");
    await session.run("first");
    engine.reset();
    await session.run("second");
    expect([engine.counts.reads, engine.counts.writes, clock.pendingTimers]).toEqual([0, 2, 0]);
    await lash.close();
    await engine.close();
  });

  test("another tab's turn is ended at once", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const bus = peerBus();
    const hold = gate();
    const tab = (script: Parameters<typeof scriptedProvider>[0]) =>
      createLash({ store: { engine: staysOpen(engine), liveness: opaqueLiveness, peers: bus.join() }, effects: "journaled", clock, logger: () => {}, provider: scriptedProvider(script) });
    const [driver, watcher] = [tab([{ text: "never", before: hold }]), tab([])];
    const ended = (await driver.openSession("s")).run("go", { turnId: "t" });
    await hold.reached;
    expect(await watcher.cancelTurn("s", "t", "from the other tab")).toEqual(ACCEPTED);
    expectCancelled(await ended, { reason: "from the other tab" });
  });
});

describe("a turn that went on in another frame (T-68)", () => {
  const move = tool({ name: "move", description: "", input: z.object({}), readOnly: true, run: () => switchFrame({ frameId: "work", task: "carry on" }) });

  test.each(["lash", "turn"] as const)("is ended there by the id it had at first, asked through its %s", async (by) => {
    const hold = gate();
    const { lash, engine } = testLash({ tools: [move], script: (request) => (JSON.stringify(request.messages).includes("carry on") ? { text: "never", before: hold } : { toolCalls: [{ name: "move" }] }) });
    const turn = (await lash.openSession("s")).turn("go", { turnId: "t" });
    const ended = turn.result;
    await hold.reached;
    expect(await (by === "lash" ? lash.cancelTurn("s", "t") : turn.cancel())).toEqual(ACCEPTED);
    const result = await ended;
    expectCancelled(result, { origin: by });
    expect(result.turnId).toBe("t:agent-frame:1");
    expect(await lash.cancelTurn("s", "t")).toEqual({ status: "completion_won" });
    await expectNothingLeft(engine);
  });

  test("is not opened where the request came before its switch was committed (T-66)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const asking = tool({ name: "move", description: "", input: z.object({}), readOnly: true, run: async () => (await testLash({ engine, clock }).lash.cancelTurn("s", "t"), switchFrame({ frameId: "work", task: "carry on" })) });
    const { lash, provider } = testLash({ engine, clock, tools: [asking], script: [{ toolCalls: [{ name: "move" }] }] });
    const session = await lash.openSession("s");
    expectCancelled(await session.run("go", { turnId: "t" }), { origin: "lash" });
    expect([provider.requests.length, session.observe().readView.currentFrameId]).toEqual([1, "s:frame:initial"]);
    await expectNothingLeft(engine);
  });
});

describe("turn.cancel()", () => {
  test("answers accepted before and while the turn runs, and completion_won once it has ended; the result carries reason and origin (OP-20)", async () => {
    const hold = gate();
    const { lash } = testLash({ script: [{ text: "never", before: hold }, "done"] });
    const session = await lash.openSession("s");
    const unstarted = session.turn("go");
    expect(await unstarted.cancel("not yet")).toEqual(ACCEPTED);
    expectCancelled(await unstarted.result, { origin: "turn", reason: "not yet" });
    const running = session.turn("go");
    const ended = running.result;
    await hold.reached;
    expect(await running.cancel("enough")).toEqual(ACCEPTED);
    expectCancelled(await ended, { origin: "turn", reason: "enough" });
    const finished = session.turn("go");
    await finished.result;
    expect(await finished.cancel()).toEqual({ status: "completion_won" });
    expect((await finished.result).cancellation).toBeUndefined();
  });

  test("a turn that waits behind another one is accepted to end, too (T-62)", async () => {
    const hold = gate();
    const { lash } = testLash({ script: [{ text: "first", before: hold }] });
    const session = await lash.openSession("s");
    const first = session.run("one");
    await hold.reached;
    const second = session.turn("two");
    const ended = second.result;
    expect(await second.cancel()).toEqual(ACCEPTED);
    hold.open();
    expect((await first).text).toBe("first");
    expectCancelled(await ended, { origin: "turn" });
  });

  test("a signal that aborts is the same request; its result names it (FA-80)", async () => {
    const hold = gate();
    const abort = new AbortController();
    const { lash } = testLash({ script: [{ text: "never", before: hold }] });
    const ended = (await lash.openSession("s")).run("go", { signal: abort.signal });
    await hold.reached;
    abort.abort();
    const result = await ended;
    expectCancelled(result, { origin: "turn" });
    expect(result.cancellation).not.toHaveProperty("reason");
  });

  test("a store that fails does not keep the turn from being told (T-62)", async () => {
    const engine = memoryEngine();
    const hold = gate();
    let isBroken = false;
    const failing: Engine = { ...staysOpen(engine), write: (body) => (isBroken ? Promise.reject(new Error("unplugged")) : engine.write(body)) };
    const { lash } = testLash({ engine: failing, script: [{ text: "never", before: hold }] });
    const turn = (await lash.openSession("s")).turn("go");
    const ended = turn.result.catch((error: unknown) => error);
    await hold.reached;
    isBroken = true;
    await expect(turn.cancel()).rejects.toThrow("unplugged");
    // The commit of the cancelled turn fails, too; nothing hangs.
    expect(await ended).toMatchObject({ code: "store_commit_failed" });
  });

  test.each([[1], [{}], ["x".repeat(4_097)], ["\ud800"]])("a reason that is no well-formed short text is refused before anything happens: %j (design 10)", async (reason) => {
    const { lash, engine } = testLash();
    const turn = (await lash.openSession("s")).turn("go", { turnId: "t" });
    expect(() => turn.cancel(reason as string)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
    await expect(lash.cancelTurn("s", "t", reason as string)).rejects.toMatchObject({ code: "invalid_argument" });
    expect(turn.signal.aborted).toBe(false);
    expect(await keysOf(engine)).toEqual([]);
  });

  test.each([["", "t"], ["s", " "], [1, "t"], ["s", "x".repeat(201)]])("cancelTurn(%j, %j) is refused (design 10)", async (sessionId, turnId) => {
    await expect(testLash().lash.cancelTurn(sessionId as string, turnId)).rejects.toMatchObject({ code: "invalid_argument" });
  });
});

describe("crashes", { timeout: 60_000 }, () => {
  test.each(engineCases())("a cancel that was accepted holds whenever the process dies on $name; one that was not leaves a turn that ends as it would have (OP-20, C-47)", async ({ open }) => {
    const script = byToolResults([{ text: "Wait.", toolCalls: [{ name: "look" }] }, "done"]);
    interface World {
      answer: TurnCancelOutcome | undefined;
      readonly by: "turn" | "lash";
    }
    for (const by of ["turn", "lash"] as const) {
      const outcomes = new Set<string>();
      const deaths = await crashEverywhere<World>({
        open,
        world: () => ({ answer: undefined, by }),
        job: async (process, clock, world) => {
          let cancelled: Promise<unknown> | undefined;
          const look = tool({
            name: "look", description: "", input: z.object({}), readOnly: true,
            run: async () => {
              cancelled = (by === "turn" ? turn.cancel("why") : lash.cancelTurn("s", "t", "why")).then((answer) => (world.answer = answer));
              await cancelled;
              return "seen";
            },
          });
          const { lash } = testLash({ engine: process.engine, clock, script, tools: [look] });
          const turn = (await lash.openSession("s")).turn("go", { turnId: "t" });
          await turn.result;
          await cancelled;
          await lash.close();
        },
        check: async (disk, clock, { answer }) => {
          const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
          const { lash } = testLash({ engine: disk, clock, script, tools: [look] });
          await lash.recover();
          const session = await lash.openSession("s");
          const result = await session.run("go", { turnId: "t" });
          const isCancelled = result.outcome.kind === "stopped" && result.outcome.stop === "cancelled";
          outcomes.add(isCancelled ? "cancelled" : result.text);
          if (answer) expect([answer, isCancelled]).toEqual([ACCEPTED, true]);
          if (isCancelled) expectCancelled(result, { origin: by, reason: "why" });
          else expect(result).toMatchObject({ text: "done", isSuccess: true });
          expect(await session.run("and now?")).toMatchObject({ isSuccess: true });
          await expectNothingLeft(disk);
        },
      });
      expect([outcomes, deaths > 20]).toEqual([new Set(["done", "cancelled"]), true]);
    }
  });
});

describe("revokeDurableWaits (FA-39)", () => {
  test.each(engineCases())("all open waits of the session on $name end as cancelled, its turn goes on, and later waits are waited for as usual (FA-39, E-22)", async ({ open }) => {
    const host = askingLash({ engine: open() });
    const session = await host.lash.openSession("s");
    expect(await session.revokeDurableWaits()).toBe(0);
    const ended = session.run("go", { turnId: "t" });
    await host.parked;
    await untilWaiting(host.engine);
    expect(await session.revokeDurableWaits()).toBe(1);
    const result = await ended;
    expect(result.isSuccess).toBe(true);
    expect(result.toolCalls).toMatchObject([{ status: "cancelled" }]);
    expect(await host.lash.completions.resolve(host.asked.keys[0] ?? "", { status: "ok", payload: "late" })).toEqual({ status: "already_resolved", terminal: { status: "cancelled" } });
    expect(await session.revokeDurableWaits()).toBe(0);
    await expectNothingLeft(host.engine);
  });

  test("a turn that was left waiting goes on in the process that revoked its wait (OP-8)", async () => {
    const engine = memoryEngine();
    const clock = manualClock(1_000);
    const first = askingLash({ engine, clock });
    const left = await first.lash.openSession("s");
    const suspended = left.run("go", { turnId: "t" }).catch((error: unknown) => error);
    await first.parked;
    await left.park();
    expect(await suspended).toMatchObject({ code: "turn_suspended" });
    const session = await first.lash.openSession("s");
    await session.revokeDurableWaits();
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ isSuccess: true });
    await expectNothingLeft(engine);
  });
});
