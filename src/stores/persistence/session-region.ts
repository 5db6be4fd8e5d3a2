// The durable region of a session: which control row it has, and what that says. No session has two of them.
//   ["turn", sid, 0]     the control state of the turn in flight; with `deleting`, whatever else it says: how far the deletion is
//   ["parked", sid, 0]   the same of a turn that waits (turn-rows.ts)
//   ["retired", sid]     deleted; while rows are left, beside the first of these
//   none of them         idle
//
// Rows of 0.1.0 mean what they say: a turn in flight is one that somebody drives or has left, a retired id is retired.

import * as z from "zod/mini";
import { storeError } from "../../domain/errors.ts";
import type { DeletionStage, SessionRegion } from "../../domain/session.ts";
import type { ReadTransaction, Value, WriteTransaction } from "../engine.ts";
import { parkedControlKey, retiredKey, turnControlKey } from "./layout.ts";
import { PARKED_VERSION } from "./schema.ts";

const deletingRow = z.looseObject({ deleting: z.strictObject({ stage: z.literal("history") }) });

/** How far the deletion is that a control row speaks of; undefined where it speaks of none. */
export function deletionIn(control: Value | undefined): DeletionStage | undefined {
  // Of every turn in flight: the cheap question first.
  if (typeof control !== "object" || control === null || !("deleting" in control)) return undefined;
  const parsed = deletingRow.safeParse(control);
  if (parsed.success) return parsed.data.deleting.stage;
  throw storeError("stored_row_invalid", "the control row of a session that is being deleted names no stage of it", { details: { recordKind: "session deletion" } });
}

/** The session is not usable from here on. @param stage - undefined: nothing of it is left. */
export function setDeletion(tx: WriteTransaction, sessionId: string, stage: DeletionStage | undefined): void {
  if (stage === undefined) tx.delete(turnControlKey(sessionId));
  // Older builds, which would take it for a turn, refuse the version.
  else tx.set(turnControlKey(sessionId), { schemaVersion: PARKED_VERSION, deleting: { stage } });
}

/** @param exists - it has a head, which no retired session has. */
export function readRegion(tx: ReadTransaction, sessionId: string, exists: boolean): SessionRegion {
  const control = tx.get(turnControlKey(sessionId)) ?? tx.get(parkedControlKey(sessionId));
  const stage = deletionIn(control);
  if (stage !== undefined) return { state: "deleting", stage };
  // A damaged row is named by whoever reads the turn.
  if (control !== undefined) return { state: typeof control === "object" && control !== null && "parked" in control ? "parked" : "inTurn" };
  return { state: exists || tx.get(retiredKey(sessionId)) === undefined ? "idle" : "retired" };
}
