// Resident history: the active path of a session's current frame, kept so that a turn costs its own delta.

import type { AttachmentRef, Message } from "../domain/messages.ts";
import { isTransient } from "../domain/messages.ts";
import type { SessionNode, SessionPolicy } from "../domain/session.ts";
import { initialFrameId } from "../domain/session.ts";
import type { RefusedMedia } from "../domain/suspect-media.ts";
import type { LlmMessage, LlmOrigin } from "../providers/contract.ts";
import { eventsText, type HiddenParts, toLlmMessage } from "./prompt-view.ts";

/**
 * Append-only while it lives: views taken of it stay valid, because they remember how far they reach.
 * A branch or a new frame starts another one.
 */
export class History {
  readonly #messages: Message[] = [];
  /** Of the first `#shown` messages; made when a model is asked, as sessions are also opened to be read. */
  readonly #prompt: LlmMessage[] = [];
  readonly #images: AttachmentRef[] = [];
  #shown = 0;
  /** What its receiver refused, when `#prompt` was made. */
  #refused: RefusedMedia | undefined;
  #hidden: HiddenParts;
  readonly #ids = new Set<string>();
  /** Who was asked when these messages were committed, for those that do not say so. */
  readonly #recorded: LlmOrigin | undefined;

  constructor(recorded?: LlmOrigin) {
    this.#recorded = recorded;
  }

  /** Frame read model: first occurrence per id, no transient messages. */
  static of(nodes: readonly SessionNode[], sessionId: string, frameId: string, recorded: SessionPolicy): History {
    const history = new History(originOf(recorded));
    const isInitial = frameId === initialFrameId(sessionId);
    for (const node of nodes) {
      const inFrame = node.agentFrameId === frameId || (node.agentFrameId === undefined && isInitial);
      if (inFrame && node.body.kind === "message") history.#append(node.body.message);
    }
    return history;
  }

  /** For the prompts of one turn: these messages as they are, in place of its own. */
  showing(messages: readonly Message[]): History {
    const history = new History(this.#recorded);
    history.#messages.push(...messages);
    return history;
  }

  get length(): number {
    return this.#messages.length;
  }

  append(messages: readonly Message[]): void {
    for (const message of messages) this.#append(message);
  }

  #append(message: Message): void {
    if (isTransient(message) || this.#ids.has(message.id)) return;
    this.#ids.add(message.id);
    this.#messages.push(message);
  }

  /** The first `length` messages, as they were when the history was that long. */
  slice(length: number): readonly Message[] {
    return this.#messages.slice(0, length);
  }

  /**
   * What a model is shown: this history and then the messages of the turn that runs, which asks as `policy` says.
   *
   * @param refused - what that model has refused; another one than last time makes the whole prompt anew.
   */
  prompt(turn: readonly Message[], policy: SessionPolicy, refused?: RefusedMedia): Prompt {
    if (refused !== this.#refused) this.#hide(refused);
    for (; this.#shown < this.#messages.length; this.#shown += 1) show(this.#messages[this.#shown], this.#prompt, this.#images, 0, this.#recorded, this.#hidden);
    const asked = originOf(policy);
    const messages: LlmMessage[] = [];
    const images: AttachmentRef[] = [];
    for (const message of turn) if (message.role !== "Event") show(message, messages, images, this.#images.length, asked, this.#hidden);
    const events = eventsText(turn);
    if (events !== undefined) messages.push({ role: "user", blocks: [{ type: "text", text: events }] });
    // Joined at once: pushing onto a copy would copy a long history a second time.
    return { messages: this.#prompt.concat(messages), images: this.#images.concat(images) };
  }

  #hide(refused: RefusedMedia | undefined): void {
    this.#refused = refused;
    this.#hidden = refused && new Set(refused.parts);
    this.#prompt.length = 0;
    this.#images.length = 0;
    this.#shown = 0;
  }
}

const originOf = ({ providerId, model }: SessionPolicy): LlmOrigin => ({ provider: providerId, model: model.id });

/** @param before - images and files that stand before the first of `images` in the request. */
function show(message: Message | undefined, into: LlmMessage[], images: AttachmentRef[], before: number, recorded: LlmOrigin | undefined, hidden: HiddenParts): void {
  const shown = message && toLlmMessage(message, (image) => before + images.push(image) - 1, recorded, hidden);
  if (shown) into.push(shown);
}

export interface Prompt {
  readonly messages: readonly LlmMessage[];
  /** What image and file blocks point into by index. */
  readonly images: readonly AttachmentRef[];
}
