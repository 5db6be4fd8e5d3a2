// Abort signals: those that hosts give, and who listens to them.

import { invalidArgument } from "./invalid-argument.ts";

/** Calls `listener` when the signal is aborted: at once if it is already, else at most once. @returns what takes it back. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** The `signal` of a public call. @throws LashError `invalid_argument` */
export function checkedSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal !== undefined && typeof signal?.addEventListener !== "function") throw invalidArgument("signal", "an AbortSignal");
  return signal;
}
