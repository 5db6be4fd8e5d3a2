// The two lanes by which work reaches a session (ingress.md): pending turn inputs, which stay as evidence of their admission,
// and queued work, which is gone when it is done. Part of the persistence contract; implemented in src/stores/persistence.
//
// A claim pins the generation of the session lease, which is its fencing token: it lives as long as that lease and needs no
// time to live of its own (I-9, I-10, design 7.6). What was claimed is completed by the commit of the session, or by settling.

import type { Json } from "../domain/json.ts";
import type { TurnInputItem } from "../domain/turn-input.ts";
import type { NewAttachment } from "./content-contract.ts";
import type { LeaseFence, LeaseOwner } from "./contract.ts";

// ---- claims -------------------------------------------------------------------------------------------------------

interface ClaimRequest {
  readonly fence: LeaseFence;
  /** Random token of the claim, made outside the transaction. */
  readonly claimToken: string;
  /** Most rows; the runtime asks for 64. 0 claims nothing. */
  readonly max: number;
}

interface Claim {
  readonly sessionId: string;
  /** `tic:` or `qwc:`, then sequence and fencing number of the first row. */
  readonly claimId: string;
  readonly owner: LeaseOwner;
  readonly claimToken: string;
  /** Of the first row; grows with every claim of that row. */
  readonly fencingToken: number;
  readonly sessionLeaseGeneration: number;
}

/** Names rows of one claim: to complete them in a commit, or to hand them back. */
export interface ClaimedRows {
  readonly sessionId: string;
  readonly claimId: string;
  readonly claimToken: string;
  /** Input ids or batch ids. */
  readonly ids: readonly string[];
}

// ---- pending turn inputs ------------------------------------------------------------------------------------------

export type CheckpointKind = "after_work" | "before_completion";
export type TurnInputIngress =
  | { readonly scope: "next_turn" }
  | { readonly scope: "active_turn"; readonly turnId: string; readonly minBoundary: CheckpointKind };
export type TurnInputState = "pending_active" | "deferred_next_turn" | "accepted" | "cancelled" | "completed";

/** As `TurnInputIngress`, or to whatever turn is in flight when the input is admitted: where none is, to the next one. */
export type SubmittedIngress = TurnInputIngress | { readonly scope: "active_turn"; readonly turnId?: undefined; readonly minBoundary: CheckpointKind };

/** The durable part of an input that waits: JSON only, images by reference to attachments. */
export interface WaitingInput {
  readonly items: readonly TurnInputItem[];
  readonly protocolTurnOptions?: Json;
  readonly traceTurnId?: string;
}

export interface TurnInputDraft {
  readonly sessionId: string;
  /** Default `ti:<sha256>`. */
  readonly inputId?: string;
  /** Makes the enqueue repeatable; rows without one are never deduplicated. */
  readonly sourceKey?: string;
  readonly ingress: SubmittedIngress;
  readonly input: WaitingInput;
  /** Bytes that `input` refers to, stored with their intents in the same write. */
  readonly attachments?: readonly NewAttachment[];
}

export interface PendingTurnInput {
  readonly inputId: string;
  readonly sessionId: string;
  /** Strictly increasing per session, never reused. */
  readonly enqueueSeq: number;
  readonly sourceKey?: string;
  /** Where it waits now; deferral changes it. */
  readonly ingress: TurnInputIngress;
  /** Where it was sent. */
  readonly submittedIngress: SubmittedIngress;
  readonly state: TurnInputState;
  readonly enqueuedAtMs: number;
  readonly input: WaitingInput;
}

export type InputClaimMode =
  | { readonly kind: "active_turn"; readonly turnId: string; readonly checkpoint: CheckpointKind }
  | { readonly kind: "next_turn" };

export interface TurnInputClaim extends Claim {
  readonly mode: InputClaimMode;
  readonly inputs: readonly PendingTurnInput[];
}

/** The rows of a claim, as a commit names them. */
export const rowsOf = ({ sessionId, claimId, claimToken, inputs }: TurnInputClaim): ClaimedRows => ({
  sessionId,
  claimId,
  claimToken,
  ids: inputs.map(({ inputId }) => inputId),
});

export interface ClaimDiagnostics {
  readonly state: TurnInputState;
  readonly claimId?: string;
  readonly claimOwner?: LeaseOwner;
  readonly claimFencingToken: number;
}

export type CancelTarget = { readonly kind: "input_id" | "source_key"; readonly value: string };
export type CancelOutcome =
  | { readonly outcome: "cancelled" | "already_completed" | "already_cancelled"; readonly data: PendingTurnInput }
  | { readonly outcome: "already_claimed"; readonly data: { readonly input: PendingTurnInput; readonly claim?: ClaimDiagnostics } }
  | { readonly outcome: "not_found" };
export type SuffixCancelOutcome =
  | { readonly outcome: "anchor_not_found"; readonly data: { readonly anchor: CancelTarget } }
  | { readonly outcome: "outcomes"; readonly data: { readonly anchor: CancelTarget; readonly outcomes: readonly CancelOutcome[] } };

/** Whose active inputs can no longer be taken by their turn. */
export type OrphanScope =
  | { readonly kind: "turn"; readonly turnId: string }
  /** All turns but one that the caller may resume, as far as their rows are not claimed under the caller's lease. */
  | { readonly kind: "all_but"; readonly turnId?: string };

export interface InputFacet {
  /**
   * Admits an input, or gives back the one that was admitted under its source key, in whatever state. One for a turn
   * that has ended waits for the next turn instead, as it would have done when that turn ended.
   *
   * @throws `pending_turn_input_source_key_conflict` - the key or id was used with other ingress or content.
   * @throws `session_id_retired`
   */
  enqueue(draft: TurnInputDraft): Promise<PendingTurnInput>;
  /**
   * Claims inputs for a checkpoint of a running turn; they become `accepted`.
   *
   * @returns undefined when there is none.
   * @throws `session_execution_lease_expired`
   */
  claimActive(request: ClaimRequest & { readonly turnId: string; readonly checkpoint: CheckpointKind }): Promise<TurnInputClaim | undefined>;
  /** Claims inputs for the next turn; their state stays. Otherwise as `claimActive`. */
  claimNext(request: ClaimRequest): Promise<TurnInputClaim | undefined>;
  /** The inputs of a claim, by sequence. @throws `turn_input_claim_superseded` - one is gone or belongs to another claim. */
  claimed(rows: ClaimedRows): Promise<readonly PendingTurnInput[]>;
  /** Hands rows back that still belong to the claim; others are left alone. */
  abandon(rows: ClaimedRows): Promise<void>;
  /** Inputs that wait and have no live claim, by sequence. */
  listPending(sessionId: string): Promise<readonly PendingTurnInput[]>;
  /** One outcome per target in order; a repeated target sees what the first one did. */
  cancel(sessionId: string, targets: readonly CancelTarget[]): Promise<readonly CancelOutcome[]>;
  /** The same for the anchor and every later input. */
  cancelSuffix(sessionId: string, anchor: CancelTarget): Promise<SuffixCancelOutcome>;
  /**
   * Turns active inputs that their turn can no longer take into next-turn inputs.
   *
   * @returns the deferred inputs by sequence.
   * @throws `session_execution_lease_expired`
   */
  deferOrphaned(fence: LeaseFence, scope: OrphanScope): Promise<readonly PendingTurnInput[]>;
}

// ---- queued work --------------------------------------------------------------------------------------------------

export type DeliveryPolicy = "earliest_safe_boundary" | "after_current_turn_commit";
export type SlotPolicy = "join" | "exclusive";
export type MergeKey = "never" | "payload_default" | { readonly group: string };
export type SessionCommand = { readonly kind: "refresh_tool_catalog" | "reset_session"; readonly reason: string };
/** `wake` is the delivery of a process (processes.md); `turn_input` what a user says, in the older form. */
export type QueuedPayload =
  | { readonly type: "process_wake"; readonly wake: Json }
  | { readonly type: "turn_input"; readonly input: WaitingInput }
  | { readonly type: "session_command"; readonly command: SessionCommand };
/** Derived from the payloads of a batch. */
export type WorkClass = "session_command" | "turn_work";

export interface WorkDraft {
  readonly sessionId: string;
  /** While a batch with this key is queued, enqueueing it again gives back that batch, whatever the payload. */
  readonly sourceKey?: string;
  readonly deliveryPolicy: DeliveryPolicy;
  readonly slotPolicy: SlotPolicy;
  /** Default `never`. */
  readonly mergeKey?: MergeKey;
  /** Epoch ms before which no claim takes it; default 0. */
  readonly availableAtMs?: number;
  /** At least one, all of one class. */
  readonly payloads: readonly QueuedPayload[];
  /** Bytes that its inputs refer to, stored with their intents in the same write. */
  readonly attachments?: readonly NewAttachment[];
}

export interface QueuedBatch {
  readonly batchId: string;
  readonly sessionId: string;
  readonly enqueueSeq: number;
  readonly sourceKey?: string;
  readonly deliveryPolicy: DeliveryPolicy;
  readonly slotPolicy: SlotPolicy;
  readonly mergeKey: MergeKey;
  readonly availableAtMs: number;
  readonly enqueuedAtMs: number;
  readonly items: readonly { readonly itemId: string; readonly payload: QueuedPayload }[];
}

export interface WorkClaim extends Claim {
  readonly batches: readonly QueuedBatch[];
}

/** The batches of a claim, as a commit names them. */
export const workRowsOf = ({ sessionId, claimId, claimToken, batches }: WorkClaim): ClaimedRows => ({
  sessionId,
  claimId,
  claimToken,
  ids: batches.map(({ batchId }) => batchId),
});

export type WorkBoundary = "active_turn_checkpoint" | "idle";

export interface ReadyQueues {
  readonly sessionIds: readonly string[];
  /** Epoch milliseconds before which no delayed work becomes available. */
  readonly nextAtMs?: number;
}

export interface QueueFacet {
  /** @throws `store_backend` - no payloads, or of two classes. @throws `session_id_retired` */
  enqueue(draft: WorkDraft): Promise<QueuedBatch>;
  /**
   * Claims one session command, only if the first ready batch is one.
   *
   * @returns undefined when it is not.
   * @throws `session_execution_lease_expired`
   */
  claimCommand(request: Omit<ClaimRequest, "max">): Promise<WorkClaim | undefined>;
  /** Claims the first group of turn work; a leading command blocks it. Otherwise as `claimCommand`. */
  claimWork(request: ClaimRequest & { readonly boundary: WorkBoundary }): Promise<WorkClaim | undefined>;
  /** Claims exactly these batches if they are the next group in this order, else nothing. */
  claimBatches(request: Omit<ClaimRequest, "max"> & { readonly boundary: WorkBoundary; readonly batchIds: readonly string[] }): Promise<WorkClaim | undefined>;
  /** The batches of a claim. @throws `queued_work_claim_superseded` - one is gone or belongs to another claim. */
  claimed(rows: ClaimedRows): Promise<readonly QueuedBatch[]>;
  abandon(rows: ClaimedRows): Promise<void>;
  /** Deletes and gives back a batch that neither a live claim nor the turn in flight has; undefined for another or unknown one. */
  cancel(sessionId: string, batchId: string): Promise<QueuedBatch | undefined>;
  /** All batches by sequence. */
  list(sessionId: string): Promise<readonly QueuedBatch[]>;
  /** Those that could be cancelled. */
  listPending(sessionId: string): Promise<readonly QueuedBatch[]>;
  find(sessionId: string, batchId: string): Promise<QueuedBatch | undefined>;
  /** Whether a drain would find something in either lane. */
  isWaiting(sessionId: string): Promise<boolean>;
  /** Sessions of the store in which something waits. Reads two small rows of every session. */
  waiting(): Promise<readonly string[]>;
  /**
   * The same from an index: reads nothing of sessions in whose queue nothing was put. It writes only to drop entries of queues that
   * it finds empty, and once in the life of a store that an older build has written to.
   */
  ready(): Promise<ReadyQueues>;
}
