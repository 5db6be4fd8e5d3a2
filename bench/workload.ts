// The turn that the budgets speak of (design section 9): 200 B of user text, one tool call answering 1 KiB, 400 B of reply, two
// instant model calls. Texts never repeat, as SQLite hardly writes what has not changed.

import * as z from "zod";
import { createLash, type Lash, type LashOptions, type Provider, type Session, tool } from "../src/index.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const POOL = Array.from({ length: 1 << 16 }, () => ALPHABET[Math.floor(Math.random() * ALPHABET.length)]).join("");

/** Random text; cut from a pool, because making it would cost as much as a turn. */
export function noise(length: number): string {
  const at = Math.floor(Math.random() * (POOL.length - length));
  return POOL.slice(at, at + length);
}

export const CITY = "Oslo";
export const userText = (): string => noise(200);
export const toolAnswer = (): string => noise(1024);
export const replyText = (): string => noise(400);

const usage = { inputTokens: 900, outputTokens: 100, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };
let calls = 0;

/** Answers at once: a tool call, and after the tool's result the reply. */
export const instantModel: Provider = {
  id: "instant",
  modelId: "instant-model",
  complete: async ({ messages }) =>
    messages.at(-1)?.blocks[0]?.type === "toolResult"
      ? { fullText: "", parts: [{ type: "text", text: replyText() }], usage, terminalReason: "stop" }
      : {
          fullText: "",
          parts: [{ type: "toolCall", toolName: "weather", callId: `call-${++calls}`, inputJson: JSON.stringify({ city: CITY }) }],
          usage,
          terminalReason: "tool_use",
        },
};

export const weather = tool({
  name: "weather",
  description: "Current weather of a city",
  input: z.object({ city: z.string() }),
  readOnly: true,
  run: toolAnswer,
});

/** The runtime with this workload; sessions are opened when their first turn comes. */
export class Host {
  readonly lash: Lash;
  readonly #sessions = new Map<string, Session>();

  constructor(options: LashOptions) {
    this.lash = createLash({ provider: instantModel, tools: [weather], ...options });
  }

  async open(id: string): Promise<void> {
    if (!this.#sessions.has(id)) this.#sessions.set(id, await this.lash.openSession(id));
  }

  /** Runs the next turn of an opened session. A turn that came to anything but its reply ends the benchmark. */
  async turn(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new Error(`session ${id} is not open`);
    const { isSuccess, text, toolCalls, errors } = await session.run(userText());
    if (!isSuccess || text.length !== 400 || toolCalls.length !== 1) throw new Error(`the turn failed: ${JSON.stringify(errors)}`);
  }

  async turns(id: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.turn(id);
  }

  async forget(id: string): Promise<void> {
    await this.#sessions.get(id)?.close();
    this.#sessions.delete(id);
  }

  close(): Promise<void> {
    return this.lash.close();
  }
}
