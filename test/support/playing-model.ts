// A language model of the AI SDK that plays stream parts, call by call, and remembers what it was asked.

import type { LanguageModelV4, LanguageModelV4Prompt, LanguageModelV4StreamPart } from "@ai-sdk/provider";

export type StreamPart = LanguageModelV4StreamPart;

export interface PlayingModel {
  readonly model: LanguageModelV4;
  /** As JSON: what could be compared byte by byte. Bytes of files are arrays of numbers. */
  readonly prompts: LanguageModelV4Prompt[];
}

export const usage = {
  inputTokens: { total: 3, noCache: 3, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 2, text: undefined, reasoning: undefined },
};

export const finish = (unified: "stop" | "tool-calls" | "length" = "stop", extra: object = {}): StreamPart => ({ type: "finish", finishReason: { unified, raw: unified }, usage, ...extra });

/** The end of a stream is added where the script has none. */
export function playingModel(script: (call: number) => readonly StreamPart[], modelId = "m"): PlayingModel {
  const prompts: LanguageModelV4Prompt[] = [];
  const model: LanguageModelV4 = {
    specificationVersion: "v4",
    provider: "acme.chat",
    modelId,
    supportedUrls: {},
    doGenerate: () => Promise.reject(new Error("this model streams")),
    doStream: async ({ prompt }) => {
      const call = prompts.push(plain(prompt)) - 1;
      const parts = script(call);
      const whole = parts.some(({ type }) => type === "finish") ? parts : [...parts, finish()];
      return { stream: new ReadableStream({ start: (controller) => (whole.forEach((part) => controller.enqueue(part)), controller.close()) }) };
    },
  };
  return { model, prompts };
}

const plain = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value, (_key, member: unknown) => (member instanceof Uint8Array ? [...member] : member))) as Value;

export const text = (id: string, said: string): readonly StreamPart[] => [{ type: "text-start", id }, { type: "text-delta", id, delta: said }, { type: "text-end", id }];
