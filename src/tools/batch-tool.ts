// The `batch` tool: a model that cannot make several calls in one reply makes them in one call (T-35, PP-42).

import { MOST_BATCH_ENTRIES, type BatchEntry } from "../domain/batch-entry.ts";
import type { Json } from "../domain/json.ts";
import type { Tool } from "./contract.ts";

/**
 * A tool named `batch` that runs up to 25 calls of the session's other tools and gives their results in order: `parallel`
 * ones together, then `serial` ones one by one. Every call is journaled on its own, so after a crash only those without an
 * outcome are settled, each by its own tool's `onInterrupted`. An entry that cannot run (an unknown tool, wrong
 * arguments, `batch` itself, past the 25th) fails alone.
 */
export function batchTool(): Tool {
  return {
    name: "batch",
    description: `Runs up to ${MOST_BATCH_ENTRIES} tool calls that do not need each other's results, and gives all results in order.`,
    inputSchema: {
      type: "object",
      properties: {
        tool_calls: {
          type: "array",
          minItems: 1,
          maxItems: MOST_BATCH_ENTRIES,
          items: {
            type: "object",
            properties: {
              tool: { type: "string", description: "Name of the tool" },
              parameters: { type: "object", description: "Its arguments", additionalProperties: true },
            },
            required: ["tool", "parameters"],
            additionalProperties: false,
          },
        },
      },
      required: ["tool_calls"],
      additionalProperties: false,
    },
    readOnly: false,
    idempotent: false,
    onInterrupted: "retry",
    execution: "parallel",
    retry: null,
    dispatches: true,
    validate: (args) => Promise.resolve(readEntries(args)),
    run: () => Promise.reject(new Error("a batch is run call by call")),
  };
}

function readEntries(args: Json): { readonly args: readonly BatchEntry[] } | { readonly problem: string } {
  const calls = fieldsOf(args)["tool_calls"];
  if (!Array.isArray(calls) || calls.length === 0) return { problem: "tool_calls: expected a list of at least one { tool, parameters }" };
  return {
    args: calls.map((entry: Json) => {
      const { tool, parameters } = fieldsOf(entry);
      return { tool: typeof tool === "string" ? tool : "", parameters: parameters === undefined ? {} : parameters };
    }),
  };
}

const fieldsOf = (value: Json): Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, Json>>) : {};
