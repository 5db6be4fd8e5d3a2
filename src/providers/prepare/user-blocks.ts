// Blocks of a user message: what people said, what tools gave.

import type { LlmContentBlock, LlmToolResultBlock } from "../contract.ts";
import { takesMedia } from "../../domain/media-type.ts";
import { called, NO_OUTPUT, notTaken, returned, textBlock } from "./notes.ts";
import { textToSend, withField } from "./own-blocks.ts";
import type { Receiver } from "./receiver.ts";
import { wellFormed, wellFormedContent } from "./unicode.ts";

/** @returns the block itself where it can be sent as it is; undefined where it is not sent. */
export function userBlock(block: LlmContentBlock, receiver: Receiver): LlmContentBlock | undefined {
  const { wire } = receiver;
  switch (block.type) {
    case "text":
      return textToSend(block, receiver);
    case "image": {
      const mime = receiver.mimeOf(block.attachmentIndex);
      return mime === undefined || takesMedia(wire.media, mime) ? block : textBlock(notTaken(mime, undefined));
    }
    case "file":
    case "reasoningFile": {
      const filename = block.filename === undefined ? undefined : wellFormed(block.filename);
      if (!takesMedia(wire.media, block.mime)) return textBlock(notTaken(block.mime, filename));
      return filename === undefined ? block : withField(block, "filename", filename);
    }
    case "toolResult":
      return resultToSend(block, receiver);
    case "toolCall":
      return textBlock(called(wellFormed(block.toolName), wellFormed(block.inputJson)));
    case "reasoning":
    case "opaque":
      return undefined;
  }
}

function resultToSend(block: LlmToolResultBlock, { wire, hasToolBlocks }: Receiver): LlmContentBlock {
  const isBlank = wire.blankResult === "note" && block.content.trim() === "";
  const content = isBlank ? NO_OUTPUT : wellFormedContent(block.content);
  if (hasToolBlocks) return withField(block, "content", content);
  return textBlock(returned(wellFormed(block.toolName ?? "a tool"), content, block.isError === true));
}
