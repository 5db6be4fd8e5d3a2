// Turns that a tool of another turn waits for. They belong to that one, which has the tools and the provider for them and drives
// them itself; so it is finished first, and they come after it, in case nobody did (decision 0016).

import type { InFlight, SessionMeta } from "../stores/contract.ts";

/** Begins the ids of turns that tool calls run in child sessions. */
export const OF_CALL = "call:";

export const isOfCall = (turnId: string): boolean => turnId.startsWith(OF_CALL);

/** The session whose tool, if any, waits for this turn. */
export function callerOf(turnId: string, meta: SessionMeta | undefined): string | undefined {
  const relation = meta?.relation;
  return isOfCall(turnId) && relation?.kind === "child" && relation.assignment ? relation.parentSessionId : undefined;
}

/**
 * @param metaOf - of a session; undefined where nothing can be said of it.
 * @returns the turns by generation: those that wait for nobody first, so that none ever needs another's place.
 */
export async function byGeneration(waiting: readonly InFlight[], metaOf: (sessionId: string) => Promise<SessionMeta | undefined>): Promise<readonly (readonly InFlight[])[]> {
  if (waiting.length < 2) return [waiting];
  const inFlight = new Set(waiting.map(({ sessionId }) => sessionId));
  const callers = new Map<string, string>();
  for (const { sessionId, turnId } of waiting) {
    const caller = isOfCall(turnId) ? callerOf(turnId, await metaOf(sessionId)) : undefined;
    if (caller !== undefined && inFlight.has(caller)) callers.set(sessionId, caller);
  }
  const generations: InFlight[][] = [];
  for (const turn of waiting) {
    let generation = 0;
    // Damaged relations may form a ring; a line is never longer than there are turns.
    for (let caller = callers.get(turn.sessionId); caller !== undefined && generation < waiting.length; caller = callers.get(caller)) generation += 1;
    (generations[generation] ??= []).push(turn);
  }
  return generations.filter((each) => each !== undefined);
}
