// What chat completions refuse: OpenAI's own, and servers that speak the same language with rules of their own.

import { demand, fieldsOf, isBlank, isFields, listOf, sameJson, textOf, type Fields } from "./json.ts";
import { demandImageUrl } from "./media.ts";

export interface ChatRules {
  /** Reasoning that came with a tool call has to come back until the user speaks again, as thinking models demand. */
  readonly reasoningContent?: boolean;
  /** Ids of calls are nine letters or digits, as Mistral demands. */
  readonly nineLetterIds?: boolean;
  /** Messages with neither text nor calls are refused, as Moonshot does; OpenAI takes them. */
  readonly noEmptyMessages?: boolean;
}

/** The messages that this server has sent. */
export interface ChatMemory {
  readonly answers: Fields[];
}

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const NINE = /^[a-zA-Z0-9]{9}$/;
const MAX_CALL_ID = 40;
const ROLES = new Set(["system", "developer", "user", "assistant", "tool"]);

export function checkChat(body: Fields, model: string, memory: ChatMemory, rules: ChatRules): void {
  demand(model !== "", "you must provide a model parameter");
  checkTools(body["tools"]);
  const messages = listOf(body["messages"]);
  demand(messages.length > 0, "[] is too short - 'messages'");
  const ids = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const at = `messages[${index}]`;
    const role = textOf(message["role"]);
    demand(ROLES.has(role), `'${role}' is not one of ['system', 'assistant', 'user', 'tool', 'developer'] - '${at}.role'`);
    if (role === "assistant") checkAssistant(message, at, ids, rules);
    else checkContent(message["content"], at, rules);
    if (role === "tool") checkTool(messages, index);
    if (role === "assistant") checkAnswered(messages, index);
  }
  if (rules.reasoningContent === true) checkReasoning(messages, memory);
}

function checkContent(content: unknown, at: string, rules: ChatRules): void {
  if (typeof content === "string") return demand(rules.noEmptyMessages !== true || !isBlank(content), `${at}: message content must not be empty`);
  demand(Array.isArray(content), `Invalid value for 'content': expected a string, got null. - '${at}.content'`);
  demand(content.length > 0, `[] is too short - '${at}.content'`);
  for (const part of listOf(content)) {
    if (part["type"] === "image_url") demandImageUrl(fieldsOf(part["image_url"])["url"], `${at}.content.image_url`);
    else if (part["type"] === "text") demand(typeof part["text"] === "string", `Missing required parameter: '${at}.content.text'`);
    else demand(part["type"] === "file" || part["type"] === "input_audio", `Invalid value: '${String(part["type"])}'. - '${at}.content.type'`);
  }
}

function checkAssistant(message: Fields, at: string, ids: Set<string>, rules: ChatRules): void {
  const calls = message["tool_calls"];
  if (calls === undefined) return checkContent(message["content"], at, rules);
  demand(Array.isArray(calls) && calls.length > 0, `[] is too short - '${at}.tool_calls'`);
  if (message["content"] !== null && message["content"] !== undefined) checkContent(message["content"], at, { ...rules, noEmptyMessages: false });
  for (const [index, call] of listOf(calls).entries()) {
    const where = `${at}.tool_calls[${index}]`;
    const id = textOf(call["id"]);
    demand(id !== "", `Missing required parameter: '${where}.id'`);
    demand(id.length <= MAX_CALL_ID, `Invalid '${where}.id': string too long. Expected a string with maximum length ${MAX_CALL_ID}, but got ${id.length}.`);
    demand(rules.nineLetterIds !== true || NINE.test(id), `Tool call id was ${id} but must be a-z, A-Z, 0-9, with a length of 9.`);
    demand(!ids.has(id), `Duplicate value for 'tool_call_id' of '${id}'`);
    ids.add(id);
    demand(call["type"] === "function", `Missing required parameter: '${where}.type'`);
    const { name, arguments: args } = fieldsOf(call["function"]);
    demand(NAME.test(textOf(name)), `Invalid '${where}.function.name': string does not match pattern '^[a-zA-Z0-9_-]+$'.`);
    demand(typeof args === "string", `Missing required parameter: '${where}.function.arguments'`);
  }
}

/** The messages of role `tool` right after this one. */
function answersAfter(messages: readonly Fields[], index: number): readonly Fields[] {
  const rest = messages.slice(index + 1);
  const end = rest.findIndex((message) => message["role"] !== "tool");
  return end === -1 ? rest : rest.slice(0, end);
}

function checkAnswered(messages: readonly Fields[], index: number): void {
  const answered = answersAfter(messages, index).map((message) => message["tool_call_id"]);
  for (const { id } of listOf(messages[index]?.["tool_calls"])) {
    const times = answered.filter((one) => one === id).length;
    demand(times > 0, `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${String(id)}`);
    demand(times === 1, `Duplicate value for 'tool_call_id' of '${String(id)}' in message of role 'tool'`);
  }
}

function checkTool(messages: readonly Fields[], index: number): void {
  const asking = messages.slice(0, index).findLast((message) => message["role"] !== "tool");
  const known = listOf(asking?.["tool_calls"]).some((call) => call["id"] === messages[index]?.["tool_call_id"]);
  demand(known, `messages with role 'tool' must be a response to a preceeding message with 'tool_calls'. - 'messages[${index}].role'`);
}

function checkReasoning(messages: readonly Fields[], memory: ChatMemory): void {
  const spoke = messages.findLastIndex((message) => message["role"] === "user");
  for (const [index, message] of messages.entries()) {
    if (message["role"] !== "assistant" || index < spoke) continue;
    const sent = memory.answers.find((answer) => listOf(answer["tool_calls"]).some((call) => listOf(message["tool_calls"]).some((one) => one["id"] === call["id"])));
    if (sent === undefined || isBlank(sent["reasoning_content"])) continue;
    const back = sameJson(message["reasoning_content"], sent["reasoning_content"]);
    demand(back, `Missing \`reasoning_content\` field in the assistant message at message index ${index}.`);
  }
}

function checkTools(tools: unknown): void {
  if (tools === undefined) return;
  demand(Array.isArray(tools) && tools.length > 0, "[] is too short - 'tools'");
  const names = new Set<string>();
  for (const [index, tool] of listOf(tools).entries()) {
    const { name, parameters } = fieldsOf(tool["function"]);
    demand(NAME.test(textOf(name)), `Invalid 'tools[${index}].function.name': string does not match pattern '^[a-zA-Z0-9_-]+$'.`);
    demand(!names.has(textOf(name)), `Duplicate function name '${textOf(name)}'`);
    names.add(textOf(name));
    demand(isFields(parameters) && parameters["type"] === "object", `Invalid schema for function '${textOf(name)}': schema must be a JSON Schema of 'type: "object"'.`);
  }
}
