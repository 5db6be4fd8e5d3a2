import { describe, expect, test } from "vitest";
import type { LlmRequest } from "../../src/providers/contract.ts";
import { ProviderError } from "../../src/providers/failure.ts";
import {
  byAssistantMessages,
  byToolResults,
  gate,
  manualClock,
  scriptedProvider,
  startWireScriptServer,
} from "../../src/testing/index.ts";

const call = () => ({ clock: manualClock(), signal: new AbortController().signal });
const request = (...messages: LlmRequest["messages"]): LlmRequest => ({
  model: "",
  messages,
  attachments: [],
  tools: [],
  toolChoice: "auto",
  generation: {},
  scope: { sessionId: "s", agentFrameId: "f", requestId: "r" },
});
const toolRound: LlmRequest["messages"] = [
  { role: "assistant", blocks: [{ type: "toolCall", callId: "call-1", toolName: "t", inputJson: "{}" }] },
  { role: "user", blocks: [{ type: "toolResult", callId: "call-1", content: "ok" }] },
];

describe("scripted provider", () => {
  test("answers in order, remembers requests, and fails when the script has run out", async () => {
    const provider = scriptedProvider(["one", { toolCalls: [{ name: "t", args: { a: 1 } }] }]);
    expect((await provider.complete(request(), call())).fullText).toBe("one");
    expect(await provider.complete(request(), call())).toMatchObject({
      parts: [{ type: "toolCall", callId: "call-1", inputJson: '{"a":1}' }],
      terminalReason: "tool_use",
    });
    const error = await provider.complete(request(), call()).catch((reason: unknown) => reason);
    expect(ProviderError.is(error) && error.failure).toMatchObject({ code: "script_exhausted", retryable: false });
    expect(provider.requests).toHaveLength(3);
  });

  test("a script of the request gives a restarted client the reply it needs, under the same call ids", async () => {
    const script = byToolResults([{ toolCalls: [{ name: "t" }] }, { toolCalls: [{ name: "t" }] }, "done"]);
    const fresh = () => scriptedProvider(script);
    expect(await fresh().complete(request(), call())).toMatchObject({ parts: [{ callId: "call-1" }] });
    expect(await fresh().complete(request(...toolRound), call())).toMatchObject({ parts: [{ callId: "call-2" }] });
    expect((await fresh().complete(request(...toolRound, ...toolRound), call())).fullText).toBe("done");
    const turns = scriptedProvider(byAssistantMessages(["first", "second"]));
    expect((await turns.complete(request(...toolRound), call())).fullText).toBe("second");
  });

  test("a gate holds the stream at its place, and running tells who is inside", async () => {
    const hold = gate();
    const provider = scriptedProvider([{ text: ["a", hold, "b"] }]);
    const seen: string[] = [];
    const answer = provider.complete(request(), {
      ...call(),
      onStreamEvent: (event) => void (event.type === "textDelta" && seen.push(event.text)),
    });
    await hold.reached;
    expect([seen, provider.running]).toEqual([["a"], 1]);
    hold.open();
    expect((await answer).fullText).toBe("ab");
    expect(provider.running).toBe(0);
  });
});

describe("manual clock", () => {
  test("fires what falls due in order and stands still otherwise", async () => {
    const clock = manualClock(1_000);
    const fired: [string, number][] = [];
    clock.setTimer(20, () => void fired.push(["b", clock.now()]));
    clock.setTimer(10, () => {
      fired.push(["a", clock.now()]);
      clock.setTimer(5, () => void fired.push(["c", clock.now()]));
    });
    clock.setTimer(10, () => void fired.push(["never", 0]))();
    await clock.advance(16);
    expect(fired).toEqual([["a", 1_010], ["c", 1_015]]);
    expect([clock.now(), clock.pendingTimers]).toEqual([1_016, 1]);
  });

  test("an aborted sleep rejects with the reason and leaves no timer", async () => {
    const clock = manualClock();
    const abort = new AbortController();
    const sleep = clock.sleep(100, abort.signal);
    abort.abort(new Error("up"));
    await expect(sleep).rejects.toThrow("up");
    await expect(clock.sleep(1, abort.signal)).rejects.toThrow("up");
    expect(clock.pendingTimers).toBe(0);
  });

  test("running until a promise that nothing due can settle is an error, not a hang", async () => {
    await expect(manualClock().runUntil(new Promise(() => {}))).rejects.toThrow("not due on this clock");
  });
});

describe("wire-script server", () => {
  test("tells the script how far the conversation is, in both dialects", async () => {
    const server = await startWireScriptServer(({ toolResults, assistantMessages, lastUserText, repeat }) => ({
      text: JSON.stringify([toolResults, assistantMessages, lastUserText, repeat]),
    }));
    const post = async (path: string, body: object): Promise<string> => {
      const response = await fetch(`${server.openaiUrl}${path}`, { method: "POST", body: JSON.stringify(body) });
      return response.text();
    };
    const openai = {
      messages: [
        { role: "user", content: "hi" },
        { role: "assistant", content: null, tool_calls: [{}] },
        { role: "tool", content: "x" },
      ],
    };
    const anthropic = {
      messages: [
        { role: "user", content: [{ type: "text", text: "hi" }] },
        { role: "assistant", content: [{ type: "tool_use" }] },
        { role: "user", content: [{ type: "tool_result" }] },
      ],
    };
    expect(await post("/chat/completions", openai)).toContain(String.raw`[1,1,\"hi\",0]`);
    expect(await post("/chat/completions", openai)).toContain(String.raw`[1,1,\"hi\",1]`);
    expect(await post("/messages", anthropic)).toContain(String.raw`[1,1,\"hi\",0]`);
    expect(await post("/nowhere", {})).toContain("no such endpoint");
    await server.close();
  });

  test("a script that throws answers 500 with its message", async () => {
    const server = await startWireScriptServer(() => {
      throw new Error("not in the script");
    });
    const response = await fetch(`${server.openaiUrl}/chat/completions`, { method: "POST", body: "{}" });
    expect([response.status, await response.text()]).toEqual([500, expect.stringContaining("not in the script")]);
    await server.close();
  });
});
