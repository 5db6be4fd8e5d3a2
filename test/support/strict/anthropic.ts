// The Messages API of Anthropic.

import { checkAnthropic, type AnthropicMemory } from "./anthropic-rules.ts";
import { demandUnicode, fieldsOf, listOf, textOf, type Fields } from "./json.ts";
import { piecesOf, sse, type Dialect, type StrictReply } from "./server.ts";

export function anthropicDialect(): Dialect {
  const memory: AnthropicMemory = { answers: [] };
  let messages = 0;
  return {
    name: "anthropic",
    serves: (path) => path === "/v1/messages",
    modelOf: ({ body }) => textOf(body["model"]),
    isStream: ({ body }) => body["stream"] === true,
    check(body, model) {
      demandUnicode(body);
      checkAnthropic(body, model, memory);
    },
    error: (status, message) => ({
      type: "error",
      error: { type: status === 400 ? "invalid_request_error" : status === 529 ? "overloaded_error" : "api_error", message },
      request_id: "req_1",
    }),
    events: (reply, model) => events(reply, head(model, (messages += 1))),
    textIn: ({ delta }) => (fieldsOf(delta)["type"] === "text_delta" ? textOf(fieldsOf(delta)["text"]) : ""),
    whole: (reply, model) => ({ ...head(model, (messages += 1)), content: reply.parts, stop_reason: stopOf(reply), usage: { input_tokens: 10, output_tokens: 7 } }),
    remember: (reply, model) => void memory.answers.push({ model, blocks: reply.parts }),
  };
}

const head = (model: string, number: number): Fields => ({ id: `msg_${number}`, type: "message", role: "assistant", model, stop_sequence: null });

function events(reply: StrictReply, message: Fields): readonly string[] {
  const out: string[] = [];
  const send = (type: string, fields: object): void => void out.push(sse({ type, ...fields }, type));
  send("message_start", { message: { ...message, content: [], stop_reason: null, usage: { input_tokens: 10, output_tokens: 1 } } });
  for (const [index, block] of reply.parts.entries()) {
    const { start, deltas } = streamed(block, reply.piece);
    send("content_block_start", { index, content_block: start });
    for (const delta of deltas) send("content_block_delta", { index, delta });
    send("content_block_stop", { index });
  }
  send("message_delta", { delta: { stop_reason: stopOf(reply), stop_sequence: null }, usage: { output_tokens: 7 } });
  send("message_stop", {});
  return out;
}

function streamed(block: Fields, piece: number | undefined): { readonly start: Fields; readonly deltas: readonly object[] } {
  switch (block["type"]) {
    case "text":
      return {
        start: { type: "text", text: "" },
        deltas: [
          ...piecesOf(textOf(block["text"]), piece).map((text) => ({ type: "text_delta", text })),
          ...listOf(block["citations"]).map((citation) => ({ type: "citations_delta", citation })),
        ],
      };
    case "thinking":
      return {
        start: { type: "thinking", thinking: "", signature: "" },
        deltas: [
          ...piecesOf(textOf(block["thinking"]), piece).map((thinking) => ({ type: "thinking_delta", thinking })),
          { type: "signature_delta", signature: block["signature"] },
        ],
      };
    case "tool_use":
    case "server_tool_use":
      return {
        start: { ...block, input: {} },
        deltas: piecesOf(JSON.stringify(block["input"]), piece).map((partial_json) => ({ type: "input_json_delta", partial_json })),
      };
    default:
      return { start: block, deltas: [] };
  }
}

function stopOf({ stop, parts }: StrictReply): string {
  return stop ?? (parts.some((block) => block["type"] === "tool_use") ? "tool_use" : "end_turn");
}
