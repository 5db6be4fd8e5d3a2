// Approval of calls: which calls of a batch need one, asked before anything of it runs, and the wait for the answer.
//
//   AP1. Whether a call needs approval is asked once and journaled before anything of its batch runs, with what whoever answers is
//        shown. So every process lists the same calls, whatever a tool would say of them later.
//   AP2. A call that waits is not issued: a crash interrupts nothing. The answer is journaled with the step that issues it.
//   AP3. A check that fails asks for approval: it has not found that none is needed.

import { answerIn, approvalWait, type ApprovalRequest, type CallAnswer, type PendingCall } from "../../../domain/approvals.ts";
import { copyJson } from "../../../domain/copy-json.ts";
import type { Json } from "../../../domain/json.ts";
import type { Resolution } from "../../../domain/waits.ts";
import type { JournaledOutcome } from "../../../stores/contract.ts";
import type { ApprovalVerdict } from "../../../tools/contract.ts";
import type { RunScope } from "../../durable/contract.ts";
import type { WaitDesk } from "../../wait-desk.ts";
import { type BatchInput, operationOf } from "./batch-input.ts";
import { attemptKey, type LaunchedCall, leavesOf, type PlannedCall } from "./plan.ts";

/** Ends the replay key under which a call's need for approval is journaled. */
export const ASKED = ":approval";
/** Ends the one of its answer. */
export const ANSWERED = ":approved";

/** Of one journal entry under `ASKED`. */
export type RecordedRequest = { readonly needed: false } | { readonly needed: true; readonly call: PendingCall };

/** The calls that wait for approval in this process; on a host that keeps nothing they are listed nowhere else. */
const waitingHere = new WeakMap<WaitDesk, Map<string, PendingCall>>();

export const callsWaitingHere = (desk: WaitDesk): readonly PendingCall[] => [...(waitingHere.get(desk)?.values() ?? [])];

/** Asks for all calls of a batch that have not begun. @returns those that need approval. */
export async function askApprovals(plan: readonly PlannedCall[], batch: BatchInput, scope: RunScope): Promise<ReadonlyMap<LaunchedCall, PendingCall>> {
  const isNew = (call: LaunchedCall): boolean => !scope.isRecorded(attemptKey(call, 1)) && !scope.isInterrupted(attemptKey(call, 1));
  const asked = leavesOf(plan).filter((call): call is LaunchedCall => call.kind === "launch" && call.tool.needsApproval !== undefined && isNew(call));
  const needed = new Map<LaunchedCall, PendingCall>();
  const ask = async (call: LaunchedCall): Promise<void> => {
    const { callId, toolName, args } = call;
    const replayKey = `${call.key}${ASKED}`;
    const operation = () => operationOf(batch, replayKey, { kind: "tool_approval", call: { callId, toolName, args } });
    const { outcome } = await scope.note(replayKey, operation, async () => ({ ok: copyJson(await requestFor(call, batch, scope)) }));
    const request = "ok" in outcome ? (outcome.ok as unknown as RecordedRequest) : undefined;
    if (request?.needed) needed.set(call, request.call);
  };
  await Promise.all(asked.map(ask));
  return needed;
}

async function requestFor(call: LaunchedCall, { session, turn: { sessionId, turnId } }: BatchInput, scope: RunScope): Promise<RecordedRequest> {
  const request = await verdictOn(call, sessionId, turnId, scope.cancel);
  if (!request) return { needed: false };
  const { callId, toolName, args, key } = call;
  const { reason, expiresInMs } = request;
  const askedAtMs = session.ports.clock.now();
  const { key_id: id } = approvalWait(sessionId, turnId, key);
  const expiry = expiresInMs === undefined ? {} : { expiresAtMs: askedAtMs + expiresInMs };
  return { needed: true, call: { id, sessionId, turnId, callId, toolName, args, askedAtMs, ...(reason !== undefined && { reason }), ...expiry } };
}

async function verdictOn({ tool, input, callId, toolName }: LaunchedCall, sessionId: string, turnId: string, signal: AbortSignal): Promise<ApprovalRequest | undefined> {
  const { needsApproval } = tool;
  if (typeof needsApproval !== "function") return requestIn(needsApproval);
  try {
    return requestIn(await needsApproval(input, { callId, toolName, sessionId, turnId, signal }));
  } catch (error) {
    return { reason: `whether the call needs approval could not be found out: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function requestIn(verdict: ApprovalVerdict | undefined): ApprovalRequest | undefined {
  if (verdict === undefined || verdict === false) return undefined;
  if (verdict === true) return {};
  return typeof verdict === "string" ? { reason: verdict } : verdict;
}

/** Waits until somebody has answered, or nobody can any more. */
export async function answerOn(pending: PendingCall, call: LaunchedCall, batch: BatchInput, scope: RunScope): Promise<CallAnswer> {
  const { waits } = batch.session.ports;
  const { turn } = batch;
  const name = approvalWait(turn.sessionId, turn.turnId, call.key);
  const replayKey = `${call.key}${ANSWERED}`;
  const { cancel, detach, write } = scope;
  const { id, expiresAtMs } = pending;
  const dueAtMs = expiresAtMs ?? null;
  const onWaiting = (): void => scope.waiting({ kind: "answer", waits: [name.key_id], ...(dueAtMs !== null && { dueAtMs }) });
  const here = waitingHere.get(waits) ?? new Map<string, PendingCall>();
  waitingHere.set(waits, here.set(id, pending));
  const wait = async (): Promise<JournaledOutcome> => {
    const resolution = await waits.wait(name, { dueAtMs, cancel, detach, onWaiting, write });
    return { ok: (resolution === "revoked" ? { status: "cancelled" } : resolution) as unknown as Json };
  };
  try {
    const { outcome } = await scope.note(replayKey, () => operationOf(batch, replayKey, { kind: "await_event", key_id: name.key_id }), wait);
    return "ok" in outcome ? answerIn(outcome.ok as unknown as Resolution) : { decision: "cancelled" };
  } finally {
    here.delete(id);
    scope.waiting(undefined);
  }
}
