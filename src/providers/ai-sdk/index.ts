/**
 * Models of the AI SDK as providers. The AI SDK is used as types only: pass a model of any of its provider packages.
 *
 * @module
 */
import type {
  LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4FunctionTool, LanguageModelV4ProviderTool, LanguageModelV4ToolChoice, SharedV4ProviderOptions,
} from "@ai-sdk/provider";
import type { LlmRequest, LlmResponse, LlmToolSpec, Provider, ProviderCall, ProviderOptions } from "../contract.ts";
import { deliver } from "../deliver.ts";
import { cancelledFailure, ProviderError, providerFailure } from "../failure.ts";
import { checkVariant, outputTokenCap, parseProviderOptions } from "../options.ts";
import { wireOf, type Wire } from "../wire.ts";
import { defaultCacheDialect, merged, withCacheHints, type CacheDialect } from "./caching.ts";
import { classifyModelFailure, failureOfCallError, failureOfStreamError } from "./errors.ts";
import { onBytes } from "./live-fetch.ts";
import { PromptConverter } from "./prompt.ts";
import { ResponseBuilder, type BuilderOptions } from "./response.ts";
import { defaultWireOf } from "./wires.ts";

export type { CacheDialect } from "./caching.ts";
export { liveFetch } from "./live-fetch.ts";
export type { LlmOrigin } from "../contract.ts";
export type { IdRule, NameRule, Wire } from "../wire.ts";

/** Settings that go to the model with every call. */
export type AiSdkSettings = Pick<
  LanguageModelV4CallOptions,
  | "temperature"
  | "topP"
  | "topK"
  | "presencePenalty"
  | "frequencyPenalty"
  | "seed"
  | "stopSequences"
  | "reasoning"
  | "headers"
  | "providerOptions"
>;

export interface AiSdkOptions extends ProviderOptions {
  /** Recorded with sessions. Default `ai-sdk:<model.provider>`. */
  readonly id?: string;
  readonly settings?: AiSdkSettings;
  /** Named variants of the model: settings laid over `settings`. Default: no variants. */
  readonly variants?: Readonly<Record<string, AiSdkSettings>>;
  /** Finds other models by id, for requests that name one. Default: only the given model. */
  readonly models?: (modelId: string) => LanguageModelV4;
  /** False asks for whole answers, for models or gateways that cannot stream. Default true. */
  readonly streaming?: boolean;
  /**
   * Where system messages may stand. Default `leading`: most models refuse later ones, so those are sent as user
   * messages; `anywhere` sends them as they are.
   */
  readonly systemMessages?: "leading" | "anywhere";
  /**
   * Which of its own reasoning a model is sent again. `signed`: what came with metadata of the provider. `sinceLastUser`: also plain
   * reasoning text, as long as the user has said nothing since. `always`: all of it. Default: by the model's provider, which is
   * `sinceLastUser` for OpenAI-compatible servers and else `signed`.
   */
  readonly replayReasoning?: Wire["replayReasoning"];
  /**
   * What the provider takes, where that is not what is known of it by the model's provider: tool names, call ids, blank text, media,
   * who speaks first. Requests are brought into this form just before they are sent; what is stored stays as it is.
   */
  readonly wire?: Partial<Wire>;
  /**
   * Whether what one model said may be sent back with its metadata to another one, such as two names of one model. `provider` is the
   * id that is recorded with sessions. Default: only to the same provider and model.
   */
  readonly sameOrigin?: NonNullable<Provider["sameOrigin"]>;
  /** How prompt caching is asked for. Default: by the model's provider. */
  readonly cacheDialect?: CacheDialect;
  /**
   * Tools that the provider runs itself, such as web search: made by the functions that its package has for them. Their calls and
   * results are told and kept like others, marked `providerExecuted`; the runtime never runs them. Default: none.
   */
  readonly providerTools?: readonly LanguageModelV4ProviderTool[];
}

/**
 * Makes a provider of an AI SDK language model. One `complete` is one attempt: the client's own retries are not used.
 *
 * @example
 * createLash({ provider: aiSdk(openai("gpt-5")) });
 * @throws TypeError when the model is not a LanguageModelV4 or an option is unknown or out of range.
 */
export function aiSdk(model: LanguageModelV4, options: AiSdkOptions = {}): Provider {
  assertModel(model);
  const { id, settings, variants, models, streaming, systemMessages, replayReasoning, cacheDialect, wire, sameOrigin, providerTools, ...rest } = options;
  const providerOptions = parseProviderOptions(rest);
  wireOf(wire);
  const taken: Partial<Wire> = { ...defaultWireOf(model.provider), ...(replayReasoning && { replayReasoning }), ...wire };
  wireOf(taken);
  const dialect = cacheDialect ?? defaultCacheDialect(model.provider);
  const converter = new PromptConverter(systemMessages === "anywhere");
  const tools = new WeakMap<LlmToolSpec, LanguageModelV4FunctionTool>();
  const signsOfLife = keepAliveOptions(model.provider);
  const variantNames = variants === undefined ? [] : Object.keys(variants);

  const modelOf = (modelId: string): LanguageModelV4 => {
    if (modelId === "" || modelId === model.modelId) return model;
    if (models !== undefined) return models(modelId);
    const message = `this provider serves only ${model.modelId}, not ${modelId}; give it \`models\` to serve others`;
    throw new ProviderError(providerFailure("unsupported", message, { code: "model_not_found" }));
  };

  const callOptions = (request: LlmRequest, signal: AbortSignal): LanguageModelV4CallOptions => {
    const variant = request.modelVariant === undefined ? undefined : variants?.[request.modelVariant];
    const { prompt, breakpoints } = converter.convert(request);
    const asked = request.providerOptions as SharedV4ProviderOptions | undefined;
    const shared = merged(signsOfLife, merged(merged(settings?.providerOptions, variant?.providerOptions), asked));
    const call: LanguageModelV4CallOptions = { ...settings, ...variant, ...generationOf(request), prompt, abortSignal: signal };
    if (Object.keys(shared).length > 0) call.providerOptions = shared;
    if (settings?.headers !== undefined || request.headers !== undefined) call.headers = { ...settings?.headers, ...variant?.headers, ...request.headers };
    const offered = [...request.tools.map((tool) => convertTool(tool, tools)), ...(providerTools ?? [])];
    if (offered.length > 0) call.tools = offered;
    if (offered.length > 0 || request.toolChoice !== "auto") call.toolChoice = choiceOf(request.toolChoice);
    const cap = outputTokenCap(request, providerOptions);
    if (cap !== undefined) call.maxOutputTokens = cap;
    const responseFormat = responseFormatOf(request);
    if (responseFormat !== undefined) call.responseFormat = responseFormat;
    const retention = providerOptions.cacheRetention ?? "short";
    return { ...call, ...withCacheHints(call, breakpoints, dialect, retention, request.scope.sessionId) };
  };

  return {
    id: id ?? `ai-sdk:${model.provider}`,
    modelId: model.modelId,
    variants: variantNames,
    options: providerOptions,
    streams: streaming !== false,
    wire: taken,
    ...(sameOrigin && { sameOrigin }),
    classify: classifyModelFailure,
    async complete(request, call) {
      checkVariant(request.modelVariant, variantNames);
      const chosen = modelOf(request.model);
      const prepared = callOptions(request, call.signal);
      const builder: BuilderOptions = {
        originProvider: chosen.provider,
        originModel: chosen.modelId,
        exposeThinking: providerOptions.exposeThinking !== false,
      };
      const run = streaming === false ? generate : stream;
      return run(chosen, prepared, call, new ResponseBuilder(builder));
    },
  };
}

async function stream(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  call: ProviderCall,
  builder: ResponseBuilder,
): Promise<LlmResponse> {
  const { signal } = call;
  const asked = call.onProviderTrace ? { ...options, includeRawChunks: true } : options;
  // Under the signal that the client hands to its `fetch`.
  onBytes(signal, () => call.onProgress?.(0));
  const { stream: parts } = await orFailure(() => model.doStream(asked), signal, failureOfCallError);
  const reader = parts.getReader();
  // Models that do not listen to the signal are stopped by their reader.
  const onAbort = (): void => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    await orFailure(
      async () => {
        for (let next = await reader.read(); !next.done; next = await reader.read()) {
          if (next.value.type === "raw") {
            call.onProgress?.(0);
            call.onProviderTrace?.(next.value.rawValue);
            continue;
          }
          const event = builder.take(next.value);
          if (event === null) {
            call.onProgress?.(builder.silentChars);
            continue;
          }
          const pending = deliver(call, event);
          if (pending !== undefined) await pending;
        }
      },
      signal,
      failureOfStreamError,
    );
    if (signal.aborted) throw new ProviderError(cancelledFailure());
    return builder.response();
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Releases the socket when the stream was not read to its end.
    reader.cancel().catch(() => {});
  }
}

async function generate(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  { signal }: ProviderCall,
  builder: ResponseBuilder,
): Promise<LlmResponse> {
  const result = await orFailure(() => model.doGenerate(options), signal, failureOfCallError);
  builder.takeWhole(result);
  return builder.response();
}

/** Everything thrown below is a ProviderError above; what an abort caused is a cancelled call. */
async function orFailure<T>(
  run: () => PromiseLike<T>,
  signal: AbortSignal,
  failureOf: typeof failureOfCallError,
): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (signal.aborted) throw new ProviderError(cancelledFailure(), { cause });
    if (ProviderError.is(cause)) throw cause;
    throw new ProviderError(failureOf(cause), { cause });
  }
}

/** Settings of one request, over those of the provider. */
function generationOf({ generation, reasoning }: LlmRequest): Partial<LanguageModelV4CallOptions> {
  const { outputTokenCap: _, stopSequences, ...numbers } = generation;
  return { ...numbers, ...(stopSequences && { stopSequences: [...stopSequences] }), ...(reasoning !== undefined && { reasoning }) };
}

const choiceOf = (demand: LlmRequest["toolChoice"]): LanguageModelV4ToolChoice =>
  typeof demand === "string" ? { type: demand } : { type: "tool", toolName: demand.tool };

/** Options that make a client pass on what its provider sends to show that it is at work. */
function keepAliveOptions(modelProvider: string): SharedV4ProviderOptions | undefined {
  return modelProvider.startsWith("anthropic") ? { anthropic: { includePings: true } } : undefined;
}

function convertTool(
  tool: LlmToolSpec,
  known: WeakMap<LlmToolSpec, LanguageModelV4FunctionTool>,
): LanguageModelV4FunctionTool {
  const found = known.get(tool);
  if (found !== undefined) return found;
  const { name, description, inputSchema, strict } = tool;
  const converted: LanguageModelV4FunctionTool = { type: "function", name, description, inputSchema };
  if (strict !== undefined) converted.strict = strict;
  known.set(tool, converted);
  return converted;
}

function responseFormatOf({ outputSpec }: LlmRequest): LanguageModelV4CallOptions["responseFormat"] {
  if (outputSpec === undefined) return undefined;
  if (outputSpec.type === "jsonObject") return { type: "json" };
  return { type: "json", name: outputSpec.name, schema: outputSpec.schema };
}

function assertModel(model: LanguageModelV4): void {
  const version: unknown = typeof model === "object" && model !== null ? model.specificationVersion : undefined;
  if (version === "v4") return;
  throw new TypeError(
    `aiSdk() needs a language model of AI SDK 7 (LanguageModelV4), such as openai("gpt-5"); ` +
      (typeof model === "string"
        ? `"${String(model)}" is only a model id`
        : version === undefined
          ? "the value given is not a model"
          : `this model follows version ${String(version)}: update its provider package`),
  );
}
