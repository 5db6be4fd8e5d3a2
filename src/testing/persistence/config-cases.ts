// What a turn was accepted with: stored once by content, found again with the turn, collected when no session names it (T-16, OP-7).

import type { TurnConfig } from "../../domain/turn-config.ts";
import { same } from "../assertions.ts";
import { accept, acceptOf, claimBy, commitOf, config, fenceOf, resultOf, silenceOf } from "../persistence-fixtures.ts";
import { type CountingEngine, countingEngine } from "../counting-engine.ts";
import { dump, failsWith, ofKind, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";
const other: TurnConfig = { ...config, system: "Be verbose." };

export const configCases: readonly PersistenceCase[] = [
  {
    id: "T-16a",
    title: "turns and sessions of one configuration share it, and whoever resumes a turn gets what it was accepted with (OP-7)",
    async run({ connect, engine, clock }) {
      const store = await connect();
      const contents = async () => (await dump(engine)).filter(({ key }) => key[0] === "content").length;
      for (const [index, session] of [S, S, "beta"].entries()) {
        const turnId = `t${index}`;
        const fence = await accept(store, session, turnId);
        await store.turns.settle({ fence, result: resultOf(turnId, "", { outcome: { stopped: "invalid_input" } }) });
      }
      same(await contents(), 1, "bodies");
      await store.turns.accept(acceptOf("alice", S, "t9", { config: { value: other } }));
      same(await contents(), 2, "bodies of two configurations");
      same((await (await connect()).turns.load(S, "t9"))?.config, other, "loaded");
      await clock.advance(31_000);
      const resumed = ofKind(await (await connect()).turns.resume({ ...claimBy("bob", S, await silenceOf(store, S)), turnId: "t9" }), "resumed");
      same(resumed.turn.config, other, "resumed");
      const attached = ofKind(await store.turns.accept(acceptOf("bob", S, "t9", { config: { value: config } })), "accepted");
      same(attached.turn.config, other, "attached to with another one");
    },
  },
  {
    id: "T-16b",
    title: "an owner who stored the configuration under the lease before need not look for it; after somebody else's acceptance it is stored again",
    async run({ connect }) {
      const engines: CountingEngine[] = [];
      const store = await connect({ wrap: (inner) => engines[engines.push(countingEngine(inner)) - 1] ?? inner });
      const counts = required(engines[0], "the engine");
      let turns = 0;
      const turn = async (value: TurnConfig, storedAt?: number, name = "alice") => {
        const turnId = `t${turns++}`;
        counts.reset();
        const { lease, turn } = ofKind(await store.turns.accept(acceptOf(name, S, turnId, { config: { value, ...(storedAt !== undefined && { storedAt }) } })), "accepted");
        const { gets, sets } = counts.reset();
        same((await store.turns.load(S, turnId))?.config, turn.config, "stored");
        await store.turns.settle({ fence: fenceOf(lease), result: resultOf(turnId, "", { outcome: { stopped: "invalid_input" } }) });
        return { token: lease.fencingToken, gets, sets };
      };
      const first = await turn(config);
      const known = await turn(config, first.token);
      const looked = await turn(config);
      same([looked.gets - known.gets, looked.sets - known.sets], [1, 0], "a look costs one read and no write");
      await turn(other, undefined, "bob");
      await turn(config, looked.token);
    },
  },
  {
    id: "T-16c",
    title: "a turn whose configuration was made from another head is not accepted, and nothing is written (T-6)",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, "t1");
      await store.sessions.commit(commitOf(S, fence, { releaseLease: true, turn: { commitHash: "h", result: resultOf("t1", "x"), modelCalls: [] } }));
      const before = await dump(engine);
      const madeFrom = (revision: number) => acceptOf("alice", S, "t2", { config: { value: other, madeFrom: revision } });
      same(await store.turns.accept(madeFrom(0)), { kind: "head_moved", headRevision: 1 }, "outcome");
      same(await dump(engine), before, "rows");
      ofKind(await store.turns.accept(madeFrom(1)), "accepted");
      ofKind(await store.turns.accept(madeFrom(0)), "accepted");
    },
  },
  {
    id: "T-16d",
    title: "gc collects configurations that no session names any more, and never that of a turn in flight (P-50, OP-7)",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, "t1");
      await store.turns.settle({ fence, result: resultOf("t1", "", { outcome: { stopped: "invalid_input" } }) });
      await store.turns.accept(acceptOf("alice", S, "t2", { config: { value: other } }));
      same(await store.maintenance.gcUnreachable(), { rootCount: 1, retainedBlobCount: 1, deletedBlobCount: 1 }, "report");
      same((await store.turns.load(S, "t2"))?.config, other, "that of the turn in flight");
      const key = ["s", S, 0, "config"];
      await engine.write(async (tx) => tx.set(key, { ref: 1 }));
      await failsWith("stored_row_invalid", store.maintenance.gcUnreachable());
      await store.sessions.delete(S);
      same(await store.maintenance.gcUnreachable(), { rootCount: 0, retainedBlobCount: 0, deletedBlobCount: 1 }, "after deleting the session");
    },
  },
];
