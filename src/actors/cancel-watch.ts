// Cancel watch: tells a running turn that somebody asked for its end, in this process, another tab or another one (OP-9, OP-20).
//
// Off the hot path: a turn that is over within 25 ms reads nothing, and its steps hear of a request from the rows they write
// anyway. What this misses is caught by the final commit.

import type { Clock } from "../domain/clock.ts";
import type { TurnCancellation } from "../domain/cancellation.ts";
import type { ChangeHub } from "./change-hub.ts";

const FIRST_LOOK_MS = 25;
const LAST_LOOK_MS = 1000;

export const cancelTopic = (sessionId: string, turnId: string): string => `cancel:${sessionId}:${turnId}`;

export interface CancelWatchOptions {
  readonly hub: ChangeHub;
  readonly clock: Clock;
  readonly topic: string;
  /** Whether other processes may write the row, so that it has to be read now and then. */
  readonly isShared: boolean;
  readonly look: () => Promise<TurnCancellation | undefined>;
  readonly onRequest: (request: TurnCancellation) => void;
}

export class CancelWatch {
  readonly #options: CancelWatchOptions;
  readonly #unlisten: () => void;
  #cancelTimer: () => void = () => undefined;
  #pause = FIRST_LOOK_MS;
  #isOver = false;

  constructor(options: CancelWatchOptions) {
    this.#options = options;
    this.#unlisten = options.hub.listen(options.topic, () => void this.#look());
    this.#arm();
  }

  stop(): void {
    this.#isOver = true;
    this.#unlisten();
    this.#cancelTimer();
  }

  #arm(): void {
    const { clock, isShared } = this.#options;
    if (!isShared || this.#isOver) return;
    this.#cancelTimer = clock.setTimer(this.#pause, () => {
      this.#pause = Math.min(this.#pause * 2, LAST_LOOK_MS);
      void this.#look().then(() => this.#arm());
    });
  }

  async #look(): Promise<void> {
    // A store that cannot be read now is read again; the final commit reads it in any case.
    const found = await this.#options.look().catch(() => undefined);
    if (!found || this.#isOver) return;
    this.stop();
    this.#options.onRequest(found);
  }
}
