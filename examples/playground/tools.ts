// Three tools that take visible time: two only look, one changes the world.

import * as z from "zod/mini";
// An app writes `from "lash-runtime"`; the relative path lets this run from a clone that was never built.
import { tool, type Tool, type ToolCall } from "../../src/index.ts";

/** Milliseconds that each tool takes; the page draws its progress with them. */
export const durationsAt = (pace: number): Readonly<Record<string, number>> => ({ weather: 1800 / pace, trains: 6500 / pace, book_table: 5000 / pace });

/** @param entered - told when a tool's function really runs. */
export function dayTools(pace: number, entered: (call: ToolCall) => void): readonly Tool[] {
  const durations = durationsAt(pace);
  const work = async <T>(call: ToolCall, answer: T): Promise<T> => {
    entered(call);
    await pause(durations[call.toolName] ?? 1000, call.signal);
    return answer;
  };
  const city = z.object({ city: z.string() });
  const citySchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
  const weather = tool({
    name: "weather",
    description: "The weather of a city today.",
    input: city,
    inputSchema: citySchema,
    readOnly: true,
    run: (args, call) => work(call, { city: args.city, sky: "clear until six, then light rain", celsius: 14 }),
  });
  const trains = tool({
    name: "trains",
    description: "Trains to a city today.",
    input: city,
    inputSchema: citySchema,
    readOnly: true,
    run: (args, call) => work(call, { city: args.city, departures: ["08:12", "09:42", "11:12"], platform: 3 }),
  });
  const bookTable = tool({
    name: "book_table",
    description: "Books a table for two. Cannot be undone.",
    input: z.object({ at: z.string() }),
    inputSchema: { type: "object", properties: { at: { type: "string" } }, required: ["at"] },
    // No `readOnly` and no `idempotent`: after a crash it is not run again, the model is told that nobody knows.
    run: (args, call) => work(call, { at: args.at, table: 7, code: call.idempotencyKey.slice(0, 6).toUpperCase() }),
  });
  return [weather, trains, bookTable];
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
