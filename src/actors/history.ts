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
  /** What was not looked at yet. */
  #unread: Unread | undefined;

  constructor(recorded?: LlmOrigin) {
    this.#recorded = recorded;
  }

  /** Frame read model: first occurrence per id, no transient messages. */
  static of(nodes: readonly SessionNode[], sessionId: string, frameId: string, recorded: SessionPolicy): History {
    const history = new History(originOf(recorded));
    history.#read(nodes, sessionId, frameId);
    return history;
  }

  /** The same of nodes that are made when somebody looks: opening a long session does not wait for its messages. */
  static later(nodes: () => readonly SessionNode[], sessionId: string, frameId: string, recorded: SessionPolicy): History {
    const history = new History(originOf(recorded));
    history.#unread = { read: () => history.#read(nodes(), sessionId, frameId), appended: [], lengths: [] };
    return history;
  }

  #read(nodes: readonly SessionNode[], sessionId: string, frameId: string): void {
    const isInitial = frameId === initialFrameId(sessionId);
    for (const node of nodes) {
      const inFrame = node.agentFrameId === frameId || (node.agentFrameId === undefined && isInitial);
      if (inFrame && node.body.kind === "message") this.#append(node.body.message);
    }
  }

  /** @throws what reading the nodes throws, now and whenever somebody looks again. */
  #look(): void {
    const unread = this.#unread;
    if (!unread) return;
    unread.read();
    this.#unread = undefined;
    unread.lengths.push(this.#messages.length);
    for (const messages of unread.appended) {
      this.append(messages);
      unread.lengths.push(this.#messages.length);
    }
  }

  /** How long the history is now, for whoever asks later. */
  mark(): () => number {
    const unread = this.#unread;
    if (!unread) {
      const { length } = this.#messages;
      return () => length;
    }
    const { lengths, appended: { length: at } } = unread;
    return () => {
      this.#look();
      return lengths[at] ?? this.#messages.length;
    };
  }

  /** For the prompts of one turn: these messages as they are, in place of its own. */
  showing(messages: readonly Message[]): History {
    const history = new History(this.#recorded);
    history.#messages.push(...messages);
    return history;
  }

  get length(): number {
    this.#look();
    return this.#messages.length;
  }

  append(messages: readonly Message[]): void {
    if (this.#unread) {
      this.#unread.appended.push(messages);
      return;
    }
    for (const message of messages) this.#append(message);
  }

  #append(message: Message): void {
    if (isTransient(message) || this.#ids.has(message.id)) return;
    this.#ids.add(message.id);
    this.#messages.push(message);
  }

  /** The first `length` messages, as they were when the history was that long. */
  slice(length: number): readonly Message[] {
    this.#look();
    return this.#messages.slice(0, length);
  }

  /**
   * What a model is shown: this history and then the messages of the turn that runs, which asks as `policy` says.
   *
   * @param refused - what that model has refused; another one than last time makes the whole prompt anew.
   */
  prompt(turn: readonly Message[], policy: SessionPolicy, refused?: RefusedMedia): Prompt {
    this.#look();
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

interface Unread {
  readonly read: () => void;
  /** What commits appended meanwhile. */
  readonly appended: (readonly Message[])[];
  /** How long the history was before and after each of them; known when it was read. */
  readonly lengths: number[];
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
