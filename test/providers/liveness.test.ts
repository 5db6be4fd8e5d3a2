// Signs of life: what shows that a provider is at work before it says anything (ME-13).

import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { LanguageModelV4 } from "@ai-sdk/provider";
import { afterEach, describe, expect, test } from "vitest";
import { aiSdk, liveFetch } from "../../src/providers/ai-sdk/index.ts";
import type { Provider } from "../../src/providers/contract.ts";
import { ProviderError } from "../../src/providers/failure.ts";
import { withRetry } from "../../src/providers/retry.ts";
import { manualClock } from "../../src/testing/index.ts";
import { request } from "./fixtures.ts";

const SILENCE_MS = 500;

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that begins an event stream for each request and leaves the rest to the test. */
async function listen() {
  const asked = Promise.withResolvers<ServerResponse>();
  let requests = 0;
  server = createServer((incoming, response) => {
    incoming.resume();
    requests += 1;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    asked.resolve(response);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked: asked.promise, requests: () => requests };
}

/** The provider, and a promise of its next sign of life. */
function watched(provider: Provider) {
  let sign = Promise.withResolvers<void>();
  const hear = (): void => {
    sign.resolve();
    sign = Promise.withResolvers();
  };
  const watching: Provider = {
    ...provider,
    complete: (asked, call) =>
      provider.complete(asked, {
        ...call,
        onProgress: (chars) => (call.onProgress?.(chars), hear()),
        onStreamEvent: (event) => (hear(), call.onStreamEvent?.(event)),
      }),
  };
  return { watching, nextSign: () => sign.promise };
}

const sse = (data: { readonly type: string; readonly [field: string]: unknown }): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const chunk = (delta: object, finish: string | null = null): string => `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

const anthropicHead = sse({ type: "message_start", message: { id: "m", type: "message", role: "assistant", model: "x", content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 0 } } });
const anthropicRest = [
  sse({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  sse({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Deep." } }),
  sse({ type: "content_block_stop", index: 0 }),
  sse({ type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 1 } }),
  sse({ type: "message_stop" }),
].join("");

interface Wire {
  readonly name: string;
  readonly model: (url: string) => LanguageModelV4;
  readonly head: string;
  readonly sign: string;
  readonly rest: string;
}

const wires: readonly Wire[] = [
  {
    name: "pings of Anthropic's",
    model: (baseURL) => createAnthropic({ apiKey: "k", baseURL })("claude-opus-4-5"),
    head: anthropicHead,
    sign: sse({ type: "ping" }),
    rest: anthropicRest,
  },
  {
    name: "comments, which no client passes on, with liveFetch()",
    model: (baseURL) => createOpenAICompatible({ name: "vendor", apiKey: "k", baseURL, fetch: liveFetch() })("m"),
    head: chunk({ role: "assistant", content: "" }),
    sign: ": keep-alive\n\n",
    rest: `${chunk({ content: "Deep." })}${chunk({}, "stop")}data: [DONE]\n\n`,
  },
  {
    name: "comments on Anthropic's wire, with liveFetch()",
    model: (baseURL) => createAnthropic({ apiKey: "k", baseURL, fetch: liveFetch() })("claude-opus-4-5"),
    head: anthropicHead,
    sign: ": keep-alive\n\n",
    rest: anthropicRest,
  },
];

const options = { reliability: { chunkTimeoutMs: SILENCE_MS, retry: { enabled: false } } };

describe.each(wires)("$name", ({ model, head, sign, rest }) => {
  test("are signs of life: one request, however long the model thinks (ME-13)", async () => {
    const { url, asked, requests } = await listen();
    const { watching, nextSign } = watched(aiSdk(model(url), options));
    const clock = manualClock(0);
    const first = nextSign();
    const answer = withRetry(watching).complete(request(), { signal: new AbortController().signal, clock });
    const response = await asked;
    response.write(head);
    await first;
    for (let round = 0; round < 5; round++) {
      const heard = nextSign();
      response.write(sign);
      await heard;
      await clock.advance(SILENCE_MS - 50);
    }
    response.end(rest);
    expect((await answer).fullText).toBe("Deep.");
    expect(requests()).toBe(1);
  });

  test("that stop are silence, measured from the last one (ME-13)", async () => {
    const { url, asked } = await listen();
    const { watching, nextSign } = watched(aiSdk(model(url), options));
    const clock = manualClock(0);
    const first = nextSign();
    const answer = withRetry(watching).complete(request(), { signal: new AbortController().signal, clock }).catch((error: unknown) => error);
    const response = await asked;
    response.write(head);
    await first;
    await clock.advance(SILENCE_MS - 50);
    const heard = nextSign();
    response.write(sign);
    await heard;
    await clock.advance(SILENCE_MS);
    const error = await answer;
    expect(ProviderError.is(error) && error.failure).toMatchObject({ kind: "timeout", code: "timeout" });
  });
});

test("liveFetch() leaves requests of others, and responses, as they are (ME-13)", async () => {
  const { url, asked } = await listen();
  const fetching = liveFetch()(`${url}/x`, { method: "POST", body: "{}" });
  (await asked).end("data: 1\n\n");
  const response = await fetching;
  expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([200, "text/event-stream", "data: 1\n\n"]);
});
