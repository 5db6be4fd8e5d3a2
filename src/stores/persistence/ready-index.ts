// Ready index: what of the store can go on, and from when on, so that looking for it costs nothing for what waits.
//   ["turn", sid, 0]             a turn in flight that has not parked: its control row is its entry
//   ["ready", 0, sid]            a parked turn that was answered, or whose end was asked for: its id
//   ["ready", 1, dueAtMs, sid]   a parked turn that waits no longer than that: its id
//   ["ready", 2, sid]            something may wait in the queue of this session
//   ["ready", 3, atMs, sid]      the same from then on
//   ["ready"]                    present once sessions that older builds queued something for have their entries
//
//   RI1. An entry of a turn is written and deleted by the writes that make it true and false.
//   RI2. An entry of a queue is written by whoever queues something, and deleted by the sweep that finds the queue empty: writes that
//        take from a queue do not look whether they took the last of it.

import { isPlainObject } from "../../domain/json.ts";
import type { Value, WriteTransaction } from "../engine.ts";
import { delayedQueueKey, dueTurnKey, parkedControlKey, readyQueueKey, readyTurnKey } from "./layout.ts";

/** A time as part of a key; undefined for one that never comes. */
export function keyTime(atMs: number): number | undefined {
  const at = Math.max(0, Math.ceil(atMs));
  return Number.isSafeInteger(at) ? at : undefined;
}

/** A parked turn goes on by itself from then on. */
export function listDue(tx: WriteTransaction, sessionId: string, turnId: string, dueAtMs: number): void {
  const at = keyTime(dueAtMs);
  if (at !== undefined) tx.set(dueTurnKey(at, sessionId), turnId);
}

export const listReady = (tx: WriteTransaction, sessionId: string, turnId: string): void => tx.set(readyTurnKey(sessionId), turnId);

/** It is driven again, or it is over. */
export function unlist(tx: WriteTransaction, sessionId: string, dueAtMs: number | undefined): void {
  tx.delete(readyTurnKey(sessionId));
  const at = dueAtMs === undefined ? undefined : keyTime(dueAtMs);
  if (at !== undefined) tx.delete(dueTurnKey(at, sessionId));
}

/**
 * One of these waits is over: the turn that waits for it can go on, if it is parked. A damaged row must not keep an answer from being
 * recorded, and is named by the next sweep.
 */
export function wakeParked(tx: WriteTransaction, sessionId: string, keyIds: readonly string[] | "all"): void {
  const control = tx.get(parkedControlKey(sessionId));
  if (control === undefined) return;
  const { waits, turnId } = parkingOf(control);
  if (waits === undefined || keyIds === "all" || keyIds.some((keyId) => waits.includes(keyId))) listReady(tx, sessionId, turnId);
}

/** The session is gone. What of it lies under times that nobody knows any more is found and dropped by the sweep of that time. */
export function unlistSession(tx: WriteTransaction, sessionId: string): void {
  unlist(tx, sessionId, parkingOf(tx.get(parkedControlKey(sessionId))).dueAtMs);
  tx.delete(readyQueueKey(sessionId));
}

/** Something waits in the queue of this session, or will from then on. */
export function listQueue(tx: WriteTransaction, sessionId: string, availableAtMs: number, now: number): void {
  const at = keyTime(availableAtMs);
  if (at !== undefined) tx.set(availableAtMs <= now ? readyQueueKey(sessionId) : delayedQueueKey(at, sessionId), true);
}

/** As far as it can be read. */
function parkingOf(control: Value | undefined): { readonly turnId: string; readonly waits?: readonly unknown[]; readonly dueAtMs?: number } {
  const { turnId, parked } = isPlainObject(control) ? control : {};
  const { waits, dueAtMs } = isPlainObject(parked) ? parked : {};
  return { turnId: typeof turnId === "string" ? turnId : "", ...(Array.isArray(waits) && { waits }), ...(typeof dueAtMs === "number" && { dueAtMs }) };
}
