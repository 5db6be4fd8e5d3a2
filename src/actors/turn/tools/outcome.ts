// What a tool gave, threw or left open, as the output its call has (ER-8). Nothing here throws (B3 of batch.ts).

import { LashError } from "../../../domain/errors.ts";
import { isPlainObject, type Json } from "../../../domain/json.ts";
import type { Limits } from "../../../domain/limits.ts";
import { tellValue, type TellLimits } from "../../../domain/tell-value.ts";
import { ToolError } from "../../../domain/tool-error.ts";
import { failedOutput, type ToolCallOutput, type ToolControl, type ToolFailure } from "../../../domain/tool-output.ts";
import { ToolPending } from "../../../domain/tool-pending.ts";
import { ToolReply } from "../../../domain/tool-reply.ts";
import { takeFiles, type TakenFile } from "../../images.ts";

export const interruptedOutput: ToolCallOutput = failedOutput({
  class: "execution",
  code: "tool_interrupted",
  message: "The process ended while this call was running. It may or may not have taken effect; check before doing it again.",
});

export const cancelledOutput: ToolCallOutput = { outcome: { status: "cancelled", payload: { message: "tool call cancelled" } } };

export interface Returned {
  readonly output: ToolCallOutput;
  /** To be stored and shown beside it. */
  readonly files: readonly TakenFile[];
}

/** Tells what a tool gave as JSON, whatever it was: a tool that returned has run. */
export function success(value: unknown, limits: Limits): Returned {
  const within = tellLimits(limits);
  const reply = replyIn(value);
  const { value: payload, converted } = tellValue(reply ? reply.payload : value, within);
  const { taken: files, problems } = takeFiles(reply, limits);
  const output: ToolCallOutput = {
    outcome: { status: "success", payload },
    ...(reply?.control && { control: toldControl(reply.control, within) }),
    ...(converted.length > 0 && { converted }),
    ...(problems.length > 0 && { notes: problems }),
  };
  return { output, files };
}

/** What asks something of the turn; looking at a stranger's value may throw. */
function replyIn(value: unknown): ToolReply | undefined {
  try {
    return ToolReply.is(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function pendingIn(value: unknown): ToolPending | undefined {
  try {
    return ToolPending.is(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const tellLimits = ({ toolResultBytes, jsonDepth, jsonValues }: Limits): TellLimits => ({ bytes: toolResultBytes, depth: jsonDepth, values: jsonValues });

/** What it asks for stays what it is; only what the tool says with it is told. */
function toldControl(control: ToolControl, within: TellLimits): ToolControl {
  const told = (value: unknown): Json => tellValue(value, within).value;
  switch (control.type) {
    case "finish":
      return { type: "finish", value: told(control.value) };
    case "fail":
      return { type: "fail", failure: told(control.failure) };
    case "switch_agent_frame": {
      const { initial_nodes: nodes, task } = control;
      const kept = told(nodes ?? []);
      return {
        ...control,
        ...(task !== undefined && { task: String(told(task)) }),
        // Where not all messages fit, those that do are what the frame begins with.
        ...(nodes && { initial_nodes: Array.isArray(kept) ? kept.filter((node: Json) => isPlainObject(node)) : [] }),
      };
    }
  }
}

export function failure(error: unknown, signal: AbortSignal): ToolCallOutput {
  if (ToolError.is(error)) return { outcome: { status: "failure", payload: storable(error.failure) } };
  if (signal.aborted) return cancelledOutput;
  return failedOutput({ class: "execution", code: LashError.is(error) ? error.code : "tool_failed", message: textOf(error), source: "tool" });
}

/** What a tool said raw may be no JSON; what it said in words stays (B3). */
function storable(failure: ToolFailure): ToolFailure {
  try {
    return JSON.parse(JSON.stringify(failure)) as ToolFailure;
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
