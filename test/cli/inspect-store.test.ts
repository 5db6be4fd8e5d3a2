import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspectStore } from "../../src/cli/inspect-store.ts";
import type { AttachmentHome } from "../../src/stores/attachment-home.ts";
import { directory } from "../../src/stores/directory/index.ts";
import { attachmentsIn } from "../../src/stores/persistence/attachments-in-home.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { sqliteEngine } from "../../src/stores/sqlite/index.ts";
import { manualClock } from "../../src/testing/manual-clock.ts";
import { accept, acquire, chain, commandDraft, commitOf, config, fenceOf, inputDraft, resultOf, snapshotAt, stepOf } from "../../src/testing/persistence-fixtures.ts";

const NOW = 1_795_000_000_000;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lash-inspect-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]) {
  const written = { out: "", error: "" };
  const code = await inspectStore(args, { out: (text) => void (written.out += text), error: (text) => void (written.error += text), now: () => NOW + 12_000 });
  return { code, ...written };
}

async function filled(name: string, attachments?: AttachmentHome) {
  const path = join(folder, name);
  const store = createPersistence(sqliteEngine(path), { clock: manualClock(NOW), attachments: attachments && attachmentsIn(attachments) });
  const fence = await acquire(store, "idle", "alice", { leaseToken: "secret-token" });
  const turn = { commitHash: "h", result: resultOf("t0", "x"), modelCalls: [] };
  await store.sessions.commit(commitOf("idle", fence, { nodes: chain("idle", ["a", "b"]), turn, releaseLease: true, components: { toolState: { a: 1 } } }));
  await store.inputs.enqueue(inputDraft("idle", "secret-text", { attachments: [{ bytes: new Uint8Array(2_000), mime: "image/png" }] }));
  await store.queue.enqueue(commandDraft("idle", "secret-reason"));
  const process = { kind: "local_process" as const, hostId: "host", bootId: "boot", pid: 4711, processStart: "1" };
  const outcome = await store.leases.claim({ sessionId: "busy", owner: { ownerId: "o", incarnationId: "i", liveness: process }, ttlMs: 30_000, leaseToken: "secret-token" });
  if (outcome.kind === "busy") throw new Error("busy");
  await store.sessions.create({ sessionId: "busy", relation: { kind: "root" }, model: "gpt-5" });
  await store.turns.accept({
    sessionId: "busy",
    owner: outcome.lease.owner,
    ttlMs: 30_000,
    leaseToken: "secret-token",
    turnId: "t1",
    input: { items: [{ type: "text", text: "secret-text" }] },
    inputHash: "h",
    machine: { machine: "turn", version: 1 },
    config: { value: config },
    session: { relation: { kind: "root" }, model: "gpt-5" },
  });
  await store.turns.recordStep(stepOf(fenceOf(outcome.lease), "t1", 1, { snapshot: snapshotAt({ running: { callingModel: {} } }) }));
  await store.waits.secret("5ec2e7".padEnd(64, "0"));
  await accept(store, "gone", "t2");
  await store.sessions.delete("gone");
  return { path, store };
}

const hashOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("lash inspect-store", () => {
  test("says how many bytes of attachments are in a directory, without looking into it", async () => {
    const { path, store } = await filled("blobs.db", directory(join(folder, "blobs")));
    await store.close();
    rmSync(join(folder, "blobs"), { recursive: true });
    expect((await run(path)).out).toMatch(/attachments +1, 0 B and 2\.0 KiB in a directory, 1 not committed/);
  });

  test("prints sessions, turns in flight, leases, queues and sizes of a store that another process has open", async () => {
    const { path, store } = await filled("live.db");
    const { code, out } = await run(path);
    expect(code).toBe(0);
    expect(out).toMatch(/sessions +2, of them 1 with a turn in flight, 1 with a live lease; 1 deleted/);
    expect(out).toMatch(/attachments +1, 2\.0 KiB, 1 not committed/);
    expect(out).toMatch(/components +2, \d+ B/);
    expect(out).toMatch(/busy +gpt-5 +0 +0 +0 +[\d.]+ (B|KiB) +0 +0 +process 4711 on host, 18 s left +t1, step 1 \(running\.callingModel\), for 12 s/);
    await store.turns.requestCancel("busy", "t1", { requestId: "r", origin: "lash", reason: "secret-text", requestedAtMs: NOW });
    const asked = (await run(path)).out;
    expect([asked.includes("for 12 s, to be cancelled"), asked.includes("secret-text")]).toEqual([true, false]);
    expect(out).toMatch(/idle +gpt-5 +1 +0 +2 +[\d.]+ KiB +1 +1 +free +none/);
    await store.close();
  });

  test("prints the same as JSON, and neither content nor tokens nor the secret", async () => {
    const { path, store } = await filled("closed.db");
    await store.close();
    const before = hashOf(path);
    const files = readdirSync(folder);
    const { code, out } = await run(path, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      retiredSessions: 1,
      sessions: [
        { sessionId: "busy", turn: { turnId: "t1", step: 1, state: "running.callingModel", recoveries: 0 }, lease: { isLive: true, fencingToken: 1 } },
        { sessionId: "idle", headRevision: 1, nodes: 2, waitingInputs: 1, queuedBatches: 1 },
      ],
    });
    expect(out + (await run(path)).out).not.toMatch(/secret-|5ec2e7/);
    expect(hashOf(path)).toBe(before);
    expect(readdirSync(folder)).toEqual(files);
  });

  test("goes on past a session whose rows are damaged, and does not let ids control the terminal", async () => {
    const path = join(folder, "damaged.db");
    const engine = sqliteEngine(path);
    const store = createPersistence(engine, { clock: manualClock(NOW) });
    await store.sessions.create({ sessionId: "evil\u001b[2J", relation: { kind: "root" }, model: "m" });
    await store.sessions.create({ sessionId: "sound", relation: { kind: "root" }, model: "m" });
    await engine.write(async (tx) => tx.set(["s", "evil\u001b[2J", 0, "head"], { schemaVersion: 7 }));
    await store.close();
    const { code, out } = await run(path);
    expect(code).toBe(0);
    expect(out).toMatch(/damaged +evil\ufffd\[2J: stored row .*schemaVersion 7/);
    expect(out).toMatch(/sound +m +0/);
    expect(out.includes("\u001b")).toBe(false);
  });

  test("refuses files that are missing, foreign or no database, and wrong arguments", async () => {
    expect(await run(join(folder, "missing.db"))).toMatchObject({ code: 1, error: expect.stringMatching(/^store_unavailable: there is no file/) });
    const text = join(folder, "text.db");
    writeFileSync(text, "hello ".repeat(1_000));
    expect(await run(text)).toMatchObject({ code: 1, error: expect.stringMatching(/^store_foreign:/) });
    const foreign = join(folder, "foreign.db");
    const database = new DatabaseSync(foreign);
    database.exec("CREATE TABLE t (a)");
    database.close();
    expect(await run(foreign)).toMatchObject({ code: 1, error: expect.stringMatching(/^store_foreign:/) });
    for (const args of [[], ["a", "b"], ["--unknown"]]) expect(await run(...args)).toMatchObject({ code: 2, out: "", error: expect.stringMatching(/^usage: /) });
  });
});
