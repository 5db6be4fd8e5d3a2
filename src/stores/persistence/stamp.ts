// Stamps: which turns have ended, and with what (P-8, OP-11). They live as long as their session.
//
// Turn ids are random, so every turn touches another page of stamps: a stamp is only a pointer to the history row that holds
// the commit's hash and result. A turn that was settled without a commit (OP-4) carries its result itself.

import * as z from "zod/mini";
import { type LashError, storeError } from "../../domain/errors.ts";
import type { RecordedTurn } from "../contract.ts";
import type { ReadTransaction, Value, WriteTransaction } from "../engine.ts";
import { readEnding } from "./history-row.ts";
import { getRow } from "./large-row.ts";
import { historyKey, stampKey } from "./layout.ts";
import { count, invalidRow, parseRow } from "./schema.ts";
import { readTurnResult, type TurnEnding, turnResultRow, writeTurnResult } from "./turn-result-row.ts";

/** Revision, number of the first node, nodes. */
const pointer = z.tuple([count, count, count]);
const settledRow = z.strictObject({ revision: count, firstNode: count, settled: turnResultRow });
const stampRow = z.union([pointer, settledRow]);
export type Stamp = z.output<typeof stampRow>;

/** Where a commit put what its turn appended. */
export interface TurnPlace {
  readonly revision: number;
  readonly firstNode: number;
  readonly nodeCount: number;
}

export function readStamp(tx: ReadTransaction, sessionId: string, turnId: string): Stamp | undefined {
  const key = stampKey(sessionId, turnId);
  const value = getRow(tx, key);
  return value === undefined ? undefined : parseRow(stampRow, "turn stamp", key, value);
}

export function setStamp(tx: WriteTransaction, sessionId: string, turnId: string, { revision, firstNode, nodeCount }: TurnPlace): void {
  tx.set(stampKey(sessionId, turnId), [revision, firstNode, nodeCount]);
}

/** The revision whose history row holds the turn; undefined for one that was settled without a commit. */
export const committedRevision = (stamp: Stamp): number | undefined => (Array.isArray(stamp) ? stamp[0] : undefined);

/** Row of a turn that ended without a commit. */
export const settledStamp = (ending: TurnEnding, revision: number, firstNode: number): z.output<typeof settledRow> => ({
  revision,
  firstNode,
  settled: writeTurnResult(ending, []),
});

/** An ended turn: its record, and the hash of the commit that ended it if there was one. */
export interface EndedTurn {
  readonly turn: RecordedTurn;
  readonly commitHash: string | undefined;
}

/** What a stamp stands for. */
export function endedTurn(tx: ReadTransaction, sessionId: string, turnId: string, stamp: Stamp): EndedTurn {
  if (!Array.isArray(stamp)) {
    const place = { revision: stamp.revision, firstNode: stamp.firstNode, nodeCount: 0 };
    return { turn: record(readTurnResult(stamp.settled, []), place), commitHash: undefined };
  }
  const [revision, firstNode, nodeCount] = stamp;
  const key = historyKey(sessionId, revision);
  const value: Value | undefined = getRow(tx, key);
  if (value === undefined) throw invalidRow("turn stamp", stampKey(sessionId, turnId), "the history row it names is missing");
  const ending = readEnding(key, value);
  return { turn: record(ending, { revision, firstNode, nodeCount }), commitHash: ending.commitHash };
}

/** @returns undefined for a turn that has not ended. */
export function findEnded(tx: ReadTransaction, sessionId: string, turnId: string): EndedTurn | undefined {
  const stamp = readStamp(tx, sessionId, turnId);
  return stamp === undefined ? undefined : endedTurn(tx, sessionId, turnId, stamp);
}

/** The record alone. */
export const findSettled = (tx: ReadTransaction, sessionId: string, turnId: string): RecordedTurn | undefined =>
  findEnded(tx, sessionId, turnId)?.turn;

export const record = ({ result, modelCalls }: TurnEnding, { revision, firstNode, nodeCount }: TurnPlace): RecordedTurn => ({
  ...result,
  modelCalls,
  headRevision: revision,
  firstNode,
  nodeCount,
});

export const turnConflict = (sessionId: string, turnId: string): LashError =>
  storeError("runtime_turn_commit_conflict", `turn ${turnId} of session ${sessionId} was used with other content`, {
    details: { sessionId, turnId },
  });
