import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { countingEngine, type EngineCounts } from "../../src/testing/counting-engine.ts";
import { manualClock } from "../../src/testing/manual-clock.ts";
import { runToolTurn, toolTurnId, toolTurnLeaf } from "../../src/testing/persistence-fixtures.ts";

const S = "alpha";

async function sessionWith(turns: number) {
  const engine = countingEngine(memoryEngine());
  const store = createPersistence(engine, { clock: manualClock(1_795_000_000_000) });
  const countsOf = new Map<number, EngineCounts>();
  for (let index = 0; index < turns; index++) {
    engine.reset();
    await runToolTurn(store, S, index);
    countsOf.set(index, engine.reset());
  }
  return { engine, store, countsOf };
}

test("a turn with one tool call is four transactions, and asks the engine for the same at turn 10 and turn 1,000 (design 9)", async () => {
  const { countsOf } = await sessionWith(1_000);
  const early = countsOf.get(10);
  const late = countsOf.get(999);
  expect(early).toMatchObject({ reads: 0, writes: 4, entriesRead: 0 });
  const { bytesSet: earlyBytes, ...earlyCalls } = early ?? { bytesSet: 0 };
  const { bytesSet: lateBytes, ...lateCalls } = late ?? { bytesSet: 0 };
  expect(lateCalls).toEqual(earlyCalls);
  // Numbers in rows get more digits; nothing else grows.
  expect(lateBytes - earlyBytes).toBeLessThan(64);
});

test("a session loads by ranges: 1,000 turns take 4 of them for its history, and no get per turn (design 9)", async () => {
  const { engine, store } = await sessionWith(1_000);
  engine.reset();
  const read = await store.sessions.load(S, { kind: "active_path" });
  expect(read?.nodes).toHaveLength(4_000);
  expect(engine.reset()).toMatchObject({ reads: 1, gets: 2, ranges: 5 });
});

test("a node of an old turn is found with three gets, and the head revision with one", async () => {
  const { engine, store } = await sessionWith(50);
  engine.reset();
  expect((await store.sessions.loadNode(S, toolTurnLeaf(3)))?.nodeId).toBe(toolTurnLeaf(3));
  expect(engine.reset()).toMatchObject({ gets: 3, ranges: 0 });
  expect(await store.sessions.headRevision(S)).toBe(50);
  expect(engine.reset()).toMatchObject({ gets: 1, ranges: 0 });
  expect((await store.turns.settled(S, toolTurnId(3)))?.headRevision).toBe(4);
  expect(engine.reset()).toMatchObject({ gets: 2, ranges: 0 });
});

test("on SQLite a turn adds at most 27 kB to the log, and as much to a session of 40 turns as to a young one (design 9)", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lash-growth-"));
  const path = join(folder, "store.db");
  const store = createPersistence(sqliteEngine(path), { clock: manualClock(1_795_000_000_000) });
  const logAfter = async (from: number, to: number): Promise<number> => {
    for (let index = from; index < to; index++) await runToolTurn(store, S, index);
    return statSync(`${path}-wal`).size;
  };
  try {
    const [first, tenth, thirtieth, fortieth] = [await logAfter(0, 1), await logAfter(1, 10), await logAfter(10, 30), await logAfter(30, 40)];
    expect((fortieth - first) / 39).toBeLessThan(27_000);
    expect((fortieth - thirtieth) / 10).toBeLessThan((1.15 * (tenth - first)) / 9);
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
});
