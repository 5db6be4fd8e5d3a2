// Tool batch: runs the calls of one reply, journals each as it finishes, gives results in call order (T-52, E-13).
//
//   B1. An attempt starts only after a durable step has named it (OP-3); `ensureIssued` is the one place that sees to it.
//   B2. A finished call is durable before anything waits for the others; the last one rides on the turn's next step.
//   B3. What a tool does wrong is its result. Only faults of the boundary itself reject.

import { parseHostileJson } from "../domain/bounded-json.ts";
import type { Clock } from "../domain/clock.ts";
import { LashError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { ToolError } from "../domain/tool-error.ts";
import { failedOutput, projectOutput, type ToolCallOutput, type ToolFailure } from "../domain/tool-output.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { JournaledOutcome } from "../stores/contract.ts";
import type { ToolCall } from "../tools/contract.ts";
import type { EffectController, Execution } from "./effect-host.ts";
import type { Envelope } from "./envelope.ts";
import type { Emit } from "./model-call.ts";
import { attemptKey, type LaunchedCall, type PlannedCall } from "./tool-plan.ts";

/** How long tools may take to notice that their turn was cancelled (T-63). */
const CANCEL_GRACE_MS = 50;

export interface BatchContext {
  readonly sessionId: string;
  readonly turnId: string;
  readonly batchKey: string;
  readonly controller: EffectController;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Writes a durable step naming these attempts; resolves when they may start. */
  readonly step: (issued: readonly string[]) => Promise<void>;
  /** Replay keys that a durable step has named already. */
  readonly issued: ReadonlySet<string>;
  readonly envelope: (replayKey: string, causedBy: string, command: Envelope["command"]) => Envelope;
  /** Shows a running call as an actor of its own (design section 4). */
  readonly asActor: <T>(id: string, run: () => Promise<T>) => Promise<T>;
}

interface RecordedAttempt {
  readonly output: ToolCallOutput;
  readonly durationMs: number;
}

/** Attempts that the step which opens the batch has to name: all parallel calls, or else the first serial one. */
export function firstIssued(plan: readonly PlannedCall[]): readonly string[] {
  const launches = plan.filter((call) => call.kind === "launch");
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

  constructor(plan: readonly PlannedCall[], context: BatchContext) {
    this.#plan = plan;
    this.#context = context;
    this.#issued = new Set(context.issued);
    this.#running = new Set(context.issued);
  }

  async run(): Promise<readonly ToolResult[]> {
    const results: ToolResult[] = [];
    const settle = async (call: PlannedCall): Promise<void> => {
      results[call.index] = await this.#runCall(call);
    };
    const isSerial = (call: PlannedCall): boolean => call.kind === "launch" && call.tool.execution === "serial";
    await Promise.all(this.#plan.filter((call) => !isSerial(call)).map(settle));
    for (const call of this.#plan.filter(isSerial)) await settle(call);
    return results;
  }

  async #runCall(call: PlannedCall): Promise<ToolResult> {
    const { emit } = this.#context;
    const correlationId = `tool:${call.key}`;
    const named = { callId: call.callId, name: call.toolName, args: call.args };
    await emit({ type: "tool_call_started", ...named }, correlationId);
    const { output, durationMs } = call.kind === "refused" ? { output: call.output, durationMs: 0 } : await this.#runAttempts(call);
    await emit({ type: "tool_call_completed", ...named, output, durationMs }, correlationId);
    return {
      callId: call.callId,
      toolName: call.toolName,
      args: call.args,
      output,
      durationMs,
      modelReturn: [{ kind: "ToolResult", content: projectOutput(output), toolCallId: call.callId, toolName: call.toolName }],
    };
  }

  /** T-53: tried again only where the failure says that this is safe, up to the tool's policy. */
  async #runAttempts(call: LaunchedCall): Promise<RecordedAttempt> {
    const most = call.tool.retry?.maxAttempts ?? 1;
    for (let attempt = 1; ; attempt++) {
      const recorded = await this.#runAttempt(call, attempt, most);
      const { outcome } = recorded.output;
      const retry = outcome.status === "failure" ? outcome.payload.retry : undefined;
      if (retry?.type !== "safe" || this.#context.signal.aborted) return recorded;
      if (attempt >= most) return most > 1 ? exhausted(recorded, attempt) : recorded;
      const { baseDelayMs = 0, maxDelayMs = 0 } = call.tool.retry ?? {};
      const doubled = baseDelayMs * 2 ** (attempt - 1);
      const delay = retry.after_ms ?? (maxDelayMs > 0 ? Math.min(doubled, maxDelayMs) : doubled);
      // The wait may be long: what was tried before it must not be tried again after a crash (B2).
      if (this.#context.controller.hasUnsaved) await this.#context.step([...this.#running]);
      await this.#context.clock.sleep(delay, this.#context.signal).catch(() => undefined);
    }
  }

  async #runAttempt(call: LaunchedCall, attempt: number, most: number): Promise<RecordedAttempt> {
    const { controller, envelope, batchKey, turnId } = this.#context;
    const replayKey = attemptKey(call, attempt);
    const { callId, toolName, args } = call;
    const command = { kind: "tool_attempt", call: { callId, toolName, args }, attempt, maxAttempts: most };
    const { outcome, source } = await controller.execute(envelope(replayKey, batchKey, command), async (execution) => {
      if (this.#context.signal.aborted) return { ok: asJson({ output: cancelledOutput, durationMs: 0 }) };
      await this.#ensureIssued(replayKey);
      return this.#context.asActor(`tool:${turnId}:${toolName}:${callId}`, () => this.#perform(call, attempt, execution));
    });
    this.#running.delete(replayKey);
    if (source === "run" && this.#running.size > 0 && controller.hasUnsaved) await this.#context.step([...this.#running]);
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
    const output = await this.#untilCancelled(this.#outputOf(call, attempt, interrupted));
    return { ok: asJson({ output, durationMs: Math.round(clock.monotonic() - startedAt) }) };
  }

  async #outputOf(call: LaunchedCall, attempt: number, interrupted: boolean): Promise<ToolCallOutput> {
    const { tool, input } = call;
    const { sessionId, turnId, signal } = this.#context;
    const handle: ToolCall = {
      callId: call.callId,
      toolName: call.toolName,
      sessionId,
      turnId,
      signal,
      idempotencyKey: sha256Hex(call.key),
      attempt,
      interrupted,
    };
    try {
      if (interrupted && tool.onInterrupted !== "retry") {
        if (tool.onInterrupted === "report") return interruptedOutput;
        const answer = await probe(tool.onInterrupted, input, handle);
        if (answer === "report") return interruptedOutput;
        if (answer !== "retry") return success(answer);
      }
      return success(await tool.run(input, handle));
    } catch (error) {
      return failure(error, signal);
    }
  }

  /** A cancelled turn does not wait for tools that do not listen (T-63). */
  async #untilCancelled(output: Promise<ToolCallOutput>): Promise<ToolCallOutput> {
    const { signal, clock } = this.#context;
    let stopWaiting = (): void => undefined;
    const deadline = new Promise<ToolCallOutput>((resolve) => {
      const onAbort = (): void => {
        const cancelTimer = clock.setTimer(CANCEL_GRACE_MS, () => resolve(cancelledOutput));
        stopWaiting = cancelTimer;
      };
      if (signal.aborted) onAbort();
      else {
        signal.addEventListener("abort", onAbort, { once: true });
        stopWaiting = () => signal.removeEventListener("abort", onAbort);
      }
    });
    try {
      return await Promise.race([output, deadline]);
    } finally {
      stopWaiting();
    }
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

const interruptedOutput: ToolCallOutput = failedOutput({
  class: "execution",
  code: "tool_interrupted",
  message: "The process ended while this call was running. It may or may not have taken effect; check before doing it again.",
});

const cancelledOutput: ToolCallOutput = { outcome: { status: "cancelled", payload: { message: "tool call cancelled" } } };

/** Takes what a tool gave as JSON, whatever it was made of: size, depth and prototype keys are the tool's to answer for. */
function success(value: unknown): ToolCallOutput {
  try {
    const text = JSON.stringify(value ?? null) ?? "null";
    const payload = parseHostileJson(text, { field: "result", limit: "toolResultBytes", prototypeKeys: "drop" });
    return { outcome: { status: "success", payload } };
  } catch (error) {
    const tooMuch = LashError.is(error) && error.isCode("limit_exceeded");
    return failedOutput({
      class: tooMuch ? "resource_limit" : "internal",
      code: tooMuch ? "limit_exceeded" : "tool_result_invalid",
      message: error instanceof Error ? error.message : "the tool's result is no JSON value",
    });
  }
}

function failure(error: unknown, signal: AbortSignal): ToolCallOutput {
  if (ToolError.is(error)) return { outcome: { status: "failure", payload: storable(error.failure) } };
  if (signal.aborted) return cancelledOutput;
  return failedOutput({ class: "execution", code: LashError.is(error) ? error.code : "tool_failed", message: textOf(error), source: "tool" });
}

/** What a tool said raw may be no JSON; what it said in words stays (B3). */
function storable(failure: ToolFailure): ToolFailure {
  try {
    return asJson(failure) as unknown as ToolFailure;
  } catch {
    const { raw: _, ...said } = failure;
    return said;
  }
}

/** Anything can be thrown, and reading it may throw again (B3). */
function textOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "the tool threw something that cannot be read";
  }
}

function exhausted(recorded: RecordedAttempt, attempts: number): RecordedAttempt {
  const { outcome } = recorded.output;
  if (outcome.status !== "failure") return recorded;
  const payload = { ...outcome.payload, retry: { type: "exhausted" as const, attempts } };
  return { ...recorded, output: { ...recorded.output, outcome: { status: "failure", payload } } };
}

function readAttempt(outcome: JournaledOutcome): RecordedAttempt {
  if ("ok" in outcome) return outcome.ok as unknown as RecordedAttempt;
  return { output: failedOutput({ class: "internal", code: outcome.error.code, message: outcome.error.message }), durationMs: 0 };
}

const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;
