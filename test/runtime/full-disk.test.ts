// A store that takes nothing more, or may not be written: nothing is lost, the lane is not stuck, and the turn goes on as soon
// as there is room again (design 10).

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool } from "../../src/index.ts";
import { storeError } from "../../src/domain/errors.ts";
import type { Engine } from "../../src/stores/engine.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { byToolResults, countingEngine, manualClock, type ManualClock } from "../../src/testing/index.ts";
import { engineCases, scratchFiles } from "../support/engines.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";
import { bury } from "../support/mortal.ts";
import { withReadOnly } from "../support/read-only.ts";
import { heldLanes, keysOf } from "../support/rows.ts";

const fileOf = scratchFiles();
const script = byToolResults([{ toolCalls: [{ name: "look" }] }, "done"]);
const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });
const hostOn = (options: TestLashOptions) => testLash({ script: (request, index) => (request.messages.at(-1)?.blocks.some(({ type }) => type === "text") === true && JSON.stringify(request.messages.at(-1)).includes("plain") ? "plain answer" : (script as (...args: unknown[]) => never)(request, index)), tools: [look], ...options });
const WHOLE = ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult seen", "Assistant: Prose done"];
const FULL = { code: "store_commit_failed", message: expect.stringContaining("make room"), details: { causeCode: "store_full" } };

/** Runs every body to its end and then takes none of what it wrote, from the n-th write on, until there is room. */
function filling(engine: Engine, from: number) {
  const state = { writes: 0, isFull: true };
  const disk: Engine = {
    name: engine.name,
    durable: engine.durable,
    read: (body) => engine.read(body),
    write: (body) =>
      engine.write(async (tx) => {
        const result = await body(tx);
        if (++state.writes >= from && state.isFull) throw storeError("store_full", "the disk is full; nothing was written, make room and try again");
        return result;
      }),
    close: () => engine.close(),
  };
  return { disk, makeRoom: () => void (state.isFull = false) };
}

async function writesOfATurn(open: () => Engine): Promise<number> {
  const engine = countingEngine(open());
  const session = await hostOn({ engine }).lash.openSession("s");
  const before = engine.counts.writes;
  await session.run("go", { turnId: "t" });
  return engine.counts.writes - before;
}

async function begin(open: () => Engine) {
  const engine = open();
  const clock = manualClock(1_000);
  const first = hostOn({ engine, clock });
  await (await first.lash.openSession("s")).run("plain");
  await first.lash.close();
  return { engine, clock };
}

/** What another process sees of the session while the disk is full. */
async function expectOldState(engine: Engine, clock: ManualClock): Promise<void> {
  const reader = hostOn({ engine, clock });
  const session = await reader.lash.openSession("s");
  expect(transcriptOf(session)).toEqual(["User: Text plain", "Assistant: Prose plain answer"]);
  await reader.lash.close();
}

describe.each(engineCases())("on $name", ({ open }) => {
  test("a turn that meets a full disk at any of its durable steps says so, and the same session finishes it once there is room (design 10, T-61)", async () => {
    const writes = await writesOfATurn(open);
    expect(writes).toBe(4);
    for (let from = 1; from <= writes; from++) {
      const { engine, clock } = await begin(open);
      const { disk, makeRoom } = filling(engine, from);
      const { lash } = hostOn({ engine: disk, clock });
      const session = await lash.openSession("s");
      await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject(FULL);
      await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject(FULL);
      expect(transcriptOf(session)).toHaveLength(2);
      await expectOldState(disk, clock);
      makeRoom();
      expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done", isSuccess: true });
      expect(transcriptOf(session).slice(2)).toEqual(WHOLE);
      expect([await heldLanes(engine), (await keysOf(engine)).filter((key) => key.startsWith('["turn"'))]).toEqual([[], []]);
      await lash.close();
      await engine.close();
    }
  });

  test("what a full disk left is finished by another process, which need not wait for a lease where the failed one could be released (S-63)", async () => {
    for (const [from, roomBeforeRelease] of [[2, false], [3, false], [4, false], [2, true], [3, true], [4, true]] as const) {
      const { engine, clock } = await begin(open);
      const { disk, makeRoom } = filling(engine, from);
      // Room for a small row, as there nearly always is: only the write of the turn itself is refused.
      const failing: Engine = roomBeforeRelease ? { ...disk, read: disk.read, write: (body) => disk.write(body).catch((error: unknown) => { makeRoom(); throw error; }) } : disk;
      const { lash } = hostOn({ engine: failing, clock });
      const session = await lash.openSession("s");
      await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject(FULL);
      makeRoom();
      // While it is open it takes the turn up by itself.
      await lash.close();
      if (!roomBeforeRelease) await bury(engine);
      const other = hostOn({ engine, clock });
      expect(await other.lash.recover()).toMatchObject([{ turnId: "t", result: { text: "done" } }]);
      expect(transcriptOf(await other.lash.openSession("s")).slice(2)).toEqual(WHOLE);
      expect(await heldLanes(engine)).toEqual([]);
      const again = await hostOn({ engine, clock }).lash.openSession("s");
      await again.run("plain");
      expect(transcriptOf(again)).toHaveLength(8);
      await other.lash.close();
      await engine.close();
    }
  });

  test("a change that is no turn says so, too, and its session is free at once (S-53, S-63)", async () => {
    const { engine, clock } = await begin(open);
    for (const from of [1, 2]) {
      const { disk, makeRoom } = filling(engine, from);
      const { lash } = hostOn({ engine: disk, clock });
      const session = await lash.openSession("s");
      await expect(session.branch({ at: null })).rejects.toMatchObject(FULL);
      makeRoom();
      await session.run("plain");
      await lash.close();
    }
    expect(await heldLanes(engine)).toEqual([]);
    await engine.close();
  });
});

describe("SQLite itself", () => {
  /** A file of which just so much is left, taken by rows of nobody. */
  async function fileWithRoom(bytes: number) {
    const maxBytes = 400_000;
    const engine = sqliteEngine({ path: fileOf(), maxBytes });
    const clock = manualClock(1_000);
    const first = hostOn({ engine, clock });
    await (await first.lash.openSession("s")).run("plain");
    await first.lash.close();
    const fillers: number[] = [];
    const free = await fillUp(engine, fillers);
    // Gives some pages back.
    await engine.write(async (tx) => {
      for (const n of fillers.splice(0, Math.ceil(bytes / 1_000))) tx.delete(["filler", n]);
    });
    return { engine, clock, free, makeRoom: () => engine.write(async (tx) => fillers.forEach((n) => tx.delete(["filler", n]))) };
  }

  async function fillUp(engine: Engine, fillers: number[]): Promise<void> {
    for (let n = 0; ; n++) {
      try {
        await engine.write(async (tx) => tx.set(["filler", n], "x".repeat(950)));
        fillers.push(n);
      } catch (error) {
        expect(error).toMatchObject({ code: "store_full" });
        return;
      }
    }
  }

  test("a file that has reached its limit in the middle of a turn keeps the old state, and the turn is finished once rows were removed (design 10)", async () => {
    let failed = 0;
    const large = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen".padEnd(20_000, ".") });
    for (const room of [0, 4_000, 8_000, 16_000, 24_000, 32_000, 48_000]) {
      const { engine, clock, makeRoom } = await fileWithRoom(room);
      const { lash } = hostOn({ engine, clock, tools: [large] });
      const session = await lash.openSession("s");
      const outcome = await session.run(`go ${"!".repeat(3_000)}`, { turnId: "t" }).then(() => "done", (error: unknown) => error);
      if (outcome !== "done") {
        failed++;
        expect(outcome).toMatchObject(FULL);
        await expectOldState(engine, clock);
        await makeRoom();
        expect(await session.run(`go ${"!".repeat(3_000)}`, { turnId: "t" })).toMatchObject({ text: "done", isSuccess: true });
      }
      expect(transcriptOf(session)).toHaveLength(6);
      expect(await heldLanes(engine)).toEqual([]);
      await lash.close();
      await engine.close();
    }
    expect(failed).toBeGreaterThan(2);
  });

  test.each([["file", 0o755, 0o444], ["folder", 0o555, 0o644]])("a store whose %s became read-only between two turns shows its sessions and refuses turns, with advice; made writable, the same session goes on (design 10)", async (_what, folder, file) => {
    const home = fileOf().replace(/\.db$/, "");
    mkdirSync(home);
    const path = join(home, "agents.db");
    const engine = sqliteEngine(path);
    const clock = manualClock(1_000);
    const before = hostOn({ engine, clock });
    await (await before.lash.openSession("s")).run("plain");
    await before.lash.close();
    await engine.close();
    expect(dirname(path)).toBe(home);
    const reopened = sqliteEngine(path);
    const { lash } = hostOn({ engine: reopened, clock });
    await withReadOnly(path, { folder, file }, async () => {
      const session = await lash.openSession("s");
      expect(transcriptOf(session)).toEqual(["User: Text plain", "Assistant: Prose plain answer"]);
      await expect(session.run("go", { turnId: "t" })).rejects.toMatchObject({ code: "store_commit_failed", message: expect.stringMatching(/read-only.*make it writable/), details: { causeCode: "store_unavailable" } });
      await expect(lash.openSession("new").then((fresh) => fresh.run("go"))).rejects.toMatchObject({ code: "store_commit_failed" });
      await session.close();
    });
    const session = await lash.openSession("s");
    expect(await session.run("go", { turnId: "t" })).toMatchObject({ text: "done", isSuccess: true });
    expect(transcriptOf(session).slice(2)).toEqual(WHOLE);
    expect(await heldLanes(reopened)).toEqual([]);
    await lash.close();
    await reopened.close();
  });
});
