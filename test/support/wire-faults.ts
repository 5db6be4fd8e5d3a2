// What a strict receiver would refuse in a request: written from the rules, not from the code that keeps them.

import type { LlmContentBlock, LlmMessage, LlmOrigin, LlmRequest } from "../../src/providers/contract.ts";
import type { NameRule, Wire } from "../../src/providers/wire.ts";

export interface Asked {
  readonly wire: Wire;
  readonly own: LlmOrigin;
}

/** Everything that is wrong, in words. */
export function wireFaults(request: LlmRequest, { wire, own }: Asked): string[] {
  const faults: string[] = [];
  const { messages, tools } = request;
  const isOwn = ({ origin }: LlmMessage): boolean => origin?.provider === own.provider && origin.model === own.model;
  const body = messages.filter(({ role }, index) => role !== "system" || messages.slice(0, index).some((earlier) => earlier.role !== "system"));

  for (const text of stringsOf([messages, tools])) if (!text.isWellFormed()) faults.push(`half a character in ${JSON.stringify(text)}`);
  if (new Set(tools.map(({ name }) => name)).size < tools.length) faults.push("two tools of one name");
  for (const { name } of tools) if (!isLegal(name, wire.toolName)) faults.push(`tool name ${name}`);

  const ids = new Set<string>();
  const speakers: string[] = [];
  for (const [at, message] of messages.entries()) {
    const { role, blocks, incomplete } = message;
    const where = `message ${at} (${role})`;
    if (blocks.length === 0) faults.push(`${where} is empty`);
    if (incomplete !== undefined) faults.push(`${where} is marked as cut off`);
    for (const block of blocks) {
      if (block.type === "text" && block.text.trim() === "" && wire.blankText === "drop" && !(block.responseMeta !== undefined && isOwn(message))) faults.push(`${where} has blank text`);
      if (role === "assistant" && !isOwn(message) && isBound(block)) faults.push(`${where} has a ${block.type} of another origin`);
      if (block.type === "reasoning" && role !== "assistant") faults.push(`${where} has reasoning`);
      if (block.type === "toolResult" && block.content.trim() === "" && wire.blankResult === "note" && block.providerExecuted !== true) faults.push(`${where} has a blank result`);
      const mime = block.type === "image" ? request.attachments[block.attachmentIndex]?.mime : block.type === "file" || block.type === "reasoningFile" ? block.mime : undefined;
      if (role === "user" && mime !== undefined && !isTaken(mime, wire.media)) faults.push(`${where} has ${mime}`);
      if (block.type !== "toolCall") continue;
      if (role !== "assistant") faults.push(`${where} has a call`);
      if (ids.has(block.callId)) faults.push(`${where} has call id ${block.callId} again`);
      ids.add(block.callId);
      if (!isOwn(message) && !isLegalId(block.callId, wire)) faults.push(`${where} has call id ${block.callId}`);
      if (block.providerExecuted === true) continue;
      if (!isLegal(block.toolName, wire.toolName)) faults.push(`${where} calls ${block.toolName}`);
      if (!isObjectText(block.inputJson)) faults.push(`${where} calls with ${block.inputJson}`);
      for (const text of stringsOf(JSON.parse(block.inputJson))) if (!text.isWellFormed()) faults.push(`${where} calls with half a character`);
    }
    if (wire.loneReasoning === "drop" && role === "assistant" && blocks.at(-1)?.type === "reasoning") faults.push(`${where} ends with reasoning`);

    const calls = blocks.filter((block) => block.type === "toolCall" && block.providerExecuted !== true);
    const results = blocks.filter((block) => block.type === "toolResult" && block.providerExecuted !== true);
    if (wire.toolBlocks === "withTools" && tools.length === 0 && calls.length + results.length > 0) faults.push(`${where} has tool blocks without tools`);
    const before = messages[at - 1];
    const asked = before?.role === "assistant" ? before.blocks.filter((block) => block.type === "toolCall" && block.providerExecuted !== true) : [];
    const pairs = asked.map((call) => (call.type === "toolCall" ? `${call.callId} ${call.toolName}` : ""));
    const answers = blocks.slice(0, asked.length).map((block) => (block.type === "toolResult" ? `${block.callId} ${block.toolName}` : block.type));
    if (asked.length > 0 && (role !== "user" || JSON.stringify(pairs) !== JSON.stringify(answers))) faults.push(`${where} does not begin with the results of ${pairs.join()}`);
    if (results.length !== asked.length) faults.push(`${where} has ${results.length} results for ${asked.length} calls`);
    if (calls.length > 0 && at === messages.length - 1) faults.push(`${where} has calls and is the last`);
    if (body.includes(message)) speakers.push(role === "assistant" ? "assistant" : "user");
  }
  if (wire.firstMessage === "user" && body[0]?.role !== "user") faults.push("the first message is not the user's");
  if (wire.alternation === "strict" && speakers.some((speaker, index) => speaker === speakers[index - 1])) faults.push("two messages of one role in a row");

  const lastAsked = messages.findLastIndex(({ role, blocks }) => role === "user" && !blocks.some(({ type }) => type === "toolResult"));
  for (const [at, { blocks }] of messages.entries()) {
    const hasPlain = blocks.some((block) => block.type === "reasoning" && block.replay === undefined);
    if (hasPlain && (wire.replayReasoning === "signed" || (wire.replayReasoning === "sinceLastUser" && at < lastAsked))) faults.push(`message ${at} has reasoning that nobody signed`);
  }
  return faults;
}

function isBound(block: LlmContentBlock): boolean {
  switch (block.type) {
    case "text":
      return block.responseMeta !== undefined;
    case "toolCall":
      return block.replay !== undefined || block.providerExecuted === true;
    case "image":
      return false;
    default:
      return true;
  }
}

const isLegal = (name: string, { characters, first = characters, maxLength }: NameRule): boolean =>
  name.length >= 1 && name.length <= maxLength && [...name].every((char) => characters.includes(char)) && first.includes(name[0] ?? " ");

const isLegalId = (id: string, { callId: { characters, minLength = 1, maxLength } }: Wire): boolean =>
  id.length >= minLength && id.length <= maxLength && [...id].every((char) => characters.includes(char));

const isTaken = (mime: string, media: readonly string[]): boolean => media.some((type) => type === "*/*" || type === mime || type === `${mime.split("/")[0]}/*`);

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** Every string in a value, names of fields included. */
export function* stringsOf(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const [key, item] of Object.entries(value)) {
      yield key;
      yield* stringsOf(item);
    }
  }
}
