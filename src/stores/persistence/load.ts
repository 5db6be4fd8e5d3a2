// Reading a session back: head, frames, nodes, ledger and components in one snapshot (P-20, P-21).
//
// The rows of a long session are read in a few milliseconds, and making nodes of them takes several times that. Hence `later`: the
// rows are read with the rest, and nodes are made of them when somebody looks.

import type { SessionNode } from "../../domain/session.ts";
import type { ReadScope, SessionRead } from "../contract.ts";
import type { Bound, Entry, ReadTransaction } from "../engine.ts";
import { readComponents } from "./components.ts";
import { readFrames } from "./frame-row.ts";
import { readHead } from "./head-row.ts";
import { readNodes } from "./history-row.ts";
import { isChunked, joinRow } from "./large-row.ts";
import { after, historyKey, historyPrefix } from "./layout.ts";
import { readTombstones } from "./tombstones.ts";
import { readLedger, readLedgerRow } from "./usage-row.ts";

/** Rows per range: few enough that one page of a long session stays small, many enough that 10,000 turns take 40 ranges. */
const PAGE = 256;

export async function loadSession(tx: ReadTransaction, sessionId: string, scope: ReadScope): Promise<SessionRead | undefined> {
  const stored = await readHead(tx, sessionId);
  if (stored === undefined) return undefined;
  const hidden = stored.hidden > 0 ? await readTombstones(tx, sessionId) : undefined;
  const { leafNodeId: storedLeaf, ...headWithoutLeaf } = stored.head;
  const leafNodeId = scope.kind === "active_path" ? (scope.leafNodeId ?? storedLeaf) : storedLeaf;
  const inScope = (all: SessionNode[]): SessionNode[] => (scope.kind === "full_graph" ? all : pathTo(leafNodeId, all));
  const { lastNode, nodes } = scope.later === true ? await readLater(tx, sessionId, hidden) : await readNow(tx, sessionId, hidden);
  const read = {
    sessionId,
    headRevision: stored.revision,
    head: leafNodeId === undefined ? headWithoutLeaf : { ...headWithoutLeaf, leafNodeId },
    frames: await readFrames(tx, sessionId),
    nodeCount: stored.appended - stored.hidden,
    ...(lastNode && { lastNode }),
    ledger: readLedger(await readLedgerRow(tx, sessionId)),
    components: await readComponents(tx, sessionId, stored.components),
    componentRefs: stored.components,
  };
  if (scope.later !== true) return { ...read, nodes: inScope(nodes()) };
  let made: readonly SessionNode[] | undefined;
  return {
    ...read,
    get nodes() {
      return (made ??= inScope(nodes()));
    },
  };
}

type Hidden = ReadonlySet<string> | undefined;

interface History {
  readonly lastNode: SessionNode | undefined;
  /** All live ones in insertion order. */
  readonly nodes: () => SessionNode[];
}

async function readNow(tx: ReadTransaction, sessionId: string, hidden: Hidden): Promise<History> {
  const all = live(await readHistory(tx, sessionId), hidden);
  return { lastNode: all.at(-1), nodes: () => all };
}

async function readLater(tx: ReadTransaction, sessionId: string, hidden: Hidden): Promise<History> {
  const rows: Entry[] = [];
  await readRows(tx, sessionId, true, (row) => rows.push(row));
  let lastNode: SessionNode | undefined;
  for (let i = rows.length - 1; i >= 0 && !lastNode; i--) lastNode = live(nodesOf(rows[i]), hidden).at(-1);
  return { lastNode, nodes: () => live(rows.flatMap(nodesOf), hidden) };
}

const nodesOf = (row: Entry | undefined): SessionNode[] => (row ? readNodes(row.key, row.value) : []);

/** Those that are not tombstoned. */
const live = (nodes: SessionNode[], hidden: Hidden): SessionNode[] =>
  hidden === undefined || hidden.size === 0 ? nodes : nodes.filter((node) => !hidden.has(node.nodeId));

/** All stored nodes in insertion order, tombstoned ones included. */
export async function readHistory(tx: ReadTransaction, sessionId: string): Promise<SessionNode[]> {
  const nodes: SessionNode[] = [];
  await readRows(tx, sessionId, false, ({ key, value }) => {
    for (const node of readNodes(key, value)) nodes.push(node);
  });
  return nodes;
}

/** Gives whole rows of the history to `take`, in order and page by page. */
async function readRows(tx: ReadTransaction, sessionId: string, later: boolean, take: (row: Entry) => void): Promise<void> {
  const prefix = historyPrefix(sessionId);
  const rowLength = historyKey(sessionId, 0).length;
  for (let from: Bound = prefix; ; ) {
    const page = await tx.range(from, after(prefix), { limit: PAGE, owned: true, later });
    for (const [index, row] of page.entries()) {
      // Chunks of a row lie behind it and are joined with it.
      if (row.key.length > rowLength) continue;
      const next = page[index + 1];
      // Looking at the value would make it: only a row that chunks follow can be chunked, and of the last row nobody knows.
      const mayBeChunked = next === undefined || next.key.length > rowLength;
      take(mayBeChunked && isChunked(row.value) ? { key: row.key, value: await joinRow(tx, row.key, row.value) } : row);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    from = after(last.key.slice(0, rowLength));
  }
}

/** Root first; ends at a missing parent, and on a cycle, which only damaged data has (S-2). */
function pathTo(leafNodeId: string | undefined, nodes: readonly SessionNode[]): SessionNode[] {
  // Parents come before children, so one pass from the end finds the whole path of sound data.
  const path: SessionNode[] = [];
  let wanted = leafNodeId;
  for (let i = nodes.length - 1; i >= 0 && wanted !== undefined; i--) {
    const node = nodes[i];
    if (node?.nodeId !== wanted) continue;
    path.push(node);
    wanted = node.parentNodeId;
  }
  return wanted === undefined ? path.reverse() : walkTo(leafNodeId, nodes);
}

function walkTo(leafNodeId: string | undefined, nodes: readonly SessionNode[]): SessionNode[] {
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const path = new Set<SessionNode>();
  for (let node = byId.get(leafNodeId ?? ""); node !== undefined && !path.has(node); node = byId.get(node.parentNodeId ?? "")) path.add(node);
  return [...path].reverse();
}
