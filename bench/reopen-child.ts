// The new process of reopen.ts: opens the store once per kind of session, up to the model request. Of this package it loads
// nothing but what it is told to: its sources, or what is published.

import * as z from "zod";
import type * as Main from "../src/index.ts";
import type { LashOptions, Provider } from "../src/index.ts";
import type * as SqliteStore from "../src/stores/sqlite/store.ts";
import { heapInUse } from "./measure.ts";
import type { Reopened } from "./reopen.ts";

const [, , path = "", form, looksAtHeap] = process.argv;
const [main, store] = form === "dist" ? ["../dist/index.js", "../dist/stores/sqlite/store.js"] : ["../src/index.ts", "../src/stores/sqlite/store.ts"];
const { createLash, tool } = (await import(main)) as typeof Main;
const { sqlite } = (await import(store)) as typeof SqliteStore;

const weather = tool({ name: "weather", description: "Current weather of a city", input: z.object({ city: z.string() }), readOnly: true, run: () => "" });
const usage = { inputTokens: 900, outputTokens: 100, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, reasoningOutputTokens: 0 };

interface Asked {
  /** Since the process began, and since `createLash`. */
  readonly at: number;
  readonly ms: number;
  readonly openMs: number;
  readonly openHeapBytes: number;
  readonly messages: number;
  readonly heapBytes: number;
}

async function untilAsked(id: string, store: NonNullable<LashOptions["store"]>): Promise<Asked> {
  const asked = Promise.withResolvers<{ readonly at: number; readonly messages: number }>();
  const answer = Promise.withResolvers<void>();
  const provider: Provider = {
    id: "instant",
    modelId: "instant-model",
    async complete({ messages }) {
      asked.resolve({ at: performance.now(), messages: messages.length });
      await answer.promise;
      return { fullText: "", parts: [{ type: "text", text: "then" }], usage, terminalReason: "stop" };
    },
  };
  const before = heapInUse();
  const start = performance.now();
  const lash = createLash({ provider, store, tools: [weather] });
  const session = await lash.openSession(id);
  const openMs = performance.now() - start;
  const openHeapBytes = looksAtHeap !== undefined ? heapInUse() - before : 0;
  const turn = session.turn("and now?");
  const result = turn.result;
  const { at, messages } = await asked.promise;
  const heapBytes = heapInUse() - before;
  turn.cancel();
  answer.resolve();
  await result;
  await lash.close();
  return { at, ms: at - start, openMs, openHeapBytes, messages, heapBytes };
}

// The long session first: it pays for all code that runs for the first time.
const long = await untilAsked("long", sqlite(path));
const empty = await untilAsked("empty", sqlite(`${path}-empty`));
console.log(JSON.stringify({ openMs: long.openMs, openHeapBytes: long.openHeapBytes, longMs: long.ms, processMs: long.at, emptyMs: empty.ms, heapBytes: long.heapBytes, messages: long.messages } satisfies Reopened));
