// Stamps: which turns have ended, and with what (P-8, OP-11). They live as long as their session.
//
// A turn that committed points to its history row; one that was settled without a commit (OP-4) carries its result itself.

import * as z from "zod/mini";
import { type LashError, storeError } from "../../domain/errors.ts";
import type { RecordedTurn } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import { readEnding } from "./history-row.ts";
import { getRow } from "./large-row.ts";
import { historyKey, stampKey } from "./layout.ts";
import { count, invalidRow, parseRecord, SCHEMA_VERSION, schemaVersion } from "./schema.ts";
import { readTurnResult, type TurnEnding, turnResultRow, writeTurnResult } from "./turn-result-row.ts";

const common = { schemaVersion, revision: count, firstNode: count };
const stampRow = z.union([
  z.object({ ...common, hash: z.string(), nodeCount: count }),
  z.object({ ...common, settled: turnResultRow }),
]);
export type Stamp = z.output<typeof stampRow>;

export async function readStamp(tx: ReadTransaction, sessionId: string, turnId: string): Promise<Stamp | undefined> {
  const key = stampKey(sessionId, turnId);
  const value = await getRow(tx, key);
  return value === undefined ? undefined : parseRecord(stampRow, "turn stamp", key, value);
}

export interface CommitStamp {
  readonly hash: string;
  readonly revision: number;
  readonly firstNode: number;
  readonly nodeCount: number;
}

export function setStamp(tx: WriteTransaction, sessionId: string, turnId: string, stamp: CommitStamp): void {
  tx.set(stampKey(sessionId, turnId), { schemaVersion: SCHEMA_VERSION, ...stamp });
}

/** Row of a turn that ended without a commit. */
export const settledStamp = (ending: TurnEnding, revision: number, firstNode: number): Stamp => ({
  schemaVersion: SCHEMA_VERSION,
  revision,
  firstNode,
  settled: writeTurnResult(ending),
});

/** The recorded result behind a stamp. */
export async function recordedTurn(tx: ReadTransaction, sessionId: string, turnId: string, stamp: Stamp): Promise<RecordedTurn> {
  const { revision, firstNode } = stamp;
  if ("settled" in stamp) return record(readTurnResult(stamp.settled, undefined), { revision, firstNode, nodeCount: 0 });
  const key = historyKey(sessionId, revision);
  const value = await getRow(tx, key);
  if (value === undefined) throw invalidRow("turn stamp", stampKey(sessionId, turnId), "the history row it names is missing");
  return record(readEnding(key, value), { revision, firstNode, nodeCount: stamp.nodeCount });
}

export const record = (
  { result, modelCalls }: TurnEnding,
  { revision, firstNode, nodeCount }: Omit<CommitStamp, "hash">,
): RecordedTurn => ({ ...result, modelCalls, headRevision: revision, firstNode, nodeCount });

export const turnConflict = (sessionId: string, turnId: string): LashError =>
  storeError("runtime_turn_commit_conflict", `turn ${turnId} of session ${sessionId} was used with other content`, {
    details: { sessionId, turnId },
  });
