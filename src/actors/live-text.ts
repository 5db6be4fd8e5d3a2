// The text of one model call as it is shown while it streams: what is shown, joined, is what its message will say (ME-6).
//
//   L1. Each text of the answer is a row of its own, by the item id of its deltas. Two newlines that T-27 puts between two texts
//       are a row, too, so that rows joined in order of their first delta are the text.
//   L2. Newlines at the beginning of a text wait until it is known how many there are.

import { missingNewlines } from "../domain/messages.ts";

/** Shows a piece of a row. May give a promise, which whoever streams waits for. */
export type ShowText = (row: string, text: string) => void | Promise<void>;

/** A text of the answer that people see; `isApart` where something else stands between it and the one before. */
export interface VisibleText {
  readonly itemId: string;
  readonly text: string;
  readonly isApart: boolean;
}

interface Row {
  readonly id: string;
  text: string;
  /** Of newlines that stand before this text. */
  readonly isBreak: boolean;
}

export class LiveText {
  readonly #show: ShowText;
  #rows: Row[] = [];
  #byId = new Map<string, Row>();
  #current: Row | undefined;
  /** Something else was shown since the last text began. */
  #isApart = false;
  /** The beginning of a text that is newlines so far. */
  #held: { readonly itemId: string; readonly text: string } | undefined;

  constructor(show: ShowText) {
    this.#show = show;
  }

  /** Nearly every delta continues the row before it. */
  add(itemId: string, text: string): void | Promise<void> {
    const current = this.#current;
    if (current === undefined || current.id !== itemId) return this.#enter(itemId, text);
    current.text += text;
    return this.#show(itemId, text);
  }

  /** Something that is no text: what follows stands apart. */
  part(): void {
    this.#isApart = true;
  }

  /** What was shown is withdrawn. @returns the ids of all rows. */
  reset(): readonly string[] {
    const ids = this.#rows.map(({ id }) => id);
    this.#rows = [];
    this.#byId = new Map();
    this.#current = undefined;
    this.#isApart = false;
    this.#held = undefined;
    return ids;
  }

  /**
   * Makes what is shown the text that the answer came to.
   *
   * @param withdraw - takes back rows that are not part of it, or not as they were shown.
   */
  async settle(texts: readonly VisibleText[], withdraw: (rows: readonly string[]) => void | Promise<void>): Promise<void> {
    await this.#release();
    const wanted = joined(texts);
    if (this.#text(this.#rows) === wanted) return;
    const dropped = this.#droppedFor(texts);
    if (dropped.length > 0 && this.#text(this.#rows.filter((row) => !dropped.includes(row))) === wanted) {
      await withdraw(dropped.map(({ id }) => id));
      return;
    }
    const shown = this.#text(this.#rows);
    const last = this.#rows.at(-1);
    if (last && last.id === texts.at(-1)?.itemId && wanted.startsWith(shown)) {
      await this.#show(last.id, wanted.slice(shown.length));
      return;
    }
    if (last) await withdraw(this.reset());
    for (const { itemId, text, isApart } of texts) {
      if (isApart) this.part();
      await this.add(itemId, text);
    }
    await this.#release();
  }

  #enter(itemId: string, given: string): void | Promise<void> {
    const held = this.#held;
    if (held !== undefined && held.itemId !== itemId) {
      const released = this.#release();
      const entered = this.#enter(itemId, given);
      return released ? released.then(() => entered) : entered;
    }
    const known = this.#byId.get(itemId);
    if (known !== undefined) {
      this.#current = known;
      known.text += given;
      return this.#show(itemId, given);
    }
    const text = (held?.text ?? "") + given;
    if (text === "") return undefined;
    this.#held = undefined;
    const missing = this.#isApart ? missingNewlines(this.#text(this.#rows), text) : "";
    if (missing !== "" && isNewlines(text)) {
      this.#held = { itemId, text };
      return undefined;
    }
    return this.#open(itemId, text, missing);
  }

  #open(itemId: string, text: string, missing: string): void | Promise<void> {
    this.#isApart = false;
    if (missing !== "") {
      const id = this.#freshId(`${itemId}:break`);
      this.#append({ id, text: missing, isBreak: true });
      void this.#show(id, missing);
    }
    this.#current = this.#append({ id: itemId, text, isBreak: false });
    return this.#show(itemId, text);
  }

  /** A text that has ended, or stands behind another now, is all newlines. */
  #release(): void | Promise<void> {
    const held = this.#held;
    if (held === undefined) return undefined;
    this.#held = undefined;
    return this.#open(held.itemId, held.text, missingNewlines(this.#text(this.#rows), held.text));
  }

  #append(row: Row): Row {
    this.#rows.push(row);
    this.#byId.set(row.id, row);
    return row;
  }

  #freshId(id: string): string {
    return this.#byId.has(id) ? this.#freshId(`${id}~`) : id;
  }

  /** Rows of texts that are not part of the answer any more, and the newlines behind them. */
  #droppedFor(texts: readonly VisibleText[]): readonly Row[] {
    const kept = new Set(texts.map(({ itemId }) => itemId));
    return this.#rows.filter((row, index) => {
      if (!row.isBreak) return !kept.has(row.id);
      const before = this.#rows[index - 1];
      return before === undefined || !kept.has(before.id);
    });
  }

  #text(rows: readonly Row[]): string {
    return rows.length === 1 ? (rows[0]?.text ?? "") : rows.map(({ text }) => text).join("");
  }
}

const isNewlines = (text: string): boolean => /^\n*$/.test(text);

function joined(texts: readonly VisibleText[]): string {
  let whole = "";
  for (const { text, isApart } of texts) whole += (isApart ? missingNewlines(whole, text) : "") + text;
  return whole;
}
