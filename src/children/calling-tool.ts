// A running tool call, as its children see it.

import type { BatchContext } from "../actors/batch-context.ts";
import type { LaunchedCall } from "../actors/tool-plan.ts";
import type { Asking } from "../actors/tool-questions.ts";
import type { RunWrite } from "../actors/durable/contract.ts";
import { effectError } from "../domain/errors.ts";
import { sha256Hex } from "../domain/sha256.ts";

export interface CallingTool extends Pick<BatchContext, "turnId" | "signal" | "detach" | "emit">, Omit<BatchContext["children"], "port">, Pick<Asking, "onEnd" | "onParked"> {
  readonly callId: string;
  readonly toolName: string;
  /** The same for every attempt. */
  readonly idempotencyKey: string;
  /** @throws where the call has ended. */
  readonly assertRunning: () => void;
  /** Makes what has to be written for the call. */
  readonly write: RunWrite;
}

export const callingTool = ({ turnId, signal, detach, emit, children, writes }: BatchContext, { callId, toolName, key }: LaunchedCall, { hasEnded, onEnd, onParked }: Omit<Asking, "save">): CallingTool => ({
  ...children,
  turnId,
  signal,
  detach,
  emit,
  onEnd,
  onParked,
  callId,
  toolName,
  idempotencyKey: sha256Hex(key),
  write: writes,
  assertRunning: () => {
    if (hasEnded()) throw effectError("durable_effects_unavailable_in_tool_attempt", "the tool call has ended; wait for its children before the tool returns");
  },
});
