// The order in which turns in flight are finished: a turn that a tool of another one waits for belongs to that one, which has the
// tools and the provider for it and drives it itself. It comes after it, in case nobody did (decision 0016).

import type { InFlight, SessionMeta } from "./stores/contract.ts";

/**
 * @param metaOf - of a session; undefined where nothing can be said of it.
 * @returns the turns by generation: those that wait for nobody first, so that none ever needs another's place.
 */
export async function byGeneration(waiting: readonly InFlight[], metaOf: (sessionId: string) => Promise<SessionMeta | undefined>): Promise<readonly (readonly InFlight[])[]> {
  if (waiting.length < 2) return [waiting];
  const inFlight = new Set(waiting.map(({ sessionId }) => sessionId));
  const callerOf = new Map<string, string>();
  for (const { sessionId } of waiting) {
    const { relation } = (await metaOf(sessionId)) ?? {};
    if (relation?.kind === "child" && relation.assignment && relation.causedBy !== undefined && inFlight.has(relation.parentSessionId)) callerOf.set(sessionId, relation.parentSessionId);
  }
  const generations: InFlight[][] = [];
  for (const turn of waiting) {
    let generation = 0;
    // Damaged relations may form a ring; a line is never longer than there are turns.
    for (let caller = callerOf.get(turn.sessionId); caller !== undefined && generation < waiting.length; caller = callerOf.get(caller)) generation += 1;
    (generations[generation] ??= []).push(turn);
  }
  return generations.filter((each) => each !== undefined);
}

/** Does something with each, `atOnce` at a time, in order. */
export async function eachOf<Item>(items: readonly Item[], atOnce: number, body: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await body(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
