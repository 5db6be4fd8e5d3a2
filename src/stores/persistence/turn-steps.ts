// Steps of a turn in flight: who may write one, and the last one before a turn is left waiting.

import { type LashError, storeError } from "../../domain/errors.ts";
import type { ParkOutcome, RecordedTurn, TurnPark, TurnStep } from "../contract.ts";
import type { Key, ReadTransaction, WriteTransaction } from "../engine.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { controlKeys, leaseKey, retiredKey, stampKey } from "./layout.ts";
import { type HeldLane, requireFence, writeReleased } from "./lease-rules.ts";
import { keyTime, listDue } from "./ready-index.ts";
import { inSession } from "./scopes.ts";
import { findSettled } from "./stamp.ts";
import { nextControl, parkRows, prepareDelta, requireControl, setControl, type TurnControl } from "./turn-rows.ts";
import { openWait, peekWait, readsOfWait } from "./waits.ts";

/** What every write of a turn looks at. */
export const readsOfTurn = (sessionId: string, turnId: string): readonly Key[] => [...controlKeys(sessionId), leaseKey(sessionId), stampKey(sessionId, turnId), retiredKey(sessionId)];

type BegunStep =
  | { readonly kind: "begun"; readonly inFlight: TurnControl; readonly held: HeldLane }
  | { readonly kind: "settled"; readonly result: RecordedTurn };

/** @throws LashError `session_execution_lease_expired`, `turn_step_conflict`. */
export function requireStep(tx: ReadTransaction, { fence, turnId, step }: Pick<TurnStep, "fence" | "turnId" | "step">): BegunStep {
  const { sessionId } = fence;
  const inFlight = requireControl(tx, sessionId);
  if (inFlight?.turnId !== turnId) {
    const result = findSettled(tx, sessionId, turnId);
    if (result !== undefined) return { kind: "settled", result };
  }
  const held = requireFence(tx, sessionId, fence);
  if (inFlight?.turnId !== turnId) throw stepConflict(sessionId, turnId, step, null);
  if (step !== inFlight.step + 1) throw stepConflict(sessionId, turnId, step, inFlight.step);
  return { kind: "begun", inFlight, held };
}

export async function parkTurn(context: StoreContext, park: TurnPark): Promise<ParkOutcome> {
  const { fence, turnId, until: { waits, dueAtMs } } = park;
  const { sessionId } = fence;
  checkBinding(context, sessionId);
  const due = dueAtMs === undefined ? undefined : keyTime(dueAtMs);
  if (waits.length === 0 && due === undefined) throw storeError("store_backend", `turn ${turnId} of session ${sessionId} would wait for nothing; release its lease instead`, { details: { sessionId, turnId } });
  const now = context.now();
  const delta = prepareDelta(park);
  return context.engine.write((tx): ParkOutcome => {
    tx.prefetch([...readsOfTurn(sessionId, turnId), ...waits.flatMap((keyId) => readsOfWait(sessionId, keyId))]);
    const begun = requireStep(tx, park);
    if (begun.kind === "settled") return begun;
    const { inFlight, held } = begun;
    const { cancel } = inFlight;
    // Coming to where it waits is no failed recovery, whether it may wait or not.
    const control = nextControl(tx, sessionId, inFlight, { ...park, waiting: true }, delta);
    const isOver = cancel !== undefined || (due !== undefined && due <= now) || isAnswered(tx, sessionId, waits);
    if (isOver) {
      setControl(tx, sessionId, control);
      return { kind: "answered", ...(cancel && { cancellation: cancel }) };
    }
    parkRows(tx, sessionId, control, { waits: [...waits], ...(due !== undefined && { dueAtMs: due }) });
    if (due !== undefined) listDue(tx, sessionId, turnId, due);
    writeReleased(tx, sessionId, held.lease.fencingToken, held.work);
    return { kind: "parked" };
  }, inSession(sessionId));
}

/** Whether one of them is over. Others are open from here on, so that whoever ends the waits of a session finds them. */
function isAnswered(tx: WriteTransaction, sessionId: string, keyIds: readonly string[]): boolean {
  const unknown: string[] = [];
  for (const keyId of keyIds) {
    const { state } = peekWait(tx, sessionId, keyId);
    if (state === "resolved" || state === "revoked") return true;
    if (state === "unknown") unknown.push(keyId);
  }
  for (const keyId of unknown) openWait(tx, sessionId, keyId);
  return false;
}

const stepConflict = (sessionId: string, turnId: string, step: number, stored: number | null): LashError =>
  storeError(
    "turn_step_conflict",
    stored === null ? `turn ${turnId} of session ${sessionId} is not in flight` : `step ${step} of turn ${turnId} does not follow step ${stored}`,
    { details: { sessionId, turnId, step, stored } },
  );
