// Changes of a session that are no turn: each is a commit of its own (S-48).

import { invalidArgument } from "../domain/invalid-argument.ts";
import { initialFrame, type SessionNode } from "../domain/session.ts";
import { zeroUsage } from "../domain/usage.ts";
import type { LeaseFence, SessionCommit, SessionRead } from "../stores/contract.ts";
import { attachmentIds } from "./images.ts";
import type { Resident } from "./resident.ts";

export type SessionChange = Partial<Pick<SessionCommit, "head" | "frames" | "nodes" | "usageDeltas">>;

/** The commit of a change: what it does not name stays as it is. */
export function changeCommit(sessionId: string, resident: Resident, fence: LeaseFence, change: SessionChange): SessionCommit {
  const isFirst = resident.headRevision === 0;
  return {
    sessionId,
    expectedHeadRevision: isFirst ? null : resident.headRevision,
    fence,
    releaseLease: true,
    head: resident.head,
    frames: isFirst ? resident.frames : [],
    nodes: [],
    usageDeltas: [],
    committedAttachmentIds: [],
    ...change,
  };
}

/**
 * Moves the leaf to a message of the active path; the tail stays stored (design 7.3).
 *
 * @param parentOf - the parent of a stored node: before the first message of a later frame lies the frame before it, which
 *   must stay on the path (S-16).
 */
export async function branchTo(
  { head, history, messageCount }: Resident,
  at: string | null,
  parentOf: (nodeId: string) => Promise<string | undefined>,
): Promise<SessionChange> {
  if (at === null) {
    const { leafNodeId: _, ...rootless } = head;
    const [first] = history.slice(messageCount);
    const before = first && (await parentOf(first.id));
    return { head: before === undefined ? rootless : { ...head, leafNodeId: before } };
  }
  if (!history.slice(messageCount).some((message) => message.id === at)) {
    throw invalidArgument("at", "the id of a message of this session's current conversation, or null");
  }
  return { head: { ...head, leafNodeId: at } };
}

/**
 * First commit of a session that starts with another one's conversation. The nodes are copied: they are immutable, and a
 * session of its own can be read, moved and deleted without asking another one.
 */
export function forkCommit(source: SessionRead, sessionId: string, at: string | undefined, fence: LeaseFence, createdAt: string): SessionCommit {
  const frame = initialFrame(sessionId, source.head.policy, createdAt);
  const current = source.nodes.filter((node) => node.agentFrameId === undefined || node.agentFrameId === source.head.currentFrameId);
  const last = at === undefined ? current.length - 1 : current.findIndex((node) => node.nodeId === at);
  if (at !== undefined && last < 0) throw invalidArgument("at", "the id of a message of this session's current conversation");
  let parentNodeId: string | undefined;
  const nodes = current.slice(0, last + 1).map((node): SessionNode => {
    const { parentNodeId: _, ...kept } = node;
    const copy = { ...kept, agentFrameId: frame.frameId, ...(parentNodeId !== undefined && { parentNodeId }) };
    parentNodeId = node.nodeId;
    return copy;
  });
  return {
    sessionId,
    expectedHeadRevision: null,
    fence,
    releaseLease: true,
    head: {
      policy: source.head.policy,
      currentFrameId: frame.frameId,
      ...(parentNodeId !== undefined && { leafNodeId: parentNodeId }),
      turnIndex: 0,
      tokenUsage: zeroUsage,
      protocolTurnOptions: source.head.protocolTurnOptions,
    },
    frames: [frame],
    nodes,
    usageDeltas: [],
    committedAttachmentIds: attachmentIds(nodes.flatMap(({ body }) => (body.kind === "message" ? [body.message] : []))),
  };
}
