// Tool batch: runs the calls of one reply, journals each as it finishes, gives results in call order (T-52, E-13).
//
//   B1. An attempt starts only after a durable step has named it (OP-3); `ensureIssued` is the one place that sees to it.
//   B2. A finished call is durable before anything waits for the others; the last one rides on the turn's next step.
//   B3. What a tool does wrong is its result. Only faults of the boundary itself reject.

import { copyJson } from "../domain/copy-json.ts";
import type { Json } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { missingChildSessions } from "../domain/wiring-errors.ts";
import { failedOutput, type StoredFile, type ToolCallOutput } from "../domain/tool-output.ts";
import type { ToolPending } from "../domain/tool-pending.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { JournaledOutcome } from "../stores/contract.ts";
import type { ToolCall } from "../tools/contract.ts";
import { storeFile, type TakenFile } from "./images.ts";
import type { BatchContext, BatchWaits } from "./batch-context.ts";
import type { Attempt as Execution } from "./durable/contract.ts";
import type { Envelope } from "./envelope.ts";
import type { AttemptEnd, SettledCall } from "./plugin-port.ts";
import { reportConversion } from "./conversion-report.ts";
import { startDeadline, type ToolDeadline } from "./tool-deadline.ts";
import { cancelledOutput, failure, interruptedOutput, pendingIn, success } from "./tool-outcome.ts";
import { progressOf } from "./tool-progress.ts";
import { complete, missingKey, waitOf, type RecordedPending } from "./tool-completion.ts";
import { groupResult, type FinishedCall } from "./tool-group.ts";
import { toolResultOf } from "./tool-result.ts";
import { questionsOf, type Asking } from "./tool-questions.ts";
import { attemptKey, leavesOf, type GroupedCall, type LaunchedCall, type PlannedCall, type PlannedLeaf } from "./tool-plan.ts";

/** How long tools may take to notice that their turn was cancelled (T-63). */
const CANCEL_GRACE_MS = 50;

type RecordedAttempt =
  /** `endedAtMs` where trying again is safe: the wait before that is counted from there, also after a crash. */
  | (SettledCall & { readonly durationMs: number; readonly endedAtMs?: number; readonly args?: Json })
  | { readonly pending: RecordedPending; readonly durationMs: number };

/** As the tool gave it, with images and files that are not stored yet. */
type ProducedEnd = AttemptEnd | { readonly output: ToolCallOutput; readonly files: readonly TakenFile[] };

/** Attempts that the step which opens the batch has to name: all parallel calls, or else the first serial one. */
export function firstIssued(plan: readonly PlannedCall[]): readonly string[] {
  const launches = leavesOf(plan).filter((call) => call.kind === "launch");
  const parallel = launches.filter((call) => call.tool.execution === "parallel");
  return (parallel.length > 0 ? parallel : launches.slice(0, 1)).map((call) => attemptKey(call, 1));
}

export async function runBatch(plan: readonly PlannedCall[], context: BatchContext): Promise<readonly ToolResult[]> {
  return new BatchRun(plan, context).run();
}

class BatchRun {
  readonly #plan: readonly PlannedCall[];
  readonly #context: BatchContext;
  readonly #issued: Set<string>;
  /** Attempts that a step has named and that have not ended: every step goes on naming them, begun or not (B1). */
  readonly #running: Set<string>;
  readonly #results = new Map<PlannedCall, ToolResult>();
  #parked = 0;
  /** Calls that wait for an answer, or to be tried again: longer than anything that runs beside them. */
  #waiting = 0;
  /** Calls that have begun and have no outcome, less those that wait to be tried again or for an answer. */
  #busy = 0;
  /** Attempts that run and are parked all the same. */
  #idle = 0;
  /** Durable waits that calls wait for, and until when. */
  readonly #awaited = new Map<string, number | null>();
  /** When calls are tried again. */
  readonly #pauses = new Set<{ readonly dueAtMs: number }>();

  constructor(plan: readonly PlannedCall[], context: BatchContext) {
    this.#plan = plan;
    this.#context = context;
    this.#issued = new Set(context.issued);
    this.#running = new Set(context.issued);
  }

  async run(): Promise<readonly ToolResult[]> {
    const groups = this.#plan.filter((call) => call.kind === "group");
    for (const group of groups) await this.#started(group);
    const settle = async (call: PlannedLeaf): Promise<void> => {
      this.#results.set(call, await this.#runCall(call));
      const group = groups.find(({ calls }) => calls.includes(call));
      if (group) await this.#settleGroup(group);
    };
    const leaves = leavesOf(this.#plan);
    const isSerial = (call: PlannedLeaf): boolean => call.kind === "launch" && call.tool.execution === "serial";
    await Promise.all(leaves.filter((call) => !isSerial(call)).map(settle));
    for (const call of leaves.filter(isSerial)) await settle(call);
    return this.#plan.flatMap((call) => this.#results.get(call) ?? []);
  }

  async #runCall(call: PlannedLeaf): Promise<ToolResult> {
    await this.#started(call);
    return this.#completed(call, call.kind === "refused" ? await this.#refused(call, call.output) : await this.#whileBusy(() => this.#runAttempts(call)));
  }

  async #whileBusy<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#busy += 1;
    try {
      return await run();
    } finally {
      this.#busy -= 1;
      this.#count(0);
    }
  }

  async #refused({ key, callId, toolName, args }: PlannedCall, output: ToolCallOutput): Promise<FinishedCall> {
    const shown = await this.#context.project?.({ key, callId, toolName, args }, output);
    return { output, durationMs: 0, ...(shown !== undefined && { shown }) };
  }

  /** Once all of its calls have a result, a `batch` call has one. */
  async #settleGroup(group: GroupedCall): Promise<void> {
    const results = group.calls.flatMap((call) => this.#results.get(call) ?? []);
    if (results.length === group.calls.length) this.#results.set(group, await this.#completed(group, groupResult(results, this.#context.limits)));
  }

  async #started(call: PlannedCall): Promise<void> {
    this.#context.trace?.toolStarted(call);
    await this.#context.emit({ type: "tool_call_started", ...named(call) }, `tool:${call.key}`);
  }

  async #completed(call: PlannedCall, finished: FinishedCall): Promise<ToolResult> {
    const { output, durationMs } = finished;
    this.#context.trace?.toolCompleted(call, finished);
    await this.#context.emit({ type: "tool_call_completed", ...named(call), output, durationMs }, `tool:${call.key}`);
    const { limits, restTool } = this.#context;
    return toolResultOf(call, finished, { most: modelBytesOf(call, limits), restTool });
  }

  /**
   * Tried again only where the failure says that this is safe, up to the tool's policy - the one of now. An attempt that began
   * under an earlier one counts all the same: what it came to is the call's outcome.
   */
  async #runAttempts(call: LaunchedCall): Promise<FinishedCall> {
    const most = call.tool.retry?.maxAttempts ?? 1;
    for (let attempt = 1; ; attempt++) {
      const recorded = await this.#runAttempt(call, attempt);
      if ("pending" in recorded) return this.#whileWaiting(() => this.#park(call, recorded.pending, recorded.durationMs));
      const { outcome } = recorded.output;
      const retry = outcome.status === "failure" ? outcome.payload.retry : undefined;
      if (retry?.type !== "safe" || this.#context.signal.aborted) return recorded;
      const next = attemptKey(call, attempt + 1);
      if (this.#issued.has(next) || this.#context.controller.has(next)) continue;
      if (attempt >= most) return most > 1 ? exhausted(recorded, attempt) : recorded;
      const { baseDelayMs = 0, maxDelayMs = 0 } = call.tool.retry ?? {};
      const doubled = baseDelayMs * 2 ** (attempt - 1);
      const delay = retry.after_ms ?? (maxDelayMs > 0 ? Math.min(doubled, maxDelayMs) : doubled);
      // The wait may be long: what was tried before it must not be tried again after a crash (B2).
      if (this.#context.controller.hasUnsaved) await this.#context.step([...this.#running]);
      const { clock, signal } = this.#context;
      const dueAtMs = (recorded.endedAtMs ?? clock.now()) + delay;
      await this.#whileWaiting(() => this.#pause(dueAtMs, () => clock.sleep(Math.max(0, dueAtMs - clock.now()), signal).catch(() => undefined)));
    }
  }

  /** Counted as waiting from when it is known until when: the turn may be left at any moment, and goes on then at the latest. */
  async #pause(dueAtMs: number, sleep: () => Promise<void>): Promise<void> {
    const pause = { dueAtMs };
    this.#pauses.add(pause);
    this.#busy -= 1;
    this.#count(0);
    try {
      await sleep();
    } finally {
      this.#pauses.delete(pause);
      this.#busy += 1;
      this.#count(0);
    }
  }

  async #whileWaiting<Result>(wait: () => Promise<Result>): Promise<Result> {
    this.#waiting += 1;
    try {
      return await wait();
    } finally {
      this.#waiting -= 1;
    }
  }

  /** The attempt is durable as pending before anything waits: the tool must not run again, however long this takes. */
  async #park(call: LaunchedCall, pending: RecordedPending, durationMs: number): Promise<FinishedCall> {
    if (this.#context.controller.hasUnsaved) await this.#context.step([...this.#running]);
    let waits = false;
    const { key_id: keyId } = waitOf(this.#context, call);
    const onWaiting = (): void => {
      waits = true;
      this.#context.trace?.toolRan(call);
      this.#awaited.set(keyId, pending.dueAtMs);
      this.#busy -= 1;
      this.#count(1);
    };
    try {
      const { stopsTurn, output } = await complete(this.#context, call, pending, onWaiting);
      return { ...(await this.#settleAnswered(call, output)), stopsTurn, durationMs };
    } finally {
      this.#awaited.delete(keyId);
      if (waits) {
        this.#busy += 1;
        this.#count(-1);
      }
    }
  }

  /** Once, after the answer came: an effect of its own, because the attempt ended before it. */
  async #settleAnswered(call: LaunchedCall, output: ToolCallOutput): Promise<SettledCall> {
    const { after, controller, envelope, batchKey } = this.#context;
    if (!after) return { output };
    const { callId, toolName, args } = call;
    const replayKey = `${call.key}:after`;
    const asked = (): Envelope => envelope(replayKey, batchKey, { kind: "tool_after", call: { callId, toolName, args } });
    const { outcome } = await controller.execute(replayKey, asked, async () => ({ ok: copyJson(await after({ key: call.key, callId, toolName, args }, { output })) }));
    return "ok" in outcome ? (outcome.ok as unknown as SettledCall) : { output };
  }

  #count(parked: number): void {
    this.#parked += parked;
    this.#context.onProgress({ running: this.#busy - this.#idle, parked: this.#parked, until: () => this.#until() });
  }

  #until(): BatchWaits {
    const dues = [...this.#awaited.values(), ...[...this.#pauses].map(({ dueAtMs }) => dueAtMs)].filter((due) => due !== null);
    return { ...(this.#idle === 0 && { waits: [...this.#awaited.keys()] }), ...(dues.length > 0 && { dueAtMs: Math.min(...dues) }) };
  }

  async #runAttempt(call: LaunchedCall, attempt: number): Promise<RecordedAttempt> {
    const { controller, envelope, batchKey, sessionId, turnId } = this.#context;
    const replayKey = attemptKey(call, attempt);
    const { callId, toolName, args } = call;
    // Without the policy, which is no part of what is done: a host may change it while the turn is in flight (E-5).
    const command = { kind: "tool_attempt", call: { callId, toolName, args }, attempt };
    const { outcome, source } = await controller.execute(replayKey, () => envelope(replayKey, batchKey, command), async (execution) => {
      this.#context.trace?.toolRan(call);
      if (this.#context.signal.aborted) {
        // What cannot be cancelled now is finished like any turn that nobody waits for.
        if (execution.interrupted && !this.#context.detach.aborted) await this.#context.children.port?.cancelLeft(this.#context, call).catch(() => undefined);
        // It had begun in a process that is gone: that may have taken effect, unless its tool says that this does not matter (ME-22).
        const mayHaveRun = execution.interrupted && call.tool.onInterrupted !== "retry";
        return { ok: copyJson({ output: mayHaveRun ? interruptedOutput : cancelledOutput, durationMs: 0 }) };
      }
      await this.#ensureIssued(replayKey);
      this.#count(0);
      return this.#context.asActor(`tool:${sessionId}:${turnId}:${toolName}:${callId}`, () => this.#perform(call, attempt, execution));
    });
    this.#running.delete(replayKey);
    // Where all that is left waits, the turn may be left in flight at any moment: not before this is durable (B2).
    if (source === "run" && this.#running.size + this.#waiting > 0 && controller.hasUnsaved) await this.#context.step([...this.#running]);
    return readAttempt(outcome);
  }

  async #ensureIssued(replayKey: string): Promise<void> {
    if (this.#issued.has(replayKey)) return;
    this.#running.add(replayKey);
    await this.#context.step([...this.#running]);
    this.#issued.add(replayKey);
  }

  async #perform(call: LaunchedCall, attempt: number, { interrupted }: Execution): Promise<JournaledOutcome> {
    const { clock } = this.#context;
    const startedAt = clock.monotonic();
    let hasEnded = false;
    const cleanUps: (() => void)[] = [];
    const onEnd = (cleanUp: () => void): void => (hasEnded ? cleanUp() : void cleanUps.push(cleanUp));
    let isParked = false;
    // A call that may be run again may be left while it waits, and only such a call (OP-8).
    const onParked = (parked: boolean): void => {
      if (call.tool.onInterrupted !== "retry" || parked === isParked || hasEnded) return;
      isParked = parked;
      this.#idle += parked ? 1 : -1;
      this.#count(parked ? 1 : -1);
    };
    onEnd(() => onParked(false));
    let unsaved: Promise<void> | undefined;
    const save = (): Promise<void> => {
      const saved = this.#context.step([...this.#running]);
      saved.catch(() => {
        unsaved ??= saved;
      });
      return saved;
    };
    const { timeoutMs } = call.tool;
    const deadline = timeoutMs === undefined ? undefined : startDeadline(call.tool, timeoutMs, this.#context.signal, clock);
    if (deadline) onEnd(() => deadline.stop());
    const asking: Asking = { hasEnded: () => hasEnded, save, onEnd, onParked };
    const produced = await this.#untilCancelled(this.#outputOf(call, attempt, interrupted, asking, deadline), deadline);
    for (const cleanUp of cleanUps) cleanUp();
    hasEnded = true;
    // What the store could not take is no failure of the tool, whatever the tool made of it: the turn stays in flight (E-6).
    await unsaved;
    const durationMs = Math.round(clock.monotonic() - startedAt);
    const { after } = this.#context;
    const { callId, toolName, args, isReplaced } = call;
    // Hooks do not see secrets in errors, and what they make of a call may hold some.
    const ended = this.#clean(produced);
    const settled = after ? this.#clean(await after({ key: call.key, callId, toolName, args }, ended)) : ended;
    // What the tool did to the session's settings and tools is as durable as its outcome.
    const changes = this.#context.takeChanges();
    return {
      ok: copyJson({ ...settled, ...(isReplaced && { args }), durationMs, ...(mayRetry(settled) && { endedAtMs: clock.now() }), ...changes }),
    };
  }

  #clean<End extends AttemptEnd | SettledCall>(ended: End): End {
    return "output" in ended ? { ...ended, output: this.#context.redactor.output(ended.output) } : ended;
  }

  async #outputOf(call: LaunchedCall, attempt: number, interrupted: boolean, asking: Asking, deadline: ToolDeadline | undefined): Promise<AttemptEnd> {
    const { tool, input } = call;
    const context = deadline ? { ...this.#context, signal: deadline.signal } : this.#context;
    const { sessionId, turnId, signal, desk, limits, children: { port } } = context;
    let key: Promise<string> | undefined;
    let children: ToolCall["children"] | undefined;
    const handle: ToolCall = {
      callId: call.callId,
      toolName: call.toolName,
      sessionId,
      turnId,
      signal,
      get idempotencyKey() {
        return sha256Hex(call.key);
      },
      attempt,
      interrupted,
      progress: progressOf(namedIds(call), (progress) => context.emit(progress, `tool:${call.key}`), asking.hasEnded),
      earlierResult: context.earlierResult,
      complete: questionsOf(context, call, asking),
      get children() {
        return (children ??= port?.ofCall(context, call, asking) ?? NO_CHILDREN);
      },
      completionKey: () => (key ??= context.writes(() => desk.keyFor(waitOf(context, call)))),
    };
    const end = (value: unknown): ProducedEnd => {
      const pending = pendingIn(value);
      if (pending) return key ? { pending: this.#pendingUntil(pending) } : { output: missingKey() };
      const { output, files } = success(value, limits);
      if (output.converted) reportConversion(context, tool, output.converted);
      return files.length > 0 ? { output, files } : { output };
    };
    const produce = async (): Promise<ProducedEnd> => {
      if (interrupted && tool.onInterrupted !== "retry") {
        if (tool.onInterrupted === "report") return { output: interruptedOutput };
        const answer = await probe(tool.onInterrupted, input, handle);
        if (answer === "report") return { output: interruptedOutput };
        if (answer !== "retry") return end(answer);
      }
      const refusal = this.#context.refusalOf(call.toolName);
      if (refusal !== undefined) return { output: failedOutput({ class: "unavailable", code: "tool_unavailable", message: refusal }) };
      const returned: unknown = tool.run(input, handle);
      return end(isThenable(returned) ? await returned : returned);
    };
    const produced = await produce().catch((error: unknown): ProducedEnd => ({ output: failure(error, signal) }));
    // What comes too late is dropped, and nothing is written for it any more.
    if (!("files" in produced) || asking.hasEnded()) return produced;
    // A store that cannot take the files is no failure of the tool, which has run: the turn stays in flight (E-6).
    return { output: { ...produced.output, attachments: await this.#stored(produced.files) } };
  }

  /** Stored before the outcome that names them is. */
  async #stored(files: readonly TakenFile[]): Promise<readonly StoredFile[]> {
    const { sessionId, attachments, writes } = this.#context;
    const store = async ({ bytes, mime, filename }: TakenFile): Promise<StoredFile> => {
      const reference = await storeFile(sessionId, bytes, mime, attachments, writes);
      return filename === undefined ? reference : { ...reference, filename };
    };
    return Promise.all(files.map(store));
  }

  #pendingUntil({ options }: ToolPending): RecordedPending {
    const { timeoutMs, onTimeout = "result", onCancel = "ignore" } = options;
    return { dueAtMs: timeoutMs === undefined ? null : this.#context.clock.now() + timeoutMs, onTimeout, onCancel };
  }

  /** A cancelled turn does not wait for tools that do not listen. */
  async #untilCancelled(ended: Promise<AttemptEnd>, attempt: ToolDeadline | undefined): Promise<AttemptEnd> {
    const { signal, clock } = this.#context;
    let stopWaiting = (): void => undefined;
    const deadline = new Promise<AttemptEnd>((resolve) => {
      const onAbort = (): void => {
        const cancelTimer = clock.setTimer(CANCEL_GRACE_MS, () => resolve({ output: cancelledOutput }));
        stopWaiting = cancelTimer;
      };
      if (signal.aborted) onAbort();
      else {
        signal.addEventListener("abort", onAbort, { once: true });
        stopWaiting = () => signal.removeEventListener("abort", onAbort);
      }
    });
    try {
      return await Promise.race(attempt ? [ended, deadline, attempt.passed] : [ended, deadline]);
    } finally {
      stopWaiting();
    }
  }
}

/** Looking at a stranger's value may throw: then it is no promise, and the tool has returned all the same. */
function isThenable(value: unknown): boolean {
  try {
    return typeof (value as { readonly then?: unknown } | null | undefined)?.then === "function";
  } catch {
    return false;
  }
}

const missing = (): Promise<never> => Promise.reject(missingChildSessions());
const NO_CHILDREN: ToolCall["children"] = { create: missing, open: missing };

const namedIds = ({ callId, toolName, parentCallId }: PlannedCall) => ({ callId, name: toolName, ...(parentCallId !== undefined && { parentCallId }) });
const named = (call: PlannedCall) => ({ ...namedIds(call), args: call.args });

/** A batch shows what its calls would show one by one. */
function modelBytesOf(call: PlannedCall, limits: Limits): number {
  if (call.kind === "group") return call.calls.reduce((sum, each) => sum + modelBytesOf(each, limits), 0);
  const own = call.kind === "launch" ? call.tool.maxModelBytes : undefined;
  return own === null ? Infinity : (own ?? limits.toolResultModelBytes);
}

function mayRetry(ended: AttemptEnd): boolean {
  return "output" in ended && ended.output.outcome.status === "failure" && ended.output.outcome.payload.retry.type === "safe";
}

/** A probe that throws has not found out (OP-3). */
async function probe(ask: (args: unknown, call: ToolCall) => unknown, args: unknown, call: ToolCall): Promise<unknown> {
  try {
    return await ask(args, call);
  } catch {
    return "report";
  }
}

function exhausted(recorded: FinishedCall, attempts: number): FinishedCall {
  const { outcome } = recorded.output;
  if (outcome.status !== "failure") return recorded;
  const payload = { ...outcome.payload, retry: { type: "exhausted" as const, attempts } };
  return { ...recorded, output: { ...recorded.output, outcome: { status: "failure", payload } } };
}

function readAttempt(outcome: JournaledOutcome): RecordedAttempt {
  if ("ok" in outcome) return outcome.ok as unknown as RecordedAttempt;
  return { output: failedOutput({ class: "internal", code: outcome.error.code, message: outcome.error.message }), durationMs: 0 };
}
