import { type AgentFrame, initialFrame, initialFrameId, type SessionNode } from "../../domain/session.ts";
import type { SessionMeta } from "../../stores/contract.ts";
import { same } from "../assertions.ts";
import { acquire, chain, commitOf, headWith, ledgerEntry, policy, textMessage, usage } from "../persistence-fixtures.ts";
import { dump, failsWith, type PersistenceCase, required } from "./harness.ts";

const S = "alpha";
const ids = (nodes: readonly { readonly nodeId: string }[]): readonly string[] => nodes.map((node) => node.nodeId);

export const sessionCases: readonly PersistenceCase[] = [
  {
    id: "C-1",
    title: "the declared tier is reported",
    async run({ connect, engine }) {
      const store = await connect();
      same([store.durable, store.name], [engine.durable, engine.name], "tier and name");
    },
  },
  {
    id: "C-2",
    title: "a commit with two frames round-trips frames, reasons, the current frame and execution bytes",
    async run({ connect }) {
      const store = await connect();
      const first: AgentFrame = { ...initialFrame(S, policy, "2026-11-21T10:00:00.000Z"), status: "superseded" };
      const second: AgentFrame = { ...first, frameId: "a-frame", previousFrameId: first.frameId, status: "active", reason: "of_the_host", protocolTurnOptions: { depth: 2 } };
      const executionState = new Uint8Array([0, 255, 7]);
      const head = headWith(S, { currentFrameId: second.frameId });
      await store.sessions.commit(commitOf(S, await acquire(store, S), { frames: [first, second], head, components: { executionState } }));
      const read = required(await (await connect()).sessions.load(S, { kind: "full_graph" }), "the session");
      same(read.frames, [first, second], "frames in the order they were made");
      same(read.head, head, "head");
      same(read.components, { executionState }, "components");
    },
  },
  {
    id: "C-2a",
    title: "a frame that changes keeps its place (OP-12)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const first = initialFrame(S, policy, "2026-11-21T10:00:00.000Z");
      const second: AgentFrame = { ...first, frameId: "a-frame", previousFrameId: first.frameId };
      await store.sessions.commit(commitOf(S, fence, { frames: [first] }));
      const superseded: AgentFrame = { ...first, status: "superseded" };
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, frames: [second, superseded] }));
      same((await store.sessions.load(S, { kind: "full_graph" }))?.frames, [superseded, second], "frames");
    },
  },
  {
    id: "C-3",
    title: "a handle that serves alpha refuses every operation on beta (P-2, P-7)",
    async run({ connect }) {
      const store = await connect({ sessionId: S });
      await store.sessions.commit(commitOf(S, await acquire(store, S)));
      const beta = await acquire(await connect(), "beta");
      const error = await failsWith("session_binding_mismatch", store.sessions.commit(commitOf("beta", beta)));
      same(error.details, { boundSessionId: S, attemptedSessionId: "beta" }, "details");
      await failsWith("session_binding_mismatch", store.sessions.load("beta", { kind: "full_graph" }));
      await failsWith("session_binding_mismatch", store.leases.current("beta"));
      await failsWith("session_binding_mismatch", store.turns.load("beta", "t"));
      await (await connect()).sessions.commit(commitOf("beta", beta));
      same(await store.sessions.list(), [S], "sessions that a bound handle lists");
    },
  },
  {
    id: "C-4",
    title: "loading hydrates all components and merges usage by source and model",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const components = { toolState: { generation: 9, tools: [] }, pluginSnapshot: { revision: 12 } };
      await store.sessions.commit(commitOf(S, fence, { components, usageDeltas: [ledgerEntry("b", 1, 2), ledgerEntry("none", 0, 0)] }));
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, usageDeltas: [ledgerEntry("a", 5, 5), ledgerEntry("b", 10, 20)] }));
      const read = required(await store.sessions.load(S, { kind: "active_path" }), "the session");
      same(read.components, components, "components");
      same(read.ledger, [ledgerEntry("b", 11, 22), ledgerEntry("a", 5, 5)], "ledger in first-seen order, zero entries dropped (P-21)");
    },
  },
  {
    id: "C-5",
    title: "full scope keeps all branches in insertion order; the active path follows one leaf",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const trunk = chain(S, ["root", "a"]);
      const left = chain(S, ["left-1", "left-2"], "a");
      const right = chain(S, ["right-1"], "a");
      await store.sessions.commit(commitOf(S, fence, { nodes: trunk }));
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, nodes: left }));
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 2, nodes: right }));
      const full = required(await store.sessions.load(S, { kind: "full_graph" }), "the session");
      same(full.nodes, [...trunk, ...left, ...right], "all nodes");
      same([full.head.leafNodeId, full.nodeCount], ["right-1", 5], "leaf and count");
      const active = required(await store.sessions.load(S, { kind: "active_path" }), "the session");
      same(active.nodes, [...trunk, ...right], "the path to the stored leaf");
      const other = required(await store.sessions.load(S, { kind: "active_path", leafNodeId: "left-2" }), "the session");
      same(other.nodes, [...trunk, ...left], "the path to an explicit leaf");
      same(other.head.leafNodeId, "left-2", "the leaf that was asked for");
      const unknown = required(await store.sessions.load(S, { kind: "active_path", leafNodeId: "nowhere" }), "the session");
      same(unknown.nodes, [], "the path to an unknown leaf (P-20)");
      const later = required(await store.sessions.load(S, { kind: "active_path", later: true }), "the session, its nodes later");
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 3, nodes: chain(S, ["right-2"], "right-1") }));
      same([later.lastNode, later.nodes], [right[0], [...trunk, ...right]], "nodes of a read are those of its moment, whenever they are looked at");
    },
  },
  {
    id: "C-5a",
    title: "the active path ends at a missing parent and at a cycle (S-2)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const [x, y] = chain(S, ["x", "y"], "y");
      await store.sessions.commit(commitOf(S, fence, { nodes: [required(x, "x"), required(y, "y")] }));
      same(ids((await store.sessions.load(S, { kind: "active_path" }))?.nodes ?? []), ["x", "y"], "a cycle");
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, nodes: chain(S, ["orphan"], "gone") }));
      same(ids((await store.sessions.load(S, { kind: "active_path" }))?.nodes ?? []), ["orphan"], "a missing parent");
    },
  },
  {
    id: "C-6",
    title: "metadata round-trips every field and knows neither head nor lease (P-22)",
    async run({ connect }) {
      const store = await connect();
      const meta: SessionMeta = {
        sessionId: S,
        sessionName: "Alpha",
        createdAt: "2026-11-21T10:00:00.000Z",
        model: "gpt-5",
        cwd: "/home/alpha",
        relation: { kind: "child", parentSessionId: "parent", causedBy: { call: 1 } },
      };
      await store.sessions.saveMeta(meta);
      same(await (await connect()).sessions.loadMeta(S), meta, "metadata");
      same(await store.sessions.load(S, { kind: "full_graph" }), undefined, "a session without commit (P-20)");
      await store.sessions.saveMeta({ ...meta, sessionName: "Beta" });
      same((await store.sessions.loadMeta(S))?.sessionName, "Beta", "the name after another save");
      same(await store.sessions.loadMeta("beta"), undefined, "metadata of an unknown session");
    },
  },
  {
    id: "P-17",
    title: "head revisions are gapless from 1, and head, policy and counters round-trip",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      same(await store.sessions.headRevision(S), 0, "revision before the first commit");
      const head = headWith(S, {
        policy: { providerId: "p", model: { id: "m", variant: "v", limits: { contextWindowTokens: 10, outputTokenCapacity: 5 } }, maxTurns: 3 },
        turnIndex: 4,
        tokenUsage: { inputTokens: 1, outputTokens: 2, cacheReadInputTokens: 3, cacheWriteInputTokens: 4, reasoningOutputTokens: 5 },
        lastPromptUsage: usage(6, 7),
        protocolTurnOptions: { a: [null, { b: true }] },
      });
      for (const revision of [1, 2, 3]) {
        const result = await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: revision - 1, head }));
        same(result, { headRevision: revision, replayed: false }, "result");
        same(await store.sessions.headRevision(S), revision, "revision");
      }
      same((await (await connect()).sessions.load(S, { kind: "active_path" }))?.head, head, "head");
    },
  },
  {
    id: "P-20",
    title: "every kind of node, part and origin comes back as it was committed",
    async run({ connect }) {
      const store = await connect();
      const reference = { id: "f".repeat(64), mime: "image/png", byteLength: 3 };
      const frame = initialFrameId(S);
      const t0 = "2026-11-21T10:00:00.000Z";
      const nodes: readonly SessionNode[] = [
        { nodeId: "n0", timestamp: t0, body: { kind: "message", message: textMessage("n0", "System", "") } },
        {
          nodeId: "n1",
          parentNodeId: "n0",
          agentFrameId: frame,
          timestamp: t0,
          causedBy: { effect: 3 },
          body: {
            kind: "message",
            message: {
              id: "another-id",
              role: "Event",
              origin: { kind: "process", processId: "p", eventType: "e", sequence: 0, wakeId: "w" },
              parts: [
                { id: "another-id.p0", kind: "Image", content: "", attachment: { reference } },
                { id: "own-id", kind: "ToolCall", content: "{}", toolCallId: "c", toolName: "t", toolReplay: { itemId: "i", opaque: "o" } },
                { id: "another-id.p2", kind: "Reasoning", content: "hm", reasoningMeta: { signature: "s", summary: ["x"] } },
                { id: "another-id.p3", kind: "Text", content: "\u2028\ud83d\ude00", pruneState: "Cleared", responseMeta: { phase: "final" } },
                { id: "another-id.p4", kind: "Output", content: "o", pruneState: { Summarized: { summary: "s", archiveHash: "h" } } },
              ],
            },
          },
        },
        { nodeId: "n2", parentNodeId: "n0", agentFrameId: "other", timestamp: "2026-11-21T10:00:01.000Z", body: { kind: "plugin", pluginType: "todo", payload: null } },
        {
          nodeId: "n3",
          timestamp: t0,
          agentFrameId: frame,
          body: { kind: "message", message: { ...textMessage("n3", "Assistant", "hi"), origin: { kind: "plugin", pluginId: "x" } } },
        },
      ];
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes }));
      const fresh = await connect();
      same((await fresh.sessions.load(S, { kind: "full_graph" }))?.nodes, nodes, "nodes");
      for (const node of nodes) same(await fresh.sessions.loadNode(S, node.nodeId), node, `node ${node.nodeId} (P-22)`);
      same(await fresh.sessions.loadNode(S, "n4"), undefined, "an unknown node");
    },
  },
  {
    id: "P-51",
    title: "the first commit and the first accepted turn enter a session into the directory, later ones leave it alone",
    async run({ connect, clock }) {
      const store = await connect();
      const fence = await acquire(store, S);
      await store.sessions.commit(commitOf(S, fence));
      const meta = { sessionId: S, sessionName: S, createdAt: new Date(clock.now()).toISOString(), model: "gpt-5", relation: { kind: "root" as const } };
      same(await store.sessions.loadMeta(S), meta, "seeded metadata");
      await store.sessions.saveMeta({ ...meta, sessionName: "mine" });
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1 }));
      same((await store.sessions.loadMeta(S))?.sessionName, "mine", "the name");
      await store.sessions.commit(commitOf("b", await acquire(store, "b")));
      same(await store.sessions.list(), [S, "b"], "sessions");
    },
  },
  {
    id: "C-31",
    title: "of two connections that commit on revision 0 one wins and one gets head_revision_conflict",
    async run({ connect }) {
      const [one, two] = [await connect(), await connect()];
      const fence = await acquire(one, S);
      const commits = [one, two].map((store, index) => store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 0, nodes: chain(S, [`n${index}`]) })));
      const settled = await Promise.allSettled(commits);
      same(settled.map((outcome) => outcome.status).sort(), ["fulfilled", "rejected"], "outcomes");
      const lost = required(settled.find((outcome) => outcome.status === "rejected"), "the loser");
      const error = await failsWith("head_revision_conflict", Promise.reject(lost.reason));
      same(error.details, { sessionId: S, expected: 0, actual: 1 }, "details");
      same([await one.sessions.headRevision(S), (await two.sessions.load(S, { kind: "full_graph" }))?.nodeCount], [1, 1], "revision and nodes");
    },
  },
  {
    id: "C-31a",
    title: "an expected revision of null means a first commit (P-10)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: null }));
      await failsWith("head_revision_conflict", store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: null })));
    },
  },
  {
    id: "C-35",
    title: "connections that open empty storage at the same time all see the same store",
    async run({ connect }) {
      const stores = [await connect(), await connect(), await connect(), await connect()];
      await Promise.all(stores.map((store, index) => acquire(store, `s${index}`)));
      await Promise.all(stores.map(async (store, index) => same((await store.leases.current(`s${3 - index}`))?.fencingToken, 1, "a lease of another connection")));
    },
  },
  {
    id: "C-39",
    title: "hydrated state keeps the provider id without a live provider, also in frames",
    async run({ connect }) {
      const store = await connect();
      const elsewhere = { ...policy, providerId: "gone" };
      await store.sessions.commit(
        commitOf(S, await acquire(store, S), { head: headWith(S, { policy: elsewhere }), frames: [initialFrame(S, elsewhere, "2026-11-21T10:00:00.000Z")] }),
      );
      const read = required(await (await connect()).sessions.load(S, { kind: "active_path" }), "the session");
      same([read.head.policy.providerId, read.frames[0]?.policy.providerId], ["gone", "gone"], "provider ids");
    },
  },
  {
    id: "C-41",
    title: "an existing or repeated node id is rejected and nothing is written (P-13, P-4)",
    async run({ connect, engine }) {
      const store = await connect();
      const fence = await acquire(store, S);
      await store.sessions.commit(commitOf(S, fence, { nodes: chain(S, ["a", "t:0", "t:1"]) }));
      const before = await dump(engine);
      for (const repeated of [["a"], ["t:1"], ["b", "b"]]) {
        await failsWith("store_backend", store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, nodes: chain(S, repeated) })));
      }
      same(await dump(engine), before, "rows");
    },
  },
  {
    id: "C-42",
    title: "a leaf that is no node is rejected; one of an earlier commit, or none, is taken (P-13)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      await store.sessions.commit(commitOf(S, fence, { nodes: chain(S, ["a", "b"]) }));
      const moveTo = (leafNodeId: string | undefined, expectedHeadRevision: number) =>
        store.sessions.commit(commitOf(S, fence, { expectedHeadRevision, head: headWith(S, leafNodeId === undefined ? {} : { leafNodeId }) }));
      await failsWith("store_backend", moveTo("nowhere", 1));
      await moveTo("a", 1);
      same((await store.sessions.load(S, { kind: "active_path" }))?.nodes, chain(S, ["a"]), "the path after moving the leaf");
      await moveTo(undefined, 2);
      const read = required(await store.sessions.load(S, { kind: "active_path" }), "the session");
      same([read.head.leafNodeId, read.nodes, read.nodeCount], [undefined, [], 2], "no leaf");
    },
  },
  {
    id: "C-43",
    title: "a component that a commit does not mention stays, null removes it (P-16)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const bytes = new Uint8Array(9_000_000).map((_, index) => index % 251);
      await store.sessions.commit(commitOf(S, fence, { components: { toolState: { n: 1 }, executionState: bytes, pluginSnapshot: "text" } }));
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, components: { toolState: { n: 2 }, pluginSnapshot: null } }));
      const { components } = required(await (await connect()).sessions.load(S, { kind: "active_path" }), "the session");
      same([components.toolState, components.pluginSnapshot], [{ n: 2 }, undefined], "changed components");
      const kept = components.executionState;
      same(kept instanceof Uint8Array && kept.length === bytes.length && kept.every((byte, index) => byte === bytes[index]), true, "9 MB of bytes");
    },
  },
];
