// Effect hosts: who keeps the truth about effects in flight (effects.md, design section 5).
//
//   H1. `execute` answers from the record where there is one; the executor then does not run.
//   H2. An executor runs only after a durable step named the effect as issued, on hosts that are durable.
//   H3. Outcomes are remembered at once and become durable with the next `step`, or with the turn's final commit.
//   H4. Once the run is over nothing begins and nothing is remembered: what was not recorded counts as issued (ME-24).

import type { TurnCancellation } from "../domain/cancellation.ts";
import type { Message } from "../domain/messages.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import type { CollectedClaims, InputCollection, JournaledOutcome, LeaseFence, MachineSnapshot, TurnClaim, TurnRecord } from "../stores/contract.ts";
import { type PendingTurnInput, type QueuedBatch, rowsOf, workRowsOf } from "../stores/ingress-contract.ts";
import type { Envelope } from "./envelope.ts";
import type { TurnWrites } from "./turn-writes.ts";

/** What a step makes durable beside the outcomes that settled since the last one. */
export interface StepDraft {
  readonly appended: readonly Message[];
  readonly modelCalls: readonly ModelCallRecord[];
  readonly snapshot?: MachineSnapshot;
  /** Replay keys of the attempts that may run once this is durable. */
  readonly issued: readonly string[];
  /** All that is open is waits: not a failed recovery. */
  readonly waiting?: true;
}

/** What a checkpoint claimed for its turn; the turn's end completes it. */
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

export interface Execution {
  /** This effect was issued before and its outcome was lost with its process. */
  readonly interrupted: boolean;
}

export interface Executed {
  readonly outcome: JournaledOutcome;
  readonly source: "run" | "journal";
}

/** Runs the effects of one turn. */
export interface EffectController {
  readonly tier: "inline" | "durable";
  /** Makes everything so far durable, before what it issues may run. */
  step(draft: StepDraft): Promise<void>;
  /** The same at a checkpoint: claims in that step what waits for the turn. Asked again under one key it gives the same (C1). */
  collect(collection: InputCollection, draft: StepDraft): Promise<Collected | undefined>;
  /**
   * @param envelope - identifies the operation; asked for at once, and only where something is recorded, because naming
   *   costs hashing.
   * @throws LashError `journaled_effect_replay_hash_conflict` - recorded under this key is another operation.
   */
  execute(replayKey: string, envelope: () => Envelope, run: (execution: Execution) => Promise<JournaledOutcome>): Promise<Executed>;
  /** Whether an outcome is on record, under whatever hash. */
  has(replayKey: string): boolean;
  /** Whether an outcome is waiting for a step. */
  readonly hasUnsaved: boolean;
  /** The turn has ended: nothing of it is asked for any more. */
  ended(): void;
}

export interface TurnScope {
  readonly turn: TurnRecord;
  readonly fence: LeaseFence;
  /** Before a write: renews the lease where a late timer let it run out. */
  readonly ensureLive: () => Promise<void>;
  readonly writes: TurnWrites;
  /** Told of a request to cancel the turn that a step came across. */
  readonly onCancelRequest: (request: TurnCancellation) => void;
}

export interface EffectHost {
  readonly tier: "inline" | "durable";
  scoped(scope: TurnScope): EffectController;
}
