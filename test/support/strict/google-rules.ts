// What generateContent refuses for models of the Gemini 3 kind, from its public documentation and from public reports.

import { demand, fieldsOf, isFields, listOf, refuse, sameJson, textOf, type Fields } from "./json.ts";
import { demandImage } from "./media.ts";

/** Parts that were sent, as whole answers. */
export interface GoogleMemory {
  readonly answers: (readonly Fields[])[];
}

export interface GoogleRules {
  /** Two contents of one role in a row are refused; today's API takes them. */
  readonly alternate?: boolean;
}

/** Stands, by the documentation, for a signature that the sender does not have. */
const NO_SIGNATURE = "skip_thought_signature_validator";
const NAME = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/;
const DATA = ["text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"] as const;

export function checkGoogle(body: Fields, memory: GoogleMemory, rules: GoogleRules): void {
  checkTools(body["tools"]);
  if (body["systemInstruction"] !== undefined) checkParts(listOf(fieldsOf(body["systemInstruction"])["parts"]), "systemInstruction", memory);
  const contents = listOf(body["contents"]);
  demand(contents.length > 0, "* GenerateContentRequest.contents: contents is not specified");
  for (const [index, content] of contents.entries()) {
    const at = `contents[${index}]`;
    demand(content["role"] === "user" || content["role"] === "model", "Please use a valid role: user, model.");
    checkParts(listOf(content["parts"]), at, memory);
    if (rules.alternate === true) demand(content["role"] !== contents[index - 1]?.["role"], "Please ensure that multiturn requests alternate between user and model.");
    checkTurns(contents, index);
  }
  demand(contents[0]?.["role"] === "user", "Please ensure that the first content is of role user.");
  demand(contents.at(-1)?.["role"] === "user", "Please ensure that single turn requests end with a user role.");
  checkSignatures(contents);
}

function checkParts(parts: readonly Fields[], at: string, memory: GoogleMemory): void {
  demand(parts.length > 0, `* GenerateContentRequest.${at}.parts: contents.parts must not be empty.`);
  for (const [index, part] of parts.entries()) {
    const where = `GenerateContentRequest.${at}.parts[${index}]`;
    const kinds = DATA.filter((kind) => part[kind] !== undefined);
    demand(kinds.length === 1, `* ${where}.data: required oneof field 'data' must have one initialized field`);
    if (kinds[0] === "text") demand(part["text"] !== "" || part["thoughtSignature"] !== undefined, `* ${where}: Unable to submit request because it must have a text parameter.`);
    if (kinds[0] === "inlineData") checkInline(fieldsOf(part["inlineData"]), where);
    if (kinds[0] === "functionResponse") {
      const response = fieldsOf(part["functionResponse"]);
      demand(isFields(response["response"]), `* ${where}.function_response.response: must be a Struct`);
      for (const nested of listOf(response["parts"])) checkInline(fieldsOf(nested["inlineData"]), where);
    }
    if (kinds[0] === "functionCall") checkName(fieldsOf(part["functionCall"])["name"], `${where}.function_call.name`);
    if (part["thoughtSignature"] !== undefined) checkSignature(part, where, memory);
  }
}

function checkInline({ mimeType, data }: Fields, where: string): void {
  if (textOf(mimeType).startsWith("image/")) demandImage(mimeType, data, where);
  else demand(typeof data === "string" && data !== "", `* ${where}.inline_data.data: required`);
}

function checkSignature(part: Fields, where: string, memory: GoogleMemory): void {
  const signature = part["thoughtSignature"];
  if (signature === NO_SIGNATURE && part["functionCall"] !== undefined) return;
  const known = memory.answers.flat().find((one) => one["thoughtSignature"] === signature);
  demand(known !== undefined, `* ${where}: Corrupted thought signature.`);
  const call = fieldsOf(known["functionCall"]);
  if (part["functionCall"] !== undefined) {
    const given = fieldsOf(part["functionCall"]);
    demand(given["name"] === call["name"] && sameJson(given["args"], call["args"]), `* ${where}: Thought signature is not valid for this function call.`);
  } else demand(known["functionCall"] === undefined, `* ${where}: Thought signature is not valid for this part.`);
}

const partsOf = (content: Fields | undefined, kind: "functionCall" | "functionResponse"): readonly Fields[] =>
  listOf(content?.["parts"]).flatMap((part) => (part[kind] === undefined ? [] : [fieldsOf(part[kind])]));

/** Calls follow the user or results; results follow their calls, all of them and no others. */
function checkTurns(contents: readonly Fields[], index: number): void {
  const [before, content, next] = [contents[index - 1], contents[index], contents[index + 1]];
  const calls = partsOf(content, "functionCall");
  const responses = partsOf(content, "functionResponse");
  if (calls.length > 0) {
    demand(content?.["role"] === "model", "Please ensure that function call parts are of role model.");
    demand(before?.["role"] === "user", "Please ensure that function call turn comes immediately after a user turn or after a function response turn.");
    demand(partsOf(next, "functionResponse").length === calls.length, "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.");
  }
  if (responses.length === 0) return;
  const asked = partsOf(before, "functionCall");
  demand(asked.length > 0, "Please ensure that function response turn comes immediately after a function call turn.");
  demand(asked.length === responses.length, "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.");
  for (const response of responses) {
    const match = asked.some((call) => call["name"] === response["name"] && (response["id"] === undefined || response["id"] === call["id"]));
    demand(match, `Function response ${String(response["name"])} does not belong to a call of the function call turn.`);
  }
  const ids = responses.map((response) => response["id"]).filter((id) => id !== undefined);
  demand(new Set(ids).size === ids.length, "Function responses of one turn have to have ids of their own.");
}

/** Since the user last spoke, the first call of each step has to be signed. */
function checkSignatures(contents: readonly Fields[]): void {
  const spoke = contents.findLastIndex((content) => content["role"] === "user" && listOf(content["parts"]).some((part) => part["functionResponse"] === undefined));
  for (const [index, content] of contents.entries()) {
    if (index < spoke || content["role"] !== "model") continue;
    const first = listOf(content["parts"]).find((part) => part["functionCall"] !== undefined);
    if (first === undefined || first["thoughtSignature"] !== undefined) continue;
    refuse(`Function call is missing a thought_signature in functionCall parts. Function call \`${String(fieldsOf(first["functionCall"])["name"])}\`, position ${index + 1}.`);
  }
}

function checkName(name: unknown, where: string): void {
  demand(NAME.test(textOf(name)), `* ${where}: Invalid function name. Must start with a letter or an underscore; letters, digits, underscores, dots, colons and dashes, at most 64.`);
}

function checkTools(tools: unknown): void {
  const names = new Set<string>();
  for (const tool of listOf(tools)) {
    for (const declaration of listOf(tool["functionDeclarations"])) {
      checkName(declaration["name"], "GenerateContentRequest.tools.function_declarations.name");
      demand(!names.has(textOf(declaration["name"])), `Duplicate function declaration found: ${textOf(declaration["name"])}`);
      names.add(textOf(declaration["name"]));
    }
  }
}
