import type { Clock } from "../domain/clock.ts";

/** `sleep` of a clock, made of its `setTimer`. */
export const sleepOn = (setTimer: Clock["setTimer"]): Clock["sleep"] => (ms, signal) =>
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
  });
