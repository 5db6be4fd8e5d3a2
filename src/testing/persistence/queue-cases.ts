import type { LeaseFence } from "../../stores/contract.ts";
import type { QueuedBatch, QueuedPayload, WorkClaim, WorkDraft } from "../../stores/ingress-contract.ts";
import { same } from "../assertions.ts";
import { accept, acquire, chain, command, commandDraft, commitOf, resultOf, rowsOf, silenceOf, wake, wakeDraft } from "../persistence-fixtures.ts";
import { dump, failsWith, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";
const join = { slotPolicy: "join" as const, mergeKey: "payload_default" as const };
const textOf = (payload: QueuedPayload): unknown =>
  payload.type === "process_wake" ? (payload.wake as { text: string }).text : payload.type === "session_command" ? payload.command.reason : payload.input.items;
const texts = (batches: readonly QueuedBatch[] | undefined): readonly unknown[] =>
  (batches ?? []).flatMap((batch) => batch.items.map(({ payload }) => textOf(payload)));
const claimed = (claim: WorkClaim | undefined): readonly unknown[] => texts(claim?.batches);
const at = (fence: LeaseFence, boundary: "idle" | "active_turn_checkpoint", max = 64, claimToken = "claim") => ({ fence, boundary, max, claimToken });

export const queueCases: readonly PersistenceCase[] = [
  {
    id: "C-13",
    title: "enqueueing under a queued source key gives back the first batch, whatever the payload (I-4); sessions are separate",
    async run({ connect, clock }) {
      const { queue } = await connect();
      const first = await queue.enqueue(wakeDraft(S, "one", { sourceKey: "k", payloads: [wake("one"), wake("two")], availableAtMs: 5 }));
      same(first.items, [wake("one"), wake("two")].map((payload, n) => ({ itemId: `${first.batchId}:item:${n}`, payload })), "items");
      same([first.batchId.slice(0, 4), first.enqueueSeq, first.enqueuedAtMs, first.mergeKey], ["qwb:", 1, clock.now(), "never"], "id, sequence, time, merge key");
      same(await queue.enqueue(commandDraft(S, "another", { sourceKey: "k" })), first, "the replay");
      await queue.enqueue(wakeDraft(S, "three"));
      const other = await queue.enqueue(wakeDraft("beta", "b", { sourceKey: "k" }));
      same([texts(await (await connect()).queue.list(S)), texts(await queue.list("beta"))], [["one", "two", "three"], ["b"]], "lists");
      same(other.batchId === first.batchId, false, "ids of two sessions are equal");
    },
  },
  {
    id: "I-8",
    title: "a batch holds payloads of one class, and at least one",
    async run({ connect, engine }) {
      const { queue } = await connect();
      await failsWith("store_backend", queue.enqueue(wakeDraft(S, "x", { payloads: [] })));
      await failsWith("store_backend", queue.enqueue(wakeDraft(S, "x", { payloads: [wake("x"), command("y")] })));
      same(await dump(engine), [], "rows");
    },
  },
  {
    id: "C-14",
    title: "only batches without live claim can be cancelled or are pending; abandon and lease release free them (I-14, I-40)",
    async run({ connect, clock }) {
      const store = await connect();
      const { queue } = store;
      const [a, b] = [await queue.enqueue(wakeDraft(S, "a", { sourceKey: "key" })), await queue.enqueue(wakeDraft(S, "b"))];
      const fence = await acquire(store, S);
      const claim = required(await queue.claimWork(at(fence, "idle")), "the claim");
      same([claimed(claim), texts(await queue.list(S)), texts(await queue.listPending(S))], [["a"], ["a", "b"], ["b"]], "claim, list, pending");
      same(await queue.cancel(S, a.batchId), undefined, "cancelling a claimed batch");
      await queue.abandon({ ...rowsOf(claim), claimToken: "stale" });
      same(texts(await queue.listPending(S)), ["b"], "pending after a stale abandon");
      await queue.abandon(rowsOf(claim));
      same(texts(await queue.listPending(S)), ["a", "b"], "pending after abandon");
      await queue.claimWork(at(fence, "idle"));
      await store.leases.release(fence);
      same(texts(await queue.listPending(S)), ["a", "b"], "pending after the lease was released");
      await queue.claimWork(at(await acquire(store, S), "idle"));
      same(texts(await queue.listPending(S)), ["b"], "pending under another lease");
      await clock.advance(30_000);
      same(texts(await queue.listPending(S)), ["a", "b"], "pending while that one seems to have expired");
      same(await queue.cancel(S, a.batchId), undefined, "cancelling what a holder may still have (SC-2)");
      await store.leases.release(await acquire(store, S, "bob", await silenceOf(store, S)));
      same([await queue.cancel(S, a.batchId), await queue.cancel(S, a.batchId)], [a, undefined], "cancel, and cancel again");
      same((await queue.enqueue(wakeDraft(S, "new", { sourceKey: "key" }))).enqueueSeq, 3, "the key is free, the sequence goes on");
      same(texts(await queue.list(S)), ["b", "new"], "list");
      same(b.enqueueSeq, 2, "sequence of the second");
    },
  },
  {
    id: "C-15",
    title: "a claim by exact ids takes the next group in order or nothing (I-22)",
    async run({ connect, engine }) {
      const store = await connect();
      const { queue } = store;
      const [a, b, c] = [await queue.enqueue(wakeDraft(S, "a", join)), await queue.enqueue(wakeDraft(S, "b", join)), await queue.enqueue(wakeDraft(S, "c", join))];
      const fence = await acquire(store, S);
      const by = (batchIds: readonly string[]) => queue.claimBatches({ fence, claimToken: "t", boundary: "idle", batchIds });
      const before = await dump(engine);
      for (const ids of [[b.batchId], [b.batchId, a.batchId], [a.batchId, c.batchId], ["unknown"], []]) same(await by(ids), undefined, ids.join());
      same(await dump(engine), before, "rows");
      same(claimed(await by([a.batchId, b.batchId])), ["a", "b"], "the head group");
    },
  },
  {
    id: "C-16",
    title: "a leading command blocks turn work and is claimed alone; a command behind turn work is not claimable",
    async run({ connect }) {
      const store = await connect();
      const { queue } = store;
      for (const draft of [commandDraft(S, "first"), commandDraft(S, "second"), wakeDraft(S, "work"), commandDraft(S, "late")]) await queue.enqueue(draft);
      const fence = await acquire(store, S);
      for (const [index, reason] of ["first", "second"].entries()) {
        same(await queue.claimWork(at(fence, "idle")), undefined, "turn work behind a command");
        const claim = required(await queue.claimCommand({ fence, claimToken: "t" }), "the command");
        same(claimed(claim), [reason], "the command");
        await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: index, completedWork: [rowsOf(claim)] }));
      }
      same(await queue.claimCommand({ fence, claimToken: "t" }), undefined, "a command behind turn work");
      same(claimed(await queue.claimWork(at(fence, "idle"))), ["work"], "turn work");
    },
  },
  {
    id: "C-17",
    title: "work for after the commit waits for idle and holds up what is behind it, until it is claimed (I-20)",
    async run({ connect }) {
      const store = await connect();
      const { queue } = store;
      await queue.enqueue(wakeDraft(S, "later", { deliveryPolicy: "after_current_turn_commit" }));
      await queue.enqueue(wakeDraft(S, "early"));
      const fence = await acquire(store, S);
      same(await queue.claimWork(at(fence, "active_turn_checkpoint")), undefined, "at a checkpoint");
      const first = required(await queue.claimWork(at(fence, "idle")), "at idle");
      same([claimed(first), first.fencingToken, first.claimId], [["later"], 1, "qwc:1:1"], "at idle");
      same(claimed(await queue.claimWork(at(fence, "active_turn_checkpoint"))), ["early"], "behind a claimed head");
      await queue.abandon(rowsOf(first));
      const again = required(await queue.claimWork(at(fence, "idle")), "again");
      same([claimed(again), again.fencingToken, again.claimId], [["later"], 2, "qwc:1:2"], "abandon and claim raise the fencing number (I-11)");
    },
  },
  {
    id: "C-18",
    title: "unready work is skipped, sessions are isolated, a successor claims again and its predecessor never does (I-10)",
    async run({ connect, clock }) {
      const store = await connect();
      const { queue } = store;
      await queue.enqueue(wakeDraft(S, "future", { availableAtMs: clock.now() + 1 }));
      for (const text of ["a", "b", "c"]) await queue.enqueue(wakeDraft(S, text, join));
      await queue.enqueue(wakeDraft("beta", "foreign"));
      const fence = await acquire(store, S);
      same(await queue.claimWork(at(fence, "idle", 0)), undefined, "a claim of at most 0");
      const claim = required(await queue.claimWork(at(fence, "idle", 2)), "the claim");
      same([claimed(claim), claim.sessionLeaseGeneration], [["a", "b"], fence.fencingToken], "a capped join");
      same(claimed(await queue.claimWork(at(fence, "idle", 2, "second"))), ["c"], "the rest, not its own rows");
      same(await queue.claimWork(at(fence, "idle")), undefined, "the same generation");
      await clock.advance(30_000);
      const successor = await acquire(store, S, "bob", await silenceOf(store, S));
      same(claimed(await queue.claimWork(at(successor, "idle"))), ["future"], "the row that became ready");
      const taken = required(await queue.claimWork(at(successor, "idle")), "the successor's claim");
      same([claimed(taken), taken.fencingToken, taken.owner.ownerId], [["a", "b", "c"], 2, "bob"], "the successor's claim");
      await failsWith("session_execution_lease_expired", queue.claimWork(at(fence, "idle")));
    },
  },
  {
    id: "C-19",
    title: "a join groups only neighbours with equal delivery policy and merge key; never groups with nothing (I-21)",
    async run({ connect }) {
      const store = await connect();
      const { queue } = store;
      const group = (name: string): Partial<WorkDraft> => ({ slotPolicy: "join", mergeKey: { group: name } });
      const drafts: readonly (readonly [string, Partial<WorkDraft>])[] = [
        ["g1", group("g")],
        ["g2", group("g")],
        ["h1", group("h")],
        ["g3", group("g")],
        ["g4", { ...group("g"), deliveryPolicy: "after_current_turn_commit" }],
        ["n1", { slotPolicy: "join" }],
        ["n2", { slotPolicy: "join", mergeKey: "never" }],
        ["d1", join],
        ["x1", { ...join, slotPolicy: "exclusive" }],
        ["d2", join],
        ["d3", join],
      ];
      for (const [text, overrides] of drafts) await queue.enqueue(wakeDraft(S, text, overrides));
      await queue.enqueue(commandDraft(S, "end", join));
      const fence = await acquire(store, S);
      for (const group of [["g1", "g2"], ["h1"], ["g3"], ["g4"], ["n1"], ["n2"], ["d1"], ["x1"], ["d2", "d3"]]) {
        same(claimed(await queue.claimWork(at(fence, "idle"))), group, "the next group");
      }
      same(await queue.claimWork(at(fence, "idle")), undefined, "work before a command");
    },
  },
  {
    id: "C-20",
    title: "a stale completion rejects the whole commit and keeps the batches; the valid one clears them (I-12)",
    async run({ connect, engine }) {
      const store = await connect();
      const { queue } = store;
      await queue.enqueue(wakeDraft(S, "a"));
      const old = required(await queue.claimWork(at(await acquire(store, S), "idle")), "the claim");
      const fence = await acquire(store, S, "bob", await silenceOf(store, S));
      const claim = required(await queue.claimWork(at(fence, "idle", 64, "bobs")), "the successor's claim");
      const before = await dump(engine);
      const stale = [rowsOf(old), { ...rowsOf(claim), claimToken: "x" }, { ...rowsOf(claim), sessionId: "beta" }, { ...rowsOf(claim), ids: ["unknown"] }];
      for (const rows of stale) {
        const error = await failsWith("queued_work_claim_superseded", store.sessions.commit(commitOf(S, fence, { nodes: chain(S, ["n"]), completedWork: [rows] })));
        same(error.details, { sessionId: rows.sessionId, claimId: rows.claimId }, "details");
      }
      same(await dump(engine), before, "rows");
      await store.sessions.commit(commitOf(S, fence, { completedWork: [rowsOf(claim)] }));
      same(await queue.list(S), [], "batches");
    },
  },
  {
    id: "C-21",
    title: "a wake that is enqueued again is claimed once and gone after completion",
    async run({ connect }) {
      const store = await connect();
      const { queue } = store;
      const draft = wakeDraft(S, "w", { sourceKey: "process:p:event:1:wake" });
      const first = await queue.enqueue(draft);
      const fence = await acquire(store, S);
      const claim = required(await queue.claimWork(at(fence, "active_turn_checkpoint")), "the claim");
      same([await queue.enqueue(draft), await queue.claimWork(at(fence, "idle"))], [first, undefined], "enqueue and claim again");
      await store.sessions.commit(commitOf(S, fence, { completedWork: [rowsOf(claim)] }));
      same(await queue.list(S), [], "batches");
    },
  },
  {
    id: "C-22a",
    title: "a stale completion with a turn stamp persists neither; the valid commit does all; its retry is identical",
    async run({ connect, engine }) {
      const store = await connect();
      const { queue } = store;
      await queue.enqueue(wakeDraft(S, "a"));
      const fence = await accept(store, S, "t");
      const claim = required(await queue.claimWork(at(fence, "active_turn_checkpoint")), "the claim");
      const commit = commitOf(S, fence, { nodes: chain(S, ["t:0"]), turn: { commitHash: "h", result: resultOf("t", "x"), modelCalls: [] }, completedWork: [rowsOf(claim)], releaseLease: true });
      const before = await dump(engine);
      await failsWith("queued_work_claim_superseded", store.sessions.commit({ ...commit, completedWork: [{ ...rowsOf(claim), claimToken: "x" }] }));
      same(await dump(engine), before, "rows");
      const result = await store.sessions.commit(commit);
      same([await queue.list(S), await store.turns.inFlight()], [[], []], "batches and turns in flight");
      same(await store.sessions.commit(commit), { ...result, replayed: true }, "the retry, whose claim is gone");
    },
  },
  {
    id: "C-32",
    title: "of owners that race for one batch at most one wins (C-33), and a lane without lease claims nothing",
    async run({ connect }) {
      const [one, two] = [await connect(), await connect()];
      const { batchId } = await one.queue.enqueue(wakeDraft(S, "a"));
      const fence = await acquire(one, S);
      const outcomes = await Promise.all([one, two].map(({ queue }, index) => queue.claimWork(at(fence, "idle", 64, `claim-${index}`))));
      same(outcomes.filter((claim) => claim !== undefined).map((claim) => claim.batches[0]?.batchId), [batchId], "winners");
      await one.leases.release(fence);
      await failsWith("session_execution_lease_expired", two.queue.claimCommand({ fence, claimToken: "t" }));
    },
  },
];
