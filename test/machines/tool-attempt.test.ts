// Model-based: all that can follow from the events of a call, under every policy.

import { describe, expect, test } from "vitest";
import { initialTransition, transition, type AnyStateMachine, type SnapshotFrom } from "xstate";
import { toolAttemptMachine, type ToolAttemptEvent, type ToolAttemptInput } from "../../src/machines/tool-attempt/tool-attempt.machine.ts";
import { declaredTransitions, takenTransitions } from "../support/transitions.ts";

type Snapshot = SnapshotFrom<typeof toolAttemptMachine>;

const policies: readonly ToolAttemptInput[] = (["retry", "report", "probe"] as const).flatMap((onInterrupted) =>
  [1, 2, 3].map((maxAttempts) => ({ onInterrupted, maxAttempts, baseDelayMs: 100, maxDelayMs: 150 })),
);

const events: readonly ToolAttemptEvent[] = [
  { type: "approval.asked" }, { type: "approval.given" }, { type: "approval.refused" }, { type: "attempt.begun" }, { type: "attempt.resumed" },
  { type: "probe.answered", answer: "retry" }, { type: "probe.answered", answer: "report" }, { type: "attempt.expired" }, { type: "grace.over" }, { type: "attempt.ended" },
  { type: "attempt.pending", onTimeout: "result", onCancel: "ignore" }, { type: "attempt.pending", onTimeout: "fail_turn", onCancel: "cancel_external_work" },
  { type: "attempt.failed", endedAtMs: 1_000, isNextKnown: false }, { type: "attempt.failed", endedAtMs: 1_000, afterMs: 7, isNextKnown: false }, { type: "attempt.failed", endedAtMs: 1_000, isNextKnown: true },
  { type: "pending.saved" }, { type: "answer.came", status: "ok" }, { type: "answer.came", status: "timeout" }, { type: "answer.came", status: "cancelled" },
  { type: "backoff.over" }, { type: "turn.cancelled" }, { type: "call.left" },
];

const MOST_ATTEMPTS = 4;
const stateOf = ({ value, context: { attempt, ...context } }: Snapshot): string => JSON.stringify([value, Math.min(attempt, MOST_ATTEMPTS), context]);
const after = (input: ToolAttemptInput, ...sent: readonly ToolAttemptEvent[]): Snapshot =>
  sent.reduce((snapshot, event) => transition(toolAttemptMachine, snapshot, event)[0], initialTransition(toolAttemptMachine, input)[0]);

interface Step {
  readonly input: ToolAttemptInput;
  readonly before: Snapshot;
  readonly event: ToolAttemptEvent;
  readonly next: Snapshot;
}

/** Every step that can be made, from every state that can be come to. */
const steps: readonly Step[] = policies.flatMap((input) => {
  const [initial] = initialTransition(toolAttemptMachine, input);
  const seen = new Set([stateOf(initial)]);
  const frontier = [initial];
  const found: Step[] = [];
  for (let before = frontier.pop(); before; before = frontier.pop()) {
    for (const event of events) {
      const [next] = transition(toolAttemptMachine, before, event);
      found.push({ input, before, event, next });
      if (next.status !== "active" || seen.has(stateOf(next)) || next.context.attempt > MOST_ATTEMPTS) continue;
      seen.add(stateOf(next));
      frontier.push(next);
    }
  }
  return found;
});

const WORK = new Set(["issued", "running", "probing", "backingOff"]);
const retrying: ToolAttemptInput = { onInterrupted: "retry", maxAttempts: 3, baseDelayMs: 100, maxDelayMs: 150 };
const failed: ToolAttemptEvent = { type: "attempt.failed", endedAtMs: 1_000, isNextKnown: false };

describe("the tool attempt chart", () => {
  test("every transition it declares is taken by some sequence of events", () => {
    const missing = declaredTransitions(toolAttemptMachine as unknown as AnyStateMachine);
    for (const { before, event } of steps) for (const name of takenTransitions(toolAttemptMachine as unknown as AnyStateMachine, before as never, event)) missing.delete(name);
    expect([...missing]).toEqual([]);
  });

  test("no sequence of events leads to an error, and from every state some event leads on to another", () => {
    expect(steps.filter(({ next }) => next.status === "error")).toEqual([]);
    const stuck = new Set(steps.map(({ before }) => stateOf(before)));
    for (const { before, event, next } of steps) if (event.type !== "call.left" && next.value !== before.value) stuck.delete(stateOf(before));
    expect([...stuck]).toEqual([]);
  });

  test("once its turn is cancelled nothing is issued, run or tried again (A2, A3, T-63)", () => {
    const goesOn = steps.filter(({ before, next }) => before.context.isCancelled && WORK.has(next.value));
    expect(goesOn).toEqual([]);
    expect(steps.some(({ before }) => before.context.isCancelled)).toBe(true);
  });

  test("more attempts than the policy allows are made only where a process that is gone had begun them (T-53)", () => {
    const over = steps.filter(({ input, before, event, next }) => next.context.attempt > before.context.attempt && before.context.attempt >= input.maxAttempts && !(event.type === "attempt.failed" && event.isNextKnown));
    expect(over).toEqual([]);
  });

  test("an attempt counts as the last of several only where the policy allows several, and one that was cancelled never does (T-53)", () => {
    const last = steps.filter(({ next }) => next.context.isExhausted);
    expect(last.length).toBeGreaterThan(0);
    expect(last.filter(({ input, next }) => input.maxAttempts === 1 || next.context.isCancelled)).toEqual([]);
  });

  test("a call that waits for approval runs only after a yes (AE-8)", () => {
    const runs = steps.filter(({ before, event, next }) => before.value === "approving" && event.type !== "approval.given" && WORK.has(next.value));
    expect(runs).toEqual([]);
    expect(after(retrying, { type: "approval.asked" }, { type: "approval.refused" })).toMatchObject({ value: "givenUp", context: { verdict: "denied" } });
    expect(after(retrying, { type: "approval.asked" }, { type: "turn.cancelled" }, { type: "approval.given" })).toMatchObject({ value: "givenUp", context: { verdict: "cancelled" } });
  });

  test("the wait before another attempt doubles up to its bound, counts from the attempt's end, and is the tool's own where it gives one (T-53)", () => {
    const begun: ToolAttemptEvent = { type: "attempt.begun" };
    expect(after(retrying, begun, failed)).toMatchObject({ value: "backingOff", context: { dueAtMs: 1_100 } });
    expect(after(retrying, begun, failed, { type: "backoff.over" }, begun, failed)).toMatchObject({ value: "backingOff", context: { attempt: 2, dueAtMs: 1_150 } });
    expect(after(retrying, begun, { ...failed, afterMs: 7 })).toMatchObject({ context: { dueAtMs: 1_007 } });
    expect(after({ ...retrying, maxDelayMs: 0 }, begun, failed, { type: "backoff.over" }, begun, failed)).toMatchObject({ context: { dueAtMs: 1_200 } });
  });

  test.each([
    ["retry", "running", null],
    ["report", "givenUp", "interrupted"],
    ["probe", "probing", null],
  ] as const)("an interrupted attempt of policy %s is %s; cancelled, it tells what it may have done (OP-3)", (onInterrupted, value, verdict) => {
    const policy = { ...retrying, onInterrupted };
    expect(after(policy, { type: "attempt.resumed" })).toMatchObject({ value, context: { verdict } });
    const cancelled = after(policy, { type: "turn.cancelled" }, { type: "attempt.resumed" });
    expect(cancelled).toMatchObject({ value: "givenUp", context: { verdict: onInterrupted === "retry" ? "cancelled" : "interrupted" } });
  });

  test("a pending call whose time is over fails its turn, and a cancelled one tells its tool, only where the tool said so (T-70, PT-61)", () => {
    const waits = (onTimeout: "result" | "fail_turn", onCancel: "ignore" | "cancel_external_work"): readonly ToolAttemptEvent[] => [
      { type: "attempt.begun" }, { type: "attempt.pending", onTimeout, onCancel }, { type: "pending.saved" },
    ];
    expect(after(retrying, ...waits("fail_turn", "ignore"), { type: "answer.came", status: "timeout" })).toMatchObject({ status: "done", context: { stopsTurn: true, tellsTool: false } });
    expect(after(retrying, ...waits("result", "ignore"), { type: "answer.came", status: "timeout" })).toMatchObject({ status: "done", context: { stopsTurn: false } });
    expect(after(retrying, ...waits("result", "cancel_external_work"), { type: "answer.came", status: "cancelled" })).toMatchObject({ context: { tellsTool: true } });
    expect(after(retrying, ...waits("fail_turn", "cancel_external_work"), { type: "answer.came", status: "ok" })).toMatchObject({ context: { stopsTurn: false, tellsTool: false } });
  });
});
