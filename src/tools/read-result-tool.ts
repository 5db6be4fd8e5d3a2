// The tool that reads what was left out of a long result.

import type { Json } from "../domain/json.ts";
import { invalidArgument, refuseUnknown } from "../domain/invalid-argument.ts";
import { isPlainObject } from "../domain/json.ts";
import { ToolError } from "../domain/tool-error.ts";
import { utf8Length, utf8Prefix } from "../domain/utf8.ts";
import type { Tool } from "./contract.ts";

export interface ReadResultOptions {
  /** Default `read_result`. */
  readonly name?: string;
  /** Most UTF-8 bytes that one call gives. Default 32 KiB; from 1 KiB to 1 MiB. */
  readonly maxBytes?: number;
}

const KIB = 1024;
/** For the line above the text. */
const HEADER_BYTES = 256;

interface Range {
  readonly result: string;
  readonly from: number;
  readonly length: number;
}

/**
 * A tool with which the model reads the rest of results that were too long to be shown (`limits.toolResultModelBytes`,
 * `maxModelBytes`), some bytes at a time. Results that are made while a session has it tell the model how to use it. It reads results
 * of the current frame, by the id that the cut result names or by call id, of which the latest counts.
 *
 * @throws LashError `invalid_argument`.
 */
export function readResultTool(options: ReadResultOptions = {}): Tool<Range> {
  refuseUnknown(options, ["name", "maxBytes"], "readResultTool options");
  const { name = "read_result", maxBytes = 32 * KIB } = options;
  if (typeof name !== "string" || name.trim() === "") throw invalidArgument("readResultTool.name", "a name that is not blank");
  if (!Number.isSafeInteger(maxBytes) || maxBytes < KIB || maxBytes > KIB * KIB) throw invalidArgument("readResultTool.maxBytes", "a whole number from 1024 to 1048576");
  return {
    name,
    description: `Reads part of an earlier tool result of which some bytes were left out. Gives at most ${maxBytes} bytes at a time.`,
    inputSchema: {
      type: "object",
      properties: {
        result: { type: "string", description: "Which result: the id given where bytes were left out, or the id of the call" },
        from: { type: "integer", minimum: 0, description: "First byte to read" },
        length: { type: "integer", minimum: 1, maximum: maxBytes, description: "How many bytes" },
      },
      required: ["result", "from"],
      additionalProperties: false,
    },
    readOnly: true,
    idempotent: true,
    onInterrupted: "retry",
    execution: "parallel",
    retry: null,
    // Its own results are never cut.
    maxModelBytes: maxBytes + HEADER_BYTES,
    readsResults: true,
    validate: (args) => Promise.resolve(readRange(args, maxBytes)),
    run: ({ result, from, length }, { earlierResult }) => {
      const text = earlierResult(result);
      if (text === undefined) throw new ToolError({ class: "invalid_request", code: "tool_result_unknown", message: `this conversation has no tool result "${result}", or no longer` });
      return excerpt(text, from, length);
    },
  };
}

function readRange(args: Json, most: number): { readonly args: Range } | { readonly problem: string } {
  const { result, from, length = most } = isPlainObject(args) ? args : {};
  if (typeof result !== "string") return { problem: "result: expected the id of a result" };
  if (!isCount(from, 0)) return { problem: "from: expected a whole number of bytes from 0 up" };
  if (!isCount(length, 1)) return { problem: "length: expected a whole number of bytes from 1 up" };
  return { args: { result, from, length: Math.min(length, most) } };
}

const isCount = (value: unknown, least: number): value is number => Number.isSafeInteger(value) && Number(value) >= least;

/** Begins and ends between characters; at least one is given, so that reading on always gets further. */
function excerpt(text: string, from: number, length: number): string {
  const total = utf8Length(text);
  const before = utf8Prefix(text, from);
  const start = utf8Length(before);
  const rest = text.slice(before.length);
  const piece = utf8Prefix(rest, length) || String.fromCodePoint(...(rest === "" ? [] : [rest.codePointAt(0) ?? 0]));
  const end = start + utf8Length(piece);
  const next = end < total ? `go on with "from": ${end}` : "this is the end of it";
  return `[bytes ${start} to ${end} of ${total}; ${next}]\n${piece}`;
}
