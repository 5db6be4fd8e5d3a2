// Turns that wait without a driver, and the index of what can go on (AE-9).

import type { TurnCancellation } from "../../domain/cancellation.ts";
import type { Persistence, ReadyTurns } from "../../stores/contract.ts";
import type { Engine, Key } from "../../stores/engine.ts";
import { check, same } from "../assertions.ts";
import { countingEngine } from "../counting-engine.ts";
import { accept, acceptOf, acquire, activeFor, claimBy, commandDraft, commitOf, fenceOf, inputDraft, journaled, park, resultOf, rowsOf, silenceOf, snapshotAt, stepOf, textMessage, wakeDraft } from "../persistence-fixtures.ts";
import { dump, failsWith, ofKind, type PersistenceCase, required, START_MS } from "./harness.ts";

const S = "alpha";
const T = "turn-1";
const yes = { status: "ok", payload: "yes" } as const;
const stop: TurnCancellation = { requestId: "r", origin: "lash", reason: "why", requestedAtMs: 1 };

const rowsBelow = async (engine: Engine, ...prefixes: readonly Key[]): Promise<readonly Key[]> =>
  (await dump(engine)).map(({ key }) => key).filter((key) => prefixes.some((prefix) => prefix.every((part, index) => key[index] === part)));

/** Everything that a turn in flight may leave behind. */
const TURN_ROWS: readonly Key[] = [["turn"], ["parked"], ["ready", 0], ["ready", 1]];

const readyIds = ({ turns }: ReadyTurns): readonly string[] => turns.map(({ sessionId, turnId, why }) => `${sessionId} ${turnId} ${why}`);

/** What happens to a parked turn, or just before it parks. */
const wakers: readonly (readonly [what: string, wake: (store: Persistence) => Promise<unknown>])[] = [
  ["an answer", ({ waits }) => waits.resolve(S, "w", yes)],
  ["a cancel of all that waits", async ({ waits }) => (await waits.open(S, "w"), waits.cancelOutstanding(S))],
  ["the end of all waits of its session", ({ waits }) => waits.revoke(S)],
  ["a request to cancel it", ({ turns }) => turns.requestCancel(S, T, stop)],
];

export const parkCases: readonly PersistenceCase[] = [
  {
    id: "AE-9a",
    title: "parking records the step and releases the lease in one write; the turn stays in flight, and no sweep comes across it",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      await store.turns.recordStep(stepOf(fence, T, 1, { settled: [journaled("k1")], appended: [textMessage("m1", "User", "x".repeat(4_000))], issued: ["k2"] }));
      const call = { effectId: 1, source: "turn", model: "m", usage: null, status: "completed" as const };
      const step = stepOf(fence, T, 2, { settled: [journaled("k2")], appended: [textMessage("m2", "User", "y")], modelCalls: [call], snapshot: snapshotAt("waiting") });
      same(await store.turns.park({ ...step, until: { waits: ["w", "v"] } }), { kind: "parked" }, "outcome");
      same(await store.leases.current(S), undefined, "the lease");
      const stored = required(await (await connect()).turns.load(S, T), "the turn");
      same([stored.step, stored.snapshot, stored.issued, stored.parked, stored.modelCalls], [2, snapshotAt("waiting"), [], { waits: ["w", "v"] }, [call]], "what is stored");
      same([stored.journal.map(({ replayKey }) => replayKey), stored.log.map(({ id }) => id)], [["k1", "k2"], ["m1", "m2"]], "journal and log");
      same([await store.turns.inFlight(), await store.turns.inFlight(S)], [[{ sessionId: S, turnId: T }], [{ sessionId: S, turnId: T }]], "turns in flight");
      same([await store.turns.ready(), await (await connect({ sessionId: S })).turns.ready()], [{ turns: [] }, { turns: [] }], "turns that can go on");
      same([await store.waits.peek(S, "w"), await store.waits.peek(S, "v")], [{ state: "open" }, { state: "open" }], "its waits");
      same(await rowsBelow(engine, ["turn"]), [], "rows among those of turns that run");
    },
  },
  {
    id: "AE-9b",
    title: "a turn that has not parked can go on as far as the store can tell, whoever holds its lease",
    async run({ connect }) {
      const store = await connect();
      await accept(store, S, T);
      await accept(store, "beta", "t2");
      same(readyIds(await store.turns.ready()), [`${S} ${T} running`, "beta t2 running"], "ready");
      same(await (await connect({ sessionId: "beta" })).turns.ready(), { turns: [{ sessionId: "beta", turnId: "t2", why: "running" }] }, "of one session");
    },
  },
  ...wakers.flatMap(([what, wake]): readonly PersistenceCase[] => [
    {
      id: "AE-9c",
      title: `a turn does not park after ${what}: the step is recorded, the lease stays held`,
      async run({ connect, engine }) {
        const store = await connect();
        const fence = await accept(store, S, T);
        await wake(store);
        const outcome = await store.turns.park({ ...stepOf(fence, T, 1, { settled: [journaled("k")] }), until: { waits: ["v", "w"] } });
        same(outcome, { kind: "answered", ...(what.startsWith("a request") && { cancellation: stop }) }, "outcome");
        const stored = required(await store.turns.load(S, T), "the turn");
        same([stored.step, stored.journal.length, stored.parked, required(await store.leases.current(S), "the lease").fencingToken], [1, 1, undefined, 1], "step, journal, parked, lease");
        same(await rowsBelow(engine, ["parked"], ["ready", 0], ["ready", 1]), [], "index");
        same((await store.turns.recordStep(stepOf(fence, T, 2))).kind, "recorded", "the next step");
      },
    },
    {
      id: "AE-9d",
      title: `a parked turn can go on after ${what}, and not before; nothing that is not its own wakes it`,
      async run({ connect, engine }) {
        const store = await connect();
        await park(store, S, T, { waits: ["v", "w"], dueAtMs: START_MS + 90_000 });
        await park(store, "beta", T);
        await store.waits.resolve(S, "another", yes);
        await store.waits.resolve("gamma", "w", yes);
        same(await store.turns.ready(), { turns: [], nextDueAtMs: START_MS + 90_000 }, "before");
        await wake(store);
        same(readyIds(await store.turns.ready()), [`${S} ${T} woken`], "after");
        same(readyIds(await (await connect({ sessionId: S })).turns.ready()), [`${S} ${T} woken`], "of one session");
        const { turn, lease } = ofKind(await store.turns.resume({ ...claimBy("bob", S), turnId: T }), "resumed");
        same([turn.parked, turn.journal.length, turn.recoveries], [undefined, 1, 0], "the turn, taken up");
        same(readyIds(await store.turns.ready()), [`${S} ${T} running`], "taken up");
        await store.turns.settle({ fence: fenceOf(lease), result: resultOf(T, "") });
        same((await rowsBelow(engine, ...TURN_ROWS)).filter((key) => key.includes(S)), [], "rows of it after its end");
      },
    },
  ]),
  {
    id: "AE-9e",
    title: "a parked turn is due at its time and not before; at a time that has come it does not park",
    async run({ connect, clock }) {
      const store = await connect();
      await park(store, S, T, { waits: ["w"], dueAtMs: START_MS + 1_000.5 });
      await park(store, "beta", "t2", { waits: [], dueAtMs: START_MS + 500 });
      same(await store.turns.ready(), { turns: [], nextDueAtMs: START_MS + 500 }, "before");
      await clock.advance(999);
      const ready = await store.turns.ready();
      same([readyIds(ready), ready.nextDueAtMs], [["beta t2 due"], START_MS + 1_001], "one is due");
      await clock.advance(2);
      same(readyIds(await store.turns.ready()), ["beta t2 due", `${S} ${T} due`], "both");
      same(readyIds(await (await connect({ sessionId: S })).turns.ready()), [`${S} ${T} due`], "of one session");
      await store.waits.resolve(S, "w", yes);
      same(readyIds(await store.turns.ready()), [`${S} ${T} woken`, "beta t2 due"], "a turn is named once");
      const { lease } = ofKind(await store.turns.resume({ ...claimBy("bob", S), turnId: T }), "resumed");
      const again = { ...stepOf(fenceOf(lease), T, 2), until: { waits: [], dueAtMs: clock.now() } };
      same(await store.turns.park(again), { kind: "answered" }, "due already");
      await failsWith("store_backend", store.turns.park({ ...stepOf(fenceOf(lease), T, 3), until: { waits: [] } }));
      await failsWith("store_backend", store.turns.park({ ...stepOf(fenceOf(lease), T, 3), until: { waits: [], dueAtMs: Infinity } }));
    },
  },
  {
    id: "AE-9f",
    title: "taking up a parked turn counts no recovery, also where somebody held the lane since and died",
    async run({ connect }) {
      const store = await connect();
      await park(store, S, T);
      await acquire(store, S, "settings");
      const { turn, lease } = ofKind(await store.turns.resume({ ...claimBy("bob", S, await silenceOf(store, S)), turnId: T }), "resumed");
      same(turn.recoveries, 0, "recoveries");
      const taken = ofKind(await store.turns.resume({ ...claimBy("carol", S, await silenceOf(store, S)), turnId: T }), "resumed");
      same(taken.turn.recoveries, 1, "recoveries after its driver died");
      await store.turns.park({ ...stepOf(fenceOf(taken.lease), T, 2), until: { waits: ["w"] } });
      same(required(await store.turns.load(S, T), "the turn").recoveries, 0, "recoveries after it came to wait");
      await failsWith("session_execution_lease_expired", store.turns.recordStep(stepOf(fenceOf(lease), T, 3)));
    },
  },
  {
    id: "AE-9g",
    title: "parked, taken up and parked again a turn has all of its journal and log, its older rows are moved once, and its end leaves nothing",
    async run({ connect, engine }) {
      const long = "x".repeat(4_000);
      const fence = await accept(await connect(), S, T);
      const counted: ReturnType<typeof countingEngine>[] = [];
      const store = await connect({ wrap: (inner) => (counted.push(countingEngine(inner)), counted[0] ?? inner) });
      const counting = required(counted[0], "the counting engine");
      for (const step of [1, 2]) await store.turns.recordStep(stepOf(fence, T, step, { settled: [journaled(`k${step}`)], appended: [textMessage(`m${step}`, "User", long)] }));
      let held = fence;
      const bytes: number[] = [];
      for (let step = 3; step < 9; step += 2) {
        counting.reset();
        same((await store.turns.park({ ...stepOf(held, T, step, { settled: [journaled(`k${step}`)] }), until: { waits: [`w${step}`] } })).kind, "parked", "parked");
        bytes.push(counting.reset().bytesSet);
        await store.waits.resolve(S, `w${step}`, yes);
        held = fenceOf(ofKind(await store.turns.resume({ ...claimBy("bob", S), turnId: T }), "resumed").lease);
        await store.turns.recordStep(stepOf(held, T, step + 1, { appended: [textMessage(`m${step + 1}`, "User", step === 3 ? long : "short")] }));
      }
      check((bytes[0] ?? 0) > 8_000 && (bytes[1] ?? 0) < 2_000 && (bytes[2] ?? 0) < 2_000, `bytes of parking: ${bytes.join(", ")}`);
      const turn = required(await store.turns.load(S, T), "the turn");
      same([turn.journal.map(({ replayKey }) => replayKey), turn.log.map(({ id }) => id)], [["k1", "k2", "k3", "k5", "k7"], ["m1", "m2", "m4", "m6", "m8"]], "journal and log");
      await store.sessions.commit(commitOf(S, held, { releaseLease: true, turn: { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] } }));
      same(await rowsBelow(engine, ...TURN_ROWS), [], "rows after its commit");
      await accept(store, S, "t2");
      same(readyIds(await store.turns.ready()), [`${S} t2 running`], "the next turn");
    },
  },
  {
    id: "AE-9h",
    title: "rows that are chunked park, are read, and are deleted with their turn",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const long = "x".repeat(6.5 * 1024 * 1024);
      const step = stepOf(fence, T, 1, { settled: [journaled("k")], appended: [textMessage("m", "User", long)] });
      same(await store.turns.park({ ...step, until: { waits: ["w"] } }), { kind: "parked" }, "outcome");
      const { turn, lease } = ofKind(await store.turns.resume({ ...claimBy("bob", S), turnId: T }), "resumed");
      same(turn.log, [textMessage("m", "User", long)], "its log");
      await store.turns.settle({ fence: fenceOf(lease), result: resultOf(T, "") });
      same(await rowsBelow(engine, ...TURN_ROWS), [], "rows after its end");
    },
  },
  {
    id: "AE-9i",
    title: "a parked turn is the session's turn in flight: asked for it is taken up, another one is told so, input waits for it",
    async run({ connect }) {
      const store = await connect();
      await park(store, S, T);
      same(await store.turns.accept(acceptOf("bob", S, "t2")), { kind: "turn_in_flight", turnId: T }, "another turn");
      await failsWith("runtime_turn_commit_conflict", store.turns.accept(acceptOf("bob", S, T, { inputHash: "other" })));
      same((await store.inputs.enqueue(inputDraft(S, "i", { ingress: { scope: "active_turn", minBoundary: "after_work" } as never }))).ingress, activeFor(T), "an input for whatever runs");
      same(required(await store.turns.load(S, T), "the turn").parked, { waits: ["w"] }, "it still waits");
      const { turn } = ofKind(await store.turns.accept(acceptOf("bob", S, T)), "accepted");
      same([turn.step, turn.parked], [1, undefined], "asked for by its id");
    },
  },
  {
    id: "AE-9j",
    title: "parking is refused as a step is: without the lease, out of order, after the end; nothing is written then",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const until = { waits: ["w"] };
      const before = await dump(engine);
      await failsWith("turn_step_conflict", store.turns.park({ ...stepOf(fence, T, 2), until }));
      await failsWith("turn_step_conflict", store.turns.park({ ...stepOf(fence, "another", 1), until }));
      await failsWith("session_execution_lease_expired", store.turns.park({ ...stepOf({ ...fence, leaseToken: "stolen" }, T, 1), until }));
      same(await dump(engine), before, "rows");
      const held = await acquire(store, S, "bob", await silenceOf(store, S));
      await failsWith("session_execution_lease_expired", store.turns.park({ ...stepOf(fence, T, 1), until }));
      await store.turns.settle({ fence: held, result: resultOf(T, "") });
      same((await store.turns.park({ ...stepOf(held, T, 1), until })).kind, "settled", "after its end");
    },
  },
  {
    id: "AE-9k",
    title: "an answer that comes while a turn parks is never lost, in whatever order the two are written",
    async run({ connect }) {
      const [one, two] = [await connect(), await connect()];
      const kinds = new Set<string>();
      for (let round = 0; round < 12; round++) {
        const sessionId = `s${round}`;
        const fence = await accept(one, sessionId, T);
        const parking = (): Promise<{ readonly kind: string }> => one.turns.park({ ...stepOf(fence, T, 1), until: { waits: ["w"] } });
        const answering = (): Promise<unknown> => two.waits.resolve(sessionId, "w", yes);
        const [outcome] = round % 2 === 0 ? await Promise.all([parking(), answering()]) : await Promise.all([answering(), parking()]).then(([, parked]) => [parked]);
        kinds.add(outcome.kind);
        const why = outcome.kind === "parked" ? "woken" : "running";
        check(readyIds(await one.turns.ready()).includes(`${sessionId} ${T} ${why}`), `round ${round}: ${outcome.kind}, and nothing says that the turn can go on`);
      }
      check(kinds.size > 0, "no round was played");
    },
  },
  {
    id: "AE-9l",
    title: "deleting a session with a parked turn leaves nothing of it, also where the turn cannot be read any more",
    async run({ connect, engine }) {
      const store = await connect();
      await park(store, S, T, { waits: ["w"], dueAtMs: START_MS + 1_000 });
      await store.waits.resolve(S, "w", yes);
      await store.queue.enqueue(wakeDraft(S, "x"));
      await store.sessions.delete(S);
      same(await rowsBelow(engine, ["parked"], ["ready"], ["turn"]), [], "rows");
      await park(store, "beta", T, { waits: ["w"] });
      await engine.write(async (tx) => tx.set(["parked", "beta", 0], { schemaVersion: 3 }));
      await store.waits.resolve("beta", "w", yes);
      same((await store.turns.ready()).turns.map(({ sessionId, damage }) => [sessionId, damage === undefined]), [["beta", false]], "a damaged one is named");
      await store.sessions.delete("beta");
      same([await rowsBelow(engine, ["parked"], ["ready"], ["turn"]), await store.turns.ready()], [[], { turns: [] }], "rows of it");
    },
  },
  {
    id: "AE-9m",
    title: "bytes that only a parked turn names are kept",
    async run({ connect, clock }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const { id } = await store.attachments.put(new Uint8Array([1, 2, 3]), "image/png");
      await store.attachments.manifest.recordIntent(S, id);
      const step = stepOf(fence, T, 1, { settled: [{ ...journaled("k"), outcome: { ok: { image: id } } }] });
      same((await store.turns.park({ ...step, until: { waits: ["w"] } })).kind, "parked", "outcome");
      same(await store.attachments.sweep(clock.now()), { scanned: 1, reclaimed: 0 }, "the sweep");
      same((await store.attachments.get(id)).bytes.length, 3, "bytes");
    },
  },
  {
    id: "AE-9n",
    title: "a queue is ready from when something waits in it until nothing does; looking writes only to drop what is over",
    async run({ connect, engine, clock }) {
      const counted: ReturnType<typeof countingEngine>[] = [];
      const store = await connect({ wrap: (inner) => (counted.push(countingEngine(inner)), counted[0] ?? inner) });
      const counting = required(counted[0], "the counting engine");
      same(await store.queue.ready(), { sessionIds: [] }, "an empty store");
      await store.queue.enqueue(wakeDraft(S, "now"));
      await store.queue.enqueue(wakeDraft("later", "x", { availableAtMs: START_MS + 1_000 }));
      await store.queue.enqueue(commandDraft("command", "x"));
      await store.inputs.enqueue(inputDraft("input", "x"));
      counting.reset();
      same(await store.queue.ready(), { sessionIds: [S, "command", "input"], nextAtMs: START_MS + 1_000 }, "what waits");
      same(counting.reset().writes, 0, "writes");
      await clock.advance(1_000);
      same(await store.queue.ready(), { sessionIds: [S, "command", "input", "later"] }, "what waits later");
      const fence = await acquire(store, S);
      const claim = required(await store.queue.claimWork({ fence, claimToken: "c", max: 64, boundary: "idle" }), "the claim");
      same((await store.queue.ready()).sessionIds, ["command", "input", "later"], "while it is claimed");
      await store.queue.abandon(rowsOf(claim));
      await store.leases.release(fence);
      const taken = ofKind(await store.turns.acceptQueued({ ...acceptOf("alice", "input", "t"), claimToken: "c", max: 64 }), "accepted");
      await store.inputs.enqueue(inputDraft("input", "y", { ingress: activeFor("t") }));
      same((await store.queue.ready()).sessionIds, [S, "command", "later"], "what was handed back, and not what belongs to a turn");
      await store.turns.settle({ fence: fenceOf(taken.lease), result: resultOf("t", "") });
      same((await store.queue.ready()).sessionIds, [S, "command", "input", "later"], "what came for a turn that has ended");
      for (const session of [S, "command", "later"]) for (const { batchId } of await store.queue.list(session)) await store.queue.cancel(session, batchId);
      await store.inputs.cancelSuffix("input", { kind: "input_id", value: required((await store.inputs.listPending("input"))[0], "the input").inputId });
      same(await store.queue.ready(), { sessionIds: [] }, "nothing waits");
      counting.reset();
      same(await store.queue.ready(), { sessionIds: [] }, "still nothing");
      same(counting.reset().writes, 0, "writes when nothing is left to drop");
      same(await rowsBelow(engine, ["ready"]), [["ready"]], "the index");
    },
  },
  {
    id: "AE-9o",
    title: "what older builds queued and left in flight is ready, too",
    async run({ connect, engine, clock }) {
      const store = await connect();
      await store.queue.enqueue(wakeDraft(S, "x"));
      await store.queue.enqueue(wakeDraft("later", "x", { availableAtMs: START_MS + 1_000 }));
      await store.inputs.enqueue(inputDraft("input", "x"));
      await accept(store, "old", T);
      // As a store is that no build with an index has written to.
      const index = await rowsBelow(engine, ["ready"]);
      await engine.write(async (tx) => {
        for (const key of index) tx.delete(key);
      });
      same(await store.queue.ready(), { sessionIds: [S, "input"], nextAtMs: START_MS + 1_000 }, "queues");
      await clock.advance(1_000);
      same((await (await connect()).queue.ready()).sessionIds, [S, "input", "later"], "later");
      same(readyIds(await store.turns.ready()), [`old ${T} running`], "turns");
    },
  },
];
