// RecentTexts: values of row texts that were written or read a moment ago. The hot rows of a session are read again by its
// next transaction, with the same text: that is the same value, whoever wrote it and whatever was rolled back meanwhile, and
// comparing texts costs less than parsing, freezing and checking one. Found by row, because looking a text up would hash it.

import type { Json } from "../../domain/json.ts";
import type { Key } from "../engine.ts";

/** Two generations of so many rows; a row that is asked for moves to the younger one. */
const GENERATION = 64;
/** Characters; longer rows are history, which is written once and read when a session is opened. */
const LONGEST = 4_096;

interface Recent {
  readonly text: string;
  readonly value: Json;
}

/** Keys that read alike share a place, which is harmless: the text decides. */
const nameOf = (key: Key): string => key.join("\0");

export class RecentTexts {
  #young = new Map<string, Recent>();
  #old = new Map<string, Recent>();

  /** The frozen value of a row's text, if this was the latest text of the row and was kept. */
  get(key: Key, text: string): Json | undefined {
    if (text.length > LONGEST) return undefined;
    const name = nameOf(key);
    const known = this.#young.get(name);
    if (known) return known.text === text ? known.value : undefined;
    const older = this.#old.get(name);
    if (older?.text !== text) return undefined;
    this.#set(name, older);
    return older.value;
  }

  /** @param value - frozen all the way down. */
  keep(key: Key, text: string, value: Json): void {
    if (text.length <= LONGEST) this.#set(nameOf(key), { text, value });
  }

  #set(name: string, recent: Recent): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(name, recent);
  }
}
