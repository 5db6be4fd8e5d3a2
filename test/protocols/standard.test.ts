// The standard protocol by itself: what each reply leads to (T-26..T-32).

import { describe, expect, test } from "vitest";
import type { ToolControl, ToolCallOutput } from "../../src/domain/tool-output.ts";
import type { Decision, ProtocolView } from "../../src/machines/protocol.ts";
import { standardProtocol } from "../../src/protocols/standard.ts";
import type { LlmOutputPart, LlmResponse } from "../../src/providers/contract.ts";
import { call, calls, ok, result, says, thinks } from "../support/turn-steps.ts";

const view = (overrides: Partial<ProtocolView> = {}): ProtocolView => ({ iteration: 0, endsWithToolResult: false, ...overrides });
const origin = { provider: "p", model: "m" };
const replyOf = (parts: readonly LlmOutputPart[]): LlmResponse => ({ fullText: "", parts, usage: call, terminalReason: "stop", origin });
const onReply = (parts: readonly LlmOutputPart[], overrides?: Partial<ProtocolView>): Decision => standardProtocol.onModelReply(view(overrides), replyOf(parts));
/** A call that the provider runs itself. */
const ranItself: LlmOutputPart = { type: "toolCall", callId: "own", toolName: "search", inputJson: "{}", providerExecuted: true };
const finishing = (text: string) => ({ type: "checkpoint", checkpoint: "before_completion", onEmpty: { type: "finish", outcome: { finished: { assistant_message: { text } } } } });
const failed: ToolCallOutput = { outcome: { status: "failure", payload: { class: "execution", code: "c", message: "m", source: "tool", retry: { type: "never" } } } };

describe("replies without tool calls", () => {
  test("prose finishes through the last checkpoint (T-28)", () => {
    expect(onReply([says("Hello.")])).toEqual({ append: [{ role: "Assistant", parts: [{ kind: "Prose", content: "Hello." }], answer: origin }], next: finishing("Hello.") });
  });

  test("texts are joined as they are; at least two newlines stand where something else was between (T-27)", () => {
    expect(onReply([says("a"), says(" b"), says("\nc")]).next).toEqual(finishing("a b\nc"));
    expect(onReply([says("a"), thinks("1"), says("b\n"), thinks("2"), says("\nc"), thinks("3"), says("d\n\n\n"), ranItself, says("e")]).next).toEqual(finishing("a\n\nb\n\nc\n\nd\n\n\ne"));
  });

  test("sources, opaque parts and empty text stand between no texts, and reasoning before the first one adds nothing (T-27)", () => {
    const source: LlmOutputPart = { type: "source", source: { sourceType: "url", id: "s", url: "https://example.org" } };
    const opaque: LlmOutputPart = { type: "opaque", content: { provider: "v", type: "v.x", json: {} } };
    expect(onReply([thinks("hm"), says("a"), source, says(" b"), opaque, says(""), says(" c")]).next).toEqual(finishing("a b c"));
  });

  test("what the answer says of itself stands with its message (ME-1)", () => {
    const said = { servedModel: "m-1", responseId: "r", finish: { unified: "stop", raw: "end_turn" }, metadata: { v: { a: 1 } }, warnings: [{ type: "other", message: "w" }] };
    expect(standardProtocol.onModelReply(view(), { ...replyOf([says("x")]), ...said }).append?.[0]?.answer).toEqual({ ...origin, ...said });
  });

  test.each<[string, readonly LlmOutputPart[], readonly string[]]>([
    ["a file", [{ type: "file", mime: "image/png", url: "https://example.org/a.png" }], ["File"]],
    ["a call that the provider ran, and its result", [ranItself, { type: "toolResult", callId: "own", toolName: "search", result: "x" }], ["ToolCall", "ToolResult"]],
    ["an opaque part", [{ type: "opaque", content: { provider: "v", type: "v.x", json: {} } }], ["Opaque"]],
  ])("%s is an answer, though without text, and nothing of it is run (ME-1, T-29)", (_title, parts, kinds) => {
    const { append, next } = onReply(parts);
    expect([append?.[0]?.parts.map(({ kind }) => kind), next]).toEqual([kinds, finishing("")]);
  });

  test("a question of the provider alone, or empty text with metadata, says nothing (T-29)", () => {
    for (const part of [{ type: "approvalRequest", approvalId: "a", callId: "c" }, { type: "text", text: "", responseMeta: { providerPayload: "{}" } }] as const) {
      expect(onReply([part]).next).toEqual({ type: "finish", outcome: { stopped: "provider_error" } });
    }
  });

  test("once there is a final answer, commentary is no prose, though it stays in the message (T-27, PP-8)", () => {
    const decision = onReply([says("hm", "commentary"), says("So.", "final_answer"), says("plain")]);
    expect(decision.next).toEqual(finishing("So.plain"));
    expect(decision.append?.[0]?.parts).toHaveLength(3);
    expect(onReply([says("hm", "commentary"), says("plain")]).next).toEqual(finishing("hmplain"));
  });

  test("reasoning alone finishes with empty text and keeps its replay metadata (T-28, T-38)", () => {
    expect(onReply([thinks("hm")])).toEqual({ append: [{ role: "Assistant", parts: [{ kind: "Reasoning", content: "hm", reasoningMeta: { signature: "s" } }], answer: origin }], next: finishing("") });
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
  test("one message with all parts as they came; then one batch (T-30, PP-7)", () => {
    const { append, next } = onReply([thinks("r1"), calls("a"), says("Let me."), thinks("r2"), calls("b"), says("Wait.")]);
    expect(next).toEqual({ type: "runTools" });
    expect(append?.map(({ role, parts }) => [role, parts.map(({ content, toolName }) => toolName ?? content)])).toEqual([["Assistant", ["r1", "a", "Let me.", "r2", "b", "Wait."]]]);
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

  test("all results stand together in call order, and behind them what they brought, in call order (T-31, ME-5)", () => {
    const image = (id: string) => ({ kind: "Image" as const, content: "", attachment: { reference: { id, mime: "image/png", byteLength: 1 } } });
    const bringing = (callId: string) => ({ ...result(callId), modelReturn: [...result(callId).modelReturn, image(callId)] });
    const { append } = onResults([bringing("a"), result("b"), bringing("c")]);
    expect(append?.[0]?.parts.map(({ kind, toolCallId, attachment }) => [kind, toolCallId ?? attachment?.reference.id])).toEqual([
      ["ToolResult", "a"], ["ToolResult", "b"], ["ToolResult", "c"], ["Image", "a"], ["Image", "c"],
    ]);
  });

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
