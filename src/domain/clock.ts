/**
 * Time as the runtime sees it. Everything that waits or stamps takes a clock, so that a test owns time.
 * This file is the only one that touches the real clock and the real timers.
 */
export interface Clock {
  /** Wall time in epoch milliseconds. May jump; only for stamps and absolute due times. */
  now(): number;
  /** Milliseconds since an arbitrary start. Never goes back; for durations and timeouts. */
  monotonic(): number;
  /** Resolves after `ms`. Rejects with the signal's reason as soon as it aborts, also when it already has. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` once after `dueInMs`; the returned function takes the timer back. */
  setTimer(dueInMs: number, fn: () => void): () => void;
}

/** Real timers hold at most 2^31 - 1 ms and fire at once beyond it, so longer waits are made of several. */
const MAX_TIMER_MS = 2_147_483_647;

function setTimer(dueInMs: number, fn: () => void): () => void {
  let handle: ReturnType<typeof setTimeout>;
  const arm = (remainingMs: number): void => {
    handle =
      remainingMs > MAX_TIMER_MS
        ? setTimeout(() => arm(remainingMs - MAX_TIMER_MS), MAX_TIMER_MS)
        : setTimeout(fn, Math.max(0, remainingMs));
  };
  arm(dueInMs);
  return () => clearTimeout(handle);
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = setTimer(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};
