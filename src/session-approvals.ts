// What a session handle does about calls that wait for approval.

import { answerCall, askedCall } from "./actors/pending-calls.ts";
import type { SessionRuntime } from "./actors/session-runtime.ts";
import { type AnswerOutcome, type ApproveOptions, type CallAnswer, checkApprove, checkDeny, type DenyOptions } from "./domain/approvals.ts";
import { checkedId } from "./domain/id-rules.ts";
import { invalidArgument } from "./domain/invalid-argument.ts";

export async function approveCall(runtime: SessionRuntime, id: string, options: ApproveOptions): Promise<AnswerOutcome> {
  const { limits, clock } = runtime.ports;
  checkApprove(options, limits);
  const { args, note, by } = options;
  const said = { ...(by !== undefined && { by }), ...(note !== undefined && { note }), ...(args !== undefined && { args }) };
  return answer(runtime, id, { decision: "approved", answeredAtMs: clock.now(), ...said });
}

export async function denyCall(runtime: SessionRuntime, id: string, options: DenyOptions): Promise<AnswerOutcome> {
  checkDeny(options);
  const { message, by } = options;
  const said = { ...(by !== undefined && { by }), ...(message !== undefined && { message }) };
  return answer(runtime, id, { decision: "denied", answeredAtMs: runtime.ports.clock.now(), ...said });
}

async function answer(runtime: SessionRuntime, id: string, given: CallAnswer): Promise<AnswerOutcome> {
  const { ports, wiring } = runtime;
  const call = await askedCall(ports, wiring.sessionId, checkedId(id, "id"));
  if (!call) return { status: "unknown_call" };
  const tool = wiring.tools.callable.get(call.toolName);
  if (tool && given.decision === "approved" && given.args !== undefined) {
    const checked = await tool.validate(given.args);
    if ("problem" in checked) throw invalidArgument("args", `arguments that tool "${call.toolName}" takes (${checked.problem}); the call still waits`);
  }
  const outcome = await answerCall(ports, call, given);
  // A turn that nobody drives because it only waits goes on here.
  if (outcome.status === "accepted") runtime.finishLeftover();
  return outcome;
}
