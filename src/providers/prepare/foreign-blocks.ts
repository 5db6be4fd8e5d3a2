// Blocks of an answer on their way to another model than the one that gave it. What is bound to its origin stays behind; what was
// said and what was done is told.

import type { LlmContentBlock } from "../contract.ts";
import { readableResult } from "./arguments.ts";
import { madeFile, providerCalled, providerReturned, returned, textBlock } from "./notes.ts";
import { callToSend, textToSend } from "./own-blocks.ts";
import type { Receiver } from "./receiver.ts";
import { wellFormed } from "./unicode.ts";

/** @returns the block itself where nothing of it is bound; undefined where it is not sent. */
export function foreignBlock(block: LlmContentBlock, receiver: Receiver): LlmContentBlock | undefined {
  switch (block.type) {
    case "text": {
      if (block.responseMeta === undefined) return textToSend(block, receiver);
      const { responseMeta: _bound, ...text } = block;
      return textToSend(text, receiver);
    }
    case "toolCall": {
      if (block.providerExecuted === true) return textBlock(providerCalled(wellFormed(block.toolName), wellFormed(block.inputJson)));
      if (block.replay === undefined) return callToSend(block, receiver);
      const { replay: _bound, ...call } = block;
      return callToSend(call, receiver);
    }
    case "toolResult": {
      const tool = wellFormed(block.toolName ?? "a tool");
      if (block.providerExecuted === true) return textBlock(providerReturned(tool, readableResult(block.content), block.isError === true));
      return textBlock(returned(tool, wellFormed(block.content), block.isError === true));
    }
    case "file":
      return textBlock(madeFile(block.mime, block.filename === undefined ? undefined : wellFormed(block.filename)));
    case "image":
      return block;
    case "reasoning":
    case "reasoningFile":
    case "opaque":
      return undefined;
  }
}
