// Dying at any engine call of any operation leaves the old state or the new one, nothing between (C-47, P-19).

import { initialFrame } from "../../domain/session.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { Persistence } from "../../stores/contract.ts";
import { END, type Engine, type Entry, type Key } from "../../stores/engine.ts";
import { createPersistence } from "../../stores/persistence/index.ts";
import { rejectsWith, same } from "../assertions.ts";
import { crashPoints, faultyEngine } from "../faulty-engine.ts";
import {
  accept,
  acceptOf,
  acquire,
  beginningOf,
  activeFor,
  chain,
  claimBy,
  commitOf,
  inputDraft,
  ledgerEntry,
  park,
  policy,
  resultOf,
  rowsOf,
  stepOf,
  textMessage,
  wakeDraft,
} from "../persistence-fixtures.ts";
import { dump, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";

interface Operation {
  readonly name: string;
  /** Brings the storage to where the operation makes sense, and gives the operation. */
  readonly prepare: (store: Persistence) => Promise<(store: Persistence) => Promise<unknown>>;
  /** Engine transactions it takes; default one write. */
  readonly calls?: readonly ("read" | "write")[];
}

const claiming = ["read", "write"] as const;
const image = { bytes: new Uint8Array([1, 2, 3]), mime: "image/png" };

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
    name: "park",
    prepare: async (store) => {
      const fence = await accept(store, S, "t");
      await store.turns.recordStep(stepOf(fence, "t", 1, { appended: [textMessage("m", "User", "x".repeat(4_000))] }));
      return ({ turns }) => turns.park({ ...stepOf(fence, "t", 2, { appended: [textMessage("n", "User", "y")] }), until: { waits: ["w"], dueAtMs: 9e12 } });
    },
  },
  {
    name: "resume of a parked turn",
    prepare: async (store) => {
      await park(store, S, "t");
      return ({ turns }) => turns.resume({ ...claimBy("bob", S), turnId: "t" });
    },
  },
  {
    name: "resolve of what a parked turn waits for",
    prepare: async (store) => {
      await park(store, S, "t");
      return ({ waits }) => waits.resolve(S, "w", { status: "timeout" });
    },
  },
  {
    name: "requestCancel of a parked turn",
    prepare: async (store) => {
      await park(store, S, "t");
      return ({ turns }) => turns.requestCancel(S, "t", { requestId: "r", origin: "lash", reason: "why", requestedAtMs: 1 });
    },
  },
  {
    name: "the ready queues, where one is empty by now",
    calls: ["read", "read", "write"],
    prepare: async (store) => {
      await store.queue.ready();
      const { batchId } = await store.queue.enqueue(wakeDraft(S, "x"));
      await store.queue.cancel(S, batchId);
      return ({ queue }) => queue.ready();
    },
  },
  {
    name: "requestCancel",
    prepare: async (store) => {
      const fence = await accept(store, S, "t");
      await store.turns.recordStep(stepOf(fence, "t", 1, { appended: [textMessage("m", "User", "x".repeat(4_000))] }));
      return ({ turns }) => turns.requestCancel(S, "t", { requestId: "r", origin: "lash", reason: "why", requestedAtMs: 1 });
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
  { name: "create", prepare: async () => (store) => store.sessions.create({ sessionId: S, relation: { kind: "root" }, model: "m" }) },
  {
    name: "begin",
    prepare: async (store) => {
      await store.sessions.commit(commitOf("source", await acquire(store, "source"), { components: { toolState: { n: 1 } }, releaseLease: true }));
      const { componentRefs } = required(await store.sessions.load("source", { kind: "active_path" }), "source");
      const beginning = beginningOf(S, { holder: "source", nodes: chain(S, ["a", "b"]), componentRefs, attachmentIds: [sha256Hex(image.bytes)] });
      // Asked again it is there: the answer of the retry does not count.
      return async ({ sessions }) => void (await sessions.begin(beginning));
    },
  },
  {
    name: "delete",
    prepare: async (store) => {
      await store.inputs.enqueue(inputDraft(S, "i", { attachments: [image] }));
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a"]), releaseLease: true }));
      await accept(store, S, "t");
      // Idempotent, and the second call says so: the answer of the retry does not count.
      return async ({ sessions }) => void (await sessions.delete(S));
    },
  },
  {
    name: "commit with claims",
    prepare: async (store) => {
      await store.inputs.enqueue(inputDraft(S, "i", { attachments: [image] }));
      await store.inputs.enqueue(inputDraft(S, "late", { ingress: activeFor("t") }));
      await store.queue.enqueue(wakeDraft(S, "w", { sourceKey: "k" }));
      const fence = await accept(store, S, "t");
      const input = required(await store.inputs.claimNext({ fence, claimToken: "c", max: 1 }), "input");
      const work = required(await store.queue.claimWork({ fence, claimToken: "c", max: 1, boundary: "idle" }), "work");
      const commit = commitOf(S, fence, {
        releaseLease: true,
        completedInputs: [rowsOf(input)],
        completedWork: [rowsOf(work)],
        interruptedTurnId: "t",
        committedAttachmentIds: [sha256Hex(image.bytes)],
        turn: { commitHash: "h", result: resultOf("t", "x"), modelCalls: [] },
      });
      return async ({ sessions }) => (await sessions.commit(commit)).turn;
    },
  },
  { name: "inputs.enqueue", prepare: async () => (store) => store.inputs.enqueue(inputDraft(S, "i", { sourceKey: "k", attachments: [image] })) },
  {
    name: "inputs.claimActive",
    calls: claiming,
    prepare: async (store) => {
      for (const text of ["a", "b"]) await store.inputs.enqueue(inputDraft(S, text, { ingress: activeFor("t") }));
      const fence = await accept(store, S, "t");
      return ({ inputs }) => inputs.claimActive({ fence, claimToken: "c", max: 64, turnId: "t", checkpoint: "after_work" });
    },
  },
  {
    name: "inputs.abandon",
    prepare: async (store) => {
      for (const text of ["a", "b"]) await store.inputs.enqueue(inputDraft(S, text));
      const claim = required(await store.inputs.claimNext({ fence: await acquire(store, S), claimToken: "c", max: 64 }), "claim");
      return ({ inputs }) => inputs.abandon(rowsOf(claim));
    },
  },
  {
    name: "inputs.cancelSuffix",
    prepare: async (store) => {
      for (const text of ["a", "b", "c"]) await store.inputs.enqueue(inputDraft(S, text, { sourceKey: text }));
      return ({ inputs }) => inputs.cancelSuffix(S, { kind: "source_key", value: "b" });
    },
  },
  {
    name: "inputs.deferOrphaned",
    prepare: async (store) => {
      for (const text of ["a", "b"]) await store.inputs.enqueue(inputDraft(S, text, { ingress: activeFor("t") }));
      const fence = await acquire(store, S);
      return ({ inputs }) => inputs.deferOrphaned(fence, { kind: "all_but" });
    },
  },
  { name: "queue.enqueue", prepare: async () => (store) => store.queue.enqueue(wakeDraft(S, "w", { sourceKey: "k" })) },
  {
    name: "queue.claimWork",
    calls: claiming,
    prepare: async (store) => {
      for (const text of ["a", "b"]) await store.queue.enqueue(wakeDraft(S, text, { slotPolicy: "join", mergeKey: "payload_default" }));
      const fence = await acquire(store, S);
      return ({ queue }) => queue.claimWork({ fence, claimToken: "c", max: 64, boundary: "idle" });
    },
  },
  {
    name: "queue.cancel",
    prepare: async (store) => {
      const { batchId } = await store.queue.enqueue(wakeDraft(S, "w", { sourceKey: "k" }));
      return ({ queue }) => queue.cancel(S, batchId);
    },
  },
  {
    name: "acceptQueued with work",
    prepare: async (store) => {
      for (const text of ["a", "b"]) await store.queue.enqueue(wakeDraft(S, text, { slotPolicy: "join", mergeKey: "payload_default" }));
      const { machine, config, session } = acceptOf("alice", S, "t");
      return ({ turns }) => turns.acceptQueued({ ...claimBy("alice", S), turnId: "t", machine, config, session, claimToken: "c", max: 64 });
    },
  },
  {
    name: "collect",
    calls: claiming,
    prepare: async (store) => {
      const fence = await accept(store, S, "t");
      await store.queue.enqueue(wakeDraft(S, "w"));
      await store.inputs.enqueue(inputDraft(S, "i", { ingress: activeFor("t") }));
      return ({ turns }) => turns.collect(fence, "t", { replayKey: "k", checkpoint: "after_work", claimToken: "c", max: 64 });
    },
  },
  { name: "attachments.put", prepare: async () => (store) => store.attachments.put(image.bytes, image.mime) },
  {
    name: "attachments.sweep",
    calls: claiming,
    prepare: async (store) => {
      const { id } = await store.attachments.put(image.bytes, image.mime);
      await store.attachments.manifest.recordIntent(S, id);
      return ({ attachments }) => attachments.sweep(Number.MAX_SAFE_INTEGER);
    },
  },
  {
    name: "environments.put",
    prepare: async (store) => {
      await store.environments.put("r", image.bytes);
      return ({ environments }) => environments.put("r", new Uint8Array([9]));
    },
  },
  {
    name: "tombstoneNodes",
    prepare: async (store) => {
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a", "b", "c"]) }));
      return ({ maintenance }) => maintenance.tombstoneNodes(S, ["a", "b"]);
    },
  },
  {
    name: "vacuum",
    prepare: async (store) => {
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a", "b", "c"]) }));
      await store.maintenance.tombstoneNodes(S, ["a", "b"]);
      await store.inputs.enqueue(inputDraft(S, "i", { sourceKey: "k" }));
      await store.inputs.cancel(S, [{ kind: "source_key", value: "k" }]);
      return ({ maintenance }) => maintenance.vacuum(S);
    },
  },
  {
    name: "gcUnreachable",
    prepare: async (store) => {
      const fence = await acquire(store, S);
      await store.sessions.commit(commitOf(S, fence, { components: { toolState: 1, pluginSnapshot: 2 } }));
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, components: { toolState: 3, pluginSnapshot: null } }));
      return ({ maintenance }) => maintenance.gcUnreachable();
    },
  },
];

/** Makes the storage what `rows` say, and nothing else. */
async function restore(engine: Engine, rows: readonly Entry[]): Promise<void> {
  await engine.write(async (tx) => {
    for (const { key } of await tx.range([], [END])) tx.delete(key);
    for (const { key, value } of rows) tx.set(key as Key, value);
  });
}

export const crashCases: readonly PersistenceCase[] = operations.map(({ name, prepare, calls = ["write"] }) => ({
  id: "C-47",
  title: `a crash at any engine call of ${name} leaves the old state or the new one, and the retry ends as usual`,
  async run({ connect, engine, clock }) {
    const operate = await prepare(await connect());
    const before = await dump(engine);
    const rehearsal = faultyEngine(engine);
    const expected = await operate(createPersistence(rehearsal, { clock }));
    const after = await dump(engine);
    same(rehearsal.calls.map((call) => call.kind), calls, "engine transactions of the operation");
    for (const crash of crashPoints(rehearsal.calls)) {
      await restore(engine, before);
      await rejectsWith("store_unavailable", operate(createPersistence(faultyEngine(engine, crash), { clock })), JSON.stringify(crash));
      same(await dump(engine), crash.when === "after" ? after : before, `rows after ${JSON.stringify(crash)}`);
      if (crash.when !== "before" || crash.call !== calls.length) continue;
      same(await operate(createPersistence(engine, { clock })), expected, "the answer of the retry");
      same(await dump(engine), after, "rows after the retry");
    }
  },
}));
