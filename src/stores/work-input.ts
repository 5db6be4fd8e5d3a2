// What queued turn work says to a turn: causes, and input of the older form (I-27, I-52).

import { type TurnCause, wakeCause } from "../domain/turn-cause.ts";
import { type AcceptedInput, joinInputs } from "../domain/turn-input.ts";
import type { QueuedBatch, WaitingInput } from "./ingress-contract.ts";

/** Causes of these batches in order, each once. */
export function causesIn(batches: readonly QueuedBatch[]): readonly TurnCause[] {
  const causes = new Map<string, TurnCause>();
  for (const { itemId, payload } of batches.flatMap(({ items }) => items)) {
    if (payload.type !== "process_wake") continue;
    const cause = wakeCause(payload.wake, itemId);
    if (!causes.has(cause.id)) causes.set(cause.id, cause);
  }
  return [...causes.values()];
}

export const inputsIn = (batches: readonly QueuedBatch[]): readonly WaitingInput[] =>
  batches.flatMap(({ items }) => items.flatMap(({ payload }) => (payload.type === "turn_input" ? [payload.input] : [])));

/** The input of a turn that is accepted for these batches. */
export function inputOfWork(batches: readonly QueuedBatch[]): AcceptedInput {
  const causes = causesIn(batches);
  return { ...joinInputs(inputsIn(batches)), ...(causes.length > 0 && { causes }) };
}
