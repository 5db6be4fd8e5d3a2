// The new process of reopen.ts: opens the store once per kind of session, up to the model request.

import { createLash, type LashOptions, type Provider } from "../src/index.ts";
import { sqlite } from "../src/stores/sqlite/store.ts";
import { heapInUse } from "./measure.ts";
import type { Reopened } from "./reopen.ts";
import { instantModel, weather } from "./workload.ts";

const path = process.argv[2] ?? "";

interface Asked {
  readonly ms: number;
  readonly messages: number;
  readonly heapBytes: number;
}

async function untilAsked(id: string, store: NonNullable<LashOptions["store"]>): Promise<Asked> {
  const asked = Promise.withResolvers<{ readonly at: number; readonly messages: number }>();
  const answer = Promise.withResolvers<void>();
  const provider: Provider = {
    ...instantModel,
    async complete(request, call) {
      asked.resolve({ at: performance.now(), messages: request.messages.length });
      await answer.promise;
      return instantModel.complete(request, call);
    },
  };
  const before = heapInUse();
  const start = performance.now();
  const lash = createLash({ provider, store, tools: [weather] });
  const session = await lash.openSession(id);
  const turn = session.turn("and now?");
  const result = turn.result;
  const { at, messages } = await asked.promise;
  const heapBytes = heapInUse() - before;
  turn.cancel();
  answer.resolve();
  await result;
  await lash.close();
  return { ms: at - start, messages, heapBytes };
}

// The long session first: it pays for all code that runs for the first time.
const long = await untilAsked("long", sqlite(path));
const empty = await untilAsked("empty", sqlite(`${path}-empty`));
console.log(JSON.stringify({ longMs: long.ms, emptyMs: empty.ms, heapBytes: long.heapBytes, messages: long.messages } satisfies Reopened));
