// Direct completions inside a turn: what the runtime needs of them, in a module that is loaded when a tool first asks.

import type { DirectPort, DirectQuestion } from "../actors/ports.ts";
import type { Clock } from "../domain/clock.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { LlmRequest, LlmResponse, Provider } from "./contract.ts";
import { directReplayKey, readDirectOutput } from "./direct.ts";
import { completeDirect } from "./direct-client.ts";
import { jsonSchemaProblem } from "./json-schema.ts";

/** @param loadImages - puts the bytes of stored images into a request. */
export function directPort(clock: Clock, loadImages: (request: LlmRequest) => Promise<LlmRequest>): DirectPort {
  const digest = (question: DirectQuestion): string => sha256Hex(directReplayKey(question, { sessionId: "", source: "direct", turnId: "" }, sha256Hex));
  return {
    identify(question) {
      const { replayKey: _, ...asked } = question;
      return { key: digest(question), digest: digest(asked) };
    },
    async ask(question, { provider, model, sessionId, requestId, signal }) {
      const withImages: Provider = { ...provider, complete: async (request, call) => provider.complete(await loadImages(request), call) };
      const own = question.model === undefined ? { model: model.id, ...(model.variant !== undefined && { modelVariant: model.variant }) } : {};
      const { response } = await completeDirect(withImages, { ...own, ...question, sessionId }, { requestId, validate: jsonSchemaProblem, signal, clock });
      return response;
    },
    read: (question, response: LlmResponse) =>
      Promise.resolve({ output: readDirectOutput(response, question.output, jsonSchemaProblem), text: response.fullText, usage: response.usage }),
  };
}
