// Finding one node by its id. An id of the form `<turnId>:<n>` names the turn whose history row holds it; for all others,
// and for such ids outside their turn's commit, an index row names the revision.

import * as z from "zod/mini";
import type { SessionNode } from "../../domain/session.ts";
import type { ReadTransaction } from "../engine.ts";
import { readNodes, turnOf } from "./history-row.ts";
import { getRow } from "./large-row.ts";
import { historyKey, nodeIndexKey } from "./layout.ts";
import { count, invalidRow, parseRow } from "./schema.ts";
import { committedRevision, readStamp } from "./stamp.ts";

const indexRow = z.strictObject({ revision: count });

export function findNode(tx: ReadTransaction, sessionId: string, nodeId: string): SessionNode | undefined {
  return findInTurn(tx, sessionId, nodeId) ?? findInIndex(tx, sessionId, nodeId);
}

/** Revisions whose history row may hold the node: at most two, the likelier first. */
export function revisionsOf(tx: ReadTransaction, sessionId: string, nodeId: string): readonly number[] {
  return [revisionOfTurn(tx, sessionId, nodeId), indexedRevision(tx, sessionId, nodeId)].filter((revision) => revision !== undefined);
}

function findInTurn(tx: ReadTransaction, sessionId: string, nodeId: string): SessionNode | undefined {
  const revision = revisionOfTurn(tx, sessionId, nodeId);
  return revision === undefined ? undefined : findInRow(tx, sessionId, revision, nodeId);
}

function revisionOfTurn(tx: ReadTransaction, sessionId: string, nodeId: string): number | undefined {
  const turnId = turnOf(nodeId);
  const stamp = turnId === undefined ? undefined : readStamp(tx, sessionId, turnId);
  return stamp === undefined ? undefined : committedRevision(stamp);
}

function indexedRevision(tx: ReadTransaction, sessionId: string, nodeId: string): number | undefined {
  const key = nodeIndexKey(sessionId, nodeId);
  const value = tx.get(key);
  return value === undefined ? undefined : parseRow(indexRow, "node index", key, value).revision;
}

function findInIndex(tx: ReadTransaction, sessionId: string, nodeId: string): SessionNode | undefined {
  const revision = indexedRevision(tx, sessionId, nodeId);
  if (revision === undefined) return undefined;
  const node = findInRow(tx, sessionId, revision, nodeId);
  if (node === undefined) throw invalidRow("node index", nodeIndexKey(sessionId, nodeId), "the history row it names does not hold the node");
  return node;
}

function findInRow(tx: ReadTransaction, sessionId: string, revision: number, nodeId: string): SessionNode | undefined {
  const key = historyKey(sessionId, revision);
  const value = getRow(tx, key);
  return value === undefined ? undefined : readNodes(key, value).find((node) => node.nodeId === nodeId);
}
