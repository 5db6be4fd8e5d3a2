// What IndexedDB reports, as errors of this package.

import { runtimeError, storeError } from "../../domain/errors.ts";

/** Of a DOMException; "" for anything else. */
export const nameOf = (error: unknown): string => (error instanceof DOMException ? error.name : "");

/** @returns a LashError for what the browser reported; anything else comes back as it is. */
export function fromIndexedDb(error: unknown, store: string): unknown {
  const kind = nameOf(error);
  const options = { cause: error, details: { store, browserError: kind } };
  switch (kind) {
    case "":
      return error;
    case "QuotaExceededError":
      return storeError("store_full", `${store}: the browser grants no more room; this write was not made, make room or ask for persistent storage`, options);
    case "VersionError":
      return newerVersion(store, error);
    // A request on a transaction that has committed by itself, because nothing was asked of it for a moment.
    case "TransactionInactiveError":
    case "InvalidStateError":
      return waitedForSomethingElse(error);
    case "DataCloneError":
    case "DataError":
      return runtimeError("invalid_argument", `${store}: the browser cannot keep this value: ${String(error)}`, options);
    case "SecurityError":
      return blocked(store, error);
    default:
      return storeError("store_unavailable", `${store}: the browser's storage failed (${String(error)}); this write was not made`, options);
  }
}

export const blocked = (store: string, cause: unknown): Error =>
  storeError(
    "store_unavailable",
    `${store}: this browser offers no IndexedDB here (private window, blocked site data, sandboxed frame); use the memory store or ask the user to allow it`,
    { cause, details: { store } },
  );

export const newerVersion = (store: string, cause?: unknown): Error =>
  storeError("store_version_unsupported", `${store} was written by a newer version of this app; nothing was changed, reload the page to get it`, {
    cause,
    details: { store },
  });

/** E4, seen afterwards. Sets are only sent at the end of a body, so nothing was written. */
export const waitedForSomethingElse = (cause?: unknown): Error =>
  runtimeError(
    "invalid_argument",
    "the body of a transaction waited for something else (a timer, a fetch, another transaction); do that before or after it",
    { cause },
  );
