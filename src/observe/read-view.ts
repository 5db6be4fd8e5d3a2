// Read views: committed state as immutable values. Readers never wait for a turn (S-81).

import type { Message } from "../domain/messages.ts";
import type { SessionPolicy } from "../domain/session.ts";
import type { TokenUsage } from "../domain/usage.ts";
import type { Resident } from "../actors/resident.ts";

export interface SessionReadView {
  readonly sessionId: string;
  /** Head revision; 0 when nothing was committed yet. */
  readonly revision: number;
  /** Committed messages of the current frame, oldest first. */
  readonly messages: readonly Message[];
  readonly turnIndex: number;
  readonly policy: SessionPolicy;
  /** Tokens of all committed turns. */
  readonly usage: TokenUsage;
  /** Of the latest model call: how full the context window is. Unknown before the first and after a compaction (T-80, PP-53). */
  readonly lastPromptUsage?: TokenUsage;
  readonly currentFrameId: string;
}

/** Costs the same however long the session is: the messages are copied out only when somebody looks (OP-12). */
export function readViewOf(sessionId: string, resident: Resident): SessionReadView {
  let messages: readonly Message[] | undefined;
  return {
    sessionId,
    revision: resident.headRevision,
    get messages() {
      messages ??= Object.freeze(resident.history.slice(resident.messageCount));
      return messages;
    },
    turnIndex: resident.head.turnIndex,
    policy: resident.head.policy,
    usage: resident.head.tokenUsage,
    ...(resident.head.lastPromptUsage && { lastPromptUsage: resident.head.lastPromptUsage }),
    currentFrameId: resident.head.currentFrameId,
  };
}
