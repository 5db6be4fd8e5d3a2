// What the scripted model says: a pure function of the conversation, so a client that was killed and asks again gets the
// same answer. It plays a travel agent that knows three tools.

import { setTimeout as sleep } from "node:timers/promises";
import type { WireReply, WireRequest, WireScript } from "../../src/testing/index.ts";

interface ChatMessage {
  readonly role: string;
  readonly content: string | null;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string } }[];
}

/** @param msPerWord - time between words, for the look of it; 0 for none. */
export const travelAgent = (msPerWord: number): WireScript => (request) => {
  const reply = answerTo(request);
  if (typeof reply.text !== "string") return reply;
  const words = reply.text.split(/(?<= )/);
  return { ...reply, text: msPerWord > 0 ? words.flatMap((word) => [pause(msPerWord), word]) : words };
};

function answerTo({ body, lastUserText }: WireRequest): WireReply {
  const messages = body["messages"] as readonly ChatMessage[];
  const results = resultsSinceQuestion(messages);
  const city = /\b(?:in|to|for|of)\s+(\p{Lu}\p{L}+)/u.exec(lastUserText)?.[1] ?? "Oslo";
  const wantsRoom = /\b(book|hotel|room|stay|trip)/i.test(lastUserText);
  const wantsWeather = wantsRoom || /\b(weather|rain|dry|sun|umbrella|forecast|cold|warm)/i.test(lastUserText);
  const usage = { input: 300 + 120 * results.size, output: 20 + 15 * results.size };

  if (!wantsWeather) {
    return { text: 'I know about the weather and I book rooms. Try "will it rain in Bergen?" or "book me a room in Tromsø".', usage };
  }
  const forecast = results.get("forecast");
  if (!forecast) {
    const look = { name: "forecast", args: { city } };
    return wantsRoom
      ? { text: `Let me look at ${city}.`, toolCalls: [look, { name: "rooms", args: { city } }], usage }
      : { toolCalls: [look], usage };
  }
  const weather = isAnswer(forecast) ? `${city} will be ${String(forecast["sky"])} at ${String(forecast["celsius"])} °C.` : `I could not get the weather of ${city}.`;
  if (!wantsRoom) return { text: weather, usage };

  const [cheapest] = (results.get("rooms") ?? []) as readonly { readonly hotel: string; readonly euros: number }[];
  if (!cheapest) return { text: `${weather} I found no room.`, usage };
  const booking = results.get("book");
  if (!booking) return { toolCalls: [{ name: "book", args: { hotel: cheapest.hotel } }], usage };
  return isAnswer(booking)
    ? { text: `${weather} ${String(booking["hotel"])} is booked for ${cheapest.euros} €; reference ${String(booking["reference"])}.`, usage }
    : { text: `${weather} The booking went wrong; please ask ${cheapest.hotel} whether it arrived.`, usage };
}

type ToolAnswer = Readonly<Record<string, unknown>>;

/** Answers of the tools by name, as far as they came after the user's last words. */
function resultsSinceQuestion(messages: readonly ChatMessage[]): ReadonlyMap<string, ToolAnswer> {
  const names = new Map<string, string>();
  const results = new Map<string, ToolAnswer>();
  for (const message of messages) {
    if (message.role === "user") results.clear();
    for (const call of message.tool_calls ?? []) names.set(call.id, call.function.name);
    if (message.role !== "tool") continue;
    results.set(names.get(message.tool_call_id ?? "") ?? "", JSON.parse(message.content ?? "null") as ToolAnswer);
  }
  return results;
}

const isAnswer = (result: ToolAnswer): boolean => !("error" in result);

/** A gate that opens by itself. */
const pause = (ms: number) => ({ opened: Promise.resolve(), reached: Promise.resolve(), open: () => undefined, pass: () => sleep(ms) });
