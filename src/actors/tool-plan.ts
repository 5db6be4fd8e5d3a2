// Before a batch runs: what each call means, or why it cannot run (T-51). Deterministic, so a recovery plans the same.

import { parseHostileJson } from "../domain/bounded-json.ts";
import { LashError } from "../domain/errors.ts";
import type { Json } from "../domain/json.ts";
import type { Message, Part } from "../domain/messages.ts";
import { ToolError } from "../domain/tool-error.ts";
import { failedOutput, type ToolCallOutput } from "../domain/tool-output.ts";
import type { Tool } from "../tools/contract.ts";

interface PlannedBase {
  readonly index: number;
  /** The provider's id. */
  readonly callId: string;
  readonly toolName: string;
  /** Arguments as parsed from what the model wrote. */
  readonly args: Json;
  /** `<batchKey>:child:<i>:<callId>`: stable through attempts and crashes (OP-10). */
  readonly key: string;
}

export type PlannedCall =
  | (PlannedBase & { readonly kind: "refused"; readonly output: ToolCallOutput })
  | (PlannedBase & { readonly kind: "launch"; readonly tool: Tool; readonly input: unknown });

export type LaunchedCall = Extract<PlannedCall, { kind: "launch" }>;

export const attemptKey = (call: PlannedCall, attempt: number): string => `${call.key}:attempt:${attempt}`;

/**
 * Plans the tool calls of one assistant message. Failures are results for the model, not failures of the turn.
 *
 * @param isRecorded - whether the attempt under this replay key has an outcome: then the call goes on from there, even
 *   where this process has no such tool any more, or another one that would refuse the arguments.
 */
export async function planBatch(
  message: Message,
  tools: ReadonlyMap<string, Tool>,
  batchKey: string,
  isRecorded: (replayKey: string) => boolean,
): Promise<readonly PlannedCall[]> {
  const parts = message.parts.filter((part) => part.kind === "ToolCall");
  const seen = new Set<string>();
  const plans = parts.map((part, index) => {
    const callId = part.toolCallId ?? "";
    // Providers reuse ids and leave them out; within one reply they have to differ (OP-10).
    const unique = callId === "" || seen.has(callId) ? `${callId}~${index}` : callId;
    seen.add(callId);
    const key = `${batchKey}:child:${index}:${unique}`;
    return planCall(part, index, callId, key, tools, isRecorded(`${key}:attempt:1`));
  });
  return Promise.all(plans);
}

async function planCall(part: Part, index: number, callId: string, key: string, tools: ReadonlyMap<string, Tool>, recorded: boolean): Promise<PlannedCall> {
  const toolName = part.toolName ?? "";
  const base = { index, callId, toolName, key };
  let args: Json;
  try {
    args = parseArguments(part.content);
  } catch (error) {
    const message = LashError.is(error) ? error.message : "the arguments cannot be read";
    return { ...base, args: {}, kind: "refused", output: failedOutput({ class: "resource_limit", code: "invalid_tool_args", message }) };
  }
  const tool = tools.get(toolName) ?? (recorded ? goneTool(toolName) : undefined);
  if (!tool) {
    const message = `there is no tool named "${toolName}"; available are: ${[...tools.keys()].join(", ") || "none"}`;
    return { ...base, args, kind: "refused", output: failedOutput({ class: "unavailable", code: "tool_unavailable", message }) };
  }
  const validated = await validate(tool, args);
  if ("problem" in validated) {
    if (recorded) return { ...base, args, kind: "launch", tool, input: args };
    return { ...base, args, kind: "refused", output: failedOutput({ class: "invalid_request", code: "invalid_tool_args", message: validated.problem }) };
  }
  return { ...base, args, kind: "launch", tool, input: validated.args };
}

/** Stands for a tool that has answered already and is not registered here: there is nothing left to run. */
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

/** Unparsable text dispatches as `{}`, while the raw text stays in history (T-30). */
function parseArguments(text: string): Json {
  if (text.trim() === "") return {};
  try {
    return parseHostileJson(text, { field: "arguments", limit: "toolArgumentsBytes", prototypeKeys: "drop" });
  } catch (error) {
    if (LashError.is(error) && error.isCode("limit_exceeded")) throw error;
    return {};
  }
}

async function validate(tool: Tool, args: Json): Promise<{ readonly args: unknown } | { readonly problem: string }> {
  try {
    return await tool.validate(args);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
