// What comes back, under the names and ids that we know.

import type { LlmOutputPart, LlmResponse, LlmStreamEvent, ProviderCall } from "../contract.ts";
import { withField } from "./own-blocks.ts";
import type { PreparedRequest } from "./prepare-request.ts";

type Names = Pick<PreparedRequest, "toolNames" | "callIds">;

const isNothing = ({ toolNames, callIds }: Names): boolean => toolNames.size === 0 && callIds.size === 0;

/** The response itself where nothing in it has another name here. */
export function restoreResponse(response: LlmResponse, names: Names): LlmResponse {
  if (isNothing(names)) return response;
  const made = new Set<string>();
  const parts = response.parts.map((part) => restorePart(part, names, made));
  return parts.every((part, index) => part === response.parts[index]) ? response : { ...response, parts };
}

/** The call itself where nothing has another name here: deltas then pass without one more step. */
export function restoringCall(call: ProviderCall, names: Names): ProviderCall {
  if (call.onStreamEvent === undefined || isNothing(names)) return call;
  const made = new Set<string>();
  const onStreamEvent = (event: LlmStreamEvent): void | Promise<void> => call.onStreamEvent?.(restoreEvent(event, names, made));
  return { ...call, onStreamEvent };
}

function restoreEvent(event: LlmStreamEvent, names: Names, made: Set<string>): LlmStreamEvent {
  if (event.type === "part") return withField(event, "part", restorePart(event.part, names, made));
  if (event.type !== "toolInputStart" || event.providerExecuted === true) return event;
  return withField(event, "toolName", names.toolNames.get(event.toolName) ?? event.toolName);
}

/** @param made - ids of the calls of this answer: those are new, whatever else was sent under them. */
function restorePart(part: LlmOutputPart, { toolNames, callIds }: Names, made: Set<string>): LlmOutputPart {
  switch (part.type) {
    case "toolCall":
      made.add(part.callId);
      return part.providerExecuted === true ? part : withField(part, "toolName", toolNames.get(part.toolName) ?? part.toolName);
    case "toolResult":
    case "approvalRequest":
      return made.has(part.callId) ? part : withField(part, "callId", callIds.get(part.callId) ?? part.callId);
    default:
      return part;
  }
}
