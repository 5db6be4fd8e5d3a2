// Parts of a text, in the order in which they begin. A text may be all secrets: as numbers, a million of them are no work for
// the collector.

export class Spans {
  /** From and to of each in turn, in UTF-16 units. */
  readonly #bounds: number[] = [];
  /** What closes those where the text ends too early, by their place. */
  readonly #closes = new Map<number, string>();

  get length(): number {
    return this.#bounds.length / 2;
  }

  /** @returns `to`. */
  add(from: number, to: number, close?: string): number {
    let [first, last] = [from, to];
    // One that began later is part of it.
    while (this.length > 0 && this.from(this.length - 1) > from) {
      last = Math.max(last, this.#bounds.pop() ?? last);
      first = Math.min(first, this.#bounds.pop() ?? first);
    }
    if (close !== undefined) this.#closes.set(this.length, close);
    this.#bounds.push(first, last);
    return to;
  }

  /** Of the one at `index`; beyond the last one, the end of all texts. */
  from(index: number): number {
    return index < this.length ? (this.#bounds[index * 2] ?? 0) : Infinity;
  }

  to(index: number): number {
    return index < this.length ? (this.#bounds[index * 2 + 1] ?? 0) : Infinity;
  }

  close(index: number): string {
    return this.#closes.size === 0 ? "" : (this.#closes.get(index) ?? "");
  }
}
