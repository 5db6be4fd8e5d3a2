// The active path alone: from its leaf back to its root, without the branches that were left (S-36).
//
//   AP1. Along a conversation without branches the parent is in the row before, so rows are read in pages of revisions, backwards.
//   AP2. Where it is not, its row is looked up by its id, and nothing between is read but the rest of the page.

import type { SessionNode } from "../../domain/session.ts";
import type { Entry, ReadTransaction } from "../engine.ts";
import { readNodes } from "./history-row.ts";
import { isChunked, joinRow } from "./large-row.ts";
import { after, historyKey } from "./layout.ts";
import { revisionsOf } from "./node-lookup.ts";

/** Revisions per range, as where all of a history is read. */
const PAGE = 256;
/** Where the path has left a branch aside, and it is not known yet how far it goes on in one piece. */
const PAGE_BEHIND_BRANCH = 8;

/**
 * Root first; ends at a missing or hidden parent, and on a cycle, which only damaged data has (S-2).
 *
 * @param revision - of the head: no row is newer.
 */
export function readPath(tx: ReadTransaction, sessionId: string, leafNodeId: string | undefined, revision: number, hidden: ReadonlySet<string> | undefined): SessionNode[] {
  const path = new Map<string, SessionNode>();
  const rowUpTo = rowsBackwards(tx, sessionId);
  let wanted = leafNodeId;
  let next = revision;
  const isOver = (): boolean => wanted === undefined || path.has(wanted) || hidden?.has(wanted) === true;
  /** Follows the path as far as it goes within the row there. @returns whether it went anywhere. */
  const follow = (place: number): boolean => {
    const row = rowUpTo(place);
    if (row === undefined) return false;
    const nodes = new Map(readNodes(row.key, isChunked(row.value) ? joinRow(tx, row.key, row.value) : row.value).map((node) => [node.nodeId, node]));
    const before = path.size;
    for (let node = nodes.get(wanted ?? ""); node !== undefined && !isOver(); node = nodes.get(wanted ?? "")) {
      path.set(node.nodeId, node);
      wanted = node.parentNodeId;
    }
    if (path.size === before) return false;
    next = revisionOf(row) - 1;
    return true;
  };
  while (!isOver()) {
    if (follow(next)) continue;
    const [likely = -1, other = -1] = revisionsOf(tx, sessionId, wanted ?? "");
    if (!follow(likely) && !follow(other)) break;
  }
  return [...path.values()].reverse();
}

const revisionOf = ({ key }: Entry): number => Number(key[3]);

/** @returns what gives the newest row that is not newer than a revision: commits without nodes have none. */
function rowsBackwards(tx: ReadTransaction, sessionId: string): (revision: number) => Entry | undefined {
  const rowLength = historyKey(sessionId, 0).length;
  /** All rows of the revisions from `from` to `last`, oldest first. */
  let page: readonly Entry[] = [];
  let from = 0;
  let last = -1;
  let size = PAGE;
  return (revision) => {
    for (let to = revision; to >= 0; to = from - 1) {
      if (to < from || to > last) {
        if (last >= 0) size = to === from - 1 ? Math.min(size * 4, PAGE) : PAGE_BEHIND_BRANCH;
        from = Math.max(0, to - size + 1);
        last = to;
        const entries = tx.range(historyKey(sessionId, from), after(historyKey(sessionId, to)), { owned: true });
        // Chunks of a row lie behind it and are joined with it.
        page = entries.filter(({ key }) => key.length === rowLength);
      }
      const found = page.findLast((row) => revisionOf(row) <= to);
      if (found) return found;
    }
    return undefined;
  };
}
