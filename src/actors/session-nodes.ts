// Messages as nodes of a session's graph, one below the other.

import type { Message } from "../domain/messages.ts";
import type { SessionNode } from "../domain/session.ts";

/** @param parent - the node that the first of them comes below; none for a root. @param timestamp - RFC 3339. */
export function nodesOf(messages: readonly Message[], agentFrameId: string, parent: string | undefined, timestamp: string): readonly SessionNode[] {
  let parentNodeId = parent;
  return messages.map((message) => {
    const node: SessionNode = {
      nodeId: message.id,
      ...(parentNodeId !== undefined && { parentNodeId }),
      agentFrameId,
      timestamp,
      body: { kind: "message", message },
    };
    parentNodeId = message.id;
    return node;
  });
}
