// Reading a session back: head, frames, nodes, ledger and components in one snapshot (P-20, P-21).

import type { SessionNode } from "../../domain/session.ts";
import type { ReadScope, SessionRead } from "../contract.ts";
import { below, type Bound, type ReadTransaction } from "../engine.ts";
import { readPath } from "./active-path.ts";
import { readComponents } from "./components.ts";
import { readFrames } from "./frame-row.ts";
import { readHead } from "./head-row.ts";
import { readNodes } from "./history-row.ts";
import { isChunked, joinRow } from "./large-row.ts";
import { after, framesPrefix, headKey, historyKey, historyPrefix, usageKey } from "./layout.ts";
import { readTombstones } from "./tombstones.ts";
import { readLedger, readLedgerRow } from "./usage-row.ts";

/** Rows per range: few enough that one page of a long session stays small, many enough that 10,000 turns take 40 ranges. */
const PAGE = 256;

export function loadSession(tx: ReadTransaction, sessionId: string, scope: ReadScope): SessionRead | undefined {
  tx.prefetch([headKey(sessionId), usageKey(sessionId), below(framesPrefix(sessionId))]);
  const stored = readHead(tx, sessionId);
  if (stored === undefined) return undefined;
  const hidden = stored.hidden > 0 ? readTombstones(tx, sessionId) : undefined;
  const { leafNodeId: storedLeaf, ...headWithoutLeaf } = stored.head;
  const leafNodeId = scope.kind === "active_path" ? (scope.leafNodeId ?? storedLeaf) : storedLeaf;
  return {
    sessionId,
    headRevision: stored.revision,
    head: leafNodeId === undefined ? headWithoutLeaf : { ...headWithoutLeaf, leafNodeId },
    frames: readFrames(tx, sessionId),
    nodes: scope.kind === "full_graph" ? withoutTombstones(readHistory(tx, sessionId), hidden) : readPath(tx, sessionId, leafNodeId, stored.revision, hidden),
    nodeCount: stored.appended - stored.hidden,
    ledger: readLedger(readLedgerRow(tx, sessionId)),
    components: readComponents(tx, sessionId, stored.components),
    componentRefs: stored.components,
  };
}

const withoutTombstones = (nodes: SessionNode[], hidden: ReadonlySet<string> | undefined): SessionNode[] =>
  hidden?.size ? nodes.filter((node) => !hidden.has(node.nodeId)) : nodes;

/** All stored nodes in insertion order, tombstoned ones included. */
export function readHistory(tx: ReadTransaction, sessionId: string): SessionNode[] {
  const prefix = historyPrefix(sessionId);
  const rowLength = historyKey(sessionId, 0).length;
  const nodes: SessionNode[] = [];
  for (let from: Bound = prefix; ; ) {
    const page = tx.range(from, after(prefix), { limit: PAGE, owned: true });
    for (const { key, value } of page) {
      // Chunks of a row lie behind it and were joined with it.
      if (key.length > rowLength) continue;
      for (const node of readNodes(key, isChunked(value) ? joinRow(tx, key, value) : value)) nodes.push(node);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return nodes;
    from = after(last.key.slice(0, rowLength));
  }
}
