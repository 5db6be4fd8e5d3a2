// Questions that a running tool asks a model: recorded one by one, under the call and not under its attempt (OP-5, PP-48).
//
//   Q1. An answer is durable before the tool has it, so what the tool does with it never rests on something forgotten.
//   Q2. What did not become an answer is not recorded: the tool may ask again.
//   Q3. A call that has ended writes nothing more (CT1 of calling-tool.ts).

import { copyJson } from "../../../domain/copy-json.ts";
import { effectError } from "../../../domain/errors.ts";
import type { LlmResponse } from "../../../providers/contract.ts";
import type { DirectAnswer, ToolCall } from "../../../tools/contract.ts";
import type { DirectPort, DirectQuestion } from "../../ports.ts";
import { operationOf, recordCall } from "./batch-input.ts";
import type { CallingTool } from "./calling-tool.ts";

export function questionsOf(calling: CallingTool): ToolCall["complete"] {
  const asked = new Map<string, Promise<DirectAnswer>>();
  return async (question) => {
    const port = await calling.batch.session.ports.direct();
    const { key, digest } = port.identify(question);
    const id = `${key}:${digest}`;
    const known = asked.get(id);
    if (known) return known;
    const answer = ask(calling, port, question, key, digest);
    asked.set(id, answer);
    answer.catch(() => asked.delete(id));
    return answer;
  };
}

async function ask(calling: CallingTool, port: DirectPort, question: DirectQuestion, key: string, digest: string): Promise<DirectAnswer> {
  const { batch, scope, call, signal } = calling;
  const replayKey = `${call.key}:direct:${key}`;
  calling.assertRunning("`complete`");
  const { outcome, source } = await scope.note(replayKey, () => operationOf(batch, replayKey, { kind: "direct", question: digest }, call.key), async () => {
    const { provider, config: { policy: { model } } } = batch.plan;
    const watched = batch.trace?.watchProvider(provider, "direct") ?? provider;
    const response = await port.ask(question, { provider: watched, model, sessionId: batch.turn.sessionId, requestId: replayKey, signal });
    recordCall(batch, { source: "direct", model: question.model ?? model.id, usage: response.usage, status: "completed" });
    const { providerUsage: _raw, ...kept } = response;
    return { ok: copyJson(kept) };
  });
  if ("error" in outcome) throw effectError("runtime_effect_controller", outcome.error.message);
  calling.assertRunning("`complete`");
  if (source === "run") await calling.save();
  return port.read(question, outcome.ok as unknown as LlmResponse);
}
