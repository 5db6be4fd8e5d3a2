// What hosts say of the model calls of a turn: for all sessions, for one, or for one turn (ME-17). Checked before anything happens.

import type { HostAsk, OutputSchema } from "./actors/turn-plan.ts";
import { errorText } from "./domain/error-mapping.ts";
import { invalidArgument, refuseUnknown } from "./domain/invalid-argument.ts";
import { isJson, isPlainObject, type JsonObject } from "./domain/json.ts";
import { askOver, type GenerationSettings, type ReasoningEffort, type ToolDemand, type TurnAsk } from "./domain/turn-ask.ts";
import type { StandardSchema, ToJsonSchema } from "./tools/contract.ts";
import { describedOutput } from "./tools/input-schema.ts";
import type { Output } from "./turn-value.ts";

export interface AskOptions<Wanted extends Output = Output> {
  /**
   * What a turn ends with: a value of this schema, as `result.value`. A schema of any library that follows Standard Schema, or a JSON
   * Schema. An answer that does not fit is asked for again, at most twice, with the problem named; then the turn ends as
   * `stopped: "provider_error"` with the error `invalid_structured_output`.
   */
  readonly output?: Wanted & {};
  /** Whether the model has to call a tool: at the first model call of a turn, or with `calls: "all"` at each of them. Default `auto`. */
  readonly toolChoice?: ToolDemand | { readonly choice: ToolDemand; readonly calls: "first" | "all" };
  readonly generation?: GenerationSettings;
  /** How hard the model is to think, in words that each provider translates. Default: as the provider has it. */
  readonly reasoning?: ReasoningEffort;
  /** By provider name, as the provider's client takes them. Stored with the turn: no place for secrets. */
  readonly providerOptions?: Readonly<Record<string, JsonObject>>;
  /** Sent with the requests. Never stored: a process that goes on with the turn sends those of its own lash and session. */
  readonly headers?: Readonly<Record<string, string>>;
}

export const ASK_OPTIONS = ["output", "toolChoice", "generation", "reasoning", "providerOptions", "headers"] as const satisfies readonly (keyof AskOptions)[];

const DEMANDS = ["auto", "none", "required"];
const EFFORTS: readonly string[] = ["provider-default", "none", "minimal", "low", "medium", "high", "xhigh"] satisfies readonly ReasoningEffort[];
const isPositive = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
const isNumber = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);

const GENERATION: Readonly<Record<keyof GenerationSettings, readonly [accepts: (value: unknown) => boolean, expected: string]>> = {
  outputTokenCap: [isPositive, "a positive whole number"],
  temperature: [isNumber, "a number"],
  topP: [isNumber, "a number"],
  topK: [isPositive, "a positive whole number"],
  seed: [(value) => Number.isSafeInteger(value), "a whole number"],
  stopSequences: [(value) => Array.isArray(value) && value.every((each) => typeof each === "string" && each !== ""), "a list of texts that are not empty"],
  presencePenalty: [isNumber, "a number"],
  frequencyPenalty: [isNumber, "a number"],
};

/**
 * @param before - what was said before; each field that is given here takes the place of its.
 * @throws LashError `invalid_argument` - naming the field; also for a schema that cannot be told to a model.
 */
export function asksOf(options: AskOptions, toJsonSchema: ToJsonSchema | undefined, before: HostAsk = { ask: {} }): HostAsk {
  const output = options.output === undefined ? undefined : outputOf(options.output, toJsonSchema);
  const headers = options.headers === undefined ? before.headers : { ...before.headers, ...checkedHeaders(options.headers) };
  const validator = output === undefined ? before.output : output.validator;
  return {
    ask: askOver(before.ask, { ...(output && { output: output.asked }), ...storedAsk(options) }),
    ...(headers && { headers }),
    ...(validator && { output: validator }),
  };
}

function storedAsk({ toolChoice, generation, reasoning, providerOptions }: AskOptions): TurnAsk {
  if (reasoning !== undefined && !EFFORTS.includes(reasoning)) throw invalidArgument("reasoning", `one of ${EFFORTS.join(", ")}`);
  return {
    ...(toolChoice !== undefined && { toolChoice: choiceOf(toolChoice) }),
    ...(generation !== undefined && { generation: checkedGeneration(generation) }),
    ...(reasoning !== undefined && { reasoning }),
    ...(providerOptions !== undefined && { providerOptions: checkedProviderOptions(providerOptions) }),
  };
}

function choiceOf(given: NonNullable<AskOptions["toolChoice"]>): NonNullable<TurnAsk["toolChoice"]> {
  if (typeof given === "object" && given !== null && "choice" in given) {
    refuseUnknown(given, ["choice", "calls"], "toolChoice");
    if (given.calls !== "first" && given.calls !== "all") throw invalidArgument("toolChoice.calls", '"first" or "all"');
    return { demand: demandOf(given.choice, "toolChoice.choice"), calls: given.calls };
  }
  return { demand: demandOf(given, "toolChoice"), calls: "first" };
}

function demandOf(given: unknown, field: string): ToolDemand {
  if (typeof given === "string" && DEMANDS.includes(given)) return given as ToolDemand;
  if (isPlainObject(given) && typeof given["tool"] === "string" && given["tool"] !== "" && Object.keys(given).length === 1) return { tool: given["tool"] };
  throw invalidArgument(field, `one of ${DEMANDS.join(", ")}, or { tool: "name" }`);
}

function checkedGeneration(given: GenerationSettings): GenerationSettings {
  refuseUnknown(given, Object.keys(GENERATION), "generation");
  for (const [field, [accepts, expected]] of Object.entries(GENERATION)) {
    const value = given[field as keyof GenerationSettings];
    if (value !== undefined && !accepts(value)) throw invalidArgument(`generation.${field}`, expected);
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function checkedProviderOptions(given: NonNullable<AskOptions["providerOptions"]>): NonNullable<TurnAsk["providerOptions"]> {
  if (!isPlainObject(given) || !Object.values(given).every((options) => isPlainObject(options) && isJson(options))) {
    throw invalidArgument("providerOptions", "an object of JSON objects by provider name");
  }
  return given;
}

function checkedHeaders(given: NonNullable<AskOptions["headers"]>): Readonly<Record<string, string>> {
  if (!isPlainObject(given) || !Object.values(given).every((value) => typeof value === "string")) throw invalidArgument("headers", "an object of texts by header name");
  return given;
}

function outputOf(given: NonNullable<AskOptions["output"]>, toJsonSchema: ToJsonSchema | undefined): { readonly asked: NonNullable<TurnAsk["output"]>; readonly validator?: OutputSchema } {
  const validator = isStandard(given) ? given : undefined;
  let schema: unknown;
  try {
    schema = validator ? describedOutput(validator, toJsonSchema) : given;
  } catch (error) {
    throw invalidArgument("output", `a schema that can be told to a model (${errorText(error)}); give its JSON Schema, or a converter as \`toJsonSchema\` to createLash()`);
  }
  if (!isPlainObject(schema) || !isJson(schema)) throw invalidArgument("output", "a schema of a library that follows Standard Schema, or a JSON Schema");
  return { asked: { name: "answer", schema }, ...(validator && { validator: { validator, schema } }) };
}

const isStandard = (given: unknown): given is StandardSchema => (typeof given === "object" || typeof given === "function") && given !== null && "~standard" in given;
