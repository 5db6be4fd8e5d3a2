// Completion of pending calls: the attempt is durable as pending, then its wait is an effect of its own (T-70, PT-59..61).

import { runtimeError } from "../../../domain/errors.ts";
import type { Json } from "../../../domain/json.ts";
import { failedOutput, type ToolCallOutput } from "../../../domain/tool-output.ts";
import { waitName, type Resolution, type WaitName } from "../../../domain/waits.ts";
import type { PendingPolicy } from "../../../machines/tool-attempt/tool-attempt.machine.ts";
import type { JournaledOutcome, TurnRecord } from "../../../stores/contract.ts";
import type { RunScope } from "../../durable/contract.ts";
import { operationOf, type BatchInput } from "./batch-input.ts";
import type { LaunchedCall } from "./plan.ts";

/** What an attempt that ended in `pending` leaves in the journal. */
export interface RecordedPending extends PendingPolicy {
  /** Epoch milliseconds; null: no limit. */
  readonly dueAtMs: number | null;
}

export interface Answer {
  readonly status: Resolution["status"] | "revoked";
  readonly output: ToolCallOutput;
}

/** Call ids are unique in a reply only, so the wait is named by the call's replay key. */
export const waitOf = ({ sessionId, turnId }: Pick<TurnRecord, "sessionId" | "turnId">, callKey: string): WaitName =>
  waitName({ type: "turn", session_id: sessionId, turn_id: turnId }, { type: "tool_completion", tool_call_id: callKey });

/** Waits for the answer from outside; answered before, it is there at once and nothing waits. */
export async function answerTo(batch: BatchInput, scope: RunScope, call: LaunchedCall, { dueAtMs }: RecordedPending): Promise<Answer> {
  const name = waitOf(batch.turn, call.key);
  const replayKey = `${call.key}:await`;
  const operation = () => operationOf(batch, replayKey, { kind: "await_event", key_id: name.key_id });
  const onWaiting = (): void => {
    batch.trace?.toolRan(call);
    scope.waiting({ kind: "answer", waits: [name.key_id], ...(dueAtMs !== null && { dueAtMs }) });
  };
  const wait = async (): Promise<JournaledOutcome> => {
    const { cancel, detach, write } = scope;
    const resolution = await batch.session.ports.waits.wait(name, { dueAtMs, cancel, detach, onWaiting, write });
    if (resolution === "revoked") return { error: { code: "await_event_unknown_or_revoked", message: "the wait of this call was revoked" } };
    return { ok: resolution as unknown as Json };
  };
  const { outcome } = await scope.note(replayKey, operation, wait).finally(() => scope.waiting(undefined));
  if ("error" in outcome) {
    const message = `${outcome.error.code}: ${outcome.error.message}`;
    return { status: "revoked", output: failedOutput({ class: "internal", code: "pending_tool_completion_failed", message }) };
  }
  const resolution = outcome.ok as unknown as Resolution;
  return { status: resolution.status, output: outputOf(resolution) };
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

/** Tells a tool that its pending call was cancelled. What it does about that is its own affair: the turn is cancelled either way. */
export async function tellTool({ session, turn }: BatchInput, call: LaunchedCall): Promise<void> {
  try {
    await call.tool.cancel?.(call.input);
  } catch (error) {
    session.ports.logger({ level: "warn", event: "tool.cancel_failed", sessionId: turn.sessionId, code: "tool_failed", message: String(error) });
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
