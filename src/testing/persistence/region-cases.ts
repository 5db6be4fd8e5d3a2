// The durable state of a session: what every write makes of it, and deletions that take several writes (OP-1, S-82).

import type { Json, JsonObject } from "../../domain/json.ts";
import type { SessionRegion } from "../../domain/session.ts";
import type { Persistence } from "../../stores/contract.ts";
import type { Engine, Key, Value } from "../../stores/engine.ts";
import { check, rejectsWith, same } from "../assertions.ts";
import { faultyEngine } from "../faulty-engine.ts";
import { accept, acceptOf, acquire, chain, claimBy, commitOf, inputDraft, park, resultOf, stepOf, textMessage } from "../persistence-fixtures.ts";
import { dump, failsWith, type PersistenceCase } from "./harness.ts";

const S = "alpha";
const T = "turn-1";
const CONTROL: Key = ["turn", S, 0];
/** More than one write deletes. */
const MANY = 2_100;

const regionOf = async ({ sessions }: Persistence): Promise<SessionRegion> => (await sessions.restore(S, { kind: "active_path" })).region;

async function rewrite(engine: Engine, key: Key, change: (before: Value) => Value | undefined): Promise<void> {
  await engine.write(async (tx) => {
    const after = change((await tx.get(key)) ?? null);
    if (after === undefined) tx.delete(key);
    else tx.set(key, after);
  });
}

const withField = (name: string, value: Json) => (before: Value): Value => ({ ...(before as JsonObject), [name]: value });

/** A session with more rows than one write deletes, and a turn in flight. */
async function longSession(store: Persistence, engine: Engine): Promise<void> {
  await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a"]), releaseLease: true }));
  await store.inputs.enqueue(inputDraft(S, "i", { sourceKey: "k", attachments: [{ bytes: new Uint8Array([1]), mime: "image/png" }] }));
  await accept(store, S, T);
  for (let from = 0; from < MANY; from += 300) {
    await engine.write(async (tx) => {
      for (let n = from; n < Math.min(MANY, from + 300); n++) tx.set(["s", S, 3, `t${n}`], [1, 0, 0]);
    });
  }
}

const isLeftFor = (key: Key): boolean => key[0] === "retired" || key[0] === "waits" || key[0] === "content" || key[0] === "piece";

export const regionCases: readonly PersistenceCase[] = [
  {
    id: "OP-1p",
    title: "what the store says of a session follows its turn, by the writes that move that",
    async run({ connect }) {
      const store = await connect();
      same(await regionOf(store), { state: "idle" }, "an id that nobody has used");
      const fence = await accept(store, S, T);
      same(await regionOf(store), { state: "inTurn" }, "accepted");
      await store.turns.recordStep(stepOf(fence, T, 1, { appended: [textMessage("m", "User", "x")] }));
      same(await regionOf(store), { state: "inTurn" }, "after a step");
      await store.turns.park({ ...stepOf(fence, T, 2), until: { waits: ["w"] } });
      same(await regionOf(store), { state: "parked" }, "parked");
      await store.turns.resume({ ...claimBy("bob", S), turnId: T });
      same(await regionOf(await connect()), { state: "inTurn" }, "taken up");
      const again = await accept(store, S, T, "bob");
      await store.sessions.commit(commitOf(S, again, { releaseLease: true, turn: { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] } }));
      same(await regionOf(store), { state: "idle" }, "committed");
      const settled = await accept(store, S, "turn-2");
      await store.turns.settle({ fence: settled, result: resultOf("turn-2", "", { outcome: { stopped: "invalid_input" } }) });
      same(await regionOf(store), { state: "idle" }, "settled");
      await store.sessions.delete(S);
      same(await regionOf(store), { state: "retired" }, "deleted");
    },
  },
  {
    id: "OP-1q",
    title: "a commit that accepts the turn that follows leaves the session in a turn",
    async run({ connect }) {
      const store = await connect();
      const next = { turnId: "t:agent-frame:1", input: { items: [] }, inputHash: "n", machine: { machine: "turn", version: 1 } };
      await store.sessions.commit(commitOf(S, await accept(store, S, T), { turn: { commitHash: "h", result: resultOf(T, "x"), modelCalls: [], next } }));
      same(await regionOf(store), { state: "inTurn" }, "region");
    },
  },
  {
    id: "OP-1r",
    title: "what is read with the region is of the same moment, and the same as when it is loaded alone",
    async run({ connect }) {
      const store = await connect();
      same(await store.sessions.restore(S, { kind: "full_graph" }), { region: { state: "idle" } }, "nothing");
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a", "b"]), releaseLease: true }));
      for (const scope of [{ kind: "full_graph" }, { kind: "active_path" }] as const) {
        same(await store.sessions.restore(S, scope), { region: { state: "idle" }, read: await store.sessions.load(S, scope) }, scope.kind);
      }
    },
  },
  {
    id: "S-82a",
    title: "a control row that speaks of a deletion makes the session unusable, and opening it goes on with the deletion",
    async run({ connect, engine }) {
      const store = await connect();
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a"]), releaseLease: true }));
      const fence = await accept(store, S, T);
      await rewrite(engine, CONTROL, withField("deleting", { stage: "history" }));
      same(await regionOf(store), { state: "deleting", stage: "history" }, "region");
      same([(await store.turns.inFlight()).length, await store.turns.ready()], [0, { turns: [], deleting: [S] }], "turns of it");
      await failsWith("session_id_retired", store.turns.accept(acceptOf("alice", S, "t")));
      await failsWith("session_id_retired", store.turns.recordStep(stepOf(fence, T, 1)));
      await failsWith("session_id_retired", store.turns.resume({ ...claimBy("alice", S), turnId: T }));
      await failsWith("session_id_retired", store.sessions.open(S));
      same((await dump(engine)).filter(({ key }) => !isLeftFor(key)), [], "rows after that");
      same([await regionOf(store), await store.sessions.delete(S)], [{ state: "retired" }, false], "gone");
    },
  },
  {
    id: "S-82b",
    title: "a stage of a deletion that nobody knows is a damaged row, and nothing is deleted for it",
    async run({ connect, engine }) {
      const store = await connect();
      await accept(store, S, T);
      await rewrite(engine, CONTROL, withField("deleting", { stage: "later" }));
      const before = await dump(engine);
      await failsWith("stored_row_invalid", store.sessions.open(S));
      same(await dump(engine), before, "rows");
    },
  },
  {
    id: "S-82c",
    title: "a long session is deleted in several writes: after the first one nobody finds it, and its id is retired",
    async run({ connect, engine }) {
      const store = await connect();
      await longSession(store, engine);
      const dying = await connect({ wrap: (inner) => faultyEngine(inner, { call: 2, when: "before" }) });
      await rejectsWith("store_unavailable", dying.sessions.delete(S), "a deletion that dies after its first write");
      same(await regionOf(store), { state: "deleting", stage: "history" }, "region");
      check((await dump(engine)).some(({ key }) => key[0] === "s"), "rows are left");
      same([await store.sessions.list(), await store.sessions.load(S, { kind: "full_graph" }), await store.turns.inFlight()], [[], undefined, []], "what others see");
      same([await store.inputs.listPending(S), await store.queue.listPending(S)], [[], []], "what waits in it");
      await failsWith("session_id_retired", store.sessions.create({ sessionId: S, relation: { kind: "root" }, model: "m" }));
      await failsWith("session_id_retired", store.leases.claim(claimBy("alice", S)));
      await failsWith("session_id_retired", store.turns.accept(acceptOf("alice", S, T)));
      same(await store.turns.ready(), { turns: [], deleting: [S] }, "what a sweep is told");
      same([await store.sessions.delete(S), await store.sessions.delete(S)], [true, false], "again, and once more");
      same((await dump(engine)).filter(({ key }) => !isLeftFor(key)), [], "rows after that");
      same([await regionOf(store), await store.turns.ready()], [{ state: "retired" }, { turns: [] }], "region and sweep");
    },
  },
  {
    id: "S-82d",
    title: "a parked turn goes with its session, and with the entries that would wake it",
    async run({ connect, engine }) {
      const store = await connect();
      await park(store, S, T, { waits: ["w"], dueAtMs: 9_999_999_999_999 });
      same(await store.sessions.delete(S), true, "existed");
      same((await dump(engine)).filter(({ key }) => !isLeftFor(key)), [], "rows");
    },
  },
];
