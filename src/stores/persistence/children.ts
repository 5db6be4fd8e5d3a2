// Child sessions: their making and their list. For apps that make some, so it is no facet of the contract.
//   ["s", parent, 14, child]   the child is registered with its parent
//
// A child appears with everything that it starts with, or not at all (S-68): one write.

import { storeError } from "../../domain/errors.ts";
import { invalidArgument } from "../../domain/invalid-argument.ts";
import type { Json } from "../../domain/json.ts";
import type { AgentFrame, ChildAssignment, SessionNode } from "../../domain/session.ts";
import type { ComponentBody, SessionHead, SessionMeta } from "../contract.ts";
import { prefixRange, type WriteTransaction } from "../engine.ts";
import { readManifest, recordIntent, stampAttachments } from "./attachment-rows.ts";
import { COMPONENTS, type ComponentRefs, changedRefs, prepareComponents } from "./components.ts";
import { putContent } from "./content.ts";
import type { StoreContext } from "./context.ts";
import { setFrames } from "./frame-row.ts";
import { NO_HEAD, readHead, writeHead } from "./head-row.ts";
import { writeHistory } from "./history-row.ts";
import { prepareRow, setRow } from "./large-row.ts";
import { childKey, childrenPrefix, headKey, historyKey, nodeIndexKey, textAt } from "./layout.ts";
import { findMeta, seedMeta } from "./meta-row.ts";
import { requireNotRetired } from "./retired.ts";

export interface NewChild {
  readonly sessionId: string;
  readonly parentSessionId: string;
  readonly causedBy?: Json;
  readonly assignment: ChildAssignment;
  readonly head: SessionHead;
  readonly frame: AgentFrame;
  readonly nodes: readonly SessionNode[];
  /** The session's own layer of the prompt, where it has one. */
  readonly prompt?: ComponentBody;
  /** Whether it starts with the tool state and the plugin snapshot that its parent committed last (S-67). */
  readonly forksState: boolean;
  /** Attachments that its messages name; `holder` has to hold them. */
  readonly attachmentIds: readonly string[];
  readonly holder: string;
}

export type ChildCreation = { readonly kind: "created" } | { readonly kind: "exists"; readonly meta: SessionMeta };

/** The state of a parent that a forked child starts with: this is the seam for whatever else tools and plugins come to keep. */
const forkedRefs = ({ toolState, pluginSnapshot }: ComponentRefs): ComponentRefs => ({
  ...(toolState !== undefined && { toolState }),
  ...(pluginSnapshot !== undefined && { pluginSnapshot }),
});

/**
 * @throws LashError `session_id_retired` - child or parent was deleted.
 * @throws LashError `invalid_argument` - `holder` does not hold an attachment.
 */
export async function createChild({ engine, now }: StoreContext, child: NewChild): Promise<ChildCreation> {
  const { sessionId, parentSessionId, nodes, head, frame, assignment, causedBy } = child;
  const at = now();
  const history = writeHistory(sessionId, nodes, undefined);
  const row = history && prepareRow(history);
  const prepared = prepareComponents(child.prompt === undefined ? {} : { prompt: child.prompt });
  return engine.write(async (tx): Promise<ChildCreation> => {
    const known = await findMeta(tx, sessionId);
    if (known !== undefined) return { kind: "exists", meta: known };
    if ((await readHead(tx, sessionId)) !== undefined) throw storeError("store_backend", `session ${sessionId} has a head and no metadata`, { details: { sessionId } });
    await seedMeta(tx, parentSessionId, { relation: { kind: "root" }, model: head.policy.model.id }, at);
    const relation = { kind: "child" as const, parentSessionId, ...(causedBy !== undefined && { causedBy }), assignment };
    await seedMeta(tx, sessionId, { relation, model: head.policy.model.id }, at);
    await takeAttachments(tx, child, at);
    const taken = child.forksState ? forkedRefs((await readHead(tx, parentSessionId))?.components ?? {}) : {};
    for (const [, content] of prepared) if (content !== null) await putContent(tx, COMPONENTS, content);
    if (row !== undefined) setRow(tx, historyKey(sessionId, 1), row);
    for (const { nodeId } of nodes) tx.set(nodeIndexKey(sessionId, nodeId), { revision: 1 });
    await setFrames(tx, sessionId, [frame], 1);
    tx.set(
      headKey(sessionId),
      writeHead(sessionId, { revision: 1, appended: nodes.length, hidden: 0, head, components: changedRefs(NO_HEAD.components, taken, prepared), isChild: true }),
    );
    tx.set(childKey(parentSessionId, sessionId), {});
    return { kind: "created" };
  });
}

/** Images are the child's own from here on: deleting the other session must not take them away (C-46). */
async function takeAttachments(tx: WriteTransaction, { sessionId, attachmentIds, holder }: NewChild, now: number): Promise<void> {
  for (const id of attachmentIds) {
    // Bytes that the one who asks was never shown stay out of reach, whatever id is named (S-80).
    if ((await readManifest(tx, holder, id)) === undefined) throw invalidArgument("start", `free of images that session ${holder} does not hold`);
    await recordIntent(tx, sessionId, id, now);
  }
  await stampAttachments(tx, sessionId, attachmentIds, now);
}

/** Metadata of the children of a session, by id. */
export async function listChildren({ engine }: StoreContext, parentSessionId: string): Promise<readonly SessionMeta[]> {
  return engine.read(async (tx) => {
    const children: SessionMeta[] = [];
    for (const { key } of await tx.range(...prefixRange(childrenPrefix(parentSessionId)))) {
      const meta = await findMeta(tx, textAt(key, 3));
      if (meta !== undefined) children.push(meta);
    }
    if (children.length === 0 && (await findMeta(tx, parentSessionId)) === undefined) await requireNotRetired(tx, parentSessionId);
    return children;
  });
}
