// Resident state of an opened session: the last commit, as values (S-48).

import { type ActivePath, activePath } from "../domain/graph.ts";
import { initialFrame, type AgentFrame, type SessionPolicy, type TokenLedgerEntry } from "../domain/session.ts";
import type { Json } from "../domain/json.ts";
import type { PromptLayer } from "../domain/prompt.ts";
import { NO_SUSPECTS, storedSuspects, type SuspectMedia } from "../domain/suspect-media.ts";
import { NO_PROMPT } from "../domain/turn-config.ts";
import { zeroUsage } from "../domain/usage.ts";
import { addToLedger } from "../domain/usage-report.ts";
import type { HistoryReference } from "../machines/effects.ts";
import type { CommitResult, ComponentBody, SessionCommit, SessionHead, SessionRead } from "../stores/contract.ts";
import { History } from "./history.ts";
import { storedPrompt } from "./session-settings.ts";

export interface Resident {
  /** 0 when nothing was ever committed. */
  readonly headRevision: number;
  readonly head: SessionHead;
  readonly frames: readonly AgentFrame[];
  /** The session's own layer of the prompt, as recorded. */
  readonly prompt: PromptLayer;
  /** State of the session's tools, as recorded; undefined where nobody has touched them. */
  readonly toolState?: Json;
  /** State of its plugins, as recorded; kept, because a turn that fails takes them back to it. */
  readonly plugins: ComponentBody | undefined;
  /** Media that models have refused. */
  readonly suspects: SuspectMedia;
  readonly ledger: readonly TokenLedgerEntry[];
  readonly history: History;
  /** Messages of `history` at this revision; the history itself may have grown since. Asking for it reads the history. */
  readonly messageCount: number;
}

/** Adds the number of messages that the history has now, without asking for it. */
function counted(resident: Omit<Resident, "messageCount">): Resident {
  return Object.defineProperty(resident, "messageCount", { get: resident.history.mark(), enumerable: true }) as Resident;
}

export function freshResident(sessionId: string, policy: SessionPolicy, now: number): Resident {
  const frame = initialFrame(sessionId, policy, new Date(now).toISOString());
  return counted({
    headRevision: 0,
    head: { policy, currentFrameId: frame.frameId, turnIndex: 0, tokenUsage: zeroUsage, protocolTurnOptions: null },
    frames: [frame],
    prompt: NO_PROMPT,
    plugins: undefined,
    suspects: NO_SUSPECTS,
    ledger: [],
    history: new History(),
  });
}

export interface LoadedResident {
  readonly resident: Resident;
  /** Whether its leaf had to be repaired. */
  readonly repaired: boolean;
}

/** The usual case: the leaf is the node that was inserted last. So it is there, and the other nodes need not be looked at. */
export const endsAtLeaf = ({ lastNode, head }: SessionRead): boolean => lastNode !== undefined && lastNode.nodeId === head.leafNodeId;

export function residentOf(read: SessionRead): LoadedResident {
  const { sessionId, head: { currentFrameId, policy, leafNodeId: storedLeaf, ...rootless } } = read;
  const path = (): ActivePath => activePath(read.nodes, storedLeaf);
  const { leafNodeId, repaired } = endsAtLeaf(read) ? { leafNodeId: storedLeaf, repaired: false } : path();
  const history = History.later(() => path().nodes, sessionId, currentFrameId, policy);
  const resident = counted({
    headRevision: read.headRevision,
    head: { ...rootless, currentFrameId, policy, ...(leafNodeId !== undefined && { leafNodeId }) },
    frames: read.frames,
    prompt: storedPrompt(read.components.prompt),
    ...(read.components.toolState !== undefined && { toolState: read.components.toolState as Json }),
    plugins: read.components.pluginSnapshot,
    suspects: storedSuspects(read.components.suspectMedia),
    ledger: read.ledger,
    history,
  });
  return { resident, repaired };
}

/** What the store says of a commit. */
export type Committed = Pick<CommitResult, "headRevision" | "ledger">;

/** Resident state after a commit of this session: what it appended is appended, never rebuilt. */
export function residentAfter(before: Resident, { headRevision, ledger }: Committed, { sessionId, head, frames, nodes, components, usageDeltas }: SessionCommit): Resident {
  const switched = head.currentFrameId !== before.head.currentFrameId;
  const history = switched ? History.of(nodes, sessionId, head.currentFrameId, head.policy) : before.history;
  if (!switched) history.append(nodes.flatMap(({ body }) => (body.kind === "message" ? [body.message] : [])));
  const changed = new Map(frames.map((frame) => [frame.frameId, frame]));
  const kept = before.frames.map((frame) => changed.get(frame.frameId) ?? frame);
  const known = new Set(kept.map((frame) => frame.frameId));
  const toolState = components?.toolState ? (components.toolState as Json) : before.toolState;
  // Field by field: a spread would ask for the message count, and so read a history that nobody has looked at.
  return counted({
    headRevision,
    head,
    prompt: components?.prompt === undefined ? before.prompt : components.prompt === null ? NO_PROMPT : (components.prompt as PromptLayer),
    ...(toolState !== undefined && { toolState }),
    plugins: components?.pluginSnapshot === undefined ? before.plugins : (components.pluginSnapshot ?? undefined),
    suspects: components?.suspectMedia === undefined ? before.suspects : storedSuspects(components.suspectMedia),
    frames: frames.length === 0 ? before.frames : [...kept, ...frames.filter((frame) => !known.has(frame.frameId))],
    ledger: ledger ?? addToLedger(before.ledger, usageDeltas),
    history,
  });
}

/** Where a turn that begins now starts from. */
export function referenceOf({ headRevision, head, messageCount }: Resident): HistoryReference {
  return {
    headRevision,
    frameId: head.currentFrameId,
    leafNodeId: head.leafNodeId ?? null,
    turnIndex: head.turnIndex,
    messageCount,
  };
}
