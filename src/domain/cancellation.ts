// Durable requests to cancel a turn (OP-20).

import type { Clock } from "./clock.ts";
import { invalidArgument } from "./invalid-argument.ts";
import { utf8Length } from "./utf8.ts";

const REASON_BYTES = 4096;

/** Who asked for the end of a turn, why and when. */
export interface TurnCancellation {
  readonly requestId: string;
  /** `turn`: its handle, or the signal it was given; `lash`: `lash.cancelTurn()`, from whatever process. */
  readonly origin: "turn" | "lash";
  readonly reason?: string;
  /** Epoch milliseconds. */
  readonly requestedAtMs: number;
}

export const newCancellation = (
  { newId, clock }: { readonly newId: () => string; readonly clock: Pick<Clock, "now"> },
  origin: TurnCancellation["origin"],
  reason: string | undefined,
): TurnCancellation => ({ requestId: newId(), origin, ...(reason !== undefined && { reason }), requestedAtMs: clock.now() });

export interface TurnCancelOutcome {
  /**
   * - `accepted`: the turn ends as `stopped: "cancelled"`, whoever drives it. Of several requests the first is recorded.
   * - `completion_won`: it had ended before.
   * - `unknown_turn`: the session has no such turn in flight, and none that ended.
   */
  readonly status: "accepted" | "completion_won" | "unknown_turn";
}

/** Reason of an abort signal that comes from such a request. */
export class CancelSignal {
  readonly cancellation: TurnCancellation;

  constructor(cancellation: TurnCancellation) {
    this.cancellation = cancellation;
  }

  /** The request behind an aborted signal, if there is one. */
  static of({ reason }: AbortSignal): TurnCancellation | undefined {
    return reason instanceof CancelSignal ? reason.cancellation : undefined;
  }
}

/** @throws LashError `invalid_argument` - no text, or a very long one. */
export function assertReason(reason: unknown): asserts reason is string | undefined {
  if (reason === undefined) return;
  if (typeof reason !== "string" || !reason.isWellFormed() || utf8Length(reason) > REASON_BYTES) {
    throw invalidArgument("reason", `well-formed text of at most ${REASON_BYTES} bytes of UTF-8`);
  }
}
