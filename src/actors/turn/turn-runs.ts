// Turns of one opened session that run or wait in this runtime, and who watches them. The one place that knows what runs here.
//
//   TR1. One run at a time: the session's queue sees to that. While a turn waits for one that was found, that one is what runs.
//   TR2. A second request for a running turn attaches to it: the caller receives its activities and may cancel it.
//   TR3. A session that is being left waits for no answer from outside: turns that only wait are suspended. Nor does it wait for another
//        owner: a turn that does is refused.
//   TR4. A turn that waits for another owner does not run: what is asked of the session meanwhile is answered as if nothing did.

import { onAbort } from "../../domain/abort.ts";
import { CancelSignal } from "../../domain/cancellation.ts";
import type { TurnCancellation } from "../../domain/cancellation.ts";
import type { LashError } from "../../domain/errors.ts";
import { isSame, type Place, type TurnAhead } from "./place.ts";
import { nobody, type TurnWatcher } from "./request.ts";

/** A turn that runs. */
export interface RunningTurn {
  readonly turnId: string;
  /** It has its lease, or had it; else it only asks for it. */
  readonly isClaimed: boolean;
  /** All that it does is wait for answers from outside. */
  readonly isParked: boolean;
  cancel(request: TurnCancellation | undefined): void;
  /** @returns whether it is being left. */
  suspend(): boolean;
  abandon(): void;
}

export interface Attached extends Pick<TurnWatcher, "turnId" | "emit"> {
  readonly cancel: AbortController;
  /** Aborted by `cancel`, or by whoever asked. */
  readonly signal: AbortSignal;
  /** Nobody watches it. */
  readonly isHeadless: boolean;
}

export class TurnRuns {
  readonly #attached = new Set<Attached>();
  readonly #places = new Set<Place>();
  /** Of these places, the one that waits for another owner. */
  #awaitsOwner: Place | undefined;
  readonly #onAwaitsOwner = new Set<() => void>();
  #isLeaving = false;
  #running: RunningTurn | undefined;

  /** The turn that runs. */
  get turnId(): string | undefined {
    return this.#running?.turnId;
  }

  /** The same, unless it only asks for its lease. */
  get claimedTurnId(): string | undefined {
    return this.#running?.isClaimed === true ? this.#running.turnId : undefined;
  }

  /** Somebody watches a turn, or waits for one. */
  get isAskedFor(): boolean {
    return [...this.#attached].some(({ isHeadless }) => !isHeadless);
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

  /** A turn that is next here waits for another owner of the session (TR4). */
  get awaitsOwner(): boolean {
    return this.#awaitsOwner !== undefined;
  }

  /** @param tell - called when that begins. @returns what takes it back. */
  onAwaitsOwner(tell: () => void): () => void {
    this.#onAwaitsOwner.add(tell);
    return () => this.#onAwaitsOwner.delete(tell);
  }

  placesOf(turnId: string): readonly Place[] {
    return [...this.#places].filter((place) => place.turnId === turnId);
  }

  /** The turn that one that is asked for now comes behind: the one that runs, else the one that was asked for first. */
  ahead(turnId: string): TurnAhead | undefined {
    const running = this.#running;
    if (running && !isSame(running.turnId, turnId)) return running;
    for (const attached of this.#attached) if (!isSame(attached.turnId, turnId)) return { turnId: attached.turnId, isParked: false };
    return undefined;
  }

  /** Tells a place what it is behind, as long as `body` does not settle. */
  async keep<T>(place: Place, body: () => Promise<T>): Promise<T> {
    this.#places.add(place);
    try {
      return await body();
    } finally {
      this.#places.delete(place);
    }
  }

  /** Another turn runs now, or the one that does has begun or ceased to wait for answers. */
  changed(): void {
    const running = this.#running;
    if (running) for (const place of this.#places) place.isBehind(running);
  }

  /** While `body` waits for another owner, no turn runs here (TR4). */
  async aside(place: Place, body: () => Promise<void>): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    this.#awaitsOwner = place;
    for (const tell of this.#onAwaitsOwner) tell();
    try {
      await body();
    } finally {
      this.#awaitsOwner = undefined;
      this.#running = running;
    }
  }

  /** Nothing here waits for another owner any more. */
  refuseWaiting(error: LashError): void {
    this.#awaitsOwner?.refuse(error);
  }

  /** Watches a turn as long as `body` runs (TR2). @param body - is given a signal that the session can abort, too. */
  async attach<T>(watcher: TurnWatcher, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { turnId, emit } = watcher;
    const cancel = new AbortController();
    const attached: Attached = { turnId, emit, cancel, signal: cancel.signal, isHeadless: emit === nobody };
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
    this.changed();
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
