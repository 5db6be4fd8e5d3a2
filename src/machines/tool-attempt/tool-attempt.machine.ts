// Tool attempt machine: one tool call from its approval to its outcome, over all attempts that its retry policy allows.
//
// Owns: what comes next for the call. Its executor does the work of each state, and tells it what came of it.
//   A1. Pure, and nothing of it is persisted: it is made again from the rows of the call, which its executor tells as events.
//   A2. An attempt that has not begun ends without being issued when its turn is cancelled. One that a process which is gone had
//       begun may have taken effect, and its tool's policy says what that means.
//   A3. Tried again is only a failure that says that this is safe, and never after a cancel.
//   A4. An event that comes too late for its state is dropped.

import { assign, setup } from "xstate";

/** What a crash during the call means; `probe`: its tool is asked. */
export type InterruptedPolicy = "retry" | "report" | "probe";

export interface ToolAttemptInput {
  readonly onInterrupted: InterruptedPolicy;
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  /** 0: no upper bound. */
  readonly maxDelayMs: number;
}

/** Why a call ends with something that its tool did not say. */
export type Verdict = "cancelled" | "interrupted" | "timedOut" | "denied";

export interface ToolAttemptContext extends ToolAttemptInput {
  /** 1, 2, 3.. */
  readonly attempt: number;
  readonly isCancelled: boolean;
  readonly verdict: Verdict | null;
  /** Epoch milliseconds until which it backs off. */
  readonly dueAtMs: number | null;
  /** The policy allows no further attempt, and the last one could have been tried again. */
  readonly isExhausted: boolean;
  readonly pending: PendingPolicy;
  /** The answer did not come in time, and the tool had said that this fails its turn. */
  readonly stopsTurn: boolean;
  /** The call was cancelled while it waited, and its tool stops the work outside. */
  readonly tellsTool: boolean;
}

/** What the tool of a pending call said of the wait. */
export interface PendingPolicy {
  readonly onTimeout: "result" | "fail_turn";
  readonly onCancel: "ignore" | "cancel_external_work";
}

export type ToolAttemptEvent =
  /** Nothing runs before somebody has approved the call. */
  | { readonly type: "approval.asked" }
  | { readonly type: "approval.given" }
  | { readonly type: "approval.refused" }
  /** A durable step names the attempt, and it may run. */
  | { readonly type: "attempt.begun" }
  /** The same for one that a process which is gone had begun. */
  | { readonly type: "attempt.resumed" }
  | { readonly type: "probe.answered"; readonly answer: "retry" | "report" }
  /** The time that its tool gives it is over. */
  | { readonly type: "attempt.expired" }
  /** It was cancelled, and has had its time to notice. */
  | { readonly type: "grace.over" }
  /** It came to an outcome that stays. */
  | { readonly type: "attempt.ended" }
  | ({ readonly type: "attempt.pending" } & PendingPolicy)
  /** It failed, and trying again is safe. `isNextKnown`: a process that is gone had begun to. */
  | { readonly type: "attempt.failed"; readonly endedAtMs: number; readonly afterMs?: number; readonly isNextKnown: boolean }
  /** That it is pending is durable. */
  | { readonly type: "pending.saved" }
  | { readonly type: "answer.came"; readonly status: "ok" | "err" | "timeout" | "cancelled" | "revoked" }
  | { readonly type: "backoff.over" }
  | { readonly type: "turn.cancelled" }
  /** Its turn is not driven here any more. */
  | { readonly type: "call.left" };

/** Where a failure that is safe to try again leads, unless its turn is cancelled. */
const AFTER_FAILURE = [
  { guard: "isNextKnown", target: "issued", actions: "countAttempt" },
  { guard: "hasAttempts", target: "backingOff", actions: "backOff" },
  { guard: "hadAttempts", target: "settled", actions: "recordExhausted" },
  { target: "settled" },
] as const;

const ENDS = {
  "attempt.ended": "settled",
  "attempt.pending": { target: "pending", actions: "recordPending" },
  "attempt.failed": AFTER_FAILURE,
} as const;

const AT_WORK = {
  ...ENDS,
  "attempt.expired": { target: "givenUp", actions: { type: "giveUp", params: { verdict: "timedOut" } } },
  "turn.cancelled": { target: "stopping", actions: "recordCancel" },
} as const;

export const toolAttemptMachine = setup({
  types: {
    context: {} as ToolAttemptContext,
    events: {} as ToolAttemptEvent,
    input: {} as ToolAttemptInput,
  },
  guards: {
    isCancelled: ({ context }) => context.isCancelled,
    isReported: ({ context }) => context.onInterrupted === "report",
    isProbed: ({ context }) => context.onInterrupted === "probe",
    mayHaveTakenEffect: ({ context }) => context.onInterrupted !== "retry",
    saysRetry: ({ event }) => event.type === "probe.answered" && event.answer === "retry",
    isNextKnown: ({ event }) => event.type === "attempt.failed" && event.isNextKnown,
    hasAttempts: ({ context }) => context.attempt < context.maxAttempts,
    hadAttempts: ({ context }) => context.maxAttempts > 1,
  },
  actions: {
    recordCancel: assign({ isCancelled: true }),
    giveUp: assign((_, params: { readonly verdict: Verdict }) => ({ verdict: params.verdict })),
    recordPending: assign(({ context, event }) => {
      if (event.type !== "attempt.pending") return context;
      const { onTimeout, onCancel } = event;
      return { pending: { onTimeout, onCancel } };
    }),
    recordAnswer: assign(({ context: { pending }, event }) => ({
      stopsTurn: event.type === "answer.came" && event.status === "timeout" && pending.onTimeout === "fail_turn",
      tellsTool: event.type === "answer.came" && event.status === "cancelled" && pending.onCancel === "cancel_external_work",
    })),
    /** Counted from the end of the attempt, also by a process that takes the call over. */
    backOff: assign(({ context, event }) => {
      if (event.type !== "attempt.failed") return context;
      const { attempt, baseDelayMs, maxDelayMs } = context;
      const doubled = baseDelayMs * 2 ** (attempt - 1);
      return { dueAtMs: event.endedAtMs + (event.afterMs ?? (maxDelayMs > 0 ? Math.min(doubled, maxDelayMs) : doubled)) };
    }),
    countAttempt: assign(({ context }) => ({ attempt: context.attempt + 1, verdict: null, dueAtMs: null })),
    recordExhausted: assign({ isExhausted: true }),
  },
}).createMachine({
  id: "toolAttempt",
  context: ({ input }) => ({
    ...input,
    attempt: 1,
    isCancelled: false,
    verdict: null,
    dueAtMs: null,
    isExhausted: false,
    pending: { onTimeout: "result", onCancel: "ignore" },
    stopsTurn: false,
    tellsTool: false,
  }),
  initial: "issued",
  on: { "turn.cancelled": { actions: "recordCancel" }, "call.left": ".left" },
  states: {
    issued: {
      description: "A durable step is about to name the attempt, or has named it; then its outcome may be on record.",
      on: {
        "approval.asked": "approving",
        "attempt.begun": "running",
        "attempt.resumed": [
          { guard: "isReported", target: "givenUp", actions: { type: "giveUp", params: { verdict: "interrupted" } } },
          { guard: "isProbed", target: "probing" },
          { target: "running" },
        ],
        ...ENDS,
        "turn.cancelled": { target: "givenUp", actions: ["recordCancel", { type: "giveUp", params: { verdict: "cancelled" } }] },
      },
    },
    approving: {
      description: "Waits for somebody to approve the call. It is not issued, so a crash interrupts nothing. A cancel closes the wait, unless an answer came first.",
      on: {
        "approval.given": [
          { guard: "isCancelled", target: "givenUp", actions: { type: "giveUp", params: { verdict: "cancelled" } } },
          { target: "issued" },
        ],
        "approval.refused": [
          { guard: "isCancelled", target: "givenUp", actions: { type: "giveUp", params: { verdict: "cancelled" } } },
          { target: "givenUp", actions: { type: "giveUp", params: { verdict: "denied" } } },
        ],
      },
    },
    running: {
      description: "Its tool is at work.",
      on: AT_WORK,
    },
    probing: {
      description: "A process that is gone had begun the attempt: the tool is asked what came of it. It may answer with the outcome itself.",
      on: {
        "probe.answered": [
          { guard: "saysRetry", target: "running" },
          { target: "givenUp", actions: { type: "giveUp", params: { verdict: "interrupted" } } },
        ],
        ...AT_WORK,
      },
    },
    stopping: {
      description: "Cancelled while its tool is at work, which has a moment to notice.",
      on: {
        ...ENDS,
        "attempt.failed": "settled",
        "attempt.expired": { target: "givenUp", actions: { type: "giveUp", params: { verdict: "timedOut" } } },
        "probe.answered": [
          { guard: "saysRetry", target: "givenUp", actions: { type: "giveUp", params: { verdict: "cancelled" } } },
          { target: "givenUp", actions: { type: "giveUp", params: { verdict: "interrupted" } } },
        ],
        "grace.over": { target: "givenUp", actions: { type: "giveUp", params: { verdict: "cancelled" } } },
      },
    },
    givenUp: {
      description: "What the call comes to is known without its tool, and is being recorded. Where an outcome is on record already, that counts.",
      on: {
        ...ENDS,
        "attempt.failed": [{ guard: "isCancelled", target: "settled" }, ...AFTER_FAILURE],
        "attempt.resumed": { guard: "mayHaveTakenEffect", actions: { type: "giveUp", params: { verdict: "interrupted" } } },
      },
    },
    pending: {
      description: "Its tool has handed it over to somebody outside. That is being made durable: the tool must not run again.",
      on: { "pending.saved": "waiting" },
    },
    waiting: {
      description: "Waits for the answer from outside, its time or a cancel, whichever is recorded first.",
      on: { "answer.came": { target: "settled", actions: "recordAnswer" } },
    },
    backingOff: {
      description: "It failed in a way that makes trying again safe, and waits for its time.",
      on: {
        "backoff.over": { target: "issued", actions: "countAttempt" },
        "turn.cancelled": { target: "settled", actions: "recordCancel" },
      },
    },
    settled: { type: "final" },
    left: { description: "Cut off without an outcome: whoever goes on with the turn makes it again from its rows.", type: "final" },
  },
});
