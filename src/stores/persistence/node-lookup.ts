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

export async function findNode(tx: ReadTransaction, sessionId: string, nodeId: string): Promise<SessionNode | undefined> {
  return (await findInTurn(tx, sessionId, nodeId)) ?? findInIndex(tx, sessionId, nodeId);
}

/** Revisions whose history row may hold the node: at most two, the likelier first. */
export async function revisionsOf(tx: ReadTransaction, sessionId: string, nodeId: string): Promise<readonly number[]> {
  return [await revisionOfTurn(tx, sessionId, nodeId), await indexedRevision(tx, sessionId, nodeId)].filter((revision) => revision !== undefined);
}

async function findInTurn(tx: ReadTransaction, sessionId: string, nodeId: string): Promise<SessionNode | undefined> {
  const revision = await revisionOfTurn(tx, sessionId, nodeId);
  return revision === undefined ? undefined : findInRow(tx, sessionId, revision, nodeId);
}

async function revisionOfTurn(tx: ReadTransaction, sessionId: string, nodeId: string): Promise<number | undefined> {
  const turnId = turnOf(nodeId);
  const stamp = turnId === undefined ? undefined : await readStamp(tx, sessionId, turnId);
  return stamp === undefined ? undefined : committedRevision(stamp);
}

async function indexedRevision(tx: ReadTransaction, sessionId: string, nodeId: string): Promise<number | undefined> {
  const key = nodeIndexKey(sessionId, nodeId);
  const value = await tx.get(key);
  return value === undefined ? undefined : parseRow(indexRow, "node index", key, value).revision;
}

async function findInIndex(tx: ReadTransaction, sessionId: string, nodeId: string): Promise<SessionNode | undefined> {
  const revision = await indexedRevision(tx, sessionId, nodeId);
  if (revision === undefined) return undefined;
  const node = await findInRow(tx, sessionId, revision, nodeId);
  if (node === undefined) throw invalidRow("node index", nodeIndexKey(sessionId, nodeId), "the history row it names does not hold the node");
  return node;
}

async function findInRow(tx: ReadTransaction, sessionId: string, revision: number, nodeId: string): Promise<SessionNode | undefined> {
  const key = historyKey(sessionId, revision);
  const value = await getRow(tx, key);
  return value === undefined ? undefined : readNodes(key, value).find((node) => node.nodeId === nodeId);
}
