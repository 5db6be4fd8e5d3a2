// The wait for a session that another owner holds: until its lease is given back, or its holder counts as gone.

import type { SessionLease } from "../../stores/contract.ts";
import { seenLease } from "../session-lease.ts";
import type { SessionParts } from "../session/parts.ts";
import { PATIENCE_MS } from "../stand-in.ts";
import type { Place } from "./place.ts";

/** Between two looks at a lease that other processes hold: they tell nobody that they are done. */
const LONGEST_PAUSE_MS = 250;

/** Told of whenever a runtime is done with a session. */
export const laneTopic = (sessionId: string): string => `lane:${sessionId}`;

/** Resolves when the session may be free, or the place was given up. Tells the place what it waits for. */
export async function awaitLane({ ports, stated: { wiring: { sessionId } } }: SessionParts, place: Place): Promise<void> {
  const { changes, persistence } = ports;
  let seen: number | undefined;
  const look = async (): Promise<true | undefined> => {
    const lease = await persistence.leases.current(sessionId);
    if (!lease || (await isGone(lease))) return true;
    // Every turn is run under a lease of its own.
    if (seen !== lease.fencingToken) {
      const [ahead] = await persistence.turns.inFlight(sessionId);
      seen = ahead && lease.fencingToken;
      if (ahead) place.isBehind({ turnId: ahead.turnId, isParked: false });
    }
    return undefined;
  };
  const isGone = async (lease: SessionLease): Promise<boolean> => {
    // Timers of a hidden tab are held back; its lease must not be taken from it for that.
    const patienceMs = lease.owner.liveness.kind === "web_lock" ? PATIENCE_MS : 0;
    return ports.leaseWatch.look(seenLease(lease), patienceMs) === 0 || ports.liveness.isDead(lease.owner).catch(() => false);
  };
  try {
    await changes.until(laneTopic(sessionId), look, place.over, LONGEST_PAUSE_MS);
  } catch (error) {
    if (!place.over.aborted) throw error;
  }
}
