// What a session is: policy, nodes of its graph, frames, head.

import type { Json } from "./json.ts";
import type { Message } from "./messages.ts";
import type { TokenUsage } from "./usage.ts";

export interface ModelLimits {
  /** Prompt budget in tokens. */
  readonly contextWindowTokens: number;
  readonly outputTokenCapacity?: number;
}

/** Which model answers. Limits are host data: absent means unknown, never guessed. */
export interface ModelSpec {
  readonly id: string;
  readonly variant?: string;
  readonly limits?: ModelLimits;
}

/** What a session records of its host's configuration; provider objects and secrets are never stored. */
export interface SessionPolicy {
  readonly providerId: string;
  readonly model: ModelSpec;
  /** Most model calls of one turn; `NO_LIMIT` where the host lifted it, null where nobody said anything: then the default holds. */
  readonly maxTurns: number | null;
}

/** A lifted limit on model calls, as it is recorded: a number, so that every version reads it as a limit that is never reached. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** Model calls of a turn for which nobody set a limit. */
export const DEFAULT_MAX_TURNS = 64;

/** The limit as it is recorded, of what a host says: null lifts it. */
export const recordedLimit = (maxTurns: number | null): number => maxTurns ?? NO_LIMIT;

/** The limit that a turn of this policy has; null where it was lifted. */
export function turnLimit({ maxTurns }: SessionPolicy): number | null {
  if (maxTurns === null) return DEFAULT_MAX_TURNS;
  return maxTurns === NO_LIMIT ? null : maxTurns;
}

/** What a store says of a session, whoever has it open: the durable state that it is in. */
export type SessionRegion =
  /** No turn is in flight. Also of an id that nobody has used. */
  | { readonly state: "idle" }
  /** A turn was accepted and has not ended; somebody drives it, or has left it. */
  | { readonly state: "inTurn" }
  /** The turn in flight waits for an answer from outside, and nobody drives it meanwhile. */
  | { readonly state: "parked" }
  /** It cannot be used any more, and some of its rows are left; whoever comes across it goes on. */
  | { readonly state: "deleting"; readonly stage: DeletionStage }
  /** It was deleted; its id stays used. */
  | { readonly state: "retired" };

/** `history`: what remains are rows that nobody finds any more without those that are gone. */
export type DeletionStage = "history";

/** Id of the protocol of sessions that name none. */
export const STANDARD_PROTOCOL = "standard";

export type SessionRelation =
  | { readonly kind: "root" }
  /** Without `assignment` it only started with the other one's conversation: a fork. */
  | { readonly kind: "child"; readonly parentSessionId: string; readonly causedBy?: Json; readonly assignment?: ChildAssignment };

/** What a child session was made for; holds for its life. */
export interface ChildAssignment {
  /** What its parent books its usage under. */
  readonly usageSource: string;
  /** 1 for the child of a session that is no child itself. */
  readonly depth: number;
  /** How deep its own children may go. */
  readonly maxDepth: number;
  /** Of a subagent. */
  readonly capability?: string;
  /** Names of tools that it does not get of those that sessions of its lash have. */
  readonly hiddenTools?: readonly string[];
}

/** One immutable entry of a session's history. `parentNodeId` absent: a root. */
export interface SessionNode {
  readonly nodeId: string;
  readonly parentNodeId?: string;
  readonly agentFrameId?: string;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly causedBy?: Json;
  readonly body: NodeBody;
}

export type NodeBody =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "plugin"; readonly pluginType: string; readonly payload: Json };

export interface AgentFrame {
  readonly frameId: string;
  readonly previousFrameId?: string;
  readonly status: "active" | "superseded";
  /** `initial`, `continue_as`, `compaction` or any string of a host; round-trips. */
  readonly reason: string;
  readonly createdAt: string;
  readonly policy: SessionPolicy;
  readonly protocolTurnOptions: Json;
}

/** Cost of a source and model so far. */
export interface TokenLedgerEntry {
  readonly source: string;
  readonly model: string;
  readonly usage: TokenUsage;
}

export const initialFrameId = (sessionId: string): string => `${sessionId}:frame:initial`;

/** The session's first frame. */
export function initialFrame(sessionId: string, policy: SessionPolicy, createdAt: string): AgentFrame {
  return { frameId: initialFrameId(sessionId), status: "active", reason: "initial", createdAt, policy, protocolTurnOptions: null };
}
