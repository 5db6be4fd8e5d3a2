// Identity of a commit (P-18, E-30): a turn that is driven again to the same end hashes the same, whatever ids, times,
// lease and head revision it has by then.

import { canonicalJson, isPlainObject } from "../domain/json.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { SessionCommit } from "./contract.ts";

const VOLATILE: ReadonlySet<string> = new Set(["nodeId", "parentNodeId", "leafNodeId", "timestamp"]);

/**
 * SHA-256 of what a commit says, as 64 hex digits.
 *
 * Left out: expected revision, fence, release, the hash itself; node ids, parents, leaves and timestamps at any depth; ids of
 * messages and parts; claim ids and tokens of what it completes; creation times of frames; times, durations and calls of the turn's record; the residency snapshot.
 */
export function commitHash(commit: Omit<SessionCommit, "turn"> & { readonly turn?: Pick<NonNullable<SessionCommit["turn"]>, "result"> }): string {
  const { machine: _, ...head } = commit.head;
  const result = commit.turn?.result;
  return sha256Hex(
    canonicalJson(
      strip({
        sessionId: commit.sessionId,
        head,
        frames: commit.frames.map(({ createdAt: _createdAt, ...frame }) => frame),
        nodes: commit.nodes,
        components: commit.components,
        usageDeltas: commit.usageDeltas,
        componentRefs: commit.componentRefs,
        committedAttachmentIds: commit.committedAttachmentIds,
        completed: [...(commit.completedWork ?? []), ...(commit.completedInputs ?? [])].flatMap((claim) => claim.ids),
        interruptedTurnId: commit.interruptedTurnId,
        turn: result && { turnId: result.turnId, inputHash: result.inputHash, outcome: result.outcome, text: result.text },
      }),
    ),
  );
}

function strip(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: sha256Hex(value) };
  if (Array.isArray(value)) return value.map(strip);
  if (!isPlainObject(value)) return value;
  const dropsId = isMessage(value) || isPart(value);
  const kept: Record<string, unknown> = Object.create(null);
  for (const [key, member] of Object.entries(value)) {
    if (!VOLATILE.has(key) && !(dropsId && key === "id")) kept[key] = strip(member);
  }
  return kept;
}

const isMessage = (value: object): boolean => "role" in value && "parts" in value;
/** The spec's third mark, a prune state, is absent on intact parts here; a part is told by kind and content. */
const isPart = (value: object): boolean => "kind" in value && "content" in value;
