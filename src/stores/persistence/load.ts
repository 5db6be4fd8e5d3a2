// Reading a session back: head, frames, nodes, ledger and components in one snapshot (P-20, P-21).
//
// The rows of a long session are read in a few milliseconds, and making nodes of them takes several times that. Hence `later`: the
// rows are read with the rest, and nodes are made of them when somebody looks.

import type { SessionNode } from "../../domain/session.ts";
import type { ReadScope, SessionRead } from "../contract.ts";
import { below, type Bound, type Entry, type ReadTransaction } from "../engine.ts";
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
  const { lastNode, nodes } = historyOf(tx, sessionId, scope, leafNodeId, stored.revision, hidden);
  const read = {
    sessionId,
    headRevision: stored.revision,
    head: leafNodeId === undefined ? headWithoutLeaf : { ...headWithoutLeaf, leafNodeId },
    frames: readFrames(tx, sessionId),
    nodeCount: stored.appended - stored.hidden,
    ...(lastNode && { lastNode }),
    ledger: readLedger(readLedgerRow(tx, sessionId)),
    components: readComponents(tx, sessionId, stored.components),
    componentRefs: stored.components,
  };
  if (scope.later !== true) return { ...read, nodes: nodes() };
  let made: readonly SessionNode[] | undefined;
  return {
    ...read,
    get nodes() {
      return (made ??= nodes());
    },
  };
}

type Hidden = ReadonlySet<string> | undefined;

interface History {
  readonly lastNode: SessionNode | undefined;
  /** All live ones in insertion order. */
  readonly nodes: () => SessionNode[];
}

/** A path is read row by row, from its leaf: what it is made of is known only from the nodes. */
function historyOf(tx: ReadTransaction, sessionId: string, scope: ReadScope, leafNodeId: string | undefined, revision: number, hidden: Hidden): History {
  if (scope.kind === "full_graph" && scope.later === true) return readLater(tx, sessionId, hidden);
  const nodes = scope.kind === "full_graph" ? live(readHistory(tx, sessionId), hidden) : readPath(tx, sessionId, leafNodeId, revision, hidden);
  return { lastNode: nodes.at(-1), nodes: () => nodes };
}

function readLater(tx: ReadTransaction, sessionId: string, hidden: Hidden): History {
  const rows: Entry[] = [];
  readRows(tx, sessionId, true, (row) => rows.push(row));
  let lastNode: SessionNode | undefined;
  for (let i = rows.length - 1; i >= 0 && !lastNode; i--) lastNode = live(nodesOf(rows[i]), hidden).at(-1);
  return { lastNode, nodes: () => live(rows.flatMap(nodesOf), hidden) };
}

const nodesOf = (row: Entry | undefined): SessionNode[] => (row ? readNodes(row.key, row.value) : []);

/** Those that are not tombstoned. */
const live = (nodes: SessionNode[], hidden: Hidden): SessionNode[] =>
  hidden === undefined || hidden.size === 0 ? nodes : nodes.filter((node) => !hidden.has(node.nodeId));

/** All stored nodes in insertion order, tombstoned ones included. */
export function readHistory(tx: ReadTransaction, sessionId: string): SessionNode[] {
  const nodes: SessionNode[] = [];
  readRows(tx, sessionId, false, ({ key, value }) => {
    for (const node of readNodes(key, value)) nodes.push(node);
  });
  return nodes;
}

/** Gives whole rows of the history to `take`, in order and page by page. */
function readRows(tx: ReadTransaction, sessionId: string, later: boolean, take: (row: Entry) => void): void {
  const prefix = historyPrefix(sessionId);
  const rowLength = historyKey(sessionId, 0).length;
  for (let from: Bound = prefix; ; ) {
    const page = tx.range(from, after(prefix), { limit: PAGE, owned: true, later });
    for (const [index, row] of page.entries()) {
      // Chunks of a row lie behind it and are joined with it.
      if (row.key.length > rowLength) continue;
      const next = page[index + 1];
      // Looking at the value would make it: only a row that chunks follow can be chunked, and of the last row nobody knows.
      const mayBeChunked = next === undefined || next.key.length > rowLength;
      take(mayBeChunked && isChunked(row.value) ? { key: row.key, value: joinRow(tx, row.key, row.value) } : row);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    from = after(last.key.slice(0, rowLength));
  }
}
