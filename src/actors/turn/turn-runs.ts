// Turns of one opened session that run or wait in this runtime, and who watches them. The one place that knows what runs here.
//
//   TR1. One run at a time: the session's queue sees to that. While a turn waits for one that was found, that one is what runs.
//   TR2. A second request for a running turn attaches to it: the caller receives its activities and may cancel it.
//   TR3. A session that is being left waits for no answer from outside: turns that only wait are suspended.

import { onAbort } from "../../domain/abort.ts";
import { CancelSignal } from "../../domain/cancellation.ts";
import type { TurnCancellation } from "../../domain/cancellation.ts";
import type { TurnWatcher } from "./request.ts";

/** A turn that runs. */
export interface RunningTurn {
  readonly turnId: string;
  cancel(request: TurnCancellation | undefined): void;
  /** @returns whether it is being left. */
  suspend(): boolean;
  abandon(): void;
}

export interface Attached extends Pick<TurnWatcher, "turnId" | "emit"> {
  readonly cancel: AbortController;
  /** Aborted by `cancel`, or by whoever asked. */
  readonly signal: AbortSignal;
}

export class TurnRuns {
  readonly #attached = new Set<Attached>();
  #isLeaving = false;
  #running: RunningTurn | undefined;

  /** The turn that runs. */
  get turnId(): string | undefined {
    return this.#running?.turnId;
  }

  get isDriving(): boolean {
    return this.#running !== undefined;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  get watchers(): Iterable<Attached> {
    return this.#attached;
  }

  /** Watches a turn as long as `body` runs (TR2). @param body - is given a signal that the session can abort, too. */
  async attach<T>(watcher: TurnWatcher, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { turnId, emit } = watcher;
    const cancel = new AbortController();
    const attached: Attached = { turnId, emit, cancel, signal: cancel.signal };
    this.#attached.add(attached);
    onAbort(cancel.signal, () => {
      if (this.#running?.turnId === turnId) this.#running.cancel(CancelSignal.of(cancel.signal));
    });
    const unlisten = onAbort(watcher.signal, () => cancel.abort(watcher.signal.reason));
    try {
      return await body(cancel.signal);
    } finally {
      unlisten();
      this.#attached.delete(attached);
    }
  }

  /** This turn runs as long as `body` does; then the one before it goes on. */
  async during<T>(turn: RunningTurn, body: () => Promise<T>): Promise<T> {
    const before = this.#running;
    this.#running = turn;
    try {
      const running = body();
      const aborted = [...this.#attached].find(({ turnId, signal }) => turnId === turn.turnId && signal.aborted);
      if (aborted) turn.cancel(CancelSignal.of(aborted.signal));
      return await running;
    } finally {
      this.#running = before;
    }
  }

  /** Leaves the turn that runs in flight, if all it does is wait; only then the session is being left (TR3). @returns whether it does. */
  suspend(): boolean {
    if (!this.#running?.suspend()) return false;
    this.#isLeaving = true;
    return true;
  }

  /** The session is being left (TR3). */
  leave(): void {
    this.#isLeaving = true;
    this.#running?.suspend();
  }

  /** It is not left after all. */
  stay(): void {
    this.#isLeaving = false;
  }

  /** Stops driving what runs; it stays in flight. */
  abandon(): void {
    this.#running?.abandon();
  }

  /** @returns how many turns that were. */
  cancelAll(): number {
    const attached = [...this.#attached];
    for (const { cancel } of attached) cancel.abort();
    return attached.length;
  }
}
