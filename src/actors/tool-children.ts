// Child sessions for a running tool call: the little that is there before a call first asks for one (PT-63).

import { effectError } from "../domain/errors.ts";
import { missingChildSessions } from "../domain/wiring-errors.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { CallChildren, ChildPort } from "../children/contract.ts";
import type { BatchContext } from "./batch-context.ts";
import type { Asking } from "./tool-questions.ts";
import type { LaunchedCall } from "./tool-plan.ts";

export function childrenOf(context: BatchContext, call: LaunchedCall, attempt: Asking): CallChildren {
  const assertRunning = (): void => {
    if (attempt.hasEnded()) throw effectError("durable_effects_unavailable_in_tool_attempt", "the tool call has ended; wait for its children before the tool returns");
  };
  let ofCall: ReturnType<ChildPort["ofCall"]> | undefined;
  const opened = (): CallChildren => {
    assertRunning();
    if (ofCall) return ofCall;
    if (!context.children.port) throw missingChildSessions();
    ofCall = context.children.port.ofCall({ ...calling(context, call), assertRunning, onParked: attempt.onParked });
    attempt.onEnd(() => ofCall?.end());
    return ofCall;
  };
  return {
    create: async (request) => opened().create(request),
    open: async (id, live) => opened().open(id, live),
  };
}

/** The call ran in another process, and its turn is cancelled: ends the turns of children that it waited for. */
export async function cancelChildren(context: BatchContext, call: LaunchedCall): Promise<void> {
  const ofCall = context.children.port?.ofCall({ ...calling(context, call), assertRunning: () => undefined, onParked: () => undefined });
  await ofCall?.cancelLeft().finally(() => ofCall.end());
}

const calling = ({ turnId, signal, detach, emit, children }: BatchContext, { callId, toolName, key }: LaunchedCall) => ({
  ...children, turnId, callId, toolName, idempotencyKey: sha256Hex(key), signal, detach, emit,
});
