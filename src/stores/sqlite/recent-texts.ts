// RecentTexts: values of row texts that were written or read a moment ago. The hot rows of a session are read again by its
// next transaction, by the same text: that is the same value, whoever wrote it and whatever was rolled back meanwhile, and
// comparing texts costs less than parsing, freezing and checking one.

import type { Json } from "../../domain/json.ts";

/** Two generations of so many texts; a text that is asked for moves to the younger one. */
const GENERATION = 64;
/** Characters; longer rows are history, which is written once and read when a session is opened. */
const LONGEST = 4_096;

export class RecentTexts {
  #young = new Map<string, Json>();
  #old = new Map<string, Json>();

  /** The frozen value of a text, if it was kept. */
  get(text: string): Json | undefined {
    if (text.length > LONGEST) return undefined;
    const known = this.#young.get(text);
    if (known !== undefined) return known;
    const older = this.#old.get(text);
    if (older !== undefined) this.keep(text, older);
    return older;
  }

  /** @param value - frozen all the way down. */
  keep(text: string, value: Json): void {
    if (text.length > LONGEST) return;
    if (this.#young.size === GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(text, value);
  }
}
