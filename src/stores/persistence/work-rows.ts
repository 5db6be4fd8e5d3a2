// Rows of queued work: deleted when the batch is done or cancelled, so they are all live.

import * as z from "zod/mini";
import type { Json } from "../../domain/json.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import type { QueuedBatch, WorkClass } from "../ingress-contract.ts";
import { type Claimable, claimColumns } from "./claim-rows.ts";
import { waitingInput } from "./input-rows.ts";
import { deleteRow, getRow, prepareRow, scanRows, setRow } from "./large-row.ts";
import { workIdKey, workKey, workPrefix, workSourceKey } from "./layout.ts";
import { contentVersion, count, invalidRow, opaque, parseVersioned } from "./schema.ts";

const payload = z.union([
  z.strictObject({ type: z.literal("process_wake"), wake: opaque }),
  z.strictObject({ type: z.literal("turn_input"), input: waitingInput }),
  z.strictObject({
    type: z.literal("session_command"),
    command: z.strictObject({ kind: z.enum(["refresh_tool_catalog", "reset_session"]), reason: z.string() }),
  }),
]);

const workRow = z.strictObject({
  /** Absent: 1. */
  schemaVersion: z.exactOptional(contentVersion),
  seq: count,
  id: z.string(),
  source: z.exactOptional(z.string()),
  delivery: z.enum(["earliest_safe_boundary", "after_current_turn_commit"]),
  slot: z.enum(["join", "exclusive"]),
  merge: z.union([z.literal("never"), z.literal("payload_default"), z.strictObject({ group: z.string() })]),
  availableAtMs: z.number(),
  atMs: z.number(),
  payloads: z.array(payload),
  /** The turn that took it: while that is in flight the batch is its own, whatever becomes of the lease. */
  turn: z.exactOptional(z.string()),
  ...claimColumns,
});
export type WorkRow = z.output<typeof workRow> & Claimable;

export function toBatch(sessionId: string, row: WorkRow): QueuedBatch {
  return {
    batchId: row.id,
    sessionId,
    enqueueSeq: row.seq,
    ...(row.source !== undefined && { sourceKey: row.source }),
    deliveryPolicy: row.delivery,
    slotPolicy: row.slot,
    mergeKey: row.merge,
    availableAtMs: row.availableAtMs,
    enqueuedAtMs: row.atMs,
    items: row.payloads.map((each, index) => ({ itemId: `${row.id}:item:${index}`, payload: each })),
  };
}

export const classOf = (row: WorkRow): WorkClass => (row.payloads[0]?.type === "session_command" ? "session_command" : "turn_work");

export function setWork(tx: WriteTransaction, sessionId: string, row: WorkRow): void {
  setRow(tx, workKey(sessionId, row.seq), prepareRow(row as unknown as Json));
}

export function addWork(tx: WriteTransaction, sessionId: string, row: WorkRow): void {
  setWork(tx, sessionId, row);
  tx.set(workIdKey(sessionId, row.id), row.seq);
  if (row.source !== undefined) tx.set(workSourceKey(sessionId, row.source), row.seq);
}

/** Removes a batch; its source key is free again. */
export function removeWork(tx: WriteTransaction, sessionId: string, row: WorkRow): void {
  deleteRow(tx, workKey(sessionId, row.seq));
  tx.delete(workIdKey(sessionId, row.id));
  if (row.source !== undefined) tx.delete(workSourceKey(sessionId, row.source));
}

export function findWork(tx: ReadTransaction, sessionId: string, by: { readonly id: string } | { readonly source: string }): WorkRow | undefined {
  const key = "id" in by ? workIdKey(sessionId, by.id) : workSourceKey(sessionId, by.source);
  const seq = tx.get(key);
  if (seq === undefined) return undefined;
  if (typeof seq !== "number") throw invalidRow("work index", key, "it is no number");
  const at = workKey(sessionId, seq);
  const value = getRow(tx, at);
  if (value === undefined) throw invalidRow("work index", key, "the batch it names is missing");
  return parseVersioned(workRow, "queued batch", at, value);
}

/** All batches, by sequence. */
export function* queuedWork(tx: ReadTransaction, sessionId: string): Generator<WorkRow, void> {
  for (const { key, value } of scanRows(tx, workPrefix(sessionId))) yield parseVersioned(workRow, "queued batch", key, value);
}
