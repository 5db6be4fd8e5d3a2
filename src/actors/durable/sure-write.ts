// Sure write: one write of a turn, and what became of it where the store cannot say (SC-1).
//
//   U1. A write of unknown outcome is looked for. Found: its answer is what counts. Not found: it is made once more, and its own
//       checks see to it that the fence still holds.
//   U2. A write that failed according to its engine is looked for, too, because engines err; not found, it has failed for certain.
//   U3. What cannot be found out is `store_outcome_unknown`.
//
// How each write of a turn is found again:
//
//   acceptance, takeover   the session's lease is this owner's            asked again, it answers with the turn as it is
//   step                   the turn's step number, under its own fence    the claims of its checkpoint are read with it
//   commit, settlement     the turn has ended under its id                asked again, it answers with what is recorded
//   waits, attachments,    -                                              made once more: the same key, content, cause
//   child sessions

import { doubtAfter, errorText } from "../../domain/error-mapping.ts";
import { LashError, storeError } from "../../domain/errors.ts";

/** Looks for a write. @returns what gives its answer; undefined where it was not made. */
export type Look<T> = () => Promise<(() => Promise<T>) | undefined>;

/** For a write that may simply be made again. */
const notFound = async (): Promise<undefined> => undefined;

/** @throws LashError `store_outcome_unknown` - it may or may not have been made. Whatever else it throws: it was not made. */
export async function writeSurely<T>(write: () => Promise<T>, look: Look<T> = notFound): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const doubt = doubtAfter(error);
    if (doubt === "certain") throw error;
    const found = await look().catch((blind: unknown) => {
      if (isLost(blind)) throw blind;
      throw doubt === "unknown" ? unknownOutcome(error) : error;
    });
    if (!found && doubt === "claimed") throw error;
    return await (found ?? write)().catch((again: unknown) => {
      throw doubtAfter(again) === "unknown" ? unknownOutcome(again) : again;
    });
  }
}

/** Somebody else goes on, so that it does not matter whether it was made. */
const isLost = (error: unknown): boolean => LashError.is(error) && error.isCode("session_execution_lease_expired");

const unknownOutcome = (cause: unknown) =>
  storeError("store_outcome_unknown", `the store could not say whether a write was made, and it could not be found out: ${errorText(cause)}`, { cause });
