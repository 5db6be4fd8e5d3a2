// Arguments of calls as they are shown while a model writes them. Live only: the call itself comes whole, as a part of the answer.
//
//   LI1. Each call that is begun has a row, also where a provider uses one id twice in an answer: then the latest is written on.
//   LI2. A row ends with its arguments, or is taken back with the attempt or because no call came of it.

import type { TurnActivityBody } from "../observe/contract.ts";
import type { LlmStreamEvent } from "../providers/contract.ts";

type Show = (body: TurnActivityBody, correlationId: string) => void | Promise<void>;

interface Row {
  readonly callId: string;
  readonly id: string;
  isEnded: boolean;
}

export class LiveInputs {
  readonly #show: Show;
  readonly #rowId: (id: string) => string;
  /** Of this attempt, in order. */
  #rows: Row[] = [];
  #byCall = new Map<string, Row>();
  /** Nearly every delta continues the row before it. */
  #current: Row | undefined;

  constructor(show: Show, rowId: (id: string) => string) {
    this.#show = show;
    this.#rowId = rowId;
  }

  start({ callId, toolName, providerExecuted }: Extract<LlmStreamEvent, { type: "toolInputStart" }>): void | Promise<void> {
    const isRepeated = this.#byCall.has(callId);
    const row: Row = { callId, id: this.#rowId(`input:${callId}${isRepeated ? `~${this.#rows.length}` : ""}`), isEnded: false };
    this.#rows.push(row);
    this.#byCall.set(callId, row);
    this.#current = row;
    return this.#show({ type: "tool_input_started", callId, name: toolName, ...(providerExecuted && { providerExecuted }) }, row.id);
  }

  /** What belongs to no call that was begun is not shown. */
  add(callId: string, text: string): void | Promise<void> {
    const row = this.#rowOf(callId);
    return row && !row.isEnded ? this.#show({ type: "tool_input_delta", callId, text }, row.id) : undefined;
  }

  end(callId: string): void | Promise<void> {
    const row = this.#rowOf(callId);
    if (!row || row.isEnded) return undefined;
    row.isEnded = true;
    return this.#show({ type: "tool_input_ended", callId }, row.id);
  }

  /** @returns the ids of all rows: they are withdrawn. */
  reset(): readonly string[] {
    const ids = this.#rows.map(({ id }) => id);
    this.#rows = [];
    this.#byCall = new Map();
    this.#current = undefined;
    return ids;
  }

  /**
   * The answer is there: rows of its calls end.
   *
   * @returns the ids of the others: they came to no call.
   */
  async settle(called: ReadonlySet<string>): Promise<readonly string[]> {
    const lost = this.#rows.filter(({ callId }) => !called.has(callId));
    for (const row of this.#rows) {
      if (row.isEnded || !called.has(row.callId)) continue;
      row.isEnded = true;
      await this.#show({ type: "tool_input_ended", callId: row.callId }, row.id);
    }
    this.#rows = this.#rows.filter((row) => !lost.includes(row));
    return lost.map(({ id }) => id);
  }

  #rowOf(callId: string): Row | undefined {
    if (this.#current?.callId !== callId) this.#current = this.#byCall.get(callId);
    return this.#current;
  }
}
