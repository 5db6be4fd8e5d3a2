// Blocks of an answer on their way back to the model that gave it: as they came, apart from what no provider can read.

import type { LlmContentBlock, LlmReasoningBlock, LlmTextBlock, LlmToolCallBlock, LlmToolResultBlock } from "../contract.ts";
import { objectArguments } from "./arguments.ts";
import type { Receiver } from "./receiver.ts";
import { called, returned, textBlock } from "./notes.ts";
import { wellFormed, wellFormedJsonText } from "./unicode.ts";

/** @returns the block itself where it can be sent as it is; undefined where it is not sent. */
export function ownBlock(block: LlmContentBlock, receiver: Receiver): LlmContentBlock | undefined {
  switch (block.type) {
    case "text":
      return textToSend(block, receiver);
    case "reasoning":
      return reasoningToSend(block, receiver);
    case "toolCall":
      return callToSend(block, receiver);
    case "toolResult": {
      if (block.providerExecuted === true) return withNames(withField(block, "content", wellFormedJsonText(block.content)));
      return textBlock(returned(wellFormed(block.toolName ?? "a tool"), wellFormed(block.content), block.isError === true));
    }
    case "file":
    case "reasoningFile":
      return block.filename === undefined ? block : withField(block, "filename", wellFormed(block.filename));
    case "image":
    case "opaque":
      return block;
  }
}

export function textToSend(block: LlmTextBlock, { wire }: Receiver): LlmTextBlock | undefined {
  if (wire.blankText === "drop" && block.responseMeta === undefined && block.text.trim() === "") return undefined;
  return withField(block, "text", wellFormed(block.text));
}

/** Whether a provider gave something to see again with it. */
export const isSigned = ({ replay }: LlmReasoningBlock): boolean => replay !== undefined && Object.values(replay).some((value) => value !== undefined);

function reasoningToSend(block: LlmReasoningBlock, { wire }: Receiver): LlmReasoningBlock | undefined {
  if (!isSigned(block) && (wire.replayReasoning === "signed" || block.text.trim() === "")) return undefined;
  return withField(block, "text", wellFormed(block.text));
}

export function callToSend(block: LlmToolCallBlock, { hasToolBlocks }: Receiver): LlmToolCallBlock | LlmTextBlock {
  if (block.providerExecuted === true) return withNames(withField(block, "inputJson", wellFormedJsonText(block.inputJson)));
  if (!hasToolBlocks) return textBlock(called(wellFormed(block.toolName), wellFormed(block.inputJson)));
  return withField(block, "inputJson", objectArguments(block.inputJson));
}

/** What a provider calls its own tools and calls is for it to say, as long as it is text. */
function withNames<Block extends LlmToolCallBlock | LlmToolResultBlock>(block: Block): Block {
  const { toolName } = block;
  return toolName === undefined ? block : withField<Block, "toolName">(block, "toolName", wellFormed(toolName));
}

/** A copy only where the field changes. */
export function withField<Block extends object, Field extends keyof Block>(block: Block, field: Field, value: Block[Field]): Block {
  return block[field] === value ? block : { ...block, [field]: value };
}
