// Chat completions: OpenAI's own, and the many servers that are compatible with it.

import { checkChat, type ChatMemory, type ChatRules } from "./chat-rules.ts";
import { demandUnicode, fieldsOf, listOf, textOf, type Fields } from "./json.ts";
import { piecesOf, sse, type Dialect, type StrictReply } from "./server.ts";

export function chatDialect(name: string, rules: ChatRules = {}): Dialect {
  const memory: ChatMemory = { answers: [] };
  return {
    name,
    serves: (path) => path === "/v1/chat/completions",
    modelOf: ({ body }) => textOf(body["model"]),
    isStream: ({ body }) => body["stream"] === true,
    check(body, model) {
      demandUnicode(body);
      checkChat(body, model, memory, rules);
    },
    error: (status, message) => ({
      error: { message, type: status === 400 ? "invalid_request_error" : "server_error", param: null, code: null },
    }),
    events,
    textIn: ({ choices }) => textOf(fieldsOf(listOf(choices)[0]?.["delta"])["content"]),
    whole: (reply, model) => ({
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model,
      choices: [{ index: 0, message: { role: "assistant", content: null, ...messageOf(reply) }, finish_reason: stopOf(reply) }],
      usage: USAGE,
    }),
    remember: (reply) => void memory.answers.push(messageOf(reply)),
  };
}

/** OpenAI's own chat completions. */
export const openaiChatDialect = (): Dialect => chatDialect("chat");

/** A thinking model behind an OpenAI-compatible server. */
export const compatibleDialect = (rules: ChatRules = { reasoningContent: true, noEmptyMessages: true }): Dialect => chatDialect("compatible", rules);

const USAGE = { prompt_tokens: 10, completion_tokens: 7, total_tokens: 17 };

const messageOf = ({ parts }: StrictReply): Fields => fieldsOf(parts[0]);

function events(reply: StrictReply, model: string): readonly string[] {
  const out: string[] = [];
  const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model };
  const delta = (value: object): void => void out.push(sse({ ...head, choices: [{ index: 0, delta: value }] }));
  const message = messageOf(reply);
  delta({ role: "assistant", content: "" });
  for (const reasoning_content of piecesOf(textOf(message["reasoning_content"]), reply.piece)) delta({ reasoning_content });
  for (const content of piecesOf(textOf(message["content"]), reply.piece)) delta({ content });
  for (const [index, call] of listOf(message["tool_calls"]).entries()) {
    const { name, arguments: args } = fieldsOf(call["function"]);
    delta({ tool_calls: [{ index, id: call["id"], type: "function", function: { name, arguments: "" } }] });
    for (const piece of piecesOf(textOf(args), reply.piece)) delta({ tool_calls: [{ index, function: { arguments: piece } }] });
  }
  out.push(sse({ ...head, choices: [{ index: 0, delta: {}, finish_reason: stopOf(reply) }] }));
  out.push(sse({ ...head, choices: [], usage: USAGE }));
  out.push(sse("[DONE]"));
  return out;
}

function stopOf(reply: StrictReply): string {
  return reply.stop ?? (listOf(messageOf(reply)["tool_calls"]).length > 0 ? "tool_calls" : "stop");
}
