// One conversation with one receiver, from request to request.

import type { LlmMessage, LlmRequest, LlmToolSpec } from "../contract.ts";
import { Conversation } from "./conversation.ts";
import type { MessageCache } from "./message-cache.ts";
import type { Receiver } from "./receiver.ts";
import { ToolNames, toolsToSend } from "./tool-names.ts";

export class Sending {
  readonly names: ToolNames;
  readonly conversation: Conversation;
  readonly #receiver: Receiver;
  readonly #cache: MessageCache;
  #tools: readonly LlmToolSpec[];
  #sentTools: readonly LlmToolSpec[];
  #mimes: readonly string[];

  constructor({ tools, attachments }: LlmRequest, receiver: Pick<Receiver, "wire" | "isOwn">, cache: MessageCache) {
    const { wire } = receiver;
    this.#cache = cache;
    this.#tools = tools;
    this.names = new ToolNames(wire.toolName, tools);
    this.#sentTools = toolsToSend(tools, this.names);
    this.#mimes = mimesOf(attachments);
    this.#receiver = { ...receiver, hasToolBlocks: wire.toolBlocks === "always" || tools.length > 0, mimeOf: (index) => this.#mimes[index] };
    this.conversation = new Conversation(this.#receiver, this.names, (message) => this.messageOf(message));
  }

  /** Whether a request has the same tools, and the same attachments as before in front. */
  fits({ tools, attachments }: LlmRequest): boolean {
    if (tools !== this.#tools && !(tools.length === this.#tools.length && tools.every(({ name }, index) => name === this.#tools[index]?.name))) return false;
    return this.#mimes.every((mime, index) => mime === attachments[index]?.mime);
  }

  messageOf(message: LlmMessage): LlmMessage | undefined {
    return this.#cache.toSend(message, this.#receiver);
  }

  /** Of a request that fits. */
  take({ messages, attachments, tools }: LlmRequest, begin: number): void {
    if (attachments.length !== this.#mimes.length) this.#mimes = mimesOf(attachments);
    if (tools !== this.#tools) {
      this.#tools = tools;
      this.#sentTools = toolsToSend(tools, this.names);
    }
    this.conversation.take(messages, begin);
  }

  get sentTools(): readonly LlmToolSpec[] {
    return this.#sentTools;
  }
}

const mimesOf = (attachments: LlmRequest["attachments"]): readonly string[] => attachments.map(({ mime }) => mime);
