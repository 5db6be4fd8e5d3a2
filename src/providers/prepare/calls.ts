// The calls of an answer under names and ids that the receiver takes.

import type { LlmContentBlock, LlmMessage, LlmToolCallBlock } from "../contract.ts";
import type { CallIds } from "./call-ids.ts";
import { withField } from "./own-blocks.ts";
import type { ToolNames } from "./tool-names.ts";
import { wellFormed } from "./unicode.ts";

/** A call that has to have a result. */
export interface SentCall {
  /** What its result names it by, before anything is renamed. */
  readonly ownId: string;
  readonly id: string;
  readonly tool: string;
}

export interface SentAnswer {
  /** The message itself where nothing had to change. */
  readonly message: LlmMessage;
  readonly calls: readonly SentCall[];
}

/** @param isOwn - the receiver gave this answer itself. */
export function nameCalls(message: LlmMessage, isOwn: boolean, names: ToolNames, ids: CallIds): SentAnswer {
  if (!message.blocks.some(({ type }) => type === "toolCall" || type === "toolResult")) return { message, calls: [] };
  const calls: SentCall[] = [];
  /** Of calls that the provider ran; their results stand in the same message. */
  const ranByProvider = new Map<string, string>();
  const nameCall = (block: LlmToolCallBlock): LlmToolCallBlock => {
    const id = ids.claim(block.callId, isOwn);
    if (block.providerExecuted === true) {
      ranByProvider.set(block.callId, id);
      return withField(block, "callId", id);
    }
    const tool = names.legal(block.toolName);
    calls.push({ ownId: block.callId, id, tool });
    return withField(withField(block, "callId", id), "toolName", tool);
  };
  const blocks = message.blocks.map((block): LlmContentBlock => {
    if (block.type === "toolCall") return nameCall(block);
    return block.type === "toolResult" ? withField(block, "callId", ranByProvider.get(block.callId) ?? wellFormed(block.callId)) : block;
  });
  const isSame = blocks.every((block, index) => block === message.blocks[index]);
  return { message: isSame ? message : { ...message, blocks }, calls };
}
