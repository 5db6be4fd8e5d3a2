import { systemClock, type Clock } from "../domain/clock.ts";
import { sleepOn } from "./sleep-on.ts";

/** A clock that stands still until the test moves it. */
export interface ManualClock extends Clock {
  /** Moves time on by `ms`, firing what falls due in order, and lets all that follows run. */
  advance(ms: number): Promise<void>;
  /** Moves from timer to timer until the promise settles. @throws Error when it does not settle and nothing is due. */
  runUntil<T>(promise: Promise<T>): Promise<T>;
  /** Timers that have not fired: 0 after a test means that nothing leaked. */
  readonly pendingTimers: number;
  /** Milliseconds until the next timer fires; undefined when there is none. `advance(nextDueInMs)` goes there. */
  readonly nextDueInMs: number | undefined;
}

interface Timer {
  readonly dueAtMs: number;
  readonly fire: () => void;
}

/** @param startMs - epoch milliseconds at the start. Default 0. */
export function manualClock(startMs = 0): ManualClock {
  return clockThatSettles(startMs, () => systemClock.sleep(0));
}

/** @param settle - lets every promise callback that is ready run. */
export function clockThatSettles(startMs: number, settle: () => Promise<void>): ManualClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();

  const setTimer = (dueInMs: number, fire: () => void): (() => void) => {
    const timer: Timer = { dueAtMs: nowMs + Math.max(0, dueInMs), fire };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const next = (): Timer | undefined => {
    let first: Timer | undefined;
    for (const timer of timers) if (first === undefined || timer.dueAtMs < first.dueAtMs) first = timer;
    return first;
  };
  const fireUntil = async (untilMs: number): Promise<void> => {
    await settle();
    for (let timer = next(); timer !== undefined && timer.dueAtMs <= untilMs; timer = next()) {
      timers.delete(timer);
      nowMs = timer.dueAtMs;
      timer.fire();
      await settle();
    }
  };

  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    setTimer,
    sleep: sleepOn(setTimer),
    async advance(ms) {
      const untilMs = nowMs + ms;
      await fireUntil(untilMs);
      nowMs = untilMs;
    },
    async runUntil(promise) {
      const state = { settled: false };
      const mark = (): void => {
        state.settled = true;
      };
      void promise.then(mark, mark);
      await settle();
      while (!state.settled) {
        const timer = next();
        if (timer === undefined) throw new Error("the promise waits for something that is not due on this clock");
        await fireUntil(timer.dueAtMs);
      }
      return promise;
    },
    get pendingTimers() {
      return timers.size;
    },
    get nextDueInMs() {
      const timer = next();
      return timer && timer.dueAtMs - nowMs;
    },
  };
}
