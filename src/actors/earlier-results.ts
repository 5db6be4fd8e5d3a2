// Tool results that a session has, whole, for the tool that reads what a model was not shown of them.

import type { Message } from "../domain/messages.ts";

/** @param id - of the part, or of the call: ids of calls may repeat, and then the latest is meant. */
export function resultTextIn(messages: readonly Message[], id: string): string | undefined {
  for (let index = messages.length - 1; index >= 0; index--) {
    const part = messages[index]?.parts.findLast(({ kind, id: own, toolCallId }) => kind === "ToolResult" && (own === id || toolCallId === id));
    if (part) return part.content;
  }
  return undefined;
}
