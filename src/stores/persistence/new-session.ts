// Sessions that begin with a conversation of their own: forks, and children (children.ts). One write and no lease: before it there is
// no session, after it there is all of it (S-68).

import { storeError } from "../../domain/errors.ts";
import type { NewSession, SessionBeginning } from "../contract.ts";
import type { WriteTransaction } from "../engine.ts";
import { recordIntent, stampAttachments } from "./attachment-rows.ts";
import { changedRefs, checkRefs, COMPONENTS, type ComponentRefs, type PreparedComponents } from "./components.ts";
import { putContent } from "./content.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { setFrames } from "./frame-row.ts";
import { NO_HEAD, readHead, writeHead } from "./head-row.ts";
import { writeHistory } from "./history-row.ts";
import { type PreparedRow, prepareRow, setRow } from "./large-row.ts";
import { headKey, historyKey, nodeIndexKey } from "./layout.ts";
import { findMeta, seedMeta } from "./meta-row.ts";
import { requireUsable } from "./retired.ts";

export type NewConversation = Omit<NewSession, "componentRefs">;

export interface PreparedSession {
  readonly session: NewConversation;
  readonly history: PreparedRow | undefined;
  readonly now: number;
  /** That it is bound to. */
  readonly protocol: string;
}

interface BeginsWith {
  readonly taken: ComponentRefs;
  readonly components: PreparedComponents;
  /** What it uses is booked by its parent, too. */
  readonly isChild: boolean;
}

export function prepareSession(session: NewConversation, { now, protocol }: StoreContext): PreparedSession {
  const history = writeHistory(session.sessionId, session.nodes, undefined);
  return { session, history: history && prepareRow(history), now: now(), protocol };
}

/** @returns the session that has the id already; then nothing may be written. */
export function findBegun(tx: WriteTransaction, sessionId: string): SessionBeginning | undefined {
  const meta = findMeta(tx, sessionId);
  if (meta !== undefined) return { kind: "exists", meta };
  if (readHead(tx, sessionId) !== undefined) throw storeError("store_backend", `session ${sessionId} has a head and no metadata`, { details: { sessionId } });
  return undefined;
}

/** @throws LashError `session_id_retired` - it was deleted. */
export function writeSession(tx: WriteTransaction, { session, history, now, protocol }: PreparedSession, { taken, components, isChild }: BeginsWith): void {
  const { sessionId, relation, head, frame, nodes, attachmentIds } = session;
  seedMeta(tx, sessionId, { relation, model: head.policy.model.id, protocol }, now);
  // Images are the session's own from here on: deleting the other one must not take them away (C-46).
  for (const id of attachmentIds) recordIntent(tx, sessionId, id, now);
  stampAttachments(tx, sessionId, attachmentIds, now);
  for (const [, content] of components) if (content !== null) putContent(tx, COMPONENTS, content);
  if (history !== undefined) setRow(tx, historyKey(sessionId, 1), history);
  for (const { nodeId } of nodes) tx.set(nodeIndexKey(sessionId, nodeId), { revision: 1 });
  setFrames(tx, sessionId, [frame], 1);
  const refs = changedRefs(NO_HEAD.components, taken, components);
  tx.set(headKey(sessionId), writeHead(sessionId, { revision: 1, appended: nodes.length, hidden: 0, head, components: refs, isChild }));
}

export async function beginSession(context: StoreContext, { componentRefs: taken, ...session }: NewSession): Promise<SessionBeginning> {
  const { sessionId, holder } = session;
  checkBinding(context, sessionId);
  const prepared = prepareSession(session, context);
  return context.engine.write((tx): SessionBeginning => {
    const begun = findBegun(tx, sessionId);
    if (begun !== undefined) return begun;
    requireUsable(tx, holder);
    checkRefs(tx, sessionId, taken);
    writeSession(tx, prepared, { taken, components: [], isChild: false });
    return { kind: "created" };
  });
}
