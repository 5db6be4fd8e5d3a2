import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import type { LlmStreamEvent, Provider, ProviderFailure, ProviderOptions } from "../../src/providers/contract.ts";
import { ProviderError, providerFailure } from "../../src/providers/failure.ts";
import { defaultRetry, noRetry } from "../../src/providers/options.ts";
import { planRetry, withRetry } from "../../src/providers/retry.ts";
import { gate, manualClock, scriptedProvider, type ScriptedReply } from "../../src/testing/index.ts";
import { recordingCall, request } from "./fixtures.ts";

const throttled: ScriptedReply = { failure: { kind: "quota", message: "slow down", retryable: true, retryAfterMs: 30_000 } };
const broken: ScriptedReply = { failure: { kind: "http", message: "overloaded", status: 503 } };

function ladder(script: readonly ScriptedReply[], options: ProviderOptions = {}) {
  const clock = manualClock();
  const inner = scriptedProvider(script, options);
  const abort = new AbortController();
  const call = recordingCall(clock, abort.signal);
  const run = () => withRetry(inner, { random: () => 0.5 }).complete(request(), call);
  return { clock, inner, abort, call, run, events: call.events };
}

const failureOf = async (promise: Promise<unknown>): Promise<ProviderError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!ProviderError.is(error)) throw new Error("expected a ProviderError");
  return error;
};

const ofType = <Type extends LlmStreamEvent["type"]>(events: readonly LlmStreamEvent[], type: Type) =>
  events.filter((event) => event.type === type);

describe("ladder (PP-14, PP-16, T-47)", () => {
  test("retries until success, doubling the delay up to the cap", async () => {
    const { clock, inner, run, events } = ladder([broken, broken, broken, "done"], {
      reliability: { retry: { baseDelayMs: 4_000 } },
    });
    const response = await clock.runUntil(run());
    expect(response.fullText).toBe("done");
    expect(inner.requests).toHaveLength(4);
    expect(ofType(events, "retryStatus")).toEqual([
      { type: "retryStatus", waitSeconds: 4, attempt: 2, maxAttempts: 4, reason: "overloaded" },
      { type: "retryStatus", waitSeconds: 8, attempt: 3, maxAttempts: 4, reason: "overloaded" },
      { type: "retryStatus", waitSeconds: 10, attempt: 4, maxAttempts: 4, reason: "overloaded" },
    ]);
    expect(clock.now()).toBe(22_000);
    expect(clock.pendingTimers).toBe(0);
  });

  test("gives up after the last attempt and lists every call it made (OP-21)", async () => {
    const { clock, inner, run } = ladder([broken, broken, broken, broken, "never"]);
    const error = await clock.runUntil(failureOf(run()));
    expect(inner.requests).toHaveLength(4);
    expect(error.failure).toMatchObject({ kind: "http", status: 503, retryable: true });
    expect(error.attempts.map(({ attempt, status, usage }) => [attempt, status, usage])).toEqual([
      [1, "failed", null],
      [2, "failed", null],
      [3, "failed", null],
      [4, "failed", null],
    ]);
  });

  test("stops at once on a failure that is not retryable (T-48)", async () => {
    const { clock, inner, run } = ladder([{ failure: { kind: "auth", status: 401 } }, "never"]);
    const error = await clock.runUntil(failureOf(run()));
    expect(inner.requests).toHaveLength(1);
    expect(error.failure.kind).toBe("auth");
  });

  test("an error that is no ProviderError fails the call once, as kind unknown", async () => {
    const provider: Provider = { id: "p", complete: () => Promise.reject(new RangeError("bug")) };
    const error = await failureOf(withRetry(provider).complete(request(), recordingCall(manualClock())));
    expect(error.failure).toMatchObject({ kind: "unknown", message: "bug", retryable: false });
    expect(error.cause).toBeInstanceOf(RangeError);
  });

  test("a response that is no response fails the call instead of hanging it", async () => {
    const provider = { id: "p", complete: () => Promise.resolve(null) } as unknown as Provider;
    const error = await failureOf(withRetry(provider).complete(request(), recordingCall(manualClock())));
    expect(error.failure.kind).toBe("unknown");
  });

  test("Retry-After replaces the delay and is capped", async () => {
    const slow: ScriptedReply = { failure: { status: 503, headers: [["Retry-After", "3600"]] } };
    const { clock, run, events } = ladder([slow, "done"]);
    await clock.runUntil(run());
    expect(ofType(events, "retryStatus")).toMatchObject([{ waitSeconds: 60 }]);
  });

  test("retry can be turned off", async () => {
    const { clock, inner, run } = ladder([broken, "never"], { reliability: { retry: noRetry } });
    await clock.runUntil(failureOf(run()));
    expect(inner.requests).toHaveLength(1);
  });

  test("options changed on the provider hold from the next call", async () => {
    const inner = scriptedProvider([broken, broken, broken, broken, broken, "done"]);
    const live = { ...inner, options: { reliability: { retry: { maxAttempts: 1 } } } };
    const clock = manualClock();
    const outer = withRetry(live);
    await clock.runUntil(failureOf(outer.complete(request(), recordingCall(clock))));
    expect(inner.requests).toHaveLength(1);
    live.options = { reliability: { retry: { maxAttempts: 5 } } };
    await clock.runUntil(outer.complete(request(), recordingCall(clock)));
    expect(inner.requests).toHaveLength(6);
  });

  test("a wrapper sees every attempt with the full request (PP-23)", async () => {
    const inner = scriptedProvider([broken, "done"]);
    const seen: string[] = [];
    const wrapper: Provider = {
      ...inner,
      complete: (req, call) => {
        seen.push(req.scope.sessionId);
        return inner.complete(req, call);
      },
    };
    const clock = manualClock();
    await clock.runUntil(withRetry(wrapper).complete(request(), recordingCall(clock)));
    expect(seen).toEqual(["s", "s"]);
  });

  test("a provider's own classifier decides", async () => {
    const inner = scriptedProvider([{ failure: { kind: "unsupported", retryable: false } }, "done"]);
    const provider: Provider = { ...inner, classify: (failure) => ({ ...failure, retryable: true }) };
    const clock = manualClock();
    const response = await clock.runUntil(withRetry(provider).complete(request(), recordingCall(clock)));
    expect(response.fullText).toBe("done");
  });

  test("close reaches the wrapped provider (PP-12)", async () => {
    let closed = 0;
    const provider: Provider = { ...scriptedProvider([]), close: () => Promise.resolve(void (closed += 1)) };
    await withRetry(provider).close?.();
    expect(closed).toBe(1);
  });

  test("an unknown variant is refused without a call (PP-11)", async () => {
    const inner = scriptedProvider(["never"]);
    const call = recordingCall(manualClock());
    const error = await failureOf(withRetry(inner).complete(request({ modelVariant: "fast" }), call));
    expect(error.failure.code).toBe("invalid_model_variant");
    expect(inner.requests).toHaveLength(0);
  });
});

describe("throttle courtesy (PP-17, T-48, ER-14)", () => {
  const quota = (rest: Partial<ProviderFailure> = {}) => providerFailure("quota", "x", { retryable: true, ...rest });
  const plan = (throttledMs: number, failure: ProviderFailure) =>
    planRetry(defaultRetry, { attempt: 1, throttledMs }, failure, () => 0);

  test("waits without using an attempt while the budget lasts, then counts", async () => {
    const { clock, inner, run, events } = ladder([throttled, throttled, throttled, throttled, "done"]);
    await clock.runUntil(run());
    expect(inner.requests).toHaveLength(5);
    expect(ofType(events, "retryStatus")).toMatchObject([{ attempt: 1 }, { attempt: 1 }, { attempt: 1 }, { attempt: 2 }]);
    expect(clock.now()).toBe(120_000);
  });

  test("charges at least a second", () => {
    expect(plan(0, quota({ retryAfterMs: 0 }))).toEqual({ delayMs: 0, next: { attempt: 1, throttledMs: 1_000 } });
    expect(plan(89_500, quota({ retryAfterMs: 0 }))?.next).toEqual({ attempt: 2, throttledMs: 89_500 });
  });

  test("a quota failure without Retry-After and a 503 with one use attempts", () => {
    expect(plan(0, quota())?.next.attempt).toBe(2);
    expect(plan(0, providerFailure("http", "x", { retryable: true, retryAfterMs: 1_000 }))?.next.attempt).toBe(2);
  });

  test("a spent quota is never waited for", () => {
    expect(plan(0, quota({ retryable: false, retryAfterMs: 1_000 }))).toBeNull();
  });

  test.each([Number.NaN, -1])("a Retry-After of %s is none", (retryAfterMs) => {
    expect(plan(0, quota({ retryAfterMs }))).toEqual(plan(0, quota()));
  });

  test("jitter adds an injected share to the delay", () => {
    const policy = { ...defaultRetry, jitterMs: 500 };
    const failure = providerFailure("http", "x", { retryable: true });
    expect(planRetry(policy, { attempt: 1, throttledMs: 0 }, failure, () => 0.5)?.delayMs).toBe(2_250);
  });
});

describe("timeouts (PP-15)", () => {
  test("a stream that does not begin within the shorter timeout fails as a retryable timeout", async () => {
    const { clock, run } = ladder([{ hang: true }], { reliability: { chunkTimeoutMs: 50_000, retry: noRetry } });
    const error = await clock.runUntil(failureOf(run()));
    expect(error.failure).toMatchObject({ kind: "timeout", code: "timeout", retryable: true });
    expect(clock.now()).toBe(50_000);
    expect(error.attempts).toMatchObject([{ status: "aborted" }]);
  });

  test("silence after the beginning is bounded by the chunk timeout alone", async () => {
    const { clock, run } = ladder([{ text: "so", hang: true }], {
      reliability: { requestTimeoutMs: 10_000, chunkTimeoutMs: 40_000, retry: noRetry },
    });
    await clock.runUntil(failureOf(run()));
    expect(clock.now()).toBe(40_000);
  });

  test("a stream that keeps talking outlives both", async () => {
    const gates = Array.from({ length: 10 }, gate);
    const { clock, run } = ladder([{ text: gates.flatMap((one) => ["x", one]) }], {
      reliability: { requestTimeoutMs: 1_000, chunkTimeoutMs: 1_000 },
    });
    const answer = run();
    for (const one of gates) {
      await clock.advance(900);
      one.open();
    }
    expect((await answer).fullText).toBe("x".repeat(10));
  });

  test("a provider that answers in one piece is given the request timeout, and false takes it away", async () => {
    const hold = gate();
    const whole: Provider = { ...scriptedProvider([{ before: hold, text: "late" }]), streams: false };
    const clock = manualClock();
    const timed = { ...whole, options: { reliability: { requestTimeoutMs: false as const } } };
    const answer = withRetry(timed).complete(request(), recordingCall(clock));
    await clock.advance(10_000_000);
    hold.open();
    expect((await answer).fullText).toBe("late");
    expect(clock.pendingTimers).toBe(0);
  });

  test("time that the sink takes is not silence of the provider (T-46)", async () => {
    const sink = gate();
    const clock = manualClock();
    const provider = scriptedProvider(["slow reader"], { reliability: { chunkTimeoutMs: 1_000, retry: noRetry } });
    const call = { clock, signal: new AbortController().signal, onStreamEvent: () => sink.pass() };
    const answer = withRetry(provider).complete(request(), call);
    await clock.advance(60_000);
    sink.open();
    expect((await answer).fullText).toBe("slow reader");
  });
});

describe("what a retried attempt streamed (T-50, design 7.8)", () => {
  const half: ScriptedReply = { text: ["wrong ", "start"], reasoning: "hm", failure: { message: "cut" } };

  test("is withdrawn by id before the next attempt speaks, and is not in the response", async () => {
    const { clock, run, events } = ladder([half, "right"]);
    const response = await clock.runUntil(run());
    expect(events.map((event) => event.type)).toEqual([
      "reasoningDelta",
      "textDelta",
      "textDelta",
      "retryStatus",
      "modelAttemptReset",
      "textDelta",
      "usage",
    ]);
    expect(events[4]).toEqual({ type: "modelAttemptReset", proseItemIds: ["text"], reasoningItemIds: ["reasoning"] });
    expect(response.parts).toEqual([{ type: "text", text: "right", itemId: "text" }]);
  });

  test("an attempt that said nothing is reset with empty lists", async () => {
    const { clock, run, events } = ladder([broken, "right"]);
    await clock.runUntil(run());
    expect(ofType(events, "modelAttemptReset")).toEqual([
      { type: "modelAttemptReset", proseItemIds: [], reasoningItemIds: [] },
    ]);
  });

  test("nothing that a timed out provider says later reaches the sink", async () => {
    const late = gate();
    const stubborn: Provider = {
      id: "p",
      options: { reliability: { chunkTimeoutMs: 1_000, retry: noRetry } },
      async complete(_, call) {
        await late.pass();
        await call.onStreamEvent?.({ type: "textDelta", itemId: "t", text: "ghost" });
        throw new Error("unreachable for the ladder");
      },
    };
    const clock = manualClock();
    const call = recordingCall(clock);
    await clock.runUntil(failureOf(withRetry(stubborn).complete(request(), call)));
    late.open();
    await clock.advance(1);
    expect(call.events).toEqual([]);
  });

  test("the usage of a failed attempt is kept (OP-21)", async () => {
    const usage = { inputTokens: 3, outputTokens: 1, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };
    const provider: Provider = {
      id: "p",
      options: { reliability: { retry: noRetry } },
      async complete(_, call) {
        await call.onStreamEvent?.({ type: "usage", usage });
        throw new ProviderError(providerFailure("stream", "cut", { retryable: true }));
      },
    };
    const error = await failureOf(withRetry(provider).complete(request(), recordingCall(manualClock())));
    expect(error.attempts).toMatchObject([{ attempt: 1, status: "failed", usage, failure: { kind: "stream" } }]);
  });
});

describe("abort (PP-12, T-63, toy trap 12)", () => {
  test("ends a streaming call as cancelled", async () => {
    const { clock, run, abort } = ladder([{ text: "so", hang: true }]);
    const failed = failureOf(run());
    await clock.advance(1);
    abort.abort();
    expect((await failed).failure).toMatchObject({ code: "cancelled", terminalReason: "cancelled", retryable: false });
    expect(clock.pendingTimers).toBe(0);
  });

  test("ends the wait between attempts and starts no further one", async () => {
    const { clock, inner, run, abort } = ladder([broken, "never"]);
    const failed = failureOf(run());
    await clock.advance(500);
    abort.abort();
    expect((await failed).failure.code).toBe("cancelled");
    expect((await failed).attempts).toHaveLength(1);
    expect(inner.requests).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a call that is already aborted does not go out", async () => {
    const { inner, run, abort } = ladder(["never"]);
    abort.abort();
    expect((await failureOf(run())).failure.code).toBe("cancelled");
    expect(inner.requests).toHaveLength(0);
  });

  test("does not wait for a provider that ignores its signal, nor for a sink that hangs", async () => {
    const deaf: Provider = { id: "deaf", complete: () => new Promise(() => {}) };
    const abort = new AbortController();
    const failed = failureOf(withRetry(deaf).complete(request(), recordingCall(manualClock(), abort.signal)));
    abort.abort();
    expect((await failed).failure.code).toBe("cancelled");

    const second = new AbortController();
    const clock = manualClock();
    const stuck = { clock, signal: second.signal, onStreamEvent: () => new Promise<void>(() => {}) };
    const waiting = failureOf(withRetry(scriptedProvider([broken, "never"])).complete(request(), stuck));
    await clock.advance(1);
    second.abort();
    expect((await waiting).failure.code).toBe("cancelled");
  });

  test("a call that is over, however it went, leaves nothing on the signal", async () => {
    const scripts: readonly (readonly ScriptedReply[])[] = [["done"], [broken, "done"], [{ failure: { kind: "auth" } }]];
    for (const script of scripts) {
      const { clock, run, abort } = ladder(script, { reliability: { rateLimits: { maxConcurrency: 1 } } });
      await clock.runUntil(run().catch(() => null));
      expect([getEventListeners(abort.signal, "abort").length, clock.pendingTimers]).toEqual([0, 0]);
    }
  });

  test("gives the concurrency permit back", async () => {
    const provider = scriptedProvider([{ hang: true }, "free"], { reliability: { rateLimits: { maxConcurrency: 1 } } });
    const outer = withRetry(provider);
    const clock = manualClock();
    const abort = new AbortController();
    const hanging = failureOf(outer.complete(request(), recordingCall(clock, abort.signal)));
    const queued = outer.complete(request(), recordingCall(clock));
    await clock.advance(1);
    expect(provider.requests).toHaveLength(1);
    abort.abort();
    await hanging;
    expect((await queued).fullText).toBe("free");
  });
});

describe("sinks and limits", () => {
  test("a sink that throws or rejects never changes the outcome (T-46)", async () => {
    const clock = manualClock();
    const signal = new AbortController().signal;
    const throwing = { clock, signal, onStreamEvent: () => raise("sink") };
    const rejecting = { clock, signal, onStreamEvent: () => Promise.reject(new Error("sink")) };
    for (const call of [throwing, rejecting]) {
      expect((await withRetry(scriptedProvider(["fine"])).complete(request(), call)).fullText).toBe("fine");
    }
  });

  test("textStreamed tells whether the sink saw the text (T-44)", async () => {
    const clock = manualClock();
    const outer = withRetry(scriptedProvider(["a", { toolCalls: [{ name: "t" }] }, "c"]));
    expect((await outer.complete(request(), recordingCall(clock))).textStreamed).toBe(true);
    expect((await outer.complete(request(), recordingCall(clock))).textStreamed).toBe(false);
    const silent = await outer.complete(request(), { clock, signal: new AbortController().signal });
    expect(silent.textStreamed).toBe(false);
  });

  test("an answer beyond the size limit is stopped and not retried (OP-17)", async () => {
    const clock = manualClock();
    const provider = scriptedProvider([{ text: ["12345", "67890"] }, { toolCalls: [{ name: "t", inputJson: "x".repeat(9) }] }]);
    const outer = withRetry(provider, { maxResponseChars: 8 });
    for (const expected of [1, 2]) {
      const error = await failureOf(outer.complete(request(), recordingCall(clock)));
      expect(error.failure).toMatchObject({ code: "limit_exceeded", retryable: false });
      expect(provider.requests).toHaveLength(expected);
    }
  });
});

function raise(message: string): never {
  throw new Error(message);
}
