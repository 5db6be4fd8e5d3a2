// In whose queue something waits: one session asked for by itself, or all of them from the index (ready-index.ts).

import type { Bound, Entry, Key, ReadTransaction, WriteTransaction } from "../engine.ts";
import type { ReadyQueues } from "../ingress-contract.ts";
import { claimLiveness, seemingLiveness } from "./claim-rows.ts";
import type { StoreContext } from "./context.ts";
import { liveInputs } from "./input-rows.ts";
import { after, DELAYED_QUEUES, lanesKey, READY, READY_QUEUES, readyQueueKey, SESSION_ROWS, sessionPrefix, textAt } from "./layout.ts";
import { readLane } from "./lease-rules.ts";
import { listQueue } from "./ready-index.ts";
import { readControl } from "./turn-rows.ts";
import { isTakenBy } from "./work-claims.ts";
import { queuedWork, type WorkRow } from "./work-rows.ts";

/** Tells whether a batch is claimed, as those without the lease see it: under a lease, or by the turn in flight. @param now - for who only looks. */
export function takenness(tx: ReadTransaction, sessionId: string, now?: number): (row: WorkRow) => boolean {
  const isLive = now === undefined ? claimLiveness(tx, sessionId) : seemingLiveness(tx, sessionId, now);
  const inFlight = readControl(tx, sessionId)?.turnId;
  return (row) => isLive(row) || isTakenBy(row, inFlight);
}

/** Whether a drain would find something, as far as can be told without the lease. */
export function waits(tx: ReadTransaction, sessionId: string, now: number): boolean {
  if (tx.get(lanesKey(sessionId)) === undefined) return false;
  if (readLane(tx, sessionId).work > 0) {
    const isTaken = takenness(tx, sessionId, now);
    for (const row of queuedWork(tx, sessionId)) if (!isTaken(row) && row.availableAtMs <= now) return true;
  }
  return hasInput(tx, sessionId);
}

export async function readyQueues(context: StoreContext): Promise<ReadyQueues> {
  const { engine, boundSessionId: only } = context;
  const now = context.now();
  if (only !== undefined) return engine.read((tx) => ({ sessionIds: waits(tx, only, now) ? [only] : [] }));
  const isComplete = await engine.read((tx) => tx.get(READY) !== undefined);
  if (!isComplete) await engine.write((tx) => enterAll(tx, now));
  const { empty, ...ready } = await engine.read((tx) => look(tx, now));
  if (empty.length > 0) {
    await engine.write((tx) => {
      for (const { key, sessionId } of empty) if (!hasAny(tx, sessionId)) tx.delete(key);
    });
  }
  return ready;
}

interface Found extends ReadyQueues {
  /** Entries of queues that are empty by now. */
  readonly empty: readonly { readonly key: Key; readonly sessionId: string }[];
}

function look(tx: ReadTransaction, now: number): Found {
  const sessionIds = new Set<string>();
  const empty: { key: Key; sessionId: string }[] = [];
  const availableBy: Bound = [...DELAYED_QUEUES, Math.floor(now) + 1];
  const entries: readonly Entry[] = [...tx.range(READY_QUEUES, after(READY_QUEUES)), ...tx.range(DELAYED_QUEUES, availableBy)];
  for (const { key } of entries) {
    const sessionId = textAt(key, key.length - 1);
    if (sessionIds.has(sessionId)) continue;
    if (waits(tx, sessionId, now)) sessionIds.add(sessionId);
    else if (!hasAny(tx, sessionId)) empty.push({ key, sessionId });
  }
  const [next] = tx.range(availableBy, after(DELAYED_QUEUES), { limit: 1 });
  return { sessionIds: [...sessionIds], empty, ...(next && { nextAtMs: Number(next.key[2]) }) };
}

/** Whether anything could still begin to wait there without being queued anew: work that is claimed, delayed, or taken by a turn. */
const hasAny = (tx: ReadTransaction, sessionId: string): boolean => readLane(tx, sessionId).work > 0 || hasInput(tx, sessionId);

function hasInput(tx: ReadTransaction, sessionId: string): boolean {
  for (const { state } of liveInputs(tx, sessionId)) if (state === "deferred_next_turn") return true;
  return false;
}

/** What builds queued that knew no index. */
function enterAll(tx: WriteTransaction, now: number): void {
  if (tx.get(READY) !== undefined) return;
  for (let from: Bound = SESSION_ROWS; ; ) {
    const [entry] = tx.range(from, after(SESSION_ROWS), { limit: 1 });
    if (entry === undefined) break;
    const sessionId = textAt(entry.key, 1);
    if (tx.get(lanesKey(sessionId)) !== undefined) {
      if (readLane(tx, sessionId).work > 0) for (const { availableAtMs } of queuedWork(tx, sessionId)) listQueue(tx, sessionId, availableAtMs, now);
      if (hasInput(tx, sessionId)) tx.set(readyQueueKey(sessionId), true);
    }
    from = after(sessionPrefix(sessionId));
  }
  tx.set(READY, 1);
}
