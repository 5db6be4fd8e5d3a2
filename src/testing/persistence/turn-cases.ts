import { createMessage } from "../../domain/messages.ts";
import { same } from "../assertions.ts";
import { accept, acceptOf, acquire, chain, claimBy, commitOf, fenceOf, headWith, ledgerEntry, owner, resultOf, silenceOf, snapshotAt, stepOf, textMessage, usage } from "../persistence-fixtures.ts";
import { dump, failsWith, ofKind, type PersistenceCase, required, START_MS } from "./harness.ts";

const S = "alpha";
const T = "turn-1";
const call = (effectId: number) => ({ effectId, source: "turn", model: "m", usage: usage(1, 2), status: "completed" as const });
const silent = { effectId: 9, source: "child", model: "m", usage: null, status: "failed" as const };

export const turnCases: readonly PersistenceCase[] = [
  {
    id: "OP-1a",
    title: "accepting a turn claims the lane, keeps the input as step 0 and enters the session (T-82, P-51)",
    async run({ connect }) {
      const store = await connect();
      const request = acceptOf("alice", S, T, {
        input: { items: [{ type: "text", text: "hi" }, { type: "image_ref", id: "i" }], protocolTurnOptions: { a: 1 } },
        session: { relation: { kind: "child", parentSessionId: "p" }, model: "m" },
      });
      const outcome = ofKind(await store.turns.accept(request), "accepted");
      const record = {
        sessionId: S,
        turnId: T,
        input: request.input,
        inputHash: request.inputHash,
        machine: request.machine,
        config: request.config.value,
        acceptedAtMs: START_MS,
        step: 0,
        log: [],
        journal: [],
        modelCalls: [],
        issued: [],
        claims: [],
        recoveries: 0,
      };
      same(outcome, { kind: "accepted", lease: await store.leases.current(S), turn: record, headRevision: 0 }, "outcome");
      same(await (await connect()).turns.load(S, T), record, "the stored turn");
      same(await store.turns.load(S, "another"), undefined, "another turn");
      same(await store.turns.inFlight(), [{ sessionId: S, turnId: T }], "turns in flight");
      same((await store.sessions.loadMeta(S))?.relation, { kind: "child", parentSessionId: "p" }, "seeded relation");
      same(await store.sessions.load(S, { kind: "full_graph" }), undefined, "the session before its first commit");
    },
  },
  {
    id: "OP-1b",
    title: "accepting a turn that is in flight attaches to it when the input is the same (OP-11)",
    async run({ connect, clock }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      await store.turns.recordStep(stepOf(fence, T, 1, { appended: [textMessage("m", "User", "x")], snapshot: snapshotAt("calling") }));
      await clock.advance(1_000);
      const again = ofKind(await store.turns.accept(acceptOf("alice", S, T)), "accepted");
      same([again.turn.step, again.turn.acceptedAtMs, again.turn.recoveries], [1, START_MS, 0], "step, acceptance, recoveries");
      same(again.turn.log, [textMessage("m", "User", "x")], "its log");
      same(again.lease.expiresAtMs, clock.now() + 30_000, "the lease is extended");
      await failsWith("runtime_turn_commit_conflict", store.turns.accept(acceptOf("alice", S, T, { inputHash: "other" })));
    },
  },
  {
    id: "OP-1c",
    title: "while a turn is in flight another one is told so, and the lane is not taken",
    async run({ connect, clock, engine }) {
      const store = await connect();
      await accept(store, S, T);
      await clock.advance(30_000);
      const before = await dump(engine);
      same(await store.turns.accept(acceptOf("bob", S, "turn-2", await silenceOf(store, S))), { kind: "turn_in_flight", turnId: T }, "outcome");
      same(await dump(engine), before, "rows");
    },
  },
  {
    id: "OP-1d",
    title: "a held lane is busy before anything is said about turns in flight",
    async run({ connect, engine }) {
      const store = await connect();
      await accept(store, S, T);
      const before = await dump(engine);
      for (const turnId of [T, "turn-2"]) {
        const { holder } = ofKind(await store.turns.accept(acceptOf("bob", S, turnId)), "busy");
        same(holder, await store.leases.current(S), "holder");
      }
      same(ofKind(await store.turns.resume({ ...claimBy("bob", S), turnId: T }), "busy").holder.owner, owner("alice"), "holder");
      same(await dump(engine), before, "rows");
    },
  },
  {
    id: "OP-1e",
    title: "a turn that has committed is answered with its record, on any input of the same hash (T-81, OP-11)",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const turn = { commitHash: "h", result: resultOf(T, "done"), modelCalls: [call(1)] };
      const { turn: recorded } = await store.sessions.commit(commitOf(S, fence, { nodes: chain(S, [`${T}:0`]), turn, releaseLease: true }));
      same(recorded, { ...turn.result, modelCalls: [call(1)], headRevision: 1, firstNode: 0, nodeCount: 1 }, "the record");
      const before = await dump(engine);
      same(await store.turns.accept(acceptOf("bob", S, T)), { kind: "settled", result: recorded }, "accept");
      same(await store.turns.resume({ ...claimBy("bob", S), turnId: T }), { kind: "settled", result: recorded }, "resume");
      same(await store.turns.settled(S, T), recorded, "settled");
      await failsWith("runtime_turn_commit_conflict", store.turns.accept(acceptOf("bob", S, T, { inputHash: "other" })));
      same(await dump(engine), before, "rows");
      same(await store.turns.settled(S, "unknown"), undefined, "an unknown turn");
    },
  },
  {
    id: "OP-1f",
    title: "steps add to journal, log and calls, and replace snapshot and issued keys",
    async run({ connect }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const outcomes = [{ ok: { text: "x" } }, { ok: null }, { error: { code: "c", message: "m" } }];
      const entry = (n: number) => ({ replayKey: `k${n}`, hash: `h${n}`, outcome: outcomes[n] ?? { ok: n } });
      const message = createMessage("m1", "Assistant", [{ kind: "ToolCall", content: "{}", toolCallId: "c" }, { kind: "Prose", content: "p" }]);
      const snapshot = { machine: "turn", version: 3, value: { running: "tools" }, context: { open: [1] } };
      same(
        await store.turns.recordStep(stepOf(fence, T, 1, { settled: [entry(0)], appended: [message], modelCalls: [call(1)], snapshot, issued: ["a", "b"] })),
        { kind: "recorded" },
        "outcome",
      );
      await store.turns.recordStep(stepOf(fence, T, 2, { settled: [entry(1), entry(2)], appended: [textMessage("m2", "User", "y")], modelCalls: [silent], issued: ["b"] }));
      await store.turns.recordStep(stepOf(fence, T, 3));
      const turn = required(await (await connect()).turns.load(S, T), "the turn");
      same(turn.journal, [entry(0), entry(1), entry(2)], "journal");
      same(turn.log, [message, textMessage("m2", "User", "y")], "log");
      same(turn.modelCalls, [call(1), silent], "model calls (OP-21)");
      same([turn.step, turn.snapshot, turn.issued], [3, snapshot, []], "step, snapshot, issued");
    },
  },
  {
    id: "OP-1i",
    title: "messages that repeat what an outcome says come back as they were",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const [answer, said] = ["a".repeat(100), "b".repeat(100)];
      const payload = { z: answer, "1": [said], a: null };
      const outcomes = [{ ok: { output: { payload, said } } }, { ok: { payload: null } }, { error: { code: "c", message: said } }, { ok: said }];
      const messages = [
        textMessage("m0", "User", answer),
        createMessage("m1", "Assistant", [{ kind: "Prose", content: said }, { kind: "ToolResult", content: JSON.stringify(payload) }, { kind: "Text", content: "short" }]),
        textMessage("m2", "User", "c".repeat(100)),
        textMessage("m3", "User", "0"),
      ];
      const settled = outcomes.map((outcome, n) => ({ replayKey: `k${n}`, hash: "h", outcome }));
      await store.turns.recordStep(stepOf(fence, T, 1, { settled, appended: messages }));
      await store.turns.recordStep(stepOf(fence, T, 2, { appended: messages }));
      const turn = required(await (await connect()).turns.load(S, T), "the turn");
      same(turn.log, [...messages, ...messages], "log");
      same(turn.journal, settled, "journal");
      await engine.write(async (tx) => {
        const control = required(await tx.get(["turn", S, 0]), "the control row") as { deltas: unknown };
        tx.set(["turn", S, 0], { ...control, deltas: [{ appended: [{ id: "m", role: "User", text: 7 }] }] });
      });
      await failsWith("stored_row_invalid", store.turns.load(S, T));
    },
  },
  {
    id: "OP-1g",
    title: "deltas of every size come back in order, also those beyond what one row takes (OP-2)",
    async run({ connect, engine }) {
      const [store, fresh] = [await connect(), await connect()];
      same(await fresh.sessions.list(), [], "sessions at first");
      const fence = await accept(store, S, T);
      const sizes = [10, 1_000, 2_500, 40, 9_000_000, 5, 2_900, 2_900, 1];
      const messages = sizes.map((size, index) => textMessage(`m${index}`, "User", "é".repeat(size)));
      for (const [index, message] of messages.entries()) {
        await store.turns.recordStep(stepOf(fence, T, index + 1, { appended: [message], settled: [{ replayKey: `k${index}`, hash: "h", outcome: { ok: index } }] }));
      }
      const turn = required(await fresh.turns.load(S, T), "the turn");
      same(turn.journal.map((entry) => entry.replayKey), sizes.map((_, index) => `k${index}`), "journal order");
      same(turn.log.map((message) => [message.id, message.parts[0]?.content.length]), sizes.map((size, index) => [`m${index}`, size]), "log order and sizes");
      same(turn.log[4]?.parts[0]?.content === messages[4]?.parts[0]?.content, true, "9 million characters");
      const nodes = messages.map((message) => ({ nodeId: message.id, timestamp: "t", body: { kind: "message" as const, message } }));
      await store.sessions.commit(commitOf(S, fence, { nodes, turn: { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] } }));
      same((await engine.read((tx) => tx.range(["turn"], ["turn", "￿"]))).length, 0, "rows of the turn after its commit");
      const read = required(await store.sessions.load(S, { kind: "full_graph" }), "the session");
      same(read.nodes.map((node) => node.nodeId), messages.map((message) => message.id), "nodes");
      same(read.nodes[4]?.body.kind === "message" && read.nodes[4].body.message.parts[0]?.content.length, 9_000_000, "the large node");
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, nodes: chain(S, ["after"], "m8") }));
      same((await store.sessions.load(S, { kind: "full_graph" }))?.nodes.at(-1)?.nodeId, "after", "a node behind the large row");
      const now = required(await store.sessions.load(S, { kind: "full_graph" }), "the session");
      const later = required(await store.sessions.load(S, { kind: "full_graph", later: true }), "the session, its nodes later");
      same([later.lastNode, later.nodes], [now.nodes.at(-1), now.nodes], "nodes that are made when somebody looks");
    },
  },
  {
    id: "OP-1h",
    title: "a step is checked in the order stamp, fence, step number, and a refused one writes nothing",
    async run({ connect, clock, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      await store.turns.recordStep(stepOf(fence, T, 1));
      const before = await dump(engine);
      for (const step of [0, 1, 3]) {
        const error = await failsWith("turn_step_conflict", store.turns.recordStep(stepOf(fence, T, step)));
        same(error.details, { sessionId: S, turnId: T, step, stored: 1 }, "details");
      }
      same((await failsWith("turn_step_conflict", store.turns.recordStep(stepOf(fence, "unknown", 1)))).details["stored"], null, "stored step");
      await failsWith("session_execution_lease_expired", store.turns.recordStep(stepOf({ ...fence, leaseToken: "x" }, T, 9)));
      await failsWith("session_execution_lease_expired", store.turns.recordStep(stepOf({ ...fence, leaseToken: "x" }, "unknown", 1)));
      same(await dump(engine), before, "rows");
      const { turn: result } = await store.sessions.commit(commitOf(S, fence, { turn: { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] } }));
      await clock.advance(30_000);
      same(await store.turns.recordStep(stepOf(fence, T, 2)), { kind: "settled", result }, "a step of a turn that has ended (OP-1)");
    },
  },
  {
    id: "ME-22",
    title: "whoever lacks something that a turn was accepted with is told what and writes nothing; it takes the turn up only to end it",
    async run({ connect, clock, engine }) {
      const store = await connect();
      const tool = (name: string, rest = {}) => ({ name, description: "", inputSchema: {}, ...rest });
      const request = acceptOf("alice", S, T);
      const { value } = request.config;
      const config = { value: { ...value, plugins: [{ id: "p" }], tools: [tool("a"), tool("b", { id: "b-1" }), tool("c", { source: "plugin:p" }), tool("d")] } };
      await store.turns.accept({ ...request, config });
      await clock.advance(30_000);
      const means = { providers: [value.policy.providerId], plugins: ["p"], tools: new Set(["a", "b-1"]), retiredTools: new Set(["d"]), sources: new Set(["plugin:p"]) };
      const before = await dump(engine);
      const silence = await silenceOf(store, S);
      const poor = [
        [{ ...means, plugins: [] }, { kind: "plugin", pluginId: "p" }],
        [{ ...means, providers: ["other"] }, { kind: "provider", expected: value.policy.providerId, actual: "other" }],
        [{ ...means, tools: new Set(["a", "b"]) }, { kind: "tools", names: ["b"] }],
        [{ ...means, retiredTools: new Set<string>(), sources: new Set<string>() }, { kind: "tools", names: ["c", "d"] }],
      ] as const;
      for (const [has, lack] of poor) {
        same(await store.turns.resume({ ...claimBy("bob", S, silence), turnId: T, means: has }), { kind: "turn_left", turnId: T, lack }, "taking it over");
        same(await store.turns.accept({ ...acceptOf("bob", S, T, silence), means: has }), { kind: "turn_left", turnId: T, lack }, "accepting it again");
      }
      const foreign = await connect({ protocol: "another" });
      same(ofKind(await foreign.turns.resume({ ...claimBy("bob", S, silence), turnId: T, means }), "turn_left").lack, { kind: "protocol", expected: "standard", actual: "another" }, "under another protocol");
      same(await dump(engine), before, "rows");
      const [[without, lack]] = poor;
      const exhausted = ofKind(await store.turns.resume({ ...claimBy("bob", S, silence), turnId: T, means: without, maxRecoveries: 0 }), "resumed");
      same([exhausted.lack, exhausted.turn.recoveries], [lack, 1], "recovered too often");
      await store.leases.release(fenceOf(exhausted.lease));
      same(ofKind(await store.turns.resume({ ...claimBy("carol", S), turnId: T, means, maxRecoveries: 5 }), "resumed").lack, undefined, "with all of it");
      await clock.advance(30_000);
      await store.turns.requestCancel(S, T, { requestId: "r", origin: "lash", requestedAtMs: START_MS });
      same(ofKind(await store.turns.resume({ ...claimBy("dave", S, await silenceOf(store, S)), turnId: T, means: without }), "resumed").lack, lack, "its end was asked for");
    },
  },
  {
    id: "ME-23",
    title: "a session belongs to the protocol under which it was made: under another one no turn of it is accepted, and nothing is written",
    async run({ connect, engine }) {
      const [standard, foreign] = [await connect(), await connect({ protocol: "another" })];
      await foreign.sessions.create({ sessionId: S, relation: { kind: "root" }, model: "m" });
      same((await standard.sessions.loadMeta(S))?.protocol, "another", "its entry");
      const before = await dump(engine);
      await failsWith("session_fact_pinned", standard.turns.accept(acceptOf("alice", S, T)));
      same(await dump(engine), before, "rows");
      same((await foreign.turns.accept(acceptOf("alice", S, T))).kind, "accepted", "under its own");
      await standard.turns.accept(acceptOf("alice", "beta", T));
      same(Object.hasOwn((await standard.sessions.loadMeta("beta")) ?? {}, "protocol"), false, "the standard one is not written down");
    },
  },
  {
    id: "OP-6",
    title: "taking over from an owner that was lost counts a recovery, until the turn settles something; a released lane and re-entry count none",
    async run({ connect, clock }) {
      const store = await connect();
      const first = await accept(store, S, T);
      same(ofKind(await store.turns.resume({ ...claimBy("alice", S), turnId: T }), "resumed").turn.recoveries, 0, "re-entry");
      const dead = ofKind(await store.turns.resume({ ...claimBy("bob", S), turnId: T, deadHolder: first }), "resumed");
      same([dead.turn.recoveries, dead.lease.fencingToken, dead.headRevision], [1, 2, 0], "after a proof of death");
      await clock.advance(30_000);
      const expired = ofKind(await store.turns.resume({ ...claimBy("carol", S, await silenceOf(store, S)), turnId: T }), "resumed");
      same(expired.turn.recoveries, 2, "after silence");
      await store.leases.release(fenceOf(expired.lease));
      same(ofKind(await store.turns.resume({ ...claimBy("dave", S), turnId: T }), "resumed").turn.recoveries, 2, "after a release (OP-8)");
      await clock.advance(30_000);
      same(ofKind(await store.turns.accept(acceptOf("eve", S, T, await silenceOf(store, S))), "accepted").turn.recoveries, 3, "accepted again after silence");
      same((await store.turns.load(S, T))?.recoveries, 3, "the stored count");
      const fence = fenceOf(required(await store.leases.current(S), "the lease"));
      await store.turns.recordStep(stepOf(fence, T, 1, { snapshot: snapshotAt("restarted") }));
      same((await store.turns.load(S, T))?.recoveries, 3, "the count after a step that settles nothing");
      await store.turns.recordStep(stepOf(fence, T, 2, { settled: [{ replayKey: "k", hash: "h", outcome: { ok: null } }] }));
      same((await store.turns.load(S, T))?.recoveries, 0, "the count after a step that settles an outcome");
      same(await store.turns.resume({ ...claimBy("eve", S), turnId: "unknown" }), { kind: "unknown_turn" }, "an unknown turn");
    },
  },
  {
    id: "OP-4",
    title: "settling ends a turn without moving the head: rows gone, id stamped, lane free",
    async run({ connect, engine }) {
      const store = await connect();
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes: chain(S, ["a", "b"]), usageDeltas: [ledgerEntry("m", 1, 1)], releaseLease: true }));
      const head = await store.sessions.load(S, { kind: "full_graph" });
      const fence = await accept(store, S, T);
      await store.turns.recordStep(stepOf(fence, T, 1, { modelCalls: [call(1)] }));
      const result = resultOf(T, "", { outcome: { stopped: "plugin_abort" }, issues: [{ kind: "plugin", code: "c", message: "m", retryable: false }], toolCalls: [] });
      await failsWith("session_execution_lease_expired", store.turns.settle({ fence: { ...fence, leaseToken: "x" }, result }));
      const recorded = await store.turns.settle({ fence, result });
      same(recorded, { ...result, modelCalls: [call(1)], headRevision: 1, firstNode: 2, nodeCount: 0 }, "the record");
      same(await store.sessions.load(S, { kind: "full_graph" }), head, "the session");
      same([await store.turns.inFlight(), await store.leases.current(S)], [[], undefined], "turns in flight and lease");
      same(await store.turns.accept(acceptOf("bob", S, T)), { kind: "settled", result: recorded }, "accepting it again");
      const before = await dump(engine);
      same(await store.turns.settle({ fence, result }), recorded, "settling it again, with a stale fence");
      await failsWith("runtime_turn_commit_conflict", store.turns.settle({ fence, result: { ...result, inputHash: "other" } }));
      await failsWith("runtime_turn_commit_conflict", store.sessions.commit(commitOf(S, fence, { turn: { commitHash: "h", result, modelCalls: [] } })));
      same(await dump(engine), before, "rows");
    },
  },
  {
    id: "OP-4a",
    title: "a turn that committed cannot be settled, and leaves the rows of another turn alone",
    async run({ connect }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      await store.sessions.commit(commitOf(S, fence, { turn: { commitHash: "h", result: resultOf("other", "x"), modelCalls: [] } }));
      same((await store.turns.load(S, T))?.turnId, T, "the turn in flight");
      await failsWith("runtime_turn_commit_conflict", store.turns.settle({ fence, result: resultOf("other", "x") }));
      await store.turns.settle({ fence, result: resultOf("third", "x") });
      same(await store.turns.inFlight(), [{ sessionId: S, turnId: T }], "turns in flight");
    },
  },
  {
    id: "T-67",
    title: "a commit can accept the turn that follows in the same write; not beside another turn in flight",
    async run({ connect, engine }) {
      const store = await connect();
      const next = { turnId: "t:agent-frame:1", input: { items: [{ type: "text" as const, text: "go on" }] }, inputHash: "n", machine: { machine: "turn", version: 1 } };
      const fence = await accept(store, S, T);
      const turn = { commitHash: "h", result: resultOf(T, "x"), modelCalls: [], next };
      await store.sessions.commit(commitOf(S, fence, { turn }));
      same(await store.turns.inFlight(), [{ sessionId: S, turnId: next.turnId }], "turns in flight");
      const { turn: accepted } = ofKind(await store.turns.resume({ ...claimBy("alice", S), turnId: next.turnId }), "resumed");
      same([accepted.input, accepted.inputHash, accepted.step, accepted.recoveries, accepted.acceptedAtMs], [next.input, "n", 0, 0, START_MS], "the turn that follows");
      const before = await dump(engine);
      const other = { commitHash: "o", result: resultOf("other", "x"), modelCalls: [], next: { ...next, turnId: "other:1" } };
      await failsWith("turn_step_conflict", store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, turn: other })));
      same(await dump(engine), before, "rows");
    },
  },
  {
    id: "OP-7",
    title: "turns in flight are listed over all sessions, in the order of session ids",
    async run({ connect }) {
      const store = await connect();
      for (const sessionId of ["b", "a", "c"]) await accept(store, sessionId, `t-${sessionId}`);
      await store.turns.recordStep(stepOf(await accept(store, "a", "t-a"), "t-a", 1, { appended: [textMessage("m", "User", "x".repeat(5_000))] }));
      same(await store.turns.inFlight(), ["a", "b", "c"].map((sessionId) => ({ sessionId, turnId: `t-${sessionId}` })), "turns in flight");
      same(await (await connect({ sessionId: "b" })).turns.inFlight(), [{ sessionId: "b", turnId: "t-b" }], "those of a bound handle");
    },
  },
  {
    id: "C-10",
    title: "the same stamp and hash gives the first result without lease or head; other content conflicts (P-8)",
    async run({ connect, clock, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const turn = { commitHash: "hash-1", result: resultOf(T, "done", { toolCalls: [{ callId: "c", toolName: "n", status: "failure", durationMs: 3 }] }), modelCalls: [call(1), silent] };
      const commit = commitOf(S, fence, { nodes: chain(S, [`${T}:0`, `${T}:1`]), turn });
      const first = await store.sessions.commit(commit);
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1 }));
      const { fence: _fence, ...unfenced } = commit;
      same(await store.sessions.commit(unfenced), { ...first, replayed: true }, "without a fence");
      await clock.advance(60_000);
      const before = await dump(engine);
      same(await store.sessions.commit({ ...commit, expectedHeadRevision: 7 }), { ...first, replayed: true }, "expired, other revision");
      const error = await failsWith("runtime_turn_commit_conflict", store.sessions.commit({ ...commit, turn: { ...turn, commitHash: "hash-2" } }));
      same(error.details, { sessionId: S, turnId: T }, "details");
      same(await dump(engine), before, "rows");
    },
  },
  {
    id: "C-10a",
    title: "a stamped replay applies the requested release to its own lease only",
    async run({ connect }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const turn = { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] };
      await store.sessions.commit(commitOf(S, fence, { turn }));
      await store.sessions.commit(commitOf(S, { ...fence, leaseToken: "stale" }, { turn, releaseLease: true }));
      same((await store.leases.current(S))?.leaseToken, fence.leaseToken, "the lease after a stale release");
      await store.sessions.commit(commitOf(S, fence, { turn, releaseLease: true }));
      same(await store.leases.current(S), undefined, "the lease after its own release");
    },
  },
  {
    id: "C-22",
    title: "a commit that a late check refuses persists neither state nor stamp; the valid one does all; its retry is identical",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await accept(store, S, T);
      const turn = { commitHash: "h", result: resultOf(T, "x"), modelCalls: [] };
      const commit = commitOf(S, fence, { nodes: chain(S, ["a"]), turn, usageDeltas: [ledgerEntry("m", 1, 1)], components: { toolState: 1 }, releaseLease: true });
      const before = await dump(engine);
      await failsWith("head_revision_conflict", store.sessions.commit({ ...commit, expectedHeadRevision: 3 }));
      await failsWith("store_backend", store.sessions.commit({ ...commit, head: headWith(S, { leafNodeId: "gone" }) }));
      same(await dump(engine), before, "rows after refused commits (P-4)");
      const result = await store.sessions.commit(commit);
      same([result.replayed, await store.turns.inFlight(), await store.leases.current(S)], [false, [], undefined], "the valid commit");
      same(await store.sessions.commit(commit), { ...result, replayed: true }, "its retry");
    },
  },
  {
    id: "P-8",
    title: "every outcome of a turn is recorded as it was, whatever its messages say",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const results = [
        resultOf("said", "the answer"),
        resultOf("said-tidy", "  the answer \n", { text: "the answer" }),
        resultOf("other-text", "the answer", { text: "another text" }),
        resultOf("unsaid", "not what the message says"),
        resultOf("final", "v", { outcome: { finished: { final_value: { value: { a: [1] } } } } }),
        resultOf("tool", "v", { outcome: { finished: { tool_value: { tool_name: "t", value: null } } } }),
        resultOf("switch", "", { outcome: { agent_frame_switch: { frame_id: "f", task: "t" } } }),
        resultOf("stopped", "", { outcome: { stopped: "cancelled" } }),
        resultOf("submitted", "", { outcome: { stopped: { submitted_error: { value: 1 } } } }),
        resultOf("tool-error", "", { outcome: { stopped: { tool_error: { tool_name: "t", value: "x" } } } }),
        resultOf("tools", "x", {
          toolCalls: [
            { callId: "c1", toolName: "n1", status: "success", durationMs: 1 },
            { callId: "c2", toolName: "n2", status: "cancelled", durationMs: 2.5 },
          ],
        }),
      ];
      for (const [index, result] of results.entries()) {
        const { turnId } = result;
        const calling = createMessage(`${turnId}:0`, "Assistant", [{ kind: "ToolCall", content: "{}", toolCallId: "c1", toolName: "n1" }]);
        const saying = textMessage(`${turnId}:1`, "Assistant", turnId === "said-tidy" ? "  the answer \n" : "the answer");
        const nodes = [calling, saying].map((message) => ({ nodeId: message.id, timestamp: "t", body: { kind: "message" as const, message } }));
        await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: index, nodes, turn: { commitHash: turnId, result, modelCalls: [] } }));
      }
      const fresh = await connect();
      for (const [index, result] of results.entries()) {
        const recorded = { ...result, modelCalls: [], headRevision: index + 1, firstNode: index * 2, nodeCount: 2 };
        same(await fresh.turns.settled(S, result.turnId), recorded, result.turnId);
      }
    },
  },
];
