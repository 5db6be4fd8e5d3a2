// What the Messages API refuses, from its public documentation and from public reports.

import { demand, fieldsOf, isBlank, isFields, listOf, refuse, sameJson, textOf, type Fields } from "./json.ts";
import { demandImage } from "./media.ts";

/** What this server has sent: blocks that only it can know, and the whole answer that each stood in. */
export interface AnthropicMemory {
  readonly answers: { readonly model: string; readonly blocks: readonly Fields[] }[];
}

const NAME = /^[a-zA-Z0-9_-]{1,128}$/;
const CALL_ID = /^[a-zA-Z0-9_-]+$/;
const SERVER_CALL_ID = /^srvtoolu_[a-zA-Z0-9_]+$/;
const USER_BLOCKS = new Set(["text", "image", "document", "tool_result", "search_result"]);
const ASSISTANT_BLOCKS = new Set(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result"]);
const MAX_CACHE_MARKERS = 4;

interface Message {
  readonly role: string;
  readonly blocks: readonly Fields[];
  readonly at: string;
}

export function checkAnthropic(body: Fields, model: string, memory: AnthropicMemory): void {
  demand(model !== "", "model: Field required");
  demand(Number.isInteger(body["max_tokens"]) && Number(body["max_tokens"]) > 0, "max_tokens: Field required");
  checkSystem(body["system"]);
  checkTools(body["tools"]);
  const messages = listOf(body["messages"]).map(messageOf);
  demand(messages.length > 0, "messages: at least one message is required");
  demand(messages[0]?.role === "user", 'messages: first message must use the "user" role');
  const callIds = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const isLast = index === messages.length - 1;
    if (message.role === "user") checkUser(message, messages[index - 1]);
    else checkAssistant(message, messages[index + 1], { model, memory, callIds, isLast, hasTools: listOf(body["tools"]).length > 0 });
  }
  checkLatest(messages, body, memory, model);
  const markers = countMarkers(body);
  demand(markers <= MAX_CACHE_MARKERS, `A maximum of ${MAX_CACHE_MARKERS} blocks with cache_control may be provided. Found ${markers}.`);
}

function messageOf(message: Fields, index: number): Message {
  const at = `messages.${index}`;
  const role = textOf(message["role"]);
  demand(role === "user" || role === "assistant", `${at}: Unexpected role "${role}"`);
  const content = message["content"];
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : listOf(content);
  demand(blocks.length > 0, `${at}: all messages must have non-empty content`);
  return { role, blocks, at };
}

function checkSystem(system: unknown): void {
  if (system === undefined) return;
  const blocks = typeof system === "string" ? [{ type: "text", text: system }] : listOf(system);
  for (const block of blocks) demand(!isBlank(fieldsOf(block)["text"]), "system: text content blocks must be non-empty");
}

function checkTools(tools: unknown): void {
  const names = new Set<string>();
  for (const [index, tool] of listOf(tools).entries()) {
    const name = textOf(tool["name"]);
    demand(NAME.test(name), `tools.${index}.custom.name: String should match pattern '${NAME.source}'`);
    demand(!names.has(name), "tools: Tool names must be unique.");
    names.add(name);
    if (tool["type"] === undefined || tool["type"] === "custom") {
      demand(fieldsOf(tool["input_schema"])["type"] === "object", `tools.${index}.custom.input_schema.type: Field required`);
    }
  }
}

function checkText(block: Fields, at: string): void {
  demand(block["text"] !== "", `${at}: text content blocks must be non-empty`);
  demand(!isBlank(block["text"]), `${at}: text content blocks must contain non-whitespace text`);
}

function checkUser({ blocks, at }: Message, before: Message | undefined): void {
  const asked = (before?.role === "assistant" ? before.blocks : []).filter((block) => block["type"] === "tool_use").map((block) => block["id"]);
  const answered = new Set<unknown>();
  for (const [index, block] of blocks.entries()) {
    const where = `${at}.content.${index}`;
    demand(USER_BLOCKS.has(textOf(block["type"])), `${where}: Input tag '${String(block["type"])}' is not allowed in a user message`);
    if (block["type"] === "text") checkText(block, where);
    if (block["type"] === "image") checkImage(block, where);
    if (block["type"] !== "tool_result") continue;
    const id = block["tool_use_id"];
    demand(asked.includes(id), `${where}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${String(id)}`);
    demand(!answered.has(id), `${where}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${String(id)}`);
    answered.add(id);
    checkResultContent(block, where);
  }
}

function checkResultContent(block: Fields, where: string): void {
  const { content } = block;
  if (block["is_error"] === true) demand(content !== "" && content !== undefined, `${where}: content cannot be empty if \`is_error\` is true`);
  for (const part of listOf(content)) {
    if (part["type"] === "text") checkText(part, where);
    else if (part["type"] === "image") checkImage(part, where);
    else demand(part["type"] === "document", `${where}: Input tag '${String(part["type"])}' is not allowed in a tool result`);
  }
}

function checkImage(block: Fields, where: string): void {
  const source = fieldsOf(block["source"]);
  if (source["type"] === "url") return;
  demand(source["type"] === "base64", `${where}.image.source: Input should be base64 or url`);
  demandImage(source["media_type"], source["data"], `${where}.image.source.base64`);
}

interface AssistantContext {
  readonly model: string;
  readonly memory: AnthropicMemory;
  readonly callIds: Set<string>;
  readonly isLast: boolean;
  readonly hasTools: boolean;
}

function checkAssistant({ blocks, at }: Message, next: Message | undefined, context: AssistantContext): void {
  const { model, memory, callIds, isLast, hasTools } = context;
  for (const [index, block] of blocks.entries()) {
    const where = `${at}.content.${index}`;
    const type = textOf(block["type"]);
    demand(ASSISTANT_BLOCKS.has(type), `${where}: Input tag '${type}' is not allowed in an assistant message`);
    if (type === "text") checkText(block, where);
    if (type === "thinking" || type === "redacted_thinking") checkThinking(block, where, model, memory);
    if (type === "tool_use" || type === "server_tool_use") {
      demand(hasTools, "Requests which include `tool_use` or `tool_result` blocks must define tools");
      const id = textOf(block["id"]);
      demand((type === "tool_use" ? CALL_ID : SERVER_CALL_ID).test(id), `${where}.${type}.id: String should match the pattern of ids`);
      demand(!callIds.has(id), `${at}: \`tool_use\` ids must be unique`);
      callIds.add(id);
      demand(NAME.test(textOf(block["name"])), `${where}.${type}.name: String should match pattern '${NAME.source}'`);
      demand(isFields(block["input"]), `${where}.${type}.input: Input should be a valid dictionary`);
    }
  }
  const last = blocks.at(-1);
  demand(last?.["type"] !== "thinking" && last?.["type"] !== "redacted_thinking", `${at}: The final block in an assistant message cannot be \`thinking\`.`);
  if (isLast && last?.["type"] === "text") {
    demand(!/\s$/.test(textOf(last["text"])), "messages: final assistant content cannot end with trailing whitespace");
  }
  checkServerTools(blocks, at, memory);
  checkAnswered(blocks, at, next);
}

function checkThinking(block: Fields, where: string, model: string, memory: AnthropicMemory): void {
  const signed = block["type"] === "thinking" ? block["signature"] : block["data"];
  const known = memory.answers.find((answer) => answer.blocks.some((one) => one["type"] === block["type"] && (one["signature"] ?? one["data"]) === signed));
  const what = block["type"] === "thinking" ? "`signature` in `thinking` block" : "`data` in `redacted_thinking` block";
  demand(known !== undefined && known.model === model, `${where}: Invalid ${what}`);
}

/** A call that the API runs itself stands in one message with its result, and that came from it. */
function checkServerTools(blocks: readonly Fields[], at: string, memory: AnthropicMemory): void {
  for (const block of blocks) {
    if (block["type"] === "server_tool_use") {
      const answered = blocks.some((one) => one["type"] === "web_search_tool_result" && one["tool_use_id"] === block["id"]);
      demand(answered, `${at}: \`web_search\` tool use with id \`${String(block["id"])}\` was found without a corresponding \`web_search_tool_result\` block`);
    }
    if (block["type"] !== "web_search_tool_result") continue;
    const asked = blocks.some((one) => one["type"] === "server_tool_use" && one["id"] === block["tool_use_id"]);
    demand(asked, `${at}: unexpected \`tool_use_id\` found in \`web_search_tool_result\` blocks: ${String(block["tool_use_id"])}`);
    const known = memory.answers.some((answer) => answer.blocks.some((one) => encrypted(one) === encrypted(block)));
    demand(known, `${at}: Invalid \`encrypted_content\` in \`search_result\` block`);
  }
}

const encrypted = (block: Fields): string => listOf(block["content"]).map((one) => textOf(one["encrypted_content"])).join();

function checkAnswered(blocks: readonly Fields[], at: string, next: Message | undefined): void {
  const asked = blocks.filter((block) => block["type"] === "tool_use").map((block) => block["id"]);
  if (asked.length === 0) return;
  const answers = next?.role === "user" ? next.blocks : [];
  const lead = answers.slice(0, answers.findIndex((block) => block["type"] !== "tool_result") + 1 || answers.length);
  for (const id of asked) {
    const found = lead.some((block) => block["type"] === "tool_result" && block["tool_use_id"] === id);
    demand(found, `${at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${String(id)}`);
  }
}

const isThinking = (block: Fields): boolean => block["type"] === "thinking" || block["type"] === "redacted_thinking";

/** The thinking of the latest assistant message is looked at more closely than that of those before. */
function checkLatest(messages: readonly Message[], body: Fields, memory: AnthropicMemory, model: string): void {
  const latest = messages.findLast((message) => message.role === "assistant");
  if (latest === undefined) return;
  const given = latest.blocks.filter(isThinking);
  const sent = memory.answers.findLast((answer) => answer.model === model && answer.blocks.some((block) => latest.blocks.some((one) => identifies(block, one))));
  const expected = sent?.blocks.filter(isThinking) ?? [];
  const untouched = given.length === 0 || (given.length === expected.length && given.every((block, index) => sameJson(pick(block), pick(fieldsOf(expected[index])))));
  demand(untouched, `${latest.at}: \`thinking\` or \`redacted_thinking\` blocks in the latest assistant message cannot be modified`);
  if (fieldsOf(body["thinking"])["type"] !== "enabled") return;
  demand(messages.at(-1)?.role === "user", "messages: prefilling the assistant message is not supported when `thinking` is enabled");
  const first = latest.blocks[0];
  const inLoop = latest.blocks.some((block) => block["type"] === "tool_use") && messages.at(-1)?.blocks.some((block) => block["type"] === "tool_result") === true;
  if ((inLoop && expected.length > 0) || given.length > 0) {
    const leads = first !== undefined && (isThinking(first) || !isThinking(fieldsOf(sent?.blocks[0])));
    if (!leads) refuse(`${latest.at}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${String(first?.["type"])}\``);
  }
}

const identifies = (a: Fields, b: Fields): boolean =>
  (a["type"] === "tool_use" && b["type"] === "tool_use" && a["id"] === b["id"]) || (isThinking(a) && isThinking(b) && (a["signature"] ?? a["data"]) === (b["signature"] ?? b["data"]));

const pick = ({ type, thinking, signature, data }: Fields): Fields => ({ type, thinking, signature, data });

function countMarkers(body: Fields): number {
  let count = 0;
  const look = (block: Fields, where: string): void => {
    if (isFields(block["cache_control"])) {
      demand(!isThinking(block), `${where}: cache_control cannot be set on thinking blocks`);
      count += 1;
    }
    for (const part of listOf(block["content"])) look(part, where);
  };
  for (const tool of listOf(body["tools"])) look(tool, "tools");
  for (const block of listOf(body["system"])) look(block, "system");
  for (const message of listOf(body["messages"])) look(message, "messages");
  return count;
}
