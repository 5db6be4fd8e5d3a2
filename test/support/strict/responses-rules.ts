// What the Responses API refuses, from its public documentation and from public reports.

import { demand, fieldsOf, isFields, listOf, sameJson, textOf, type Fields } from "./json.ts";
import { demandImageUrl } from "./media.ts";

/** Answers that were sent, item by item. */
export interface ResponsesMemory {
  readonly answers: { readonly model: string; readonly items: readonly Fields[]; readonly stored: boolean }[];
}

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const MAX_CALL_ID = 64;
const MAX_CACHE_KEY = 64;
const PREFIX: Readonly<Record<string, string>> = { message: "msg", reasoning: "rs", function_call: "fc", web_search_call: "ws" };
const ROLES = new Set(["user", "assistant", "system", "developer"]);

export function checkResponses(body: Fields, model: string, memory: ResponsesMemory): void {
  demand(model !== "", "Missing required parameter: 'model'.");
  checkTools(body["tools"]);
  const key = body["prompt_cache_key"];
  if (key !== undefined) {
    demand(textOf(key).length <= MAX_CACHE_KEY, `Invalid 'prompt_cache_key': string too long. Expected a string with maximum length ${MAX_CACHE_KEY}`);
  }
  demand(Array.isArray(body["input"]) || typeof body["input"] === "string", "Missing required parameter: 'input'.");
  const input = listOf(body["input"]);
  demand(input.length > 0 || typeof body["input"] === "string", "Invalid 'input': empty array");
  const items = input.map((item, index) => resolved(item, `input[${index}]`, model, memory));
  checkIds(input);
  checkPairs(items, memory);
  checkCalls(items);
}

/** References become what they refer to. */
function resolved(item: Fields, at: string, model: string, memory: ResponsesMemory): Fields {
  const id = textOf(item["id"]);
  if (item["type"] === "item_reference") {
    const answer = memory.answers.find((one) => one.stored && one.items.some((known) => known["id"] === id));
    demand(answer !== undefined, `Item with id '${id}' not found.`);
    return fieldsOf(answer.items.find((known) => known["id"] === id));
  }
  const type = textOf(item["type"] ?? (item["role"] === undefined ? "" : "message"));
  if (type === "message") checkMessage(item, at);
  else if (type === "reasoning") checkReasoning(item, at, model, memory);
  else if (type === "function_call") checkFunctionCall(item, at);
  else if (type === "function_call_output") checkOutput(item, at);
  else demand(type === "web_search_call", `Invalid value: '${type}'. '${at}.type' is not a known item type.`);
  const prefix = PREFIX[type];
  if (item["id"] !== undefined && prefix !== undefined) {
    demand(id.startsWith(`${prefix}_`), `Invalid '${at}.id': '${id}'. Expected an ID that begins with '${prefix}'.`);
  }
  return item;
}

function checkMessage(item: Fields, at: string): void {
  const role = textOf(item["role"]);
  demand(ROLES.has(role), `Invalid value: '${role}'. '${at}.role'`);
  if (typeof item["content"] === "string") return;
  const parts = listOf(item["content"]);
  demand(parts.length > 0, `Invalid '${at}.content': empty array`);
  for (const part of parts) {
    const type = textOf(part["type"]);
    const allowed = role === "assistant" ? ["output_text", "refusal"] : ["input_text", "input_image", "input_file"];
    demand(allowed.includes(type), `Invalid value: '${type}'. Supported values are: ${allowed.join(", ")}. '${at}.content'`);
    if (type === "input_image" && part["file_id"] === undefined) demandImageUrl(part["image_url"], `${at}.content.image_url`);
  }
}

function checkReasoning(item: Fields, at: string, model: string, memory: ResponsesMemory): void {
  demand(Array.isArray(item["summary"]), `Missing required parameter: '${at}.summary'.`);
  const answer = memory.answers.find((one) => one.items.some((known) => known["id"] === item["id"]));
  const known = answer?.items.find((one) => one["id"] === item["id"]);
  demand(known !== undefined, `Item with id '${String(item["id"])}' not found.`);
  if (item["encrypted_content"] === undefined || item["encrypted_content"] === null) {
    demand(answer?.stored === true, `Item with id '${String(item["id"])}' not found. Items are not persisted when \`store\` is set to false.`);
    return;
  }
  const genuine = answer?.model === model && item["encrypted_content"] === known["encrypted_content"];
  demand(genuine, `The encrypted content for item ${String(item["id"])} could not be verified.`);
  demand(sameJson(item["summary"], known["summary"]), `The summary of item ${String(item["id"])} does not belong to its encrypted content.`);
}

function checkFunctionCall(item: Fields, at: string): void {
  checkCallId(item, at);
  demand(NAME.test(textOf(item["name"])), `Invalid '${at}.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`);
  demand(typeof item["arguments"] === "string", `Missing required parameter: '${at}.arguments'.`);
}

function checkOutput(item: Fields, at: string): void {
  checkCallId(item, at);
  demand(typeof item["output"] === "string" || Array.isArray(item["output"]), `Missing required parameter: '${at}.output'.`);
  for (const part of listOf(item["output"])) {
    if (part["type"] === "input_image") demandImageUrl(part["image_url"], `${at}.output.image_url`);
    else demand(part["type"] === "input_text" || part["type"] === "input_file", `Invalid value: '${String(part["type"])}'. '${at}.output'`);
  }
}

function checkCallId(item: Fields, at: string): void {
  const id = textOf(item["call_id"]);
  demand(id !== "", `Invalid '${at}.call_id': empty string. Expected a string with minimum length 1.`);
  demand(id.length <= MAX_CALL_ID, `Invalid '${at}.call_id': string too long. Expected a string with maximum length ${MAX_CALL_ID}, but got ${id.length}.`);
}

function checkIds(input: readonly Fields[]): void {
  const seen = new Set<string>();
  for (const { id } of input) {
    if (typeof id !== "string") continue;
    demand(!seen.has(id), `Duplicate item found with id ${id}. Remove duplicate items from your input and try again.`);
    seen.add(id);
  }
}

/** Reasoning and what it led to belong together, in both directions. */
function checkPairs(items: readonly Fields[], memory: ResponsesMemory): void {
  for (const [index, item] of items.entries()) {
    const sent = memory.answers.find((answer) => answer.items.some((known) => known["id"] === item["id"] && item["id"] !== undefined));
    const place = sent?.items.findIndex((known) => known["id"] === item["id"]) ?? -1;
    if (sent === undefined || place === -1) continue;
    const next = sent.items[place + 1];
    if (item["type"] === "reasoning") {
      const follows = next !== undefined && isSame(items[index + 1], next);
      demand(follows, `Item '${String(item["id"])}' of type 'reasoning' was provided without its required following item.`);
    }
    const before = sent.items[place - 1];
    if (item["type"] !== "reasoning" && before?.["type"] === "reasoning") {
      const led = items.slice(0, index).some((one) => one["id"] === before["id"]);
      demand(led, `Item '${String(item["id"])}' of type '${String(item["type"])}' was provided without its required 'reasoning' item: '${String(before["id"])}'.`);
    }
  }
}

/** Calls come back by call id, other items by item id, a message also as its plain text. */
function isSame(given: Fields | undefined, sent: Fields): boolean {
  if (given === undefined) return false;
  if (sent["type"] === "function_call") return given["type"] === "function_call" && given["call_id"] === sent["call_id"];
  if (given["id"] !== undefined) return given["id"] === sent["id"];
  return sent["type"] === "message" && given["role"] === "assistant" && given["content"] === messageText(sent);
}

export const messageText = (item: Fields): string =>
  listOf(item["content"]).map((part) => textOf(part["text"])).join("");

function checkCalls(items: readonly Fields[]): void {
  const open = new Set<unknown>();
  const calls = new Set<unknown>();
  const outputs = new Set<unknown>();
  for (const item of items) {
    const id = item["call_id"];
    if (item["type"] === "function_call") {
      demand(!calls.has(id), `Duplicate item found with call_id ${String(id)}.`);
      calls.add(id);
      open.add(id);
    } else if (item["type"] === "function_call_output") {
      demand(calls.has(id), `No tool call found for function call output with call_id ${String(id)}.`);
      demand(!outputs.has(id), `Duplicate output found for function call ${String(id)}.`);
      outputs.add(id);
      open.delete(id);
    }
  }
  const [missing] = open;
  demand(open.size === 0, `No tool output found for function call ${String(missing)}.`);
}

function checkTools(tools: unknown): void {
  const names = new Set<string>();
  for (const [index, tool] of listOf(tools).entries()) {
    if (tool["type"] !== "function") continue;
    const name = textOf(tool["name"]);
    demand(NAME.test(name), `Invalid 'tools[${index}].name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`);
    demand(!names.has(name), `Duplicate tool name ${name}.`);
    names.add(name);
    demand(isFields(tool["parameters"]) && tool["parameters"]["type"] === "object", `Invalid schema for function '${name}': schema must be a JSON Schema of 'type: "object"'.`);
  }
}
