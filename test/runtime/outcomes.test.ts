// How turns end that do not simply finish: always as a committed result, never as a throw (T-58..T-61, errors.md section 2).

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { tool, ToolError, type Provider, type TurnResult } from "../../src/index.ts";
import { byAssistantMessages, type ProviderScript } from "../../src/testing/index.ts";
import { ProviderError, providerFailure } from "../../src/providers/failure.ts";
import { testLash, transcriptOf, type TestLashOptions } from "../support/lash.ts";

async function turn(options: TestLashOptions, sessionOptions: { readonly provider?: Provider; readonly maxTurns?: number } = {}) {
  const { lash, clock, provider } = testLash(options);
  const session = await lash.openSession("s", sessionOptions);
  const result = await clock.runUntil(session.run("go"));
  return { result, transcript: transcriptOf(session), calls: provider.requests.length, session };
}

const stopOf = ({ outcome, isSuccess, errors }: TurnResult) => ({ outcome, isSuccess, errors });
const look = tool({ name: "look", description: "", input: z.object({}), readOnly: true, run: () => "seen" });

describe("provider failures", () => {
  const failing = (failure: Partial<Parameters<typeof providerFailure>[2] & object> & { kind: "auth" | "http" | "quota" | "timeout" | "unsupported" | "transport"; message: string }): ProviderScript => () => ({ text: "half a ", failure });

  test.each([
    ["auth", 401, false], ["http", 404, false], ["http", 503, true], ["quota", 429, true], ["timeout", 408, true],
  ] as const)("a call that fails as %s with status %i is an outcome whose issue says retryable %s and the kind (T-60, ER-12)", async (kind, status, retryable) => {
    const { result, transcript } = await turn({ script: failing({ kind, message: "no", status, retryable, code: "the_code" }) });
    expect(stopOf(result)).toEqual({
      isSuccess: false,
      outcome: { kind: "stopped", stop: "provider_error" },
      errors: [{ kind: "llm_provider", code: "the_code", message: "LLM error: no", retryable, providerFailureKind: kind }],
    });
    // What the last attempt had said is kept as cut off; what earlier ones said was taken back (ME-11, T-50, TT-1).
    expect(transcript).toEqual(["User: Text go", "Assistant: Prose half a "]);
    expect(result.text).toBe("half a");
  });

  test("a retryable failure is tried four times by default, another is not tried again (T-47, T-48)", async () => {
    expect((await turn({ script: failing({ kind: "transport", message: "cut", retryable: true }) })).calls).toBe(4);
    expect((await turn({ script: failing({ kind: "auth", message: "no", retryable: false }) })).calls).toBe(1);
  });

  test("a retry that succeeds leaves no issue, and usage counts the answer (T-47)", async () => {
    const { result, calls } = await turn({ script: (_request, index) => (index < 2 ? { failure: { message: "cut" } } : "fine") });
    expect(calls).toBe(3);
    expect(result).toMatchObject({ text: "fine", isSuccess: true, errors: [], usage: { inputTokens: 10, outputTokens: 5 } });
  });

  test("a provider that throws something else is kind unknown, which the issue leaves out (T-60)", async () => {
    const provider: Provider = { id: "scripted", modelId: "m", complete: () => Promise.reject(new TypeError("bug in the adapter")) };
    const { result } = await turn({}, { provider });
    expect(result.errors).toEqual([{ kind: "llm_provider", code: "unknown", message: "LLM error: bug in the adapter", retryable: false }]);
  });

  test("a provider that throws synchronously, or something unreadable, is an outcome all the same (T-60)", async () => {
    for (const thrown of [new ProviderError(providerFailure("auth", "no key")), undefined, Object.create(null)]) {
      const provider: Provider = { id: "scripted", modelId: "m", complete: () => { throw thrown; } };
      expect((await turn({}, { provider })).result.outcome).toEqual({ kind: "stopped", stop: "provider_error" });
    }
  });

  test("a provider that answers with rubbish is an outcome, not a turn that never ends (T-60, design 10)", async () => {
    for (const rubbish of [undefined, null, 7, {}, { parts: "x" }, { fullText: "", parts: [{ type: "text" }], usage: null, terminalReason: "stop" }]) {
      const provider: Provider = { id: "scripted", modelId: "m", complete: () => Promise.resolve(rubbish as never) };
      expect((await turn({}, { provider })).result.outcome).toEqual({ kind: "stopped", stop: "provider_error" });
    }
  });

  test("raw provider text over 4,000 characters keeps its head and tail (T-25)", async () => {
    const raw = `${"a".repeat(3_000)}${"b".repeat(3_000)}: no such key`;
    const { result } = await turn({ script: failing({ kind: "auth", message: "no", raw }) });
    const kept = result.errors[0]?.raw ?? "";
    expect(kept.length).toBeLessThan(4_200);
    expect(kept.startsWith("aaa") && kept.endsWith("bbb: no such key")).toBe(true);
  });
});

describe("terminal reasons", () => {
  test.each([
    ["output_limit", "incomplete"], ["content_filter", "provider_error"], ["context_overflow", "provider_error"], ["provider_error", "provider_error"], ["cancelled", "cancelled"],
  ] as const)("an answer that ends in %s stops the turn as %s, not retryable, its usage counted (ER-10, T-60, PP-34)", async (terminalReason, stop) => {
    const { result, transcript } = await turn({ script: [{ text: "cut off", terminalReason }] });
    expect(stopOf(result)).toMatchObject({ isSuccess: false, outcome: { kind: "stopped", stop }, errors: [{ kind: "llm_provider", code: terminalReason, terminalReason, retryable: false }] });
    expect(result.usage.outputTokens).toBe(5);
    expect(result.text).toBe("cut off");
    expect(transcript).toEqual(["User: Text go", "Assistant: Prose cut off"]);
  });

  test("an answer cut off before its first token in a full window was too long a prompt (T-24)", async () => {
    const script: ProviderScript = [{ terminalReason: "output_limit", usage: { inputTokens: 900, cacheReadInputTokens: 50 } }];
    const { result } = await turn({ script, model: { id: "m", contextWindowTokens: 1_000 } });
    expect(result).toMatchObject({ outcome: { stop: "provider_error" }, errors: [{ code: "context_overflow" }] });
  });

  test("an empty answer is asked for once more, as an attempt; empty again it is provider_error with code empty_response (T-29, ME-13)", async () => {
    const { result, calls } = await turn({ script: () => ({ usage: { outputTokens: 0 } }) });
    expect(calls).toBe(2);
    expect(stopOf(result)).toMatchObject({ outcome: { kind: "stopped", stop: "provider_error" }, errors: [{ code: "empty_response", retryable: false }] });
    expect(await turn({ script: (_request, index) => (index === 0 ? { usage: { outputTokens: 0 } } : "there") })).toMatchObject({ calls: 2, result: { text: "there", errors: [] } });
  });

  test("nothing at all after a tool result is not taken for an end, unless the model reports that it thought (T-29, ME-13)", async () => {
    const silent = byAssistantMessages([{ toolCalls: [{ name: "look" }] }, { usage: { inputTokens: 0, outputTokens: 0 } }]);
    expect(await turn({ tools: [look], script: silent })).toMatchObject({ calls: 3, result: { errors: [{ code: "empty_response" }], isSuccess: false } });
  });

  test("an empty answer after a tool result finishes with empty text (T-29)", async () => {
    const { result, transcript } = await turn({ tools: [look], script: byAssistantMessages([{ toolCalls: [{ name: "look" }] }, ""]) });
    expect(result).toMatchObject({ text: "", isSuccess: true, errors: [] });
    expect(transcript).toHaveLength(3);
  });

  test("a stopped turn shows the last thing the assistant said in it, with an issue that says so (T-59)", async () => {
    const script = byAssistantMessages([{ text: "Let me look.  ", toolCalls: [{ name: "look" }] }, { failure: { kind: "auth", message: "no", retryable: false } }]);
    const { result } = await turn({ tools: [look], script });
    expect(result).toMatchObject({ text: "Let me look.", outcome: { stop: "provider_error" }, errors: [{ kind: "llm_provider" }, { code: "assistant_output_recovered_from_state" }] });
    expect(result.toolCalls).toHaveLength(1);
  });
});

describe("limits and controls", () => {
  const loop: ProviderScript = () => ({ toolCalls: [{ name: "look" }] });

  test("maxTurns ends the turn after that many model calls, with a note in the history (T-32, TT-6)", async () => {
    const { result, calls, transcript } = await turn({ tools: [look], script: loop, maxTurns: 2 });
    expect(calls).toBe(2);
    expect(result).toMatchObject({ outcome: { kind: "stopped", stop: "max_turns" }, errors: [{ code: "max_turns", message: expect.stringContaining("maxTurns") }] });
    expect(transcript.at(-1)).toBe("System: Error Turn limit reached (2) before a final assistant response.");
  });

  test("a session's maxTurns wins over the lash's, and a stored session keeps its own when the host names none (design 7.5, T-16)", async () => {
    const engine = testLash().engine;
    const first = await turn({ engine, tools: [look], script: loop, maxTurns: 5 }, { maxTurns: 1 });
    expect(first.calls).toBe(1);
    const reopened = await turn({ engine, tools: [look], script: (_request, index) => (index < 3 ? { toolCalls: [{ name: "look" }] } : "done") });
    expect(reopened.calls).toBe(1);
    expect(reopened.result.outcome).toMatchObject({ stop: "max_turns" });
  });

  test("a turn that answers within maxTurns is not stopped (T-32)", async () => {
    const { result } = await turn({ tools: [look], script: byAssistantMessages([{ toolCalls: [{ name: "look" }] }, "done"]), maxTurns: 2 });
    expect(result.isSuccess).toBe(true);
  });

  test("a failed tool does not stop a turn (T-54, ER-8)", async () => {
    const broken = tool({ name: "look", description: "", input: z.object({}), run: () => { throw new ToolError({ message: "no" }); } });
    const { result } = await turn({ tools: [broken], script: byAssistantMessages([{ toolCalls: [{ name: "look" }] }, "Sorry."]) });
    expect(result).toMatchObject({ text: "Sorry.", isSuccess: true, errors: [] });
  });

  test("an image without its bytes settles the turn as invalid_input: nothing committed, the id is used (T-9, OP-4)", async () => {
    const { lash, provider, engine } = testLash();
    const session = await lash.openSession("s");
    const input = { items: [{ type: "image_ref" as const, id: "gone" }] };
    const result = await session.run(input, { turnId: "t" });
    expect(result).toMatchObject({ outcome: { kind: "stopped", stop: "invalid_input" }, errors: [{ kind: "input_validation", code: "invalid_turn_input", retryable: false }], headRevision: 0 });
    expect(provider.requests).toEqual([]);
    expect(await session.run(input, { turnId: "t" })).toMatchObject({ outcome: { stop: "invalid_input" } });
    expect(await session.run("again", { turnId: "t2" })).toMatchObject({ isSuccess: true, headRevision: 1 });
    expect(session.observe().readView.turnIndex).toBe(1);
    expect(engine.durable).toBe(false);
  });
});
