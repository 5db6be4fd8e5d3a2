// The messages dialect of the scripted model server.

import type { Gate } from "./gate.ts";
import { argumentPieces, joined, piecesOf, sse, type WireReply, type WireTimeline, type WireUsage } from "./wire-script.ts";

const STOP = { stop: "end_turn", tool_use: "tool_use", length: "max_tokens", content_filter: "refusal" } as const;
const HEAD = { id: "msg-1", type: "message", role: "assistant", model: "wire-model" };

export function anthropicStream(reply: WireReply, firstCall: number): WireTimeline {
  const events: (string | Gate)[] = [];
  const send = (type: string, fields: object): void => void events.push(sse({ type, ...fields }, type));
  let index = 0;
  const block = (start: object, deltas: readonly (object | Gate)[]): void => {
    send("content_block_start", { index, content_block: start });
    for (const delta of deltas) {
      if ("pass" in delta) events.push(delta);
      else send("content_block_delta", { index, delta });
    }
    send("content_block_stop", { index });
    index += 1;
  };

  const usage = usageOf(reply.usage ?? { input: 0, output: 0 });
  const message = { ...HEAD, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 0 } };
  send("message_start", { message });
  if (reply.reasoning !== undefined) {
    const thinking: object[] = piecesOf(reply.reasoning.text).map((piece) => ({ type: "thinking_delta", thinking: piece }));
    const { signature } = reply.reasoning;
    if (signature !== undefined) thinking.push({ type: "signature_delta", signature });
    block({ type: "thinking", thinking: "" }, thinking);
  }
  if (reply.text !== undefined) {
    const deltas = piecesOf(reply.text).map((piece) =>
      typeof piece === "string" ? { type: "text_delta", text: piece } : piece,
    );
    block({ type: "text", text: "" }, deltas);
  }
  for (const [place, call] of (reply.toolCalls ?? []).entries()) {
    const id = call.id ?? `call-${firstCall + place}`;
    const deltas = argumentPieces(call).map((piece) => ({ type: "input_json_delta", partial_json: piece }));
    block({ type: "tool_use", id, name: call.name, input: {} }, deltas);
  }
  if (reply.streamError !== undefined) {
    send("error", { error: reply.streamError });
    return events;
  }
  const stop = stopOf(reply);
  if (stop === null) return events;
  send("message_delta", { delta: { stop_reason: stop, stop_sequence: null }, usage });
  send("message_stop", {});
  return events;
}

export function anthropicBody(reply: WireReply, firstCall: number): object {
  const content: object[] = [];
  if (reply.reasoning !== undefined) {
    const { text, signature = "" } = reply.reasoning;
    content.push({ type: "thinking", thinking: joined(text), signature });
  }
  if (reply.text !== undefined) content.push({ type: "text", text: joined(reply.text) });
  for (const [place, call] of (reply.toolCalls ?? []).entries()) {
    const input: unknown = JSON.parse(argumentPieces(call).join(""));
    content.push({ type: "tool_use", id: call.id ?? `call-${firstCall + place}`, name: call.name, input });
  }
  const usage = usageOf(reply.usage ?? { input: 0, output: 0 });
  return { ...HEAD, content, stop_reason: stopOf(reply), stop_sequence: null, usage };
}

export function anthropicError({ error }: WireReply): object {
  const { type = "api_error", message = "scripted error" } = error ?? {};
  return { type: "error", error: { type, message } };
}

function stopOf({ finish, toolCalls }: WireReply): string | null {
  if (finish === "none") return null;
  return STOP[finish ?? (toolCalls === undefined ? "stop" : "tool_use")];
}

/** Here the cache counts stand beside the input, and reasoning is not told apart. */
function usageOf({ input, output, cacheRead = 0, cacheWrite = 0 }: WireUsage): object {
  return {
    input_tokens: input,
    output_tokens: output,
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: cacheWrite,
  };
}
