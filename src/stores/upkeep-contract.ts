// Two facets beside the life of sessions: answers that turns wait for, and what a host does about disk space. Part of the
// persistence contract.

import type { Resolution, ResolveOutcome } from "../domain/waits.ts";

// ---- durable waits ------------------------------------------------------------------------------------------------

export type WaitState =
  | { readonly state: "unknown" | "open" | "revoked" }
  | { readonly state: "resolved"; readonly resolution: Resolution };

export interface WaitFacet {
  /** The store's secret for signing keys: `fresh` becomes it if there is none yet. */
  secret(fresh: string): Promise<string>;
  /** Marks a wait as waited for, so that a session-wide cancel finds it. */
  open(sessionId: string, keyId: string): Promise<void>;
  /** First resolution wins. */
  resolve(sessionId: string, keyId: string, resolution: Resolution): Promise<ResolveOutcome>;
  peek(sessionId: string, keyId: string): Promise<WaitState>;
  /** @returns ids of the waits that were open and are cancelled now. */
  cancelOutstanding(sessionId: string): Promise<readonly string[]>;
  /** Voids all present and future waits of the session. */
  revoke(sessionId: string): Promise<void>;
}

// ---- maintenance --------------------------------------------------------------------------------------------------

export interface VacuumReport {
  readonly removedNodeCount: number;
  readonly removedPendingTurnInputTombstoneCount: number;
}

export interface GcReport {
  /** Sessions that name any. */
  readonly rootCount: number;
  readonly retainedBlobCount: number;
  readonly deletedBlobCount: number;
}

/** For the host alone; nothing here runs by itself. */
export interface MaintenanceFacet {
  /** Hides nodes from every read at once; unknown ids are ignored. @returns how many were hidden. */
  tombstoneNodes(sessionId: string, nodeIds: readonly string[]): Promise<number>;
  /**
   * Removes tombstoned nodes and terminal inputs of a session for good; and where sessions or components were deleted
   * since the last time, makes an engine forget what its files still hold of them. Without a session: only that, in any case.
   */
  vacuum(sessionId?: string): Promise<VacuumReport>;
  /**
   * Removes component bodies and turn configurations that no session names; that of a turn in flight is always named.
   * A row that cannot be read aborts it with nothing deleted.
   */
  gcUnreachable(): Promise<GcReport>;
  /** Nodes off the active path, in storage order. */
  orphanedNodeIds(sessionId: string): Promise<readonly string[]>;
}
