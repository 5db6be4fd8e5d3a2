// What every facet works with.

import { storeError } from "../../domain/errors.ts";
import type { DefinedEngine } from "../engine.ts";
import type { BytesPlace } from "./attachment-bytes.ts";

export interface StoreContext {
  readonly engine: DefinedEngine;
  /** Epoch milliseconds. Read once per operation, before its transaction, so that a repeated body decides alike (E4). */
  readonly now: () => number;
  /** Set when this handle serves one session only. */
  readonly boundSessionId: string | undefined;
  /** Id of the protocol that sessions made through this handle are bound to. */
  readonly protocol: string;
  /** Where new attachment bytes go; undefined keeps them in rows. */
  readonly place: BytesPlace | undefined;
}

/** @throws LashError `session_binding_mismatch` - the handle serves another session. */
export function checkBinding({ boundSessionId }: StoreContext, attemptedSessionId: string): void {
  if (boundSessionId === undefined || boundSessionId === attemptedSessionId) return;
  throw storeError("session_binding_mismatch", `this store handle serves session ${boundSessionId}, not ${attemptedSessionId}`, {
    details: { boundSessionId, attemptedSessionId },
  });
}
