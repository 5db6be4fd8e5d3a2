// Results behind their calls: every call has one, in call order and together, right behind the answer that made the calls; images,
// files and whatever else came with them follow. A result without a call becomes text.

import type { LlmContentBlock, LlmMessage, LlmToolResultBlock } from "../contract.ts";
import type { SentCall } from "./calls.ts";
import { lateResult, NO_RESULT, textBlock } from "./notes.ts";
import { wellFormed } from "./unicode.ts";

/**
 * @param calls - of the answer that stands before these messages.
 * @param messages - all up to the next answer.
 * @returns the array itself where nothing had to change.
 */
export function settleCalls(calls: readonly SentCall[], messages: readonly LlmMessage[]): readonly LlmMessage[] {
  const found = findResults(calls, messages);
  const results = calls.map((call, index) => resultOf(call, found.of[index]));
  if (isSettled(results, found, messages)) return messages;
  const carrier = messages[0] !== undefined && messages[0].role === "user" && hasUsed(messages[0], found) ? messages[0] : undefined;
  const settled: LlmMessage[] = [];
  if (results.length > 0) settled.push(carrier === undefined ? { role: "user", blocks: results } : { ...carrier, blocks: [...results, ...withoutUsed(carrier, found)] });
  for (const message of messages) {
    if (message === carrier) continue;
    const blocks = withoutUsed(message, found);
    if (blocks === message.blocks) settled.push(message);
    else if (blocks.length > 0) settled.push({ ...message, blocks });
  }
  return settled;
}

interface Found {
  /** By call. */
  readonly of: readonly (LlmToolResultBlock | undefined)[];
  readonly used: ReadonlySet<LlmContentBlock>;
  /** How many results there are, used or not. */
  readonly count: number;
}

const NOTHING: Found = { of: [], used: new Set(), count: 0 };

function findResults(calls: readonly SentCall[], messages: readonly LlmMessage[]): Found {
  if (calls.length === 0 && !messages.some(hasResults)) return NOTHING;
  const waiting = new Map<string, number[]>();
  for (const [index, { ownId }] of calls.entries()) waiting.set(ownId, [...(waiting.get(ownId) ?? []), index]);
  const of: (LlmToolResultBlock | undefined)[] = calls.map(() => undefined);
  const used = new Set<LlmContentBlock>();
  let count = 0;
  for (const { role, blocks } of messages) {
    if (role !== "user") continue;
    for (const block of blocks) {
      if (block.type !== "toolResult") continue;
      count += 1;
      const index = waiting.get(block.callId)?.shift();
      if (index === undefined) continue;
      of[index] = block;
      used.add(block);
    }
  }
  return { of, used, count };
}

function resultOf({ id, tool }: SentCall, found: LlmToolResultBlock | undefined): LlmToolResultBlock {
  if (found === undefined) return { type: "toolResult", callId: id, toolName: tool, content: NO_RESULT, isError: true };
  return found.callId === id && found.toolName === tool ? found : { ...found, callId: id, toolName: tool };
}

/** All results stand where they belong, and there are no others. */
function isSettled(results: readonly LlmToolResultBlock[], found: Found, messages: readonly LlmMessage[]): boolean {
  if (found.count !== results.length) return false;
  if (results.length === 0) return true;
  const first = messages[0];
  return first !== undefined && first.role === "user" && results.every((result, index) => first.blocks[index] === result);
}

function withoutUsed({ role, blocks }: LlmMessage, { used, count }: Found): readonly LlmContentBlock[] {
  if (count === 0 || role !== "user" || !blocks.some((block) => block.type === "toolResult")) return blocks;
  return blocks.flatMap((block) => {
    if (block.type !== "toolResult") return [block];
    return used.has(block) ? [] : [textBlock(lateResult(wellFormed(block.toolName ?? "a tool"), block.content, block.isError === true))];
  });
}

const hasUsed = ({ blocks }: LlmMessage, { used }: Found): boolean => blocks.some((block) => used.has(block));
const hasResults = ({ role, blocks }: LlmMessage): boolean => role === "user" && blocks.some((block) => block.type === "toolResult");
