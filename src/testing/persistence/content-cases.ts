import { sha256Hex } from "../../domain/sha256.ts";
import { emptyManifest } from "../../stores/persistence/attachments.ts";
import { same } from "../assertions.ts";
import { accept, acceptOf, acquire, commitOf, inputDraft, resultOf, stepOf, textMessage } from "../persistence-fixtures.ts";
import { dump, failsWith, type PersistenceCase, START_MS } from "./harness.ts";

const S = "alpha";
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export const contentCases: readonly PersistenceCase[] = [
  {
    id: "C-7",
    title: "intents are listed until a commit or commitRefs stamps them; forget drops an uncommitted one (P-44, P-15)",
    async run({ connect, clock, engine }) {
      const store = await connect();
      const { manifest } = store.attachments;
      for (const id of ["a", "b", "c"]) await manifest.recordIntent(S, id);
      const intent = (attachmentId: string) => ({ sessionId: S, attachmentId, intentAtMs: START_MS });
      same(await manifest.listUncommitted(START_MS), ["a", "b", "c"].map(intent), "all");
      same(await manifest.listUncommitted(START_MS - 1), [], "before the cutoff");
      await clock.advance(10);
      await manifest.recordIntent(S, "a");
      await store.sessions.commit(commitOf(S, await acquire(store, S), { committedAttachmentIds: ["a", "unknown"] }));
      await manifest.commitRefs(S, ["b"]);
      same(await (await connect()).attachments.manifest.listUncommitted(clock.now()), [intent("c")], "after two stamps");
      const before = await dump(engine);
      await clock.advance(10);
      await manifest.commitRefs(S, ["a", "b"]);
      same(await dump(engine), before, "rows after stamping again");
      await manifest.forget(S, "c");
      await manifest.forget(S, "a");
      const held = await Promise.all(["a", "b", "c", "unknown"].map((id) => manifest.holds(S, id)));
      same([await manifest.listUncommitted(clock.now()), held], [[], [true, true, false, false]], "after forget; committed rows stay");
      same(await manifest.holds("beta", "a"), false, "another session (S-80)");
    },
  },
  {
    id: "C-8",
    title: "a sweep reclaims only aged uncommitted intents, with their bytes (S-79)",
    async run({ connect, clock }) {
      const store = await connect();
      const { attachments } = store;
      const refs = await Promise.all(["aged", "committed", "recent"].map((text) => attachments.put(bytesOf(text), "text/plain")));
      const [aged = "", committed = "", recent = ""] = refs.map(({ id }) => id);
      await attachments.manifest.recordIntent(S, aged);
      await attachments.manifest.recordIntent(S, committed);
      await attachments.manifest.commitRefs(S, [committed]);
      await clock.advance(1_000);
      await attachments.manifest.recordIntent(S, recent);
      same(await attachments.sweep(clock.now() - 1), { scanned: 1, reclaimed: 1 }, "report");
      await failsWith("attachment_not_found", attachments.get(aged));
      for (const id of [committed, recent]) same((await attachments.get(id)).reference.id, id, "spared bytes");
      same(await attachments.sweep(clock.now() - 1), { scanned: 0, reclaimed: 0 }, "a second sweep");
    },
  },
  {
    id: "C-8a",
    title: "a sweep spares what a waiting input, an accepted turn, its log or its journal names (OP-25)",
    async run({ connect, clock }) {
      const store = await connect();
      const { attachments } = store;
      const image = (text: string) => ({ bytes: bytesOf(text), mime: "image/png" });
      const idOf = (text: string): string => sha256Hex(bytesOf(text));
      await store.turns.accept(acceptOf("alice", S, "t", { input: { items: [{ type: "image_ref", id: idOf("turn") }] }, attachments: [image("turn")] }));
      const fence = await accept(store, S, "t");
      for (const text of ["log", "journal", "unnamed"]) {
        await attachments.manifest.recordIntent(S, (await attachments.put(bytesOf(text), "image/png")).id);
      }
      const message = textMessage("m", "User", "x".repeat(4_000));
      const attachment = { reference: { id: idOf("log"), mime: "image/png", byteLength: 3 } };
      const appended = [{ ...message, parts: [...message.parts, { id: "m.p1", kind: "Image" as const, content: "", attachment }] }];
      await store.turns.recordStep(stepOf(fence, "t", 1, { appended }));
      await store.turns.recordStep(stepOf(fence, "t", 2, { settled: [{ replayKey: "k", hash: "h", outcome: { ok: { attachments: [idOf("journal")] } } }] }));
      await store.inputs.enqueue(inputDraft(S, "", { input: { items: [{ type: "image_ref", id: idOf("input") }] }, attachments: [image("input")] }));
      await clock.advance(10);
      same(await attachments.sweep(clock.now()), { scanned: 5, reclaimed: 1 }, "report");
      for (const text of ["turn", "log", "journal", "input"]) same((await attachments.get(idOf(text))).bytes, bytesOf(text), text);
      await store.turns.settle({ fence, result: resultOf("t", "", { outcome: { stopped: "invalid_input" } }) });
      same(await attachments.sweep(clock.now()), { scanned: 4, reclaimed: 3 }, "report once the turn has ended");
    },
  },
  {
    id: "C-9",
    title: "the empty manifest takes every call and keeps nothing",
    async run() {
      await emptyManifest.recordIntent(S, "a");
      await emptyManifest.commitRefs(S, ["a"]);
      await emptyManifest.forget(S, "a");
      same([await emptyManifest.listUncommitted(Number.MAX_SAFE_INTEGER), await emptyManifest.holds(S, "a")], [[], false], "contents");
    },
  },
  {
    id: "C-46",
    title: "the same bytes in two sessions survive the sweep and the deletion of one of them",
    async run({ connect, clock }) {
      const store = await connect();
      const { attachments } = store;
      const bytes = bytesOf("shared");
      const { id } = await attachments.put(bytes, "text/plain");
      await attachments.manifest.recordIntent(S, id);
      await clock.advance(10);
      await attachments.manifest.recordIntent("beta", id);
      await attachments.manifest.recordIntent("gamma", id);
      same(await attachments.sweep(START_MS), { scanned: 1, reclaimed: 1 }, "the sweep of alpha's intent");
      same((await attachments.get(id)).bytes, bytes, "the bytes");
      await store.sessions.delete("beta");
      same((await attachments.get(id)).bytes, bytes, "the bytes after deleting beta");
      same(await attachments.sweep(clock.now()), { scanned: 1, reclaimed: 1 }, "the last holder's sweep");
      await failsWith("attachment_not_found", attachments.get(id));
    },
  },
  {
    id: "C-52",
    title: "attachment bytes round-trip under the hash of what they say, at every size",
    async run({ connect, engine }) {
      const { attachments } = await connect();
      same(attachments.persistence, engine.durable ? "durable" : "ephemeral", "persistence");
      const large = new Uint8Array(9_000_001).map((_, index) => (index * 31) % 256);
      for (const bytes of [new Uint8Array(), bytesOf("hello"), large]) {
        const reference = await attachments.put(bytes, "image/png");
        same(reference, { id: sha256Hex(bytes), mime: "image/png", byteLength: bytes.length }, "reference");
        const before = await dump(engine);
        same((await attachments.put(bytes, "image/jpeg")).id, reference.id, "the same bytes again");
        same(await dump(engine), before, "rows after the same bytes again");
        const read = await attachments.get(reference.id);
        same([read.reference, read.bytes.length, sha256Hex(read.bytes)], [reference, bytes.length, reference.id], "what comes back");
        await attachments.delete(reference.id);
        await attachments.delete(reference.id);
        const error = await failsWith("attachment_not_found", attachments.get(reference.id));
        same(error.details, { attachmentId: reference.id }, "details");
      }
      same(await dump(engine), [], "rows after all were deleted");
    },
  },
  {
    id: "C-53",
    title: "environments, modules and artifacts overwrite, come back, and never meet under one reference (P-46)",
    async run({ connect }) {
      const store = await connect();
      same([await store.environments.get("r"), await store.artifacts.getModule("r"), await store.artifacts.getBytes("r")], [undefined, undefined, undefined], "unknown references");
      await store.environments.put("r", bytesOf("old and longer"));
      await store.environments.put("r", bytesOf("env"));
      await store.artifacts.putModule("r", { code: [1, null] });
      await store.artifacts.putBytes("r", bytesOf("raw"));
      const fresh = await connect();
      same([await fresh.environments.get("r"), await fresh.artifacts.getModule("r"), await fresh.artifacts.getBytes("r")], [bytesOf("env"), { code: [1, null] }, bytesOf("raw")], "contents");
      await store.artifacts.putModule("r", "another");
      same([await fresh.artifacts.getModule("r"), await fresh.environments.get("r")], ["another", bytesOf("env")], "after overwriting one");
    },
  },
  {
    id: "C-53a",
    title: "content whose pieces are missing is stored_row_invalid, not undefined (P-46)",
    async run({ connect, engine }) {
      const store = await connect();
      await store.environments.put("r", bytesOf("env"));
      await engine.write(async (tx) => {
        for (const { key } of await tx.range(["piece"], ["piecf"])) tx.delete(key);
      });
      await failsWith("stored_row_invalid", store.environments.get("r"));
    },
  },
];
