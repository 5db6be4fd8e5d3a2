import { expect, test } from "vitest";
import { initialFrame } from "../../src/domain/session.ts";
import { commitHash } from "../../src/stores/commit-hash.ts";
import type { SessionCommit } from "../../src/stores/contract.ts";
import { chain, commitOf, headWith, ledgerEntry, messageNode, policy, resultOf, textMessage } from "../../src/testing/persistence-fixtures.ts";

const S = "alpha";
const fence = { sessionId: S, ownerId: "o", incarnationId: "i", leaseToken: "t", fencingToken: 1 };
const base: SessionCommit = commitOf(S, fence, {
  expectedHeadRevision: 3,
  nodes: chain(S, ["a", "b"]),
  frames: [initialFrame(S, policy, "2026-11-21T10:00:00.000Z")],
  components: { toolState: { n: 1 }, executionState: new Uint8Array([1]) },
  usageDeltas: [ledgerEntry("m", 1, 1)],
  turn: { commitHash: "", result: resultOf("t", "x"), modelCalls: [] },
});
const hash = commitHash(base);

const sameHash: readonly (readonly [string, SessionCommit])[] = [
  ["expected revision", { ...base, expectedHeadRevision: null }],
  ["fence and release", { ...base, fence: { ...fence, fencingToken: 9 }, releaseLease: true }],
  ["the stamp's own hash", { ...base, turn: { commitHash: "other", result: resultOf("t", "x"), modelCalls: [] } }],
  ["times of the turn", { ...base, turn: { commitHash: "", result: resultOf("t", "x", { startedAtMs: 9, durationMs: 9 }), modelCalls: [] } }],
  ["ids, parents and timestamps of nodes, messages and parts", { ...base, nodes: retimed(["x", "y"]), head: headWith(S, { leafNodeId: "y" }) }],
  ["creation time of a frame", { ...base, frames: [initialFrame(S, policy, "2027-01-01T00:00:00.000Z")] }],
];

function retimed(ids: readonly string[]) {
  const texts = ["text of a", "text of b"];
  return ids.map((id, index) => ({ ...messageNode(S, textMessage(id, "User", texts[index] ?? ""), "elsewhere"), timestamp: "later" }));
}

test.each(sameHash)("a commit hashes the same whatever its %s (P-18, E-30)", (_what, commit) => {
  expect(commitHash(commit)).toBe(hash);
});

const otherHash: readonly (readonly [string, SessionCommit])[] = [
  ["session", { ...base, sessionId: "beta" }],
  ["text of a node", { ...base, nodes: chain(S, ["a", "c"]) }],
  ["number of nodes", { ...base, nodes: chain(S, ["a"]) }],
  ["turn index", { ...base, head: { ...base.head, turnIndex: 1 } }],
  ["policy", { ...base, head: { ...base.head, policy: { ...policy, providerId: "p" } } }],
  ["component", { ...base, components: { ...base.components, toolState: { n: 2 } } }],
  ["component bytes", { ...base, components: { ...base.components, executionState: new Uint8Array([2]) } }],
  ["removal of a component", { ...base, components: { ...base.components, executionState: null } }],
  ["usage", { ...base, usageDeltas: [] }],
  ["attachments", { ...base, committedAttachmentIds: ["a"] }],
  ["turn id", { ...base, turn: { commitHash: "", result: resultOf("t2", "x"), modelCalls: [] } }],
  ["outcome", { ...base, turn: { commitHash: "", result: resultOf("t", "x", { outcome: { stopped: "cancelled" } }), modelCalls: [] } }],
];

test.each(otherHash)("a commit with another %s has another hash (P-18)", (_what, commit) => {
  expect(commitHash(commit)).not.toBe(hash);
  expect(commitHash(commit)).toMatch(/^[0-9a-f]{64}$/);
});
