// Taking up a turn that is in flight: who may, and what it counts (OP-6, ME-22).

import { lackOf, type TurnLack } from "../../domain/turn-means.ts";
import type { TakenUp, TakesUp, TurnLeft } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import { readConfig } from "./config-row.ts";
import type { StoreContext } from "./context.ts";
import { NO_HEAD, readHead } from "./head-row.ts";
import { type HeldLane, writeLease } from "./lease-rules.ts";
import { protocolOf } from "./meta-row.ts";
import { awakened, readTurn, setControl, type TurnControl } from "./turn-rows.ts";

/** The lane that whoever asks would hold. */
export interface OfferedLane extends HeldLane {
  /** Its last owner did not release it. */
  readonly abandoned: boolean;
}

/**
 * Whoever lacks something of it takes the turn up only to end it; otherwise nothing is written and nothing counted.
 *
 * A takeover from an owner that did not release the lane counts as a recovery. A turn that parked was not driven by anybody, whoever
 * held the lane since.
 */
export function takeUp(context: StoreContext, tx: WriteTransaction, inFlight: TurnControl, { lease, work, abandoned }: OfferedLane, request: TakesUp): TakenUp | TurnLeft {
  const { sessionId } = lease;
  const { maxRecoveries = Number.POSITIVE_INFINITY } = request;
  const isParked = inFlight.parked !== undefined;
  const control = abandoned && !isParked ? { ...inFlight, recoveries: inFlight.recoveries + 1 } : inFlight;
  const lack = lackIn(context, tx, sessionId, request);
  if (lack && control.cancel === undefined && control.recoveries <= maxRecoveries) return { kind: "turn_left", turnId: control.turnId, lack };
  writeLease(tx, lease, work);
  const awake = awakened(tx, sessionId, control);
  if (abandoned || isParked) setControl(tx, sessionId, awake);
  const { revision: headRevision } = readHead(tx, sessionId) ?? NO_HEAD;
  return { lease, turn: readTurn(tx, sessionId, awake), headRevision, ...(lack && { lack }) };
}

export const isLeft = (taken: TakenUp | TurnLeft): taken is TurnLeft => "kind" in taken;

function lackIn({ protocol }: StoreContext, tx: ReadTransaction, sessionId: string, { means }: TakesUp): TurnLack | undefined {
  if (!means) return undefined;
  const expected = protocolOf(tx, sessionId);
  return expected === protocol ? lackOf(readConfig(tx, sessionId), means) : { kind: "protocol", expected, actual: protocol };
}
