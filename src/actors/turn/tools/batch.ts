// Tool batch: runs the calls of one reply, journals each as it finishes, gives results in call order (T-52, E-13).
//
//   B1. An attempt starts only after a durable step has named it (OP-3): the scope of its body sees to it. The step that opens the
//       batch names all that begin at once.
//   B2. A finished call is durable before anything waits for the others; the last one rides on the turn's next step.
//   B3. What a tool does wrong is its result. Only faults of the boundary itself reject.

import type { PendingCall } from "../../../domain/approvals.ts";
import type { Limits } from "../../../domain/limits.ts";
import type { ToolCallOutput } from "../../../domain/tool-output.ts";
import type { ToolResult } from "../../../machines/effects.ts";
import type { RunScope } from "../../durable/contract.ts";
import { askApprovals } from "./approval.ts";
import { idsOf } from "./attempt.ts";
import { type BatchInput, refusalOf } from "./batch-input.ts";
import { runCall } from "./call.ts";
import { type FinishedCall, groupResult } from "./group.ts";
import { attemptKey, type GroupedCall, type LaunchedCall, leavesOf, planBatch, type PlannedCall, type PlannedLeaf } from "./plan.ts";
import { toolResultOf } from "./result.ts";

export interface FinishedBatch {
  readonly results: readonly ToolResult[];
  /** `journal` where every call had begun to be recorded before. */
  readonly source: "run" | "journal";
}

/** Runs the tool calls of one message of a model. */
export async function runTools(batch: BatchInput, scope: RunScope): Promise<FinishedBatch> {
  const before = batch.plugins?.beforeToolCall;
  const plan = await planBatch(batch.message, {
    tools: batch.tools,
    refusalOf: (toolName) => refusalOf(batch, toolName),
    batchKey: batch.request.replayKey,
    isRecorded: (key) => scope.isRecorded(key),
    isInterrupted: (key) => scope.isInterrupted(key),
    limits: batch.session.ports.limits,
    before: before && ((call) => before(call, scope.cancel)),
  });
  const approvals = await askApprovals(plan, batch, scope);
  const source = leavesOf(plan).every((call) => scope.isRecorded(attemptKey(call, 1))) ? "journal" : "run";
  // A call that was cancelled before it began is never issued.
  await scope.issue(scope.cancel.aborted ? [] : firstIssued(plan, approvals).filter((key) => !scope.isRecorded(key)));
  // What is asked for is durable before anything runs, also where nothing is to be issued.
  if (approvals.size > 0) await scope.save();
  return { results: await new BatchRun(plan, approvals, batch, scope).run(), source };
}

type Approvals = ReadonlyMap<LaunchedCall, PendingCall>;

/** Attempts that begin at once: all parallel calls, or else the first serial one; none that waits for approval. */
function firstIssued(plan: readonly PlannedCall[], approvals: Approvals): readonly string[] {
  const launches = leavesOf(plan).filter((call) => call.kind === "launch");
  const parallel = launches.filter((call) => !isSerial(call));
  const first = parallel.length > 0 ? parallel : launches.slice(0, 1);
  return first.filter((call) => !approvals.has(call)).map((call) => attemptKey(call, 1));
}

const isSerial = (call: PlannedLeaf): boolean => call.kind === "launch" && call.tool.execution === "serial";

class BatchRun {
  readonly #plan: readonly PlannedCall[];
  readonly #approvals: Approvals;
  readonly #batch: BatchInput;
  readonly #scope: RunScope;
  readonly #results = new Map<PlannedCall, ToolResult>();
  /** Calls that have begun and have not ended. */
  readonly #open = new Set<LaunchedCall>();

  constructor(plan: readonly PlannedCall[], approvals: Approvals, batch: BatchInput, scope: RunScope) {
    this.#plan = plan;
    this.#approvals = approvals;
    this.#batch = batch;
    this.#scope = scope;
  }

  async run(): Promise<readonly ToolResult[]> {
    for (const call of this.#plan) if (call.kind === "group") await this.#started(call);
    const leaves = leavesOf(this.#plan);
    await Promise.all(leaves.filter((call) => !isSerial(call)).map((call) => this.#settle(call)));
    for (const call of leaves.filter(isSerial)) await this.#settle(call);
    return this.#plan.flatMap((call) => this.#results.get(call) ?? []);
  }

  async #settle(call: PlannedLeaf): Promise<void> {
    if (call.kind === "launch") {
      this.#open.add(call);
      await this.#scope.body((scope) => this.#launch(call, scope));
    } else {
      await this.#started(call);
      await this.#completed(call, await this.#refused(call, call.output));
    }
    const group = this.#plan.find((each): each is GroupedCall => each.kind === "group" && each.calls.includes(call));
    if (group) await this.#settleGroup(group);
  }

  async #launch(call: LaunchedCall, scope: RunScope): Promise<void> {
    await this.#started(call);
    const finished = await runCall(call, this.#approvals.get(call), this.#batch, scope);
    this.#open.delete(call);
    // Where all that is left waits, a turn may be left in flight at any moment: not before this is durable (B2).
    if (this.#open.size > 0) await scope.save();
    await this.#completed(call, finished);
  }

  async #refused({ key, callId, toolName, args }: PlannedCall, output: ToolCallOutput): Promise<FinishedCall> {
    const shown = await this.#batch.plugins?.project({ key, callId, toolName, args }, output);
    return { output, durationMs: 0, ...(shown !== undefined && { shown }) };
  }

  /** Once all of its calls have a result, a `batch` call has one. */
  async #settleGroup(group: GroupedCall): Promise<void> {
    const results = group.calls.flatMap((call) => this.#results.get(call) ?? []);
    if (results.length === group.calls.length) await this.#completed(group, groupResult(results, this.#batch.session.ports.limits));
  }

  async #started(call: PlannedCall): Promise<void> {
    this.#batch.trace?.toolStarted(call);
    await this.#batch.emit({ type: "tool_call_started", ...idsOf(call), args: call.args }, `tool:${call.key}`);
  }

  async #completed(call: PlannedCall, finished: FinishedCall): Promise<void> {
    const { output, durationMs, args = call.args } = finished;
    const { trace, emit, plan, session: { ports: { limits } } } = this.#batch;
    trace?.toolCompleted(call, finished);
    await emit({ type: "tool_call_completed", ...idsOf(call), args, output, durationMs }, `tool:${call.key}`);
    const restTool = [...plan.tools.values()].find(({ readsResults }) => readsResults)?.name;
    this.#results.set(call, toolResultOf({ ...call, args }, finished, { most: modelBytesOf(call, limits), restTool }));
  }
}

/** A batch shows what its calls would show one by one. */
function modelBytesOf(call: PlannedCall, limits: Limits): number {
  if (call.kind === "group") return call.calls.reduce((sum, each) => sum + modelBytesOf(each, limits), 0);
  const own = call.kind === "launch" ? call.tool.maxModelBytes : undefined;
  return own === null ? Infinity : (own ?? limits.toolResultModelBytes);
}
