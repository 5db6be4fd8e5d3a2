// Turn handle: what a host holds while a turn runs.

import { assertReason, CancelSignal, type TurnCancellation, type TurnCancelOutcome } from "./domain/cancellation.ts";
import type { TurnActivity, TurnActivityBody } from "./observe/contract.ts";
import type { TurnResult } from "./turn-result.ts";

/** @internal What a turn needs of its session. */
export interface TurnWiring<Value> {
  readonly start: (turn: Turn<Value>) => Promise<TurnResult<Value>>;
  readonly requestOf: (reason: string | undefined) => TurnCancellation;
  readonly record: (request: TurnCancellation) => Promise<TurnCancelOutcome>;
}

/** Activities a slow consumer may be behind before the turn waits for it (FA-22). */
const BUFFER = 64;

/**
 * One turn: an async iterable of what happens, and the result it ends in.
 *
 * It starts when it is iterated or its `result` is asked for, whichever comes first. A consumer that stops iterating
 * stops watching, not the turn. Iterate it once; everything of it that lasts is in the result and the session.
 */
export class Turn<Value = unknown> implements AsyncIterable<TurnActivity> {
  /** Unique in its session; asking for a turn under an id that has ended gives the recorded result. */
  readonly id: string;
  readonly #wiring: TurnWiring<Value>;
  readonly #cancel = new AbortController();
  readonly #feed = new Feed();
  #result: Promise<TurnResult<Value>> | undefined;
  #count = 0;
  #isOver = false;
  #wasCancelled = false;

  /** Made by `session.turn()`. */
  constructor(id: string, wiring: TurnWiring<Value>) {
    this.id = id;
    this.#wiring = wiring;
  }

  /**
   * The committed result; a turn that stopped is a result too, not a throw. Durable when it resolves.
   *
   * An error that concerns the turn names it: `details: { sessionId, turnId, accepted }`. Where `accepted` is false, `isRetryable` is
   * true and the same call may be made again. Where it is true, ask for the turn by its id (`error.askAgain`), with the same input.
   *
   * @throws LashError `session_execution_busy` - it was not to wait for another turn of its session, or not any longer, or was asked for
   *   from inside one, by its tools or hooks; accepted only if another owner runs this very turn.
   * @throws LashError `session_execution_lease_lost` - another owner took over, or the lease could not be renewed in time.
   * @throws LashError `store_commit_failed` - the store failed. An accepted turn stays in flight, and is taken up again while its
   *   session is open, or by `recover()`; tools that were running are interrupted, and their own policy says what that means.
   * @throws LashError `lash_closed`, `turn_suspended` - an accepted turn stays in flight.
   */
  get result(): Promise<TurnResult<Value>> {
    return this.#started();
  }

  /**
   * Ends the turn as `stopped: "cancelled"`; what has finished is kept. What runs is told at once. One that was not accepted yet, because
   * it has not begun or waits for another, ends at once and leaves nothing behind. Else the request is durable when
   * this resolves: should this process die before the turn has ended, whoever finishes it ends it as cancelled.
   *
   * @param reason - kept in the result's `cancellation`; at most 4 KiB.
   * @returns whether the turn ends as cancelled, or had ended before.
   * @throws LashError `invalid_argument` - at once: a reason that is no text, or too long.
   */
  cancel(reason?: string): Promise<TurnCancelOutcome> {
    assertReason(reason);
    const request = this.#wiring.requestOf(reason);
    this.#cancel.abort(new CancelSignal(request));
    // A consumer that cancels may read no further; its turn ends all the same.
    this.#feed.hurry();
    const recorded = this.#record(request);
    // Who does not ask whether the request could be recorded need not handle that it could not.
    recorded.catch(() => undefined);
    return recorded;
  }

  async #record(request: TurnCancellation): Promise<TurnCancelOutcome> {
    // One that has not begun begins as cancelled, and so does one that still waits to be accepted.
    if (!this.#result) return { status: "accepted" };
    const outcome = await this.#wiring.record(request);
    return outcome.status === "unknown_turn" && (!this.#isOver || this.#wasCancelled) ? { status: "accepted" } : outcome;
  }

  /** Aborts when the host cancels. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  /** Hands an activity to whoever watches; gives a promise only while the consumer is too far behind. */
  emit(body: TurnActivityBody, correlationId: string): void | Promise<void> {
    if (!this.#feed.isWatched) return undefined;
    this.#count += 1;
    return this.#feed.push({ id: `${this.id}:${this.#count}`, correlationId, ...body });
  }

  [Symbol.asyncIterator](): AsyncIterator<TurnActivity> {
    const iterator = this.#feed.watch();
    this.#started().then(
      () => this.#feed.end(),
      (error: unknown) => this.#feed.fail(error),
    );
    return iterator;
  }

  #started(): Promise<TurnResult<Value>> {
    if (this.#result) return this.#result;
    this.#result = this.#wiring.start(this);
    const end = (result?: TurnResult<Value>): void => {
      this.#isOver = true;
      this.#wasCancelled = result?.outcome.kind === "stopped" && result.outcome.stop === "cancelled";
    };
    // A host that only iterates meets the failure there; it is not an unhandled rejection.
    this.#result.then(end, () => end());
    return this.#result;
  }
}

/** A bounded queue between a turn and one consumer. */
class Feed {
  #items: TurnActivity[] = [];
  #state: "idle" | "watched" | "left" | "ended" = "idle";
  #hurried = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #drained: PromiseWithResolvers<void> | undefined;

  get isWatched(): boolean {
    return this.#state === "watched";
  }

  push(activity: TurnActivity): void | Promise<void> {
    this.#items.push(activity);
    this.#wake?.();
    if (this.#hurried || this.#items.length < BUFFER) return undefined;
    this.#drained ??= Promise.withResolvers<void>();
    return this.#drained.promise;
  }

  /** From now on nobody waits for the consumer, however far behind it is. */
  hurry(): void {
    this.#hurried = true;
    this.#release();
  }

  end(): void {
    if (this.#state !== "left") this.#state = "ended";
    this.#release();
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.end();
  }

  watch(): AsyncIterator<TurnActivity> {
    if (this.#state === "idle") this.#state = "watched";
    return {
      next: () => this.#next(),
      return: () => {
        this.#state = "left";
        this.#items = [];
        this.#release();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  async #next(): Promise<IteratorResult<TurnActivity>> {
    for (;;) {
      const value = this.#items.shift();
      if (value) {
        if (this.#items.length < BUFFER) this.#release();
        return { done: false, value };
      }
      if (this.#failure && this.#state === "ended") throw this.#failure.error;
      if (this.#state !== "watched") return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  #release(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}
