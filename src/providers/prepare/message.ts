// One message as its receiver takes it, as far as the message alone decides that.

import type { LlmContentBlock, LlmMessage } from "../contract.ts";
import { foreignBlock } from "./foreign-blocks.ts";
import { cutOff, EMPTY_USER_MESSAGE, textBlock } from "./notes.ts";
import { isSigned, ownBlock, textToSend } from "./own-blocks.ts";
import type { Receiver } from "./receiver.ts";
import { userBlock } from "./user-blocks.ts";

/** @returns the message itself where nothing had to change; undefined where nothing of it is sent. */
export function messageToSend(message: LlmMessage, receiver: Receiver): LlmMessage | undefined {
  switch (message.role) {
    case "user": {
      const blocks = eachBlock(message.blocks, (block) => userBlock(block, receiver));
      if (blocks.length === 0) return { ...message, blocks: [textBlock(EMPTY_USER_MESSAGE)] };
      return withBlocks(message, blocks);
    }
    case "system":
      return withBlocks(message, eachBlock(message.blocks, (block) => (block.type === "text" ? textToSend(block, receiver) : block)));
    case "assistant":
      return assistantToSend(message, receiver);
  }
}

function assistantToSend(message: LlmMessage, receiver: Receiver): LlmMessage | undefined {
  if (message.incomplete !== undefined) return incompleteToSend(message, receiver);
  if (receiver.isOwn(message.origin) && !losesCompanion(message, receiver)) {
    const blocks = eachBlock(message.blocks, (block) => ownBlock(block, receiver));
    return withBlocks(message, receiver.wire.loneReasoning === "drop" ? withoutLoneReasoning(blocks) : blocks);
  }
  const blocks = eachBlock(message.blocks, (block) => foreignBlock(block, receiver));
  if (message.origin === undefined || blocks === message.blocks) return withBlocks(message, blocks);
  return blocks.length === 0 ? undefined : { role: message.role, blocks };
}

/** Its text alone, and why there is no more of it. */
function incompleteToSend({ role, blocks, incomplete }: LlmMessage, receiver: Receiver): LlmMessage {
  const texts = blocks.filter((block) => block.type === "text").flatMap((block) => foreignBlock(block, receiver) ?? []);
  return { role, blocks: incomplete === undefined ? texts : [...texts, textBlock(cutOff(incomplete))] };
}

/** Where calls are sent as text, what the provider has bound to them means nothing any more. */
const losesCompanion = ({ blocks }: LlmMessage, { wire, hasToolBlocks }: Receiver): boolean =>
  !hasToolBlocks &&
  wire.loneReasoning === "drop" &&
  blocks.some((block) => block.type === "toolCall" && block.providerExecuted !== true) &&
  blocks.some((block) => block.type === "reasoning" && isSigned(block));

function withoutLoneReasoning(blocks: readonly LlmContentBlock[]): readonly LlmContentBlock[] {
  const last = blocks.findLastIndex((block) => block.type !== "reasoning");
  return last === blocks.length - 1 ? blocks : blocks.slice(0, last + 1);
}

/** The array itself where every block stays what it was. */
function eachBlock(
  blocks: readonly LlmContentBlock[],
  blockOf: (block: LlmContentBlock) => LlmContentBlock | undefined,
): readonly LlmContentBlock[] {
  let changed: LlmContentBlock[] | undefined;
  for (let index = 0; index < blocks.length; index += 1) {
    const block = blocks[index];
    if (block === undefined) continue;
    const sent = blockOf(block);
    if (changed === undefined && sent !== block) changed = blocks.slice(0, index);
    if (changed !== undefined && sent !== undefined) changed.push(sent);
  }
  return changed ?? blocks;
}

function withBlocks(message: LlmMessage, blocks: readonly LlmContentBlock[]): LlmMessage | undefined {
  if (blocks === message.blocks && blocks.length > 0) return message;
  return blocks.length === 0 ? undefined : { ...message, blocks };
}
