// VirtualTime: a clock that stands still, and the step that moves it on to its next timer when nothing else can happen.
//
//   VT1. "Nothing else can happen" means: every promise callback and macrotask that was ready has run, and nothing outside is pending.
//        Work that is neither on this clock nor wrapped in `outside` cannot be seen, so time may run ahead of it.

import { systemClock } from "../domain/clock.ts";
import { macrotask } from "./macrotask.ts";
import { clockThatSettles, type ManualClock } from "./manual-clock.ts";

export class VirtualTime {
  readonly clock: ManualClock;
  readonly #outside = new Set<Promise<unknown>>();

  constructor(startMs: number) {
    this.clock = clockThatSettles(startMs, macrotask);
  }

  /** Time stands still until the promise settles. */
  outside<T>(promise: Promise<T>): Promise<T> {
    const end = (): void => void this.#outside.delete(settled);
    const settled: Promise<unknown> = promise.then(end, end);
    this.#outside.add(settled);
    return promise;
  }

  /**
   * Lets everything happen that can, then goes to the next timer.
   *
   * @param realMs - real milliseconds to wait first, for what cannot be seen. Default 0.
   * @returns `waited` for something outside; `idle` - nothing is due.
   */
  async step(realMs = 0): Promise<"moved" | "waited" | "idle"> {
    await rest(realMs);
    if (this.#outside.size > 0) {
      await Promise.race(this.#outside);
      return "waited";
    }
    const { nextDueInMs } = this.clock;
    if (nextDueInMs === undefined) return "idle";
    await this.clock.advance(nextDueInMs);
    return "moved";
  }
}

/** Work often takes several macrotasks in a row, each of which begins the next. */
const ROUNDS = 3;

/** Lets everything that is already under way come to rest. */
export async function rest(realMs = 0): Promise<void> {
  for (let n = 0; n < ROUNDS; n++) await macrotask();
  if (realMs > 0) await systemClock.sleep(realMs);
}
