// Resident state of an opened session: the last commit, as values (S-48).

import { initialFrame, type AgentFrame, type SessionPolicy, type TokenLedgerEntry } from "../domain/session.ts";
import { zeroUsage } from "../domain/usage.ts";
import type { SessionHead, SessionRead } from "../stores/contract.ts";
import { History } from "./history.ts";

export interface Resident {
  /** 0 when nothing was ever committed. */
  readonly headRevision: number;
  readonly head: SessionHead;
  readonly frames: readonly AgentFrame[];
  readonly ledger: readonly TokenLedgerEntry[];
  readonly history: History;
  /** Messages of `history` at this revision; the history itself may have grown since. */
  readonly messageCount: number;
}

export function freshResident(sessionId: string, policy: SessionPolicy, now: number): Resident {
  const frame = initialFrame(sessionId, policy, new Date(now).toISOString());
  return {
    headRevision: 0,
    head: { policy, currentFrameId: frame.frameId, turnIndex: 0, tokenUsage: zeroUsage, protocolTurnOptions: null },
    frames: [frame],
    ledger: [],
    history: new History(),
    messageCount: 0,
  };
}

export function residentOf(read: SessionRead): Resident {
  const history = History.of(read.nodes, read.sessionId, read.head.currentFrameId);
  return {
    headRevision: read.headRevision,
    head: read.head,
    frames: read.frames,
    ledger: read.ledger,
    history,
    messageCount: history.length,
  };
}
