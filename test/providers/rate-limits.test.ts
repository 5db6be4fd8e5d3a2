import { expect, test } from "vitest";
import type { RateLimits } from "../../src/providers/contract.ts";
import { estimateTokens, RateLimiter } from "../../src/providers/rate-limits.ts";
import { manualClock } from "../../src/testing/index.ts";
import { request, says, weather } from "./fixtures.ts";

function limited(limits: RateLimits) {
  const clock = manualClock();
  const limiter = new RateLimiter();
  const admitted: string[] = [];
  const ask = async (name: string, tokens = 0, signal = new AbortController().signal) => {
    const release = await limiter.acquire(limits, tokens, clock, signal);
    admitted.push(name);
    return release;
  };
  return { clock, admitted, ask };
}

test("no more calls run at once than permitted, and they are admitted in order (PP-20)", async () => {
  const { clock, admitted, ask } = limited({ maxConcurrency: 2 });
  const first = ask("a");
  const others = [ask("b"), ask("c"), ask("d")];
  await clock.advance(1);
  expect(admitted).toEqual(["a", "b"]);
  const release = await first;
  release();
  release();
  await clock.advance(1);
  expect(admitted).toEqual(["a", "b", "c"]);
  (await others[0])?.();
  await Promise.all(others);
  expect(admitted).toEqual(["a", "b", "c", "d"]);
});

test("a full request window is waited out, and a permit given back does not reopen it", async () => {
  const { clock, admitted, ask } = limited({ requestsPerWindow: 2, requestWindowMs: 10_000 });
  const calls = [ask("a"), ask("b"), ask("c")];
  (await calls[0])?.();
  await clock.advance(9_999);
  expect(admitted).toEqual(["a", "b"]);
  await clock.advance(1);
  expect(admitted).toEqual(["a", "b", "c"]);
  expect(clock.pendingTimers).toBe(0);
});

test("tokens are counted per window of 60 s, and a call larger than the window goes out alone", async () => {
  const { clock, admitted, ask } = limited({ tokensPerWindow: 100 });
  void ask("small", 60);
  void ask("huge", 5_000);
  void ask("tiny", 1);
  await clock.advance(59_999);
  expect(admitted).toEqual(["small"]);
  await clock.advance(1);
  expect(admitted).toEqual(["small", "huge"]);
  await clock.advance(60_000);
  expect(admitted).toEqual(["small", "huge", "tiny"]);
});

test("an aborted waiter leaves the queue and lets the next one in (toy trap 12)", async () => {
  const { clock, admitted, ask } = limited({ tokensPerWindow: 100 });
  const abort = new AbortController();
  void ask("a", 60);
  const blocked = ask("b", 60, abort.signal);
  void ask("c", 10);
  await clock.advance(1);
  expect(admitted).toEqual(["a"]);
  abort.abort(new Error("enough"));
  await expect(blocked).rejects.toThrow("enough");
  await clock.advance(1);
  expect(admitted).toEqual(["a", "c"]);
  expect(clock.pendingTimers).toBe(0);
});

test("a call that is already aborted is not queued", async () => {
  const { ask } = limited({});
  await expect(ask("x", 0, AbortSignal.abort(new Error("no")))).rejects.toThrow("no");
});

test("tokens are estimated from characters; an image counts 256 of them", () => {
  const plain = request({ messages: [says("user", "x".repeat(40), { type: "image", attachmentIndex: 0 })] });
  expect(estimateTokens(plain)).toBe((40 + 256) / 4);
  expect(estimateTokens(request({ ...plain, tools: [weather] }))).toBeGreaterThan(80);
});
