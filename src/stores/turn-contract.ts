// Turns in flight: accepted, driven step by step, settled (design 2B, OP-1). Part of the persistence contract.

import type { TurnCancelOutcome, TurnCancellation } from "../domain/cancellation.ts";
import type { Json } from "../domain/json.ts";
import type { Message } from "../domain/messages.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import type { SessionRelation } from "../domain/session.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import type { TurnLack, TurnMeans } from "../domain/turn-means.ts";
import type { AcceptedInput } from "../domain/turn-input.ts";
import type { NewAttachment } from "./content-contract.ts";
import type { CheckpointKind, ClaimedRows, TurnInputClaim, WorkClaim } from "./ingress-contract.ts";
import type { LeaseClaim, LeaseFence, SessionLease } from "./lease-contract.ts";
import type { RecordedTurn, TurnResultRecord } from "./session-contract.ts";

/** Persisted control state of a machine: never history, never live objects. */
export interface MachineSnapshot {
  readonly machine: string;
  readonly version: number;
  readonly value: Json;
  readonly context: Json;
}

export type JournaledOutcome =
  | { readonly ok: Json }
  | { readonly error: { readonly code: string; readonly message: string } };

/** One finished effect under its replay key (effects.md section 2); `hash` identifies its envelope. */
export interface JournalEntry {
  readonly replayKey: string;
  readonly hash: string;
  readonly outcome: JournaledOutcome;
}

/** What a turn is accepted with. */
export interface ConfigClaim {
  readonly value: TurnConfig;
  /** Head revision whose policy it was made from; absent where it does not depend on one. */
  readonly madeFrom?: number;
  /** Fencing token of this owner's lease under which this very value was stored for the session; spares looking for it. */
  readonly storedAt?: number;
}

/** Who takes up a turn that is in flight. */
export interface TakesUp {
  /** What it would be driven on with. Absent: whoever asks only wants to end it, or has all that any turn needs. */
  readonly means?: TurnMeans;
  /** Failed recoveries in a row after which a turn is ended by whoever finds it; default: no limit. */
  readonly maxRecoveries?: number;
}

export interface AcceptTurn extends LeaseClaim, TakesUp {
  readonly turnId: string;
  readonly input: AcceptedInput;
  /** SHA-256 of the input's canonical JSON: tells a retry from a clash. */
  readonly inputHash: string;
  readonly machine: { readonly machine: string; readonly version: number };
  /** Kept until another turn of the session is accepted with another one. A turn that follows by `NextTurn` has its chain's. */
  readonly config: ConfigClaim;
  /** Bytes that the input refers to, stored with their intents in the same write. */
  readonly attachments?: readonly NewAttachment[];
  /** Seeds the session's metadata if it has none yet. */
  readonly session: { readonly relation: SessionRelation; readonly model: string };
}

/** A turn together with its lane. */
export interface TakenUp {
  readonly lease: SessionLease;
  readonly turn: TurnRecord;
  readonly headRevision: number;
  /** What whoever took it up does not have of it: the turn can only be ended, which it is to be. */
  readonly lack?: TurnLack;
}

/** It is in flight and was left alone, because whoever asked does not have what it was accepted with. Nothing was written. */
export interface TurnLeft {
  readonly kind: "turn_left";
  readonly turnId: string;
  readonly lack: TurnLack;
}

export type AcceptOutcome =
  /** Accepted now, or already accepted under this id and not finished: `turn` is its durable state. */
  | ({ readonly kind: "accepted" } & TakenUp)
  /** This turn id has committed with the same input; nothing was written. */
  | { readonly kind: "settled"; readonly result: RecordedTurn }
  /** Another turn of the session was accepted and not finished; it must be driven first. The lease was not taken. */
  | { readonly kind: "turn_in_flight"; readonly turnId: string }
  /** The head is not the one that the configuration was made from; nothing was written. */
  | { readonly kind: "head_moved"; readonly headRevision: number }
  | TurnLeft
  /** Session commands come first: they are to be applied, then this is asked again. Nothing was written. */
  | { readonly kind: "commands_wait" }
  | { readonly kind: "busy"; readonly holder: SessionLease };

/** Accepts a turn whose input is what waits for the session's next turn. */
export interface AcceptQueued extends LeaseClaim, TakesUp, Pick<AcceptTurn, "machine" | "config" | "session"> {
  readonly turnId: string;
  readonly claimToken: string;
  /** Most inputs or batches; the runtime asks for 64. */
  readonly max: number;
  /** Takes exactly these batches, if they are the next group in this order, and no inputs. */
  readonly batchIds?: readonly string[];
}

export type AcceptQueuedOutcome =
  | AcceptOutcome
  /** Nothing waits; nothing was written and the lease was not taken. */
  | { readonly kind: "nothing_queued" };

export interface ResumeTurn extends LeaseClaim, TakesUp {
  readonly turnId: string;
}

/** What a checkpoint claimed, if anything. */
export interface CollectedClaims {
  readonly claim?: TurnInputClaim;
  readonly work?: WorkClaim;
}

export type StepOutcome =
  | ({
      readonly kind: "recorded";
      readonly cancellation?: TurnCancellation;
    } & CollectedClaims)
  /** The turn had ended before, by this owner or another one; nothing was written. */
  | { readonly kind: "settled"; readonly result: RecordedTurn };

export type ResumeOutcome =
  | ({ readonly kind: "resumed" } & TakenUp)
  | TurnLeft
  | { readonly kind: "settled"; readonly result: RecordedTurn }
  | { readonly kind: "unknown_turn" }
  | { readonly kind: "busy"; readonly holder: SessionLease };

export interface TurnStep {
  readonly fence: LeaseFence;
  readonly turnId: string;
  /** Must be the stored step + 1; acceptance is step 0. */
  readonly step: number;
  /** Outcomes that settled since the last step. */
  readonly settled: readonly JournalEntry[];
  /** Messages those outcomes appended to the turn's log. */
  readonly appended: readonly Message[];
  readonly modelCalls: readonly ModelCallRecord[];
  /** Control state after them; absent leaves the stored one. */
  readonly snapshot?: MachineSnapshot;
  /** Replay keys of tool attempts that may run once this step is durable, all of them. */
  readonly issued: readonly string[];
  /** The turn has come to where it only waits for answers: whoever took it up did not fail. */
  readonly waiting?: true;
  /** The turn is at a checkpoint: claims what waits for it in the same write, and remembers the claim with the turn. */
  readonly collect?: InputCollection;
}

/** What a turn waits for that nobody drives meanwhile; at least one of both. */
export interface ParkedUntil {
  /** Ids of durable waits of its session: the first answer wakes it. */
  readonly waits: readonly string[];
  /** Epoch milliseconds. */
  readonly dueAtMs?: number;
}

/** The last step before a turn is left in flight. */
export interface TurnPark extends Omit<TurnStep, "waiting" | "collect"> {
  readonly until: ParkedUntil;
}

export type ParkOutcome =
  /** The step is recorded and the lease released. */
  | { readonly kind: "parked" }
  /** The step is recorded, and the lease still held: something of what it was to wait for has come, or its end was asked for. */
  | { readonly kind: "answered"; readonly cancellation?: TurnCancellation }
  /** The turn had ended before, by this owner or another one; nothing was written. */
  | { readonly kind: "settled"; readonly result: RecordedTurn };

/** What a checkpoint of a running turn claims. */
export interface InputCollection {
  /** Of the checkpoint; the claim is found under it again. */
  readonly replayKey: string;
  readonly checkpoint: CheckpointKind;
  readonly claimToken: string;
  /** Most inputs; the runtime asks for 64. */
  readonly max: number;
}

/** Rows that belong to a turn in flight and complete when it ends, whoever drives it by then. */
export interface TurnClaim {
  readonly lane: "inputs" | "work";
  /** The checkpoint that claimed them; absent for those that the turn was accepted with. */
  readonly replayKey?: string;
  readonly rows: ClaimedRows;
}

/** Everything durable about a turn that was accepted and has not ended. */
export interface TurnRecord {
  readonly sessionId: string;
  readonly turnId: string;
  readonly input: AcceptedInput;
  readonly inputHash: string;
  readonly machine: { readonly machine: string; readonly version: number };
  /** What it was accepted with, however the host is configured by now. */
  readonly config: TurnConfig;
  /** Head revision that `config` was made from, where that is known. */
  readonly madeFrom?: number;
  readonly acceptedAtMs: number;
  readonly step: number;
  /** Undefined until the first step after acceptance: the turn then starts from its input. */
  readonly snapshot?: MachineSnapshot;
  readonly log: readonly Message[];
  readonly journal: readonly JournalEntry[];
  readonly modelCalls: readonly ModelCallRecord[];
  readonly issued: readonly string[];
  readonly claims: readonly TurnClaim[];
  /**
   * How often this turn was taken over from an owner that had not released the lane, since it last settled an outcome: failed
   * recoveries in a row. Taking up a suspended turn counts none.
   */
  readonly recoveries: number;
  /** Somebody asked for its end while it was in flight. */
  readonly cancellation?: TurnCancellation;
  /** It was left waiting, and nobody has taken it up since. */
  readonly parked?: ParkedUntil;
}

/** What a turn had claimed and is done with. */
export interface SettledClaims {
  /** Pending inputs that this write completes; every named row must still belong to its claim. */
  readonly completedInputs?: readonly ClaimedRows[];
  /** Queued work that this write deletes; likewise. */
  readonly completedWork?: readonly ClaimedRows[];
}

export interface TurnSettlement extends SettledClaims {
  readonly fence: LeaseFence;
  readonly result: TurnResultRecord;
}

/** A turn that waits for somebody to finish it; where its row cannot be read, `damage` says why. */
export interface InFlight {
  readonly sessionId: string;
  /** Empty where the row cannot be read. */
  readonly turnId: string;
  readonly damage?: Error;
}

/** A turn in flight that can go on, as far as the store can tell. */
export interface ReadyTurn extends InFlight {
  /**
   * - `woken`: it was parked, and was answered or is to be cancelled.
   * - `due`: it was parked until a time that has come.
   * - `running`: it has not parked. Its owner drives it, or has left it, or is dead.
   */
  readonly why: "woken" | "due" | "running";
}

export interface ReadyTurns {
  readonly turns: readonly ReadyTurn[];
  /** Epoch milliseconds at which the next parked turn is due. */
  readonly nextDueAtMs?: number;
  /** Sessions whose deletion was begun and has not ended: delete them again. */
  readonly deleting?: readonly string[];
}

export interface TurnFacet {
  /**
   * Claims the lane and accepts the input as step 0 in one write.
   *
   * Order: session retired, stamp of the turn id, lease, the same turn in flight (taken up as by `resume`), another turn in flight,
   * waiting commands, protocol, head revision.
   * @throws `runtime_turn_commit_conflict` - the turn id was used with another input.
   * @throws `session_fact_pinned` - the session is bound to another protocol than that of this store handle.
   * @throws `session_id_retired` - the session was deleted.
   */
  accept(request: AcceptTurn): Promise<AcceptOutcome>;
  /**
   * The same for a turn of what waits: next-turn inputs, else a group of turn work (I-25..I-27). Claims it, accepts the turn
   * with it and ties it to the turn, in one write. A turn that ended or is in flight under this id is answered as `accept` does, whatever its input was.
   */
  acceptQueued(request: AcceptQueued): Promise<AcceptQueuedOutcome>;
  /**
   * Takes over a turn in flight: claims the lane and counts the recovery in one write. Without what the turn was accepted with it is
   * taken over only to be ended: one whose cancellation was asked for, or that has been recovered too often.
   *
   * Order: session retired, stamp, turn in flight, lease, what the turn needs.
   * @throws `session_id_retired` - the session was deleted.
   */
  resume(request: ResumeTurn): Promise<ResumeOutcome>;
  /**
   * Records one durable step.
   *
   * Order: binding, stamp, fence, step number.
   * @throws `session_execution_lease_expired`
   * @throws `turn_step_conflict` - the step does not follow the stored one, or the turn is not in flight.
   */
  recordStep(step: TurnStep): Promise<StepOutcome>;
  /**
   * Records a step after which all that the turn does is wait, and leaves the turn in flight without a driver: its lease is released,
   * and no sweep comes across it before one of its waits is over, its time has come, or its cancellation is requested. The waits
   * are read in the same write, so that no answer is lost between; those that nobody has opened yet are opened. Whoever takes
   * the turn up, for whatever reason, drives it again, which counts as no recovery.
   *
   * Order: as `recordStep`.
   * @throws `store_backend` - it would wait for nothing.
   * @throws `session_execution_lease_expired`, `turn_step_conflict` - as `recordStep`.
   */
  park(park: TurnPark): Promise<ParkOutcome>;
  /** Claims what waits for a checkpoint, without a step; the turn does not remember it. @throws `session_execution_lease_expired` */
  collect(fence: LeaseFence, turnId: string, collection: InputCollection): Promise<CollectedClaims>;
  /**
   * Ends a turn without moving the session's head: rows gone, id stamped, its own inputs and work completed, its other active
   * inputs deferred, lease released and with it every other claim.
   * Settling again gives the recorded result, whoever holds the lease by then.
   *
   * Order: binding, stamp, fence, claims.
   * @throws `runtime_turn_commit_conflict` - the turn ended otherwise, by a commit or with another input.
   * @throws `session_execution_lease_expired`, `turn_input_claim_superseded`, `queued_work_claim_superseded`
   */
  settle(settlement: TurnSettlement): Promise<RecordedTurn>;
  /**
   * Records that a turn in flight is to end as cancelled; needs no lease. The first request stays. From then on only a commit
   * that names a cancellation ends the turn; one that is settled for its input ends as it is.
   */
  requestCancel(sessionId: string, turnId: string, cancellation: TurnCancellation): Promise<TurnCancelOutcome>;
  /** The request that was recorded for a turn in flight. */
  cancellation(sessionId: string, turnId: string): Promise<TurnCancellation | undefined>;
  load(sessionId: string, turnId: string): Promise<TurnRecord | undefined>;
  /** Turns accepted and not finished: of one session (at most one), or of all sessions of the store. */
  inFlight(sessionId?: string): Promise<readonly InFlight[]>;
  /** Those of them that somebody may go on with. Reads nothing of turns that are parked. */
  ready(): Promise<ReadyTurns>;
  /** The recorded result of a finished turn. */
  settled(sessionId: string, turnId: string): Promise<RecordedTurn | undefined>;
}
