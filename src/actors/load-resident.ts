// Reading a session back into its resident state (S-36, S-37).

import type { Json } from "../domain/json.ts";
import type { SessionRegion } from "../domain/session.ts";
import type { RuntimePorts, SessionWiring } from "./ports.ts";
import { endsAtLeaf, freshResident, residentOf, type LoadedResident } from "./resident.ts";

/** What the store says of the session, and what was committed; a fresh state where nothing was. @throws the store's error where it cannot be read. */
export async function loadResident({ persistence, residency, clock }: RuntimePorts, { sessionId, policy, tools }: SessionWiring): Promise<LoadedResident & { readonly region: SessionRegion }> {
  const { sessions } = persistence;
  const full = { kind: "full_graph", later: true } as const;
  const { region, ...restored } = await sessions.restore(sessionId, residency === "keep_all" ? full : { kind: "active_path", later: true });
  let { read } = restored;
  // S-37: a path that leads nowhere is healed from the whole graph, never from the part of it that was asked for.
  if (read && !endsAtLeaf(read) && read.nodes.length === 0 && read.nodeCount > 0 && read.head.leafNodeId !== undefined) read = await sessions.load(sessionId, full);
  const recordedTools = read?.components.toolState;
  if (recordedTools !== undefined) (await tools.registry()).assertStored(recordedTools as Json);
  return { ...(read ? residentOf(read) : { resident: freshResident(sessionId, policy, clock.now()), repaired: false }), region };
}
