// Session lane: what one runtime does with a session, one thing after another. Between runtimes the store's lease is the truth.
//
//   SL1. Nothing begins before what was asked for earlier has ended, however it ended.
//   SL2. Nothing begins on resident state that may be behind the store (R2).
//   SL3. Once the lane is abandoned, nothing begins any more; what runs is not its business.

export class SessionLane {
  readonly #actors: { ready(): Promise<void> };
  readonly #abandoned = new AbortController();
  #last: Promise<unknown> = Promise.resolve();
  /** What runs, and what waits for it. */
  #count = 0;

  /** @param actors - bring resident state up to the store, where it may be behind. */
  constructor(actors: { ready(): Promise<void> }) {
    this.#actors = actors;
  }

  get isFree(): boolean {
    return this.#count === 0;
  }

  run<T>(body: () => Promise<T>): Promise<T> {
    this.#count += 1;
    const own = this.#last.then(async () => {
      this.#abandoned.signal.throwIfAborted();
      await this.#actors.ready();
      return body();
    });
    this.#last = own.catch(() => undefined);
    return own.finally(() => {
      this.#count -= 1;
    });
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    while (!this.isFree) await this.#last;
  }

  /** Aborts with the lane: for what runs in it and may take long. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** @param reason - what those get that wait, and those that come. */
  abandon(reason: Error): void {
    this.#abandoned.abort(reason);
  }
}
