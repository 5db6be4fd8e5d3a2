// Sessions: what is committed, and how it is read again (P-7..P-23). Part of the persistence contract.

import type { TurnCancellation } from "../domain/cancellation.ts";
import type { Json } from "../domain/json.ts";
import type { ModelCallRecord, TurnIssue, TurnOutcome } from "../domain/outcome.ts";
import type { AgentFrame, SessionNode, SessionPolicy, SessionRegion, SessionRelation, TokenLedgerEntry } from "../domain/session.ts";
import type { AcceptedInput } from "../domain/turn-input.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { CheckpointKind, PendingTurnInput, TurnInputDraft } from "./ingress-contract.ts";
import type { LeaseFence } from "./lease-contract.ts";
import type { SettledClaims } from "./turn-contract.ts";

/** One finished tool call of a turn; arguments and result are the named parts of the turn's messages. */
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
  /** The request that ended it, for a turn that was cancelled by one. */
  readonly cancellation?: TurnCancellation;
}

export interface RecordedTurn extends TurnResultRecord {
  readonly headRevision: number;
  /** Node sequence numbers this turn appended: first, and how many. */
  readonly firstNode: number;
  readonly nodeCount: number;
  readonly modelCalls: readonly ModelCallRecord[];
}

/** Large opaque component of a session: absent on a commit means unchanged, null means gone. */
export type ComponentName = "toolState" | "pluginSnapshot" | "executionState" | "prompt" | "suspectMedia";
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
}

export interface SessionCommit extends SettledClaims {
  readonly sessionId: string;
  /** The revision this commit builds on; null only for a first commit. */
  readonly expectedHeadRevision: number | null;
  /** Required for every commit but the stamped replay of one. */
  readonly fence?: LeaseFence;
  /** Releases that lease in the same transaction. */
  readonly releaseLease: boolean;
  readonly head: SessionHead;
  /** Frames that are new or changed. */
  readonly frames: readonly AgentFrame[];
  /** New nodes in order; ids must be new. */
  readonly nodes: readonly SessionNode[];
  readonly components?: Partial<Record<ComponentName, ComponentBody | null>>;
  /** Components taken over by reference, as a fork does; the store must have them. `components` wins where both name one. */
  readonly componentRefs?: Partial<Record<ComponentName, string>>;
  readonly usageDeltas: readonly TokenLedgerEntry[];
  /** Ends this turn: its rows are deleted, its id is stamped with the result. */
  readonly turn?: {
    readonly commitHash: string;
    readonly result: TurnResultRecord;
    /** All of the turn's calls, those of its recorded steps included. */
    readonly modelCalls: readonly ModelCallRecord[];
    /** Accepted in the same transaction: the turn of the frame that this one switched to. */
    readonly next?: NextTurn;
  };
  readonly committedAttachmentIds: readonly string[];
  /** Admitted in the same transaction, as by `inputs.enqueue`; without bytes. */
  readonly queuedInputs?: readonly Omit<TurnInputDraft, "sessionId" | "attachments">[];
  /** Inputs of this turn that the commit does not complete become next-turn inputs; every commit that ends a turn names it. */
  readonly interruptedTurnId?: string;
  /** Commits only if no input waits for `interruptedTurnId` that this checkpoint would claim. */
  readonly unlessInputWaits?: CheckpointKind;
}

export interface CommitResult {
  readonly headRevision: number;
  /** The turn as recorded, for a commit that ends one. */
  readonly turn?: RecordedTurn;
  /** What the session has cost, its children included; only told by a commit that booked something. */
  readonly ledger?: readonly TokenLedgerEntry[];
  /** Of a commit that admitted some, in order. */
  readonly queuedInputs?: readonly PendingTurnInput[];
  /** True when the stamp showed that this very commit had happened before. */
  readonly replayed: boolean;
  /** Something is left for the session's next turn or drain; only told by a commit that ends a turn. */
  readonly leaves?: true;
  /** Input or work waits (`unlessInputWaits`): nothing was written, and the head is as it was. */
  readonly inputWaits?: true;
  /** Nothing was committed: a request to cancel the turn came first. It is to be committed as cancelled by it. */
  readonly cancelledBy?: TurnCancellation;
}

export type ReadScope = ({ readonly kind: "full_graph" } | { readonly kind: "active_path"; readonly leafNodeId?: string }) & {
  /** `nodes` are made of what was read when they are first looked at; looking throws then what `load` would have thrown. Default false. */
  readonly later?: boolean;
};

export interface SessionRead {
  readonly sessionId: string;
  readonly headRevision: number;
  readonly head: SessionHead;
  readonly frames: readonly AgentFrame[];
  /** Full graph: all live nodes in insertion order. Active path: root first. */
  readonly nodes: readonly SessionNode[];
  readonly nodeCount: number;
  /** The live node that was inserted last. */
  readonly lastNode?: SessionNode;
  readonly ledger: readonly TokenLedgerEntry[];
  readonly components: Partial<Record<ComponentName, ComponentBody>>;
  readonly componentRefs: Partial<Record<ComponentName, string>>;
}

/** What opening a session reads. */
export interface RestoredSession {
  readonly region: SessionRegion;
  /** Absent when nothing was ever committed. */
  readonly read?: SessionRead;
}

export interface SessionMeta {
  readonly sessionId: string;
  readonly sessionName: string;
  readonly createdAt: string;
  readonly model: string;
  readonly cwd?: string;
  readonly relation: SessionRelation;
  /** Id of the protocol that its turns are run by, for the life of the session. Absent: the standard one. */
  readonly protocol?: string;
}

/** A session that begins with a conversation which another one has. */
export interface NewSession {
  readonly sessionId: string;
  readonly relation: SessionRelation;
  readonly head: SessionHead;
  readonly frame: AgentFrame;
  readonly nodes: readonly SessionNode[];
  /** Components that it shares by reference; the store must have them. */
  readonly componentRefs: Partial<Record<ComponentName, string>>;
  /** Attachments that its messages name. */
  readonly attachmentIds: readonly string[];
  /** The session whose attachments they are: as long as it exists, their bytes do. */
  readonly holder: string;
}

export type SessionBeginning = { readonly kind: "created" } | { readonly kind: "exists"; readonly meta: SessionMeta };

export interface SessionFacet {
  /**
   * Commits a turn or another change of the session.
   *
   * Order: binding, stamp, lease, head, claims, node ids and leaf, waiting input.
   * @throws `session_binding_mismatch`, `runtime_turn_commit_conflict`, `session_execution_lease_expired`,
   *   `head_revision_conflict`, `turn_input_claim_superseded`, `queued_work_claim_superseded`, `store_backend` for nodes that
   *   exist, a leaf that does not, or a component reference that is unknown.
   * @throws `pending_turn_input_source_key_conflict` - as `inputs.enqueue`.
   * @throws `session_id_retired` - the session was deleted.
   */
  commit(commit: SessionCommit): Promise<CommitResult>;
  /** One consistent snapshot; undefined when nothing was ever committed. */
  load(sessionId: string, scope: ReadScope): Promise<SessionRead | undefined>;
  /** The same with the session's durable state, of the same moment. */
  restore(sessionId: string, scope: ReadScope): Promise<RestoredSession>;
  /** What the session has cost so far, also what children booked beside its own commits. */
  ledger(sessionId: string): Promise<readonly TokenLedgerEntry[]>;
  /** Head revision alone, 0 when nothing was committed: the cheap check before a turn. */
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
   * Enters a session into the directory, or finds it there: existing metadata is never overwritten.
   *
   * @throws `session_id_retired` - the id was used by a session that was deleted (design 7.7).
   */
  create(seed: SessionSeed): Promise<SessionMeta>;
  /**
   * Makes a session with all that it begins with, in one write and without a lease: nobody runs what does not exist. Its head is at
   * revision 1 then, and its attachments are its own. An id that the directory has is answered with its metadata, and nothing is written.
   *
   * @throws `session_id_retired` - the session, or `holder`, was deleted. `store_backend` - a component is unknown.
   */
  begin(session: NewSession): Promise<SessionBeginning>;
  /** Metadata of a session that exists; undefined for an unknown id. @throws `session_id_retired` */
  open(sessionId: string): Promise<SessionMeta | undefined>;
  /** For pickers. Reads the whole history; undefined for an unknown id. */
  summarize(sessionId: string): Promise<SessionSummary | undefined>;
  /**
   * Removes all rows of a session and retires its id; a running turn fails at its next write. Shared component
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
