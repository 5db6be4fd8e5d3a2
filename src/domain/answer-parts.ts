// Answers of models as messages keep them: every part, in the order in which the provider began them (ME-1).

import type { LlmFilePart, LlmOutputPart, LlmResponse, PartialAnswer } from "../providers/contract.ts";
import { type AnswerInfo, missingNewlines, type PartDraft } from "./messages.ts";

/** All that a part says, as text: for limits and estimates. */
export function partText(part: LlmOutputPart): string {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.text;
    case "toolCall":
      return part.inputJson;
    case "toolResult":
      return JSON.stringify(part.result);
    case "opaque":
      return JSON.stringify(part.content.json);
    case "source":
      return JSON.stringify(part.source);
    case "file":
    case "reasoningFile":
    case "approvalRequest":
      return "";
  }
}

/** Parts of the message that holds an answer. Text that is empty and says nothing else is left out. */
export const draftsOf = (parts: readonly LlmOutputPart[]): readonly PartDraft[] => parts.flatMap((part) => draftOf(part) ?? []);

/** Undefined for text that is empty and says nothing else. */
export function draftOf(part: LlmOutputPart): PartDraft | undefined {
  switch (part.type) {
    case "text":
      if (part.text === "" && part.responseMeta === undefined && part.citations === undefined) return undefined;
      return { kind: "Prose", content: part.text, ...(part.responseMeta && { responseMeta: part.responseMeta }), ...(part.citations !== undefined && { citations: part.citations }) };
    case "reasoning":
      return { kind: "Reasoning", content: part.text, ...(part.replay && { reasoningMeta: part.replay }) };
    case "toolCall":
      return {
        kind: "ToolCall",
        content: part.inputJson,
        toolCallId: part.callId,
        toolName: part.toolName,
        ...(part.replay && { toolReplay: part.replay }),
        ...(part.providerExecuted && { providerExecuted: true }),
      };
    case "toolResult":
      return {
        kind: "ToolResult",
        content: JSON.stringify(part.result),
        toolCallId: part.callId,
        toolName: part.toolName,
        providerExecuted: true,
        ...(part.isError && { isError: true }),
        ...(part.metadata && { metadata: part.metadata }),
      };
    case "file":
    case "reasoningFile":
      return fileDraft(part);
    case "source":
      return { kind: "Source", content: nameOf(part.source), source: part.source };
    case "approvalRequest":
      return { kind: "ApprovalRequest", content: "", approvalId: part.approvalId, toolCallId: part.callId, ...(part.metadata && { metadata: part.metadata }) };
    case "opaque":
      return { kind: "Opaque", content: "", opaque: part.content };
  }
}

function fileDraft({ type, mime, attachment: reference, url, metadata }: LlmFilePart): PartDraft {
  return {
    kind: type === "file" ? "File" : "ReasoningFile",
    content: "",
    ...(reference && { attachment: { reference } }),
    ...(mime !== reference?.mime && { mime }),
    ...(url !== undefined && { url }),
    ...(metadata && { metadata }),
  };
}

function nameOf({ title, url, filename }: Readonly<Record<string, unknown>>): string {
  return [title, url, filename].find((name) => typeof name === "string") as string | undefined ?? "";
}

/** What the message that holds an answer says of it; undefined where nobody knows who was asked. */
export function answerOf({ origin, terminalReason, servedModel, responseId, finish, metadata, warnings }: LlmResponse): AnswerInfo | undefined {
  if (origin === undefined) return undefined;
  return {
    provider: origin.provider,
    model: origin.model,
    ...(servedModel !== undefined && { servedModel }),
    ...(responseId !== undefined && { responseId }),
    ...(finish && { finish }),
    ...(metadata && { metadata }),
    ...(warnings && warnings.length > 0 && { warnings }),
    ...(terminalReason === "pause" && { paused: true }),
  };
}

/** What people read of an answer that was cut off: its text and its reasoning. Where a call was between two texts, they stay apart. */
export function partialOf(parts: readonly LlmOutputPart[]): PartialAnswer {
  const said: { readonly type: "text" | "reasoning"; readonly text: string }[] = [];
  let isApart = false;
  for (const part of parts) {
    if (part.type !== "text" && part.type !== "reasoning") {
      isApart ||= part.type !== "source" && part.type !== "approvalRequest" && part.type !== "opaque";
      continue;
    }
    if (part.text === "") continue;
    const before = said.at(-1);
    const missing = isApart && part.type === "text" && before?.type === "text" ? missingNewlines(before.text, part.text) : "";
    said.push({ type: part.type, text: missing + part.text });
    isApart = false;
  }
  return said;
}
