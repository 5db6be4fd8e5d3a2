// The form of an answer, told in words to those whose client does not pass a schema on.

import type { LlmMessage, LlmRequest } from "../contract.ts";
import type { Wire } from "../wire.ts";

/** The request itself where nothing has to be told, or has been. */
export function withSchemaTold(request: LlmRequest, { outputSchema }: Wire): LlmRequest {
  const { outputSpec, messages } = request;
  if (outputSchema !== "told" || outputSpec?.type !== "jsonSchema") return request;
  const text = `Give your final answer as JSON that fits this JSON Schema, and nothing beside it:\n${JSON.stringify(outputSpec.schema)}`;
  const [first] = messages;
  const prompt = first?.role === "system" ? first : undefined;
  if (prompt?.blocks.some((block) => block.type === "text" && block.text === text)) return request;
  const system: LlmMessage = { role: "system", blocks: [...(prompt?.blocks ?? []), { type: "text", text }] };
  return { ...request, messages: [system, ...(prompt ? messages.slice(1) : messages)] };
}
