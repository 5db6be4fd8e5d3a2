// Damaged and foreign rows: each is a typed error that names the key, never skipped (P-5, C-38, C-44).

import type { Json } from "../../domain/json.ts";
import { initialFrame } from "../../domain/session.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { Persistence } from "../../stores/contract.ts";
import { type Engine, type Key, prefixRange } from "../../stores/engine.ts";
import { same } from "../assertions.ts";
import {
  accept,
  acceptOf,
  acquire,
  chain,
  claimBy,
  commitOf,
  inputDraft,
  ledgerEntry,
  policy,
  resultOf,
  stepOf,
  textMessage,
  wakeDraft,
} from "../persistence-fixtures.ts";
import { failsWith, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";

/** A session with every kind of row: two commits, a turn that ended by commit, one that was settled, one in flight. */
async function fill(store: Persistence): Promise<void> {
  const fence = await accept(store, S, "t1");
  const turn = { commitHash: "h", result: resultOf("t1", "x"), modelCalls: [] };
  const frames = [initialFrame(S, policy, "2026-11-21T10:00:00.000Z")];
  await store.sessions.commit(
    commitOf(S, fence, { nodes: chain(S, ["t1:0", "own-id"]), frames, turn, usageDeltas: [ledgerEntry("m", 1, 1)], components: { toolState: { a: 1 } } }),
  );
  await store.turns.settle({ fence: await accept(store, S, "t2"), result: resultOf("t2", "", { outcome: { stopped: "invalid_input" } }) });
  const last = await accept(store, S, "t3");
  await store.turns.recordStep(stepOf(last, "t3", 1, { appended: [textMessage("m", "User", "x".repeat(4_000))], settled: [{ replayKey: "k", hash: "h", outcome: { ok: 1 } }] }));
  await store.turns.recordStep(stepOf(last, "t3", 2, { appended: [textMessage("n", "User", "y")] }));
  await store.inputs.enqueue(inputDraft(S, "ended", { inputId: "ended" }));
  await store.inputs.cancel(S, [{ kind: "input_id", value: "ended" }]);
  await store.inputs.enqueue(inputDraft(S, "waiting", { sourceKey: "k", attachments: [{ bytes: new Uint8Array([1]), mime: "image/png" }] }));
  await store.queue.enqueue(wakeDraft(S, "w", { sourceKey: "k" }));
  await store.environments.put("env", new Uint8Array([1]));
  await store.waits.open(S, "w");
}

const attachmentId = sha256Hex(new Uint8Array([1]));

const load = (store: Persistence): Promise<unknown> => store.sessions.load(S, { kind: "active_path" });
const readers: readonly (readonly [what: string, prefix: Key, read: (store: Persistence) => Promise<unknown>])[] = [
  ["head", ["s", S, 0, "head"], load],
  ["ledger", ["s", S, 0, "usage"], load],
  ["lease", ["s", S, 0, "lease"], (store) => store.leases.claim(claimBy("alice", S))],
  ["frame", ["s", S, 1], load],
  ["history", ["s", S, 2], load],
  ["history of a turn", ["s", S, 2], (store) => store.turns.settled(S, "t1")],
  ["stamp of a commit", ["s", S, 3, "t1"], (store) => store.turns.settled(S, "t1")],
  ["stamp of a settled turn", ["s", S, 3, "t2"], (store) => store.turns.accept(acceptOf("alice", S, "t2"))],
  ["node index", ["s", S, 4], (store) => store.sessions.loadNode(S, "own-id")],
  ["metadata", ["session", S], (store) => store.sessions.loadMeta(S)],
  ["turn in flight", ["turn", S, 0], (store) => store.turns.inFlight(S)],
  ["turn in flight, loaded", ["turn", S, 0], (store) => store.turns.load(S, "t3")],
  ["turn input", ["turn", S, 1], (store) => store.turns.load(S, "t3")],
  ["turn configuration", ["s", S, 0, "config"], (store) => store.turns.load(S, "t3")],
  ["turn step", ["turn", S, 2], (store) => store.turns.resume({ ...claimBy("alice", S), turnId: "t3" })],
  ["component", ["content", "component"], load],
  ["component piece", ["piece", "component"], load],
  ["waiting input", ["s", S, 6], (store) => store.inputs.listPending(S)],
  ["waiting input, by its key", ["s", S, 6], (store) => store.inputs.enqueue(inputDraft(S, "waiting", { sourceKey: "k" }))],
  ["ended input", ["s", S, 7], (store) => store.maintenance.vacuum(S)],
  ["index of inputs", ["s", S, 8, "ended"], (store) => store.inputs.cancel(S, [{ kind: "input_id", value: "ended" }])],
  ["index of inputs by source", ["s", S, 9], (store) => store.inputs.enqueue(inputDraft(S, "waiting", { sourceKey: "k" }))],
  ["queued batch", ["s", S, 10], (store) => store.queue.list(S)],
  ["index of batches by source", ["s", S, 12], (store) => store.queue.enqueue(wakeDraft(S, "w", { sourceKey: "k" }))],
  ["lane counters", ["s", S, 0, "lanes"], (store) => store.queue.enqueue(wakeDraft(S, "x"))],
  ["attachment manifest", ["s", S, 13], (store) => store.attachments.manifest.commitRefs(S, [attachmentId])],
  ["attachment intent", ["intent", S], (store) => store.attachments.manifest.listUncommitted(0)],
  ["attachment", ["content", "attachment"], (store) => store.attachments.get(attachmentId)],
  ["environment", ["content", "process_execution_env"], (store) => store.environments.get("env")],
  ["wait", ["wait", S], (store) => store.waits.peek(S, "w")],
];

async function overwrite(engine: Engine, prefix: Key, change: (value: unknown) => Json | undefined): Promise<Key> {
  return engine.write(async (tx) => {
    const [entry] = await tx.range(...prefixRange(prefix), { limit: 1 });
    const { key, value } = required(entry, `a row below ${JSON.stringify(prefix)}`);
    const changed = change(value);
    if (changed === undefined) tx.delete(key);
    else tx.set(key, changed);
    return key;
  });
}

const damaged: readonly PersistenceCase[] = readers.map(([what, prefix, read]) => ({
  id: "C-44",
  title: `a damaged row is stored_row_invalid with its key: ${what}`,
  async run({ connect, engine }) {
    const store = await connect();
    await fill(store);
    const key = await overwrite(engine, prefix, (value) => (isVersioned(value) ? { schemaVersion: 1, garbage: [true] } : "garbage"));
    const error = await failsWith("stored_row_invalid", read(store));
    // A piece is reported as damage of the content it belongs to.
    if (prefix[0] !== "piece") same(error.details["key"], key, "the key in details");
  },
}));

const isVersioned = (value: unknown): boolean => typeof value === "object" && value !== null && "schemaVersion" in value;

const missing: readonly PersistenceCase[] = (
  [
    ["history row behind a stamp", ["s", S, 2], (store) => store.turns.settled(S, "t1")],
    ["input of a turn in flight", ["turn", S, 1], (store) => store.turns.load(S, "t3")],
    ["step of a turn in flight", ["turn", S, 2], (store) => store.turns.load(S, "t3")],
    ["component of a head", ["content", "component"], load],
    ["piece of a component", ["piece", "component"], load],
    ["input behind an index", ["s", S, 6], (store) => store.inputs.cancel(S, [{ kind: "source_key", value: "k" }])],
    ["batch behind an index", ["s", S, 10], (store) => store.queue.enqueue(wakeDraft(S, "w", { sourceKey: "k" }))],
  ] as typeof readers
).map(([what, prefix, read]) => ({
  id: "C-44a",
  title: `a row that another one names and that is missing is stored_row_invalid: ${what}`,
  async run({ connect, engine }) {
    const store = await connect();
    await fill(store);
    await overwrite(engine, prefix, () => undefined);
    await failsWith("stored_row_invalid", read(store));
  },
}));

const versioned = (
  [
    // Records with messages, or with marks on them, know two versions (ME-1, ME-15); a turn in flight one more, since it can park.
    ["head", ["s", S, 0, "head"], load, 2],
    ["frame", ["s", S, 1], load, 1],
    ["history", ["s", S, 2], load, 2],
    ["turn in flight", ["turn", S, 0], (store) => store.turns.load(S, "t3"), 3],
  ] as readonly (readonly [...(typeof readers)[number], newest: number])[]
).map(
  ([what, prefix, read, newest]): PersistenceCase => ({
    id: "C-38",
    title: `a record without version, with a wrong one and with a newer one are three typed errors (P-57): ${what}`,
    async run({ connect, engine }) {
      const store = await connect();
      await fill(store);
      const versions: readonly (readonly [Json | undefined, string])[] = [
        [undefined, "missing_record_schema_version"],
        ["1", "invalid_record_schema_version"],
        [1.5, "invalid_record_schema_version"],
        [null, "invalid_record_schema_version"],
        [newest + 1, "unsupported_record_schema_version"],
        [0, "unsupported_record_schema_version"],
      ];
      for (const [version, code] of versions) {
        const key = await overwrite(engine, prefix, (value) => {
          const { schemaVersion: _, ...rest } = value as Record<string, Json>;
          return version === undefined ? rest : { ...rest, schemaVersion: version };
        });
        const { details } = await failsWith(code, read(store));
        same([details["key"], details["expected"], details["actual"]], [key, newest, code.startsWith("unsupported") ? version : undefined], code);
      }
    },
  }),
);

export const damageCases: readonly PersistenceCase[] = [
  ...damaged,
  ...missing,
  ...versioned,
  {
    id: "C-44b",
    title: "damaged nodes, messages and parts in a history row are found, wherever they are",
    async run({ connect, engine }) {
      const store = await connect();
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a"]) }));
      const nodes: readonly Json[] = [
        null,
        [],
        { i: "a" },
        { i: 1, role: "User", text: "x" },
        { i: "a", role: "Nobody", text: "x" },
        { i: "a", role: "User", text: 1 },
        { i: "a", role: "User", parts: {} },
        { i: "a", role: "User", parts: [null] },
        { i: "a", role: "User", parts: [{ kind: "Unheard", content: "" }] },
        { i: "a", role: "User", parts: [{ kind: "Text" }] },
        { i: "a", role: "User", parts: [{ kind: "Text", content: "", toolName: 1 }] },
        { i: "a", role: "User", parts: [{ kind: "Text", content: "", surprise: 1 }] },
        { i: "a", role: "User", parts: [{ kind: "Image", content: "", attachment: {} }] },
        { i: "a", role: "User", text: "x", origin: { kind: "unknown" } },
        { i: "a", role: "User", text: "x", m: 1 },
        { i: "a", role: "User", text: "x", p: 1 },
        { i: "a", role: "User", text: "x", f: 1 },
        { i: "a", role: "User", text: "x", t: 1 },
        { i: "a", plugin: 1, payload: null },
        { i: "a", plugin: "p" },
      ];
      for (const node of nodes) {
        await overwrite(engine, ["s", S, 2], () => ({ schemaVersion: 1, at: "t", nodes: [node] }));
        await failsWith("stored_row_invalid", load(store)).catch((error: unknown) => {
          throw new Error(`node ${JSON.stringify(node)}: ${String(error)}`, { cause: error });
        });
      }
    },
  },
  {
    id: "C-44c",
    title: "an error about a row does not quote what the row says (design 10)",
    async run({ connect, engine }) {
      const store = await connect();
      await fill(store);
      await overwrite(engine, ["s", S, 0, "head"], () => ({ schemaVersion: 1, revision: "secret-value" }));
      const error = await failsWith("stored_row_invalid", load(store));
      same(JSON.stringify([error.message, error]).includes("secret-value"), false, "the content in the error");
    },
  },
];
