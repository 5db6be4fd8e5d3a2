// SyncPace: whether a lone commit may sync on the event loop instead of in libuv's pool.
//
// Going through the pool costs two thread switches, here 0.06 ms, half of what the sync itself takes on a good disk. So a disk
// that has shown to be fast is trusted, and one that then is slow is trusted less each time: it blocks the loop once, and
// after a few such surprises practically never again, until it has been fast for long.

/** A block of the event loop that nobody notices: a third of a frame, as parsing a large model reply takes. */
const FAST_MS = 5;
const FIRST_PROOF = 16;
const LONGEST_PROOF = 16_384;
/** Syncs in a row that earn back what one surprise cost. */
const LONG_STREAK = 4096;

export class SyncPace {
  #fastInARow = 0;
  #proof = FIRST_PROOF;

  get isTrusted(): boolean {
    return this.#fastInARow >= this.#proof;
  }

  /** @param inPlace - whether the sync blocked the event loop. */
  note(milliseconds: number, inPlace: boolean): void {
    if (milliseconds <= FAST_MS) {
      this.#fastInARow++;
      if (this.#fastInARow % LONG_STREAK === 0) this.#proof = Math.max(FIRST_PROOF, this.#proof / 4);
      return;
    }
    this.#fastInARow = 0;
    if (inPlace) this.#proof = Math.min(LONGEST_PROOF, this.#proof * 4);
  }
}
