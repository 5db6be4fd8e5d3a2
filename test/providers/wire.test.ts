// Wire data: what is declared, what is refused, and that a ladder prepares once for all its attempts.

import type { LanguageModelV4 } from "@ai-sdk/provider";
import { describe, expect, test } from "vitest";
import { createLash, memory } from "../../src/index.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import type { LlmStreamEvent, Provider } from "../../src/providers/contract.ts";
import { withRetry } from "../../src/providers/retry.ts";
import { defaultWire, wireOf, type Wire } from "../../src/providers/wire.ts";
import { zeroUsage } from "../../src/domain/usage.ts";
import { manualClock, scriptedProvider } from "../../src/testing/index.ts";
import { recordingCall, request, says, weather } from "./fixtures.ts";

const modelOf = (provider: string): LanguageModelV4 => ({ specificationVersion: "v4", provider, modelId: "m", supportedUrls: {}, doGenerate: () => Promise.reject(new Error("unused")), doStream: () => Promise.reject(new Error("unused")) });
const wireFor = (provider: string, options: Parameters<typeof aiSdk>[1] = {}): Wire => wireOf(aiSdk(modelOf(provider), options).wire);

describe("what is known of providers (ME-4, ME-14)", () => {
  test.each([
    ["anthropic.messages", { replayReasoning: "signed", firstMessage: "user", toolBlocks: "withTools" }, 128],
    ["google.vertex.anthropic.messages", { replayReasoning: "signed", toolBlocks: "withTools" }, 128],
    ["openai.responses", { firstMessage: "any", loneReasoning: "drop", toolBlocks: "always" }, 64],
    ["azure.responses", { firstMessage: "any", loneReasoning: "drop" }, 64],
    ["openai.chat", { replayReasoning: "signed", firstMessage: "any" }, 64],
    ["google.generative-ai", { loneReasoning: "keep", toolBlocks: "always" }, 64],
    ["amazon-bedrock", { firstMessage: "user", blankResult: "note", toolBlocks: "withTools" }, 64],
    ["mistral.chat", { replayReasoning: "signed", callId: { minLength: 9, maxLength: 9 } }, 64],
    ["deepseek.chat", { replayReasoning: "sinceLastUser" }, 64],
    ["my-server.chat", { replayReasoning: "sinceLastUser" }, 64],
    ["something-new", { ...defaultWire, outputSchema: "told" }, 64],
  ])("%s", (provider, wire, longestName) => {
    expect(wireFor(provider)).toMatchObject(wire);
    expect(wireFor(provider).toolName.maxLength).toBe(longestName);
  });

  test("a host may say otherwise", () => {
    expect(wireFor("deepseek.chat", { wire: { firstMessage: "any" } })).toMatchObject({ firstMessage: "any", replayReasoning: "sinceLastUser" });
    expect(wireFor("deepseek.chat", { replayReasoning: "always" })).toMatchObject({ replayReasoning: "always" });
  });
});

describe("wire data that is malformed is refused by field (ME-14)", () => {
  test.each<[unknown, string]>([
    [{ blankTexts: "drop" }, "wire.blankTexts must be left out"],
    [{ blankText: "never" }, 'wire.blankText must be "drop" or "keep"'],
    [{ toolName: { characters: "abc", maxLength: 4 } }, "wire.toolName must be"],
    [{ toolName: { characters: "abc", first: "d", maxLength: 64 } }, "wire.toolName must be"],
    [{ callId: { characters: "xyz", maxLength: 64 } }, "wire.callId must be"],
    [{ callId: { ...defaultWire.callId, minLength: 41 } }, "wire.callId must be"],
    [{ media: "image/png" }, "wire.media must be"],
    [{ media: ["image"] }, "wire.media must be"],
    ["strict", "wire must be an object"],
  ])("%j", (wire, message) => {
    expect(() => aiSdk(modelOf("x"), { wire: wire as Partial<Wire> })).toThrow(message);
    const provider = { ...scriptedProvider([]), wire: wire as Partial<Wire> };
    expect(() => withRetry(provider)).toThrow(message);
    expect(() => createLash({ provider, store: memory() })).toThrow(message.replace("wire", "`provider.wire").replace(/^(\S+)/, "$1`"));
  });
});

describe("the ladder", () => {
  test("sends the same prepared request in all attempts (ME-14)", async () => {
    const clock = manualClock();
    const inner = scriptedProvider([{ failure: { kind: "http", status: 503 } }, "done"]);
    await clock.runUntil(withRetry(inner).complete(request({ messages: [says("assistant", "Hi"), says("user", "q")] }), recordingCall(clock)));
    const [first, second] = inner.requests;
    expect(first?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(second).toBe(first);
  });

  test("gives back our tool names in the response and in what is streamed, and ids of calls that it had renamed (ME-14)", async () => {
    const provider: Provider = {
      id: "p",
      modelId: "m",
      complete: async (_, call) => {
        const made = { type: "toolCall", callId: "call_0_2", toolName: "we_ather", inputJson: "{}" } as const;
        const late = { type: "approvalRequest", approvalId: "a", callId: "call_0_3" } as const;
        await call.onStreamEvent?.({ type: "toolInputStart", callId: made.callId, toolName: made.toolName });
        await call.onStreamEvent?.({ type: "part", part: made });
        await call.onStreamEvent?.({ type: "part", part: late });
        return { fullText: "", parts: [made, late], usage: zeroUsage, terminalReason: "tool_use" };
      },
    };
    const calls = says("assistant", ...Array.from({ length: 3 }, () => ({ type: "toolCall", callId: "call_0", toolName: "we.ather", inputJson: "{}" }) as const));
    const events: LlmStreamEvent[] = [];
    const asked = request({ tools: [{ ...weather, name: "we.ather" }], messages: [says("user", "q"), calls, says("user", "on")] });
    const { parts } = await withRetry(provider).complete(asked, { ...recordingCall(manualClock()), onStreamEvent: (event) => void events.push(event) });
    const restored = [
      { type: "toolCall", callId: "call_0_2", toolName: "we.ather" },
      { type: "approvalRequest", callId: "call_0" },
    ];
    expect(parts).toMatchObject(restored);
    expect(events).toMatchObject([{ type: "toolInputStart", toolName: "we.ather" }, ...restored.map((part) => ({ type: "part", part }))]);
  });
});
