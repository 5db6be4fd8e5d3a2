// What ids of sessions and turns may look like. They are parts of store keys, two of them in one (OP-2).

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
