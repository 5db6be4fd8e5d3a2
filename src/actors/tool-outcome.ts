// What a tool gave, threw or left open, as the output its call has (ER-8). Nothing here throws (B3 of tool-batch.ts).

import { parseHostileJson } from "../domain/bounded-json.ts";
import { LashError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import { ToolError } from "../domain/tool-error.ts";
import { failedOutput, type ToolCallOutput, type ToolControl, type ToolFailure } from "../domain/tool-output.ts";
import { ToolReply } from "../domain/tool-reply.ts";

export const interruptedOutput: ToolCallOutput = failedOutput({
  class: "execution",
  code: "tool_interrupted",
  message: "The process ended while this call was running. It may or may not have taken effect; check before doing it again.",
});

export const cancelledOutput: ToolCallOutput = { outcome: { status: "cancelled", payload: { message: "tool call cancelled" } } };

/** Takes what a tool gave as JSON, whatever it was made of: size, depth and prototype keys are the tool's to answer for. */
export function success(value: unknown, limits: Limits): ToolCallOutput {
  try {
    if (!ToolReply.is(value)) return { outcome: { status: "success", payload: asResult(value, limits) } };
    const { payload, control } = value;
    return { outcome: { status: "success", payload: asResult(payload, limits) }, ...(control && { control: asResult(control, limits) as ToolControl }) };
  } catch (error) {
    const tooMuch = LashError.is(error) && error.isCode("limit_exceeded");
    return failedOutput({
      class: tooMuch ? "resource_limit" : "internal",
      code: tooMuch ? "limit_exceeded" : "tool_result_invalid",
      message: error instanceof Error ? error.message : "the tool's result is no JSON value",
    });
  }
}

function asResult(value: unknown, limits: Limits): Json {
  // Six bytes is what JSON makes of a character at most: a text that surely fits is its own result.
  if (typeof value === "string" && value.length * 6 + 2 <= limits.toolResultBytes) return value;
  const text = JSON.stringify(value ?? null) ?? "null";
  return parseHostileJson(text, { field: "result", limit: "toolResultBytes", limits, prototypeKeys: "drop" });
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
