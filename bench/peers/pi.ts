// pi-agent-core: a bare agent loop that keeps the conversation in an array.

import { Agent } from "@earendil-works/pi-agent-core";
import { createAssistantMessageEventStream, Type, type AssistantMessage, type AssistantMessageEventStream, type Model } from "@earendil-works/pi-ai";
import type { Peer } from "../peers.ts";
import { CITY, replyText, toolAnswer, userText } from "../workload.ts";

const model: Model<"openai-completions"> = {
  id: "instant-model",
  name: "instant",
  api: "openai-completions",
  provider: "instant",
  baseUrl: "http://localhost",
  reasoning: false,
  input: ["text"],
  cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
  contextWindow: 1_000_000,
  maxTokens: 10_000,
};

const usage = { input: 900, output: 100, cacheRead: 0, cacheWrite: 0, totalTokens: 1000, cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 } };

/** The answer is there at once; it streams nothing before its end. */
function answered(content: AssistantMessage["content"], reason: "stop" | "toolUse"): AssistantMessageEventStream {
  const message: AssistantMessage = { role: "assistant", content, api: model.api, provider: model.provider, model: model.id, usage, stopReason: reason, timestamp: Date.now() };
  const stream = createAssistantMessageEventStream();
  stream.push({ type: "start", partial: message });
  stream.push({ type: "done", reason, message });
  stream.end(message);
  return stream;
}

let calls = 0;

const weather = {
  name: "weather",
  label: "Weather",
  description: "Current weather of a city",
  parameters: Type.Object({ city: Type.String() }),
  execute: async () => ({ content: [{ type: "text" as const, text: toolAnswer() }], details: null }),
};

export const pi: Peer = {
  name: "pi-agent-core Agent",
  async start() {
    const agent = new Agent({
      initialState: { model, tools: [weather], systemPrompt: "" },
      streamFn: (_model, context) =>
        context.messages.at(-1)?.role === "toolResult"
          ? answered([{ type: "text", text: replyText() }], "stop")
          : answered([{ type: "toolCall", id: `call-${++calls}`, name: "weather", arguments: { city: CITY } }], "toolUse"),
    });
    return async () => {
      await agent.prompt(userText());
      const last = agent.state.messages.at(-1);
      if (last?.role !== "assistant" || last.stopReason !== "stop") throw new Error(`pi failed: ${JSON.stringify(last)}`);
    };
  },
};
