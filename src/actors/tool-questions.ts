// Questions that a running tool asks a model: recorded one by one, under the call and not under its attempt (OP-5, PP-48).
//
//   Q1. An answer is durable before the tool has it, so what the tool does with it never rests on something forgotten.
//   Q2. What did not become an answer is not recorded: the tool may ask again.
//   Q3. A call that has ended writes nothing more: a step names the attempts that run, and would name those of another batch.

import { copyJson } from "../domain/copy-json.ts";
import { effectError } from "../domain/errors.ts";
import type { LlmResponse } from "../providers/contract.ts";
import type { DirectAnswer, ToolCall } from "../tools/contract.ts";
import type { BatchContext } from "./batch-context.ts";
import type { DirectPort, DirectQuestion } from "./ports.ts";
import type { LaunchedCall } from "./tool-plan.ts";

/** What a call's questions have to know of the attempt that asks. */
export interface Asking {
  readonly hasEnded: () => boolean;
  /** Makes what is recorded durable. */
  readonly save: () => Promise<void>;
  /** Called once the attempt has ended, whatever the tool still does; at once where it has. */
  readonly onEnd: (cleanUp: () => void) => void;
  /** All that it does is wait for something that waits for an answer from outside, or no more. */
  readonly onParked: (parked: boolean) => void;
}

export function questionsOf(context: BatchContext, call: LaunchedCall, attempt: Asking): ToolCall["complete"] {
  const asked = new Map<string, Promise<DirectAnswer>>();
  return async (question) => {
    const port = await context.direct.port();
    const { key, digest } = port.identify(question);
    const id = `${key}:${digest}`;
    const known = asked.get(id);
    if (known) return known;
    const answer = ask(context, call, attempt, port, question, `${call.key}:direct:${key}`, digest);
    asked.set(id, answer);
    answer.catch(() => asked.delete(id));
    return answer;
  };
}

async function ask(context: BatchContext, call: LaunchedCall, attempt: Asking, port: DirectPort, question: DirectQuestion, replayKey: string, digest: string): Promise<DirectAnswer> {
  const { controller, envelope, sessionId, signal, direct } = context;
  const assertRunning = (): void => {
    if (attempt.hasEnded()) throw effectError("durable_effects_unavailable_in_tool_attempt", "the tool call has ended; wait for `complete` before the tool returns");
  };
  assertRunning();
  const { provider, config: { policy: { model } } } = direct.plan();
  const { outcome, source } = await controller.execute(replayKey, () => envelope(replayKey, call.key, { kind: "direct", question: digest }), async () => {
    const asked = context.trace?.watchProvider(provider, "direct") ?? provider;
    const response = await port.ask(question, { provider: asked, model, sessionId, requestId: replayKey, signal });
    direct.record({ source: "direct", model: question.model ?? model.id, usage: response.usage, status: "completed" });
    const { providerUsage: _raw, ...kept } = response;
    return { ok: copyJson(kept) };
  });
  if ("error" in outcome) throw effectError("runtime_effect_controller", outcome.error.message);
  assertRunning();
  if (source === "run") await attempt.save();
  return port.read(question, outcome.ok as unknown as LlmResponse);
}
