// Who asks for a turn, watches it, and may cancel it. Types only.

import type { TurnToAccept } from "./lane-claims.ts";
import type { Emit } from "./model-call.ts";
import type { TurnOverlay } from "./turn-plan.ts";

/** Who watches a turn, and may cancel it. */
export interface TurnAttendance {
  readonly turnId: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** What to do once the turn only waits for answers from outside: go on waiting (default), or leave it in flight. */
  readonly whenParked?: "wait" | "suspend";
}

export interface TurnStart extends TurnAttendance, TurnToAccept {
  readonly overlay?: TurnOverlay | undefined;
}

/** A turn whose input is what waits. */
export interface QueuedTurnStart {
  /** Id of the turn; default: what an input asks for, else a fresh one (I-29). */
  readonly drainId?: string;
  readonly emitFor: (turnId: string) => Emit;
  readonly signal: AbortSignal;
}

export interface Attended extends Pick<TurnAttendance, "turnId" | "emit"> {
  readonly cancel: AbortController;
  /** Aborted by `cancel`, or by whoever asked. */
  readonly signal: AbortSignal;
}
