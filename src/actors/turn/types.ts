// The types of a turn as a durable run.

import type { TurnCancellation } from "../../domain/cancellation.ts";
import type { Message } from "../../domain/messages.ts";
import type { ModelCallRecord } from "../../domain/outcome.ts";
import type { EffectRequest, PhaseName, ToolResult, TurnEvent } from "../../machines/effects.ts";
import type { TurnContext } from "../../machines/turn.context.ts";
import type { TurnMachine } from "../../machines/turn.machine.ts";
import type { CommitResult, InputCollection, LeaseFence, RecordedTurn, SessionCommit, SessionLease, TakenUp, TurnSettlement } from "../../stores/contract.ts";
import type { Collected } from "./collected.ts";
import type { EffectScope, RunTypes } from "../durable/contract.ts";

export interface TurnTypes extends RunTypes {
  readonly machine: TurnMachine;
  readonly context: TurnContext;
  readonly event: TurnEvent;
  readonly request: EffectRequest;
  readonly note: { readonly type: "log.appended"; readonly messages: readonly Message[] };
  readonly phase: PhaseName;
  readonly fence: LeaseFence;
  readonly start: ClaimedTurn;
  readonly facts: { readonly appended: readonly Message[]; readonly modelCalls: readonly ModelCallRecord[] };
  /** A checkpoint's claim of what waits; or that all that is open waits for answers, which is no failed recovery. */
  readonly extra: { readonly collect: InputCollection } | { readonly waiting: true };
  readonly brought: Collected;
  readonly cancel: TurnCancellation;
  readonly ending: { readonly kind: "commit"; readonly commit: SessionCommit } | { readonly kind: "settle"; readonly settlement: TurnSettlement };
  readonly refusal: { readonly kind: "inputWaits" } | { readonly kind: "cancelled"; readonly by: TurnCancellation };
  readonly result: EndedTurn;
  readonly holder: SessionLease | undefined;
  readonly first: ComesFirst;
}

export type TurnScope = EffectScope<TurnTypes>;

/** What a claim brings. */
export type ClaimedTurn = Omit<TakenUp, "lease">;

/** How it ended; `commit` where this run has committed it. */
export interface EndedTurn {
  readonly recorded: RecordedTurn;
  readonly commit?: CommitResult;
}

export type ComesFirst =
  /** Session commands stand before it. */
  | { readonly kind: "commands" }
  /** Another turn was accepted before and its owner is gone. */
  | { readonly kind: "turn"; readonly turnId: string }
  /** Another owner has the session, and the turn waits for it. */
  | { readonly kind: "owner" }
  /** The session is read again: the turn was to be accepted on an older head. */
  | { readonly kind: "head"; readonly headRevision: number };

export interface TurnEnd {
  readonly result: RecordedTurn;
  /** Tool calls with arguments and outputs; empty for a turn that had ended before. */
  readonly toolResults: readonly ToolResult[];
  /** Somebody else had ended it before it was claimed here. */
  readonly hadEnded?: true;
}

