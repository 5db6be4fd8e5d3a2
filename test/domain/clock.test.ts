import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../../src/domain/clock.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const DAY_MS = 86_400_000;

test("a timer longer than the platform's largest fires when it is due, not at once", () => {
  let fired = 0;
  systemClock.setTimer(60 * DAY_MS, () => void (fired += 1));
  vi.advanceTimersByTime(60 * DAY_MS - 1);
  expect(fired).toBe(0);
  vi.advanceTimersByTime(1);
  expect(fired).toBe(1);
});

test("a timer that was taken back does not fire, also after it was extended", () => {
  let fired = 0;
  const cancel = systemClock.setTimer(60 * DAY_MS, () => void (fired += 1));
  vi.advanceTimersByTime(40 * DAY_MS);
  cancel();
  vi.advanceTimersByTime(60 * DAY_MS);
  expect([fired, vi.getTimerCount()]).toEqual([0, 0]);
});

test("an aborted sleep rejects with the signal's reason and leaves no timer", async () => {
  const abort = new AbortController();
  const sleep = systemClock.sleep(1_000, abort.signal);
  abort.abort(new Error("up"));
  await expect(sleep).rejects.toThrow("up");
  await expect(systemClock.sleep(1_000, abort.signal)).rejects.toThrow("up");
  expect(vi.getTimerCount()).toBe(0);
});

test("a sleep that is over lets go of its signal", async () => {
  const abort = new AbortController();
  const remove = vi.spyOn(abort.signal, "removeEventListener");
  const sleep = systemClock.sleep(1_000, abort.signal);
  vi.advanceTimersByTime(1_000);
  await sleep;
  expect(remove).toHaveBeenCalledOnce();
});
