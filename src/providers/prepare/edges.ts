// How a conversation begins, and who speaks after whom.

import type { LlmMessage, LlmOrigin } from "../contract.ts";
import { OPENING, textBlock } from "./notes.ts";

const opening: LlmMessage = Object.freeze({ role: "user", blocks: Object.freeze([Object.freeze(textBlock(OPENING))]) });

/** With a message of the user in front, where there is none behind the system prompt. */
export function fromUser(messages: readonly LlmMessage[]): readonly LlmMessage[] {
  const first = messages.findIndex(({ role }) => role !== "system");
  if (messages[first]?.role === "user") return messages;
  const at = first === -1 ? messages.length : first;
  return [...messages.slice(0, at), opening, ...messages.slice(at)];
}

/** Neighbours of one role as one message. System messages behind the system prompt are said by the user. */
export function takingTurns(messages: readonly LlmMessage[], joined: JoinedMessages): readonly LlmMessage[] {
  const begin = messages.findIndex(({ role }) => role !== "system");
  if (begin === -1) return messages;
  const turns: LlmMessage[][] = [];
  let speaker: LlmMessage["role"] | undefined;
  for (const message of messages.slice(begin)) {
    const next = message.role === "assistant" ? "assistant" : "user";
    if (next === speaker) turns.at(-1)?.push(message);
    else turns.push([message]);
    speaker = next;
  }
  return turns.length === messages.length - begin ? messages : [...messages.slice(0, begin), ...turns.flatMap((turn) => joined.of(turn))];
}

/** Remembers what it joined as long as the first of the messages lives, so that equal neighbours are the same message again. */
export class JoinedMessages {
  readonly #isOwn: (origin: LlmOrigin | undefined) => boolean;
  readonly #known = new WeakMap<LlmMessage, { readonly of: readonly LlmMessage[]; readonly message: LlmMessage }>();

  constructor(isOwn: (origin: LlmOrigin | undefined) => boolean) {
    this.#isOwn = isOwn;
  }

  of(messages: readonly LlmMessage[]): readonly LlmMessage[] {
    const [first] = messages;
    if (first === undefined || messages.length === 1) return messages;
    const known = this.#known.get(first);
    if (known?.of.length === messages.length && known.of.every((message, index) => message === messages[index])) return [known.message];
    const { role } = messages.find((message) => message.role !== "system") ?? first;
    const origin = messages.find((message) => this.#isOwn(message.origin))?.origin;
    const message: LlmMessage = { role, blocks: messages.flatMap(({ blocks }) => blocks), ...(origin && { origin }) };
    this.#known.set(first, { of: messages, message });
    return [message];
  }
}
