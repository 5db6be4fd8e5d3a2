// Forks: sessions that begin with another one's conversation (S-66, design 7.3). Loaded when a session is forked.

import { invalidArgument } from "../domain/invalid-argument.ts";
import { initialFrame, type SessionNode } from "../domain/session.ts";
import { zeroUsage } from "../domain/usage.ts";
import type { NewSession, SessionRead } from "../stores/contract.ts";
import { attachmentIds } from "./images.ts";

/**
 * A session that starts with another one's conversation. The nodes are copied: they are immutable, and a session of its own can be
 * read, moved and deleted without asking another one. It goes on with the prompt, the tools and the plugins of its source.
 */
export function forkOf(source: SessionRead, sessionId: string, at: string | undefined, createdAt: string): NewSession {
  const { policy, protocolTurnOptions } = source.head;
  const { prompt, toolState, pluginSnapshot, suspectMedia } = source.componentRefs;
  const frame = initialFrame(sessionId, policy, createdAt);
  const nodes = conversationOf(source, frame.frameId, at);
  const leafNodeId = nodes.at(-1)?.nodeId;
  return {
    sessionId,
    relation: { kind: "child", parentSessionId: source.sessionId },
    head: { policy, currentFrameId: frame.frameId, ...(leafNodeId !== undefined && { leafNodeId }), turnIndex: 0, tokenUsage: zeroUsage, protocolTurnOptions },
    frame,
    nodes,
    componentRefs: {
      ...(prompt !== undefined && { prompt }),
      ...(toolState !== undefined && { toolState }),
      ...(pluginSnapshot !== undefined && { pluginSnapshot }),
      ...(suspectMedia !== undefined && { suspectMedia }),
    },
    attachmentIds: attachmentsOf(nodes),
    holder: source.sessionId,
  };
}

/** The conversation of the current frame, up to message `at`, in the frame of another session; without what came before it. */
export function conversationOf({ nodes, head }: SessionRead, agentFrameId: string, at?: string): readonly SessionNode[] {
  const current = nodes.filter((node) => node.agentFrameId === undefined || node.agentFrameId === head.currentFrameId);
  const last = at === undefined ? current.length - 1 : current.findIndex((node) => node.nodeId === at);
  if (at !== undefined && last < 0) throw invalidArgument("at", "the id of a message of this session's current conversation");
  let parentNodeId: string | undefined;
  return current.slice(0, last + 1).map((node): SessionNode => {
    const { parentNodeId: _, ...kept } = node;
    const copy = { ...kept, agentFrameId, ...(parentNodeId !== undefined && { parentNodeId }) };
    parentNodeId = node.nodeId;
    return copy;
  });
}

export const attachmentsOf = (nodes: readonly SessionNode[]): readonly string[] =>
  attachmentIds(nodes.flatMap(({ body }) => (body.kind === "message" ? [body.message] : [])));
