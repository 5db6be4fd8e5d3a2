import type { LeaseFence, Persistence } from "../../stores/contract.ts";
import type { CancelOutcome, CheckpointKind, PendingTurnInput } from "../../stores/ingress-contract.ts";
import { same } from "../assertions.ts";
import { accept, acquire, activeFor, commitOf, inputDraft, resultOf, rowsOf, silenceOf, wakeDraft } from "../persistence-fixtures.ts";
import { dump, failsWith, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";
const T = "turn-1";
const textsOf = (inputs: readonly PendingTurnInput[] | undefined): readonly string[] =>
  (inputs ?? []).map(({ input }) => input.items.map((item) => (item.type === "text" ? item.text : item.id)).join());
const pending = async ({ inputs }: Persistence): Promise<readonly string[]> => textsOf(await inputs.listPending(S));
const outcomesOf = (outcomes: readonly CancelOutcome[]): readonly string[] => outcomes.map(({ outcome }) => outcome);
const next = (fence: LeaseFence, max = 64, claimToken = "claim") => ({ fence, max, claimToken });
const active = (fence: LeaseFence, checkpoint: CheckpointKind = "after_work", turnId = T) => ({ ...next(fence), turnId, checkpoint });
const byId = (value: string) => ({ kind: "input_id" as const, value });
const bySource = (value: string) => ({ kind: "source_key" as const, value });

export const inputCases: readonly PersistenceCase[] = [
  {
    id: "C-23",
    title: "an input is admitted once per source key; other content conflicts; lists are ordered and per session (I-2, I-3)",
    async run({ connect, clock }) {
      const store = await connect();
      const { inputs } = store;
      const draft = inputDraft(S, "a", { sourceKey: "k", input: { items: [{ type: "text", text: "a" }], protocolTurnOptions: { x: 1 }, traceTurnId: "t" } });
      const first = await inputs.enqueue(draft);
      const { sessionId: _, ...rest } = draft;
      same(first, { ...rest, sessionId: S, inputId: first.inputId, enqueueSeq: 1, submittedIngress: draft.ingress, state: "deferred_next_turn", enqueuedAtMs: clock.now() }, "the record");
      same(first.inputId.slice(0, 3), "ti:", "its id");
      await clock.advance(5);
      same(await inputs.enqueue(draft), first, "the replay");
      const error = await failsWith("pending_turn_input_source_key_conflict", inputs.enqueue({ ...draft, input: { items: [] } }));
      same(error.details, { sessionId: S, sourceKey: "k", existingInputId: first.inputId }, "details");
      await failsWith("pending_turn_input_source_key_conflict", inputs.enqueue({ ...draft, ingress: activeFor(T) }));
      await inputs.enqueue(inputDraft(S, "b", { inputId: "own-id" }));
      await failsWith("pending_turn_input_source_key_conflict", inputs.enqueue(inputDraft(S, "c", { inputId: "own-id" })));
      await inputs.enqueue(inputDraft(S, "a"));
      await inputs.enqueue(inputDraft("beta", "foreign", { sourceKey: "k" }));
      same(await pending(await connect()), ["a", "b", "a"], "pending inputs");
    },
  },
  {
    id: "C-23a",
    title: "cancelled and completed inputs stay as tombstones and answer replays, until vacuum (P-42, P-49)",
    async run({ connect }) {
      const store = await connect();
      const { inputs } = store;
      const drafts = ["a", "b", "c"].map((text) => inputDraft(S, text, { sourceKey: text }));
      for (const draft of drafts) await inputs.enqueue(draft);
      same(outcomesOf(await inputs.cancel(S, [bySource("a"), bySource("a")])), ["cancelled", "already_cancelled"], "cancel");
      const fence = await acquire(store, S);
      const claim = required(await inputs.claimNext(next(fence, 1)), "the claim");
      await store.sessions.commit(commitOf(S, fence, { completedInputs: [rowsOf(claim)] }));
      same(outcomesOf(await inputs.cancel(S, [bySource("b")])), ["already_completed"], "cancelling a completed input");
      const states = await Promise.all(drafts.map(async (draft) => (await inputs.enqueue(draft)).state));
      same(states, ["cancelled", "completed", "deferred_next_turn"], "replays");
      same(await pending(store), ["c"], "pending inputs");
      same(await store.maintenance.vacuum(S), { removedNodeCount: 0, removedPendingTurnInputTombstoneCount: 2 }, "vacuum");
      same(outcomesOf(await inputs.cancel(S, [bySource("a"), bySource("b"), byId("unknown")])), ["not_found", "not_found", "not_found"], "after vacuum");
      same([(await inputs.enqueue(required(drafts[0], "a"))).enqueueSeq, await pending(store)], [4, ["c", "a"]], "the key is free, the sequence goes on (I-42)");
    },
  },
  {
    id: "C-23b",
    title: "a commit admits inputs with what else it writes, once per source key; a conflict leaves nothing of it (I-1, I-2)",
    async run({ connect }) {
      const store = await connect();
      const { inputs, sessions } = store;
      const draft = (text: string, sourceKey?: string) => ({ ingress: { scope: "next_turn" as const }, input: { items: [{ type: "text" as const, text }] }, ...(sourceKey && { sourceKey }) });
      const first = await inputs.enqueue(inputDraft(S, "a", { sourceKey: "k" }));
      const fence = await acquire(store, S);
      await failsWith("pending_turn_input_source_key_conflict", sessions.commit(commitOf(S, fence, { queuedInputs: [draft("b"), draft("other", "k")] })));
      same([await sessions.headRevision(S), await pending(store)], [0, ["a"]], "after the conflict");
      const { queuedInputs } = await sessions.commit(commitOf(S, fence, { queuedInputs: [draft("b"), draft("a", "k")] }));
      same(textsOf(queuedInputs), ["b", "a"], "what the commit tells");
      same(queuedInputs?.[1], first, "the one that was there");
      same([await sessions.headRevision(S), await pending(await connect())], [1, ["a", "b"]], "pending inputs");
    },
  },
  {
    id: "C-24",
    title: "bulk and suffix cancel answer every target in order, and see what they did before (I-39)",
    async run({ connect, engine }) {
      const store = await connect();
      const { inputs } = store;
      for (const text of ["early", "a", "steer", "b", "c"]) {
        await inputs.enqueue(inputDraft(S, text, { sourceKey: text, inputId: `id-${text}`, ...(text === "steer" && { ingress: activeFor(T) }) }));
      }
      const fence = await accept(store, S, T);
      const claim = required(await inputs.claimActive(active(fence)), "the claim");
      same(outcomesOf(await inputs.cancel(S, [bySource("a"), byId("gone"), byId("id-a"), byId("id-steer")])), ["cancelled", "not_found", "already_cancelled", "already_claimed"], "bulk");
      const before = await dump(engine);
      same(await inputs.cancelSuffix(S, bySource("gone")), { outcome: "anchor_not_found", data: { anchor: bySource("gone") } }, "unknown anchor");
      same(await dump(engine), before, "rows");
      const suffix = await inputs.cancelSuffix(S, byId("id-a"));
      const outcomes = suffix.outcome === "outcomes" ? suffix.data.outcomes : [];
      same(outcomesOf(outcomes), ["already_cancelled", "already_claimed", "cancelled", "cancelled"], "suffix");
      const claimedOne = required(outcomes[1], "the claimed input");
      same(claimedOne.outcome === "already_claimed" && claimedOne.data.claim, { state: "accepted", claimId: claim.claimId, claimOwner: claim.owner, claimFencingToken: 1 }, "diagnostics");
      same(await pending(store), ["early"], "earlier inputs");
    },
  },
  {
    id: "C-25",
    title: "a claim for the next turn hides its rows, can be handed back, and completes in a commit (I-11, I-12, I-15)",
    async run({ connect, engine }) {
      const store = await connect();
      const { inputs } = store;
      const bytes = new Uint8Array([1, 2, 3]);
      const { id } = await store.attachments.put(bytes, "image/png");
      const draft = inputDraft(S, "", { sourceKey: "k", input: { items: [{ type: "image_ref", id }] }, attachments: [{ bytes, mime: "image/png" }] });
      const admitted = await inputs.enqueue(draft);
      await inputs.enqueue(inputDraft(S, "second"));
      const fence = await acquire(store, S);
      const claim = required(await inputs.claimNext(next(fence)), "the claim");
      same([claim.mode, claim.claimId, textsOf(claim.inputs)], [{ kind: "next_turn" }, "tic:1:1", [id, "second"]], "the claim");
      same(claim.inputs[0], admitted, "a claimed input keeps its state (P-37)");
      same([await pending(store), outcomesOf(await inputs.cancel(S, [byId(admitted.inputId)]))], [[], ["already_claimed"]], "while claimed");
      same(await inputs.claimNext(next(fence)), undefined, "claiming again");
      await inputs.abandon(rowsOf(claim));
      same(await pending(store), [id, "second"], "after abandon");
      const again = required(await inputs.claimNext(next(fence, 1, "again")), "the second claim");
      same([again.claimId, again.fencingToken, textsOf(again.inputs)], ["tic:1:2", 2, [id]], "the second claim");
      const before = await dump(engine);
      const error = await failsWith("turn_input_claim_superseded", store.sessions.commit(commitOf(S, fence, { completedInputs: [rowsOf(claim)] })));
      same(error.details, { sessionId: S, claimId: claim.claimId }, "details");
      same(await dump(engine), before, "rows after a stale completion");
      await store.sessions.commit(commitOf(S, fence, { completedInputs: [rowsOf(again)] }));
      same((await inputs.enqueue(draft)).state, "completed", "its replay");
      same((await store.attachments.get(id)).bytes, bytes, "its bytes (P-42)");
      same(textsOf((await inputs.claimNext(next(fence)))?.inputs), ["second"], "what is left to claim");
    },
  },
  {
    id: "C-26",
    title: "inputs can be cancelled in every waiting state, and neither an interrupt nor a claim brings them back (I-38)",
    async run({ connect }) {
      const store = await connect();
      const { inputs } = store;
      await inputs.enqueue(inputDraft(S, "next", { sourceKey: "next" }));
      await inputs.enqueue(inputDraft(S, "active", { sourceKey: "active", ingress: activeFor(T) }));
      const fence = await accept(store, S, "other");
      await inputs.enqueue(inputDraft(S, "late", { sourceKey: "late", ingress: activeFor("other") }));
      await store.sessions.commit(commitOf(S, fence, { interruptedTurnId: "other" }));
      same(outcomesOf(await inputs.cancel(S, ["next", "active", "late"].map(bySource))), ["cancelled", "cancelled", "cancelled"], "cancel");
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, interruptedTurnId: T }));
      same([await inputs.claimNext(next(fence)), await inputs.claimActive(active(fence)), await pending(store)], [undefined, undefined, []], "claims and list");
    },
  },
  {
    id: "C-27",
    title: "a commit that ends a turn completes what it accepted and defers what still waits for it, in place (P-14, I-32)",
    async run({ connect }) {
      const store = await connect();
      const { inputs } = store;
      const steer = (text: string, turnId: string, boundary: CheckpointKind) => inputs.enqueue(inputDraft(S, text, { sourceKey: text, ingress: activeFor(turnId, boundary) }));
      await steer("taken", T, "after_work");
      const fence = await accept(store, S, T);
      const claim = required(await inputs.claimActive(active(fence)), "the claim");
      await steer("late-1", T, "after_work");
      await steer("late-2", T, "before_completion");
      await steer("foreign", "turn-2", "after_work");
      await inputs.enqueue(inputDraft(S, "young"));
      const turn = { commitHash: "h", result: resultOf(T, "x", { outcome: { stopped: "cancelled" } }), modelCalls: [] };
      await store.sessions.commit(commitOf(S, fence, { turn, completedInputs: [rowsOf(claim)], interruptedTurnId: T }));
      const listed = await inputs.listPending(S);
      same(textsOf(listed), ["late-1", "late-2", "foreign", "young"], "pending, by sequence");
      same(listed.map((input) => input.state), ["deferred_next_turn", "deferred_next_turn", "pending_active", "deferred_next_turn"], "states");
      same([listed[1]?.ingress, listed[1]?.submittedIngress], [{ scope: "next_turn" }, activeFor(T, "before_completion")], "ingress, now and submitted (I-7)");
      same((await steer("late-2", T, "before_completion")).state, "deferred_next_turn", "its replay is no conflict");
      const taken = required(await inputs.claimNext(next(fence)), "the next turn's claim");
      same(textsOf(taken.inputs), ["late-1", "late-2", "young"], "the next turn's claim");
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, completedInputs: [rowsOf(taken)] }));
      same(await pending(store), ["foreign"], "what is left");
    },
  },
  {
    id: "I-15",
    title: "a checkpoint takes the inputs of its turn whose boundary admits it; others do not block those behind them",
    async run({ connect, clock }) {
      const store = await connect();
      const { inputs } = store;
      await inputs.enqueue(inputDraft(S, "next"));
      await inputs.enqueue(inputDraft(S, "foreign", { ingress: activeFor("turn-2") }));
      await inputs.enqueue(inputDraft(S, "end", { ingress: activeFor(T, "before_completion") }));
      await inputs.enqueue(inputDraft(S, "work", { ingress: activeFor(T) }));
      const fence = await accept(store, S, T);
      const first = required(await inputs.claimActive(active(fence, "after_work")), "at after_work");
      same([textsOf(first.inputs), first.inputs[0]?.state], [["work"], "accepted"], "at after_work");
      same(textsOf((await inputs.claimActive(active(fence, "before_completion")))?.inputs), ["end"], "at before_completion");
      same(await inputs.claimActive(active(fence, "before_completion")), undefined, "the same generation again");
      await clock.advance(30_000);
      const successor = await acquire(store, S, "bob", await silenceOf(store, S));
      const again = required(await inputs.claimActive(active(successor, "before_completion")), "the successor");
      same([textsOf(again.inputs), again.fencingToken], [["end", "work"], 2], "accepted inputs are taken again under a newer generation (I-16)");
      same(await inputs.claimActive(active(successor, "before_completion", "turn-3")), undefined, "another turn");
      await inputs.abandon(rowsOf(again));
      same(textsOf(await inputs.listPending(S)), ["next", "foreign", "end", "work"], "after abandon they wait again (P-38)");
    },
  },
  {
    id: "C-40",
    title: "a commit with one valid and one stale completion leaves both claims as they were (P-4)",
    async run({ connect, engine }) {
      const store = await connect();
      await store.queue.enqueue(wakeDraft(S, "w"));
      await store.inputs.enqueue(inputDraft(S, "i"));
      const fence = await acquire(store, S);
      const work = required(await store.queue.claimWork({ ...next(fence), boundary: "idle" }), "work");
      const input = required(await store.inputs.claimNext(next(fence)), "input");
      const before = await dump(engine);
      const commit = (overrides: object) => store.sessions.commit(commitOf(S, fence, { completedWork: [rowsOf(work)], completedInputs: [rowsOf(input)], ...overrides }));
      await failsWith("turn_input_claim_superseded", commit({ completedInputs: [{ ...rowsOf(input), claimToken: "x" }] }));
      await failsWith("queued_work_claim_superseded", commit({ completedWork: [{ ...rowsOf(work), claimToken: "x" }] }));
      same(await dump(engine), before, "rows");
      await commit({});
      same([await store.queue.list(S), await pending(store)], [[], []], "after the valid commit");
    },
  },
  {
    id: "C-45a",
    title: "active inputs of turns that can no longer commit are deferred (P-43)",
    async run({ connect }) {
      const store = await connect();
      const { inputs } = store;
      for (const [text, turnId] of [["a", T], ["b", "turn-2"], ["c", "turn-3"]] as const) await inputs.enqueue(inputDraft(S, text, { ingress: activeFor(turnId) }));
      const old = await accept(store, S, T);
      await inputs.claimActive(active(old));
      await inputs.claimActive(active(old, "after_work", "turn-2"));
      const fence = await acquire(store, S, "bob", await silenceOf(store, S));
      await failsWith("session_execution_lease_expired", inputs.deferOrphaned(old, { kind: "all_but" }));
      await inputs.claimActive(active(fence, "after_work", "turn-3"));
      same(textsOf(await inputs.deferOrphaned(fence, { kind: "all_but", turnId: T })), ["b"], "all but the turn to resume and what is claimed");
      same(textsOf(await inputs.deferOrphaned(fence, { kind: "turn", turnId: "turn-3" })), ["c"], "one torn-down turn");
      same(textsOf(await inputs.deferOrphaned(fence, { kind: "all_but" })), ["a"], "all");
      same(textsOf((await inputs.claimNext(next(fence)))?.inputs), ["a", "b", "c"], "the next turn takes them in order");
    },
  },
  {
    id: "OP-4b",
    title: "settling a turn completes its inputs, defers its other active ones and frees every other claim (I-37)",
    async run({ connect, engine }) {
      const store = await connect();
      const { inputs, queue } = store;
      await inputs.enqueue(inputDraft(S, "poison"));
      await inputs.enqueue(inputDraft(S, "steer", { ingress: activeFor(T) }));
      await inputs.enqueue(inputDraft(S, "accepted", { ingress: activeFor(T) }));
      await queue.enqueue(wakeDraft(S, "w"));
      const fence = await accept(store, S, T);
      const claim = required(await inputs.claimNext(next(fence)), "the claim");
      await inputs.claimActive({ ...active(fence), max: 1 });
      await queue.claimWork({ ...next(fence), boundary: "idle" });
      const result = resultOf(T, "", { outcome: { stopped: "invalid_input" } });
      const before = await dump(engine);
      await failsWith("turn_input_claim_superseded", store.turns.settle({ fence, result, completedInputs: [{ ...rowsOf(claim), claimToken: "x" }] }));
      same(await dump(engine), before, "rows");
      await store.turns.settle({ fence, result, completedInputs: [rowsOf(claim)] });
      same([await pending(store), (await queue.listPending(S)).length], [["steer", "accepted"], 1], "what waits again");
      same((await inputs.listPending(S)).map((input) => input.state), ["deferred_next_turn", "deferred_next_turn"], "states");
    },
  },
  {
    id: "P-41",
    title: "large inputs survive claim, deferral and completion",
    async run({ connect }) {
      const store = await connect();
      const text = "x".repeat(9_000_000);
      const { inputId } = await store.inputs.enqueue(inputDraft(S, text, { ingress: activeFor(T) }));
      const fence = await accept(store, S, T);
      const sizes = (inputs: readonly PendingTurnInput[] | undefined) => textsOf(inputs).map((each) => each.length);
      same(sizes((await store.inputs.claimActive(active(fence)))?.inputs), [9_000_000], "claimed");
      same(sizes(await store.inputs.deferOrphaned(fence, { kind: "turn", turnId: T })), [9_000_000], "deferred");
      const outcomes = await store.inputs.cancel(S, [byId(inputId)]);
      same(sizes(outcomes.flatMap((outcome) => (outcome.outcome === "cancelled" ? [outcome.data] : []))), [9_000_000], "cancelled");
      await store.maintenance.vacuum(S);
      same(await store.inputs.listPending(S), [], "after vacuum");
    },
  },
];
