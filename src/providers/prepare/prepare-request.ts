// The last pass before the wire: a request as its receiver takes it. What is given stays as it is, and what need not change stays the
// same object, so that whoever caches by object or by prefix finds it again.

import type { LlmMessage, LlmOrigin, LlmRequest } from "../contract.ts";
import type { Wire } from "../wire.ts";
import { fromUser, JoinedMessages, takingTurns } from "./edges.ts";
import { MessageCache } from "./message-cache.ts";
import { withField } from "./own-blocks.ts";
import { isEqualOrigin, type Target } from "./receiver.ts";
import { Sending } from "./sending.ts";
import type { ToolNames } from "./tool-names.ts";

/** A request as it is sent, and how what comes back is to be read. */
export interface PreparedRequest {
  readonly request: LlmRequest;
  /** Names of tools on the wire that are not ours, and what we call those. */
  readonly toolNames: ReadonlyMap<string, string>;
  /** Ids of calls on the wire that are not ours, and what those are here. */
  readonly callIds: ReadonlyMap<string, string>;
}

/**
 * A request as its receiver takes it. Done again with what came out it changes nothing, and where a conversation grew by whole
 * rounds, what is sent begins with what was sent before.
 */
export const prepareRequest = (request: LlmRequest, wire: Wire, target: Target): PreparedRequest => new Preparer(wire, target).prepare(request);

function demandOf(demand: LlmRequest["toolChoice"], names: ToolNames): LlmRequest["toolChoice"] {
  return typeof demand === "string" ? demand : withField(demand, "tool", names.known(demand.tool));
}

/** `prepareRequest` for one receiver. Remembers what it did, so that a conversation that grows costs what is new in it. */
export class Preparer {
  readonly #wire: Wire;
  readonly #isOwn: (origin: LlmOrigin | undefined) => boolean;
  readonly #cache = new MessageCache();
  readonly #joined: JoinedMessages;
  /** By the first message behind the system prompt: it lives as long as the conversation does. */
  readonly #sendings = new WeakMap<LlmMessage, Sending>();

  constructor(wire: Wire, target: Target) {
    this.#wire = wire;
    const isSame = target.sameOrigin ?? isEqualOrigin;
    const own: LlmOrigin = { provider: target.provider, model: target.model };
    this.#isOwn = (origin) => origin !== undefined && isSame(origin, own);
    this.#joined = new JoinedMessages(this.#isOwn);
  }

  prepare(request: LlmRequest): PreparedRequest {
    const { messages, tools } = request;
    const found = messages.findIndex(({ role }) => role !== "system");
    const begin = found === -1 ? messages.length : found;
    const sending = this.#sendingOf(request, messages[begin]);
    sending.take(request, begin);
    const sent = this.#atEdges(this.#withReasoning(this.#joinedWithPrompt(messages, begin, sending), sending));
    const { names, conversation, sentTools } = sending;
    const toolChoice = demandOf(request.toolChoice, names);
    const isSame = sent === messages && sentTools === tools && toolChoice === request.toolChoice;
    return {
      request: isSame ? request : { ...request, messages: sent, tools: sentTools, toolChoice },
      toolNames: names.changed(),
      callIds: conversation.renamedCalls(),
    };
  }

  #sendingOf(request: LlmRequest, first: LlmMessage | undefined): Sending {
    const known = first && this.#sendings.get(first);
    if (known?.fits(request) === true) return known;
    const fresh = new Sending(request, { wire: this.#wire, isOwn: this.#isOwn }, this.#cache);
    if (first !== undefined) this.#sendings.set(first, fresh);
    return fresh;
  }

  /** The array that was given where nothing in it had to change. */
  #joinedWithPrompt(messages: readonly LlmMessage[], begin: number, sending: Sending): readonly LlmMessage[] {
    const prompt = messages.slice(0, begin);
    const sentPrompt = prompt.flatMap((message) => sending.messageOf(message) ?? []);
    const isSame = sending.conversation.isSame && sentPrompt.length === begin && sentPrompt.every((message, index) => message === prompt[index]);
    return isSame ? messages : sentPrompt.concat(sending.conversation.sent);
  }

  /** Reasoning that nobody signed stays with what the user said last, where the receiver wants it so. */
  #withReasoning(messages: readonly LlmMessage[], { conversation: { unsigned, sent } }: Sending): readonly LlmMessage[] {
    if (unsigned.length === 0) return messages;
    const before = messages.length - sent.length;
    const lastAsked = messages.findLastIndex(({ role, blocks }) => role === "user" && !blocks.some(({ type }) => type === "toolResult"));
    const old = unsigned.filter((index) => before + index < lastAsked);
    if (old.length === 0) return messages;
    const changed: (LlmMessage | undefined)[] = [...messages];
    for (const index of old) {
      const message = messages[before + index];
      changed[before + index] = message && this.#cache.withoutUnsigned(message);
    }
    return changed.filter((message) => message !== undefined);
  }

  #atEdges(messages: readonly LlmMessage[]): readonly LlmMessage[] {
    const turns = this.#wire.alternation === "strict" ? takingTurns(messages, this.#joined) : messages;
    return this.#wire.firstMessage === "user" ? fromUser(turns) : turns;
  }
}
