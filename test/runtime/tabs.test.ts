// Several runtimes that hear of each other, as tabs do. Time stands still unless it is moved.

import { describe, expect, test } from "vitest";
import { createLash, type Lash, type Session } from "../../src/index.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { gate, manualClock, scriptedProvider, type ManualClock, type ProviderScript } from "../../src/testing/index.ts";
import { staysOpen, transcriptOf } from "../support/lash.ts";
import { Mortal } from "../support/mortal.ts";
import { mortals, peerBus } from "../support/peers.ts";

interface World {
  readonly disk: Engine;
  readonly clock: ManualClock;
  readonly bus: ReturnType<typeof peerBus>;
  readonly lives: ReturnType<typeof mortals>;
}

const newWorld = (): World => ({ disk: memoryEngine(), clock: manualClock(1_000), bus: peerBus(), lives: mortals() });

interface TestTab {
  readonly lash: Lash;
  readonly session: Session;
  /** As SIGKILL: nothing of it happens any more, and its lock is free. */
  kill(): void;
  /** As a debugger or an endless loop: nothing of it happens any more, and its lock is held. */
  hang(): void;
}

async function openTab({ disk, clock, bus, lives }: World, name: string, script: ProviderScript): Promise<TestTab> {
  const process = new Mortal(staysOpen(disk));
  const store = { engine: process.engine, liveness: lives.liveness(name), peers: bus.join() };
  const lash = createLash({ store, clock, effects: "journaled", provider: process.provider(scriptedProvider(script), () => {}), logger: () => {} });
  const session = await lash.openSession("s");
  return { lash, session, hang: () => process.kill(), kill: () => (process.kill(), lives.kill(name)) };
}

describe("runtimes that hear of each other", () => {
  test("one that watches takes over as soon as the driver is dead, with no time passing (design 7.13)", async () => {
    const world = newWorld();
    const hold = gate();
    const driver = await openTab(world, "a", [{ text: "never said", before: hold }]);
    const watcher = await openTab(world, "b", ["said by b"]);
    void driver.session.run("go", { turnId: "t" });
    await hold.reached;
    driver.kill();
    await expect.poll(() => watcher.session.observe().readView.revision).toBe(1);
    expect(transcriptOf(watcher.session)).toEqual(["User: Text go", "Assistant: Prose said by b"]);
    expect(world.clock.now()).toBe(1_000);
  });

  test("a reader by cursor sees the driver's turn, one gap where another takes over, that one's turn from its beginning, and the commit (OP-16, O-20, O-28)", async () => {
    const world = newWorld();
    const hold = gate();
    const driver = await openTab(world, "a", [{ text: ["half", hold] }]);
    const watcher = await openTab(world, "b", ["whole"]);
    const items = watcher.session.subscribe();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { event, gap } of items) {
        const { payload } = event ?? {};
        seen.push(gap ? `gap: ${gap.reason}` : payload?.type === "turn_activity" && "text" in payload.activity ? payload.activity.text : (payload?.type ?? ""));
        if (payload?.type === "committed") return payload.readView.messages.length;
      }
      return 0;
    })();
    void driver.session.run("go", { turnId: "t" });
    await hold.reached;
    await world.clock.advance(20);
    driver.kill();
    expect(await reading).toBe(2);
    // The first gap: a driver began to speak where nobody had.
    expect(seen.filter((item) => item !== "turn_activity")).toEqual(["gap: unavailable", "half", "gap: unavailable", "whole", "committed"]);
    expect(watcher.session.resume(watcher.session.observe().cursor)).toEqual({ type: "replayed", events: [] });
  });

  test("one that hangs with its lock held is taken over after its lease and the time that hidden tabs are given", async () => {
    const world = newWorld();
    const hold = gate();
    const driver = await openTab(world, "a", [{ text: "never said", before: hold }]);
    const watcher = await openTab(world, "b", ["said by b"]);
    void driver.session.run("go", { turnId: "t" });
    await hold.reached;
    driver.hang();
    await expect.poll(() => world.clock.pendingTimers).toBeGreaterThan(0);
    await world.clock.advance(60_000);
    expect(watcher.session.observe().readView.revision).toBe(0);
    await world.clock.advance(61_000);
    await expect.poll(() => watcher.session.observe().readView.revision).toBe(1);
  });

  test("of two that watch one takes over, and the other stands by for it (S2)", async () => {
    const world = newWorld();
    const [hold, heirs] = [gate(), gate()];
    const driver = await openTab(world, "a", [{ text: "a", before: hold }]);
    const others = new Map([["b", await openTab(world, "b", [{ text: "b", before: heirs }])], ["c", await openTab(world, "c", [{ text: "c", before: heirs }])]]);
    const heirName = Promise.withResolvers<string>();
    for (const [name, { session }] of others) {
      void (async () => {
        for await (const sighting of session.watch()) if (sighting.type === "turn_started" && sighting.here) heirName.resolve(name);
      })();
    }
    void driver.session.run("go", { turnId: "t" });
    await hold.reached;
    driver.kill();
    await heirs.reached;
    const heir = await heirName.promise;
    others.get(heir)?.kill();
    const last = [...others].find(([name]) => name !== heir);
    heirs.open();
    await expect.poll(() => last?.[1].session.observe().readView.revision).toBe(1);
    expect(last && transcriptOf(last[1].session)).toEqual(["User: Text go", `Assistant: Prose ${last?.[0]}`]);
  });

  test("closing one that stands by ends its waiting", async () => {
    const world = newWorld();
    const hold = gate();
    const driver = await openTab(world, "a", [{ text: "a", before: hold }]);
    const watcher = await openTab(world, "b", ["b"]);
    const running = driver.session.run("go", { turnId: "t" });
    await hold.reached;
    // What is under way comes to rest: the timers left are the driver's, and the one of the watcher that waits for its silence.
    await world.clock.advance(20);
    const waiting = world.clock.pendingTimers;
    await watcher.lash.close();
    expect(world.clock.pendingTimers).toBe(waiting - 1);
    hold.open();
    expect((await running).text).toBe("a");
  });

  test("a lease that ran out while a timer was held back is its holder's again if nobody wanted it (S-60)", async () => {
    let lateMs = 0;
    const still = manualClock(1_000);
    const world = { ...newWorld(), clock: { ...still, now: () => still.now() + lateMs } };
    const hold = gate();
    const driver = await openTab(world, "a", [{ text: "late but done", before: hold }]);
    const running = driver.session.run("go", { turnId: "t" });
    await hold.reached;
    // No timer fires, as in a tab whose timers are held back, or on a machine that slept.
    lateMs = 3_600_000;
    hold.open();
    expect(await running).toMatchObject({ text: "late but done", headRevision: 1 });
  });

  test("watching ends with the session, and with its signal", async () => {
    const world = newWorld();
    const { session, lash } = await openTab(world, "a", ["hello"]);
    const stop = new AbortController();
    const [byClose, bySignal] = [session.watch(), session.watch({ signal: stop.signal })];
    stop.abort();
    expect(await bySignal.next()).toEqual({ done: true, value: undefined });
    await lash.close();
    expect(await byClose.next()).toEqual({ done: true, value: undefined });
  });
});
