// What the sessions hold that the released code left at rest.

import type { TurnInput } from "../../src/index.ts";

export interface AtRest {
  readonly session: string;
  readonly what: string;
  readonly said: readonly string[];
  /** Of the read view, as far as it is of interest. */
  readonly view?: object;
}

const GO = ["User: Text go", "Assistant: Prose done"];
const AGAIN = ["User: Text again", "Assistant: Prose done again"];
const called = (result: string): readonly string[] => ["User: Text go", "Assistant: ToolCall {}", `User: ToolResult ${result}`];

export const AT_REST: readonly AtRest[] = [
  { session: "plain", what: "two turns", said: [...GO, ...AGAIN], view: { revision: 2, turnIndex: 2, usage: { inputTokens: 20, outputTokens: 10 }, lastPromptUsage: { inputTokens: 10 } } },
  { session: "fork", what: "the first turn of another session", said: GO, view: { turnIndex: 0, usage: { inputTokens: 0 } } },
  { session: "branched", what: "another second turn", said: [...GO, "User: Text differently", "Assistant: Prose done"], view: { turnIndex: 3 } },
  { session: "pruned", what: "a branch taken back, and a part of it hidden", said: GO },
  { session: "reset", what: "what was said in a fresh context", said: AGAIN },
  { session: "compacted", what: "a summary and what came after it", said: ["Assistant: Text Compaction summary:\ndone", ...AGAIN], view: { turnIndex: 3 } },
  { session: "moved at rest", what: "the frame that a tool moved to", said: ["Assistant: Text What I know.", "User: Text carry on", "Assistant: Prose arrived"], view: { currentFrameId: "work", turnIndex: 2 } },
  { session: "configured", what: "settings of its own", said: GO, view: { policy: { providerId: "scripted", model: { id: "another-model" }, maxTurns: 12 } } },
  { session: "tools", what: "tools taken away", said: GO },
  { session: "image at rest", what: "an image in its input", said: ["User: Text Look: | Image", "Assistant: Prose done"] },
  { session: "photo at rest", what: "an image in a tool's result", said: [...called("one photo | Image"), "Assistant: Prose done"] },
  { session: "parent at rest", what: "what its child said", said: [...called("child says found it"), "Assistant: Prose done"] },
  { session: "child of parent at rest", what: "what its parent asked", said: ["User: Text dig", "Assistant: ToolCall {}", "User: ToolResult beta did it", "Assistant: Prose found it"] },
  { session: "parked", what: "one turn", said: GO },
  {
    session: "failures", what: "three kinds of failed calls",
    said: ["User: Text go", 'Assistant: ToolCall {} | ToolCall {"n":"one"} | ToolCall {}', "User: ToolResult !tool_failed | ToolResult !invalid_tool_args | ToolResult !tool_unavailable", "Assistant: Prose done"],
  },
  { session: "finished", what: "a value that a tool ended it with", said: called('{"answer":42}') },
  { session: "gave up", what: "a failure that a tool ended it with", said: called('{"why":"no way"}') },
  { session: "provider failed", what: "a question that no model answered", said: ["User: Text go"] },
  { session: "capped", what: "a note that the limit was reached", said: [...called("alpha did it"), "System: Error Turn limit reached (1) before a final assistant response."] },
  { session: "refused", what: "nothing of an input that was refused", said: [], view: { revision: 0 } },
  { session: "cancelled", what: "what had been done when it was cancelled", said: ["User: Text go", "Assistant: Prose Wait. | ToolCall {} | ToolCall {}", "User: ToolResult alpha did it | ToolResult !cancelled"] },
  { session: "waited at rest", what: "an answer from outside", said: [...called("yes"), "Assistant: Prose done"] },
  { session: "revoked at rest", what: "a wait that was called off", said: [...called("!cancelled"), "Assistant: Prose done"] },
  { session: "queue", what: "a turn of a queued input", said: ["User: Text heard", "Assistant: Prose done"] },
  { session: "commands", what: "a turn before the commands that wait", said: GO },
  { session: "openai", what: "reasoning that is only shown", said: ["User: Text go", "Assistant: Prose Looking. | Reasoning Let me think. | ToolCall {}", "User: ToolResult beta did it", "Assistant: Prose It is so. | Reasoning That is it."] },
  { session: "anthropic", what: "reasoning with its signatures", said: ["User: Text go", "Assistant: Prose Looking. | Reasoning Let me think. | ToolCall {}", "User: ToolResult beta did it", "Assistant: Prose It is so. | Reasoning That is it."] },
];

export interface Outcome {
  readonly session: string;
  readonly what: string;
  readonly input?: TurnInput;
  readonly result: object;
}

export const OUTCOMES: readonly Outcome[] = [
  { session: "failures", what: "finished", result: { text: "done", isSuccess: true, outcome: { kind: "finished" }, toolCalls: [{ toolName: "fail", status: "failure" }, { toolName: "add", status: "failure" }, { toolName: "nobody", status: "failure" }], usage: { inputTokens: 20 } } },
  { session: "finished", what: "a tool's value", result: { isSuccess: true, outcome: { kind: "finished", finish: "tool_value", value: { answer: 42 } } } },
  { session: "gave up", what: "a tool's failure", result: { isSuccess: false, outcome: { kind: "stopped", stop: "tool_error" } } },
  { session: "provider failed", what: "a failed model call", result: { isSuccess: false, outcome: { kind: "stopped", stop: "provider_error" }, errors: [{ kind: "llm_provider", providerFailureKind: "auth" }] } },
  { session: "capped", what: "a turn limit", result: { isSuccess: false, outcome: { kind: "stopped", stop: "max_turns" } } },
  { session: "refused", what: "refused", input: { items: [{ type: "image_ref", id: "nobody" }] }, result: { isSuccess: false, outcome: { kind: "stopped", stop: "invalid_input" }, errors: [{ code: "invalid_turn_input" }] } },
  { session: "cancelled", what: "cancelled", result: { text: "Wait.", isSuccess: false, outcome: { kind: "stopped", stop: "cancelled" }, cancellation: { origin: "turn", reason: "not needed any more" } } },
  { session: "parent at rest", what: "finished with the help of a child", result: { text: "done", childrenUsage: [{ source: "helper", usage: { inputTokens: 20 } }] } },
  { session: "queue", what: "a queued turn", input: { items: [{ type: "text", text: "heard" }] }, result: { text: "done", isSuccess: true } },
];
