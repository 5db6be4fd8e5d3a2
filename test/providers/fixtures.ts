import { systemClock, type Clock } from "../../src/domain/clock.ts";
import type { LlmContentBlock, LlmMessage, LlmOutputPart, LlmRequest, LlmStreamEvent, LlmToolSpec } from "../../src/providers/contract.ts";

export const says = (role: LlmMessage["role"], ...blocks: (string | LlmContentBlock)[]): LlmMessage => ({
  role,
  blocks: blocks.map((block) => (typeof block === "string" ? { type: "text", text: block } : block)),
});

/** An answer as a later request shows it, as far as its parts are blocks, too. */
export const said = (parts: readonly LlmOutputPart[]): LlmMessage =>
  says("assistant", ...parts.filter((part) => part.type === "text" || part.type === "reasoning" || part.type === "toolCall"));

export const request = (overrides: Partial<LlmRequest> = {}): LlmRequest => ({
  model: "",
  messages: [says("user", "Hello")],
  attachments: [],
  tools: [],
  toolChoice: "auto",
  generation: {},
  scope: { sessionId: "s", agentFrameId: "f", requestId: "s:turn:t:llm:0" },
  ...overrides,
});

export const weather: LlmToolSpec = {
  name: "weather",
  description: "Weather of a city",
  inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

/** A call that remembers its events. */
export function recordingCall(clock: Clock = systemClock, signal: AbortSignal = new AbortController().signal) {
  const events: LlmStreamEvent[] = [];
  return { events, clock, signal, onStreamEvent: (event: LlmStreamEvent) => void events.push(event) };
}
