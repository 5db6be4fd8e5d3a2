// Persistence contract: what the runtime asks of a store, implemented once on top of an Engine (src/stores/persistence).
//
// Every operation is one engine transaction: it happens whole or not at all (P-4). Checks run in the order given here and
// the first failure wins. Expiry is `expiresAtMs <= now`, with `now` from the injected clock (P-6).

import type { Json } from "../domain/json.ts";
import type { Message } from "../domain/messages.ts";
import type { ModelCallRecord, TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import type { AgentFrame, SessionNode, SessionPolicy, SessionRelation, TokenLedgerEntry } from "../domain/session.ts";
import type { TurnConfig } from "../domain/turn-config.ts";
import type { AcceptedInput } from "../domain/turn-input.ts";
import type { TurnCancellation, TurnCancelOutcome } from "../domain/cancellation.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { ArtifactFacet, AttachmentFacet, EnvironmentFacet, NewAttachment } from "./content-contract.ts";
import type { CheckpointKind, ClaimedRows, InputFacet, QueueFacet, TurnInputClaim, WorkClaim } from "./ingress-contract.ts";
import type { MaintenanceFacet, WaitFacet } from "./upkeep-contract.ts";

// ---- leases -------------------------------------------------------------------------------------------------------

/** How a claimant may learn that an owner is dead (S-62, OP-14). */
export type OwnerLiveness =
  | { readonly kind: "opaque" }
  | { readonly kind: "local_process"; readonly hostId: string; readonly bootId: string; readonly pid: number; readonly processStart: string }
  | { readonly kind: "web_lock"; readonly lockName: string };

export interface LeaseOwner {
  readonly ownerId: string;
  readonly incarnationId: string;
  readonly liveness: OwnerLiveness;
}

/** What a write must still match: owner, token and fencing number (P-9). */
export interface LeaseFence {
  readonly sessionId: string;
  readonly ownerId: string;
  readonly incarnationId: string;
  readonly leaseToken: string;
  readonly fencingToken: number;
}

export interface SessionLease {
  readonly sessionId: string;
  readonly owner: LeaseOwner;
  readonly leaseToken: string;
  /** Starts at 1, +1 per fresh acquisition, never on renewal or re-entry (S-59). */
  readonly fencingToken: number;
  readonly claimedAtMs: number;
  readonly expiresAtMs: number;
}

export interface LeaseClaim {
  readonly sessionId: string;
  readonly owner: LeaseOwner;
  readonly ttlMs: number;
  /** Random token for a fresh acquisition, made outside the transaction. */
  readonly leaseToken: string;
  /** A live holder that this claimant has proved dead; taken over only if it is still exactly that one (P-25). */
  readonly deadHolder?: LeaseFence;
}

export type ClaimOutcome =
  | { readonly kind: "acquired"; readonly lease: SessionLease; /** Same owner and incarnation held it already (S-58). */ readonly reentered: boolean }
  | { readonly kind: "busy"; readonly holder: SessionLease };

export interface LeaseFacet {
  /** Claims a free, expired, own or provably dead lease; never a live one (P-24, P-25). */
  claim(claim: LeaseClaim): Promise<ClaimOutcome>;
  /**
   * Lets the lease live on from now. One that expired and that nobody claimed since is its holder's again: timers of a hidden
   * tab come late, and nobody wanted the lane.
   *
   * @throws `session_execution_lease_expired` - released, or claimed by somebody else (P-26).
   */
  renew(fence: LeaseFence, ttlMs: number): Promise<SessionLease>;
  /** Clears on full match, otherwise does nothing; the fencing counter stays (P-26). */
  release(fence: LeaseFence): Promise<void>;
  /** The lease as stored, live or expired; undefined when nobody holds it. */
  current(sessionId: string): Promise<SessionLease | undefined>;
}

// ---- turns in flight ----------------------------------------------------------------------------------------------

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

/** One finished effect under its replay key (effects.md section 2); `hash` identifies its envelope (E-5). */
export interface JournalEntry {
  readonly replayKey: string;
  readonly hash: string;
  readonly outcome: JournaledOutcome;
}

/** What a turn is accepted with (T-16). */
export interface ConfigClaim {
  readonly value: TurnConfig;
  /** Head revision whose policy it was made from; absent where it does not depend on one. */
  readonly madeFrom?: number;
  /** Fencing token of this owner's lease under which this very value was stored for the session; spares looking for it. */
  readonly storedAt?: number;
}

export interface AcceptTurn extends LeaseClaim {
  readonly turnId: string;
  readonly input: AcceptedInput;
  /** SHA-256 of the input's canonical JSON: tells a retry from a clash (OP-11). */
  readonly inputHash: string;
  readonly machine: { readonly machine: string; readonly version: number };
  /** Kept until another turn of the session is accepted with another one. A turn that follows by `NextTurn` has its chain's. */
  readonly config: ConfigClaim;
  /** Bytes that the input refers to, stored with their intents in the same write (OP-25). */
  readonly attachments?: readonly NewAttachment[];
  /** Seeds the session's metadata if it has none yet (P-51). */
  readonly session: { readonly relation: SessionRelation; readonly model: string };
}

export type AcceptOutcome =
  /** Accepted now, or already accepted under this id and not finished: `turn` is its durable state. */
  | { readonly kind: "accepted"; readonly lease: SessionLease; readonly turn: TurnRecord; readonly headRevision: number }
  /** This turn id has committed with the same input; nothing was written. */
  | { readonly kind: "settled"; readonly result: RecordedTurn }
  /** Another turn of the session was accepted and not finished; it must be driven first. The lease was not taken. */
  | { readonly kind: "turn_in_flight"; readonly turnId: string }
  /** The head is not the one that the configuration was made from; nothing was written. */
  | { readonly kind: "head_moved"; readonly headRevision: number }
  /** Session commands come first (T-4, I-25): they are to be applied, then this is asked again. Nothing was written. */
  | { readonly kind: "commands_wait" }
  | { readonly kind: "busy"; readonly holder: SessionLease };

/** Accepts a turn whose input is what waits for the session's next turn (T-7). */
export interface AcceptQueued extends LeaseClaim, Pick<AcceptTurn, "machine" | "config" | "session"> {
  readonly turnId: string;
  readonly claimToken: string;
  /** Most inputs or batches; the runtime asks for 64 (I-17). */
  readonly max: number;
  /** Takes exactly these batches, if they are the next group in this order, and no inputs (I-22). */
  readonly batchIds?: readonly string[];
}

export type AcceptQueuedOutcome =
  | AcceptOutcome
  /** Nothing waits; nothing was written and the lease was not taken. */
  | { readonly kind: "nothing_queued" };

export interface ResumeTurn extends LeaseClaim {
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
  /** The turn had ended before, by this owner or another one; nothing was written (OP-1). */
  | { readonly kind: "settled"; readonly result: RecordedTurn };

export type ResumeOutcome =
  | { readonly kind: "resumed"; readonly lease: SessionLease; readonly turn: TurnRecord; readonly headRevision: number }
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
  /** Replay keys of tool attempts that may run once this step is durable, all of them (OP-3). */
  readonly issued: readonly string[];
  /** The turn has come to where it only waits for answers: whoever took it up did not fail (OP-6). */
  readonly waiting?: true;
  /** The turn is at a checkpoint: claims what waits for it in the same write, and remembers the claim with the turn (T-55). */
  readonly collect?: InputCollection;
}

/** What a checkpoint of a running turn claims. */
export interface InputCollection {
  /** Of the checkpoint; the claim is found under it again. */
  readonly replayKey: string;
  readonly checkpoint: CheckpointKind;
  readonly claimToken: string;
  /** Most inputs; the runtime asks for 64 (I-17). */
  readonly max: number;
}

/** Rows that belong to a turn in flight and complete when it ends, whoever drives it by then (I-33). */
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
   * recoveries in a row (OP-6). Taking up a suspended turn counts none (OP-8).
   */
  readonly recoveries: number;
  /** Somebody asked for its end while it was in flight (OP-20). */
  readonly cancellation?: TurnCancellation;
}

/** What a turn had claimed and is done with. */
export interface SettledClaims {
  /** Pending inputs that this write completes; every named row must still belong to its claim (P-11). */
  readonly completedInputs?: readonly ClaimedRows[];
  /** Queued work that this write deletes; likewise. */
  readonly completedWork?: readonly ClaimedRows[];
}

export interface TurnSettlement extends SettledClaims {
  readonly fence: LeaseFence;
  readonly result: TurnResultRecord;
}

/** A turn that waits for somebody to finish it; where its row cannot be read, `damage` says why (P-5). */
export interface InFlight {
  readonly sessionId: string;
  /** Empty where the row cannot be read. */
  readonly turnId: string;
  readonly damage?: Error;
}

export interface TurnFacet {
  /**
   * Claims the lane and accepts the input as step 0 in one write (T-82).
   *
   * Order: session retired, stamp of the turn id, lease, the same turn in flight, another turn in flight, waiting commands,
   * head revision.
   * @throws `runtime_turn_commit_conflict` - the turn id was used with another input.
   * @throws `session_id_retired` - the session was deleted.
   */
  accept(request: AcceptTurn): Promise<AcceptOutcome>;
  /**
   * The same for a turn of what waits: next-turn inputs, else a group of turn work (I-25..I-27). Claims it, accepts the turn
   * with it and ties it to the turn, in one write. A turn that ended or is in flight under this id is answered as `accept` does, whatever its input was.
   */
  acceptQueued(request: AcceptQueued): Promise<AcceptQueuedOutcome>;
  /**
   * Takes over a turn in flight: claims the lane and counts the recovery in one write.
   *
   * Order: session retired, stamp, turn in flight, lease.
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
  /** Claims what waits for a checkpoint, without a step; the turn does not remember it. @throws `session_execution_lease_expired` */
  collect(fence: LeaseFence, turnId: string, collection: InputCollection): Promise<CollectedClaims>;
  /**
   * Ends a turn without moving the session's head: rows gone, id stamped, its own inputs and work completed, its other active
   * inputs deferred, lease released and with it every other claim (OP-4).
   * Settling again gives the recorded result, whoever holds the lease by then.
   *
   * Order: binding, stamp, fence, claims.
   * @throws `runtime_turn_commit_conflict` - the turn ended otherwise, by a commit or with another input.
   * @throws `session_execution_lease_expired`, `turn_input_claim_superseded`, `queued_work_claim_superseded`
   */
  settle(settlement: TurnSettlement): Promise<RecordedTurn>;
  /**
   * Records that a turn in flight is to end as cancelled; needs no lease. The first request stays. From then on only a commit
   * that names a cancellation ends the turn (OP-20); one that is settled for its input ends as it is.
   */
  requestCancel(sessionId: string, turnId: string, cancellation: TurnCancellation): Promise<TurnCancelOutcome>;
  /** The request that was recorded for a turn in flight. */
  cancellation(sessionId: string, turnId: string): Promise<TurnCancellation | undefined>;
  load(sessionId: string, turnId: string): Promise<TurnRecord | undefined>;
  /** Turns accepted and not finished: of one session (at most one), or of all sessions of the store. */
  inFlight(sessionId?: string): Promise<readonly InFlight[]>;
  /** The recorded result of a finished turn. */
  settled(sessionId: string, turnId: string): Promise<RecordedTurn | undefined>;
}

// ---- sessions -----------------------------------------------------------------------------------------------------

/** One finished tool call of a turn; arguments and result are the named parts of the turn's messages (OP-11). */
export interface ToolCallReference {
  readonly callId: string;
  readonly toolName: string;
  readonly status: "success" | "failure" | "cancelled";
  readonly durationMs: number;
}

/** A turn that the commit of another one accepts, so that nothing is lost between the two. */
export interface NextTurn {
  readonly turnId: string;
  readonly input: AcceptedInput;
  readonly inputHash: string;
  readonly machine: { readonly machine: string; readonly version: number };
}

/** What a turn came to, as recorded with its stamp. */
export interface TurnResultRecord {
  readonly turnId: string;
  readonly inputHash: string;
  readonly outcome: TurnOutcome;
  readonly text: string;
  readonly usage: TokenUsage;
  readonly issues: readonly TurnIssue[];
  readonly toolCalls: readonly ToolCallReference[];
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** The request that ended it, for a turn that was cancelled by one (OP-20). */
  readonly cancellation?: TurnCancellation;
}

export interface RecordedTurn extends TurnResultRecord {
  readonly headRevision: number;
  /** Node sequence numbers this turn appended: first, and how many. */
  readonly firstNode: number;
  readonly nodeCount: number;
  readonly modelCalls: readonly ModelCallRecord[];
}

/** Large opaque component of a session: absent on a commit means unchanged, null means gone (P-16). */
export type ComponentName = "toolState" | "pluginSnapshot" | "executionState" | "prompt";
export type ComponentBody = Json | Uint8Array;

/** Small state of a session that every commit rewrites. */
export interface SessionHead {
  readonly policy: SessionPolicy;
  readonly currentFrameId: string;
  readonly leafNodeId?: string;
  readonly turnIndex: number;
  readonly tokenUsage: TokenUsage;
  readonly lastPromptUsage?: TokenUsage;
  readonly protocolTurnOptions: Json;
  /** Persisted snapshot of the residency machine (design: session machine lives in the head record). */
  readonly machine?: MachineSnapshot;
}

export interface SessionCommit extends SettledClaims {
  readonly sessionId: string;
  /** The revision this commit builds on; null only for a first commit (P-10). */
  readonly expectedHeadRevision: number | null;
  /** Required for every commit but the stamped replay of one (P-8, P-9). */
  readonly fence?: LeaseFence;
  /** Releases that lease in the same transaction. */
  readonly releaseLease: boolean;
  readonly head: SessionHead;
  /** Frames that are new or changed (OP-12). */
  readonly frames: readonly AgentFrame[];
  /** New nodes in order; ids must be new (P-13). */
  readonly nodes: readonly SessionNode[];
  readonly components?: Partial<Record<ComponentName, ComponentBody | null>>;
  /** Components taken over by reference, as a fork does; the store must have them (P-16). `components` wins where both name one. */
  readonly componentRefs?: Partial<Record<ComponentName, string>>;
  readonly usageDeltas: readonly TokenLedgerEntry[];
  /** Ends this turn: its rows are deleted, its id is stamped with the result. */
  readonly turn?: {
    readonly commitHash: string;
    readonly result: TurnResultRecord;
    /** All of the turn's calls, those of its recorded steps included. */
    readonly modelCalls: readonly ModelCallRecord[];
    /** Accepted in the same transaction: the turn of the frame that this one switched to (T-67). */
    readonly next?: NextTurn;
  };
  readonly committedAttachmentIds: readonly string[];
  /** Inputs of this turn that the commit does not complete become next-turn inputs; every commit that ends a turn names it (P-14, I-32). */
  readonly interruptedTurnId?: string;
  /** Commits only if no input waits for `interruptedTurnId` that this checkpoint would claim (T-57). */
  readonly unlessInputWaits?: CheckpointKind;
}

export interface CommitResult {
  readonly headRevision: number;
  /** The turn as recorded, for a commit that ends one. */
  readonly turn?: RecordedTurn;
  /** True when the stamp showed that this very commit had happened before (P-8). */
  readonly replayed: boolean;
  /** Something is left for the session's next turn or drain; only told by a commit that ends a turn. */
  readonly leaves?: true;
  /** Input or work waits (`unlessInputWaits`): nothing was written, and the head is as it was. */
  readonly inputWaits?: true;
  /** Nothing was committed: a request to cancel the turn came first. It is to be committed as cancelled by it (OP-20). */
  readonly cancelledBy?: TurnCancellation;
}

export type ReadScope = { readonly kind: "full_graph" } | { readonly kind: "active_path"; readonly leafNodeId?: string };

export interface SessionRead {
  readonly sessionId: string;
  readonly headRevision: number;
  readonly head: SessionHead;
  readonly frames: readonly AgentFrame[];
  /** Full graph: all live nodes in insertion order. Active path: root first. */
  readonly nodes: readonly SessionNode[];
  readonly nodeCount: number;
  readonly ledger: readonly TokenLedgerEntry[];
  readonly components: Partial<Record<ComponentName, ComponentBody>>;
  readonly componentRefs: Partial<Record<ComponentName, string>>;
}

export interface SessionMeta {
  readonly sessionId: string;
  readonly sessionName: string;
  readonly createdAt: string;
  readonly model: string;
  readonly cwd?: string;
  readonly relation: SessionRelation;
}

export interface SessionFacet {
  /**
   * Commits a turn or another change of the session.
   *
   * Order: binding (P-7), stamp (P-8), lease (P-9), head (P-10), claims (P-11), node ids and leaf (P-13), waiting input.
   * @throws `session_binding_mismatch`, `runtime_turn_commit_conflict`, `session_execution_lease_expired`,
   *   `head_revision_conflict`, `turn_input_claim_superseded`, `queued_work_claim_superseded`, `store_backend` for nodes that
   *   exist, a leaf that does not, or a component reference that is unknown.
   * @throws `session_id_retired` - the session was deleted.
   */
  commit(commit: SessionCommit): Promise<CommitResult>;
  /** One consistent snapshot; undefined when nothing was ever committed (P-20). */
  load(sessionId: string, scope: ReadScope): Promise<SessionRead | undefined>;
  /** Head revision alone, 0 when nothing was committed: the cheap check before a turn (T-6). */
  headRevision(sessionId: string): Promise<number>;
  loadNode(sessionId: string, nodeId: string): Promise<SessionNode | undefined>;
  /** Whether the id is one that no new node may have: also that of a hidden node. */
  usesNode(sessionId: string, nodeId: string): Promise<boolean>;
  loadMeta(sessionId: string): Promise<SessionMeta | undefined>;
  /** @throws `session_id_retired` - the session was deleted. */
  saveMeta(meta: SessionMeta): Promise<void>;
  /** Ids of all sessions, in key order. */
  list(): Promise<readonly string[]>;
  /**
   * Enters a session into the directory, or finds it there: existing metadata is never overwritten (P-51).
   *
   * @throws `session_id_retired` - the id was used by a session that was deleted (design 7.7).
   */
  create(seed: SessionSeed): Promise<SessionMeta>;
  /** Metadata of a session that exists; undefined for an unknown id. @throws `session_id_retired` */
  open(sessionId: string): Promise<SessionMeta | undefined>;
  /** For pickers (P-23). Reads the whole history; undefined for an unknown id. */
  summarize(sessionId: string): Promise<SessionSummary | undefined>;
  /**
   * Removes all rows of a session and retires its id; a running turn fails at its next write (P-52, S-84). Shared component
   * bodies are left to `maintenance.gcUnreachable`, attachment bytes go unless another session holds them. Idempotent.
   *
   * @returns whether there was such a session.
   */
  delete(sessionId: string): Promise<boolean>;
}

export interface SessionSeed {
  readonly sessionId: string;
  readonly relation: SessionRelation;
  readonly model: string;
  /** Default: the id. */
  readonly sessionName?: string;
  readonly cwd?: string;
}

export interface SessionSummary {
  readonly meta: SessionMeta;
  /** Of the first message that is the user's own; `[Image attached]` when it holds an image and no text. */
  readonly firstUserText?: string;
  readonly userMessageCount: number;
}

// ---- the whole ----------------------------------------------------------------------------------------------------

export interface Persistence {
  readonly name: string;
  readonly durable: boolean;
  readonly sessions: SessionFacet;
  readonly turns: TurnFacet;
  readonly leases: LeaseFacet;
  readonly inputs: InputFacet;
  readonly queue: QueueFacet;
  readonly attachments: AttachmentFacet;
  readonly environments: EnvironmentFacet;
  readonly artifacts: ArtifactFacet;
  readonly maintenance: MaintenanceFacet;
  readonly waits: WaitFacet;
  close(): Promise<void>;
}
