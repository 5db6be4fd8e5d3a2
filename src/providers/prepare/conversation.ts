// A conversation on its way out, without the system prompt in front: message by message, and where it goes on from one that was sent
// before, only what is new. Its unit is an answer with all that stands between it and the next one.
//   C1. What comes out of the first n units follows from them alone.
//   C2. Where a unit is done anew, all that it and those behind it left in names and ids is taken back first.

import type { LlmMessage } from "../contract.ts";
import { CallIds } from "./call-ids.ts";
import { nameCalls } from "./calls.ts";
import { isSigned } from "./own-blocks.ts";
import type { Receiver } from "./receiver.ts";
import { settleCalls } from "./results.ts";
import type { ToolNames } from "./tool-names.ts";

/** Where a unit begins, and what there was before it. */
interface Mark {
  readonly at: number;
  readonly sent: number;
  readonly ids: number;
  readonly names: number;
  readonly unsigned: number;
  readonly isSame: boolean;
}

export class Conversation {
  readonly #receiver: Receiver;
  readonly #messageOf: (message: LlmMessage) => LlmMessage | undefined;
  readonly #names: ToolNames;
  readonly #ids: CallIds;
  readonly #given: LlmMessage[] = [];
  readonly #sent: LlmMessage[] = [];
  readonly #marks: Mark[] = [];
  readonly #unsigned: number[] = [];
  #isSame = true;

  /** @param messageOf - what a message becomes on its own; undefined where nothing of it is sent. */
  constructor(receiver: Receiver, names: ToolNames, messageOf: (message: LlmMessage) => LlmMessage | undefined) {
    this.#receiver = receiver;
    this.#messageOf = messageOf;
    this.#names = names;
    this.#ids = new CallIds(receiver.wire.callId);
  }

  /** What the last `take` came to. */
  get sent(): readonly LlmMessage[] {
    return this.#sent;
  }

  /** Nothing had to change. */
  get isSame(): boolean {
    return this.#isSame;
  }

  /** Where among `sent` messages stand that hold reasoning which nobody signed, if that depends on what the user says later. */
  get unsigned(): readonly number[] {
    return this.#unsigned;
  }

  renamedCalls(): Map<string, string> {
    return this.#ids.renamed();
  }

  /** @param messages - from `begin` on; earlier units that are the same objects as last time are not looked at again. */
  take(messages: readonly LlmMessage[], begin: number): void {
    let shared = 0;
    while (shared < this.#given.length && this.#given[shared] === messages[begin + shared]) shared += 1;
    this.#rewind(shared);
    for (let at = this.#given.length; begin + at < messages.length; at = this.#given.length) {
      this.#marks.push({
        at,
        sent: this.#sent.length,
        ids: this.#ids.mark,
        names: this.#names.mark,
        unsigned: this.#unsigned.length,
        isSame: this.#isSame,
      });
      let end = begin + at + 1;
      while (messages[end] !== undefined && messages[end]?.role !== "assistant") end += 1;
      this.#takeUnit(messages.slice(begin + at, end));
    }
  }

  /** Back to where the unit begins that holds the last shared message: it may have grown. */
  #rewind(shared: number): void {
    let mark: Mark | undefined;
    while ((mark = this.#marks.at(-1)) !== undefined) {
      this.#marks.pop();
      if (mark.at < shared) break;
    }
    const { at, sent, ids, names, unsigned, isSame } = mark ?? { at: 0, sent: 0, ids: 0, names: 0, unsigned: 0, isSame: true };
    this.#given.length = at;
    this.#sent.length = sent;
    this.#ids.rewind(ids);
    this.#names.rewind(names);
    this.#unsigned.length = unsigned;
    this.#isSame = isSame;
  }

  #takeUnit(unit: readonly LlmMessage[]): void {
    const from = this.#sent.length;
    const [first, ...others] = unit;
    const isAnswer = first?.role === "assistant";
    const answer = isAnswer ? this.#messageOf(first) : undefined;
    const named = answer && nameCalls(answer, this.#receiver.isOwn(answer.origin), this.#names, this.#ids);
    if (named !== undefined) {
      if (this.#receiver.wire.replayReasoning === "sinceLastUser" && hasUnsigned(named.message)) this.#unsigned.push(from);
      this.#sent.push(named.message);
    }
    const between = (isAnswer ? others : unit).flatMap((message) => this.#messageOf(message) ?? []);
    for (const message of settleCalls(named?.calls ?? [], between)) this.#sent.push(message);
    for (const message of unit) this.#given.push(message);
    this.#isSame &&= this.#sent.length - from === unit.length && unit.every((message, index) => message === this.#sent[from + index]);
  }
}

const hasUnsigned = ({ blocks }: LlmMessage): boolean => blocks.some((block) => block.type === "reasoning" && !isSigned(block));
