// Before a batch runs: what each call means, or why it cannot run (T-51). Deterministic, so a recovery plans the same.

import { MOST_BATCH_ENTRIES, type BatchEntry } from "../../../domain/batch-entry.ts";
import type { Json } from "../../../domain/json.ts";
import type { Limits } from "../../../domain/limits.ts";
import { isOwnCall, type Message, type Part } from "../../../domain/messages.ts";
import { ToolError } from "../../../domain/tool-error.ts";
import { meantTool } from "../../../domain/tool-name.ts";
import { failedOutput, type ToolCallOutput, type ToolFailureClass } from "../../../domain/tool-output.ts";
import type { Tool } from "../../../tools/contract.ts";
import type { ToolQuestion, ToolVerdict } from "../../plugin-port.ts";
import { readArguments, refusedArguments } from "./arguments.ts";

interface PlannedBase {
  /** The provider's id. */
  readonly callId: string;
  readonly toolName: string;
  /** As parsed from what the model wrote, or as a hook replaced them. */
  readonly args: Json;
  readonly isReplaced?: true;
  /** `<batchKey>:child:<i>:<callId>`: stable through attempts and crashes. */
  readonly key: string;
  /** Of a `batch` call: the id of the call that asks for this one. */
  readonly parentCallId?: string;
}

/** A call that has an outcome of its own. */
export type PlannedLeaf =
  | (PlannedBase & { readonly kind: "refused"; readonly output: ToolCallOutput })
  | (PlannedBase & { readonly kind: "launch"; readonly tool: Tool; readonly input: unknown });

/** A `batch` call: it does nothing itself, and its outcome is theirs. */
export type GroupedCall = PlannedBase & { readonly kind: "group"; readonly calls: readonly PlannedLeaf[] };

export type PlannedCall = PlannedLeaf | GroupedCall;

export type LaunchedCall = Extract<PlannedCall, { kind: "launch" }>;

export const attemptKey = (call: PlannedLeaf, attempt: number): string => `${call.key}:attempt:${attempt}`;

/** The calls that are run, in call order. */
export const leavesOf = (plan: readonly PlannedCall[]): readonly PlannedLeaf[] =>
  plan.flatMap((call) => (call.kind === "group" ? call.calls : [call]));

/** What calls are planned by. */
export interface BatchPlan {
  readonly tools: ReadonlyMap<string, Tool>;
  /** Why a tool that the turn was accepted with cannot be called any more. */
  readonly refusalOf: (toolName: string) => string | undefined;
  readonly batchKey: string;
  /**
   * Whether the attempt under this replay key has an outcome: then the call goes on from there, even where this process has no
   * such tool any more, or another one that would refuse the arguments.
   */
  readonly isRecorded: (replayKey: string) => boolean;
  /** Whether it has begun in a process that is gone: it may have taken effect, and is reported, not refused as if it had not run. */
  readonly isInterrupted: (replayKey: string) => boolean;
  readonly limits: Limits;
  /** Hooks before a call, where somebody has some. They answer the same whenever a call is planned. */
  readonly before?: ((call: ToolQuestion) => Promise<ToolVerdict>) | undefined;
}

/** Plans the tool calls of one assistant message. Failures are results for the model, not failures of the turn. */
export async function planBatch(message: Message, batch: BatchPlan): Promise<readonly PlannedCall[]> {
  const parts = message.parts.filter(isOwnCall);
  const seen = new Set<string>();
  const planOne = (part: Part, index: number): PlannedCall | Promise<PlannedCall> => {
    const callId = part.toolCallId ?? "";
    // Providers reuse ids and leave them out; within one reply they have to differ (OP-10).
    const unique = callId === "" || seen.has(callId) ? `${callId}~${index}` : callId;
    seen.add(callId);
    const named = { callId, toolName: part.toolName ?? "", key: `${batch.batchKey}:child:${index}:${unique}` };
    const { value: args, refused } = readArguments(part.content, batch.limits);
    // What has run has run: an earlier build gave tools what it could make of such arguments.
    if (refused && !batch.isRecorded(`${named.key}:attempt:1`)) return { ...named, args: {}, kind: "refused", output: refused };
    return planCall({ ...named, args }, batch);
  };
  return planEach(parts, planOne, batch);
}

/** Hooks run one after another (PT-10); without them nobody waits for anybody. */
function planEach<Item, Planned>(items: readonly Item[], plan: (item: Item, index: number) => Planned | Promise<Planned>, { before }: BatchPlan): Promise<readonly Planned[]> {
  return before ? oneByOne(items, plan) : Promise.all(items.map(plan));
}

async function oneByOne<Item, Planned>(items: readonly Item[], plan: (item: Item, index: number) => Planned | Promise<Planned>): Promise<readonly Planned[]> {
  const planned: Planned[] = [];
  for (const [index, item] of items.entries()) planned.push(await plan(item, index));
  return planned;
}

async function planCall(given: PlannedBase, batch: BatchPlan): Promise<PlannedCall> {
  const tool = batch.tools.get(given.toolName);
  if (!tool?.dispatches) return planLeaf(given, batch);
  const { call, refused } = batch.before ? await askBefore(given, batch.before) : { call: given };
  if (refused) return refused;
  const validated = await validate(tool, call.args);
  if ("problem" in validated) return refuse(call, "invalid_request", "invalid_tool_args", validated.problem);
  return { ...call, kind: "group", calls: await planEntries(call, validated.args as readonly BatchEntry[], batch) };
}

async function planLeaf(given: PlannedBase, batch: BatchPlan): Promise<PlannedLeaf> {
  const { tools, refusalOf } = batch;
  const first = `${given.key}:attempt:1`;
  const recorded = batch.isRecorded(first);
  const tool = tools.get(given.toolName) ?? (recorded || batch.isInterrupted(first) ? goneTool(given.toolName) : undefined);
  if (!tool) return refuse(given, "unavailable", "tool_unavailable", refusalOf(given.toolName) ?? `there is no tool named "${given.toolName}"; available are: ${[...tools.keys()].join(", ") || "none"}`);
  const { call, refused } = batch.before ? await askBefore(given, batch.before) : { call: given };
  // What has run has run, whatever a hook says of it now.
  if (refused && !recorded) return refused;
  const validated = await validate(tool, call.args);
  if ("args" in validated) return { ...call, kind: "launch", tool, input: validated.args };
  if (recorded) return { ...call, kind: "launch", tool, input: call.args };
  return refuse(call, "invalid_request", "invalid_tool_args", validated.problem);
}

/** T-51: arguments are validated after hooks may have replaced them. */
async function askBefore(call: PlannedBase, before: NonNullable<BatchPlan["before"]>): Promise<{ readonly call: PlannedBase; readonly refused?: PlannedLeaf }> {
  const { callId, toolName, args } = call;
  const verdict = await before({ key: call.key, callId, toolName, args });
  if ("output" in verdict) return { call, refused: { ...call, kind: "refused", output: verdict.output } };
  return { call: verdict.args === args ? call : { ...call, args: verdict.args, isReplaced: true } };
}

/** PP-42: what is wrong with one entry is that entry's failure. */
function planEntries(group: PlannedBase, entries: readonly BatchEntry[], batch: BatchPlan): Promise<readonly PlannedLeaf[]> {
  return planEach(
    entries,
    ({ tool: written, parameters }, index) => {
      const tool = meantTool(written, batch.tools);
      const suffix = String(index).padStart(2, "0");
      const call = {
        callId: `${group.callId}:${suffix}`,
        toolName: tool,
        args: parameters,
        key: `${group.key}:child:${suffix}`,
        parentCallId: group.callId,
      };
      if (index >= MOST_BATCH_ENTRIES) return refuse(call, "invalid_request", "batch_too_long", `a batch runs at most ${MOST_BATCH_ENTRIES} calls; make this one in another batch`);
      if (batch.tools.get(tool)?.dispatches) return refuse(call, "invalid_request", "batch_nested", "a batch cannot run a batch; list its calls instead");
      const output = refusedArguments(parameters);
      return output && !batch.isRecorded(`${call.key}:attempt:1`) ? { ...call, args: {}, kind: "refused", output } : planLeaf(call, batch);
    },
    batch,
  );
}

const refuse = (call: PlannedBase, failureClass: ToolFailureClass, code: string, message: string): PlannedLeaf => ({
  ...call,
  kind: "refused",
  output: failedOutput({ class: failureClass, code, message }),
});

/** Stands for a tool that has answered already or was interrupted, and is not registered here: there is nothing left to run. */
const goneTool = (name: string): Tool => ({
  name,
  description: "",
  inputSchema: {},
  readOnly: false,
  idempotent: false,
  onInterrupted: "report",
  execution: "parallel",
  retry: null,
  validate: (args) => Promise.resolve({ args }),
  run: () => Promise.reject(new ToolError({ class: "unavailable", code: "tool_unavailable", message: `there is no tool named "${name}" any more` })),
});

/** What is wrong with arguments is told, whatever way the tool says it. */
export async function validate(tool: Tool, args: Json): Promise<{ readonly args: unknown } | { readonly problem: string }> {
  try {
    return await tool.validate(args);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
