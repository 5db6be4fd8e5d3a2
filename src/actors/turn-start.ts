// How a turn is asked for: who watches it, and what it begins with.

import type { TurnToAccept } from "./lane-claims.ts";
import type { Emit } from "./model-call.ts";
import type { TurnTrace } from "./trace-port.ts";
import type { TurnOverlay } from "./turn-plan.ts";

/** Who watches a turn, and may cancel it. */
export interface TurnAttendance {
  readonly turnId: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** What to do once the turn only waits for answers from outside: go on waiting (default), leave it in flight, or whatever it says. */
  readonly whenParked?: "wait" | "suspend" | (() => void);
}

/** How this runtime came to a turn: its host asked for it, or it was in flight. */
export type TurnOrigin = "asked" | "found";

/** A turn that was found in flight. */
export interface FoundTurn extends TurnAttendance {
  /** Why it is to be ended instead of being driven on. */
  readonly abandonment?: string | undefined;
}

/** A turn that is driven now. */
export interface TurnRequest extends Pick<TurnAttendance, "turnId" | "emit"> {
  readonly origin: TurnOrigin;
  readonly trace: TurnTrace | undefined;
  /** What its host gives for this turn alone. */
  readonly overlay?: TurnOverlay | undefined;
  readonly abandonment?: string | undefined;
  /** Told when the turn only waits for answers from outside: it may be suspended then. */
  readonly onParked: () => void;
}

export interface TurnStart extends TurnAttendance, TurnToAccept {
  readonly overlay?: TurnOverlay | undefined;
}

/** A turn whose input is what waits. */
export interface QueuedTurnStart extends Pick<TurnAttendance, "signal" | "whenParked"> {
  /** Id of the turn; default: the first of `batchIds`, else what an input asks for, else a fresh one. */
  readonly drainId?: string;
  /** Exactly these batches, if they are next; then no inputs. */
  readonly batchIds?: readonly string[];
  readonly emitFor: (turnId: string) => Emit;
}

export interface Attended extends Pick<TurnAttendance, "turnId" | "emit"> {
  readonly cancel: AbortController;
  /** Aborted by `cancel`, or by whoever asked. */
  readonly signal: AbortSignal;
}

/** A drain has nothing to do: nothing waits, or somebody else runs the session. */
export const NOTHING_TO_DRAIN: ReadonlySet<string> = new Set(["unknown_turn", "session_execution_busy"]);

/** Nobody watches, nobody cancels. */
export const unattended = (signal = new AbortController().signal) => ({ emit: () => undefined, signal });
