// What a failed call says about the request that it was made with.

import type { ProviderFailure } from "../providers/contract.ts";

const REFUSED: ReadonlySet<number> = new Set([400, 413, 422]);

/** The provider would not take the request as it was, and its length is not why: something in it is at fault, perhaps an image or a file. */
export function isRefusal({ status, terminalReason }: ProviderFailure): boolean {
  if (status === undefined || !REFUSED.has(status) || terminalReason === "cancelled") return false;
  // Too many bytes may be too much text, or one image.
  return terminalReason !== "context_overflow" || status === 413;
}
