// How a turn is asked for: who watches it, and what it begins with.

import type { AcceptedInput } from "../../domain/turn-input.ts";
import type { NewAttachment } from "../../stores/content-contract.ts";
import type { Emit } from "../model-call.ts";
import type { TurnHere } from "../inside-turn.ts";
import type { TurnOverlay } from "../turn-plan.ts";
import type { Place } from "./place.ts";

/** Who watches a turn, and may cancel it. */
export interface TurnWatcher {
  readonly turnId: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** What to do once the turn only waits for answers from outside: go on waiting (default), leave it in flight, or whatever it says. */
  readonly whenParked?: "wait" | "suspend" | (() => void);
}

/** How a turn comes to be run here: accepted with an input, accepted with what waits, or found in flight. */
export type TurnOrigin =
  | { readonly kind: "input"; readonly input: AcceptedInput; /** Bytes that the input refers to; stored by the write that accepts it. */ readonly attachments: readonly NewAttachment[] }
  | { readonly kind: "queued"; /** Exactly these batches, if they are next; then no inputs. */ readonly batchIds?: readonly string[] | undefined }
  | { readonly kind: "found"; /** Why it is to be ended instead of being driven on. */ readonly abandonment?: string | undefined };

/** A turn that is to be run. */
export interface TurnRequest extends TurnWatcher {
  readonly origin: TurnOrigin;
  /** Told once it has its lease. */
  readonly whenClaimed?: () => void;
  /** What its host gives for this turn alone. */
  readonly overlay?: TurnOverlay | undefined;
  /**
   * How long it waits for other turns of the session, wherever they run, and for other owners. Undefined: for those that run here as
   * long as it takes, for other owners not at all.
   */
  readonly waitMs?: number | undefined;
  /** What the lash itself is finishing in the session; it is waited for first. */
  readonly after?: Promise<unknown> | undefined;
  /** The turn that whoever asks is a part of. */
  readonly asker?: TurnHere | undefined;
  /** Of a drain, which waits for no other owner (I-24): whether one is waited for before it. */
  readonly isGivenUp?: (() => boolean) | undefined;
  /** Of one that waits. */
  readonly place?: Place | undefined;
}

/** A turn whose input is what waits. */
export interface QueuedTurnStart extends Pick<TurnWatcher, "signal" | "whenParked">, Pick<TurnRequest, "asker"> {
  /** Id of the turn; default: the first of `batchIds`, else what an input asks for, else a fresh one. */
  readonly drainId?: string;
  /** Exactly these batches, if they are next; then no inputs. */
  readonly batchIds?: readonly string[];
  readonly emitFor: (turnId: string) => Emit;
}

/** A drain has nothing to do: nothing waits, or somebody else runs the session. */
export const NOTHING_TO_DRAIN: ReadonlySet<string> = new Set(["unknown_turn", "session_execution_busy"]);

/** Nobody watches, nobody cancels. */
export const headless = (signal = new AbortController().signal) => ({ emit: nobody, signal });

/** Hears nothing. */
export const nobody: Emit = () => undefined;
