import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { sqliteEngine } from "../../../src/stores/sqlite/index.ts";
import { engineWith, fetchValue, put, startChild, temporaryFolder } from "./harness.ts";

const pathOf = temporaryFolder();

test("two processes that open and increment one new file lose nothing of each other (E2, P-58)", { timeout: 60_000 }, async () => {
  const path = pathOf("shared.db");
  const children = [startChild("increment", path, "400"), startChild("increment", path, "400")];
  const engine = sqliteEngine(path);
  for (let i = 0; i < 100; i++) {
    await engine.write(async (tx) => tx.set(["n"], Number((await tx.get(["n"])) ?? 0) + 1));
  }
  await Promise.all(children.map((child) => child.gone));
  expect(children.map((child) => child.lines)).toEqual([["done"], ["done"]]);
  expect(await fetchValue(engine, ["n"])).toBe(900);
  await engine.close();
});

test("a lock of another process blocks writes, but neither the event loop nor readers", { timeout: 20_000 }, async () => {
  const path = pathOf("locked.db");
  const engine = sqliteEngine(path);
  await put(engine, ["a"], 1);
  const child = startChild("lock", path);
  await child.said(1);
  let isWritten = false;
  const write = put(engine, ["a"], 2).finally(() => {
    isWritten = true;
  });
  for (let tick = 0; tick < 30; tick++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(await fetchValue(engine, ["a"])).toBe(1);
  }
  expect(isWritten).toBe(false);
  child.process.stdin.write("go\n");
  await write;
  expect(await fetchValue(engine, ["a"])).toBe(2);
  await child.gone;
  await engine.close();
});

test("writes against a lock that is never released are store_unavailable after 15 seconds, together, with pauses of at most 25 ms", async () => {
  const path = pathOf("stuck.db");
  let clock = 0;
  const pauses: number[] = [];
  const engine = engineWith(path, {
    now: () => clock,
    sleep: async (ms) => {
      pauses.push(ms);
      clock += Math.max(ms, 0.1);
    },
    random: () => 0.99,
  });
  await put(engine, ["a"], 1);
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  const outcomes = await Promise.allSettled([put(engine, ["a"], 2), put(engine, ["a"], 3), put(engine, ["a"], 4)]);
  const refusal = { status: "rejected", reason: { code: "store_unavailable", message: expect.stringMatching(/try again later/) as unknown } };
  expect(outcomes).toMatchObject([refusal, refusal, refusal]);
  expect(clock).toBeGreaterThanOrEqual(15_000);
  expect(clock).toBeLessThan(15_100);
  expect(Math.max(...pauses)).toBeLessThanOrEqual(25);
  expect(pauses.slice(0, 8)).toEqual([0, 0, 0, 0, 0.995, 1.99, 3.98, 7.96]);
  other.exec("COMMIT");
  other.close();
  await put(engine, ["a"], 5);
  expect(await fetchValue(engine, ["a"])).toBe(5);
  await engine.close();
});

test("the write-ahead log stays bounded under writing that never pauses", { timeout: 60_000 }, async () => {
  const path = pathOf("log.db");
  const engine = sqliteEngine(path);
  let largest = 0;
  const writer = async (worker: number): Promise<void> => {
    for (let i = 0; i < 150; i++) {
      await put(engine, ["blob", worker, i % 20], Uint8Array.from({ length: 50_000 }, () => Math.random() * 256));
      largest = Math.max(largest, statSync(`${path}-wal`).size);
    }
  };
  await Promise.all([writer(1), writer(2), writer(3), writer(4)]);
  // 30 MB went through it.
  expect(largest).toBeGreaterThan(1024 * 1024);
  expect(largest).toBeLessThan(8 * 1024 * 1024);
  await engine.close();
});
