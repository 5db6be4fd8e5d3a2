// Session ids are used once: deleting a session leaves this much of it (design 7.7).

import { type LashError, runtimeError } from "../../domain/errors.ts";
import type { ReadTransaction } from "../engine.ts";
import { retiredKey, sessionKey } from "./layout.ts";

/** @throws LashError `session_id_retired` - the session was deleted, and its id cannot be used again. */
export function requireNotRetired(tx: ReadTransaction, sessionId: string): void {
  if (tx.get(retiredKey(sessionId)) === undefined) return;
  throw sessionRetired(sessionId);
}

export const sessionRetired = (sessionId: string): LashError =>
  runtimeError("session_id_retired", `session ${sessionId} was deleted; its id cannot be used again`, { details: { sessionId } });

/** For rows that may come before a session's first commit: nothing is added to a deleted session. */
export function requireUsable(tx: ReadTransaction, sessionId: string): void {
  if (tx.get(sessionKey(sessionId)) === undefined) requireNotRetired(tx, sessionId);
}
