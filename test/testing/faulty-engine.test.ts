import { expect, test } from "vitest";
import { END, type Engine } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { countingEngine } from "../../src/testing/counting-engine.ts";
import { engineSuite } from "../../src/testing/engine-suite.ts";
import { type CrashPoint, crashPoints, faultyEngine } from "../../src/testing/faulty-engine.ts";

/** Two writes and a read between them: calls 1, 2 and 3. */
async function scenario(engine: Engine): Promise<void> {
  await engine.write(async (tx) => {
    tx.set(["a"], 1);
    tx.set(["b"], 1);
  });
  await engine.read((tx) => tx.get(["a"]));
  await engine.write(async (tx) => {
    await tx.get(["a"]);
    tx.delete(["a"]);
    tx.set(["c"], 1);
  });
}

const keysIn = (engine: Engine): Promise<unknown[]> => engine.read(async (tx) => (await tx.range([], [END])).map((entry) => entry.key[0]));
const dead = expect.objectContaining({ code: "store_unavailable" }) as unknown;

test("without a crash it counts calls and their operations", async () => {
  const engine = faultyEngine(memoryEngine());
  await scenario(engine);
  expect(engine.calls).toEqual([
    { kind: "write", operations: 2 },
    { kind: "read", operations: 1 },
    { kind: "write", operations: 3 },
  ]);
  expect(engine.isCrashed).toBe(false);
});

test.each<[CrashPoint, string[]]>([
  [{ when: "before", call: 1 }, []],
  [{ when: "inside", call: 1, operations: 0 }, []],
  [{ when: "inside", call: 1, operations: 2 }, []],
  [{ when: "after", call: 1 }, ["a", "b"]],
  [{ when: "before", call: 2 }, ["a", "b"]],
  [{ when: "inside", call: 2, operations: 1 }, ["a", "b"]],
  [{ when: "before", call: 3 }, ["a", "b"]],
  [{ when: "inside", call: 3, operations: 1 }, ["a", "b"]],
  [{ when: "inside", call: 3, operations: 3 }, ["a", "b"]],
  [{ when: "after", call: 3 }, ["b", "c"]],
])("a crash at %j leaves %j", async (crash, left) => {
  const disk = memoryEngine();
  const engine = faultyEngine(disk, crash);
  await expect(scenario(engine)).rejects.toEqual(dead);
  await engine.crashed;
  expect(engine.isCrashed).toBe(true);
  await expect(engine.write(async (tx) => tx.set(["z"], 1))).rejects.toEqual(dead);
  await expect(engine.read((tx) => tx.get(["a"]))).rejects.toEqual(dead);
  expect(await keysIn(disk)).toEqual(left);
});

test("calls that run beside the crashing one die with it", async () => {
  const disk = memoryEngine();
  const engine = faultyEngine(disk, { when: "inside", call: 1, operations: 1 });
  const outcomes = await Promise.allSettled([1, 2, 3].map((n) => engine.write(async (tx) => tx.set(["n", n], n))));
  expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(await keysIn(disk)).toEqual([]);
});

test("crash points cover every step of a write, and the moment before a read", () => {
  const points = crashPoints([
    { kind: "read", operations: 4 },
    { kind: "write", operations: 1 },
  ]);
  expect(points).toEqual([
    { when: "before", call: 1 },
    { when: "before", call: 2 },
    { when: "inside", call: 2, operations: 0 },
    { when: "inside", call: 2, operations: 1 },
    { when: "after", call: 2 },
  ]);
});

test("a scenario that is crashed at every point and then repeated ends as an undisturbed one", async () => {
  const rehearsal = faultyEngine(memoryEngine());
  await scenario(rehearsal);
  for (const crash of crashPoints(rehearsal.calls)) {
    const disk = memoryEngine();
    await expect(scenario(faultyEngine(disk, crash))).rejects.toEqual(dead);
    await scenario(faultyEngine(disk));
    expect(await keysIn(disk)).toEqual(["b", "c"]);
  }
});

test("the counting engine counts transactions, operations, entries and bytes", async () => {
  const engine = countingEngine(memoryEngine());
  await scenario(engine);
  await engine.read((tx) => tx.range([], [END]));
  const { bytesSet, ...counts } = engine.counts;
  expect(counts).toEqual({ reads: 2, writes: 2, gets: 2, ranges: 1, entriesRead: 2, sets: 3, deletes: 1 });
  expect(bytesSet).toBe(3 * (3 + 1)); // tag, letter, terminator; and the digit
  expect(engine.reset()).toEqual({ ...counts, bytesSet });
  expect(engine.counts.reads).toBe(0);
});

test.each(["faulty", "counting"])("a %s engine without a crash passes the engine suite", async (kind) => {
  for (const { run } of engineSuite({ durable: false })) {
    const engine = memoryEngine();
    const open = async (): Promise<Engine> => (kind === "faulty" ? faultyEngine(engine) : countingEngine(engine));
    await expect(run(open)).resolves.toBeUndefined();
  }
});
