// What a model wrote as the arguments of a call. Only a JSON object is run; the text itself stays in history (T-30).

import { parseHostileJson } from "../../../domain/bounded-json.ts";
import { LashError } from "../../../domain/errors.ts";
import { isPlainObject, type Json } from "../../../domain/json.ts";
import { jsonFault } from "../../../domain/json-fault.ts";
import type { Limits } from "../../../domain/limits.ts";
import { failedOutput, type ToolCallOutput } from "../../../domain/tool-output.ts";

/** `value` beside a refusal is what builds ran that refused less: calls which they have recorded are known by it. */
export type ReadArguments = { readonly value: Json; readonly refused?: ToolCallOutput };

const BYTE_ORDER_MARK = "\uFEFF";

export function readArguments(text: string, limits: Limits): ReadArguments {
  // Clients send nothing, or spaces, for a call without arguments.
  if (text.trim() === "") return { value: {} };
  const json = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  try {
    const value = parseHostileJson(json, { field: "arguments", limit: "toolArgumentsBytes", limits, prototypeKeys: "drop" });
    return isPlainObject(value) ? { value } : { value, refused: refused(`they are ${kindOf(value)}, at position 0`) };
  } catch (error) {
    if (LashError.is(error) && error.isCode("limit_exceeded")) return { value: {}, refused: failedOutput({ class: "resource_limit", code: "invalid_tool_args", message: error.message }) };
    const fault = jsonFault(json);
    return { value: {}, refused: refused(fault ? `${fault.problem}, at position ${fault.position}` : "they cannot be parsed") };
  }
}

/** For arguments that came parsed; undefined for an object. */
export const refusedArguments = (value: Json): ToolCallOutput | undefined => (isPlainObject(value) ? undefined : refused(`they are ${kindOf(value)}`));

const refused = (problem: string): ToolCallOutput =>
  failedOutput({
    class: "invalid_request",
    code: "invalid_tool_args",
    message: `The arguments are no JSON object: ${problem}. The tool was not run; make the call again with complete arguments.`,
  });

function kindOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
