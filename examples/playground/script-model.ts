// A model that needs no network: it answers from the conversation it is shown, as a real one does, so that a restarted tab
// goes on where the last one was.

import type { LlmMessage, LlmOutputPart, LlmRequest, LlmResponse, Provider, ProviderCall } from "../../src/providers/contract.ts";

interface Reply {
  readonly text: string;
  readonly calls?: readonly { readonly name: string; readonly args: Readonly<Record<string, string>> }[];
}

const THINKING_MS = 500;
const WORD_MS = 34;
const CITIES = ["Oslo", "Lisbon", "Kyoto", "Ghent", "Tallinn", "Vienna", "Bergen", "Porto", "Rome", "Berlin"];

/** @param pace - 2 is twice as fast. */
export const scriptModel = (pace: number): Provider => ({
  id: "script",
  modelId: "script",
  async complete(request, call): Promise<LlmResponse> {
    const { text, calls = [] } = replyTo(request);
    await pause(THINKING_MS / pace, call);
    for (const piece of text.split(/(?<= )/)) {
      await call.onStreamEvent?.({ type: "textDelta", itemId: "text", text: piece });
      await pause(WORD_MS / pace, call);
    }
    const asked = request.messages.reduce((count, { blocks }) => count + blocks.filter(({ type }) => type === "toolCall").length, 0);
    const parts: LlmOutputPart[] = [
      { type: "text", text, itemId: "text" },
      ...calls.map(({ name, args }, index) => ({ type: "toolCall" as const, callId: `call_${asked + index + 1}`, toolName: name, inputJson: JSON.stringify(args) })),
    ];
    const usage = { inputTokens: 40 + 12 * request.messages.length, outputTokens: text.split(" ").length, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };
    return { fullText: text, parts, usage, terminalReason: calls.length > 0 ? "tool_use" : "stop" };
  },
});

function replyTo({ messages }: LlmRequest): Reply {
  const from = messages.findLastIndex(({ role, blocks }) => role === "user" && blocks.some(({ type }) => type === "text"));
  const asked = textOf(messages[from]);
  const results = messages.slice(from).flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "toolResult" ? [block] : [])));
  const city = CITIES.find((name) => asked.toLowerCase().includes(name.toLowerCase()));
  if (!city && !/day|trip|plan|train|weather|table|dinner/i.test(asked)) {
    return { text: `I am a small script, so I cannot say much about “${asked.slice(0, 60)}”. Ask me to plan a day in Oslo, Lisbon or Kyoto: that takes three tools and about fifteen seconds, which is time enough to crash this tab.` };
  }
  const place = city ?? "Oslo";
  if (results.length === 0) {
    return { text: `A day in ${place}: I look at the weather and the trains first. `, calls: [{ name: "weather", args: { city: place } }, { name: "trains", args: { city: place } }] };
  }
  if (results.length < 3) return { text: "Dry until six, and the 09:42 fits. Now a table for two. ", calls: [{ name: "book_table", args: { at: "18:30" } }] };
  const booked = results[2];
  const isKnown = booked !== undefined && !booked.content.includes("tool_interrupted");
  const code = /"code":"([^"]+)"/.exec(booked?.content ?? "")?.[1] ?? "";
  const table = isKnown
    ? `Dinner is booked for 18:30, table 7, code ${code}.`
    : "I was cut off while booking dinner, so I do not know whether it went through. I have not tried twice: please call them, before you are expected at two tables.";
  return { text: `Your day in ${place}: 14 degrees and dry until six. Take the 09:42 from platform 3. ${table}` };
}

const textOf = (message: LlmMessage | undefined): string =>
  (message?.blocks ?? []).map((block) => (block.type === "text" ? block.text : "")).join(" ");

function pause(ms: number, { signal }: ProviderCall): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const onAbort = (): void => (clearTimeout(timer), reject(signal.reason));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
