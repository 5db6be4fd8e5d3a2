// The same adapter and the same client in a browser tab.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { expect, test } from "vitest";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";
import { withRetry } from "../../src/providers/retry.ts";
import { scriptedProvider } from "../../src/testing/index.ts";
import { recordingCall, request } from "./fixtures.ts";

const chunk = (choice: object): string => `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, ...choice }] })}\n\n`;

test("a streamed answer is read from fetch, after a retried 503", async () => {
  let calls = 0;
  const fetch = (): Promise<Response> => {
    calls += 1;
    if (calls === 1) return Promise.resolve(new Response("{}", { status: 503 }));
    const body = chunk({ delta: { content: "from " } }) + chunk({ delta: { content: "a tab" } }) + chunk({ delta: {}, finish_reason: "stop" });
    return Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
  };
  const client = createOpenAICompatible({ name: "wire", baseURL: "http://model.test/v1", fetch });
  const provider = aiSdk(client("m"), { reliability: { retry: { baseDelayMs: 1 } } });
  const call = recordingCall();
  const response = await withRetry(provider).complete(request(), call);
  expect([response.fullText, calls]).toEqual(["from a tab", 2]);
  expect(call.events.map((event) => event.type)).toContain("modelAttemptReset");
});

test("scripted providers run in a tab", async () => {
  const response = await withRetry(scriptedProvider(["hello"])).complete(request(), recordingCall());
  expect(response).toMatchObject({ fullText: "hello", textStreamed: true });
});
