// The Responses API of OpenAI.

import { demandUnicode, fieldsOf, listOf, textOf, type Fields } from "./json.ts";
import { checkResponses, type ResponsesMemory } from "./responses-rules.ts";
import { piecesOf, sse, type Dialect, type StrictReply } from "./server.ts";

/** @param options.stored - what the API answers with can be referred to by id later; false for `store: false`. */
export function responsesDialect({ stored = true }: { readonly stored?: boolean } = {}): Dialect {
  const memory: ResponsesMemory = { answers: [] };
  let responses = 0;
  return {
    name: "responses",
    serves: (path) => path === "/v1/responses",
    modelOf: ({ body }) => textOf(body["model"]),
    isStream: ({ body }) => body["stream"] === true,
    check(body, model) {
      demandUnicode(body);
      checkResponses(body, model, memory);
    },
    error: (status, message) => ({
      error: { message, type: status === 400 ? "invalid_request_error" : "server_error", param: null, code: null },
    }),
    events: (reply, model) => events(reply, head(model, (responses += 1))),
    textIn: ({ type, delta }) => (type === "response.output_text.delta" ? textOf(delta) : ""),
    whole: (reply, model) => ({ ...head(model, (responses += 1)), status: "completed", output: reply.parts, usage: USAGE }),
    remember: (reply, model) => void memory.answers.push({ model, items: reply.parts, stored }),
  };
}

const USAGE = {
  input_tokens: 10,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 2 },
  total_tokens: 17,
};

const head = (model: string, number: number): Fields => ({ id: `resp_${number}`, object: "response", created_at: 1, model });

function events(reply: StrictReply, response: Fields): readonly string[] {
  const out: string[] = [];
  const send = (event: Fields): void => void out.push(sse({ sequence_number: out.length, ...event }, textOf(event["type"])));
  send({ type: "response.created", response: { ...response, status: "in_progress", output: [] } });
  for (const [output_index, item] of reply.parts.entries()) {
    send({ type: "response.output_item.added", output_index, item: started(item) });
    for (const event of progress(item, output_index, reply.piece)) send(event);
    send({ type: "response.output_item.done", output_index, item });
  }
  const incomplete = reply.stop === undefined ? {} : { incomplete_details: { reason: reply.stop } };
  const status = reply.stop === undefined ? "completed" : "incomplete";
  send({ type: `response.${status}`, response: { ...response, ...incomplete, status, output: reply.parts, usage: USAGE } });
  return out;
}

function started(item: Fields): Fields {
  if (item["type"] === "message") return { ...item, status: "in_progress", content: [] };
  if (item["type"] === "reasoning") return { ...item, summary: [] };
  return item["type"] === "function_call" ? { ...item, arguments: "" } : item;
}

function* progress(item: Fields, output_index: number, piece: number | undefined): Generator<Fields> {
  const item_id = item["id"];
  if (item["type"] === "reasoning") {
    for (const [summary_index, part] of listOf(item["summary"]).entries()) {
      const at = { item_id, output_index, summary_index };
      yield { type: "response.reasoning_summary_part.added", ...at, part: { type: "summary_text", text: "" } };
      for (const delta of piecesOf(textOf(part["text"]), piece)) yield { type: "response.reasoning_summary_text.delta", ...at, delta };
      yield { type: "response.reasoning_summary_text.done", ...at, text: part["text"] };
      yield { type: "response.reasoning_summary_part.done", ...at, part };
    }
  }
  if (item["type"] === "message") {
    for (const [content_index, part] of listOf(item["content"]).entries()) {
      const at = { item_id, output_index, content_index };
      yield { type: "response.content_part.added", ...at, part: { type: "output_text", text: "", annotations: [] } };
      for (const delta of piecesOf(textOf(part["text"]), piece)) yield { type: "response.output_text.delta", ...at, delta };
      yield { type: "response.output_text.done", ...at, text: fieldsOf(part)["text"] };
      yield { type: "response.content_part.done", ...at, part };
    }
  }
  if (item["type"] === "function_call") {
    const at = { item_id, output_index };
    for (const delta of piecesOf(textOf(item["arguments"]), piece)) yield { type: "response.function_call_arguments.delta", ...at, delta };
    yield { type: "response.function_call_arguments.done", ...at, arguments: item["arguments"] };
  }
}
