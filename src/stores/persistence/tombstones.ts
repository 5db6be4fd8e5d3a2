// Tombstones: nodes that are hidden from every read until vacuum removes them (P-48).

import type { SessionNode } from "../../domain/session.ts";
import { prefixRange, type ReadTransaction } from "../engine.ts";
import { textAt, tombstoneKey, tombstonesPrefix } from "./layout.ts";
import { findNode } from "./node-lookup.ts";

export function readTombstones(tx: ReadTransaction, sessionId: string): ReadonlySet<string> {
  const entries = tx.range(...prefixRange(tombstonesPrefix(sessionId)));
  return new Set(entries.map(({ key }) => textAt(key, 3)));
}

/** A node that reads may see. */
export function findLiveNode(tx: ReadTransaction, sessionId: string, nodeId: string): SessionNode | undefined {
  const node = findNode(tx, sessionId, nodeId);
  return node === undefined || tx.get(tombstoneKey(sessionId, nodeId)) !== undefined ? undefined : node;
}
