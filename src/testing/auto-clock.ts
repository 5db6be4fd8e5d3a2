import type { Clock } from "../domain/clock.ts";
import { VirtualTime } from "./virtual-time.ts";

/** A clock for tests that moves to its next timer as soon as nothing else can happen: a day of waiting takes no time. */
export interface AutoClock extends Clock {
  /**
   * Time stands still until the promise settles, and then goes on. For work that takes real time, such as a request over the network:
   * the clock cannot see it, and would let every timeout fire meanwhile.
   */
  outside<T>(promise: Promise<T>): Promise<T>;
  /** Timers that have not fired. 0 after a test means that nothing leaked. */
  readonly pendingTimers: number;
  /** Time stands still from now on; timers that were set stay. Idempotent. */
  stop(): void;
}

/**
 * A virtual clock with auto-advance. Pass it to `createLash({ clock })`, and to tools that wait.
 *
 * It runs while timers are set, so close the lash, or `stop()` the clock, when the test ends. Where a test decides when time moves,
 * take `manualClock()`.
 *
 * @param startMs - epoch milliseconds at the start. Default 0.
 */
export function autoClock(startMs = 0): AutoClock {
  const time = new VirtualTime(startMs);
  const { clock } = time;
  const state = { running: false, stopped: false };
  const run = async (): Promise<void> => {
    if (state.running) return;
    state.running = true;
    // A timer that is set while the last step ends is seen by the next look.
    while (!state.stopped && clock.pendingTimers > 0) await time.step();
    state.running = false;
  };
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer(dueInMs, fn) {
      const cancel = clock.setTimer(dueInMs, fn);
      void run();
      return cancel;
    },
    sleep(ms, signal) {
      const sleeping = clock.sleep(ms, signal);
      void run();
      return sleeping;
    },
    outside: (promise) => time.outside(promise),
    get pendingTimers() {
      return clock.pendingTimers;
    },
    stop: () => void (state.stopped = true),
  };
}
