// The five wires, each with its real client: how an answer is said there, and how it has to come back.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModelV4 } from "@ai-sdk/provider";
import type { AiSdkOptions } from "../../../src/providers/ai-sdk/index.ts";
import { anthropicDialect } from "./anthropic.ts";
import { compatibleDialect, openaiChatDialect } from "./chat.ts";
import { googleDialect } from "./google.ts";
import { canonical, fieldsOf, isFields, listOf, type Fields } from "./json.ts";
import { messageText } from "./responses-rules.ts";
import { responsesDialect } from "./responses.ts";
import { blocksOf, isCall, joinedText, merged, unmarked, type Numbers, type Said } from "./said.ts";
import type { Dialect, StrictReply } from "./server.ts";

export interface Answered {
  readonly input: Fields;
  readonly result: string;
}

export interface Wire {
  readonly name: string;
  dialect(): Dialect;
  model(url: string): LanguageModelV4;
  readonly settings: NonNullable<AiSdkOptions["settings"]>;
  /** What of an answer this wire has words for, in an order that its client can tell. */
  speakable(said: readonly Said[]): readonly Said[];
  reply(said: readonly Said[], numbers: Numbers): StrictReply;
  /** Parts of the model in an answer, as they have to come back. */
  echo(reply: StrictReply): readonly string[];
  /** Parts of the model in a request; what is referred to is looked up in what was sent. */
  heard(body: Fields, sent: readonly StrictReply[]): readonly string[];
  /** Calls of tools and what they are told to have given, paired by their ids. */
  answered(body: Fields): readonly Answered[];
  /** The conversation of a request, piece by piece; what comes later is only ever added. */
  pieces(body: Fields, sent: readonly StrictReply[]): readonly unknown[];
}

const only = (...kinds: readonly Said["kind"][]) => (said: readonly Said[]): readonly Said[] => said.filter(({ kind }) => kinds.includes(kind));
const KEY = { apiKey: "key" };
const callId = (prefix: string, numbers: Numbers): string => `${prefix}${String(numbers()).padStart(4, "0")}`;

/** @param results - by the id of their call. */
const paired = (calls: readonly (readonly [id: unknown, input: unknown])[], results: readonly (readonly [id: unknown, result: unknown])[]): readonly Answered[] =>
  calls.map(([id, input]) => ({
    input: fieldsOf(typeof input === "string" ? JSON.parse(input) : input),
    result: told(results.filter(([of]) => of === id).map(([, result]) => result)),
  }));

const anthropic: Wire = {
  name: "anthropic",
  dialect: anthropicDialect,
  model: (url) => createAnthropic({ ...KEY, baseURL: `${url}/v1` })("claude-sonnet-4-5"),
  settings: { reasoning: "high" },
  speakable: only("text", "reasoning", "sealed", "call", "search"),
  reply: (said, numbers) => ({
    parts: said.flatMap((one): Fields[] => {
      switch (one.kind) {
        case "text":
          return [{ type: "text", text: one.text }];
        case "reasoning":
          return [{ type: "thinking", thinking: one.text, signature: callId("sigA", numbers) }];
        case "sealed":
          return [{ type: "redacted_thinking", data: callId("sealA", numbers) }];
        case "call":
          return [{ type: "tool_use", id: callId("toolu_", numbers), name: one.tool, input: one.input }];
        case "search": {
          const id = callId("srvtoolu_", numbers);
          const found = { type: "web_search_result", url: "https://example.com/", title: "t", page_age: null, encrypted_content: callId("encA", numbers) };
          return [
            { type: "server_tool_use", id, name: "web_search", input: { query: one.query } },
            { type: "web_search_tool_result", tool_use_id: id, content: [found] },
          ];
        }
      }
    }),
  }),
  echo: (reply) => reply.parts.map(canonical),
  heard: (body) => blocksOf(body["messages"], "content").flatMap(([role, block]) => (role === "assistant" ? [canonical(block)] : [])),
  answered: (body) => {
    const blocks = blocksOf(body["messages"], "content").map(([, block]) => block);
    return paired(
      blocks.flatMap((block) => (block["type"] === "tool_use" ? [[block["id"], block["input"]]] : [])),
      blocks.flatMap((block) => (block["type"] === "tool_result" ? [[block["tool_use_id"], block["content"]]] : [])),
    );
  },
  pieces: (body) => [unmarked(body["tools"]), unmarked(body["system"]), ...blocksOf(body["messages"], "content")],
};

/** A message by reference and the same message in full are the same thing. */
const plainItem = (item: Fields): string => {
  if (item["role"] === "assistant") return canonical({ said: typeof item["content"] === "string" ? item["content"] : messageText(item) });
  if (item["type"] === "function_call") return canonical({ call: item["call_id"], name: item["name"], arguments: item["arguments"] });
  return canonical({ type: item["type"], id: item["id"], summary: item["summary"], action: item["action"] });
};
const resolve = (body: Fields, sent: readonly StrictReply[]): readonly Fields[] =>
  listOf(body["input"]).map((item) =>
    item["type"] === "item_reference" ? fieldsOf(sent.flatMap((reply) => reply.parts).find((one) => one["id"] === item["id"])) : item,
  );

function responses(name: string, stored: boolean): Wire {
  return {
    name,
    dialect: () => responsesDialect({ stored }),
    model: (url) => createOpenAI({ ...KEY, baseURL: `${url}/v1` }).responses("gpt-5"),
    settings: { reasoning: "high", ...(!stored && { providerOptions: { openai: { store: false } } }) },
    speakable: only("text", "reasoning", "sealed", "call", "search"),
    reply: (said, numbers) => ({
      parts: said.map((one): Fields => {
        switch (one.kind) {
          case "text":
            return { id: callId("msg_", numbers), type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text: one.text, annotations: [] }] };
          case "reasoning":
            return { id: callId("rs_", numbers), type: "reasoning", summary: [{ type: "summary_text", text: one.text }], encrypted_content: callId("encO", numbers) };
          case "sealed":
            return { id: callId("rs_", numbers), type: "reasoning", summary: [], encrypted_content: callId("encO", numbers) };
          case "call":
            return { id: callId("fc_", numbers), type: "function_call", status: "completed", call_id: callId("call_", numbers), name: one.tool, arguments: JSON.stringify(one.input) };
          case "search":
            return { id: callId("ws_", numbers), type: "web_search_call", status: "completed", action: { type: "search", query: one.query } };
        }
      }),
    }),
    echo: (reply) => reply.parts.map(plainItem),
    heard: (body, sent) => resolve(body, sent).flatMap((item) => (isModels(item) ? [plainItem(item)] : [])),
    answered: (body) => {
      const items = listOf(body["input"]);
      return paired(
        items.flatMap((item) => (item["type"] === "function_call" ? [[item["call_id"], item["arguments"]]] : [])),
        items.flatMap((item) => (item["type"] === "function_call_output" ? [[item["call_id"], item["output"]]] : [])),
      );
    },
    pieces: (body, sent) => [unmarked(body["tools"]), ...resolve(body, sent)],
  };
}

const isModels = (item: Fields): boolean => item["role"] === "assistant" || (item["role"] === undefined && item["type"] !== "function_call_output");

function chatMessage(said: readonly Said[], numbers: Numbers, prefix: string): Fields {
  const calls = said.filter(isCall).map((one) => ({
    id: callId(prefix, numbers),
    type: "function",
    function: { name: one.tool, arguments: JSON.stringify(one.input) },
  }));
  const text = joinedText(said, "text");
  return { content: text === "" ? null : text, ...(calls.length > 0 && { tool_calls: calls }) };
}

/** Chat servers take null and an empty text for the same thing beside calls. */
const plainMessage = ({ content, tool_calls }: Fields): string =>
  canonical({ content: content === "" ? null : content, calls: listOf(tool_calls).map((call) => [call["id"], fieldsOf(call["function"])]) });
const assistants = (body: Fields): readonly Fields[] => listOf(body["messages"]).filter((message) => message["role"] === "assistant");

const chat: Wire = {
  name: "chat",
  dialect: openaiChatDialect,
  model: (url) => createOpenAI({ ...KEY, baseURL: `${url}/v1` }).chat("gpt-4.1"),
  settings: {},
  speakable: only("text", "call"),
  reply: (said, numbers) => ({ parts: [chatMessage(said, numbers, "call_c")] }),
  echo: (reply) => reply.parts.map(plainMessage),
  heard: (body) => assistants(body).map(plainMessage),
  answered: (body) =>
    paired(
      assistants(body).flatMap((message) => listOf(message["tool_calls"]).map((call) => [call["id"], fieldsOf(call["function"])["arguments"]] as const)),
      listOf(body["messages"]).flatMap((message) => (message["role"] === "tool" ? [[message["tool_call_id"], message["content"]]] : [])),
    ),
  pieces: (body) => [body["tools"], ...listOf(body["messages"])],
};

const compatible: Wire = {
  ...chat,
  name: "compatible",
  dialect: compatibleDialect,
  model: (url) => createOpenAICompatible({ ...KEY, name: "deepseek", baseURL: `${url}/v1`, includeUsage: true })("deepseek-reasoner"),
  speakable: only("text", "reasoning", "call"),
  reply: (said, numbers) => {
    const reasoning = joinedText(said, "reasoning");
    return { parts: [{ ...(reasoning !== "" && { reasoning_content: reasoning }), ...chatMessage(said, numbers, "call_d") }] };
  },
  // Reasoning is taken away when the user speaks again; the server itself sees to it that it is there before.
  pieces: (body) => [body["tools"], ...listOf(body["messages"]).map((message) => ({ ...message, reasoning_content: undefined }))],
};

const google: Wire = {
  name: "google",
  dialect: googleDialect,
  model: (url) => createGoogle({ ...KEY, baseURL: `${url}/v1beta` })("gemini-3-pro-preview"),
  settings: { reasoning: "high" },
  // Its client goes on with an open text behind code that was run, so that stands first.
  speakable: (said) => [...only("search")(said), ...only("text", "reasoning", "call")(said)],
  reply: (said, numbers) => {
    let signed = false;
    const parts = merged(merged(said, "text"), "reasoning").flatMap((one): Fields[] => {
      switch (one.kind) {
        case "text":
          return [{ text: one.text }];
        case "reasoning":
          return [{ text: one.text, thought: true, thoughtSignature: callId("sigG", numbers) }];
        case "sealed":
          return [];
        case "call": {
          const signature = signed ? {} : { thoughtSignature: callId("sigG", numbers) };
          signed = true;
          return [{ functionCall: { id: callId("g", numbers), name: one.tool, args: one.input }, ...signature }];
        }
        case "search":
          return [{ executableCode: { language: "PYTHON", code: one.query } }, { codeExecutionResult: { outcome: "OUTCOME_OK", output: `found ${numbers()}` } }];
      }
    });
    return { parts };
  },
  echo: (reply) => reply.parts.map(canonical),
  heard: (body) => blocksOf(body["contents"], "parts").flatMap(([role, part]) => (role === "model" ? [canonical(part)] : [])),
  answered: (body) => {
    const parts = blocksOf(body["contents"], "parts").map(([, part]) => [fieldsOf(part["functionCall"]), fieldsOf(part["functionResponse"])] as const);
    return paired(
      parts.flatMap(([call]) => ("id" in call ? [[call["id"], call["args"]]] : [])),
      parts.flatMap(([, response]) => ("id" in response ? [[response["id"], response["response"]]] : [])),
    );
  },
  pieces: (body) => [body["tools"], body["systemInstruction"], ...blocksOf(body["contents"], "parts")],
};

export const WIRES: readonly Wire[] = [anthropic, responses("responses", true), responses("responses without storage", false), chat, compatible, google];

/** Texts that only their sender understands: signatures, sealed reasoning, ids of items. */
export const boundTo = (reply: StrictReply): readonly string[] =>
  reply.parts.flatMap((part) =>
    ["signature", "data", "thoughtSignature", "encrypted_content"].flatMap((field) => (typeof part[field] === "string" ? [part[field]] : [])),
  );

/** All texts of a piece of a request, as one: enough to see what is told and in which order. */
export function told(value: unknown): string {
  if (typeof value === "string") return `${opened(value)}\n`;
  if (Array.isArray(value)) return value.map(told).join("");
  return isFields(value) ? Object.values(value).map(told).join("") : "";
}

/** Arguments and results are JSON inside JSON on some wires. */
function opened(text: string): string {
  if (!/^[[{"]/.test(text)) return text;
  try {
    return told(JSON.parse(text));
  } catch {
    return text;
  }
}

