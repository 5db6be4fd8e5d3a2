// Session cursors: a place in what happened in a session, as text (O-17..O-20). `lashsc2:<revision>:<incarnation>:<position>:<sessionId>`

import { observationError } from "./errors.ts";

/** Where in one life of a session's replay buffer. Places of different incarnations cannot be compared. */
export interface ReplayPlace {
  /** Names the life of the buffer; has no colon. */
  readonly incarnation: string;
  /** Events of that life up to here. */
  readonly position: number;
}

export interface CursorParts extends ReplayPlace {
  readonly sessionId: string;
  /** Information only: the position decides. */
  readonly revision: number;
}

const PREFIX = "lashsc2";
/** A session id is last, because it may contain colons. */
const FORM = /^lashsc2:(0|[1-9]\d{0,19}):([^:]{1,200}):(0|[1-9]\d{0,19}):([^]{1,400})$/;
const LARGEST = 2n ** 64n - 1n;

/** Colons would end it too early. */
export const asIncarnation = (id: string): string => id.replaceAll(":", "_").slice(0, 150);

export const formatCursor = ({ revision, incarnation, position, sessionId }: CursorParts): string =>
  `${PREFIX}:${revision}:${incarnation}:${position}:${sessionId}`;

/**
 * @returns a revision or position beyond 2^53 as Infinity: no buffer of this runtime ever comes there.
 * @throws LashError `session_cursor_malformed` - never a gap. The message does not repeat the cursor.
 */
export function parseCursor(cursor: unknown): CursorParts {
  const [, revision = "", incarnation = "", position = "", sessionId = ""] = (typeof cursor === "string" && FORM.exec(cursor)) || [];
  if (sessionId === "") throw malformed(`expected ${PREFIX}:<revision>:<incarnation>:<position>:<session id>`);
  return { revision: numberOf(revision, "revision"), incarnation, position: numberOf(position, "position"), sessionId };
}

/** No silent rounding: what has no exact number here is refused, or beyond everything (O-18). */
function numberOf(digits: string, field: string): number {
  if (digits.length < 16) return Number(digits);
  if (BigInt(digits) > LARGEST) throw malformed(`its ${field} has more than 64 bits`);
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : Infinity;
}

const malformed = (reason: string): Error => observationError("session_cursor_malformed", `this is no session cursor: ${reason}`);
