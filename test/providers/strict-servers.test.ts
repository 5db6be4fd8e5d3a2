// The strict servers themselves: each rule has a request that keeps it and one that breaks it.

import { afterEach, describe, expect, test } from "vitest";
import { anthropicDialect } from "../support/strict/anthropic.ts";
import { compatibleDialect, openaiChatDialect } from "../support/strict/chat.ts";
import { googleDialect } from "../support/strict/google.ts";
import type { Fields } from "../support/strict/json.ts";
import { responsesDialect } from "../support/strict/responses.ts";
import { startStrict, type Dialect, type StrictReply, type StrictServer } from "../support/strict/server.ts";

interface Rule {
  readonly name: string;
  readonly kept: Fields | string;
  readonly broken: Fields | string;
  readonly says: RegExp;
}

interface Wire {
  readonly dialect: () => Dialect;
  readonly path: string;
  /** Answers that the server gives to `first` before the rules are tried, so that it has something to remember. */
  readonly given: readonly StrictReply[];
  readonly first: Fields;
  readonly rules: readonly Rule[];
}

const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex").toString("base64");
const JPEG = Buffer.from("ffd8ffe000104a464946", "hex").toString("base64");
const HALF = "half \ud83d";

let server: StrictServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function ask(path: string, body: Fields | string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${server?.url}${path}`, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
  return { status: response.status, text: await response.text() };
}

async function prepared({ dialect, path, given, first }: Wire): Promise<StrictServer> {
  const answers = [...given];
  server = await startStrict(dialect(), () => answers.shift() ?? { parts: [] });
  for (const _ of given) expect((await ask(path, first)).status).toBe(200);
  return server;
}

// ---- Anthropic -----------------------------------------------------------------------------------------------------

const user = (...content: Fields[]): Fields => ({ role: "user", content });
const assistant = (...content: Fields[]): Fields => ({ role: "assistant", content });
const text = (words: string, more: Fields = {}): Fields => ({ type: "text", text: words, ...more });
const thinking = (words: string, signature: string): Fields => ({ type: "thinking", thinking: words, signature });
const use = (id: string, name = "look", input: unknown = {}): Fields => ({ type: "tool_use", id, name, input });
const result = (id: string, more: Fields = {}): Fields => ({ type: "tool_result", tool_use_id: id, content: "seen", ...more });
const image = (media_type: string, data: string): Fields => ({ type: "image", source: { type: "base64", media_type, data } });
const SEARCH = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } };
const FOUND = { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [{ type: "web_search_result", url: "u", title: "t", encrypted_content: "E1" }] };
const TOOL = { name: "look", input_schema: { type: "object" } };
const MARK = { cache_control: { type: "ephemeral" } };

const messages = (...list: Fields[]): Fields => ({ model: "claude", max_tokens: 9, stream: true, tools: [TOOL], messages: list });
const asked = (...blocks: Fields[]): Fields => messages(user(text("go")), ...(blocks.length === 0 ? [] : [user(...blocks)]));
const ran = (blocks: Fields[], ...after: Fields[]): Fields => messages(user(text("go")), assistant(...blocks), ...after);

const anthropic: Wire = {
  dialect: anthropicDialect,
  path: "/v1/messages",
  first: messages(user(text("go"))),
  given: [
    { parts: [thinking("hm", "S1"), text("sure"), use("a1"), use("a2")] },
    { parts: [{ type: "redacted_thinking", data: "D1" }, SEARCH, FOUND, text("found")] },
  ],
  rules: [
    { name: "the body is Unicode", kept: asked(text("whole \ud83d\ude00")), broken: asked(text(HALF)), says: /surrogate/ },
    { name: "there are messages", kept: asked(), broken: messages(), says: /at least one message/ },
    { name: "the first message is the user's", kept: asked(), broken: messages(assistant(text("hi")), user(text("go"))), says: /first message/ },
    { name: "roles are user and assistant", kept: asked(), broken: messages(user(text("go")), { role: "tool", content: "x" }), says: /Unexpected role/ },
    { name: "messages have content", kept: asked(text("x")), broken: messages(user(text("go")), user()), says: /non-empty content/ },
    { name: "text is not empty", kept: asked(text("x")), broken: asked(text("")), says: /must be non-empty/ },
    { name: "text is not blank", kept: asked(text(" x")), broken: asked(text("x"), text(" \n")), says: /non-whitespace/ },
    { name: "the system prompt is not empty", kept: { ...asked(), system: [text("be")] }, broken: { ...asked(), system: [text("")] }, says: /system: text/ },
    { name: "tool names are legal", kept: { ...asked(), tools: [{ ...TOOL, name: "a-b_c" }] }, broken: { ...asked(), tools: [{ ...TOOL, name: "a.b" }] }, says: /should match pattern/ },
    { name: "tool names are unique", kept: { ...asked(), tools: [TOOL, { ...TOOL, name: "b" }] }, broken: { ...asked(), tools: [TOOL, TOOL] }, says: /must be unique/ },
    { name: "schemas are of objects", kept: asked(), broken: { ...asked(), tools: [{ name: "look", input_schema: {} }] }, says: /input_schema/ },
    { name: "blocks stand in messages of their role", kept: ran([text("x")], user(text("y"))), broken: messages(user(use("a1"))), says: /not allowed in a user message/ },
    { name: "thinking is signed by this server", kept: ran([thinking("hm", "S1"), text("sure")], user(text("y"))), broken: ran([thinking("hm", "S9"), text("sure")], user(text("y"))), says: /Invalid `signature`/ },
    { name: "thinking is of this model", kept: ran([thinking("hm", "S1"), text("sure")], user(text("y"))), broken: { ...ran([thinking("hm", "S1"), text("sure")], user(text("y"))), model: "other" }, says: /Invalid `signature`/ },
    { name: "the latest thinking is unchanged", kept: ran([thinking("hm", "S1"), text("sure")], user(text("y"))), broken: ran([thinking("hm.", "S1"), text("sure")], user(text("y"))), says: /cannot be modified/ },
    { name: "redacted thinking is this server's", kept: ran([{ type: "redacted_thinking", data: "D1" }, text("x")], user(text("y"))), broken: ran([{ type: "redacted_thinking", data: "D2" }, text("x")], user(text("y"))), says: /Invalid `data`/ },
    { name: "thinking is not the last block", kept: ran([thinking("hm", "S1"), text("sure")], user(text("y"))), broken: ran([thinking("hm", "S1")], user(text("y"))), says: /final block/ },
    {
      name: "with thinking on, a tool loop begins with the thinking that led to it",
      kept: { ...ran([thinking("hm", "S1"), use("a1")], user(result("a1"))), thinking: { type: "enabled" } },
      broken: { ...ran([use("a1")], user(result("a1"))), thinking: { type: "enabled" } },
      says: /Expected `thinking`/,
    },
    {
      name: "with thinking on, text does not stand before thinking",
      kept: { ...ran([thinking("hm", "S1"), text("sure")], user(text("y"))), thinking: { type: "enabled" } },
      broken: { ...ran([text("sure"), thinking("hm", "S1"), text("sure")], user(text("y"))), thinking: { type: "enabled" } },
      says: /Expected `thinking`/,
    },
    { name: "call ids are legal", kept: ran([use("a-1")], user(result("a-1"))), broken: ran([use("a.1")], user(result("a.1"))), says: /pattern of ids/ },
    { name: "call ids are unique", kept: ran([use("a1"), use("a2")], user(result("a1"), result("a2"))), broken: ran([use("a1")], user(result("a1")), assistant(use("a1")), user(result("a1"))), says: /must be unique/ },
    { name: "names of calls are legal", kept: ran([use("a1")], user(result("a1"))), broken: ran([use("a1", "a b")], user(result("a1"))), says: /tool_use.name/ },
    { name: "inputs of calls are objects", kept: ran([use("a1")], user(result("a1"))), broken: ran([use("a1", "look", "x")], user(result("a1"))), says: /valid dictionary/ },
    { name: "calls need tools", kept: ran([use("a1")], user(result("a1"))), broken: { ...ran([use("a1")], user(result("a1"))), tools: undefined }, says: /must define tools/ },
    { name: "every call is answered in the next message", kept: ran([use("a1")], user(result("a1"))), broken: ran([use("a1"), use("a2")], user(result("a1"))), says: /without `tool_result`/ },
    { name: "results stand first", kept: ran([use("a1")], user(result("a1"), text("y"))), broken: ran([use("a1")], user(text("y"), result("a1"))), says: /without `tool_result`/ },
    { name: "results are contiguous", kept: ran([use("a1"), use("a2")], user(result("a1"), result("a2"), image("image/png", PNG))), broken: ran([use("a1"), use("a2")], user(result("a1"), image("image/png", PNG), result("a2"))), says: /without `tool_result`/ },
    { name: "results belong to calls", kept: ran([use("a1")], user(result("a1"))), broken: ran([use("a1")], user(result("a1"), result("a9"))), says: /unexpected `tool_use_id`/ },
    { name: "a call has one result", kept: ran([use("a1")], user(result("a1"))), broken: ran([use("a1")], user(result("a1"), result("a1"))), says: /single result/ },
    { name: "a failed result says something", kept: ran([use("a1")], user(result("a1", { is_error: true }))), broken: ran([use("a1")], user(result("a1", { is_error: true, content: "" }))), says: /is_error/ },
    { name: "text in results is not empty", kept: ran([use("a1")], user(result("a1", { content: [text("x")] }))), broken: ran([use("a1")], user(result("a1", { content: [text("")] }))), says: /non-empty/ },
    { name: "a prefill does not end in white space", kept: ran([text("so")]), broken: ran([text("so ")]), says: /trailing whitespace/ },
    { name: "images are of a known type", kept: asked(image("image/png", PNG)), broken: asked(image("image/tiff", PNG)), says: /unsupported image media type/ },
    { name: "images are what they say", kept: asked(image("image/jpeg", JPEG)), broken: asked(image("image/png", JPEG)), says: /does not match/ },
    { name: "a search stands with its result", kept: ran([SEARCH, FOUND, text("found")], user(text("y"))), broken: ran([SEARCH, text("found")], user(text("y"))), says: /without a corresponding/ },
    { name: "a result of a search stands with it", kept: ran([SEARCH, FOUND, text("found")], user(text("y"))), broken: ran([FOUND, text("found")], user(text("y"))), says: /unexpected `tool_use_id`/ },
    { name: "results of searches are this server's", kept: ran([SEARCH, FOUND, text("found")], user(text("y"))), broken: ran([SEARCH, { ...FOUND, content: [{ encrypted_content: "E2" }] }, text("found")], user(text("y"))), says: /encrypted_content/ },
    { name: "there are at most four cache markers", kept: asked(...[1, 2, 3, 4].map((n) => text(`${n}`, MARK))), broken: asked(...[1, 2, 3, 4, 5].map((n) => text(`${n}`, MARK))), says: /maximum of 4/ },
    { name: "thinking has no cache marker", kept: ran([thinking("hm", "S1"), text("sure", MARK)], user(text("y"))), broken: ran([{ ...thinking("hm", "S1"), ...MARK }, text("sure")], user(text("y"))), says: /cache_control/ },
  ],
};

// ---- OpenAI Responses ----------------------------------------------------------------------------------------------

const said = (words: string): Fields => ({ role: "user", content: [{ type: "input_text", text: words }] });
const ref = (id: string): Fields => ({ type: "item_reference", id });
const reason = (id: string, more: Fields = {}): Fields => ({ type: "reasoning", id, summary: [{ type: "summary_text", text: "hm" }], ...more });
const message = (id: string, words: string): Fields => ({ type: "message", id, role: "assistant", status: "completed", content: [{ type: "output_text", text: words, annotations: [] }] });
const call = (call_id: string, more: Fields = {}): Fields => ({ type: "function_call", call_id, name: "look", arguments: "{}", ...more });
const output = (call_id: string): Fields => ({ type: "function_call_output", call_id, output: "seen" });
const FUNCTION = { type: "function", name: "look", parameters: { type: "object" } };
const input = (...items: Fields[]): Fields => ({ model: "gpt-5", stream: true, tools: [FUNCTION], input: [said("go"), ...items] });

const responses: Wire = {
  dialect: responsesDialect,
  path: "/v1/responses",
  first: input(),
  given: [
    { parts: [reason("rs_1", { encrypted_content: "E1" }), message("msg_1", "sure")] },
    { parts: [reason("rs_2", { encrypted_content: "E2" }), call("c2", { id: "fc_2" })] },
  ],
  rules: [
    { name: "the body is Unicode", kept: input(said("whole \ud83d\ude00")), broken: input(said(HALF)), says: /surrogate/ },
    { name: "there is input", kept: input(), broken: { ...input(), input: [] }, says: /empty array/ },
    { name: "roles are known", kept: input(), broken: input({ role: "tool", content: "x" }), says: /role/ },
    { name: "contents are of their role", kept: input(said("x")), broken: input({ role: "user", content: [{ type: "output_text", text: "x" }] }), says: /Supported values/ },
    { name: "contents are not empty", kept: input(said("x")), broken: input({ role: "user", content: [] }), says: /empty array/ },
    { name: "item types are known", kept: input(), broken: input({ type: "thought", id: "x" }), says: /not a known item type/ },
    { name: "references are to items that it knows", kept: input(ref("rs_1"), ref("msg_1")), broken: input(ref("msg_9")), says: /not found/ },
    { name: "reasoning is followed by what it led to", kept: input(ref("rs_1"), ref("msg_1"), said("y")), broken: input(ref("rs_1"), said("y")), says: /required following item/ },
    { name: "reasoning is followed by the call it led to", kept: input(ref("rs_2"), call("c2"), output("c2")), broken: input(ref("rs_2"), call("c3"), output("c3")), says: /required following item/ },
    { name: "a message by id comes with its reasoning", kept: input(ref("rs_1"), ref("msg_1")), broken: input(ref("msg_1")), says: /required 'reasoning' item/ },
    { name: "reasoning stands before its message", kept: input(ref("rs_1"), ref("msg_1")), broken: input(ref("msg_1"), ref("rs_1")), says: /required/ },
    { name: "encrypted reasoning is its own", kept: input(reason("rs_1", { encrypted_content: "E1" }), ref("msg_1")), broken: input(reason("rs_1", { encrypted_content: "E9" }), ref("msg_1")), says: /could not be verified/ },
    { name: "encrypted reasoning is of this model", kept: input(reason("rs_1", { encrypted_content: "E1" }), ref("msg_1")), broken: { ...input(reason("rs_1", { encrypted_content: "E1" }), ref("msg_1")), model: "other" }, says: /could not be verified/ },
    { name: "items stand once", kept: input(ref("rs_1"), ref("msg_1")), broken: input(ref("rs_1"), ref("msg_1"), ref("rs_1"), ref("msg_1")), says: /Duplicate item/ },
    { name: "ids begin as their items do", kept: input(call("c", { id: "fc_9" }), output("c")), broken: input(call("c", { id: "toolu_9" }), output("c")), says: /begins with 'fc'/ },
    { name: "calls have outputs", kept: input(call("c"), output("c")), broken: input(call("c")), says: /No tool output/ },
    { name: "outputs have calls", kept: input(call("c"), output("c")), broken: input(output("c")), says: /No tool call/ },
    { name: "call ids are unique", kept: input(call("c"), output("c"), call("d"), output("d")), broken: input(call("c"), output("c"), call("c"), output("c")), says: /Duplicate/ },
    { name: "a call has one output", kept: input(call("c"), output("c")), broken: input(call("c"), output("c"), output("c")), says: /Duplicate output/ },
    { name: "call ids have at most 64 characters", kept: input(call("c".repeat(64)), output("c".repeat(64))), broken: input(call("c".repeat(65)), output("c".repeat(65))), says: /too long/ },
    { name: "names of calls are legal", kept: input(call("c"), output("c")), broken: input(call("c", { name: "a.b" }), output("c")), says: /pattern/ },
    { name: "names of tools are legal", kept: { ...input(), tools: [FUNCTION] }, broken: { ...input(), tools: [{ ...FUNCTION, name: "x".repeat(65) }] }, says: /pattern/ },
    { name: "names of tools are unique", kept: input(), broken: { ...input(), tools: [FUNCTION, FUNCTION] }, says: /Duplicate tool/ },
    { name: "schemas are of objects", kept: input(), broken: { ...input(), tools: [{ ...FUNCTION, parameters: {} }] }, says: /schema/ },
    { name: "images are what they say", kept: input({ role: "user", content: [{ type: "input_image", image_url: `data:image/png;base64,${PNG}` }] }), broken: input({ role: "user", content: [{ type: "input_image", image_url: `data:image/png;base64,${JPEG}` }] }), says: /does not match/ },
    { name: "cache keys have at most 64 characters", kept: { ...input(), prompt_cache_key: "k".repeat(64) }, broken: { ...input(), prompt_cache_key: "k".repeat(65) }, says: /too long/ },
  ],
};

const unstored: Wire = {
  ...responses,
  dialect: () => responsesDialect({ stored: false }),
  rules: [
    { name: "what was not stored cannot be referred to", kept: input(reason("rs_1", { encrypted_content: "E1" }), message("msg_1", "sure")), broken: input(ref("rs_1"), ref("msg_1")), says: /not found/ },
    { name: "reasoning that was not stored brings its content", kept: input(reason("rs_1", { encrypted_content: "E1" }), { role: "assistant", content: "sure" }), broken: input(reason("rs_1"), message("msg_1", "sure")), says: /not persisted/ },
  ],
};

// ---- chat completions ----------------------------------------------------------------------------------------------

const functionCall = (id: string, name = "look"): Fields => ({ id, type: "function", function: { name, arguments: "{}" } });
const calling = (...tool_calls: Fields[]): Fields => ({ role: "assistant", content: null, tool_calls });
const answer = (tool_call_id: string): Fields => ({ role: "tool", tool_call_id, content: "seen" });
const spoken = (content: unknown): Fields => ({ role: "user", content });
const picture = (url: string): Fields => ({ type: "image_url", image_url: { url } });
const CHAT_TOOL = { type: "function", function: { name: "look", parameters: { type: "object" } } };
const chatBody = (...list: Fields[]): Fields => ({ model: "gpt", stream: true, tools: [CHAT_TOOL], messages: [spoken("go"), ...list] });

const chatRules: readonly Rule[] = [
  { name: "the body is Unicode", kept: chatBody(spoken("whole \ud83d\ude00")), broken: chatBody(spoken(HALF)), says: /surrogate/ },
  { name: "there are messages", kept: chatBody(), broken: { ...chatBody(), messages: [] }, says: /too short/ },
  { name: "roles are known", kept: chatBody({ role: "developer", content: "x" }), broken: chatBody({ role: "model", content: "x" }), says: /is not one of/ },
  { name: "content is not null without calls", kept: chatBody(calling(functionCall("c")), answer("c")), broken: chatBody({ role: "assistant", content: null }), says: /got null/ },
  { name: "lists of content are not empty", kept: chatBody(spoken([{ type: "text", text: "x" }])), broken: chatBody(spoken([])), says: /too short/ },
  { name: "lists of calls are not empty", kept: chatBody(calling(functionCall("c")), answer("c")), broken: chatBody({ role: "assistant", content: "x", tool_calls: [] }), says: /too short/ },
  { name: "every call is answered", kept: chatBody(calling(functionCall("c"), functionCall("d")), answer("c"), answer("d")), broken: chatBody(calling(functionCall("c"), functionCall("d")), answer("c")), says: /must be followed by tool messages/ },
  { name: "answers follow their calls directly", kept: chatBody(calling(functionCall("c"), functionCall("d")), answer("c"), answer("d"), spoken("y")), broken: chatBody(calling(functionCall("c"), functionCall("d")), answer("c"), spoken("y"), answer("d")), says: /must be followed by tool messages/ },
  { name: "answers have calls", kept: chatBody(calling(functionCall("c")), answer("c")), broken: chatBody(calling(functionCall("c")), answer("c"), answer("e")), says: /must be a response to/ },
  { name: "a call has one answer", kept: chatBody(calling(functionCall("c")), answer("c")), broken: chatBody(calling(functionCall("c")), answer("c"), answer("c")), says: /Duplicate/ },
  { name: "call ids are unique", kept: chatBody(calling(functionCall("c")), answer("c"), calling(functionCall("d")), answer("d")), broken: chatBody(calling(functionCall("c")), answer("c"), calling(functionCall("c")), answer("c")), says: /Duplicate/ },
  { name: "call ids have at most 40 characters", kept: chatBody(calling(functionCall("c".repeat(40))), answer("c".repeat(40))), broken: chatBody(calling(functionCall("c".repeat(41))), answer("c".repeat(41))), says: /too long/ },
  { name: "names of calls are legal", kept: chatBody(calling(functionCall("c")), answer("c")), broken: chatBody(calling(functionCall("c", "a.b")), answer("c")), says: /pattern/ },
  { name: "names of tools are legal", kept: chatBody(), broken: { ...chatBody(), tools: [{ type: "function", function: { name: "a b", parameters: { type: "object" } } }] }, says: /pattern/ },
  { name: "names of tools are unique", kept: chatBody(), broken: { ...chatBody(), tools: [CHAT_TOOL, CHAT_TOOL] }, says: /Duplicate function/ },
  { name: "lists of tools are not empty", kept: chatBody(), broken: { ...chatBody(), tools: [] }, says: /too short/ },
  { name: "images are what they say", kept: chatBody(spoken([picture(`data:image/png;base64,${PNG}`)])), broken: chatBody(spoken([picture(`data:image/png;base64,${JPEG}`)])), says: /does not match/ },
];

const chat: Wire = { dialect: openaiChatDialect, path: "/v1/chat/completions", first: chatBody(), given: [{ parts: [{ content: "sure" }] }], rules: chatRules };

const looking = { ...calling(functionCall("thought")), reasoning_content: "hm" };
const compatible: Wire = {
  ...chat,
  dialect: compatibleDialect,
  given: [{ parts: [looking] }],
  rules: [
    ...chatRules,
    { name: "reasoning of a tool loop comes back", kept: chatBody(looking, answer("thought")), broken: chatBody(calling(functionCall("thought")), answer("thought")), says: /reasoning_content/ },
    { name: "reasoning of a tool loop comes back as it was", kept: chatBody(calling(functionCall("thought")), answer("thought"), spoken("y")), broken: chatBody({ ...looking, reasoning_content: "h" }, answer("thought")), says: /reasoning_content/ },
    { name: "messages are not empty", kept: chatBody(spoken("x")), broken: chatBody({ role: "assistant", content: "" }), says: /must not be empty/ },
  ],
};

const nine: Wire = {
  ...chat,
  dialect: () => compatibleDialect({ nineLetterIds: true }),
  rules: [{ name: "call ids have nine letters or digits", kept: chatBody(calling(functionCall("abcDEF123")), answer("abcDEF123")), broken: chatBody(calling(functionCall("call_1234")), answer("call_1234")), says: /length of 9/ }],
};

// ---- Google --------------------------------------------------------------------------------------------------------

const says = (...parts: Fields[]): Fields => ({ role: "user", parts });
const model = (...parts: Fields[]): Fields => ({ role: "model", parts });
const calls = (name: string, more: Fields = {}, id = name): Fields => ({ functionCall: { id, name, args: {} }, ...more });
const responds = (name: string, id = name): Fields => ({ functionResponse: { id, name, response: { content: "seen" } } });
const inline = (mimeType: string, data: string): Fields => ({ inlineData: { mimeType, data } });
const contents = (...list: Fields[]): Fields => ({ contents: [says({ text: "go" }), ...list] });
const declared = (...names: string[]): Fields => ({ ...contents(), tools: [{ functionDeclarations: names.map((name) => ({ name })) }] });
const SIGNED = { thoughtSignature: "T1" };

const google: Wire = {
  dialect: googleDialect,
  path: "/v1beta/models/gemini-3-pro-preview:streamGenerateContent?alt=sse",
  first: contents(),
  given: [{ parts: [calls("look", SIGNED), calls("more")] }, { parts: [{ text: "sure", thoughtSignature: "T2" }] }],
  rules: [
    { name: "the body is Unicode", kept: contents(model({ text: "a" }), says({ text: "\ud83d\ude00" })), broken: contents(model({ text: "a" }), says({ text: HALF })), says: /surrogate/ },
    { name: "there are contents", kept: contents(), broken: { contents: [] }, says: /contents is not specified/ },
    { name: "roles are user and model", kept: contents(), broken: contents({ role: "assistant", parts: [{ text: "x" }] }), says: /valid role/ },
    { name: "the first content is the user's", kept: contents(), broken: { contents: [model({ text: "x" }), says({ text: "y" })] }, says: /first content/ },
    { name: "the last content is the user's", kept: contents(model({ text: "x" }), says({ text: "y" })), broken: contents(model({ text: "x" })), says: /end with a user role/ },
    { name: "contents have parts", kept: contents(model({ text: "x" }), says({ text: "y" })), broken: contents(model(), says({ text: "y" })), says: /must not be empty/ },
    { name: "parts hold one thing", kept: contents(says({ text: "y" })), broken: contents(says({})), says: /oneof/ },
    { name: "text is not empty", kept: contents(says({ text: "y" })), broken: contents(says({ text: "" })), says: /text parameter/ },
    { name: "empty text that is signed is taken", kept: contents(model({ text: "", thoughtSignature: "T2" }), says({ text: "y" })), broken: contents(model({ text: "" }), says({ text: "y" })), says: /text parameter/ },
    { name: "signatures are its own", kept: contents(model({ text: "sure", thoughtSignature: "T2" }), says({ text: "y" })), broken: contents(model({ text: "sure", thoughtSignature: "T9" }), says({ text: "y" })), says: /Corrupted/ },
    { name: "a signature of a call signs that call", kept: contents(model(calls("look", SIGNED)), says(responds("look"))), broken: contents(model(calls("more", SIGNED)), says(responds("more"))), says: /not valid for this function call/ },
    { name: "a signature of a call signs no text", kept: contents(model({ text: "sure", thoughtSignature: "T2" }), says({ text: "y" })), broken: contents(model({ text: "sure", ...SIGNED }), says({ text: "y" })), says: /not valid for this part/ },
    { name: "the first call of a step is signed", kept: contents(model(calls("look", SIGNED), calls("more")), says(responds("look"), responds("more"))), broken: contents(model(calls("more"), calls("look", SIGNED)), says(responds("more"), responds("look"))), says: /missing a thought_signature/ },
    { name: "calls before the user spoke need no signature", kept: contents(model(calls("look")), says(responds("look")), model({ text: "x" }), says({ text: "y" })), broken: contents(model(calls("look")), says(responds("look"))), says: /missing a thought_signature/ },
    { name: "as many results as calls", kept: contents(model(calls("look", SIGNED), calls("more")), says(responds("look"), responds("more"))), broken: contents(model(calls("look", SIGNED), calls("more")), says(responds("look"))), says: /equal to the number/ },
    { name: "results follow calls", kept: contents(model(calls("look", SIGNED)), says(responds("look"))), broken: contents(model({ text: "x" }), says(responds("look"))), says: /immediately after a function call/ },
    { name: "results are of their calls", kept: contents(model(calls("look", SIGNED)), says(responds("look"))), broken: contents(model(calls("look", SIGNED)), says(responds("more"))), says: /does not belong/ },
    { name: "results have ids of their own", kept: contents(model(calls("look", SIGNED, "1"), calls("look", {}, "2")), says(responds("look", "1"), responds("look", "2"))), broken: contents(model(calls("look", SIGNED, "1"), calls("look", {}, "2")), says(responds("look", "1"), responds("look", "1"))), says: /ids of their own/ },
    { name: "calls follow the user", kept: contents(model(calls("look", SIGNED)), says(responds("look"))), broken: contents(model({ text: "x" }), model(calls("look", SIGNED)), says(responds("look"))), says: /comes immediately after a user turn/ },
    { name: "names are legal", kept: declared("a.b-c"), broken: declared("1a"), says: /Invalid function name/ },
    { name: "names are unique", kept: declared("a", "b"), broken: declared("a", "a"), says: /Duplicate function/ },
    { name: "images are what they say", kept: contents(says(inline("image/png", PNG))), broken: contents(says(inline("image/png", JPEG))), says: /does not match/ },
  ],
};

const alternating: Wire = {
  ...google,
  dialect: () => googleDialect({ alternate: true }),
  rules: [{ name: "roles alternate", kept: contents(model({ text: "x" }), says({ text: "y" })), broken: contents(says({ text: "y" })), says: /alternate/ }],
};

const WIRES: readonly (readonly [string, Wire])[] = [
  ["Anthropic messages", anthropic],
  ["OpenAI responses", responses],
  ["OpenAI responses without storage", unstored],
  ["OpenAI chat completions", chat],
  ["OpenAI-compatible", compatible],
  ["OpenAI-compatible with short ids", nine],
  ["Google", google],
  ["Google with alternation", alternating],
];

describe.each(WIRES)("the strict server of %s", (_, wire) => {
  test.each(wire.rules)("takes a request that keeps a rule and refuses one that breaks it: $name", async ({ kept, broken, says: words }) => {
    const { refusals } = await prepared(wire);
    expect(await ask(wire.path, kept)).toMatchObject({ status: 200 });
    expect(refusals).toEqual([]);
    const refused = await ask(wire.path, broken);
    expect(refused.status).toBe(400);
    expect(refused.text).toMatch(words);
  });

  test("keeps every request as it came and every answer that was sent to its end", async () => {
    const { requests, sent } = await prepared(wire);
    expect(requests.map((request) => request.text)).toEqual(wire.given.map(() => JSON.stringify(wire.first)));
    expect([...sent.values()]).toEqual(wire.given);
  });
});
