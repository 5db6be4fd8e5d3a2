// Closing with a limit: turns that the lash drives without anybody's handle are left in flight like all others (OP-8).

import { expect, test } from "vitest";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { gate, manualClock } from "../../src/testing/index.ts";
import { testLash } from "../support/lash.ts";
import { heldLanes } from "../support/rows.ts";

test("a source of tools that never answers a queued command does not hold up a lash that closes with a limit; the command waits for the next (OP-8, I-30)", async () => {
  const { lash, clock, engine } = testLash({ script: () => "done" });
  const session = await lash.openSession("s");
  const asked = gate();
  let isAdded = false;
  await session.tools.add(() => (isAdded ? (asked.open(), new Promise<never>(() => undefined)) : []));
  isAdded = true;
  await session.commands.refreshToolCatalog("r", "k");
  const running = session.run("go").catch((error: unknown) => error);
  await asked.opened;
  await clock.runUntil(lash.close({ graceMs: 100 }));
  expect(await running).toMatchObject({ code: "lash_closed" });
  expect(await heldLanes(engine)).toEqual([]);
  const next = await testLash({ engine, clock, script: () => "done" }).lash.openSession("s");
  expect(await next.queuedWork()).toHaveLength(1);
  expect([await next.queuedTurn(), await next.queuedWork()]).toEqual([undefined, []]);
});

test.each(["drain", "recover"] as const)("a turn that a %s drives does not hold up a lash that closes with a limit; it stays in flight and is finished by the next (OP-8, FA-29)", async (how) => {
  const [engine, clock, hold] = [memoryEngine(), manualClock(1_000), gate()];
  const before = testLash({ engine, clock, script: [{ text: "never", before: gate() }] });
  const session = await before.lash.openSession("s");
  if (how === "drain") await session.enqueue("go");
  else {
    void session.run("go").catch(() => undefined);
    await clock.advance(0);
    session.runtime.abandonTurns();
    await session.runtime.idle();
  }
  const { lash } = testLash({ engine, clock, drain: how === "drain" ? "auto" : "host", script: [{ text: "never", before: hold }] });
  const recovering = lash.recover();
  recovering.catch(() => undefined);
  await hold.reached;
  const startedAt = clock.now();
  await clock.runUntil(lash.close({ graceMs: 100 }));
  expect(clock.now() - startedAt).toBe(100);
  if (how === "recover") expect(await recovering).toMatchObject([{ sessionId: "s", error: { code: "lash_closed" } }]);
  const next = testLash({ engine, clock, script: () => "done" });
  expect(await next.lash.recover()).toMatchObject([{ sessionId: "s", result: { text: "done" } }]);
});
