// How providers are told to keep a prompt prefix (PP-24). Markers go on copies: converted messages are shared.

import type { LanguageModelV4CallOptions, LanguageModelV4Message, SharedV4ProviderOptions } from "@ai-sdk/provider";
import { sha256Hex } from "../../domain/sha256.ts";
import type { ProviderOptions } from "../contract.ts";
import type { ConvertedPrompt } from "./prompt.ts";

/** `anthropic` marks blocks, `openai` names a cache key, `none` leaves it to the provider. */
export type CacheDialect = "anthropic" | "openai" | "none";

type Retention = NonNullable<ProviderOptions["cacheRetention"]>;
type Hinted = Pick<LanguageModelV4CallOptions, "prompt" | "tools" | "providerOptions">;

/** Anthropic takes four markers; one goes to the system prompt and one to the tools. */
const MESSAGE_MARKERS = 2;

/** Longer keys are refused; ids of sessions may be longer. */
const MAX_CACHE_KEY = 64;

export function defaultCacheDialect(modelProvider: string): CacheDialect {
  if (modelProvider.startsWith("anthropic")) return "anthropic";
  return modelProvider.startsWith("openai.") ? "openai" : "none";
}

/** Adds the hints to a call that is about to be made. */
export function withCacheHints(
  call: Hinted,
  breakpoints: ConvertedPrompt["breakpoints"],
  dialect: CacheDialect,
  retention: Retention,
  sessionId: string,
): Hinted {
  if (dialect === "none" || retention === "none") return call;
  return dialect === "openai" ? withCacheKey(call, retention, sessionId) : withMarkers(call, breakpoints, retention);
}

function withCacheKey(call: Hinted, retention: Retention, sessionId: string): Hinted {
  const promptCacheKey = sessionId.length > MAX_CACHE_KEY ? sha256Hex(sessionId) : sessionId;
  const hint = { promptCacheKey, ...(retention === "long" ? { promptCacheRetention: "24h" } : {}) };
  return { ...call, providerOptions: merged({ openai: hint }, call.providerOptions) };
}

function withMarkers(call: Hinted, breakpoints: readonly number[], retention: Retention): Hinted {
  const ttl = retention === "long" ? { ttl: "1h" } : {};
  const marker: SharedV4ProviderOptions = { anthropic: { cacheControl: { type: "ephemeral", ...ttl } } };
  const prompt = [...call.prompt];
  const mark = (at: number): void => {
    const message = prompt[at];
    if (message !== undefined) prompt[at] = { ...message, providerOptions: merged(message.providerOptions, marker) };
  };
  mark(prompt.findIndex((message) => message.role === "system"));
  const explicit = breakpoints.filter((at) => prompt[at]?.role !== "system").slice(-MESSAGE_MARKERS);
  for (const at of explicit.length > 0 ? explicit : [prompt.findLastIndex(isCacheable)]) mark(at);

  const lastTool = call.tools?.at(-1);
  if (call.tools === undefined || lastTool?.type !== "function") return { ...call, prompt };
  const marked = { ...lastTool, providerOptions: merged(lastTool.providerOptions, marker) };
  return { ...call, prompt, tools: [...call.tools.slice(0, -1), marked] };
}

/** A message whose last part can carry a marker: reasoning cannot. */
function isCacheable(message: LanguageModelV4Message): boolean {
  return message.role !== "system" && message.content.at(-1)?.type !== "reasoning";
}

/** Joins option objects of the same provider name; the second wins. */
export function merged(
  first: SharedV4ProviderOptions | undefined,
  second: SharedV4ProviderOptions | undefined,
): SharedV4ProviderOptions {
  const result: SharedV4ProviderOptions = { ...first };
  for (const [provider, options] of Object.entries(second ?? {})) result[provider] = { ...result[provider], ...options };
  return result;
}
