// Parts of an answer: what counts as their text, and what is left of one that was cut off.

import type { LlmOutputPart, PartialAnswer } from "../providers/contract.ts";

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

/** What people read of an answer that was cut off: its text and its reasoning. */
export const partialOf = (parts: readonly LlmOutputPart[]): PartialAnswer =>
  parts.flatMap((part) => ((part.type === "text" || part.type === "reasoning") && part.text !== "" ? [{ type: part.type, text: part.text }] : []));
