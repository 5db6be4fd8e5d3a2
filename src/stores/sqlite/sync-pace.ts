// SyncPace: whether a lone commit may sync on the event loop instead of in libuv's pool.
//
// Going through the pool costs two thread switches, here 0.06 ms, half of what the sync itself takes on a good disk. So a disk
// that has shown to be fast is trusted, and one that then is slow is trusted less each time: it blocks the loop once, and
// after a few such surprises practically never again.

/** A block of the event loop that nobody notices; parsing a large model reply takes longer. */
const FAST_MS = 1;
const FIRST_PROOF = 16;
const LONGEST_PROOF = 16_384;

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
      return;
    }
    this.#fastInARow = 0;
    if (inPlace) this.#proof = Math.min(LONGEST_PROOF, this.#proof * 4);
  }
}
