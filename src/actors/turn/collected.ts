// What a checkpoint of a turn claimed; the turn's end completes it.

import type { CollectedClaims, Persistence, TurnClaim } from "../../stores/contract.ts";
import { type PendingTurnInput, type QueuedBatch, rowsOf, workRowsOf } from "../../stores/ingress-contract.ts";

export interface Collected {
  readonly claims: readonly TurnClaim[];
  readonly inputs: readonly PendingTurnInput[];
  readonly batches: readonly QueuedBatch[];
  readonly source: "run" | "journal";
}

/** What was claimed now; undefined where that is nothing. */
export function collectedNow(replayKey: string, { claim, work }: CollectedClaims): Collected | undefined {
  if (!claim && !work) return undefined;
  return {
    claims: [...(claim ? [{ lane: "inputs" as const, replayKey, rows: rowsOf(claim) }] : []), ...(work ? [{ lane: "work" as const, replayKey, rows: workRowsOf(work) }] : [])],
    inputs: claim?.inputs ?? [],
    batches: work?.batches ?? [],
    source: "run",
  };
}

/** What was claimed before, read again. */
export async function collectedBefore({ inputs: inputLane, queue }: Pick<Persistence, "inputs" | "queue">, claims: readonly TurnClaim[], source: Collected["source"]): Promise<Collected> {
  const inputs: PendingTurnInput[] = [];
  const batches: QueuedBatch[] = [];
  for (const { lane, rows } of claims) {
    if (lane === "inputs") inputs.push(...(await inputLane.claimed(rows)));
    else batches.push(...(await queue.claimed(rows)));
  }
  return { claims, inputs, batches, source };
}
