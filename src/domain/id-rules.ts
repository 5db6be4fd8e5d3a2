// What ids may look like. Those of sessions and turns are parts of store keys, two of them in one (OP-2); those of tools are not.

import { invalidArgument } from "./invalid-argument.ts";
import { utf8Length } from "./utf8.ts";

const MAX_CHARS = 200;
/** Two ids, each half as long again in a key's order-keeping form, fit into 1 KiB with room for what stands beside them. */
const MAX_BYTES = 320;

/** Whether it can be part of a key. */
export const isId = (id: string): boolean => id.length <= MAX_CHARS && utf8Length(id) <= MAX_BYTES && !id.includes("\0") && id.isWellFormed();

/** @throws LashError `invalid_argument` - too long, NUL, or text that is not well-formed; blank ids are the caller's to refuse. */
export function assertId(id: string, field: string): void {
  if (!isId(id)) {
    throw invalidArgument(field, `well-formed text without NUL of at most ${MAX_CHARS} characters and ${MAX_BYTES} bytes of UTF-8`);
  }
}

/** An id that a public call is given. @throws LashError `invalid_argument` */
export function checkedId(id: unknown, field: string, expected = "a text that is not blank"): string {
  if (typeof id !== "string" || id.trim() === "") throw invalidArgument(field, expected);
  assertId(id, field);
  return id;
}

/** Ids of tools are kept in every state of their session. */
export const isToolId = (id: unknown): id is string => typeof id === "string" && id.trim() !== "" && id.length <= MAX_CHARS && id.isWellFormed();
/** Completes "must be …". */
export const TOOL_ID = `well-formed text that is not blank, of at most ${MAX_CHARS} characters`;
