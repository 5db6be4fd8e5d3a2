// Turn log: what a running turn has appended so far, and how much of it a step has made durable.

import type { Message } from "../domain/messages.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { TurnClaim, TurnRecord } from "../stores/contract.ts";
import { chainDigest } from "./envelope.ts";
import { resultsOf } from "./recovered-results.ts";
import { compactionIn, type TurnCompaction } from "./turn-compaction.ts";

export class TurnLog {
  readonly #messages: Message[] = [];
  readonly #modelCalls: ModelCallRecord[] = [];
  readonly #toolResults: ToolResult[] = [];
  readonly #claims: TurnClaim[] = [];
  #compaction: TurnCompaction | undefined;
  #isRefused = false;
  #saved = { messages: 0, modelCalls: 0 };
  #digest = { length: 0, value: "" };

  /**
   * Takes up what an earlier owner of the turn left.
   *
   * @param length - messages of the log by the machine's count. A turn that was restarted from its input (design 4) wrote its
   *   messages and calls again, behind those of the run before; only the last run counts.
   * @param isOpen - whether the checkpoint of that replay key has not been answered yet: what it claimed is not in the log.
   */
  restore(turn: TurnRecord, length: number, isOpen: (replayKey: string) => boolean): void {
    const log = turn.log.slice(turn.log.length - length);
    const calls = new Map(turn.modelCalls.map((call, index) => [isOwn(call) ? call.effectId : `direct ${index}`, call]));
    this.#messages.push(...log);
    this.#modelCalls.push(...calls.values());
    this.#toolResults.push(...resultsOf({ ...turn, log }));
    this.#compaction = compactionIn(turn);
    for (const claim of turn.claims) if (claim.replayKey !== undefined && !isOpen(claim.replayKey)) this.#claims.push(claim);
    this.#saved = { messages: this.#messages.length, modelCalls: this.#modelCalls.length };
  }

  get messages(): readonly Message[] {
    return this.#messages;
  }

  get modelCalls(): readonly ModelCallRecord[] {
    return this.#modelCalls;
  }

  get toolResults(): readonly ToolResult[] {
    return this.#toolResults;
  }

  /** Inputs and work that this turn has said; its end completes them. */
  get claims(): readonly TurnClaim[] {
    return this.#claims;
  }

  recordClaim(claim: TurnClaim): void {
    this.#claims.push(claim);
  }

  append(messages: readonly Message[]): void {
    this.#messages.push(...messages);
  }

  recordCall(call: ModelCallRecord): void {
    this.#modelCalls.push(call);
  }

  /** What stands for the conversation since it was made shorter. */
  get compaction(): TurnCompaction | undefined {
    return this.#compaction;
  }

  recordCompaction(compaction: TurnCompaction): void {
    this.#compaction = compaction;
  }

  /** Whether the latest model call was refused for what was in it. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  recordRefusal(isRefused: boolean): void {
    this.#isRefused = isRefused;
  }

  recordResults(results: readonly ToolResult[]): void {
    this.#toolResults.push(...results);
  }

  /** What no step has written yet; counts as written from now on. */
  takeUnsaved(): { readonly appended: readonly Message[]; readonly modelCalls: readonly ModelCallRecord[] } {
    const appended = this.#messages.slice(this.#saved.messages);
    this.#saved = { ...this.#saved, messages: this.#messages.length };
    return { appended, modelCalls: this.takeUnsavedCalls() };
  }

  takeUnsavedCalls(): readonly ModelCallRecord[] {
    const modelCalls = this.#modelCalls.slice(this.#saved.modelCalls);
    this.#saved = { ...this.#saved, modelCalls: this.#modelCalls.length };
    return modelCalls;
  }

  /** Names the first `length` messages in 64 characters; asking for a longer log costs what is new. */
  digest(length: number): string {
    const from = length < this.#digest.length ? { length: 0, value: "" } : this.#digest;
    let { value } = from;
    for (const message of this.#messages.slice(from.length, length)) value = chainDigest(value, message);
    this.#digest = { length, value };
    return value;
  }
}

/** A model call of the turn itself: one per effect. Those of its tools are never made again once they are recorded. */
const isOwn = ({ source }: ModelCallRecord): boolean => source === "turn";
