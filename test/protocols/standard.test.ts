// The standard protocol by itself: what each reply leads to (T-26..T-32).

import { describe, expect, test } from "vitest";
import type { ToolControl, ToolCallOutput } from "../../src/domain/tool-output.ts";
import type { Decision, ProtocolView } from "../../src/machines/protocol.ts";
import { standardProtocol } from "../../src/protocols/standard.ts";
import type { LlmOutputPart, LlmResponse } from "../../src/providers/contract.ts";
import { call, calls, ok, result, says, thinks } from "../support/turn-steps.ts";

const view = (overrides: Partial<ProtocolView> = {}): ProtocolView => ({ iteration: 0, endsWithToolResult: false, ...overrides });
const replyOf = (parts: readonly LlmOutputPart[]): LlmResponse => ({ fullText: "", parts, usage: call, terminalReason: "stop" });
const onReply = (parts: readonly LlmOutputPart[], overrides?: Partial<ProtocolView>): Decision => standardProtocol.onModelReply(view(overrides), replyOf(parts));
const finishing = (text: string) => ({ type: "checkpoint", checkpoint: "before_completion", onEmpty: { type: "finish", outcome: { finished: { assistant_message: { text } } } } });
const failed: ToolCallOutput = { outcome: { status: "failure", payload: { class: "execution", code: "c", message: "m", source: "tool", retry: { type: "never" } } } };

describe("replies without tool calls", () => {
  test("prose finishes through the last checkpoint (T-28)", () => {
    expect(onReply([says("Hello.")])).toEqual({ append: [{ role: "Assistant", parts: [{ kind: "Prose", content: "Hello." }] }], next: finishing("Hello.") });
  });

  test("pieces of text are at least two newlines apart (T-27)", () => {
    expect(onReply([says("a"), says("b\n"), says("\nc"), says("d\n\n\n"), says("e")]).next).toEqual(finishing("a\n\nb\n\nc\n\nd\n\n\ne"));
  });

  test("once there is a final answer, commentary is no prose, though it stays in the message (T-27, PP-8)", () => {
    const decision = onReply([says("hm", "commentary"), says("So.", "final_answer"), says("plain")]);
    expect(decision.next).toEqual(finishing("So.\n\nplain"));
    expect(decision.append?.[0]?.parts).toHaveLength(3);
    expect(onReply([says("hm", "commentary"), says("plain")]).next).toEqual(finishing("hm\n\nplain"));
  });

  test("reasoning alone finishes with empty text and keeps its replay metadata (T-28, T-38)", () => {
    expect(onReply([thinks("hm")])).toEqual({ append: [{ role: "Assistant", parts: [{ kind: "Reasoning", content: "hm", reasoningMeta: { signature: "s" } }] }], next: finishing("") });
  });

  test("nothing at all is empty_response, without a checkpoint (T-29)", () => {
    for (const parts of [[], [says("")]]) {
      expect(onReply(parts)).toEqual({
        issues: [{ kind: "llm_provider", code: "empty_response", message: expect.any(String), retryable: false }],
        next: { type: "finish", outcome: { stopped: "provider_error" } },
      });
    }
  });

  test("nothing at all after a tool result finishes with empty text and appends nothing (T-29)", () => {
    expect(onReply([], { endsWithToolResult: true })).toEqual({ append: [], next: finishing("") });
  });
});

describe("replies with tool calls", () => {
  test("one message: prose first, then reasoning and calls as they came; then one batch (T-30, PP-7)", () => {
    const { append, next } = onReply([thinks("r1"), calls("a"), says("Let me."), thinks("r2"), calls("b"), says("Wait.")]);
    expect(next).toEqual({ type: "runTools" });
    expect(append?.map(({ role, parts }) => [role, parts.map(({ content, toolName }) => toolName ?? content)])).toEqual([["Assistant", ["Let me.", "Wait.", "r1", "a", "r2", "b"]]]);
  });

  test("arguments and replay metadata stay as they were written (T-30, PP-6)", () => {
    const part: LlmOutputPart = { type: "toolCall", toolName: "a", callId: "x", inputJson: '{"broken', replay: { itemId: "i" } };
    expect(onReply([part]).append?.[0]?.parts).toEqual([{ kind: "ToolCall", content: '{"broken', toolCallId: "x", toolName: "a", toolReplay: { itemId: "i" } }]);
  });

  test("blank text beside calls leaves no part (T-30)", () => {
    expect(onReply([says(""), calls("a")]).append?.[0]?.parts).toHaveLength(1);
  });
});

describe("results", () => {
  const onResults = (each: Parameters<typeof standardProtocol.onToolResults>[1], overrides?: Partial<ProtocolView>): Decision => standardProtocol.onToolResults(view(overrides), each);

  test("one user message in call order, then the next iteration through one checkpoint (T-31, T-32)", () => {
    const { append, advanceIteration, next } = onResults([result("a"), result("b", failed)]);
    expect(append?.map(({ role, parts }) => [role, parts.map(({ toolCallId }) => toolCallId)])).toEqual([["User", ["a", "b"]]]);
    expect(advanceIteration).toBe(true);
    expect(next).toEqual({ type: "checkpoint", checkpoint: "after_work", onEmpty: { type: "iterate" } });
  });

  const finish: ToolControl = { type: "finish", value: 1 };
  test.each<[string, ToolControl, unknown]>([
    ["finish", finish, { finished: { tool_value: { tool_name: "a", value: 1 } } }],
    ["fail", { type: "fail", failure: "why" }, { stopped: { tool_error: { tool_name: "a", value: "why" } } }],
    ["a frame switch", { type: "switch_agent_frame", frame_id: "f2", task: "go on" }, { agent_frame_switch: { frame_id: "f2", task: "go on" } }],
  ])("a successful result with %s ends the turn without a checkpoint (T-31, T-66)", (_title, control, outcome) => {
    expect(onResults([result("a", ok("x", control))])).toMatchObject({ next: { type: "finish", outcome } });
  });

  test("control of a failed result, or a switch without frame or task, counts for nothing (T-31, T-66)", () => {
    const blank: readonly ToolControl[] = [{ type: "switch_agent_frame", frame_id: " ", task: "x" }, { type: "switch_agent_frame", frame_id: "f" }, { type: "switch_agent_frame", frame_id: "f", task: " " }];
    for (const output of [{ ...failed, control: finish }, ...blank.map((control) => ok("x", control))]) expect(onResults([result("a", output)]).next.type).toBe("checkpoint");
  });

  test("of several that carry control the first in call order decides (T-31)", () => {
    const { next } = onResults([result("a"), result("b", { ...failed, control: finish }), result("c", ok("x", finish)), result("d", ok("x", { type: "fail", failure: 1 }))]);
    expect(next).toEqual({ type: "finish", outcome: { finished: { tool_value: { tool_name: "c", value: 1 } } } });
  });
});

test("code is none of its business: a result of code ends as runtime_error (E-6)", () => {
  expect(standardProtocol.onCodeResult(view(), 1)).toMatchObject({ issues: [{ code: "code_execution_unavailable" }], next: { outcome: { stopped: "runtime_error" } } });
});
