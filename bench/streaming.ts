// Streaming: what a delta costs between the provider's callback and the consumer, beside a provider that calls the same sink itself.

import { memory } from "../src/index.ts";
import { StreamAccumulator } from "../src/providers/accumulate.ts";
import { ResponseBuilder } from "../src/providers/ai-sdk/response.ts";
import { memoryEngine } from "../src/stores/memory/index.ts";
import { opaqueLiveness } from "../src/stores/store.ts";
import { createLash, type Provider, type Session } from "../src/index.ts";
import { countingEngine } from "../src/testing/counting-engine.ts";
import { type Block, interleave, median } from "./measure.ts";
import type { Report } from "./report.ts";

const DELTAS = 100_000;
const ROUNDS = { warmUp: 2, measured: 6 };
const SECTION = "Streaming (100,000 deltas)";
const usage = { inputTokens: 1, outputTokens: 1, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };

type Deliver = (text: string) => void | Promise<void>;

const pieces = Array.from({ length: 64 }, (_, i) => `word${i} `);

/** Awaits only what is a promise, as providers do. */
async function speak(deltas: number, deliver: Deliver): Promise<string> {
  let text = "";
  for (let i = 0; i < deltas; i++) {
    const piece = pieces[i % pieces.length] ?? "";
    text += piece;
    const pending = deliver(piece);
    if (pending !== undefined) await pending;
  }
  return text;
}

const speaking = (deltas: () => number): Provider => ({
  id: "speaking",
  modelId: "speaking-model",
  async complete(_request, call) {
    const text = await speak(deltas(), (piece) => call.onStreamEvent?.({ type: "textDelta", itemId: "text", text: piece }));
    return { fullText: text, parts: [{ type: "text", text, itemId: "text" }], usage, terminalReason: "stop" };
  },
});

/** The sink's own work: it counts characters. */
class Sink {
  chars = 0;
  take(text: string): void {
    this.chars += text.length;
  }
}

async function watched(session: Session, sink: Sink): Promise<void> {
  const turn = session.turn("go on");
  for await (const activity of turn) if (activity.type === "assistant_prose_delta") sink.take(activity.text);
  await turn.result;
}

/** Time per delta in microseconds. */
async function perDelta(run: () => Promise<unknown>): Promise<Block> {
  const start = performance.now();
  await run();
  return [((performance.now() - start) * 1000) / DELTAS];
}

export async function streaming(report: Report): Promise<void> {
  const sink = new Sink();
  const lash = createLash({ provider: speaking(() => DELTAS), store: memory() });
  let session = 0;
  const fresh = (): Promise<Session> => lash.openSession(`stream-${session++}`);
  const blocks = await interleave(
    {
      watched: async () => {
        const opened = await fresh();
        return perDelta(() => watched(opened, sink));
      },
      unwatched: async () => {
        const opened = await fresh();
        return perDelta(() => opened.run("go on"));
      },
      adapter: () => perDelta(async () => adapt(DELTAS)),
      direct: () => perDelta(() => speak(DELTAS, (text) => sink.take(text))),
    },
    ROUNDS,
  );
  await lash.close();
  const best = (name: keyof typeof blocks): number => Math.min(...blocks[name].map(median));
  report.add({ section: SECTION, what: "sink called by the provider itself, per delta", value: best("direct"), unit: "us" });
  report.add({ section: SECTION, what: "runtime per delta, nobody watching", value: best("unwatched") - best("direct"), unit: "us", budget: { atMost: 1 } });
  report.add({ section: SECTION, what: "runtime per delta, consumed with for await", value: best("watched") - best("direct"), unit: "us", budget: { atMost: 2 } });
  report.add({ section: SECTION, what: "adapter and accumulator of the AI SDK, per delta", value: best("adapter"), unit: "us", budget: { atMost: 2 } });
  report.add({ section: SECTION, what: "transactions that 1,000 deltas add to a turn", value: await addedTransactions(), unit: "tx", budget: { exactly: 0 } });
}

/** What lies between a stream part of the AI SDK and the runtime. */
function adapt(deltas: number): void {
  const builder = new ResponseBuilder({ originProvider: "p", originModel: "m", exposeThinking: true });
  const accumulator = new StreamAccumulator();
  for (let i = 0; i < deltas; i++) {
    const event = builder.take({ type: "text-delta", id: "0", delta: pieces[i % pieces.length] ?? "" });
    if (event !== null) accumulator.push(event);
  }
}

async function addedTransactions(): Promise<number> {
  let deltas = 0;
  const engine = countingEngine(memoryEngine());
  const lash = createLash({ provider: speaking(() => deltas), store: { engine, liveness: opaqueLiveness }, effects: "journaled" });
  const session = await lash.openSession("stream");
  await session.run("warm up");
  const counts: number[] = [];
  for (deltas of [1, 1001]) {
    engine.reset();
    await session.run("go on");
    counts.push(engine.reset().writes);
  }
  await lash.close();
  return (counts[1] ?? Number.NaN) - (counts[0] ?? Number.NaN);
}
