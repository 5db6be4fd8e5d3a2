// RecentTexts: values of row texts that were written or read a moment ago. The hot rows of a session are read again by its
// next transaction, with the same text: that is the same value, whoever wrote it and whatever was rolled back meanwhile, and
// comparing texts costs less than parsing, freezing and checking one. Found by row, because looking a text up would hash it.

import type { Json } from "../../domain/json.ts";
import type { Key } from "../engine.ts";

/**
 * Characters of a generation, of which there are two; a row that is asked for moves to the younger one. By characters and not by
 * rows: the hot rows of some hundred sessions that run at once are small, and if they do not fit, every step parses them anew.
 */
const GENERATION = 1 << 20;
/** Characters that stand for the objects of an entry. */
const ENTRY = 128;
/** Characters; longer rows are history, which is written once and read when a session is opened. */
const LONGEST = 4_096;

interface Recent {
  readonly text: string;
  readonly value: Json;
}

/** No row has an empty text. */
const ABSENT: Recent = { text: "", value: null };

/** Keys that read alike share a place, which is harmless: the text decides. */
const nameOf = (key: Key): string => key.join("\0");

export class RecentTexts {
  readonly #generation: number;
  /** Characters that the younger generation may still take. */
  #room: number;
  #young = new Map<string, Recent>();
  #old = new Map<string, Recent>();

  constructor(generation = GENERATION) {
    this.#generation = generation;
    this.#room = generation;
  }

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

  /** Of a row that was read. @param value - frozen all the way down. */
  keep(key: Key, text: string, value: Json): void {
    if (text.length <= LONGEST) this.#set(nameOf(key), { text, value });
  }

  /** There is no such row yet: whoever asks for one writes it soon. */
  expect(key: Key): void {
    this.#set(nameOf(key), ABSENT);
  }

  /**
   * Of a row that is written. Kept where it was asked for a moment ago: most rows are written once and read long after, and keeping
   * those costs the collector more than it saves.
   */
  written(key: Key, text: string, value: Json): void {
    if (text.length > LONGEST) return;
    const name = nameOf(key);
    if (this.#young.has(name) || this.#old.has(name)) this.#set(name, { text, value });
  }

  #set(name: string, recent: Recent): void {
    this.#room -= recent.text.length - (this.#young.get(name)?.text.length ?? -ENTRY);
    if (this.#room < 0) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#room = this.#generation - recent.text.length - ENTRY;
    }
    this.#young.set(name, recent);
  }
}
