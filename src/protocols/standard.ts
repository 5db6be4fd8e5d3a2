// Standard protocol: one model call with all tools, native tool calls in one batch, a checkpoint, and again (T-26..T-32).

import { joinProse, type PartDraft } from "../domain/messages.ts";
import type { TurnOutcome } from "../domain/outcome.ts";
import type { ToolControl } from "../domain/tool-output.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { Decision, MessageDraft, NextMove, ProtocolDriver, ProtocolView } from "../machines/protocol.ts";
import type { LlmOutputPart, LlmResponse } from "../providers/contract.ts";

export const standardProtocol: ProtocolDriver = {
  id: "standard",
  version: 1,
  onModelReply,
  onToolResults,
  onCodeResult: () => ({
    issues: [{ kind: "runtime", code: "code_execution_unavailable", message: "the standard protocol runs no code" }],
    next: { type: "finish", outcome: { stopped: "runtime_error" } },
  }),
};

function onModelReply(view: ProtocolView, reply: LlmResponse): Decision {
  const text = visibleText(reply.parts);
  if (reply.parts.some((part) => part.type === "toolCall")) {
    return { append: [assistantMessage(reply.parts)], next: { type: "runTools" } };
  }
  // The provider rests in the middle of its answer: it is asked to go on at once (ME-12).
  if (reply.terminalReason === "pause") return { append: [assistantMessage(reply.parts)], advanceIteration: true, next: { type: "iterate" } };
  const hasReasoning = reply.parts.some((part) => part.type === "reasoning");
  // After a tool result a model that has thought may have nothing to add; one that reports nothing at all has not answered (ME-13).
  if (text !== "" || hasReasoning || (view.endsWithToolResult && reply.usage.outputTokens > 0)) {
    // Reasoning with replay metadata has to survive the turn, so the message is appended here and not by the commit (T-38).
    const append = text !== "" || hasReasoning ? [assistantMessage(reply.parts)] : [];
    return { append, next: beforeCompletion({ finished: { assistant_message: { text } } }) };
  }
  return {
    issues: [{ kind: "llm_provider", code: "empty_response", message: "the model answered with nothing", retryable: false }],
    next: { type: "finish", outcome: { stopped: "provider_error" } },
  };
}

function onToolResults(_view: ProtocolView, results: readonly ToolResult[]): Decision {
  const append: MessageDraft[] = [{ role: "User", parts: results.flatMap((result) => result.modelReturn) }];
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

/** Prose first, then reasoning and tool calls in the order the provider gave them (T-30, PP-7). */
function assistantMessage(parts: readonly LlmOutputPart[]): MessageDraft {
  const drafts: PartDraft[] = [];
  for (const part of parts) {
    if (part.type === "text" && part.text !== "") {
      drafts.push({ kind: "Prose", content: part.text, ...(part.responseMeta && { responseMeta: part.responseMeta }) });
    }
  }
  for (const part of parts) {
    if (part.type === "reasoning") {
      drafts.push({ kind: "Reasoning", content: part.text, ...(part.replay && { reasoningMeta: part.replay }) });
    } else if (part.type === "toolCall") {
      drafts.push({
        kind: "ToolCall",
        content: part.inputJson,
        toolCallId: part.callId,
        toolName: part.toolName,
        ...(part.replay && { toolReplay: part.replay }),
      });
    }
  }
  return { role: "Assistant", parts: drafts };
}

/** Once a final answer exists, commentary is no prose (T-27, PP-8). */
function visibleText(parts: readonly LlmOutputPart[]): string {
  const texts = parts.filter((part) => part.type === "text");
  const settled = texts.some((part) => part.responseMeta?.phase === "final_answer");
  return joinProse(texts.filter((part) => !settled || part.responseMeta?.phase !== "commentary").map((part) => part.text));
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
