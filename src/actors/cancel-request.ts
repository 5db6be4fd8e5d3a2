// Requests to cancel a turn, by whoever asks (OP-20).

import type { TurnCancellation, TurnCancelOutcome } from "../domain/cancellation.ts";
import { cancelTopic } from "./cancel-watch.ts";
import { isFollowOf } from "./frames.ts";
import type { RuntimePorts } from "./ports.ts";

/** A turn that went on in another frame is in flight under that one's id: its asker knows it by the id it had at first. */
export async function inFlightUnder({ persistence }: Pick<RuntimePorts, "persistence">, sessionId: string, turnId: string): Promise<string> {
  const [inFlight] = await persistence.turns.inFlight(sessionId);
  return inFlight && isFollowOf(inFlight.turnId, turnId) ? inFlight.turnId : turnId;
}

/**
 * Records that a turn is to end as cancelled, and tells whoever drives it. A turn that went on in another frame is ended there:
 * its asker knows it by the id it had at first.
 *
 * @returns the id of the turn that the answer is about, too.
 */
export async function requestCancel(
  ports: Pick<RuntimePorts, "persistence" | "changes">,
  sessionId: string,
  turnId: string,
  cancellation: TurnCancellation,
): Promise<TurnCancelOutcome & { readonly turnId: string }> {
  const { persistence, changes } = ports;
  let asked = turnId;
  let { status } = await persistence.turns.requestCancel(sessionId, turnId, cancellation);
  if (status === "completion_won") {
    asked = await inFlightUnder(ports, sessionId, turnId);
    if (asked !== turnId) {
      ({ status } = await persistence.turns.requestCancel(sessionId, asked, cancellation));
    }
  }
  if (status === "accepted") changes.notify(cancelTopic(sessionId, asked));
  return { status, turnId: asked };
}
