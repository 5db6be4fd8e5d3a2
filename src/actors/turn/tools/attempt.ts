// One attempt at a call: runs its tool, or asks it what an interrupted attempt came to, and gives the outcome to record.

import { onAbort } from "../../../domain/abort.ts";
import { copyJson } from "../../../domain/copy-json.ts";
import type { Json } from "../../../domain/json.ts";
import { type CallApproval, failedOutput, type StoredFile, type ToolCallOutput } from "../../../domain/tool-output.ts";
import type { ToolPending } from "../../../domain/tool-pending.ts";
import { missingChildSessions } from "../../../domain/wiring-errors.ts";
import type { ToolAttemptEvent, Verdict } from "../../../machines/tool-attempt/tool-attempt.machine.ts";
import type { JournaledOutcome } from "../../../stores/contract.ts";
import type { Tool, ToolCall } from "../../../tools/contract.ts";
import { reportConversion } from "../../conversion-report.ts";
import type { RunScope } from "../../durable/contract.ts";
import { resultTextIn } from "../../earlier-results.ts";
import { insideTurn } from "../../inside-turn.ts";
import { storeFile, type TakenFile } from "../../images.ts";
import type { AttemptEnd, SettledCall } from "../../plugin-port.ts";
import { questionsOf } from "./ask-model.ts";
import { takeChanges } from "../../session-settings.ts";
import { type BatchInput, refusalOf } from "./batch-input.ts";
import { CallingTool } from "./calling-tool.ts";
import { missingKey, type RecordedPending, waitOf } from "./completion.ts";
import { startDeadline, timedOut } from "./deadline.ts";
import { cancelledOutput, failure, interruptedOutput, pendingIn, success } from "./outcome.ts";
import type { LaunchedCall } from "./plan.ts";
import { progressOf } from "./progress.ts";

/** How long tools may take to notice that their turn was cancelled (T-63). */
const CANCEL_GRACE_MS = 50;

/** What an attempt leaves in the journal. */
export type RecordedAttempt =
  /** `endedAtMs` where trying again is safe: the wait before that is counted from there, also after a crash. */
  | (SettledCall & { readonly durationMs: number; readonly endedAtMs?: number; readonly args?: Json })
  | { readonly pending: RecordedPending; readonly durationMs: number };

/** The chart of the call, as its attempt sees it. */
export interface AttemptChart {
  readonly verdict: Verdict | null;
  readonly isGivenUp: boolean;
  readonly isProbing: boolean;
  send(event: ToolAttemptEvent): void;
}

/** As the tool gave it, with images and files that are not stored yet. */
type ProducedEnd = AttemptEnd | { readonly output: ToolCallOutput; readonly files: readonly TakenFile[] };

export interface AttemptInput {
  readonly batch: BatchInput;
  readonly scope: RunScope;
  readonly call: LaunchedCall;
  /** 1, 2, 3.. */
  readonly attempt: number;
  readonly interrupted: boolean;
  /** Of a call that had to be approved. */
  readonly approval: CallApproval | undefined;
  readonly chart: AttemptChart;
}

/** @throws only where the boundary failed; what a tool does wrong is the outcome (B3 of batch.ts). */
export const performAttempt = (input: AttemptInput): Promise<JournaledOutcome> => new Attempt(input).perform();

class Attempt {
  readonly #input: AttemptInput;
  readonly #calling: CallingTool;
  readonly #givenUp = Promise.withResolvers<AttemptEnd>();

  constructor(input: AttemptInput) {
    const { batch, scope, call } = input;
    const { tool } = call;
    const { clock } = batch.session.ports;
    this.#input = input;
    const deadline = tool.timeoutMs === undefined ? undefined : startDeadline(tool, tool.timeoutMs, scope.cancel, clock, () => this.#giveUp({ type: "attempt.expired" }));
    this.#calling = new CallingTool(batch, scope, call, deadline?.signal ?? scope.cancel);
    if (deadline) this.#calling.onEnd(() => deadline.stop());
    // A cancelled turn does not wait for tools that do not listen.
    this.#calling.onEnd(onAbort(scope.cancel, () => this.#calling.onEnd(clock.setTimer(CANCEL_GRACE_MS, () => this.#giveUp({ type: "grace.over" })))));
  }

  async perform(): Promise<JournaledOutcome> {
    const { batch, call } = this.#input;
    const { clock, redactor } = batch.session.ports;
    const startedAt = clock.monotonic();
    const produced = await Promise.race([this.#produce(), this.#givenUp.promise]);
    await this.#calling.end();
    const durationMs = Math.round(clock.monotonic() - startedAt);
    const clean = <End extends AttemptEnd | SettledCall>(ended: End): End => ("output" in ended ? { ...ended, output: redactor.output(ended.output) } : ended);
    const { key, callId, toolName, args, isReplaced } = call;
    const after = batch.plugins?.afterToolCall;
    // Hooks do not see secrets in errors, and what they make of a call may hold some.
    const ended = clean(this.#told(produced));
    const settled = after ? clean(await after({ key, callId, toolName, args }, ended, this.#input.scope.cancel)) : ended;
    // What the tool did to the session's settings and tools is as durable as its outcome.
    const changes = takeChanges(batch.session.stated, batch.session.residence.resident, batch.turn);
    return { ok: copyJson({ ...settled, ...(isReplaced && { args }), durationMs, ...(mayRetry(settled) && { endedAtMs: clock.now() }), ...changes }) };
  }

  /** Says how the call was approved, and to the model which arguments ran if others did than it wrote. */
  #told(ended: AttemptEnd): AttemptEnd {
    const { approval, call } = this.#input;
    if (!approval || !("output" in ended)) return ended;
    const changed = approval.decision === "approved" && approval.isChanged ? [`whoever approved the call changed its arguments; it ran with ${JSON.stringify(call.args)}`] : [];
    const notes = [...(ended.output.notes ?? []), ...changed];
    return { output: { ...ended.output, ...(notes.length > 0 && { notes }), approval } };
  }

  #giveUp(event: ToolAttemptEvent): void {
    const { chart, call } = this.#input;
    chart.send(event);
    if (chart.isGivenUp) this.#givenUp.resolve({ output: outputOfVerdict(chart.verdict, call.tool) });
  }

  async #produce(): Promise<AttemptEnd> {
    const produced = await this.#run().catch((error: unknown): ProducedEnd => ({ output: failure(error, this.#calling.signal) }));
    // What comes too late is dropped, and nothing is written for it any more.
    if (!("files" in produced) || this.#calling.hasEnded) return produced;
    // A store that cannot take the files is no failure of the tool, which has run: the turn stays in flight (E-6).
    return { output: { ...produced.output, attachments: await this.#stored(produced.files) } };
  }

  async #run(): Promise<ProducedEnd> {
    const { batch, call, chart } = this.#input;
    const { tool, input } = call;
    const { handle, end } = this.#handle();
    if (chart.isProbing && typeof tool.onInterrupted === "function") {
      const answer = await probe(tool.onInterrupted, input, handle);
      const isWord = answer === "report" || answer === "retry";
      if (!isWord) return end(answer);
      chart.send({ type: "probe.answered", answer });
    }
    if (chart.isGivenUp) return { output: outputOfVerdict(chart.verdict, tool) };
    // Its tool may have gone meanwhile.
    const refusal = refusalOf(batch, call.toolName);
    if (refusal !== undefined) return { output: failedOutput({ class: "unavailable", code: "tool_unavailable", message: refusal }) };
    // Where no context goes along with it, it has to be set for the tool itself (IN3).
    const returned: unknown = insideTurn(batch.here, () => tool.run(input, handle) as unknown);
    return end(isThenable(returned) ? await returned : returned);
  }

  /** What the tool is given, and what is made of what it gives. */
  #handle(): { readonly handle: ToolCall; readonly end: (value: unknown) => ProducedEnd } {
    const { batch, scope, call, attempt, interrupted } = this.#input;
    const { session, turn, log, emit } = batch;
    const { waits, limits, logger, children: port, clock } = session.ports;
    const calling = this.#calling;
    let key: Promise<string> | undefined;
    let children: ToolCall["children"] | undefined;
    const handle: ToolCall = {
      callId: call.callId,
      toolName: call.toolName,
      sessionId: turn.sessionId,
      turnId: turn.turnId,
      signal: calling.signal,
      get idempotencyKey() {
        return calling.idempotencyKey;
      },
      attempt,
      interrupted,
      progress: progressOf(idsOf(call), (progress) => emit(progress, `tool:${call.key}`), () => calling.hasEnded),
      earlierResult: (id) => {
        const { history } = session.residence.resident;
        return resultTextIn(log.messages, id) ?? resultTextIn(history.slice(history.length), id);
      },
      complete: questionsOf(calling),
      get children() {
        return (children ??= port?.ofCall(calling) ?? NO_CHILDREN);
      },
      completionKey: () => (key ??= scope.write(() => waits.keyFor(waitOf(turn, call.key)))),
    };
    const end = (value: unknown): ProducedEnd => {
      const pending = pendingIn(value);
      if (pending) return key ? { pending: pendingUntil(pending, clock.now()) } : { output: missingKey() };
      const { output, files } = success(value, limits);
      if (output.converted) reportConversion({ logger, sessionId: turn.sessionId }, call.tool, output.converted);
      return files.length > 0 ? { output, files } : { output };
    };
    return { handle, end };
  }

  /** Stored before the outcome that names them is. */
  #stored(files: readonly TakenFile[]): Promise<readonly StoredFile[]> {
    const { batch, scope } = this.#input;
    const { attachments } = batch.session.ports.persistence;
    const store = async ({ bytes, mime, filename }: TakenFile): Promise<StoredFile> => {
      const reference = await storeFile(batch.turn.sessionId, bytes, mime, attachments, scope.write);
      return filename === undefined ? reference : { ...reference, filename };
    };
    return Promise.all(files.map(store));
  }
}

/** What a call comes to that its tool did not say. */
export function outputOfVerdict(verdict: Verdict | null, tool: Tool): ToolCallOutput {
  switch (verdict) {
    case "interrupted":
      return interruptedOutput;
    case "timedOut":
      return timedOut(tool);
    default:
      return cancelledOutput;
  }
}

/** How activities name a call. */
export const idsOf = ({ callId, toolName, parentCallId }: Pick<LaunchedCall, "callId" | "toolName" | "parentCallId">) => ({
  callId,
  name: toolName,
  ...(parentCallId !== undefined && { parentCallId }),
});

const missing = (): Promise<never> => Promise.reject(missingChildSessions());
const NO_CHILDREN: ToolCall["children"] = { create: missing, open: missing };

function pendingUntil({ options }: ToolPending, nowMs: number): RecordedPending {
  const { timeoutMs, onTimeout = "result", onCancel = "ignore" } = options;
  return { dueAtMs: timeoutMs === undefined ? null : nowMs + timeoutMs, onTimeout, onCancel };
}

function mayRetry(ended: AttemptEnd): boolean {
  return "output" in ended && ended.output.outcome.status === "failure" && ended.output.outcome.payload.retry.type === "safe";
}

/** Looking at a stranger's value may throw: then it is no promise, and the tool has returned all the same. */
function isThenable(value: unknown): boolean {
  try {
    return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
  } catch {
    return false;
  }
}

/** A probe that throws has not found out (OP-3). */
async function probe(ask: (args: unknown, call: ToolCall) => unknown, args: unknown, call: ToolCall): Promise<unknown> {
  try {
    return await ask(args, call);
  } catch {
    return "report";
  }
}
