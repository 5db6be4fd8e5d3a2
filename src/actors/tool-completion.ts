// Completion of pending tools: the attempt is durable as pending, then its wait is an effect of its own (T-70, PT-59..61).

import { runtimeError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import { failedOutput, type ToolCallOutput } from "../domain/tool-output.ts";
import { waitName, type Resolution, type WaitName } from "../domain/waits.ts";
import type { JournaledOutcome } from "../stores/contract.ts";
import type { BatchContext } from "./batch-context.ts";
import type { Envelope } from "./envelope.ts";
import type { LaunchedCall } from "./tool-plan.ts";

/** What an attempt that ended in `pending` leaves in the journal. */
export interface RecordedPending {
  /** Epoch milliseconds; null: no limit. */
  readonly dueAtMs: number | null;
  readonly onTimeout: "result" | "fail_turn";
  readonly onCancel: "ignore" | "cancel_external_work";
}

export interface Completion {
  readonly output: ToolCallOutput;
  /** The tool said that its timeout fails the turn (design 7.9). */
  readonly stopsTurn: boolean;
}

/** Call ids are unique in a reply only, so the wait is named by the call's replay key. */
export const waitOf = ({ sessionId, turnId }: BatchContext, call: LaunchedCall): WaitName =>
  waitName({ type: "turn", session_id: sessionId, turn_id: turnId }, { type: "tool_completion", tool_call_id: call.key });

/** Waits for the answer from outside; answered before, it is there at once and `onWaiting` is never called. */
export async function complete(context: BatchContext, call: LaunchedCall, pending: RecordedPending, onWaiting: () => void): Promise<Completion> {
  const { controller, desk, signal, detach, envelope, batchKey, writes } = context;
  const name = waitOf(context, call);
  const replayKey = `${call.key}:await`;
  const wait = (): Envelope => envelope(replayKey, batchKey, { kind: "await_event", key_id: name.key_id });
  const { outcome } = await controller.execute(replayKey, wait, async (): Promise<JournaledOutcome> => {
    const resolution = await desk.wait(name, { dueAtMs: pending.dueAtMs, cancel: signal, detach, onWaiting, write: writes });
    if (resolution === "revoked") return { error: { code: "await_event_unknown_or_revoked", message: "the wait of this call was revoked" } };
    return { ok: resolution as unknown as Json };
  });
  if ("error" in outcome) {
    const message = `${outcome.error.code}: ${outcome.error.message}`;
    return { output: failedOutput({ class: "internal", code: "pending_tool_completion_failed", message }), stopsTurn: false };
  }
  const resolution = outcome.ok as unknown as Resolution;
  if (resolution.status === "cancelled" && pending.onCancel === "cancel_external_work") await tellTool(context, call);
  return { output: outputOf(resolution), stopsTurn: resolution.status === "timeout" && pending.onTimeout === "fail_turn" };
}

/** A resolution as the output of its call. */
export function outputOf(resolution: Resolution): ToolCallOutput {
  switch (resolution.status) {
    case "ok":
      return { outcome: { status: "success", payload: resolution.payload } };
    case "err": {
      const { code, message, raw } = resolution.payload;
      return failedOutput({ class: "execution", code, message, source: "tool", ...(raw !== undefined && { raw }) });
    }
    case "timeout":
      return failedOutput({ class: "timeout", code: "tool_completion_timeout", message: "nobody answered this call in time" });
    case "cancelled":
      return { outcome: { status: "cancelled", payload: { message: "tool call cancelled" } } };
  }
}

/** What the tool does about it is its own affair; the turn is cancelled either way. */
async function tellTool({ logger, sessionId }: BatchContext, call: LaunchedCall): Promise<void> {
  try {
    await call.tool.cancel?.(call.input);
  } catch (error) {
    logger({ level: "warn", event: "tool.cancel_failed", sessionId, code: "tool_failed", message: String(error) });
  }
}

export const missingKey = (): ToolCallOutput =>
  failedOutput({
    class: "internal",
    code: "pending_tool_missing_completion_key",
    message: "the tool said that it is pending, but never took its completion key, so nobody could answer",
  });

/** Rejection of a turn that stopped waiting because its session was closed; it stays in flight. */
export const suspendedError = (sessionId: string, turnId: string) =>
  runtimeError("turn_suspended", `turn ${turnId} waits for an answer from outside and was suspended; it goes on when the session is opened again`, {
    details: { sessionId, turnId, accepted: true },
  });
