// One call: drives its chart from its rows to its outcome. The chart decides; the work of each of its states is here.

import { type ActorRefFrom, createActor } from "xstate";
import { onAbort } from "../../../domain/abort.ts";
import { copyJson } from "../../../domain/copy-json.ts";
import { approvalOf, type CallAnswer, deniedOutput, type PendingCall } from "../../../domain/approvals.ts";
import { type CallApproval, failedOutput, type ToolCallOutput } from "../../../domain/tool-output.ts";
import { toolAttemptMachine, type ToolAttemptEvent, type ToolAttemptInput, type Verdict } from "../../../machines/tool-attempt/tool-attempt.machine.ts";
import type { JournaledOutcome } from "../../../stores/contract.ts";
import type { Attempt as Attempted, RunScope } from "../../durable/contract.ts";
import type { SettledCall } from "../../plugin-port.ts";
import { answerOn } from "./approval.ts";
import { type AttemptChart, outputOfVerdict, performAttempt, type RecordedAttempt } from "./attempt.ts";
import { type BatchInput, operationOf } from "./batch-input.ts";
import { CallingTool } from "./calling-tool.ts";
import { type Answer, answerTo, tellTool } from "./completion.ts";
import type { FinishedCall } from "./group.ts";
import { attemptKey, type LaunchedCall, validate } from "./plan.ts";

/** @param approval - what whoever may approve the call is asked; undefined where nobody has to. */
export async function runCall(call: LaunchedCall, approval: PendingCall | undefined, batch: BatchInput, scope: RunScope): Promise<FinishedCall> {
  return new CallRun(call, approval, batch, scope).run();
}

class CallRun implements AttemptChart {
  /** With the arguments that it was approved with. */
  #call: LaunchedCall;
  readonly #pending: PendingCall | undefined;
  readonly #batch: BatchInput;
  readonly #scope: RunScope;
  readonly #actor: ActorRefFrom<typeof toolAttemptMachine>;
  /** What the last attempt came to. */
  #recorded: RecordedAttempt | undefined;
  #answer: Answer | undefined;
  #approval: CallApproval | undefined;
  /** What the call comes to where it is not approved. */
  #denied: ToolCallOutput | undefined;

  constructor(call: LaunchedCall, pending: PendingCall | undefined, batch: BatchInput, scope: RunScope) {
    this.#call = call;
    this.#pending = pending;
    this.#batch = batch;
    this.#scope = scope;
    this.#actor = chartOf(call, batch);
  }

  async run(): Promise<FinishedCall> {
    this.#actor.start();
    // Before it hears of a cancel: that denies what waits for approval, durably.
    if (this.#pending) this.send({ type: "approval.asked" });
    const unlisten = onAbort(this.#scope.cancel, () => this.send({ type: "turn.cancelled" }));
    try {
      for (;;) {
        const { status, value } = this.#actor.getSnapshot();
        if (status === "done") return await this.#finished();
        await this.#work(value);
      }
    } finally {
      unlisten();
      this.send({ type: "call.left" });
    }
  }

  // ---- its chart ----------------------------------------------------------------------------------------------------

  /** What comes after its end is dropped (A4). */
  send(event: ToolAttemptEvent): void {
    if (this.#actor.getSnapshot().status === "active") this.#actor.send(event);
  }

  get verdict(): Verdict | null {
    return this.#actor.getSnapshot().context.verdict;
  }

  get isGivenUp(): boolean {
    return this.#actor.getSnapshot().value === "givenUp";
  }

  get isProbing(): boolean {
    return this.#actor.getSnapshot().value === "probing";
  }

  // ---- the work of its states -----------------------------------------------------------------------------------------

  #work(state: string): Promise<void> {
    switch (state) {
      case "approving":
        return this.#approve();
      case "pending":
        return this.#save();
      case "waiting":
        return this.#wait();
      case "backingOff":
        return this.#backOff();
      default:
        return this.#attempt();
    }
  }

  async #approve(): Promise<void> {
    if (!this.#pending) throw new TypeError("a call waits for an approval that it does not need");
    const answer = await answerOn(this.#pending, this.#call, this.#batch, this.#scope);
    this.#denied = await this.#refusalOf(answer);
    this.#approval = approvalOf(answer);
    this.send({ type: this.#denied ? "approval.refused" : "approval.given" });
  }

  /** Whether the call may not run after all; takes the arguments it was approved with. */
  async #refusalOf(answer: CallAnswer): Promise<ToolCallOutput | undefined> {
    if (answer.decision !== "approved") return deniedOutput(answer);
    if (answer.args === undefined) return undefined;
    const validated = await validate(this.#call.tool, answer.args);
    if ("problem" in validated) return failedOutput({ class: "invalid_request", code: "invalid_tool_args", message: `the arguments that the call was approved with: ${validated.problem}` });
    this.#call = { ...this.#call, args: answer.args, input: validated.args, isReplaced: true };
    return undefined;
  }

  /** `issued` to the end of the attempt. What is given up before anything names it is noted, and never issued (A2). */
  async #attempt(): Promise<void> {
    const { attempt } = this.#actor.getSnapshot().context;
    const { callId, toolName, args } = this.#call;
    const key = attemptKey(this.#call, attempt);
    // Without the policy, which is no part of what is done: a host may change it while the turn is in flight (E-5).
    const operation = () => operationOf(this.#batch, key, { kind: "tool_attempt", call: { callId, toolName, args }, attempt });
    const { outcome } =
      this.isGivenUp && !this.#scope.isIssued(key)
        ? await this.#scope.note(key, operation, () => this.#giveUp(false))
        : await this.#scope.journal(key, operation, (attempted) => this.#perform(attempt, attempted));
    this.#recorded = readAttempt(outcome);
    this.send(this.#endOf(this.#recorded, attempt));
  }

  #perform(attempt: number, { interrupted }: Attempted): Promise<JournaledOutcome> {
    this.send({ type: interrupted ? "attempt.resumed" : "attempt.begun" });
    if (this.#actor.getSnapshot().context.isCancelled) return this.#giveUp(interrupted);
    this.#batch.trace?.toolRan(this.#call);
    return performAttempt({ batch: this.#batch, scope: this.#scope, call: this.#call, attempt, interrupted, approval: this.#approval, chart: this });
  }

  async #giveUp(interrupted: boolean): Promise<JournaledOutcome> {
    const { children } = this.#batch.session.ports;
    this.#batch.trace?.toolRan(this.#call);
    // What cannot be cancelled now is finished like any turn that nobody waits for.
    if (interrupted && !this.#scope.detach.aborted) {
      await children?.cancelLeft(new CallingTool(this.#batch, this.#scope, this.#call, this.#scope.cancel)).catch(() => undefined);
    }
    return { ok: copyJson({ output: (this.verdict === "denied" ? this.#denied : undefined) ?? outputOfVerdict(this.verdict, this.#call.tool), durationMs: 0 }) };
  }

  #endOf(recorded: RecordedAttempt, attempt: number): ToolAttemptEvent {
    if ("pending" in recorded) return { type: "attempt.pending", onTimeout: recorded.pending.onTimeout, onCancel: recorded.pending.onCancel };
    const { outcome } = recorded.output;
    const retry = outcome.status === "failure" ? outcome.payload.retry : undefined;
    if (retry?.type !== "safe") return { type: "attempt.ended" };
    const next = attemptKey(this.#call, attempt + 1);
    return {
      type: "attempt.failed",
      endedAtMs: recorded.endedAtMs ?? this.#batch.session.ports.clock.now(),
      isNextKnown: this.#scope.isRecorded(next) || this.#scope.isInterrupted(next),
      ...(retry.after_ms !== undefined && { afterMs: retry.after_ms }),
    };
  }

  /** Before anything waits: the tool must not run again, however long the wait takes. */
  async #save(): Promise<void> {
    await this.#scope.save();
    this.send({ type: "pending.saved" });
  }

  async #wait(): Promise<void> {
    if (!this.#recorded || !("pending" in this.#recorded)) throw new TypeError("a call waits that is not pending");
    this.#answer = await answerTo(this.#batch, this.#scope, this.#call, this.#recorded.pending);
    this.send({ type: "answer.came", status: this.#answer.status });
  }

  async #backOff(): Promise<void> {
    const { clock } = this.#batch.session.ports;
    // The wait may be long: what was tried before it must not be tried again after a crash (B2 of batch.ts).
    await this.#scope.save();
    const { value, context: { dueAtMs } } = this.#actor.getSnapshot();
    if (value !== "backingOff" || dueAtMs === null) return;
    this.#scope.waiting({ kind: "time", dueAtMs });
    await clock.sleep(Math.max(0, dueAtMs - clock.now()), this.#scope.cancel).catch(() => undefined);
    this.#scope.waiting(undefined);
    this.send({ type: "backoff.over" });
  }

  // ---- its outcome ----------------------------------------------------------------------------------------------------

  async #finished(): Promise<FinishedCall> {
    const { context: { attempt, isExhausted, stopsTurn, tellsTool } } = this.#actor.getSnapshot();
    const recorded = this.#recorded;
    if (!recorded) throw new TypeError("a call ended without an attempt");
    if (!("pending" in recorded)) return isExhausted ? exhausted(recorded, attempt) : recorded;
    if (!this.#answer) throw new TypeError("a pending call ended without an answer");
    if (tellsTool) await tellTool(this.#batch, this.#call);
    return { ...(await this.#afterAnswer(this.#answer.output)), stopsTurn, durationMs: recorded.durationMs };
  }

  /** Hooks on the answer run once, as an effect of their own: the attempt ended before it came. */
  async #afterAnswer(output: ToolCallOutput): Promise<SettledCall> {
    const { key, callId, toolName, args } = this.#call;
    const after = this.#batch.plugins?.afterToolCall;
    if (!after) return { output };
    const replayKey = `${key}:after`;
    const operation = () => operationOf(this.#batch, replayKey, { kind: "tool_after", call: { callId, toolName, args } });
    const { outcome } = await this.#scope.note(replayKey, operation, async () => ({ ok: copyJson(await after({ key, callId, toolName, args }, { output }, this.#scope.cancel)) }));
    return "ok" in outcome ? (outcome.ok as unknown as SettledCall) : { output };
  }
}

/** The chart of a call; for an inspector it is an actor of the session, of a readable id. */
function chartOf({ tool, toolName, callId }: LaunchedCall, { session, turn }: BatchInput): ActorRefFrom<typeof toolAttemptMachine> {
  const { maxAttempts = 1, baseDelayMs = 0, maxDelayMs = 0 } = tool.retry ?? {};
  const input: ToolAttemptInput = { onInterrupted: typeof tool.onInterrupted === "function" ? "probe" : tool.onInterrupted, maxAttempts, baseDelayMs, maxDelayMs };
  if (!session.ports.inspect) return createActor(toolAttemptMachine, { input });
  return createActor(toolAttemptMachine, { input, id: `tool:${turn.sessionId}:${turn.turnId}:${toolName}:${callId}`, parent: session.actors.keeper });
}

function exhausted<Recorded extends FinishedCall>(recorded: Recorded, attempts: number): FinishedCall {
  const { outcome } = recorded.output;
  if (outcome.status !== "failure") return recorded;
  const payload = { ...outcome.payload, retry: { type: "exhausted" as const, attempts } };
  return { ...recorded, output: { ...recorded.output, outcome: { status: "failure", payload } } };
}

function readAttempt(outcome: JournaledOutcome): RecordedAttempt {
  if ("ok" in outcome) return outcome.ok as unknown as RecordedAttempt;
  return { output: failedOutput({ class: "internal", code: outcome.error.code, message: outcome.error.message }), durationMs: 0 };
}
