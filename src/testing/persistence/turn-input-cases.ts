// Inputs that belong to a turn in flight: those it was accepted with, and those its checkpoints took (T-7, T-55, T-56).

import type { LeaseFence, Persistence, SessionCommit } from "../../stores/contract.ts";
import type { CheckpointKind, PendingTurnInput } from "../../stores/ingress-contract.ts";
import { same } from "../assertions.ts";
import { accept, acceptOf, activeFor, claimBy, commitOf, fenceOf, inputDraft, resultOf, rowsOf, silenceOf, stepOf } from "../persistence-fixtures.ts";
import { dump, failsWith, ofKind, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";
const T = "turn-1";
const textsOf = (inputs: readonly PendingTurnInput[] | undefined): readonly string[] =>
  (inputs ?? []).map(({ input }) => input.items.map((item) => (item.type === "text" ? item.text : item.id)).join());
const steer = ({ inputs }: Persistence, text: string, boundary: CheckpointKind = "after_work") => inputs.enqueue(inputDraft(S, text, { sourceKey: text, ingress: activeFor(T, boundary) }));
const at = (fence: LeaseFence, step: number, checkpoint: CheckpointKind = "after_work", replayKey = `k${step}`) => stepOf(fence, T, step, { collect: { replayKey, checkpoint, claimToken: `token-${step}`, max: 64 } });
const queued = (owner: string, turnId = T, max = 64) => {
  const { machine, config, session } = acceptOf(owner, S, turnId);
  return { ...claimBy(owner, S), turnId, machine, config, session, claimToken: `claim-of-${owner}`, max };
};
const ending = (): Partial<SessionCommit> => ({ turn: { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] }, interruptedTurnId: T, unlessInputWaits: "before_completion", releaseLease: true });

export const turnInputCases: readonly PersistenceCase[] = [
  {
    id: "T-56",
    title: "a step at a checkpoint claims in its own write, and its turn remembers the claim whoever drives it by then (I-16)",
    async run({ connect, clock, engine }) {
      const store = await connect();
      for (const [text, boundary] of [["end", "before_completion"], ["work", "after_work"]] as const) await steer(store, text, boundary);
      const fence = await accept(store, S, T);
      const first = required(ofKind(await store.turns.recordStep(at(fence, 1)), "recorded").claim, "the claim");
      same([textsOf(first.inputs), first.inputs[0]?.state, first.sessionLeaseGeneration], [["work"], "accepted", fence.fencingToken], "the claim");
      same(ofKind(await store.turns.recordStep(at(fence, 2)), "recorded"), { kind: "recorded" }, "a checkpoint without input");
      const claims = [{ lane: "inputs" as const, replayKey: "k1", rows: rowsOf(first) }];
      same(required(await (await connect()).turns.load(S, T), "the turn").claims, claims, "what the turn remembers");
      same(await store.inputs.claimed(rowsOf(first)), first.inputs, "the claim, read again");
      await failsWith("turn_input_claim_superseded", store.inputs.claimed({ ...rowsOf(first), claimToken: "x" }));
      const before = await dump(engine);
      await failsWith("turn_step_conflict", store.turns.recordStep(at(fence, 2)));
      same(await dump(engine), before, "rows after a step that was refused");

      await clock.advance(30_000);
      const resumed = ofKind(await store.turns.resume({ ...claimBy("bob", S, await silenceOf(store, S)), turnId: T }), "resumed");
      same([resumed.turn.claims, resumed.lease.fencingToken], [claims, fence.fencingToken + 1], "for the successor");
      const successor = fenceOf(resumed.lease);
      same(textsOf(ofKind(await store.turns.recordStep(at(successor, 3, "before_completion")), "recorded").claim?.inputs), ["end"], "what the turn has is not claimed again");
      await failsWith("session_execution_lease_expired", store.turns.recordStep(at(fence, 4)));
      const mine = required(await store.turns.load(S, T), "the turn").claims.map(({ rows }) => rows);
      await store.sessions.commit(commitOf(S, successor, { ...ending(), completedInputs: mine }));
      same((await store.inputs.cancel(S, ["end", "work"].map((value) => ({ kind: "source_key", value }) as const))).map(({ outcome }) => outcome), ["already_completed", "already_completed"], "after the commit");
    },
  },
  {
    id: "T-57",
    title: "a commit that yields to input writes nothing while some waits for its turn, and defers what the turn does not complete (I-32)",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      await store.inputs.enqueue(inputDraft(S, "next"));
      await store.inputs.enqueue(inputDraft(S, "foreign", { ingress: activeFor("turn-2") }));
      await steer(store, "late", "before_completion");
      const before = await dump(engine);
      same(await store.sessions.commit(commitOf(S, fence, ending())), { headRevision: 0, replayed: false, inputWaits: true }, "outcome");
      same(await dump(engine), before, "rows");
      const claim = required(ofKind(await store.turns.recordStep(at(fence, 1, "before_completion")), "recorded").claim, "the claim");
      await steer(store, "later");
      const { unlessInputWaits: _, ...regardless } = ending();
      same((await store.sessions.commit(commitOf(S, fence, { ...ending(), completedInputs: [rowsOf(claim)] }))).inputWaits, true, "once more");
      same((await store.sessions.commit(commitOf(S, fence, { ...regardless, completedInputs: [rowsOf(claim)] }))).headRevision, 1, "a commit that does not yield");
      same((await store.inputs.listPending(S)).map(({ state, input }) => [textsOf([{ input } as PendingTurnInput])[0], state]), [["next", "deferred_next_turn"], ["foreign", "pending_active"], ["later", "deferred_next_turn"]], "what waits");
    },
  },
  {
    id: "I-33",
    title: "what a turn accepted and its commit does not complete was never said in it, and waits for the next one",
    async run({ connect }) {
      const store = await connect();
      await steer(store, "taken");
      const fence = await accept(store, S, T);
      await store.turns.recordStep(at(fence, 1));
      same((await store.sessions.commit(commitOf(S, fence, ending()))).headRevision, 1, "the commit, which does not yield to what its turn has");
      same((await store.inputs.listPending(S)).map(({ state }) => state), ["deferred_next_turn"], "the input");
    },
  },
  {
    id: "T-7",
    title: "accepting what waits is one write: lane, inputs in order, turn; an empty one writes nothing (T-82, I-24, I-29)",
    async run({ connect, clock, engine }) {
      const store = await connect();
      const empty = await dump(engine);
      same(await store.turns.acceptQueued(queued("alice")), { kind: "nothing_queued" }, "with nothing");
      same(await dump(engine), empty, "rows");
      await store.inputs.enqueue(inputDraft(S, "a"));
      await store.inputs.enqueue({ ...inputDraft(S, "b"), input: { items: [{ type: "image_ref", id: "i" }, { type: "text", text: "b" }], protocolTurnOptions: { n: 1 } } });
      await steer(store, "other");
      await store.inputs.enqueue({ ...inputDraft(S, "c"), input: { items: [{ type: "text", text: "c" }], protocolTurnOptions: { n: 2 } } });
      await store.inputs.enqueue(inputDraft(S, "d"));
      const accepted = ofKind(await store.turns.acceptQueued(queued("alice", "q", 3)), "accepted");
      same(accepted.turn.input, { items: [{ type: "text", text: "a" }, { type: "image_ref", id: "i" }, { type: "text", text: "b\n\nc" }], protocolTurnOptions: { n: 1 } }, "the input");
      same(accepted.turn, required(await (await connect()).turns.load(S, "q"), "the turn"), "as stored");
      same([accepted.turn.claims.length, accepted.turn.claims[0]?.replayKey, accepted.turn.claims[0]?.rows.ids.length], [1, undefined, 3], "its claim");
      same(textsOf(await store.inputs.listPending(S)), ["other", "d"], "what waits");
      const before = await dump(engine);
      same(ofKind(await store.turns.acceptQueued(queued("bob", "r")), "busy").holder, accepted.lease, "a held lane");
      await clock.advance(30_000);
      const silence = await silenceOf(store, S);
      same(await store.turns.acceptQueued({ ...queued("bob", "r"), ...silence }), { kind: "turn_in_flight", turnId: "q" }, "another drain");
      same(await dump(engine), before, "rows");
      const [taken] = accepted.turn.claims;
      same((await store.inputs.cancel(S, [{ kind: "input_id", value: taken?.rows.ids[0] ?? "" }]))[0]?.outcome, "already_claimed", "though its lease has expired, the turn has it");
      const again = ofKind(await store.turns.acceptQueued({ ...queued("bob", "q"), ...silence }), "accepted");
      same([again.turn.claims, again.turn.recoveries], [accepted.turn.claims, 1], "attached to");
      await store.inputs.abandon(required(taken, "the claim").rows);
      same((await store.inputs.listPending(S)).map(({ state }) => state), ["deferred_next_turn", "deferred_next_turn", "pending_active", "deferred_next_turn", "deferred_next_turn"], "handed back");
    },
  },
  {
    id: "I-7",
    title: "an input for whatever turn runs is tied to the one in flight, one for a turn that has ended waits for the next; replays compare what was asked for",
    async run({ connect }) {
      const store = await connect();
      const { inputs } = store;
      const whatever = (text: string) => inputDraft(S, text, { sourceKey: text, ingress: { scope: "active_turn", minBoundary: "after_work" } });
      same((await inputs.enqueue(whatever("none"))).ingress, { scope: "next_turn" }, "no turn");
      const fence = await accept(store, S, T);
      const tied = await inputs.enqueue(whatever("tied"));
      same([tied.ingress, tied.submittedIngress, tied.state], [activeFor(T), { scope: "active_turn", minBoundary: "after_work" }, "pending_active"], "tied");
      same(await inputs.enqueue(whatever("tied")), tied, "its replay");
      await failsWith("pending_turn_input_source_key_conflict", inputs.enqueue({ ...whatever("tied"), ingress: activeFor(T) }));
      await store.turns.settle({ fence, result: resultOf(T, "", { outcome: { stopped: "invalid_input" } }) });
      const deferred = await inputs.enqueue(whatever("tied"));
      same([deferred.state, deferred.submittedIngress], ["deferred_next_turn", tied.submittedIngress], "its replay after the turn");
      const late = await steer(store, "late");
      same([late.ingress, late.submittedIngress, late.state], [{ scope: "next_turn" }, activeFor(T), "deferred_next_turn"], "for a turn that has ended");
      same((await inputs.enqueue(inputDraft(S, "early", { ingress: activeFor("turn-2") }))).state, "pending_active", "for a turn to come");
    },
  },
];
