// Direct completions: a model call outside any turn (PP-47 to PP-49). The pure parts: checking what was asked,
// making the request, its replay identity, reading a structured answer. Running it is the caller's.

import type { JsonSchema, LlmAttachment, LlmContentBlock, LlmRequest, LlmResponse, ProviderFailure } from "./contract.ts";

export interface DirectRequest {
  /** Default: the provider's model. */
  readonly model?: string;
  readonly modelVariant?: string;
  readonly messages: readonly DirectMessage[];
  /** What image content points into by index. */
  readonly attachments?: readonly LlmAttachment[];
  /** Default `{ type: "text" }`. */
  readonly output?: DirectOutput;
  readonly generation?: LlmRequest["generation"];
  /** Books the usage and scopes provider caches. Default: no session. */
  readonly sessionId?: string;
  /** What this call is for; part of its replay identity. */
  readonly cause?: string;
  /** Tells apart identical calls of one turn. */
  readonly replayKey?: string;
}

export interface DirectMessage {
  readonly role: "user" | "assistant" | "system";
  /** A string is one text. */
  readonly content: string | readonly DirectContent[];
}

export type DirectContent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image"; readonly attachmentIndex: number };

export type DirectOutput =
  | { readonly type: "text" }
  | { readonly type: "jsonObject" }
  | { readonly type: "jsonSchema"; readonly name: string; readonly schema: JsonSchema; readonly strict?: boolean };

/** Which side went wrong: the caller, the model, or what lies between. */
export type DirectErrorClass = "invalid_request" | "invalid_response" | "transport";

const brand = Symbol.for("lash-runtime.DirectCompletionError");

/** A direct completion without a usable answer. */
export class DirectCompletionError extends Error {
  override readonly name = "DirectCompletionError";
  readonly [brand] = true;
  readonly errorClass: DirectErrorClass;
  /** `invalid_structured_output`, `invalid_direct_request`, the provider's code, or `provider_error`. */
  readonly code: string;
  /** The provider's failure, for class `transport` and for requests that the provider refused. */
  readonly failure: ProviderFailure | null;

  constructor(
    errorClass: DirectErrorClass,
    code: string,
    message: string,
    options: { cause?: unknown; failure?: ProviderFailure } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.errorClass = errorClass;
    this.code = code;
    this.failure = options.failure ?? null;
  }

  static is(error: unknown): error is DirectCompletionError {
    return typeof error === "object" && error !== null && brand in error;
  }
}

/** A failed provider call as a direct completion error: what the provider calls invalid is the caller's to mend. */
export function directErrorOf(failure: ProviderFailure, cause?: unknown): DirectCompletionError {
  const invalid = failure.kind === "validation" || failure.kind === "unsupported";
  const code = failure.code ?? failure.terminalReason;
  return new DirectCompletionError(invalid ? "invalid_request" : "transport", code, failure.message, { cause, failure });
}

/**
 * Checks a direct request and makes the model request.
 *
 * @param requestId - `direct:<uuid>` without a session.
 * @throws DirectCompletionError `invalid_direct_request` naming the field; nothing has been sent.
 */
export function directLlmRequest(direct: DirectRequest, requestId: string): LlmRequest {
  if (direct.messages.length === 0) throw invalidRequest("messages", "must not be empty");
  const attachments = direct.attachments ?? [];
  const messages = direct.messages.map(({ role, content }, index) => ({
    role,
    blocks: blocksOf(content, role, attachments.length, `messages[${index}].content`),
  }));
  if (messages.every(({ role }) => role === "system")) throw invalidRequest("messages", "need a user message");
  const cap = direct.generation?.outputTokenCap;
  if (cap !== undefined && !(Number.isSafeInteger(cap) && cap > 0)) {
    throw invalidRequest("generation.outputTokenCap", "must be a whole number of at least 1");
  }
  const { output } = direct;
  return {
    model: direct.model ?? "",
    ...(direct.modelVariant === undefined ? {} : { modelVariant: direct.modelVariant }),
    messages,
    attachments,
    tools: [],
    toolChoice: "none",
    generation: direct.generation ?? {},
    scope: { sessionId: direct.sessionId ?? requestId, agentFrameId: "direct", requestId },
    ...(output === undefined || output.type === "text" ? {} : { outputSpec: outputSpecOf(output) }),
  };
}

/**
 * The identity under which a direct call is journaled: its cause and key, or without a key the hash of what
 * was asked. Identical calls of one turn therefore need keys.
 *
 * @param hash - a digest of text, the same in every process.
 */
export function directReplayKey(
  direct: DirectRequest,
  from: { readonly sessionId: string; readonly source: string; readonly turnId: string },
  hash: (text: string) => string,
): string {
  const attachments = (direct.attachments ?? []).map(({ mime, data, reference }) => [mime, reference ?? [...data]]);
  const { model, modelVariant, messages, output, generation } = direct;
  const identity = direct.replayKey ?? hash(canonicalJson({ model, modelVariant, messages, output, generation, attachments }));
  return JSON.stringify([from.sessionId, from.source, from.turnId, direct.cause ?? "", identity]);
}

/** Tells what is wrong with a value by a schema, or null when it fits. */
export type JsonValidator = (schema: JsonSchema, value: unknown) => string | null;

/**
 * Reads the answer in the form that was asked for: its text, or the JSON value in it.
 *
 * @throws DirectCompletionError `invalid_structured_output` when it is no JSON or does not fit the schema.
 */
export function readDirectOutput(response: LlmResponse, output: DirectOutput | undefined, validate: JsonValidator): unknown {
  const text = response.fullText.trim();
  if (output === undefined || output.type === "text") return response.fullText;
  const value = parseJson(text);
  if (output.type === "jsonObject") {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    throw invalidOutput("the answer is not a JSON object");
  }
  const problem = validate(output.schema, value);
  if (problem !== null) throw invalidOutput(`the answer does not fit the schema "${output.name}": ${problem}`);
  return value;
}

function blocksOf(
  content: DirectMessage["content"],
  role: DirectMessage["role"],
  attachments: number,
  field: string,
): LlmContentBlock[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return content.map((item, index) => {
    if (item.type === "text") return item;
    if (role !== "user") throw invalidRequest(`${field}[${index}]`, "may hold an image only in a user message");
    const { attachmentIndex: at } = item;
    if (Number.isSafeInteger(at) && at >= 0 && at < attachments) return item;
    throw invalidRequest(`${field}[${index}].attachmentIndex`, `must point into ${attachments} attachments`);
  });
}

function outputSpecOf(output: Exclude<DirectOutput, { type: "text" }>): NonNullable<LlmRequest["outputSpec"]> {
  if (output.type === "jsonObject") return output;
  if (output.name.trim() === "") throw invalidRequest("output.name", "must not be blank");
  return { ...output, strict: output.strict ?? true };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidOutput("the answer is not JSON", cause);
  }
}

/** Keys in order at every depth, so that equal requests give equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function invalidRequest(field: string, problem: string): DirectCompletionError {
  return new DirectCompletionError("invalid_request", "invalid_direct_request", `${field} ${problem}`);
}

function invalidOutput(message: string, cause?: unknown): DirectCompletionError {
  return new DirectCompletionError("invalid_response", "invalid_structured_output", message, { cause });
}
