// Steps of a turn in flight: who may write one, and the last one before a turn is left waiting.

import { type LashError, storeError } from "../../domain/errors.ts";
import type { ParkOutcome, RecordedTurn, TurnPark, TurnStep } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { type HeldLane, requireFence, writeReleased } from "./lease-rules.ts";
import { keyTime, listDue } from "./ready-index.ts";
import { findSettled } from "./stamp.ts";
import { nextControl, parkRows, prepareDelta, requireControl, setControl, type TurnControl } from "./turn-rows.ts";
import { openWait, peekWait } from "./waits.ts";

type BegunStep =
  | { readonly kind: "begun"; readonly inFlight: TurnControl; readonly held: HeldLane }
  | { readonly kind: "settled"; readonly result: RecordedTurn };

/** @throws LashError `session_execution_lease_expired`, `turn_step_conflict`. */
export async function requireStep(tx: ReadTransaction, { fence, turnId, step }: Pick<TurnStep, "fence" | "turnId" | "step">): Promise<BegunStep> {
  const { sessionId } = fence;
  const inFlight = await requireControl(tx, sessionId);
  if (inFlight?.turnId !== turnId) {
    const result = await findSettled(tx, sessionId, turnId);
    if (result !== undefined) return { kind: "settled", result };
  }
  const held = await requireFence(tx, sessionId, fence);
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
  return context.engine.write(async (tx): Promise<ParkOutcome> => {
    const begun = await requireStep(tx, park);
    if (begun.kind === "settled") return begun;
    const { inFlight, held } = begun;
    const { cancel } = inFlight;
    // Coming to where it waits is no failed recovery, whether it may wait or not.
    const control = nextControl(tx, sessionId, inFlight, { ...park, waiting: true }, delta);
    const isOver = cancel !== undefined || (due !== undefined && due <= now) || (await isAnswered(tx, sessionId, waits));
    if (isOver) {
      setControl(tx, sessionId, control);
      return { kind: "answered", ...(cancel && { cancellation: cancel }) };
    }
    await parkRows(tx, sessionId, control, { waits: [...waits], ...(due !== undefined && { dueAtMs: due }) });
    if (due !== undefined) listDue(tx, sessionId, turnId, due);
    writeReleased(tx, sessionId, held.lease.fencingToken, held.work);
    return { kind: "parked" };
  });
}

/** Whether one of them is over. Others are open from here on, so that whoever ends the waits of a session finds them. */
async function isAnswered(tx: WriteTransaction, sessionId: string, keyIds: readonly string[]): Promise<boolean> {
  const unknown: string[] = [];
  for (const keyId of keyIds) {
    const { state } = await peekWait(tx, sessionId, keyId);
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
