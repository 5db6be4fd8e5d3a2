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
export async function readPath(tx: ReadTransaction, sessionId: string, leafNodeId: string | undefined, revision: number, hidden: ReadonlySet<string> | undefined): Promise<SessionNode[]> {
  const path = new Map<string, SessionNode>();
  const rows = new RowsBackwards(tx, sessionId);
  let wanted = leafNodeId;
  /** Follows the path as far as it goes within one row. @returns whether it went anywhere. */
  const follow = async (row: Entry | undefined): Promise<boolean> => {
    if (row === undefined) return false;
    const nodes = new Map(readNodes(row.key, isChunked(row.value) ? await joinRow(tx, row.key, row.value) : row.value).map((node) => [node.nodeId, node]));
    const before = path.size;
    for (let node = nodes.get(wanted ?? ""); node !== undefined && !path.has(node.nodeId) && hidden?.has(node.nodeId) !== true; node = nodes.get(wanted ?? "")) {
      path.set(node.nodeId, node);
      wanted = node.parentNodeId;
    }
    return path.size > before;
  };
  for (let at = revision; wanted !== undefined && !path.has(wanted) && hidden?.has(wanted) !== true; at -= 1) {
    const next = await rows.upTo(at);
    if (await follow(next)) {
      at = Number(next?.key[3]);
      continue;
    }
    let found: number | undefined;
    for (const place of await revisionsOf(tx, sessionId, wanted)) {
      if (found === undefined && (await follow(await rows.at(place)))) found = place;
    }
    if (found === undefined) break;
    at = found;
  }
  return [...path.values()].reverse();
}

/** History rows, the newest of a page last. */
class RowsBackwards {
  readonly #tx: ReadTransaction;
  readonly #sessionId: string;
  /** All rows of these revisions, oldest first. */
  #page: { readonly from: number; readonly to: number; readonly rows: readonly Entry[] } = { from: 0, to: -1, rows: [] };
  #size = PAGE;

  constructor(tx: ReadTransaction, sessionId: string) {
    this.#tx = tx;
    this.#sessionId = sessionId;
  }

  /** The newest row that is not newer than this revision: commits without nodes have none. */
  async upTo(revision: number): Promise<Entry | undefined> {
    for (let to = revision; to >= 0; to = this.#page.from - 1) {
      await this.#read(to);
      const found = this.#page.rows.findLast(({ key }) => Number(key[3]) <= to);
      if (found) return found;
    }
    return undefined;
  }

  async at(revision: number): Promise<Entry | undefined> {
    await this.#read(revision);
    return this.#page.rows.find(({ key }) => key[3] === revision);
  }

  async #read(to: number): Promise<void> {
    const { from: known, to: last } = this.#page;
    if (known <= to && to <= last) return;
    if (last >= 0) this.#size = to === known - 1 ? Math.min(this.#size * 4, PAGE) : PAGE_BEHIND_BRANCH;
    const from = Math.max(0, to - this.#size + 1);
    const rowLength = historyKey(this.#sessionId, 0).length;
    const entries = await this.#tx.range(historyKey(this.#sessionId, from), after(historyKey(this.#sessionId, to)), { owned: true });
    // Chunks of a row lie behind it and are joined with it.
    this.#page = { from, to, rows: entries.filter(({ key }) => key.length === rowLength) };
  }
}
