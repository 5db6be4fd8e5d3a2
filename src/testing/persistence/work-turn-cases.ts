// Queued work that belongs to a turn in flight: what a drain was accepted with, and what checkpoints took (I-25..I-31).

import type { LeaseFence, Persistence, SessionCommit } from "../../stores/contract.ts";
import { workRowsOf } from "../../stores/ingress-contract.ts";
import { same } from "../assertions.ts";
import { accept, acceptOf, acquire, activeFor, claimBy, commandDraft, commitOf, config, fenceOf, inputDraft, resultOf, silenceOf, stepOf, wakeDraft } from "../persistence-fixtures.ts";
import { dump, failsWith, ofKind, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";
const T = "turn-1";
const queued = (owner: string, overrides: { readonly turnId?: string; readonly batchIds?: readonly string[] } = {}) => {
  const { machine, config, session } = acceptOf(owner, S, T);
  return { ...claimBy(owner, S), turnId: T, machine, config, session, claimToken: `claim-of-${owner}`, max: 64, ...overrides };
};
const at = (fence: LeaseFence, step: number) => stepOf(fence, T, step, { collect: { replayKey: `k${step}`, checkpoint: "after_work", claimToken: `token-${step}`, max: 64 } });
const ending = (): Partial<SessionCommit> => ({ turn: { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] }, interruptedTurnId: T, unlessInputWaits: "before_completion", releaseLease: true });
const regardless = (): Partial<SessionCommit> => {
  const { unlessInputWaits: _, ...ends } = ending();
  return ends;
};
const later = { deliveryPolicy: "after_current_turn_commit" } as const;
const textIn = (turn: { readonly input: { readonly causes?: readonly { readonly text: string }[] } }): readonly string[] => (turn.input.causes ?? []).map(({ text }) => text.split("\n").at(-1) ?? "");
const pending = async ({ queue }: Persistence): Promise<readonly number[]> => (await queue.listPending(S)).map(({ enqueueSeq }) => enqueueSeq);

export const workTurnCases: readonly PersistenceCase[] = [
  {
    id: "I-19",
    title: "an acceptance that takes no turn writes nothing: commands wait, the lane is held, another turn is in flight, the head has moved (P-4)",
    async run({ connect, engine }) {
      const store = await connect();
      const refused = async (kind: string, overrides: Parameters<typeof acceptOf>[3] = {}): Promise<void> => {
        const before = await dump(engine);
        same((await store.turns.accept(acceptOf("alice", S, T, overrides))).kind, kind, kind);
        same(await dump(engine), before, `rows after ${kind}`);
      };
      await store.queue.enqueue(commandDraft(S, "first"));
      await refused("commands_wait");
      const fence = await acquire(store, S, "bob");
      await refused("busy");
      const command = required(await store.queue.claimCommand({ fence, claimToken: "t" }), "the command");
      await store.sessions.commit(commitOf(S, fence, { completedWork: [workRowsOf(command)], releaseLease: true }));
      await refused("head_moved", { config: { value: config, madeFrom: 0 } });
      await store.leases.release(await accept(store, S, "other", "bob"));
      await refused("turn_in_flight");
    },
  },
  {
    id: "I-25",
    title: "a drain has its commands first only if they were queued before every input; then inputs come before turn work (I-26, I-27)",
    async run({ connect, clock, engine }) {
      const store = await connect();
      await store.queue.enqueue(commandDraft(S, "early"));
      await clock.advance(1);
      await store.inputs.enqueue(inputDraft(S, "said"));
      await store.queue.enqueue(wakeDraft(S, "woken"));
      const before = await dump(engine);
      same(await store.turns.acceptQueued(queued("alice")), { kind: "commands_wait" }, "a drain");
      same(await dump(engine), before, "rows");
      same([await store.turns.accept(acceptOf("alice", S, T)), await store.leases.current(S), await store.turns.inFlight(S)], [{ kind: "commands_wait" }, undefined, []], "a direct turn");
      const fence = await acquire(store, S);
      const command = required(await store.queue.claimCommand({ fence, claimToken: "t" }), "the command");
      await store.sessions.commit(commitOf(S, fence, { completedWork: [workRowsOf(command)] }));
      await store.queue.enqueue(commandDraft(S, "late"));
      const first = ofKind(await store.turns.acceptQueued(queued("alice")), "accepted");
      same([first.turn.input.items, first.turn.claims.map(({ lane }) => lane)], [[{ type: "text", text: "said" }], ["inputs"]], "inputs before work");
      await store.sessions.commit(commitOf(S, fenceOf(first.lease), { ...regardless(), expectedHeadRevision: 1, completedInputs: first.turn.claims.map(({ rows }) => rows) }));
      const second = ofKind(await store.turns.acceptQueued(queued("alice", { turnId: "w" })), "accepted");
      same([textIn(second.turn), second.turn.claims.map(({ lane }) => lane)], [["woken"], ["work"]], "work before the command behind it");
      same(second.turn, required(await (await connect()).turns.load(S, "w"), "the turn"), "as stored");
    },
  },
  {
    id: "I-22",
    title: "a drain of chosen batches takes just these if they are next, and leaves inputs alone; commands come before them in any case (I-25)",
    async run({ connect, engine }) {
      const store = await connect();
      const [a, b] = [await store.queue.enqueue(wakeDraft(S, "a")), await store.queue.enqueue(wakeDraft(S, "b"))];
      await store.inputs.enqueue(inputDraft(S, "said"));
      const before = await dump(engine);
      for (const batchIds of [[b.batchId], [b.batchId, a.batchId], ["unknown"]]) same(await store.turns.acceptQueued(queued("alice", { batchIds })), { kind: "nothing_queued" }, batchIds.join());
      same(await dump(engine), before, "rows");
      const { turn } = ofKind(await store.turns.acceptQueued(queued("alice", { batchIds: [a.batchId] })), "accepted");
      same([textIn(turn), turn.input.items], [["a"], []], "the turn");
      same((await store.inputs.listPending(S)).length, 1, "the input");
    },
  },
  {
    id: "I-31",
    title: "a step at a checkpoint claims a group of work that may enter the turn; the turn has it whatever becomes of the lease (I-20, T-55)",
    async run({ connect, clock }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const [batch] = [await store.queue.enqueue(wakeDraft(S, "a")), await store.queue.enqueue(wakeDraft(S, "b")), await store.queue.enqueue(wakeDraft(S, "z", later))];
      await store.inputs.enqueue(inputDraft(S, "said", { ingress: activeFor(T) }));
      const { claim, work } = ofKind(await store.turns.recordStep(at(fence, 1)), "recorded");
      same([claim?.inputs.length, work?.batches.map(({ batchId }) => batchId)], [1, [batch?.batchId]], "both lanes in one step");
      const mine = workRowsOf(required(work, "the claim"));
      same(required(await store.turns.load(S, T), "the turn").claims.map(({ lane }) => lane), ["inputs", "work"], "what the turn remembers");
      await clock.advance(30_000);
      same([await pending(store), await store.queue.cancel(S, batch?.batchId ?? "")], [[2, 3], undefined], "though the lease has expired, the turn has it");
      const next = fenceOf(ofKind(await store.turns.resume({ ...claimBy("bob", S, await silenceOf(store, S)), turnId: T }), "resumed").lease);
      same(await store.queue.claimed(mine), work?.batches, "the claim, read again");
      same(ofKind(await store.turns.recordStep(at(next, 2)), "recorded").work?.batches.map(({ enqueueSeq }) => enqueueSeq), [2], "what the turn has is not claimed again");
      same(ofKind(await store.turns.recordStep(at(next, 3)), "recorded"), { kind: "recorded" }, "work for after the commit");
      const claims = required(await store.turns.load(S, T), "the turn").claims;
      const rows = (lane: string) => claims.filter((each) => each.lane === lane).map((each) => each.rows);
      const done = await store.sessions.commit(commitOf(S, next, { ...ending(), completedInputs: rows("inputs"), completedWork: rows("work") }));
      same([done.leaves, (await store.queue.list(S)).map(({ enqueueSeq }) => enqueueSeq)], [true, [3]], "after the commit");
    },
  },
  {
    id: "T-57c",
    title: "a commit that yields to input yields to work that may enter its turn, and to no other (T-57, I-20)",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const waiting = await store.queue.enqueue(wakeDraft(S, "a"));
      const before = await dump(engine);
      same((await store.sessions.commit(commitOf(S, fence, ending()))).inputWaits, true, "outcome");
      same(await dump(engine), before, "rows");
      await store.queue.cancel(S, waiting.batchId);
      await store.queue.enqueue(wakeDraft(S, "z", later));
      same((await store.sessions.commit(commitOf(S, fence, ending()))).headRevision, 1, "with work for after it");
    },
  },
  {
    id: "I-33a",
    title: "work that a turn took and does not complete is free when the turn ends; settling completes what it names, all or nothing (I-12, OP-4)",
    async run({ connect, engine }) {
      const store = await connect();
      await store.queue.enqueue(wakeDraft(S, "a"));
      const fence = await accept(store, S, T);
      await store.turns.recordStep(at(fence, 1));
      same(await pending(store), [], "while the turn runs");
      await store.turns.settle({ fence, result: resultOf(T, "", { outcome: { stopped: "plugin_abort" } }) });
      same(await pending(store), [1], "after it");
      const { turn, lease } = ofKind(await store.turns.acceptQueued(queued("bob", { turnId: "w" })), "accepted");
      const [taken] = turn.claims.map(({ rows }) => rows);
      const before = await dump(engine);
      const settlement = { fence: fenceOf(lease), result: resultOf("w", "", { outcome: { stopped: "invalid_input" } }) };
      await failsWith("queued_work_claim_superseded", store.turns.settle({ ...settlement, completedWork: [{ ...required(taken, "the claim"), claimToken: "x" }] }));
      same(await dump(engine), before, "rows");
      await store.turns.settle({ ...settlement, completedWork: [required(taken, "the claim")] });
      same([await store.queue.list(S), await store.queue.isWaiting(S)], [[], false], "settled");
    },
  },
  {
    id: "I-55",
    title: "sessions in which something waits for a drain are found, also those that never ran; what a turn has is not waiting",
    async run({ connect, clock }) {
      const store = await connect();
      await store.queue.enqueue(wakeDraft("a", "x", { availableAtMs: clock.now() + 1 }));
      await store.inputs.enqueue(inputDraft("b", "x"));
      await store.queue.enqueue(commandDraft("c", "x"));
      await store.inputs.enqueue(inputDraft("d", "x", { ingress: activeFor("t") }));
      const { batchId } = await store.queue.enqueue(wakeDraft(S, "x"));
      same(await store.queue.waiting(), [S, "b", "c"], "sessions");
      ofKind(await store.turns.acceptQueued(queued("alice")), "accepted");
      await clock.advance(30_000);
      same([await store.queue.waiting(), await store.queue.isWaiting(S)], [["a", "b", "c"], false], "later");
      same([(await store.queue.find(S, batchId))?.batchId, await store.queue.find(S, "unknown")], [batchId, undefined], "found by id");
    },
  },
];
