import { isSecretKey } from "../domain/redact.ts";
import type { Redactor } from "../domain/redactor.ts";
import { REDACTED, redactSecrets } from "../domain/secrets/find.ts";
import type { LlmAttempt, PartialAnswer, ProviderFailure, ProviderFailureKind } from "./contract.ts";

const brand = Symbol.for("lash-runtime.ProviderError");

/** Longest raw text kept in a failure; longer ones keep their head and tail (errors.md section 2). */
const RAW_LIMIT = 4000;

/**
 * A model call that produced no answer. Match `failure.code` or `failure.kind`; `message` is for people.
 * The turn that made the call ends as `stopped/provider_error`; hosts never see this thrown.
 */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  /** `instanceof` fails across two installed copies of the package. */
  readonly [brand] = true;
  readonly failure: ProviderFailure;
  /** Every transport call that was made, when the retry ladder threw this. */
  readonly attempts: readonly LlmAttempt[];
  /** What the last attempt had said, when the retry ladder threw this. */
  readonly partial: PartialAnswer;

  constructor(failure: ProviderFailure, options: { cause?: unknown; attempts?: readonly LlmAttempt[]; partial?: PartialAnswer } = {}) {
    super(failure.message, "cause" in options ? { cause: options.cause } : undefined);
    this.failure = failure;
    this.attempts = options.attempts ?? [];
    this.partial = options.partial ?? [];
  }

  static is(error: unknown): error is ProviderError {
    return typeof error === "object" && error !== null && brand in error;
  }
}

/** A failure with the defaults filled in: not retryable, no headers, terminal reason `provider_error`. */
export function providerFailure(
  kind: ProviderFailureKind,
  message: string,
  rest: Partial<Omit<ProviderFailure, "kind" | "message">> = {},
): ProviderFailure {
  const { raw, ...others } = rest;
  return {
    kind,
    message,
    retryable: false,
    headers: [],
    terminalReason: "provider_error",
    ...others,
    // Before it is cut: half a secret no longer looks like one.
    ...(raw === undefined ? {} : { raw: shortened(redactSecrets(raw)) }),
  };
}

/** What any thrown value means as a failure. Unknown errors are not retried: nothing says that trying again helps. */
export function failureOf(error: unknown): ProviderFailure {
  if (ProviderError.is(error)) return error.failure;
  return providerFailure("unknown", error instanceof Error ? error.message : String(error));
}

/** The failure of a call whose signal aborted. */
export function cancelledFailure(): ProviderFailure {
  return providerFailure("unknown", "the model call was cancelled", { code: "cancelled", terminalReason: "cancelled" });
}

const KINDS: ReadonlySet<string> = new Set<ProviderFailureKind>([
  "transport",
  "timeout",
  "http",
  "stream",
  "auth",
  "validation",
  "quota",
  "unsupported",
  "unknown",
]);

/** Kinds written by a newer version decode as `unknown`. */
export function parseFailureKind(kind: string): ProviderFailureKind {
  return KINDS.has(kind) ? (kind as ProviderFailureKind) : "unknown";
}

/** Text over 4000 characters keeps its first and last 2000. */
export function shortened(raw: string): string {
  return raw.length <= RAW_LIMIT ? raw : raw.slice(0, RAW_LIMIT / 2) + raw.slice(-RAW_LIMIT / 2);
}

/** A failure as it may be kept and shown. Once it is classified: what was taken out may have told its kind. */
export function withoutSecrets(failure: ProviderFailure, { text }: Pick<Redactor, "text">): ProviderFailure {
  const { message, code, raw, headers } = failure;
  return {
    ...failure,
    message: text(message),
    ...(code !== undefined && { code: text(code) }),
    ...(raw !== undefined && { raw: text(raw) }),
    headers: headers.map(([name, value]) => [name, isSecretKey(name) ? REDACTED : text(value)] as const),
  };
}
