// Errors that concern a turn: they name it, and say whether it was accepted (ME-25). From that follows whether the same call may be
// made again, or the turn has to be asked for by its id.

import { errorText, isOutcomeUnknown, runtimeErrorOfStore } from "./error-mapping.ts";
import { isOfTurn } from "./error-traits.ts";
import { LashError } from "./errors.ts";

export interface ConcernedTurn {
  readonly sessionId: string;
  readonly turnId: string;
  /** Its input is durable, or may be. */
  readonly accepted: boolean;
}

/** The error as one of that turn: named in its details and its message. Errors that concern no turn come back as they are. */
export function errorOfTurn(error: unknown, turn: ConcernedTurn): unknown {
  if (!LashError.is(error) || !isOfTurn(error.code)) return error;
  const { sessionId, turnId, accepted } = turn;
  // It says so itself, and why.
  if (error.details["turnId"] === turnId && error.details["accepted"] === accepted) return error;
  const details = { ...error.details, sessionId, turnId, accepted };
  const message = accepted ? acceptedMessage(error, turn) : refusedMessage(error, turn);
  return new LashError(error.family, error.code, message, { details, cause: error.cause ?? error });
}

/** An error about a turn that the caller knows by another id: the turn that it asked for went on in this one. */
export function askedAs(error: unknown, sessionId: string, turnId: string): unknown {
  if (!LashError.is(error) || typeof error.details["accepted"] !== "boolean" || error.details["turnId"] === turnId) return error;
  const { family, code, message, details } = error;
  return new LashError(family, code, message, { details: { ...details, sessionId, turnId }, cause: error });
}

/**
 * The error of an input that was to wait for a turn.
 *
 * @param turnId - the turn that it was for, where that is known.
 */
export function errorOfInput(error: unknown, sessionId: string, turnId?: string): LashError {
  const failure = runtimeErrorOfStore(error);
  if (!isOfTurn(failure.code)) return failure;
  const accepted = isOutcomeUnknown(failure);
  // One that may wait is found among what waits, and not by the id of a turn.
  const details = { ...failure.details, sessionId, ...(turnId !== undefined && !accepted && { turnId }), accepted };
  const message = accepted
    ? `the store could not say whether an input for session ${sessionId} was taken; look at what waits for the session before you say it again`
    : `an input for session ${sessionId} was not taken: ${failure.message}`;
  return new LashError(failure.family, failure.code, message, { details, cause: failure.cause ?? failure });
}

const refusedMessage = (error: LashError, { sessionId, turnId }: ConcernedTurn): string => {
  if (error.isCode("session_execution_busy")) return `another owner is running session ${sessionId}; turn ${turnId} was not accepted by this call, try again with backoff`;
  return `turn ${turnId} of session ${sessionId} was not accepted by this call: ${errorText(error)}`;
};

/** Never in the store's own words, which tell of one write: what was recorded before it stands. */
function acceptedMessage(error: LashError, { sessionId, turnId }: ConcernedTurn): string {
  const turn = `turn ${turnId} of session ${sessionId}`;
  const askAgain = "ask for it again by its id";
  switch (error.code) {
    case "session_execution_busy":
      return `${turn} is accepted and is being run by another owner; ${askAgain}`;
    case "session_execution_lease_lost":
      return `${turn} is accepted, but this owner has lost the session's lease, because it expired or another owner took over; ${askAgain}`;
    case "lash_closed":
      return `the lash was closed before ${turn} ended; it stays in flight and is finished by whoever recovers it, or asks for it again by its id`;
    case "turn_suspended":
      return `${turn} waits for an answer from outside and was suspended; it goes on when the session is opened again`;
    default:
      return `${turn} is accepted and stays in flight, because ${reasonOf(error)}. It is taken up again while the session is open, by recover(), or when you ${askAgain}`;
  }
}

/** What is known of the store, and what to do about it. */
function reasonOf({ code, details, message }: LashError): string {
  const store = typeof details["store"] === "string" ? `the store (${details["store"]})` : "the store";
  switch (details["causeCode"] ?? (code === "store_commit_failed" ? "store_backend" : code)) {
    case "store_full":
      return `${store} is full; make room`;
    case "store_unavailable":
      return `${store} cannot be reached or written now; \`cause\` says why`;
    case "store_outcome_unknown":
      return `${store} could not say what became of a write; \`cause\` says why`;
    case "store_backend":
      return `${store} failed; \`cause\` says how`;
    default:
      return message;
  }
}
