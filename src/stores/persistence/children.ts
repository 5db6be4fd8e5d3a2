// Child sessions: their making and their list. For apps that make some, so it is no facet of the contract.
//   ["s", parent, 14, child]   the child is registered with its parent
//
// A child appears with everything that it starts with, or not at all (S-68): one write.

import { invalidArgument } from "../../domain/invalid-argument.ts";
import type { Json } from "../../domain/json.ts";
import type { ChildAssignment } from "../../domain/session.ts";
import type { ComponentBody, SessionBeginning, SessionMeta } from "../contract.ts";
import { prefixRange, type ReadTransaction } from "../engine.ts";
import { readManifest } from "./attachment-rows.ts";
import { type ComponentRefs, prepareComponents } from "./components.ts";
import type { StoreContext } from "./context.ts";
import { readHead } from "./head-row.ts";
import { childKey, childrenPrefix, textAt } from "./layout.ts";
import { findMeta, seedMeta } from "./meta-row.ts";
import { findBegun, type NewConversation, prepareSession, writeSession } from "./new-session.ts";
import { requireNotRetired } from "./retired.ts";

/** `holder` has to hold the attachments that its messages name. */
export interface NewChild extends Omit<NewConversation, "relation"> {
  readonly parentSessionId: string;
  readonly causedBy?: Json;
  readonly assignment: ChildAssignment;
  /** The session's own layer of the prompt, where it has one. */
  readonly prompt?: ComponentBody;
  /** Whether it starts with the tool state and the plugin snapshot that its parent committed last. */
  readonly forksState: boolean;
}

/** The state of a parent that a forked child starts with: this is the seam for whatever else tools and plugins come to keep. */
const forkedRefs = ({ toolState, pluginSnapshot }: ComponentRefs): ComponentRefs => ({
  ...(toolState !== undefined && { toolState }),
  ...(pluginSnapshot !== undefined && { pluginSnapshot }),
});

/**
 * @throws LashError `session_id_retired` - child or parent was deleted.
 * @throws LashError `invalid_argument` - `holder` does not hold an attachment.
 */
export async function createChild(context: StoreContext, { parentSessionId, assignment, causedBy, prompt, forksState, ...child }: NewChild): Promise<SessionBeginning> {
  const { sessionId, head } = child;
  const relation = { kind: "child" as const, parentSessionId, ...(causedBy !== undefined && { causedBy }), assignment };
  const prepared = prepareSession({ ...child, relation }, context);
  const components = prepareComponents(prompt === undefined ? {} : { prompt });
  return context.engine.write((tx): SessionBeginning => {
    const begun = findBegun(tx, sessionId);
    if (begun !== undefined) return begun;
    seedMeta(tx, parentSessionId, { relation: { kind: "root" }, model: head.policy.model.id, protocol: context.protocol }, prepared.now);
    requireHeld(tx, child);
    const state = forksState ? forkedRefs(readHead(tx, parentSessionId)?.components ?? {}) : {};
    const taken = { ...state, ...marksOf(tx, child) };
    writeSession(tx, prepared, { taken, components, isChild: true });
    tx.set(childKey(parentSessionId, sessionId), {});
    return { kind: "created" };
  });
}

/** Which of the media that it starts with were refused, and by whom. */
function marksOf(tx: ReadTransaction, { attachmentIds, holder }: Pick<NewChild, "attachmentIds" | "holder">): ComponentRefs {
  if (attachmentIds.length === 0) return {};
  const { suspectMedia } = readHead(tx, holder)?.components ?? {};
  return suspectMedia === undefined ? {} : { suspectMedia };
}

/** Bytes that the one who asks was never shown stay out of reach, whatever id is named (S-80). */
function requireHeld(tx: ReadTransaction, { attachmentIds, holder }: Pick<NewChild, "attachmentIds" | "holder">): void {
  for (const id of attachmentIds) {
    if (readManifest(tx, holder, id) === undefined) throw invalidArgument("start", `free of images that session ${holder} does not hold`);
  }
}

/** Metadata of the children of a session, by id. */
export async function listChildren({ engine }: StoreContext, parentSessionId: string): Promise<readonly SessionMeta[]> {
  return engine.read((tx) => {
    const children: SessionMeta[] = [];
    for (const { key } of tx.range(...prefixRange(childrenPrefix(parentSessionId)))) {
      const meta = findMeta(tx, textAt(key, 3));
      if (meta !== undefined) children.push(meta);
    }
    if (children.length === 0 && findMeta(tx, parentSessionId) === undefined) requireNotRetired(tx, parentSessionId);
    return children;
  });
}
