// Which model the agent talks to, over HTTP with the AI SDK's own client.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
// An app writes `from "lash-runtime"` and `from "lash-runtime/ai-sdk"`.
import type { Provider } from "../../src/index.ts";
import { aiSdk } from "../../src/providers/ai-sdk/index.ts";

export interface Endpoint {
  /** Base URL of an OpenAI-compatible API, up to and including `/v1`. */
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string;
}

export const SCRIPTED_MODEL = "scripted-model";

/** The endpoint named by AGENT_BASE_URL, AGENT_MODEL and AGENT_API_KEY; undefined when there is none, half of one ends the program. */
export function endpointOf(env: NodeJS.ProcessEnv): Endpoint | undefined {
  const { AGENT_BASE_URL: url, AGENT_MODEL: model, AGENT_API_KEY: apiKey } = env;
  if (!url) return undefined;
  if (!model) {
    console.error("AGENT_BASE_URL is set and AGENT_MODEL is not: say which model to ask for.");
    process.exit(2);
  }
  return { url, model, ...(apiKey && { apiKey }) };
}

export function providerOf({ url, model, apiKey }: Endpoint): Provider {
  const client = createOpenAICompatible({ name: "agent", baseURL: url, includeUsage: true, ...(apiKey && { apiKey }) });
  // Sessions record their provider; under an id of our own they can be reopened with another endpoint.
  return aiSdk(client.chatModel(model), { id: "agent-host" });
}
