import { createMessage } from "../../domain/messages.ts";
import type { Key } from "../../stores/engine.ts";
import { same } from "../assertions.ts";
import { accept, acceptOf, acquire, chain, claimBy, commandDraft, commitOf, headWith, inputDraft, ledgerEntry, messageNode, resultOf, textMessage } from "../persistence-fixtures.ts";
import { dump, failsWith, type PersistenceCase, required, START_MS } from "./harness.ts";

const S = "alpha";
const all = { kind: "full_graph" } as const;
const path = { kind: "active_path" } as const;

export const maintenanceCases: readonly PersistenceCase[] = [
  {
    id: "C-28",
    title: "a tombstoned node is hidden from every read at once, and gone after vacuum; turn records stay (P-48, P-49)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const turn = { commitHash: "h", result: resultOf("t", "said"), modelCalls: [] };
      const nodes = [...chain(S, ["t:0", "own"]), messageNode(S, textMessage("t:7", "Assistant", "said"), "own")];
      const { turn: recorded } = await store.sessions.commit(commitOf(S, fence, { nodes, turn }));
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, nodes: chain(S, ["plain"], "t:7") }));
      same(await store.maintenance.tombstoneNodes(S, ["own", "t:7", "own", "unknown"]), 2, "hidden nodes");
      same(await store.maintenance.tombstoneNodes(S, ["own"]), 0, "hidden again");
      const visible = async () => {
        const read = required(await store.sessions.load(S, all), "the session");
        const later = required(await store.sessions.load(S, { ...all, later: true }), "the session, its nodes later");
        same([later.lastNode, later.nodes], [read.nodes.at(-1), read.nodes], "nodes that are made when somebody looks");
        const found = await Promise.all(["t:0", "own", "t:7", "plain"].map(async (id) => (await store.sessions.loadNode(S, id)) !== undefined));
        return [read.nodes.map((node) => node.nodeId), read.nodeCount, found, read.headRevision];
      };
      const expected = [["t:0", "plain"], 2, [true, false, false, true], 2];
      same(await visible(), expected, "reads");
      same((await store.sessions.load(S, path))?.nodes.map((node) => node.nodeId), ["plain"], "the path is cut");
      same(await store.maintenance.orphanedNodeIds(S), ["t:0"], "orphans (S-87)");
      await failsWith("store_backend", store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 2, nodes: chain(S, ["own"]) })));
      same(await store.maintenance.vacuum(S), { removedNodeCount: 2, removedPendingTurnInputTombstoneCount: 0 }, "vacuum");
      same(await store.maintenance.vacuum(S), { removedNodeCount: 0, removedPendingTurnInputTombstoneCount: 0 }, "vacuum again");
      same(await visible(), expected, "reads after vacuum");
      same(await (await connect()).turns.settled(S, "t"), recorded, "the turn's record");
      same((await store.sessions.load(S, all))?.nodes, [required(nodes[0], "t:0"), ...chain(S, ["plain"], "t:7")], "what is left, unchanged");
      await store.maintenance.gcUnreachable();
    },
  },
  {
    id: "P-48",
    title: "the leaf may be tombstoned, but no commit may keep or take a hidden leaf (P-13)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      await store.sessions.commit(commitOf(S, fence, { nodes: chain(S, ["a", "b"]) }));
      await store.maintenance.tombstoneNodes(S, ["b"]);
      const read = required(await store.sessions.load(S, path), "the session");
      same([read.head.leafNodeId, read.nodes], ["b", []], "the leaf and its path (P-20)");
      const to = (leafNodeId: string) => store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, head: headWith(S, { leafNodeId }) }));
      await failsWith("store_backend", to("b"));
      await to("a");
      same((await store.sessions.load(S, path))?.nodes, chain(S, ["a"]), "the healed path");
      same(await store.maintenance.tombstoneNodes("unknown", ["a"]), 0, "nodes of an unknown session");
    },
  },
  {
    id: "C-29",
    title: "gc removes component bodies that no head names, and nothing the second time (P-50)",
    async run({ connect }) {
      const store = await connect();
      const fence = await acquire(store, S);
      const shared = { pluginSnapshot: { shared: true } };
      await store.sessions.commit(commitOf(S, fence, { components: { toolState: { generation: 1 }, ...shared } }));
      await store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1, components: { toolState: { generation: 2 } } }));
      await store.sessions.commit(commitOf("beta", await acquire(store, "beta"), { components: shared }));
      await store.sessions.commit(commitOf("gamma", await acquire(store, "gamma")));
      same(await store.maintenance.gcUnreachable(), { rootCount: 2, retainedBlobCount: 2, deletedBlobCount: 1 }, "report");
      same(await store.maintenance.gcUnreachable(), { rootCount: 2, retainedBlobCount: 2, deletedBlobCount: 0 }, "second run");
      same((await store.sessions.load(S, all))?.components, { toolState: { generation: 2 }, ...shared }, "the live checkpoint");
      await store.sessions.delete(S);
      same(await store.maintenance.gcUnreachable(), { rootCount: 1, retainedBlobCount: 1, deletedBlobCount: 1 }, "after deleting a session");
      same((await store.sessions.load("beta", all))?.components, shared, "the other session's component");
    },
  },
  {
    id: "C-36",
    title: "gc keeps all bodies of a live checkpoint, and deletes nothing when a head cannot be read",
    async run({ connect, engine }) {
      const store = await connect();
      const components = { toolState: 1, pluginSnapshot: "2", executionState: new Uint8Array([3]) };
      await store.sessions.commit(commitOf(S, await acquire(store, S), { components }));
      await store.sessions.commit(commitOf("beta", await acquire(store, "beta"), { components: { toolState: "unreachable soon" } }));
      await store.sessions.delete("beta");
      const key = ["s", S, 0, "head"];
      const head = await engine.read((tx) => tx.get(key));
      await engine.write(async (tx) => tx.set(key, { schemaVersion: 1 }));
      const before = await dump(engine);
      await failsWith("stored_row_invalid", store.maintenance.gcUnreachable());
      same(await dump(engine), before, "rows");
      await engine.write(async (tx) => tx.set(key, required(head, "the head")));
      same(await store.maintenance.gcUnreachable(), { rootCount: 1, retainedBlobCount: 3, deletedBlobCount: 1 }, "report");
      same((await store.sessions.load(S, all))?.components, components, "components");
    },
  },
  {
    id: "C-37",
    title: "gc beside commits of other connections neither blocks nor loses a body",
    async run({ connect }) {
      const [one, two] = [await connect(), await connect()];
      const fence = await acquire(one, S);
      for (let revision = 0; revision < 5; revision++) {
        await Promise.all([
          one.sessions.commit(commitOf(S, fence, { expectedHeadRevision: revision, components: { toolState: { revision } } })),
          two.maintenance.gcUnreachable(),
        ]);
        same((await two.sessions.load(S, all))?.components, { toolState: { revision } }, "components");
      }
    },
  },
  {
    id: "C-43a",
    title: "a component can be taken over by reference; an unknown reference rejects the commit (P-16)",
    async run({ connect, engine }) {
      const store = await connect();
      await store.sessions.commit(commitOf(S, await acquire(store, S), { components: { toolState: { n: 1 }, executionState: new Uint8Array([1]) } }));
      const { componentRefs } = required(await store.sessions.load(S, all), "the session");
      const fence = await acquire(store, "fork");
      const before = await dump(engine);
      await failsWith("store_backend", store.sessions.commit(commitOf("fork", fence, { componentRefs: { toolState: "json:unknown" } })));
      same(await dump(engine), before, "rows");
      await store.sessions.commit(commitOf("fork", fence, { componentRefs, components: { toolState: { n: 2 } } }));
      same((await store.sessions.load("fork", all))?.components, { toolState: { n: 2 }, executionState: new Uint8Array([1]) }, "the fork's components");
      await store.sessions.commit(commitOf("fork", fence, { expectedHeadRevision: 1, componentRefs }));
      same((await store.sessions.load("fork", all))?.components.toolState, { n: 1 }, "a component that was replaced by reference");
    },
  },
  {
    id: "C-50",
    title: "creating seeds metadata once, opening an unknown session gives nothing (P-51)",
    async run({ connect }) {
      const store = await connect();
      same([await store.sessions.open(S), await store.sessions.summarize(S)], [undefined, undefined], "an unknown session");
      const seed = { sessionId: S, relation: { kind: "child" as const, parentSessionId: "p" }, model: "m", cwd: "/w" };
      const meta = { ...seed, sessionName: S, createdAt: new Date(START_MS).toISOString() };
      same(await store.sessions.create(seed), meta, "created");
      await store.sessions.saveMeta({ ...meta, sessionName: "mine" });
      same(await store.sessions.create({ ...seed, relation: { kind: "root" }, sessionName: "other" }), { ...meta, sessionName: "mine" }, "created again");
      same(await (await connect()).sessions.open(S), { ...meta, sessionName: "mine" }, "opened");
    },
  },
  {
    id: "C-50a",
    title: "deleting removes every row of a session and retires its id for good (P-52, design 7.7)",
    async run({ connect, engine }) {
      const store = await connect();
      await store.sessions.commit(commitOf("other", await acquire(store, "other"), { nodes: chain("other", ["x"]) }));
      const others = await dump(engine);
      const nodes = Array.from({ length: 600 }, (_, index) => messageNode(S, textMessage(`n${index}`, "User", "x")));
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes, usageDeltas: [ledgerEntry("m", 1, 1)], releaseLease: true }));
      await store.inputs.enqueue(inputDraft(S, "i", { sourceKey: "k", attachments: [{ bytes: new Uint8Array([1]), mime: "image/png" }] }));
      await store.maintenance.tombstoneNodes(S, ["n1"]);
      await store.waits.open(S, "w");
      const fence = await accept(store, S, "t");
      await store.queue.enqueue(commandDraft(S, "c", { sourceKey: "k" }));
      same([await store.sessions.delete(S), await store.sessions.delete(S), await store.sessions.delete("unknown")], [true, false, false], "delete, again, unknown");
      const left = (await dump(engine)).filter(({ key }) => key[0] !== "retired" && key[0] !== "waits");
      const isShared = (key: Key): boolean => key[0] === "content" || key[0] === "piece";
      same(left.filter(({ key }) => !isShared(key)), others, "rows that are left");
      same((await store.maintenance.gcUnreachable()).deletedBlobCount, left.filter(({ key }) => key[0] === "content").length, "what is shared goes with the next gc");
      same((await dump(engine)).some(({ key }) => isShared(key)), false, "shared rows after it");
      same(await store.sessions.list(), ["other"], "sessions");
      same(await store.waits.resolve(S, "w", { status: "timeout" }), { status: "unknown_or_revoked" }, "a late resolution (E-22)");
      const refused: readonly (() => Promise<unknown>)[] = [
        () => store.sessions.create({ sessionId: S, relation: { kind: "root" }, model: "m" }),
        () => store.sessions.open(S),
        () => store.sessions.saveMeta({ sessionId: S, sessionName: S, createdAt: "", model: "m", relation: { kind: "root" } }),
        () => store.leases.claim(claimBy("alice", S)),
        () => store.turns.accept(acceptOf("alice", S, "t")),
        () => store.turns.resume({ ...claimBy("alice", S), turnId: "t" }),
        () => store.inputs.enqueue(inputDraft(S, "i")),
        () => store.queue.enqueue(commandDraft(S, "c")),
        () => store.attachments.manifest.recordIntent(S, "a"),
        // The next write of a runtime that had the session open (S-84).
        () => store.sessions.commit(commitOf(S, fence, { expectedHeadRevision: 1 })),
        () => store.leases.renew(fence, 1_000),
      ];
      for (const call of refused) same((await failsWith("session_id_retired", call())).details, { sessionId: S }, "details");
    },
  },
  {
    id: "P-23",
    title: "a summary has the first text of the user and counts the user's messages",
    async run({ connect }) {
      const store = await connect();
      const reference = { id: "f".repeat(64), mime: "image/png", byteLength: 1 };
      const messages = [
        textMessage("m0", "System", "system"),
        createMessage("m1", "User", [{ kind: "Image", content: "", attachment: { reference } }]),
        createMessage("m2", "User", [{ kind: "ToolResult", content: "r", toolCallId: "c" }]),
        createMessage("m3", "User", [{ kind: "Text", content: "by a plugin" }], { kind: "plugin", pluginId: "p" }),
        textMessage("m4", "User", "hello"),
      ];
      const nodes = messages.map((message, index) => messageNode(S, message, messages[index - 1]?.id));
      await store.sessions.commit(commitOf(S, await acquire(store, S), { nodes }));
      const summary = required(await store.sessions.summarize(S), "the summary");
      same([summary.firstUserText, summary.userMessageCount, summary.meta.sessionId], ["[Image attached]", 2, S], "summary");
      await store.sessions.create({ sessionId: "empty", relation: { kind: "root" }, model: "m" });
      same((await store.sessions.summarize("empty"))?.userMessageCount, 0, "an empty session");
    },
  },
];
