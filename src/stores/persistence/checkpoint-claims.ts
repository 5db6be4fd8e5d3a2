// What a checkpoint claims for its running turn (T-55, I-31): its inputs, then a group of queued work. Inside the step that the
// checkpoint writes, or in a write of its own for hosts without steps.

import type { InputCollection, TurnClaim } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import { type CheckpointKind, type TurnInputClaim, type WorkClaim, rowsOf, workRowsOf } from "../ingress-contract.ts";
import { isNewFor, selectInputs, takeInputs } from "./input-claims.ts";
import type { InputRow } from "./input-rows.ts";
import type { HeldLane } from "./lease-rules.ts";
import { claimsOf, type TurnControl } from "./turn-rows.ts";
import { nextGroup, readyWork, takeWork } from "./work-claims.ts";
import type { WorkRow } from "./work-rows.ts";

/** A running turn at one of its checkpoints. */
export interface TurnAtCheckpoint {
  readonly turnId: string;
  readonly inFlight: TurnControl | undefined;
  readonly now: number;
}

/** What `inFlight` remembers of the input lane. */
export const rememberedInputs = (sessionId: string, inFlight: TurnControl | undefined) =>
  inFlight === undefined ? [] : claimsOf(sessionId, inFlight).flatMap(({ lane, rows }) => (lane === "inputs" ? [rows] : []));

interface Waiting {
  readonly inputs: readonly InputRow[];
  readonly work: readonly WorkRow[];
}

export function selectWaiting(
  tx: ReadTransaction,
  held: HeldLane,
  { turnId, inFlight, now }: TurnAtCheckpoint,
  { checkpoint, max }: Pick<InputCollection, "checkpoint" | "max">,
): Waiting {
  const { sessionId, fencingToken: generation } = held.lease;
  const remembered = rememberedInputs(sessionId, inFlight);
  const inputs = selectInputs(tx, sessionId, { generation, max, isWanted: (row) => isNewFor(row, turnId, checkpoint, remembered) });
  return { inputs, work: workAtCheckpoint(tx, held, { turnId, now }, max) };
}

/** The group that may enter the turn now. */
export function workAtCheckpoint(tx: ReadTransaction, { lease, work }: HeldLane, { turnId, now }: Pick<TurnAtCheckpoint, "turnId" | "now">, max: number): readonly WorkRow[] {
  if (work === 0) return [];
  return nextGroup(readyWork(tx, lease.sessionId, { generation: lease.fencingToken, now, inFlight: turnId }), "active_turn_checkpoint", max);
}

/** What was claimed, and how a turn remembers it. */
export interface Taken {
  readonly claim?: TurnInputClaim;
  readonly work?: WorkClaim;
  readonly remembered: readonly TurnClaim[];
}

export function takeWaiting(
  tx: WriteTransaction,
  { inputs, work }: Waiting,
  { lease }: HeldLane,
  { turnId, replayKey, checkpoint, claimToken, remembers }: { readonly turnId: string; readonly replayKey: string; readonly checkpoint: CheckpointKind; readonly claimToken: string; readonly remembers: boolean },
): Taken {
  const claim = inputs.length === 0 ? undefined : takeInputs(tx, inputs, lease, { claimToken, mode: { kind: "active_turn", turnId, checkpoint }, accepts: true });
  const taken = work.length === 0 ? undefined : takeWork(tx, work, lease, claimToken, ...(remembers ? [turnId] : []));
  return {
    ...(claim && { claim }),
    ...(taken && { work: taken }),
    remembered: [
      ...(claim ? [{ lane: "inputs" as const, replayKey, rows: rowsOf(claim) }] : []),
      ...(taken ? [{ lane: "work" as const, replayKey, rows: workRowsOf(taken) }] : []),
    ],
  };
}
