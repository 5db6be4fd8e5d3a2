import { readFileSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { END, type Entry } from "../../../src/stores/engine.ts";
import { sqliteEngine } from "../../../src/stores/sqlite/index.ts";
import { PAGE_SIZE } from "../../../src/stores/sqlite/open-database.ts";
import { nodeHost } from "../../../src/stores/sqlite/sqlite-engine.ts";
import { engineWith, fetchValue, put, startChild, temporaryFolder } from "./harness.ts";

const pathOf = temporaryFolder();

test("a writer that is killed 20 times at any moment leaves exactly its first writes, every acknowledged one among them", { timeout: 60_000 }, async () => {
  const path = pathOf("killed.db");
  let next = 0;
  for (let round = 0; round < 20; round++) {
    const child = startChild("witness", path, String(next));
    await child.said(1 + round * 12);
    child.process.kill("SIGKILL");
    await child.gone;
    const acknowledged = child.lines.map((line) => Number(line.slice("ack ".length)));
    const engine = sqliteEngine(path);
    const [slots, count] = await engine.read(async (tx): Promise<[readonly Entry[], unknown]> => [await tx.range(["slot"], ["slot", END]), await tx.get(["count"])]);
    await engine.close();
    const kept = slots.map((entry) => (entry.value as { i: number }).i).toSorted((a, b) => a - b);
    const last = kept.at(-1) ?? -1;
    expect(last).toBeGreaterThanOrEqual(Math.max(...acknowledged));
    expect(count).toBe(last + 1);
    expect(kept).toEqual(Array.from({ length: Math.min(300, last + 1) }, (_, slot) => last + 1 - Math.min(300, last + 1) + slot));
    next = last + 1;
  }
  expect(next).toBeGreaterThan(20 * 100);
});

test("a store whose checkpoint was cut off after any page opens with everything", async () => {
  const path = pathOf("cut.db");
  const engine = sqliteEngine(path);
  // The first write goes into the file at once, together with the note that there is a log from then on.
  await put(engine, ["first"], 1);
  await engine.write(async (tx) => {
    for (let i = 0; i < 60; i++) tx.set(["row", i], "x".repeat(1000));
  });
  const [early, log] = [readFileSync(path), readFileSync(`${path}-wal`)];
  writeFileSync(pathOf("copied.db"), early);
  writeFileSync(`${pathOf("copied.db")}-wal`, log);
  // Whoever closes it last copies the log as it is.
  const last = new DatabaseSync(pathOf("copied.db"));
  last.exec("SELECT count(*) FROM entries");
  last.close();
  const copied = readFileSync(pathOf("copied.db"));
  await engine.close();
  expect(copied.length).toBeGreaterThan(early.length + 20 * PAGE_SIZE);
  for (let pages = 0; pages * PAGE_SIZE <= copied.length; pages++) {
    const cut = pathOf(`cut-${pages}.db`);
    writeFileSync(cut, Buffer.concat([copied.subarray(0, pages * PAGE_SIZE), early.subarray(pages * PAGE_SIZE)]));
    writeFileSync(`${cut}-wal`, log);
    const reopened = sqliteEngine(cut);
    expect(await reopened.read(async (tx) => (await tx.range(["row"], ["row", END])).length)).toBe(60);
    await reopened.close();
  }
});

/** A disk that answers when the test says so. */
function manualDisk(): { syncs: { done: () => void; fail: (error: Error) => void }[]; fdatasync: () => Promise<void> } {
  const syncs: { done: () => void; fail: (error: Error) => void }[] = [];
  return { syncs, fdatasync: () => new Promise<void>((done, fail) => syncs.push({ done, fail })) };
}

/** Waits for a condition that other work on the event loop brings about. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

test("a write resolves after a sync that started after its commit, and commits share syncs", async () => {
  const { syncs, fdatasync } = manualDisk();
  const engine = engineWith(pathOf("grouped.db"), { fdatasync });
  const resolved: number[] = [];
  const write = (i: number): Promise<void> => put(engine, ["n", i], i).then(() => void resolved.push(i));
  const first = write(0);
  await until(() => syncs.length === 1);
  const others = Promise.all(Array.from({ length: 49 }, (_, i) => write(i + 1)));
  // Readers wait for no flush (E3), so they see when all are committed.
  await until(async () => (await fetchValue(engine, ["n", 49])) === 49);
  expect([syncs.length, resolved]).toEqual([1, []]);
  syncs[0]?.done();
  await first;
  await until(() => syncs.length === 2);
  expect(resolved).toEqual([0]);
  syncs[1]?.done();
  await others;
  expect([syncs.length, resolved.length]).toEqual([2, 50]);
  await engine.close();
});

test("close waits for the sync of what was written", async () => {
  const { syncs, fdatasync } = manualDisk();
  const engine = engineWith(pathOf("closing.db"), { fdatasync });
  const write = put(engine, ["a"], 1);
  let isClosed = false;
  const closing = engine.close().finally(() => {
    isClosed = true;
  });
  await until(() => syncs.length === 1);
  expect(isClosed).toBe(false);
  syncs[0]?.done();
  await Promise.all([write, closing]);
});

test("a failed sync rejects every write it covered and those behind it; writes stay refused, reads go on, a new engine works", async () => {
  const path = pathOf("failing.db");
  const { syncs, fdatasync } = manualDisk();
  const engine = engineWith(path, { fdatasync });
  const covered = put(engine, ["a"], 1);
  await until(() => syncs.length === 1);
  const behind = put(engine, ["b"], 1);
  await until(async () => (await fetchValue(engine, ["b"])) === 1);
  const outcomes = Promise.allSettled([covered, behind]);
  syncs[0]?.fail(new Error("EIO"));
  const unavailable = { code: "store_unavailable", message: expect.stringMatching(/did not confirm/) as unknown };
  expect(await outcomes).toMatchObject([
    { status: "rejected", reason: unavailable },
    { status: "rejected", reason: unavailable },
  ]);
  await expect(put(engine, ["c"], 1)).rejects.toMatchObject(unavailable);
  expect(await fetchValue(engine, ["c"])).toBe(undefined);
  expect(syncs).toHaveLength(1);
  await engine.close();
  const reopened = sqliteEngine(path);
  await put(reopened, ["c"], 1);
  await reopened.close();
});

test("a write that changes nothing waits for no sync", async () => {
  const engine = engineWith(pathOf("unchanged.db"), { fdatasync: () => Promise.reject(new Error("must not be asked")) });
  expect(await engine.write((tx) => tx.get(["a"]))).toBe(undefined);
  await engine.close();
});

test("lone commits on a disk that proves fast are synced in place; a slow one moves them off the event loop again", async () => {
  let [pooled, inPlace, clock, inPlaceMs] = [0, 0, 0, 0];
  const engine = engineWith(pathOf("in-place.db"), {
    ...nodeHost,
    now: () => clock,
    fdatasync: async () => void pooled++,
    fdatasyncSync: () => {
      inPlace++;
      clock += inPlaceMs;
    },
  });
  for (let i = 0; i < 20; i++) await put(engine, ["a"], i);
  expect([pooled, inPlace]).toEqual([16, 4]);
  await Promise.all(Array.from({ length: 40 }, (_, i) => put(engine, ["c", i], i)));
  expect(inPlace).toBeLessThanOrEqual(5); // the last of a crowd is alone
  [pooled, inPlace] = [0, 0];
  inPlaceMs = 50;
  for (let i = 0; i < 20; i++) await put(engine, ["b"], i);
  expect([pooled, inPlace]).toEqual([19, 1]);
  await engine.close();
});
