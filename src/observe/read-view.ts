// Read views: committed state as immutable values. Readers never wait for a turn (S-81).

import type { Message } from "../domain/messages.ts";
import type { Resident } from "../actors/resident.ts";
import type { SessionReadView } from "./contract.ts";

/** Costs the same however long the session is: the messages are copied out only when somebody looks. */
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
