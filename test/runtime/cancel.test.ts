// Cancellation: wherever it arrives the turn ends as `cancelled`, commits what has finished and leaves nothing behind (T-62..T-65).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, ToolError, type Session, type TurnResult } from "../../src/index.ts";
import { byAssistantMessages, gate } from "../../src/testing/index.ts";
import { heldLanes, keysOf } from "../support/rows.ts";
import { testLash, transcriptOf } from "../support/lash.ts";

function expectCancelled(result: TurnResult): void {
  expect(result).toMatchObject({ outcome: { kind: "stopped", stop: "cancelled" }, isSuccess: false });
  expect(result.errors[0]).toMatchObject({ code: "cancelled", terminalReason: "cancelled" });
}

/** The turn is over: lane free, nothing in flight, and the session goes on. */
async function expectOver(session: Session, { engine, clock }: ReturnType<typeof testLash>): Promise<void> {
  expect(await heldLanes(engine)).toEqual([]);
  expect((await keysOf(engine)).filter((key) => key.startsWith('["turn"'))).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
  expect(await clock.runUntil(session.run("and now?"))).toMatchObject({ isSuccess: true });
}

describe("before and in a model call", () => {
  test("a turn cancelled before it starts calls no model and leaves nothing behind (T-63, AE-7)", async () => {
    const host = testLash();
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    turn.cancel();
    expectCancelled(await turn.result);
    expect(host.provider.requests).toEqual([]);
    expect([transcriptOf(session), await keysOf(host.engine)]).toEqual([[], []]);
    await expectOver(session, host);
  });

  test("a signal that has aborted already is the same as a cancel before the start (T-63)", async () => {
    const host = testLash();
    const session = await host.lash.openSession("s");
    expectCancelled(await session.run("go", { signal: AbortSignal.abort() }));
    expect(host.provider.requests).toEqual([]);
  });

  test("a turn that waits behind another one is cancelled at once, without a model call (T-62, T-63, AE-7)", async () => {
    const hold = gate();
    const host = testLash({ script: [{ text: "first", before: hold }, "later"] });
    const session = await host.lash.openSession("s");
    const first = session.run("one");
    await hold.reached;
    const second = session.turn("two");
    const ended = second.result;
    second.cancel();
    expectCancelled(await ended);
    hold.open();
    expect((await first).text).toBe("first");
    expect(transcriptOf(session)).toEqual(["User: Text one", "Assistant: Prose first"]);
    expect(host.provider.requests).toHaveLength(1);
    await expectOver(session, host);
  });

  test("a cancel before the model says anything ends the call (T-63)", async () => {
    const hold = gate();
    const host = testLash({ script: [{ text: "never", before: hold }, "done"] });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await hold.reached;
    turn.cancel("changed my mind");
    expectCancelled(await ended);
    expect(transcriptOf(session)).toEqual(["User: Text go"]);
    await expectOver(session, host);
  });

  test("a cancel in the middle of a stream keeps what was said, as cut off (T-64, ME-11, TT-1)", async () => {
    const hold = gate();
    const host = testLash({ script: [{ text: ["half of", hold, " it"] }, "done"] });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await hold.reached;
    turn.cancel();
    const result = await ended;
    expectCancelled(result);
    expect(result.text).toBe("half of");
    expect(transcriptOf(session)).toEqual(["User: Text go", "Assistant: Prose half of"]);
    expect(session.observe().readView.messages.at(-1)?.incomplete).toBe("cancelled");
    await expectOver(session, host);
  });

  test("a provider that ignores its signal does not hold the cancel up (T-63)", async () => {
    const host = testLash({});
    const called = gate();
    const deaf = { id: "scripted", modelId: "m", complete: () => called.pass().then(() => new Promise<never>(() => {})) };
    const session = await host.lash.openSession("s", { provider: deaf });
    const turn = session.turn("go");
    const ended = turn.result;
    await called.reached;
    turn.cancel();
    expectCancelled(await ended);
    expect(host.clock.pendingTimers).toBe(0);
  });

  test("a cancel during the wait between two attempts ends the turn at once (T-63, T-47)", async () => {
    const host = testLash({ script: (_request, index) => (index === 0 ? { failure: { message: "cut" } } : "done") });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const waits: string[] = [];
    for await (const activity of turn) {
      if (activity.type !== "retry_status") continue;
      waits.push(activity.type);
      turn.cancel();
    }
    expectCancelled(await turn.result);
    expect(waits).toEqual(["retry_status"]);
    expect(host.clock.now()).toBe(1_000);
    await expectOver(session, host);
  });
});

describe("in tools", () => {
  const script = byAssistantMessages([{ text: "Wait.", toolCalls: [{ name: "quick" }, { name: "slow" }, { name: "after" }] }, "done"]);
  const quick = tool({ name: "quick", description: "", input: z.object({}), run: () => "quick did it" });

  test("a tool that listens ends at once; what had finished keeps its result, a later serial call never starts (T-63, T-64, OP-3)", async () => {
    const started: string[] = [];
    const running = gate();
    const host = testLash({
      script,
      tools: [
        quick,
        tool({
          name: "slow", description: "", input: z.object({}),
          run: (_args, { signal }) => new Promise((_resolve, reject) => {
            running.pass().catch(() => undefined);
            signal.addEventListener("abort", () => reject(signal.reason as Error));
          }),
        }),
        tool({ name: "after", description: "", input: z.object({}), execution: "serial", run: () => void started.push("after") }),
      ],
    });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await running.reached;
    turn.cancel();
    const result = await ended;
    expectCancelled(result);
    expect(result.toolCalls.map(({ status }) => status)).toEqual(["success", "cancelled", "cancelled"]);
    expect(started).toEqual([]);
    expect(result.text).toBe("Wait.");
    expect(transcriptOf(session)).toEqual([
      "User: Text go",
      "Assistant: Prose Wait. | ToolCall {} | ToolCall {} | ToolCall {}",
      'User: ToolResult quick did it | ToolResult {"error":{"class":"execution","code":"cancelled","message":"tool call cancelled"}} | ToolResult {"error":{"class":"execution","code":"cancelled","message":"tool call cancelled"}}',
    ]);
    await expectOver(session, host);
  });

  test("a tool that does not listen is left behind after 50 ms; what it says later goes nowhere (T-63)", async () => {
    const running = gate();
    const release = gate();
    const host = testLash({
      script,
      tools: [
        quick,
        tool({ name: "slow", description: "", input: z.object({}), run: () => running.pass().then(() => "never") }),
        tool({ name: "after", description: "", input: z.object({}), run: () => release.pass().then(() => "late") }),
      ],
    });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await running.reached;
    turn.cancel();
    await host.clock.advance(49);
    const before = await Promise.race([ended, Promise.resolve("still waiting")]);
    expect(before).toBe("still waiting");
    await host.clock.advance(1);
    const result = await ended;
    expectCancelled(result);
    expect(result.toolCalls.map(({ status }) => status)).toEqual(["success", "cancelled", "cancelled"]);
    const transcript = transcriptOf(session);
    release.open();
    running.open();
    await host.clock.advance(1);
    expect(transcriptOf(session)).toEqual(transcript);
    await expectOver(session, host);
  });

  test("a tool that finishes within the grace keeps its result (T-63, T-64)", async () => {
    const running = gate();
    const host = testLash({
      script: byAssistantMessages([{ toolCalls: [{ name: "slow" }] }, "done"]),
      tools: [tool({ name: "slow", description: "", input: z.object({}), run: () => running.pass().then(() => "made it") })],
    });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await running.reached;
    turn.cancel();
    running.open();
    const result = await ended;
    expectCancelled(result);
    expect(result.toolCalls[0]).toMatchObject({ status: "success", output: { outcome: { payload: "made it" } } });
  });

  test("a cancel during a retry wait starts no other attempt (T-53, T-63)", async () => {
    const attempts: number[] = [];
    const failed = gate();
    const host = testLash({
      script: byAssistantMessages([{ toolCalls: [{ name: "shaky" }] }, "done"]),
      tools: [
        tool({
          name: "shaky", description: "", input: z.object({}), retry: { baseDelayMs: 1_000 },
          run: (_args, { attempt }) => {
            attempts.push(attempt);
            void failed.pass();
            throw new ToolError({ message: "busy", retry: { type: "safe" } });
          },
        }),
      ],
    });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await failed.reached;
    await host.clock.advance(10);
    turn.cancel();
    expectCancelled(await ended);
    expect(attempts).toEqual([1]);
    expect(host.clock.now()).toBe(1_010);
    await expectOver(session, host);
  });
});

describe("afterwards", () => {
  test("a turn that has ended stays as it is (T-62)", async () => {
    const host = testLash({ script: ["done", "more"] });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const result = await turn.result;
    turn.cancel();
    expect(await turn.result).toBe(result);
    expect(result.isSuccess).toBe(true);
    await expectOver(session, host);
  });

  test("a turn that was cancelled while it ran, asked for again by its id, gives the same cancelled result (E-29, design 7.2)", async () => {
    const hold = gate();
    const host = testLash({ script: [{ text: "never", before: hold }] });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go", { turnId: "t" });
    const ended = turn.result;
    await hold.reached;
    turn.cancel();
    expectCancelled(await ended);
    expectCancelled(await session.run("go", { turnId: "t" }));
    expect(host.provider.requests).toHaveLength(1);
  });

  test("cancelling twice is cancelling once (T-62)", async () => {
    const hold = gate();
    const host = testLash({ script: [{ text: "never", before: hold }, "done"] });
    const session = await host.lash.openSession("s");
    const turn = session.turn("go");
    const ended = turn.result;
    await hold.reached;
    turn.cancel();
    turn.cancel();
    const result = await ended;
    expectCancelled(result);
    expect(result.errors).toHaveLength(1);
    await expectOver(session, host);
  });
});
