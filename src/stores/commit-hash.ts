// Identity of a commit (P-18, E-30): a turn that is driven again to the same end hashes the same, whatever ids, times,
// lease and head revision it has by then.

import { canonicalJson, type Omits } from "../domain/json.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { SessionCommit } from "./contract.ts";

const VOLATILE: ReadonlySet<string> = new Set(["nodeId", "parentNodeId", "leafNodeId", "timestamp"]);

/**
 * SHA-256 of what a commit says, as 64 hex digits.
 *
 * Left out: expected revision, fence, release, the hash itself; node ids, parents, leaves and timestamps at any depth; ids of
 * messages and parts; claim ids and tokens of what it completes; creation times of frames; times, durations and calls of the turn's record.
 */
export function commitHash(commit: Omit<SessionCommit, "turn"> & { readonly turn?: Pick<NonNullable<SessionCommit["turn"]>, "result"> }): string {
  const result = commit.turn?.result;
  return sha256Hex(
    canonicalJson(
      {
        sessionId: commit.sessionId,
        head: commit.head,
        frames: commit.frames.map(({ createdAt: _createdAt, ...frame }) => frame),
        nodes: commit.nodes,
        components: hashableComponents(commit.components),
        usageDeltas: commit.usageDeltas,
        componentRefs: commit.componentRefs,
        committedAttachmentIds: commit.committedAttachmentIds,
        completed: [...(commit.completedWork ?? []), ...(commit.completedInputs ?? [])].flatMap((claim) => claim.ids),
        interruptedTurnId: commit.interruptedTurnId,
        turn: result && { turnId: result.turnId, inputHash: result.inputHash, outcome: result.outcome, text: result.text },
      },
      isVolatile,
    ),
  );
}

/** Runs over everything a turn said, at every commit: it looks at members in place and copies nothing. */
const isVolatile: Omits = (key, object) => VOLATILE.has(key) || (key === "id" && (isMessage(object) || isPart(object)));

/** Components are the only place of a commit that may hold bytes. */
function hashableComponents(components: SessionCommit["components"]): unknown {
  if (components === undefined) return undefined;
  const bodies = Object.entries(components).map(([name, body]) => [name, body instanceof Uint8Array ? { bytes: sha256Hex(body) } : body]);
  return Object.fromEntries(bodies);
}

const isMessage = (value: object): boolean => "role" in value && "parts" in value;
/** The spec's third mark, a prune state, is absent on intact parts here; a part is told by kind and content. */
const isPart = (value: object): boolean => "kind" in value && "content" in value;
