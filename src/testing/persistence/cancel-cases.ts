import type { TurnCancellation } from "../../domain/cancellation.ts";
import { same } from "../assertions.ts";
import { accept, acceptOf, chain, claimBy, commitOf, resultOf, silenceOf, snapshotAt, stepOf, textMessage } from "../persistence-fixtures.ts";
import { dump, failsWith, ofKind, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";
const request = (requestId: string): TurnCancellation => ({ requestId, origin: "lash", reason: `because of ${requestId}`, requestedAtMs: 7 });
const cancelled = { outcome: { stopped: "cancelled" } } as const;

export const cancelCases: readonly PersistenceCase[] = [
  {
    id: "OP-20",
    title: "a request needs no lease, stays with its turn from step to step and takeover to takeover, and the first one is kept",
    async run({ connect, clock }) {
      const [store, other] = [await connect(), await connect()];
      const fence = await accept(store, S, "t");
      same(await other.turns.cancellation(S, "t"), undefined, "before");
      same([await other.turns.requestCancel(S, "t", request("first")), await store.turns.requestCancel(S, "t", request("second"))], [{ status: "accepted" }, { status: "accepted" }], "answers");
      same(await store.turns.recordStep(stepOf(fence, "t", 1, { snapshot: snapshotAt("x") })), { kind: "recorded", cancellation: request("first") }, "what the next step is told");
      same((await store.turns.recordStep(stepOf(fence, "t", 2, { appended: [textMessage("m", "User", "x".repeat(9_000))] }))), { kind: "recorded", cancellation: request("first") }, "and the one after it");
      same([await other.turns.cancellation(S, "t"), await other.turns.cancellation(S, "u")], [request("first"), undefined], "read");
      await clock.advance(40_000);
      const resumed = ofKind(await other.turns.resume({ ...claimBy("bob", S, await silenceOf(other, S)), turnId: "t" }), "resumed");
      same([resumed.turn.cancellation, resumed.turn.recoveries], [request("first"), 1], "what a takeover is told");
    },
  },
  {
    id: "OP-20",
    title: "a commit that names no cancellation is refused once one is requested and writes nothing; the one that names it counts",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, "t");
      await store.turns.requestCancel(S, "t", request("r"));
      const before = await dump(engine);
      const commit = commitOf(S, fence, { nodes: chain(S, ["t:0"]), releaseLease: true });
      const finished = { ...commit, turn: { commitHash: "h", result: resultOf("t", "done"), modelCalls: [] } };
      same(await store.sessions.commit(finished), { headRevision: 0, replayed: false, cancelledBy: request("r") }, "the answer");
      same(await dump(engine), before, "rows");
      const result = resultOf("t", "", { ...cancelled, cancellation: request("r") });
      const yielded = { ...commit, turn: { commitHash: "c", result, modelCalls: [] } };
      same(required((await store.sessions.commit(yielded)).turn, "turn").cancellation, request("r"), "the result");
      same((await (await connect()).turns.settled(S, "t"))?.cancellation, request("r"), "the result as another connection reads it");
      same((await store.sessions.commit(yielded)).replayed, true, "the commit again");
      same([await store.turns.requestCancel(S, "t", request("r")), await store.turns.requestCancel(S, "t", request("late"))], [{ status: "accepted" }, { status: "completion_won" }], "asked again, and by somebody else");
    },
  },
  {
    id: "OP-20",
    title: "the first to write wins: after a commit or settlement the completion has, and an unknown or deleted turn is told so",
    async run({ connect }) {
      const store = await connect();
      const fence = await accept(store, S, "t");
      await store.sessions.commit(commitOf(S, fence, { nodes: chain(S, ["t:0"]), releaseLease: true, turn: { commitHash: "h", result: resultOf("t", "done"), modelCalls: [] } }));
      same(await store.turns.requestCancel(S, "t", request("r")), { status: "completion_won" }, "after the commit");
      const next = await accept(store, S, "u");
      same(await store.turns.requestCancel(S, "other", request("r")), { status: "unknown_turn" }, "another turn in flight");
      await store.turns.requestCancel(S, "u", request("r"));
      // What is wrong with an input is no less wrong because somebody wanted its turn to end.
      await store.turns.settle({ fence: next, result: resultOf("u", "", { outcome: { stopped: "invalid_input" } }) });
      same([await store.turns.requestCancel(S, "u", request("late")), await store.turns.cancellation(S, "u")], [{ status: "completion_won" }, undefined], "after a settlement");
      same(await store.turns.requestCancel("beta", "t", request("r")), { status: "unknown_turn" }, "a session nobody knows");
      await store.turns.accept(acceptOf("alice", S, "v"));
      await store.sessions.delete(S);
      same(await store.turns.requestCancel(S, "v", request("r")), { status: "unknown_turn" }, "a deleted session");
      await failsWith("session_binding_mismatch", (await connect({ sessionId: "beta" })).turns.requestCancel(S, "v", request("r")));
    },
  },
];
