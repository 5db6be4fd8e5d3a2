// What a host and its compactor say to each other (S-20, PP-55). Types only.

import type { Provider } from "../providers/contract.ts";
import type { Clock } from "./clock.ts";
import type { MessageDraft } from "./message-draft.ts";
import type { Message } from "./messages.ts";
import type { ModelSpec } from "./session.ts";
import type { TokenUsage } from "./usage.ts";

/** What is to be made shorter, and what may be used for that. */
export interface CompactionRequest {
  readonly sessionId: string;
  /**
   * Committed messages of the current frame, oldest first; the summary of an earlier compaction is the first of them.
   * In a turn that makes room for itself, its own messages may follow.
   */
  readonly messages: readonly Message[];
  /** The session's. */
  readonly provider: Provider;
  readonly model: ModelSpec;
  /** What the host wants kept or left out; "" for nothing in particular. */
  readonly instructions: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

export interface Compaction {
  /** What the new frame starts with. */
  readonly messages: readonly MessageDraft[];
  /** What making it took; booked under the source `compaction`. */
  readonly usage?: TokenUsage;
  /** That was used; default: the session's. */
  readonly model?: string;
}

/** When turns make room by themselves. */
export interface AutoCompaction {
  /** Share of the context window. */
  readonly at?: number;
  readonly onOverflow: boolean;
  /** The host's. */
  readonly compactor?: Compactor;
  /** Where neither host nor plugins have one. */
  readonly fallback: Compactor;
}

/** Makes a conversation shorter, or says with null that there is nothing to be gained. */
export type Compactor = (request: CompactionRequest) => Compaction | null | Promise<Compaction | null>;
