// The calls that a turn leaves open when it is ended without being driven: by whoever lacks its tools, or because driving it has failed
// too often (ME-22, OP-6). Read from its record alone; nothing is run and nobody is asked.
//
//   OC1. An outcome that was recorded is the call's. One that had begun without any may have taken effect, and is told so: what its
//        tool's own policy would have been is not known here. One that had not begun is cancelled.
//   OC2. Every call has a result, in call order, as no model takes a history with a call that has none (T-77).

import { isPlainObject, type Json } from "../domain/json.ts";
import type { Limits } from "../domain/limits.ts";
import type { Message } from "../domain/messages.ts";
import { failedOutput, type ToolCallOutput } from "../domain/tool-output.ts";
import { type Resolution, waitName, type WaitName } from "../domain/waits.ts";
import type { ToolResult } from "../machines/effects.ts";
import type { JournaledOutcome, TurnRecord } from "../stores/contract.ts";
import { outputOf } from "./turn/tools/completion.ts";
import { type FinishedCall, groupResult } from "./turn/tools/group.ts";
import { interruptedOutput } from "./turn/tools/outcome.ts";
import { toolResultOf } from "./turn/tools/result.ts";

/** What is durable about one turn, as far as its calls go. */
export interface OpenCallsOptions {
  readonly turn: Pick<TurnRecord, "sessionId" | "turnId" | "journal" | "issued">;
  /** Of the effect that the calls belong to. */
  readonly batchKey: string;
  /** The answer to a call that waited for one, if it has come. */
  readonly answerTo: (wait: WaitName) => Promise<Resolution | undefined>;
  readonly limits: Limits;
}

interface OpenCall {
  readonly callId: string;
  readonly toolName: string;
  readonly args: Json;
  /** As the batch that ran it named it. */
  readonly key: string;
}

const NOT_BEGUN: ToolCallOutput = { outcome: { status: "cancelled", payload: { message: "tool call cancelled: its turn was ended before it began" } } };

const UNANSWERED: ToolCallOutput = failedOutput({
  class: "execution",
  code: "tool_interrupted",
  message: "This call was waiting for an answer from outside when its turn was ended. What it asked for may still happen; check before doing it again.",
});

/** Results of the calls of this message, in their order. */
export async function resultsOfOpen({ parts }: Message, options: OpenCallsOptions): Promise<readonly ToolResult[]> {
  const report = new OpenCalls(options);
  const seen = new Set<string>();
  const results: ToolResult[] = [];
  for (const [index, part] of parts.filter(({ kind }) => kind === "ToolCall").entries()) {
    const callId = part.toolCallId ?? "";
    const unique = callId === "" || seen.has(callId) ? `${callId}~${index}` : callId;
    seen.add(callId);
    results.push(await report.resultOf({ callId, toolName: part.toolName ?? "", args: jsonOf(part.content), key: `${options.batchKey}:child:${index}:${unique}` }));
  }
  return results;
}

class OpenCalls {
  readonly #options: OpenCallsOptions;
  readonly #recorded: ReadonlyMap<string, JournaledOutcome>;
  /** Replay keys of all that was begun. */
  readonly #begun: readonly string[];

  constructor(options: OpenCallsOptions) {
    const { journal, issued } = options.turn;
    this.#options = options;
    this.#recorded = new Map(journal.map(({ replayKey, outcome }) => [replayKey, outcome]));
    this.#begun = [...this.#recorded.keys(), ...issued];
  }

  async resultOf(call: OpenCall): Promise<ToolResult> {
    const isGroup = this.#begun.some((key) => key.startsWith(`${call.key}:child:`));
    // Without its tools nobody here knows a bound of theirs.
    return toolResultOf(call, isGroup ? await this.#groupOf(call) : await this.#leafOf(call), { most: this.#options.limits.toolResultModelBytes });
  }

  /** A `batch` call of which some have begun. */
  async #groupOf({ callId, args, key }: OpenCall): Promise<FinishedCall> {
    const entries = isPlainObject(args) && Array.isArray(args["tool_calls"]) ? (args["tool_calls"] as readonly Json[]) : [];
    const results: ToolResult[] = [];
    for (const [index, entry] of entries.entries()) {
      const { tool, parameters } = isPlainObject(entry) ? entry : {};
      const suffix = String(index).padStart(2, "0");
      results.push(await this.resultOf({ callId: `${callId}:${suffix}`, toolName: typeof tool === "string" ? tool : "", args: parameters ?? {}, key: `${key}:child:${suffix}` }));
    }
    return groupResult(results, this.#options.limits);
  }

  async #leafOf({ key }: OpenCall): Promise<FinishedCall> {
    const attempts = this.#begun.filter((begun) => begun.startsWith(`${key}:attempt:`)).map((begun) => Number(begun.slice(`${key}:attempt:`.length)));
    if (attempts.length === 0) return { output: NOT_BEGUN, durationMs: 0 };
    const recorded = this.#recorded.get(`${key}:attempt:${Math.max(...attempts)}`);
    if (!recorded) return { output: interruptedOutput, durationMs: 0 };
    if ("error" in recorded) return { output: failedOutput({ class: "internal", ...recorded.error }), durationMs: 0 };
    const { output, durationMs, shown } = recorded.ok as unknown as { readonly output?: ToolCallOutput; readonly durationMs: number; readonly shown?: string };
    if (output) return { output, durationMs, ...(shown !== undefined && { shown }) };
    return { output: await this.#answerOf(key), durationMs };
  }

  async #answerOf(key: string): Promise<ToolCallOutput> {
    const after = this.#recorded.get(`${key}:after`);
    if (after && "ok" in after) return (after.ok as unknown as { readonly output: ToolCallOutput }).output;
    const awaited = this.#recorded.get(`${key}:await`);
    if (awaited && "ok" in awaited) return outputOf(awaited.ok as unknown as Resolution);
    const { turn, answerTo } = this.#options;
    const answer = await answerTo(waitName({ type: "turn", session_id: turn.sessionId, turn_id: turn.turnId }, { type: "tool_completion", tool_call_id: key }));
    return answer ? outputOf(answer) : UNANSWERED;
  }
}

/** Arguments as the model wrote them; `{}` where they are no JSON. */
function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}
