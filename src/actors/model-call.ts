// Model calls: an llm_call request becomes a provider request, its stream becomes activities, its end an outcome.

import type { Clock } from "../domain/clock.ts";
import { copyJson } from "../domain/copy-json.ts";
import type { Json } from "../domain/json.ts";
import type { AttachmentRef } from "../domain/messages.ts";
import type { ModelCallRecord } from "../domain/outcome.ts";
import type { ModelSpec } from "../domain/session.ts";
import { shownTools } from "../domain/turn-config.ts";
import { addUsage, type TokenUsage } from "../domain/usage.ts";
import type { Prompt } from "./history.ts";
import { demandAt } from "../domain/turn-ask.ts";
import type { EffectOutcome, OutputCheck } from "../machines/effects.ts";
import type { LlmAttempt, LlmFilePart, LlmMessage, LlmOutputPart, LlmRequest, LlmResponse, PartialAnswer, ProviderFailure } from "../providers/contract.ts";
import type { JournaledOutcome } from "../stores/contract.ts";
import { type Emit, LiveAnswer } from "./live-answer.ts";
import { checkedOutput, type CheckJson } from "./output-check.ts";
import { ResponseSize } from "./response-size.ts";
import type { EffectTrace } from "./trace-port.ts";
import type { TurnPlan } from "./turn-plan.ts";

export type { Emit } from "./live-answer.ts";

export interface ModelCall {
  readonly plan: TurnPlan;
  readonly trace: EffectTrace | undefined;
  readonly prompt: Prompt;
  /** Stores a file that the model made; what it throws is no failure of the call. */
  readonly storeFile: (bytes: Uint8Array, mime: string) => Promise<AttachmentRef>;
  /** Puts the bytes of images into a request; fails as a provider does. */
  readonly loadImages: (request: LlmRequest) => Promise<LlmRequest>;
  readonly scope: LlmRequest["scope"];
  readonly effectId: number;
  /** The first model call of its turn. */
  readonly isFirst: boolean;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly checkJson: CheckJson;
  /** Of text, reasoning and arguments together. */
  readonly maxResponseBytes: number;
  /** Distinguishes providers' errors from others without knowing their class. */
  readonly failureOf: FailureOf;
}

export type FailureOf = (error: unknown) => { readonly failure: ProviderFailure; readonly attempts: readonly LlmAttempt[]; readonly partial?: PartialAnswer };

/** Form of an llm_call in the journal: an answer, or the failure it ended in, both with what they cost (E-8). */
type RecordedCall = { readonly response: Json; readonly output?: Json } | { readonly failure: Json };

export function buildRequest({ plan, prompt: { messages, images }, scope, isFirst }: ModelCall): LlmRequest {
  const { system: prompt, tools, policy: { model }, ask = {} } = plan.config;
  const { output, generation = {}, reasoning, providerOptions } = ask;
  const system: LlmMessage[] = prompt.trim() === "" ? [] : [{ role: "system", blocks: [{ type: "text", text: prompt }] }];
  return {
    model: model.id,
    ...(model.variant !== undefined && { modelVariant: model.variant }),
    messages: system.length > 0 ? [...system, ...messages] : messages,
    // Bytes are put in just before the call, and never into anything that is kept (E-4).
    attachments: images.map(({ id, mime }) => ({ mime, data: new Uint8Array(), reference: id })),
    tools: shownTools(tools),
    toolChoice: demandAt(ask, isFirst),
    generation,
    ...(reasoning !== undefined && { reasoning }),
    ...(providerOptions && { providerOptions }),
    ...(plan.headers && { headers: plan.headers }),
    ...(plan.media && { media: plan.media }),
    ...(output && { outputSpec: { type: "jsonSchema" as const, ...output, strict: true } }),
    scope,
  };
}

/** Makes the call. Whatever the provider does is an outcome, never a throw. */
export async function callModel(call: ModelCall): Promise<JournaledOutcome> {
  let response: Omit<LlmResponse, "fullText" | "providerUsage">;
  if (call.signal.aborted) {
    return recorded({ failure: copyJson({ ...cancelled, attempts: [] }) });
  }
  const size = new ResponseSize(call.maxResponseBytes, call.signal);
  const live = new LiveAnswer(call.emit, call.effectId, call.clock);
  try {
    const { provider, asked = provider, config } = call.plan;
    const watched = call.trace?.watchProvider(asked, "turn", config) ?? asked;
    const { fullText: _derivable, providerUsage: _raw, ...answered } = await watched.complete(await call.loadImages(buildRequest(call)), {
      signal: size.signal,
      clock: call.clock,
      onStreamEvent: (event) => {
        size.count(event);
        return live.take(event);
      },
    });
    size.check(answered);
    response = answered;
  } catch (error) {
    await live.fail();
    // What the provider said of being cut off is not what went wrong.
    return recorded({ failure: copyJson(size.failure ?? call.failureOf(error)) });
  }
  const kept = { ...response, parts: await withFilesStored(response.parts, call) };
  await live.settle(kept);
  const output = await checkedOutput(kept, call.plan, call.checkJson);
  return recorded({ response: copyJson(kept), ...(output && { output: copyJson(output) }) });
}

const recorded = (call: RecordedCall): JournaledOutcome => ({ ok: call });

/** Bytes are stored before the outcome that names them is recorded (E-4). */
async function withFilesStored(parts: readonly LlmOutputPart[], { storeFile }: ModelCall): Promise<readonly LlmOutputPart[]> {
  if (!parts.some(hasBytes)) return parts;
  return Promise.all(
    parts.map(async (part) => {
      if (!hasBytes(part)) return part;
      const { data, ...file } = part;
      return { ...file, attachment: await storeFile(data, part.mime) };
    }),
  );
}

const hasBytes = (part: LlmOutputPart): part is LlmFilePart & { readonly data: Uint8Array } =>
  (part.type === "file" || part.type === "reasoningFile") && part.data !== undefined;

const cancelled: { readonly failure: ProviderFailure } = {
  failure: { kind: "unknown", message: "the model call was cancelled", retryable: false, headers: [], terminalReason: "cancelled", code: "cancelled" },
};

/** Reads a recorded outcome back, and what the call used, whatever it came to. */
export function modelOutcome(recorded: Json, effectId: number, plan: TurnPlan): EffectOutcome {
  const entry = recorded as unknown as { response?: Omit<LlmResponse, "fullText">; output?: OutputCheck; failure?: ReturnType<FailureOf> };
  const { providerId, model } = plan.config.policy;
  const asked = { provider: providerId, model: model.id };
  if (entry.response) {
    const response: LlmResponse = { ...entry.response, fullText: "", origin: entry.response.origin ?? asked };
    return { kind: "llm_call", response: withCapacity(response, plan.config.policy.model), call: callRecord(effectId, plan, response.attempts ?? [], response.usage), ...(entry.output && { output: entry.output }) };
  }
  const { failure, attempts, partial } = entry.failure ?? { ...cancelled, attempts: [] };
  return { kind: "llm_failure", failure, call: callRecord(effectId, plan, attempts, null), ...(partial && { partial, origin: asked }) };
}

/** An answer cut off before its first token in a full window was too long a prompt, not too long an answer (T-24). */
function withCapacity(response: LlmResponse, model: ModelSpec): LlmResponse {
  const window = model.limits?.contextWindowTokens;
  if (response.terminalReason !== "output_limit" || response.usage.outputTokens > 0 || window === undefined) return response;
  const prompt = response.usage.inputTokens + response.usage.cacheReadInputTokens + response.usage.cacheWriteInputTokens;
  return prompt >= 0.95 * window ? { ...response, terminalReason: "context_overflow" } : response;
}

function callRecord(effectId: number, plan: TurnPlan, attempts: readonly LlmAttempt[], final: TokenUsage | null): ModelCallRecord {
  const last = attempts.at(-1);
  const reported = attempts.map((attempt) => attempt.usage).filter((usage) => usage !== null);
  const usage = reported.length > 0 ? reported.reduce(addUsage) : final;
  const status = last?.status ?? (final ? "completed" : "aborted");
  return { effectId, source: "turn", model: plan.config.policy.model.id, usage, status };
}
