import { expect, test } from "vitest";
import { autoClock, manualClock } from "../../src/testing/index.ts";

test("an auto clock goes from timer to timer by itself, in order, and stands still without any", async () => {
  const clock = autoClock(1_000);
  const fired: string[] = [];
  clock.setTimer(86_400_000, () => fired.push(`day ${clock.now()}`));
  const cancel = clock.setTimer(10, () => fired.push("cancelled"));
  cancel();
  await clock.sleep(3_600_000);
  expect([fired, clock.now(), clock.pendingTimers]).toEqual([[], 3_601_000, 1]);
  await clock.sleep(90_000_000);
  expect([fired, clock.now(), clock.monotonic(), clock.pendingTimers]).toEqual([["day 86401000"], 93_601_000, 93_601_000, 0]);
  const aborted = new AbortController();
  const sleeping = clock.sleep(5, aborted.signal);
  aborted.abort(new Error("enough"));
  await expect(sleeping).rejects.toThrow("enough");
});

test("an auto clock lets all that is ready happen before it moves", async () => {
  const clock = autoClock();
  const order: string[] = [];
  clock.setTimer(5, () => order.push("timer"));
  let chain = Promise.resolve();
  for (let n = 0; n < 200; n++) chain = chain.then(() => undefined);
  await chain.then(() => order.push("promises"));
  await clock.sleep(6);
  expect(order).toEqual(["promises", "timer"]);
});

test("an auto clock stands still while something outside is pending, and for good when it is stopped", async () => {
  const clock = autoClock();
  const { promise, resolve } = Promise.withResolvers<string>();
  const order: string[] = [];
  clock.setTimer(1, () => order.push("timeout"));
  const work = clock.outside(promise).then((value) => order.push(value));
  for (let n = 0; n < 20; n++) await new Promise((next) => setTimeout(next));
  expect(clock.now()).toBe(0);
  resolve("answer");
  await work;
  await clock.sleep(1);
  expect(order).toEqual(["answer", "timeout"]);
  clock.stop();
  clock.setTimer(1, () => order.push("late"));
  for (let n = 0; n < 20; n++) await new Promise((next) => setTimeout(next));
  expect([order, clock.pendingTimers]).toEqual([["answer", "timeout"], 1]);
});

test("a manual clock tells when its next timer is due", async () => {
  const clock = manualClock();
  expect(clock.nextDueInMs).toBeUndefined();
  clock.setTimer(20, () => {});
  const cancel = clock.setTimer(5, () => {});
  await clock.advance(2);
  expect(clock.nextDueInMs).toBe(3);
  cancel();
  expect(clock.nextDueInMs).toBe(18);
});
