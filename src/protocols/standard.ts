// Standard protocol: one model call with all tools, native tool calls in one batch, a checkpoint, and again (T-26..T-32).

import { answerOf, draftsOf } from "../domain/answer-parts.ts";
import { isOwnCall, isOwnResult, messageText } from "../domain/messages.ts";
import { STANDARD_PROTOCOL } from "../domain/session.ts";
import type { TurnOutcome } from "../domain/outcome.ts";
import type { ToolControl } from "../domain/tool-output.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { Decision, MessageDraft, NextMove, ProtocolDriver, ProtocolView } from "../machines/protocol.ts";
import type { LlmResponse } from "../providers/contract.ts";

export const standardProtocol: ProtocolDriver = {
  id: STANDARD_PROTOCOL,
  version: 1,
  onModelReply,
  onToolResults,
  onCodeResult: () => ({
    issues: [{ kind: "runtime", code: "code_execution_unavailable", message: "the standard protocol runs no code" }],
    next: { type: "finish", outcome: { stopped: "runtime_error" } },
  }),
};

function onModelReply(view: ProtocolView, reply: LlmResponse): Decision {
  const message = assistantMessage(reply);
  if (message.parts.some(isOwnCall)) return { append: [message], next: { type: "runTools" } };
  // The provider rests in the middle of its answer: it is asked to go on at once (ME-12).
  if (reply.terminalReason === "pause") return { append: message.parts.length > 0 ? [message] : [], advanceIteration: true, next: { type: "iterate" } };
  // A place to keep metadata in says nothing, and neither does a question that nobody answers.
  const saysSomething = message.parts.some(({ kind, content }) => kind !== "ApprovalRequest" && (kind !== "Prose" || content !== ""));
  // After a tool result a model that has thought may have nothing to add; one that reports nothing at all has not answered (ME-13).
  if (saysSomething || (view.endsWithToolResult && reply.usage.outputTokens > 0)) {
    // What goes back to the model has to survive the turn, so the message is appended here and not by the commit (ME-2).
    const append = message.parts.length > 0 ? [message] : [];
    return { append, next: beforeCompletion({ finished: { assistant_message: { text: messageText(message) } } }) };
  }
  return {
    issues: [{ kind: "llm_provider", code: "empty_response", message: "the model answered with nothing", retryable: false }],
    next: { type: "finish", outcome: { stopped: "provider_error" } },
  };
}

function onToolResults(_view: ProtocolView, results: readonly ToolResult[]): Decision {
  // All results stand together, and what they brought behind them: providers take nothing between two results (T-31, ME-5).
  const returned = results.flatMap((result) => result.modelReturn);
  const append: MessageDraft[] = [{ role: "User", parts: [...returned.filter(isOwnResult), ...returned.filter((part) => !isOwnResult(part))] }];
  const stopping = results.find((result) => result.stopsTurn);
  if (stopping) {
    const message = `the call of ${stopping.toolName} was not answered in time`;
    return { append, issues: [{ kind: "tool", code: "tool_completion_timeout", message }], next: { type: "finish", outcome: { stopped: "tool_failure" } } };
  }
  const controlled = controllingResult(results);
  if (controlled) return { append, next: { type: "finish", outcome: controlled } };

  return {
    append,
    advanceIteration: true,
    next: { type: "checkpoint", checkpoint: "after_work", onEmpty: { type: "iterate" } },
  };
}

const beforeCompletion = (outcome: TurnOutcome): NextMove => ({
  type: "checkpoint",
  checkpoint: "before_completion",
  onEmpty: { type: "finish", outcome },
});

/** All parts as they came (T-30, PP-7), with what the answer says of itself. */
function assistantMessage(reply: LlmResponse): MessageDraft {
  const answer = answerOf(reply);
  return { role: "Assistant", parts: draftsOf(reply.parts), ...(answer && { answer }) };
}

/** The first successful result that carries control decides (T-31). */
function controllingResult(results: readonly ToolResult[]): TurnOutcome | undefined {
  for (const { toolName, output } of results) {
    if (output.outcome.status !== "success" || !output.control) continue;
    const outcome = controlOutcome(toolName, output.control);
    if (outcome) return outcome;
  }
  return undefined;
}

function controlOutcome(toolName: string, control: ToolControl): TurnOutcome | undefined {
  switch (control.type) {
    case "switch_agent_frame":
      return control.frame_id.trim() !== "" && control.task !== undefined && control.task.trim() !== ""
        ? { agent_frame_switch: { frame_id: control.frame_id, task: control.task } }
        : undefined;
    case "finish":
      return { finished: { tool_value: { tool_name: toolName, value: control.value } } };
    case "fail":
      return { stopped: { tool_error: { tool_name: toolName, value: control.failure } } };
  }
}
