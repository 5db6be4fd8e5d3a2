// How an error changes its channel: store to runtime (ER-4), trace to host (ER-21).
import type { KnownErrorCode } from "./error-codes.ts";
import { familyOf } from "./error-traits.ts";
import { LashError, runtimeError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { redactSecrets } from "./secrets/find.ts";

/** The text of whatever was thrown, without secrets; never its stack. */
export const errorText = (error: unknown): string =>
  redactSecrets(error instanceof Error || LashError.is(error) ? error.message : String(error));

/** What a log says of an error. */
export const errorFields = (error: unknown): { readonly code?: string; readonly message: string } => ({ ...(LashError.is(error) && { code: error.code }), message: errorText(error) });

/** The details of an error that is replaced by one of another code: they cross wires, its `cause` does not. */
const detailsWithCause = (error: unknown): JsonObject =>
  LashError.is(error) ? { ...error.details, causeCode: error.code } : {};

/**
 * What a turn throws when its store refused or failed. Errors that are no store's pass through.
 * A foreign exception counts as the store's: `store_commit_failed` promises nothing about durable state.
 */
export function runtimeErrorOfStore(error: unknown): LashError {
  if (LashError.is(error) && familyOf(error.code) !== "store") return error;
  const lost = LashError.is(error) && error.isCode("session_execution_lease_expired");
  return runtimeError(lost ? "session_execution_lease_lost" : "store_commit_failed", errorText(error), {
    details: detailsWithCause(error),
    cause: error,
  });
}

/**
 * What a rejected write left behind. `certain`: nothing. `claimed`: nothing, as the engine says; it may be mistaken, and a look
 * tells. `unknown`: only a look tells - the engine says so, or it is a fault that is no engine's answer.
 */
export type WriteDoubt = "certain" | "claimed" | "unknown";

export function doubtAfter(error: unknown): WriteDoubt {
  if (!LashError.is(error)) return "unknown";
  if (error.isCode("store_outcome_unknown")) return "unknown";
  // What is committed and not on the disk can be read, and may be gone after the next start all the same.
  const isClaimed = (error.isCode("store_unavailable") || error.isCode("store_backend")) && error.details["unsynced"] !== true;
  return isClaimed ? "claimed" : "certain";
}

/** Whether a write may have happened although it was reported as failed: then the lease is left to expire. */
export const isOutcomeUnknown = (error: LashError): boolean => error.details["causeCode"] === "store_outcome_unknown";

/** What a turn throws when claiming its lease failed: no lease was held, so none was lost. */
export const runtimeErrorOfLeaseClaim = (error: unknown): LashError =>
  runtimeError("store_commit_failed", errorText(error), { details: detailsWithCause(error), cause: error });

/**
 * A trace that could not be flushed: it answers `code`, `details` and both predicates as the inner error does, which stays its
 * `cause`. The code is `trace_flush` where the inner error has none of its own.
 */
export function traceFlushError(inner: unknown): LashError {
  const message = `trace flush: ${errorText(inner)}`;
  if (!LashError.is(inner)) return new LashError("trace", "trace_flush" satisfies KnownErrorCode, message, { cause: inner });
  return new LashError("trace", inner.code, message, { details: inner.details, cause: inner });
}
