// Session graph: nodes with parents, of which one path is active (S-1, S-2).

import type { SessionNode } from "./session.ts";

export interface ActivePath {
  /** Root first. */
  readonly nodes: readonly SessionNode[];
  readonly leafNodeId: string | undefined;
  /** The stored leaf named no node, and the last message took its place. */
  readonly repaired: boolean;
}

/** The path to the leaf, out of nodes in storage order. Ends at a missing parent and on cyclic data. */
export function activePath(nodes: readonly SessionNode[], leafNodeId: string | undefined): ActivePath {
  if (leafNodeId === undefined) return { nodes: [], leafNodeId, repaired: false };
  const last = nodes.at(-1);
  // The usual case: one line of descent, in storage order already.
  if (last?.nodeId === leafNodeId && isLine(nodes)) return { nodes, leafNodeId, repaired: false };
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const repaired = !byId.has(leafNodeId);
  const leaf = repaired ? nodes.findLast((node) => node.body.kind === "message") : byId.get(leafNodeId);
  const path: SessionNode[] = [];
  const seen = new Set<string>();
  for (let node = leaf; node && !seen.has(node.nodeId); node = node.parentNodeId === undefined ? undefined : byId.get(node.parentNodeId)) {
    seen.add(node.nodeId);
    path.push(node);
  }
  return { nodes: path.reverse(), leafNodeId: leaf?.nodeId, repaired };
}

const isLine = (nodes: readonly SessionNode[]): boolean =>
  nodes.every((node, index) => (index === 0 ? node.parentNodeId === undefined : node.parentNodeId === nodes[index - 1]?.nodeId));
