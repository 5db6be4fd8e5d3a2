// Approval of tool calls: who is asked for it, what may be answered, and what is kept of the answer.

import { assertJson } from "./bounded-json.ts";
import { invalidArgument, refuseUnknown } from "./invalid-argument.ts";
import { isPlainObject, type Json } from "./json.ts";
import type { Limits } from "./limits.ts";
import { type CallApproval, failedOutput, type ToolCallOutput } from "./tool-output.ts";
import { utf8Length } from "./utf8.ts";
import { waitName, type Resolution, type WaitName } from "./waits.ts";

/** What a tool says of a call that somebody has to approve. */
export interface ApprovalRequest {
  /** Shown to whoever answers. */
  readonly reason?: string;
  /** Milliseconds until nobody can approve the call any more, and it counts as denied. Default: never. */
  readonly expiresInMs?: number;
}

/** A tool call that runs only once somebody has approved it. */
export interface PendingCall {
  /** Names the call for `approve` and `deny`; the same in every process and after every restart. */
  readonly id: string;
  readonly sessionId: string;
  readonly turnId: string;
  /** The provider's id of the call; it may repeat. */
  readonly callId: string;
  readonly toolName: string;
  readonly args: Json;
  readonly reason?: string;
  /** Epoch milliseconds. */
  readonly askedAtMs: number;
  /** Epoch milliseconds after which it counts as denied. */
  readonly expiresAtMs?: number;
}

export interface ApproveOptions {
  /** Run it with these arguments instead. */
  readonly args?: Json;
  /** Kept with the answer; at most 4 KiB. */
  readonly note?: string;
  /** Who answers; at most 4 KiB. */
  readonly by?: string;
}

export interface DenyOptions {
  /** Told to the model; at most 4 KiB. */
  readonly message?: string;
  readonly by?: string;
}

/** An answer as it is recorded. */
export type CallAnswer =
  | { readonly decision: "approved"; readonly answeredAtMs: number; readonly by?: string; readonly note?: string; readonly args?: Json }
  | { readonly decision: "denied"; readonly answeredAtMs: number; readonly by?: string; readonly message?: string }
  /** Nobody answered in time. */
  | { readonly decision: "expired" }
  /** Its turn was cancelled, or its waits were revoked. */
  | { readonly decision: "cancelled" };

/** What became of an answer: the first one counts. `unknown_call`: no turn in flight has such a call. */
export type AnswerOutcome = { readonly status: "accepted" } | { readonly status: "already_answered"; readonly answer: CallAnswer } | { readonly status: "unknown_call" };

export const approvalWait = (sessionId: string, turnId: string, callKey: string): WaitName =>
  waitName({ type: "turn", session_id: sessionId, turn_id: turnId }, { type: "tool_approval", tool_call_id: callKey });

/** What is recorded of a wait for approval, as an answer. */
export function answerIn(resolution: Resolution): CallAnswer {
  switch (resolution.status) {
    case "ok":
      return resolution.payload as unknown as CallAnswer;
    case "timeout":
      return { decision: "expired" };
    default:
      return { decision: "cancelled" };
  }
}

export function approvalOf(answer: CallAnswer): CallApproval {
  switch (answer.decision) {
    case "approved": {
      const { args, ...kept } = answer;
      return { ...kept, ...(args !== undefined && { isChanged: true }) };
    }
    case "denied": {
      const { message: _, ...kept } = answer;
      return kept;
    }
    default:
      return answer;
  }
}

/** The output of a call that was not approved. */
export function deniedOutput(answer: Exclude<CallAnswer, { readonly decision: "approved" }>): ToolCallOutput {
  const failure = failedOutput({ class: "permission_denied", code: "tool_denied", source: "policy", message: messageOf(answer) });
  return { ...failure, approval: approvalOf(answer) };
}

function messageOf(answer: Exclude<CallAnswer, { readonly decision: "approved" }>): string {
  switch (answer.decision) {
    case "denied":
      return answer.message ?? "The call was denied; it was not run.";
    case "expired":
      return "Nobody approved the call in time; it was not run.";
    case "cancelled":
      return "The call waited for approval, and the wait was called off; it was not run.";
  }
}

const TEXT_BYTES = 4 * 1024;

/** @throws LashError `invalid_argument`, `limit_exceeded`. */
export function checkApprove(options: ApproveOptions, limits: Limits): void {
  refuseUnknown(options, ["args", "note", "by"], "approve options");
  checkTexts(options, ["note", "by"]);
  if (options.args === undefined) return;
  if (!isPlainObject(options.args)) throw invalidArgument("args", "a JSON object");
  assertJson(options.args, { field: "args", limit: "toolArgumentsBytes", limits });
}

/** @throws LashError `invalid_argument`. */
export function checkDeny(options: DenyOptions): void {
  refuseUnknown(options, ["message", "by"], "deny options");
  checkTexts(options, ["message", "by"]);
}

function checkTexts<Field extends string>(options: { readonly [Name in Field]?: unknown }, fields: readonly Field[]): void {
  for (const field of fields) {
    const text: unknown = options[field];
    if (text === undefined) continue;
    if (typeof text !== "string" || !text.isWellFormed() || utf8Length(text) > TEXT_BYTES) throw invalidArgument(field, `well-formed text of at most ${TEXT_BYTES} bytes of UTF-8`);
  }
}
