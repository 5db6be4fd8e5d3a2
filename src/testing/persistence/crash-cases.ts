// Dying at any engine call of any operation leaves the old state or the new one, nothing between (C-47, P-19).

import { initialFrame } from "../../domain/session.ts";
import type { Persistence } from "../../stores/contract.ts";
import { END, type Engine, type Entry, type Key } from "../../stores/engine.ts";
import { createPersistence } from "../../stores/persistence/index.ts";
import { rejectsWith, same } from "../assertions.ts";
import { crashPoints, faultyEngine } from "../faulty-engine.ts";
import { accept, acceptOf, acquire, chain, claimBy, commitOf, ledgerEntry, policy, resultOf, stepOf, textMessage } from "../persistence-fixtures.ts";
import { dump, type PersistenceCase } from "./harness.ts";

const S = "alpha";

interface Operation {
  readonly name: string;
  /** Brings the storage to where the operation makes sense, and gives the operation. */
  readonly prepare: (store: Persistence) => Promise<(store: Persistence) => Promise<unknown>>;
}

const operations: readonly Operation[] = [
  { name: "claim", prepare: async () => (store) => store.leases.claim(claimBy("alice", S)) },
  {
    name: "renew",
    prepare: async (store) => {
      const fence = await acquire(store, S);
      return ({ leases }) => leases.renew(fence, 60_000);
    },
  },
  {
    name: "release",
    prepare: async (store) => {
      const fence = await acquire(store, S);
      return ({ leases }) => leases.release(fence);
    },
  },
  { name: "accept", prepare: async () => (store) => store.turns.accept(acceptOf("alice", S, "t")) },
  {
    name: "resume",
    prepare: async (store) => {
      const dead = await accept(store, S, "t");
      return ({ turns }) => turns.resume({ ...claimBy("bob", S), turnId: "t", deadHolder: dead });
    },
  },
  {
    name: "recordStep",
    prepare: async (store) => {
      const fence = await accept(store, S, "t");
      await store.turns.recordStep(stepOf(fence, "t", 1, { appended: [textMessage("m", "User", "x")] }));
      return ({ turns }) => turns.recordStep(stepOf(fence, "t", 2, { appended: [textMessage("n", "User", "y".repeat(4_000))], issued: ["k"] }));
    },
  },
  {
    name: "settle",
    prepare: async (store) => {
      const fence = await accept(store, S, "t");
      await store.turns.recordStep(stepOf(fence, "t", 1, { appended: [textMessage("m", "User", "x".repeat(4_000))] }));
      return ({ turns }) => turns.settle({ fence, result: resultOf("t", "", { outcome: { stopped: "invalid_input" } }) });
    },
  },
  {
    name: "commit",
    prepare: async (store) => {
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a"]), usageDeltas: [ledgerEntry("m", 1, 1)], releaseLease: true }));
      const fence = await accept(store, S, "t");
      await store.turns.recordStep(stepOf(fence, "t", 1, { appended: [textMessage("m", "User", "x".repeat(4_000))] }));
      const commit = commitOf(S, fence, {
        expectedHeadRevision: 1,
        releaseLease: true,
        nodes: chain(S, ["t:0", "own"], "a"),
        frames: [initialFrame(S, policy, "2026-11-21T10:00:00.000Z")],
        components: { toolState: { n: 1 }, executionState: new Uint8Array([1, 2]) },
        usageDeltas: [ledgerEntry("m", 2, 2)],
        turn: { commitHash: "h", result: resultOf("t", "x"), modelCalls: [] },
      });
      return ({ sessions }) => sessions.commit(commit);
    },
  },
  {
    name: "saveMeta",
    prepare: async () => (store) =>
      store.sessions.saveMeta({ sessionId: S, sessionName: S, createdAt: "t", model: "m", relation: { kind: "root" } }),
  },
];

/** Makes the storage what `rows` say, and nothing else. */
async function restore(engine: Engine, rows: readonly Entry[]): Promise<void> {
  await engine.write(async (tx) => {
    for (const { key } of await tx.range([], [END])) tx.delete(key);
    for (const { key, value } of rows) tx.set(key as Key, value);
  });
}

export const crashCases: readonly PersistenceCase[] = operations.map(({ name, prepare }) => ({
  id: "C-47",
  title: `a crash at any engine call of ${name} leaves the old state or the new one, and the retry ends as usual`,
  async run({ connect, engine, clock }) {
    const operate = await prepare(await connect());
    const before = await dump(engine);
    const rehearsal = faultyEngine(engine);
    const expected = await operate(createPersistence(rehearsal, { clock }));
    const after = await dump(engine);
    same(rehearsal.calls.map((call) => call.kind), ["write"], "engine transactions of the operation");
    for (const crash of crashPoints(rehearsal.calls)) {
      await restore(engine, before);
      await rejectsWith("store_unavailable", operate(createPersistence(faultyEngine(engine, crash), { clock })), JSON.stringify(crash));
      same(await dump(engine), crash.when === "after" ? after : before, `rows after ${JSON.stringify(crash)}`);
      if (crash.when !== "before") continue;
      same(await operate(createPersistence(engine, { clock })), expected, "the answer of the retry");
      same(await dump(engine), after, "rows after the retry");
    }
  },
}));
