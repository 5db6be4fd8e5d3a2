// What messages became. Only those that had to change are remembered: looking at the others again costs less than keeping them.

import type { LlmMessage } from "../contract.ts";
import { isSigned } from "./own-blocks.ts";
import { messageToSend } from "./message.ts";
import type { Receiver } from "./receiver.ts";

/** Undefined: nothing of the message is sent. */
interface Sent {
  readonly message: LlmMessage | undefined;
}

export class MessageCache {
  readonly #withCalls = new WeakMap<LlmMessage, Sent>();
  readonly #withoutCalls = new WeakMap<LlmMessage, Sent>();
  readonly #withoutUnsigned = new WeakMap<LlmMessage, Sent>();

  toSend(message: LlmMessage, receiver: Receiver): LlmMessage | undefined {
    const known = receiver.hasToolBlocks ? this.#withCalls : this.#withoutCalls;
    const found = known.get(message);
    if (found !== undefined) return found.message;
    const sent = messageToSend(message, receiver);
    // What an image is, is said by the request and not by the message.
    if (sent !== message && !message.blocks.some((block) => block.type === "image")) known.set(message, { message: sent });
    return sent;
  }

  /** A message without reasoning that nobody signed; undefined where it has nothing else. */
  withoutUnsigned(message: LlmMessage): LlmMessage | undefined {
    const found = this.#withoutUnsigned.get(message);
    if (found !== undefined) return found.message;
    const blocks = message.blocks.filter((block) => block.type !== "reasoning" || isSigned(block));
    const sent = blocks.length === 0 ? undefined : { ...message, blocks };
    this.#withoutUnsigned.set(message, { message: sent });
    return sent;
  }
}
