// The chat-completions dialect of the scripted model server.

import type { Gate } from "./gate.ts";
import { argumentPieces, joined, piecesOf, sse, type WireReply, type WireTimeline, type WireUsage } from "./wire-script.ts";

const FINISH = { stop: "stop", tool_use: "tool_calls", length: "length", content_filter: "content_filter" } as const;
const HEAD = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "wire-model" };

export function openaiStream(reply: WireReply, firstCall: number): WireTimeline {
  const events: (string | Gate)[] = [];
  const delta = (value: object): void => void events.push(sse({ ...HEAD, choices: [{ index: 0, delta: value }] }));

  delta({ role: "assistant", content: "" });
  for (const piece of piecesOf(reply.reasoning?.text)) delta({ reasoning_content: piece });
  for (const piece of piecesOf(reply.text)) {
    if (typeof piece === "string") delta({ content: piece });
    else events.push(piece);
  }
  for (const [index, call] of (reply.toolCalls ?? []).entries()) {
    const id = call.id ?? `call-${firstCall + index}`;
    delta({ tool_calls: [{ index, id, type: "function", function: { name: call.name, arguments: "" } }] });
    for (const piece of argumentPieces(call)) delta({ tool_calls: [{ index, function: { arguments: piece } }] });
  }
  if (reply.streamError !== undefined) {
    events.push(sse({ error: reply.streamError }));
    return events;
  }
  const finish = finishOf(reply);
  if (finish === null) return events;
  events.push(sse({ ...HEAD, choices: [{ index: 0, delta: {}, finish_reason: finish }] }));
  if (reply.usage !== undefined) events.push(sse({ ...HEAD, choices: [], usage: usageOf(reply.usage) }));
  events.push(sse("[DONE]"));
  return events;
}

export function openaiBody(reply: WireReply, firstCall: number): object {
  const calls = (reply.toolCalls ?? []).map((call, index) => ({
    id: call.id ?? `call-${firstCall + index}`,
    type: "function",
    function: { name: call.name, arguments: argumentPieces(call).join("") },
  }));
  const message = {
    role: "assistant",
    content: joined(reply.text),
    ...(reply.reasoning === undefined ? {} : { reasoning_content: joined(reply.reasoning.text) }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
  return {
    ...HEAD,
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: finishOf(reply) }],
    ...(reply.usage === undefined ? {} : { usage: usageOf(reply.usage) }),
  };
}

export function openaiError({ error }: WireReply): object {
  return { error: { param: null, code: null, type: "server_error", message: "scripted error", ...error } };
}

function finishOf({ finish, toolCalls }: WireReply): string | null {
  if (finish === "none") return null;
  return FINISH[finish ?? (toolCalls === undefined ? "stop" : "tool_use")];
}

/** Here the prompt count includes what was cached. */
function usageOf({ input, output, cacheRead = 0, reasoning = 0 }: WireUsage): object {
  return {
    prompt_tokens: input + cacheRead,
    completion_tokens: output,
    total_tokens: input + cacheRead + output,
    prompt_tokens_details: { cached_tokens: cacheRead },
    completion_tokens_details: { reasoning_tokens: reasoning },
  };
}
