// Attachment bytes in a home outside the store: rows and bytes agree whatever races and whoever dies (design 6, S-77..S-79).

import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../src/domain/sha256.ts";
import type { AttachmentHome } from "../../src/stores/attachment-home.ts";
import type { Persistence } from "../../src/stores/contract.ts";
import { type Engine, prefixRange } from "../../src/stores/engine.ts";
import { memoryEngine } from "../../src/stores/memory/index.ts";
import { attachmentsIn } from "../../src/stores/persistence/attachments-in-home.ts";
import { createPersistence } from "../../src/stores/persistence/index.ts";
import { crashPoints, gate, type Gate, manualClock } from "../../src/testing/index.ts";
import { acceptOf, acquire, beginningOf, commitOf, inputDraft } from "../../src/testing/persistence-fixtures.ts";
import { memoryHome } from "../support/homes.ts";
import { Mortal, type DeathPoint } from "../support/mortal.ts";
import { keysOf } from "../support/rows.ts";

const S = "alpha";
const NEVER = Number.MAX_SAFE_INTEGER;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const idOf = (text: string): string => sha256Hex(text);
const image = (text: string) => ({ bytes: bytesOf(text), mime: "image/png" });

function storage(engine: Engine = memoryEngine(), home = memoryHome()) {
  const clock = manualClock(1_000);
  const connect = (attachments: AttachmentHome | undefined = home, through: Engine = engine): Persistence => createPersistence(through, { clock, attachments: attachments && attachmentsIn(attachments) });
  return { engine, home, clock, connect, store: connect() };
}

/** Keys that headers name, and what the home holds; a store in order has the same in both, and no row about anything else. */
async function compare(engine: Engine, home: ReturnType<typeof memoryHome>) {
  const headers = await engine.read((tx) => tx.range(...prefixRange(["content", "attachment"])));
  const loose = await engine.read((tx) => tx.range(...prefixRange(["blob"])));
  return { named: headers.map(({ value }) => String((value as { home?: string }).home)).sort(), kept: [...home.files.keys()].sort(), loose: loose.map(({ key }) => key[1]) };
}

async function expectOrder(engine: Engine, home: ReturnType<typeof memoryHome>, texts: readonly string[]): Promise<void> {
  const { named, kept, loose } = await compare(engine, home);
  expect(kept).toEqual(named);
  expect(loose).toEqual([]);
  expect(named.map((key) => key.split(".")[0])).toEqual(texts.map(idOf).sort());
}

/** A home whose calls of one kind wait at a gate. */
const gated = (home: AttachmentHome, call: "put" | "get" | "delete", hold: Gate, when: "before" | "after" = "before"): AttachmentHome => ({
  ...home,
  [call]: async (key: string, bytes: Uint8Array) => {
    if (when === "before") await hold.pass();
    const given = await home[call](key, bytes);
    if (when === "after") await hold.pass();
    return given;
  },
});

async function keep({ attachments }: Persistence, sessionId: string, text: string): Promise<void> {
  await attachments.manifest.recordIntent(sessionId, idOf(text));
  await attachments.put(bytesOf(text), "image/png");
}

describe("rows and bytes", () => {
  test("bytes go to the home and none of them into the store; a store without that home says what it lacks (P-45, design 6)", async () => {
    const { store, engine, home, connect } = storage();
    await store.inputs.enqueue(inputDraft(S, "", { attachments: [image("a"), image("a"), image("b")] }));
    await expectOrder(engine, home, ["a", "b"]);
    expect((await keysOf(engine)).filter((key) => key.startsWith('["piece"'))).toEqual([]);
    expect(await store.attachments.get(idOf("a"))).toEqual({ reference: { id: idOf("a"), mime: "image/png", byteLength: 1 }, bytes: bytesOf("a") });
    await expect(createPersistence(engine, { clock: manualClock(1) }).attachments.get(idOf("a"))).rejects.toMatchObject({ code: "missing_attachment_store", isTerminal: true, details: { attachmentId: idOf("a") } });
    expect(connect().attachments.persistence).toBe("ephemeral");
  });

  test("bytes that were in the store before it had a home stay there and are found and removed there", async () => {
    const { engine, home, connect } = storage();
    await keep(createPersistence(engine, { clock: manualClock(1) }), S, "old");
    const { attachments } = connect();
    await attachments.put(bytesOf("old"), "image/png");
    expect([(await attachments.get(idOf("old"))).bytes, home.files.size]).toEqual([bytesOf("old"), 0]);
    expect(await attachments.sweep(NEVER)).toEqual({ scanned: 1, reclaimed: 1 });
    expect(await keysOf(engine)).toEqual([]);
  });

  test.each([["missing", undefined], ["changed", bytesOf("b")], ["changed", new Uint8Array()]])("bytes that are %s are attachment_damaged and name their id, and a sweep does not touch their rows", async (problem, found) => {
    const { store, engine, home, connect } = storage();
    await keep(store, S, "a");
    await store.attachments.manifest.commitRefs(S, [idOf("a")]);
    const { attachments } = connect({ ...home, get: async () => found });
    await expect(attachments.get(idOf("a"))).rejects.toMatchObject({ code: "attachment_damaged", message: expect.stringContaining(idOf("a")), details: { attachmentId: idOf("a"), home: "test home", problem } });
    await attachments.sweep(NEVER);
    await expectOrder(engine, home, ["a"]);
    expect((await store.attachments.get(idOf("a"))).bytes).toEqual(bytesOf("a"));
  });

  test("a write that is refused leaves no bytes (S-77)", async () => {
    const { store, engine, home } = storage();
    await store.sessions.commit(commitOf(S, await acquire(store, S), { releaseLease: true }));
    await store.sessions.delete(S);
    const rows = await keysOf(engine);
    await expect(store.turns.accept(acceptOf("alice", S, "t", { attachments: [image("a")] }))).rejects.toMatchObject({ code: "session_id_retired" });
    await acquire(store, "beta");
    expect(await store.turns.accept(acceptOf("bob", "beta", "t", { attachments: [image("a")] }))).toMatchObject({ kind: "busy" });
    await expectOrder(engine, home, []);
    expect((await keysOf(engine)).filter((key) => !key.includes("beta"))).toEqual(rows);
  });

  test("a home that fails fails the write, and nothing of it is left once it works again", async () => {
    const { engine, home, connect, store } = storage();
    const broken: AttachmentHome = { ...home, put: async () => Promise.reject(new Error("unplugged")), delete: async () => Promise.reject(new Error("unplugged")) };
    await expect(connect(broken).inputs.enqueue(inputDraft(S, "", { attachments: [image("a")] }))).rejects.toThrow("unplugged");
    expect(await store.inputs.listPending(S)).toEqual([]);
    expect(await store.attachments.sweep(NEVER)).toEqual({ scanned: 1, reclaimed: 1 });
    await expectOrder(engine, home, []);
  });
});

describe("races (C-46, S-79)", () => {
  test("two who put the same bytes at once keep them once, and both may rely on it", async () => {
    const { engine, home, connect } = storage();
    const hold = gate();
    const slow = connect(gated(home, "put", hold, "after"));
    const slower = keep(slow, "beta", "a");
    await hold.reached;
    await keep(connect(), S, "a");
    hold.open();
    await slower;
    await expectOrder(engine, home, ["a"]);
    await connect().sessions.delete(S);
    await connect().attachments.sweep(0);
    expect((await connect().attachments.get(idOf("a"))).bytes).toEqual(bytesOf("a"));
  });

  test.each(["before", "after"] as const)("bytes that a sweep takes %s they are written are put once more", async (when) => {
    const { engine, home, connect } = storage();
    const hold = gate();
    const putting = connect(gated(home, "put", hold, when)).inputs.enqueue(inputDraft(S, "", { attachments: [image("a")] }));
    await hold.reached;
    expect(await connect().attachments.sweep(NEVER)).toEqual({ scanned: 1, reclaimed: 1 });
    hold.open();
    await putting;
    await expectOrder(engine, home, ["a"]);
    expect((await connect().attachments.get(idOf("a"))).bytes).toEqual(bytesOf("a"));
  });

  test("a sweep that is about to delete bytes does not hit the same bytes put meanwhile", async () => {
    const { engine, home, connect, store } = storage();
    await keep(store, S, "a");
    const hold = gate();
    const sweeping = connect(gated(home, "delete", hold)).attachments.sweep(NEVER);
    await hold.reached;
    await expect(store.attachments.get(idOf("a"))).rejects.toMatchObject({ code: "attachment_not_found" });
    await keep(store, "beta", "a");
    hold.open();
    await sweeping;
    expect((await store.attachments.get(idOf("a"))).bytes).toEqual(bytesOf("a"));
    await expectOrder(engine, home, ["a"]);
  });

  test("bytes that a writer found there and a sweep then took are put anew", async () => {
    const { engine, home, connect, store } = storage();
    await keep(store, S, "a");
    const hold = gate();
    let reads = 0;
    // The writer's look for what is there already is its first read.
    const late: Engine = { ...bound(engine), read: async (body) => (reads++ > 0 ? engine.read(body) : engine.read(body).then(async (found) => (await hold.pass(), found))) };
    const putting = connect(home, late).inputs.enqueue(inputDraft("beta", "", { attachments: [image("a")] }));
    await hold.reached;
    expect(await store.attachments.sweep(NEVER)).toEqual({ scanned: 1, reclaimed: 1 });
    hold.open();
    await putting;
    await expectOrder(engine, home, ["a"]);
  });

  test("bytes that are deleted and put again while they are read are read, and not called damaged", async () => {
    const { home, connect, store } = storage();
    await keep(store, S, "a");
    const hold = gate();
    const reading = connect(gated(home, "get", hold)).attachments.get(idOf("a"));
    await hold.reached;
    await store.attachments.delete(idOf("a"));
    await store.attachments.put(bytesOf("a"), "image/png");
    hold.open();
    expect((await reading).bytes).toEqual(bytesOf("a"));
  });

  test("an intent that is recorded again is as young as a new one (S-79)", async () => {
    const { store, clock } = storage();
    await keep(store, S, "a");
    await clock.advance(100);
    await store.attachments.manifest.recordIntent(S, idOf("a"));
    expect(await store.attachments.sweep(clock.now() - 1)).toEqual({ scanned: 0, reclaimed: 0 });
  });

  test("what a session begins with outlives the session it came from; with what one that is gone held nothing begins (S-79, C-46)", async () => {
    const { store, engine, home } = storage();
    await store.sessions.commit(commitOf(S, await acquire(store, S), { releaseLease: true }));
    await keep(store, S, "a");
    expect(await store.sessions.begin(beginningOf("fork", { holder: S, attachmentIds: [idOf("a")] }))).toEqual({ kind: "created" });
    await store.sessions.delete(S);
    await expectOrder(engine, home, ["a"]);
    await expect(store.sessions.begin(beginningOf("another", { holder: S, attachmentIds: [idOf("a")] }))).rejects.toMatchObject({ code: "session_id_retired" });
    expect(await store.attachments.manifest.holds("another", idOf("a"))).toBe(false);
  });
});

const bound = (engine: Engine): Engine => ({ name: engine.name, durable: engine.durable, read: (body) => engine.read(body), write: (body) => engine.write(body), close: () => engine.close() });

describe("death at any engine call and any call of the home", () => {
  const operations: Readonly<Record<string, { readonly prepare?: (store: Persistence) => Promise<unknown>; readonly operate: (store: Persistence) => Promise<unknown>; readonly left: readonly string[] }>> = {
    "a put": { operate: (store) => keep(store, S, "a"), left: [] },
    "an accepted input": { operate: (store) => store.inputs.enqueue(inputDraft(S, "", { inputId: "i", sourceKey: "i", input: { items: [{ type: "image_ref", id: idOf("a") }, { type: "image_ref", id: idOf("b") }] }, attachments: [image("a"), image("b")] })), left: ["a", "b"] },
    "a sweep": { prepare: (store) => keep(store, S, "a"), operate: (store) => store.attachments.sweep(NEVER), left: [] },
    "the deletion of one of two sessions": {
      prepare: async (store) => {
        for (const id of [S, "beta"]) {
          await store.sessions.commit(commitOf(id, await acquire(store, id), { releaseLease: true }));
          for (const text of id === S ? ["a", "b"] : ["a"]) await keep(store, id, text);
          await store.attachments.manifest.commitRefs(id, [idOf("a"), idOf("b")]);
        }
      },
      operate: (store) => store.sessions.delete(S),
      left: ["a"],
    },
  };

  test.each(Object.entries(operations))("of %s never leaves a row without bytes; doing it again and a sweep leave nothing else (S-77, S-79, C-47)", async (_name, { prepare, operate, left }) => {
    const run = async (death: DeathPoint) => {
      const { engine, home, connect, store } = storage();
      await prepare?.(store);
      const process = new Mortal(engine, death);
      const operating = operate(connect(process.home(home), process.engine));
      await Promise.race([operating, process.died]);
      await setImmediate();
      return { engine, home, store, process };
    };
    const rehearsal = await run({ kind: "never" });
    const deaths: DeathPoint[] = crashPoints(rehearsal.process.engineCalls).map((crash) => ({ kind: "engine", crash }));
    for (const nth of rehearsal.process.passed.effect.keys()) deaths.push({ kind: "boundary", channel: "effect", nth: nth + 1 });
    expect(rehearsal.process.passed.effect.length).toBeGreaterThan(0);
    for (const death of deaths) {
      const { engine, home, store, process } = await run(death);
      expect(process.isDead).toBe(true);
      const { named, kept, loose } = await compare(engine, home);
      // Every header has its bytes, and all other bytes are known to some row.
      expect(named.filter((key) => !home.files.has(key))).toEqual([]);
      expect(kept.filter((key) => !named.includes(key) && !loose.includes(key))).toEqual([]);
      await operate(store);
      await store.attachments.sweep(NEVER);
      await store.attachments.sweep(NEVER);
      await expectOrder(engine, home, left);
    }
  });
});
