// Rows of pending turn inputs. Those that wait or are accepted lie apart from those that ended, so that a claim reads what
// waits and not the tombstones of a session's whole life (P-42).

import * as z from "zod/mini";
import type { Json } from "../../domain/json.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import type { CancelTarget, PendingTurnInput, SubmittedIngress, TurnInputState } from "../ingress-contract.ts";
import { type Claimable, claimColumns, unclaimed } from "./claim-rows.ts";
import { deleteRow, getRow, prepareRow, scanRows, setRow } from "./large-row.ts";
import { endedInputKey, endedInputsPrefix, inputIdKey, inputKey, inputsPrefix, inputSourceKey, readyQueueKey } from "./layout.ts";
import { contentVersion, count, invalidRow, opaque, parseVersioned } from "./schema.ts";
import { inputItems } from "./turn-rows.ts";

const nextTurn = z.strictObject({ scope: z.literal("next_turn") });
const minBoundary = z.enum(["after_work", "before_completion"]);
const activeTurn = z.strictObject({ scope: z.literal("active_turn"), turnId: z.string(), minBoundary });
const whateverTurn = z.strictObject({ scope: z.literal("active_turn"), minBoundary });

export const waitingInput = z.strictObject({ items: inputItems, protocolTurnOptions: z.exactOptional(opaque), traceTurnId: z.exactOptional(z.string()) });

const inputRow = z.strictObject({
  /** Absent: 1. */
  schemaVersion: z.exactOptional(contentVersion),
  seq: count,
  id: z.string(),
  source: z.exactOptional(z.string()),
  ingress: z.union([nextTurn, activeTurn]),
  /** Where it was sent, if it waits elsewhere. */
  submitted: z.exactOptional(z.union([nextTurn, activeTurn, whateverTurn])),
  state: z.enum(["pending_active", "deferred_next_turn", "accepted", "cancelled", "completed"]),
  atMs: z.number(),
  input: waitingInput,
  ...claimColumns,
});
export type InputRow = z.output<typeof inputRow> & Claimable;

export const submittedIngress = (row: InputRow): SubmittedIngress => row.submitted ?? row.ingress;

export function toInput(sessionId: string, row: InputRow): PendingTurnInput {
  return {
    inputId: row.id,
    sessionId,
    enqueueSeq: row.seq,
    ...(row.source !== undefined && { sourceKey: row.source }),
    ingress: row.ingress,
    submittedIngress: submittedIngress(row),
    state: row.state,
    enqueuedAtMs: row.atMs,
    input: row.input,
  };
}

export const hasEnded = (state: TurnInputState): boolean => state === "cancelled" || state === "completed";

/** Writes a row; one that ends moves over to the tombstones and loses its claim. */
export function setInput(tx: WriteTransaction, sessionId: string, row: InputRow): void {
  const prepared = prepareRow((hasEnded(row.state) ? unclaimed(row) : row) as unknown as Json);
  if (!hasEnded(row.state)) {
    setRow(tx, inputKey(sessionId, row.seq), prepared);
    if (row.state === "deferred_next_turn" && row.claim === undefined) tx.set(readyQueueKey(sessionId), true);
    return;
  }
  deleteRow(tx, inputKey(sessionId, row.seq));
  setRow(tx, endedInputKey(sessionId, row.seq), prepared);
}

/** Enters a new input under its id and source key. */
export function addInput(tx: WriteTransaction, sessionId: string, row: InputRow): void {
  setInput(tx, sessionId, row);
  tx.set(inputIdKey(sessionId, row.id), row.seq);
  if (row.source !== undefined) tx.set(inputSourceKey(sessionId, row.source), row.seq);
}

/** The row of the input after deferral: its place in the queue stays. */
export function deferred(row: InputRow): InputRow {
  return { ...unclaimed(row), state: "deferred_next_turn", ingress: { scope: "next_turn" }, submitted: row.submitted ?? row.ingress };
}

export function findInput(tx: ReadTransaction, sessionId: string, target: CancelTarget): InputRow | undefined {
  const key = target.kind === "input_id" ? inputIdKey(sessionId, target.value) : inputSourceKey(sessionId, target.value);
  const seq = tx.get(key);
  if (seq === undefined) return undefined;
  if (typeof seq !== "number") throw invalidRow("input index", key, "it is no number");
  for (const at of [inputKey(sessionId, seq), endedInputKey(sessionId, seq)]) {
    const value = getRow(tx, at);
    if (value !== undefined) return parseVersioned(inputRow, "turn input", at, value);
  }
  throw invalidRow("input index", key, "the input it names is missing");
}

/** Inputs that wait or are accepted, by sequence. */
export function* liveInputs(tx: ReadTransaction, sessionId: string): Generator<InputRow, void> {
  for (const { key, value } of scanRows(tx, inputsPrefix(sessionId))) yield parseVersioned(inputRow, "turn input", key, value);
}

export function* endedInputs(tx: ReadTransaction, sessionId: string): Generator<InputRow, void> {
  for (const { key, value } of scanRows(tx, endedInputsPrefix(sessionId))) yield parseVersioned(inputRow, "turn input", key, value);
}

/** Removes a tombstone: its id and key may be used again. */
export function removeEnded(tx: WriteTransaction, sessionId: string, row: InputRow): void {
  deleteRow(tx, endedInputKey(sessionId, row.seq));
  tx.delete(inputIdKey(sessionId, row.id));
  if (row.source !== undefined) tx.delete(inputSourceKey(sessionId, row.source));
}

/**
 * Inputs of a turn that it can take no more become next-turn inputs. One that it had accepted and does not complete was
 * never said in it: a turn that was given up, or one that began anew without a record of its claims.
 *
 * @param rows - all live ones, less those that the turn completes.
 */
export function deferInputsOf(tx: WriteTransaction, sessionId: string, turnId: string, rows: readonly InputRow[]): void {
  for (const row of rows) {
    if ((row.state === "pending_active" || row.state === "accepted") && isFor(row, turnId)) setInput(tx, sessionId, deferred(row));
  }
}

export const isFor = ({ ingress: to }: InputRow, turnId: string): boolean => to.scope === "active_turn" && to.turnId === turnId;
