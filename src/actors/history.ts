// Resident history: the active path of a session's current frame, kept so that a turn costs its own delta.

import type { AttachmentRef, Message } from "../domain/messages.ts";
import { isTransient } from "../domain/messages.ts";
import type { SessionNode } from "../domain/session.ts";
import { initialFrameId } from "../domain/session.ts";
import type { LlmMessage } from "../providers/contract.ts";
import { toLlmMessages } from "./prompt-view.ts";

/**
 * Append-only while it lives: views taken of it stay valid, because they remember how far they reach.
 * A branch or a new frame starts another one.
 */
export class History {
  readonly #messages: Message[] = [];
  readonly #prompt: LlmMessage[] = [];
  readonly #images: AttachmentRef[] = [];
  readonly #ids = new Set<string>();

  /** Frame read model: first occurrence per id, no transient messages (S-6). */
  static of(nodes: readonly SessionNode[], sessionId: string, frameId: string): History {
    const history = new History();
    const isInitial = frameId === initialFrameId(sessionId);
    for (const node of nodes) {
      const inFrame = node.agentFrameId === frameId || (node.agentFrameId === undefined && isInitial);
      if (inFrame && node.body.kind === "message") history.append([node.body.message]);
    }
    return history;
  }

  get length(): number {
    return this.#messages.length;
  }

  append(messages: readonly Message[]): void {
    for (const message of messages) {
      if (isTransient(message) || this.#ids.has(message.id)) continue;
      this.#ids.add(message.id);
      this.#messages.push(message);
      this.#prompt.push(...toLlmMessages(message, (image) => this.#images.push(image) - 1));
    }
  }

  /** The first `length` messages, as they were when the history was that long. */
  slice(length: number): readonly Message[] {
    return this.#messages.slice(0, length);
  }

  /** What a model is shown: this history and then the messages of the turn that runs. */
  prompt(turn: readonly Message[]): Prompt {
    const images = this.#images.slice();
    const messages = this.#prompt.slice();
    for (const message of turn) messages.push(...toLlmMessages(message, (image) => images.push(image) - 1));
    return { messages, images };
  }
}

export interface Prompt {
  readonly messages: readonly LlmMessage[];
  /** What image blocks point into by index. */
  readonly images: readonly AttachmentRef[];
}
