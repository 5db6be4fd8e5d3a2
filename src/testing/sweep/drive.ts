// Runs something to its end on virtual time, and says so when it cannot end.

import { systemClock } from "../../domain/clock.ts";
import type { VirtualTime } from "../virtual-time.ts";

export interface Patience {
  /** Real milliseconds that may be spent on waiting a little before each step of time. */
  readonly slowMs: number;
  /** Real milliseconds that may pass with nothing due. */
  readonly idleMs: number;
}

/** Most runs load nothing any more: what they wait for is on the clock, or never comes. */
export const QUICK: Patience = { slowMs: 0, idleMs: 2_000 };
/** The first run loads code on its way, which takes real time. */
export const SLOW: Patience = { slowMs: 1_000, idleMs: 10_000 };

/** Virtual time that a run may take. */
const LIMIT_MS = 30 * 86_400_000;
const IDLE_STEP_MS = 10;
const SLOW_STEP_MS = 5;

/** @throws what the promise rejects with; Error - it waits for something that never comes. */
export async function drive<T>(promise: Promise<T>, time: VirtualTime, { slowMs, idleMs }: Patience = QUICK): Promise<T> {
  const state = { settled: false };
  const mark = (): void => void (state.settled = true);
  void promise.then(mark, mark);
  const endMs = time.clock.now() + LIMIT_MS;
  for (let [waitedMs, spentMs] = [0, 0]; !state.settled; ) {
    const stepMs = spentMs < slowMs ? SLOW_STEP_MS : 0;
    spentMs += stepMs;
    const step = await time.step(stepMs);
    if (state.settled) break;
    if (step !== "idle") waitedMs = 0;
    else if (waitedMs >= idleMs) throw new Error("it does not end: it waits for something that is not due on the clock of the sweep; real work belongs into `outside`");
    else {
      // The first looks are quick: most of what is not on the clock takes no time.
      const pauseMs = waitedMs === 0 ? 1 : IDLE_STEP_MS;
      await systemClock.sleep(pauseMs);
      waitedMs += pauseMs;
    }
    if (time.clock.now() > endMs) throw new Error("it does not end: a month has passed on the clock of the sweep");
  }
  return promise;
}
