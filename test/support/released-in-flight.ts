// What has to become of every turn that the released code left in flight, where a build of today takes it up.

import { LARGE } from "../fixtures/0.1.0-0d25721/app.ts";

export interface Ending {
  readonly session: string;
  /** Where its process died. */
  readonly left: string;
  /** Everything that happens in this session until its turn has ended: nothing that was recorded happens again. */
  readonly steps: readonly string[];
  readonly said: readonly string[];
  /** Default: finished with the assistant's message. */
  readonly outcome?: object;
  /** Codes. */
  readonly errors?: readonly string[];
  /** Input tokens of its model calls, 10 each, those that were made before included. */
  readonly tokens: number;
  readonly turnId?: string;
}

const FINISHED = ["User: Text go", "Assistant: Prose done"];
const oneCall = (result: string): readonly string[] => ["User: Text go", "Assistant: ToolCall {}", `User: ToolResult ${result}`, "Assistant: Prose done"];
const calls = (...results: readonly string[]): readonly string[] => [
  "User: Text go",
  `Assistant: ${results.map(() => "ToolCall {}").join(" | ")}`,
  `User: ${results.map((result) => `ToolResult ${result}`).join(" | ")}`,
  "Assistant: Prose done",
];
const CANCELLED = { kind: "stopped", stop: "cancelled" };

export const ENDINGS: readonly Ending[] = [
  { session: "calling", left: "in the first model call", steps: ["model"], said: FINISHED, tokens: 10 },
  { session: "worn", left: "in the first model call, and again after each of two takeovers", steps: ["model"], said: FINISHED, tokens: 10 },
  {
    session: "exhausted", left: "in the first model call, and again after five takeovers", steps: [], said: ["User: Text go"], tokens: 0,
    outcome: { kind: "stopped", stop: "runtime_error" }, errors: ["turn_recovery_exhausted"],
  },
  { session: "image", left: "in the first model call, with an image in the input", steps: ["model"], said: ["User: Text Look: | Image", "Assistant: Prose done"], tokens: 10 },
  { session: "overlaid", left: "in the first model call, with settings for this turn alone", steps: ["model"], said: FINISHED, tokens: 10 },
  {
    session: "answering", left: "in the first model call of its second turn", steps: ["model", "alpha begins", "alpha ends", "model"], tokens: 20,
    said: ["User: Text before", "Assistant: Prose before this", "User: Text again", "Assistant: Prose Let me see. | ToolCall {}", "User: ToolResult alpha did it", "Assistant: Prose done again"],
  },
  { session: "photo", left: "in the model call that is shown a tool's image", steps: ["model"], said: ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult one photo | Image", "Assistant: Prose done"], tokens: 20 },
  {
    session: "large", left: "in the third model call, behind tool results that have rows of their own", steps: ["model"], tokens: 30,
    said: ["User: Text go", "Assistant: ToolCall {}", `User: ToolResult ${LARGE}`, "Assistant: ToolCall {}", `User: ToolResult ${LARGE}`, "Assistant: Prose done"],
  },
  { session: "issued", left: "with a tool batch issued and no tool begun", steps: ["beta begins again", "beta ends again", "model"], said: calls("!tool_interrupted", "beta did it"), tokens: 20 },
  {
    session: "running", left: "among parallel tools, one done, two running, a serial one not begun", tokens: 20,
    steps: ["beta begins again", "beta ends again", "delta begins", "delta ends", "model"], said: calls("alpha did it", "beta did it", "!tool_interrupted", "delta did it"),
  },
  {
    session: "serial", left: "among serial tools, one done, one running, one not begun", tokens: 20,
    steps: ["delta begins", "delta ends", "model"], said: calls("delta did it", "!tool_interrupted", "delta did it"),
  },
  {
    session: "batch", left: "in the calls of a batch tool, one done, two running", steps: ["beta begins again", "beta ends again", "model"], tokens: 20,
    said: [
      "User: Text go",
      'Assistant: ToolCall {"tool_calls":[{"tool":"alpha","parameters":{}},{"tool":"beta","parameters":{}},{"tool":"gamma","parameters":{}}]}',
      'User: ToolResult {"results":[{"index":0,"tool":"alpha","success":true,"result":"alpha did it"},{"index":1,"tool":"beta","success":true,"result":"beta did it"},{"index":2,"tool":"gamma","success":false,"error":"!tool_interrupted"}]}',
      "Assistant: Prose done",
    ],
  },
  { session: "retrying", left: "before the second attempt of a tool", steps: ["shaky begins attempt 2", "model"], said: oneCall("at last"), tokens: 20 },
  { session: "answered", left: "waiting for an answer, which came when it was dead", steps: ["model"], said: oneCall("yes"), tokens: 20 },
  {
    session: "late", left: "waiting for an answer that never came in time", steps: [], said: ["User: Text go", "Assistant: ToolCall {}", "User: ToolResult !tool_completion_timeout"], tokens: 10,
    outcome: { kind: "stopped", stop: "tool_failure" }, errors: ["tool_completion_timeout"],
  },
  { session: "asking", left: "in a tool whose question to the model was answered", steps: ["ask begins again", "ask was answered again", "model"], said: oneCall("because it is so"), tokens: 20 },
  { session: "told parent", left: "in a tool whose child had ended its turn", steps: ["delegate begins again", "delegate was told again", "model"], said: oneCall("child says found it"), tokens: 20 },
  { session: "parent", left: "in a tool whose child was in the middle of its turn", steps: ["delegate begins again", "delegate was told again", "model"], said: oneCall("child says found it"), tokens: 20 },
  { session: "moved", left: "in the turn that goes on in another frame", steps: ["model"], said: ["Assistant: Text What I know.", "User: Text carry on", "Assistant: Prose arrived"], tokens: 10, turnId: "t:agent-frame:1" },
  {
    session: "cancel asked", left: "in a tool, and asked to end when it was dead", steps: [], tokens: 10, outcome: CANCELLED, errors: ["cancelled"],
    said: ["User: Text go", "Assistant: ToolCall {} | ToolCall {}", "User: ToolResult alpha did it | ToolResult !tool_interrupted"],
  },
  {
    session: "cancelling", left: "in a tool, right after it was asked to end", steps: [], tokens: 10, outcome: CANCELLED, errors: ["cancelled"],
    said: ["User: Text go", "Assistant: ToolCall {} | ToolCall {}", "User: ToolResult alpha did it | ToolResult !tool_interrupted"],
  },
  { session: "configuring", left: "in a tool, with the session's settings changed meanwhile", steps: ["beta begins again", "beta ends again", "model"], said: calls("alpha did it", "beta did it"), tokens: 20 },
  {
    session: "changing tools", left: "in a tool, with another tool taken away meanwhile", steps: ["beta begins again", "beta ends again", "model", "model"], tokens: 30,
    said: ["User: Text go", "Assistant: ToolCall {} | ToolCall {}", "User: ToolResult alpha did it | ToolResult beta did it", "Assistant: ToolCall {}", "User: ToolResult !tool_unavailable", "Assistant: Prose done"],
  },
  { session: "claiming", left: "at a checkpoint, with an input that it had taken there", steps: ["model"], tokens: 20, said: [...oneCall("alpha did it").slice(0, 3), "User: Text and this", "Assistant: Prose done"] },
  { session: "claiming work", left: "at a checkpoint, with queued work that it had taken there", steps: ["model"], tokens: 20, said: [...oneCall("alpha did it").slice(0, 3), "User: Text and this work", "Assistant: Prose done"] },
  { session: "heard", left: "in the model call behind an input that it had taken", steps: ["model"], tokens: 20, said: [...oneCall("alpha did it").slice(0, 3), "User: Text and this", "Assistant: Prose done"] },
  { session: "yielding", left: "at the checkpoint before completion, with an input that it had taken there", steps: ["model"], tokens: 20, said: [...FINISHED, "User: Text one more thing", "Assistant: Prose done"] },
  { session: "injected", left: "in a tool, with an input waiting for the next checkpoint", steps: ["beta begins again", "beta ends again", "model"], tokens: 20, said: [...oneCall("beta did it").slice(0, 3), "User: Text and this", "Assistant: Prose done"] },
  { session: "queued", left: "in the first model call, with inputs, work and a command queued behind it", steps: ["model"], said: FINISHED, tokens: 10 },
  { session: "drained", left: "in the first model call of a turn of two queued inputs", steps: ["model"], said: ["User: Text one\n\nLook: | Image", "Assistant: Prose done"], tokens: 10 },
  { session: "worked", left: "in the first model call of a turn of two queued batches", steps: ["model"], said: ["User: Text job 1\n\njob 2", "Assistant: Prose done"], tokens: 10 },
];

/** Of the app with its plugin. */
export const PLUGGED_ENDINGS: readonly Ending[] = [
  {
    session: "plugged before", left: "accepted and not begun, in a hook before the turn", steps: ["beforeTurn", "model", "atCheckpoint before_completion"], tokens: 10,
    said: ["User: Text go", "User: Text turn 1", "Assistant: Prose done", "User: Text end 1"],
  },
  {
    session: "plugged", left: "in its second turn, with what a hook said and counted recorded beside a tool's result", tokens: 20,
    steps: ["beta begins again", "beta ends again", "afterToolCall beta", "atCheckpoint after_work", "model", "atCheckpoint before_completion"],
    said: [
      "User: Text before", "User: Text turn 1", "Assistant: Prose before this", "User: Text end 1",
      "User: Text again", "User: Text turn 2", "Assistant: ToolCall {} | ToolCall {}", "User: ToolResult alpha did it | ToolResult beta did it", "User: Text tool 1", "User: Text tool 2",
      "Assistant: Prose done again", "User: Text end 2",
    ],
  },
  {
    session: "plugged checkpoint", left: "at a checkpoint, before its hook", steps: ["atCheckpoint after_work", "model", "atCheckpoint before_completion"], tokens: 20,
    said: ["User: Text go", "User: Text turn 1", "Assistant: ToolCall {}", "User: ToolResult alpha did it", "User: Text tool 1", "Assistant: Prose done", "User: Text end 1"],
  },
];
