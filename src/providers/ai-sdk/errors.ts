// AI SDK errors as failures. They are recognised by their fields, never by instanceof or text: the package is not
// loaded here, and an app may hold several copies of it.

import { classifyFailure } from "../classify.ts";
import type { ProviderFailure } from "../contract.ts";
import { ProviderError, providerFailure } from "../failure.ts";

/** Headers that help to understand a refusal; others may hold secrets and stay out of journals and traces. */
const KEPT_HEADERS = ["retry-after", "x-request-id", "request-id", "x-should-retry", "cf-ray"];

/** Errors inside a stream carry a type instead of a status. */
const STATUS_BY_TYPE: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["rate_limit_exceeded", 429],
]);

type Fields = Readonly<Record<string, unknown>>;

/** What stopped a call before its stream began. */
export function failureOfCallError(error: unknown): ProviderFailure {
  if (ProviderError.is(error)) return error.failure;
  const fields = fieldsOf(error);
  const status = errorStatus(fields);
  if (status !== undefined) return failureFrom(fields, "http", false);
  // A status of 200 means that the body broke off while the client was reading it.
  if (typeof fields["statusCode"] === "number") return failureFrom(fields, "stream", true);
  if (fields["name"] === "AI_APICallError") return failureFrom(fields, "transport", fields["isRetryable"] !== false);
  if (fields["name"] === "TypeError" && fieldsOf(fields["cause"])["code"] !== undefined) {
    return failureFrom(fields, "transport", true);
  }
  if (fields["name"] === "AI_LoadAPIKeyError") return failureFrom(fields, "auth", false);
  if (fields["name"] === "AI_UnsupportedFunctionalityError") return failureFrom(fields, "unsupported", false);
  return failureFrom(fields, startsWithAi(fields["name"]) ? "validation" : "unknown", false);
}

/** What broke a stream after it began: worth another attempt unless the provider says what was wrong with the request. */
export function failureOfStreamError(error: unknown): ProviderFailure {
  if (ProviderError.is(error)) return error.failure;
  const fields = fieldsOf(error);
  return failureFrom(fields, "stream", fields["isRetryable"] !== false);
}

function failureFrom(fields: Fields, kind: ProviderFailure["kind"], retryable: boolean): ProviderFailure {
  const inner = innerError(fields);
  const code = stringOf(inner["code"]) ?? stringOf(inner["type"]) ?? stringOf(fields["code"]);
  const type = stringOf(inner["type"]) ?? code;
  const status = errorStatus(fields) ?? (type === undefined ? undefined : STATUS_BY_TYPE.get(type));
  const raw = stringOf(fields["responseBody"]);
  return classifyModelFailure(
    providerFailure(status !== undefined && kind === "stream" ? "unknown" : kind, messageOf(fields, inner), {
      retryable,
      headers: keptHeaders(fields["responseHeaders"]),
      ...(status === undefined ? {} : { status }),
      ...(code === undefined ? {} : { code }),
      ...(raw === undefined ? {} : { raw }),
    }),
  );
}

/** The default classification, and 529: Anthropic's word for being overloaded, which passes like a 503. */
export function classifyModelFailure(failure: ProviderFailure): ProviderFailure {
  const classified = classifyFailure(failure);
  return classified.status === 529 && classified.kind === "http" ? { ...classified, retryable: true } : classified;
}

/** Providers wrap the error proper in `error`, clients wrap that in `data`. */
function innerError(fields: Fields): Fields {
  const data = fieldsOf(fields["data"]);
  const nested = [fieldsOf(data["error"]), data, fieldsOf(fields["error"])].find(
    (candidate) => candidate["code"] !== undefined || candidate["type"] !== undefined,
  );
  return nested ?? fields;
}

function messageOf(fields: Fields, inner: Fields): string {
  return stringOf(fields["message"]) ?? stringOf(inner["message"]) ?? "the model call failed";
}

function errorStatus(fields: Fields): number | undefined {
  const status = fields["statusCode"];
  return typeof status === "number" && status >= 400 ? status : undefined;
}

function keptHeaders(headers: unknown): ProviderFailure["headers"] {
  const kept: [string, string][] = [];
  for (const [name, value] of Object.entries(fieldsOf(headers))) {
    const lower = name.toLowerCase();
    if (typeof value === "string" && (KEPT_HEADERS.includes(lower) || lower.startsWith("x-ratelimit-"))) {
      kept.push([lower, value]);
    }
  }
  return kept;
}

/** Reads `name` and `message` of errors too, which are not own enumerable properties. */
function fieldsOf(value: unknown): Fields {
  if (typeof value === "string") return { message: value };
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function stringOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}

const startsWithAi = (name: unknown): boolean => typeof name === "string" && name.startsWith("AI_");
