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

function findInTurn(tx: ReadTransaction, sessionId: string, nodeId: string): SessionNode | undefined {
  const turnId = turnOf(nodeId);
  const stamp = turnId === undefined ? undefined : readStamp(tx, sessionId, turnId);
  const revision = stamp === undefined ? undefined : committedRevision(stamp);
  return revision === undefined ? undefined : findInRow(tx, sessionId, revision, nodeId);
}

function findInIndex(tx: ReadTransaction, sessionId: string, nodeId: string): SessionNode | undefined {
  const key = nodeIndexKey(sessionId, nodeId);
  const value = tx.get(key);
  if (value === undefined) return undefined;
  const { revision } = parseRow(indexRow, "node index", key, value);
  const node = findInRow(tx, sessionId, revision, nodeId);
  if (node === undefined) throw invalidRow("node index", key, "the history row it names does not hold the node");
  return node;
}

function findInRow(tx: ReadTransaction, sessionId: string, revision: number, nodeId: string): SessionNode | undefined {
  const key = historyKey(sessionId, revision);
  const value = getRow(tx, key);
  return value === undefined ? undefined : readNodes(key, value).find((node) => node.nodeId === nodeId);
}
