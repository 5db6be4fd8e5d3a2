// Facet `attachments`: content-addressed bytes (P-45), the manifest of who refers to them (P-44), and the sweep of what no commit
// stood behind in time (S-79). Rows: attachment-rows.ts, content.ts.

import { attachmentError } from "../../domain/errors.ts";
import type { AttachmentRef } from "../../domain/messages.ts";
import type { AttachmentFacet, AttachmentIntent, AttachmentManifest } from "../content-contract.ts";
import { prefixRange, type ReadTransaction, type WriteTransaction } from "../engine.ts";
import {
  ATTACHMENT_BYTES,
  isHeld,
  prepareAttachment,
  readManifest,
  recordIntent,
  removeManifest,
  stampAttachments,
} from "./attachment-rows.ts";
import { deleteContent, describeContent, getBytes, putContent } from "./content.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { collect, scanRows } from "./large-row.ts";
import { INTENTS, inputsPrefix, intentKey, textAt, turnPrefix } from "./layout.ts";
import { requireUsable } from "./retired.ts";
import { invalidRow } from "./schema.ts";

export function createAttachments(context: StoreContext): AttachmentFacet {
  const { engine } = context;
  const manifest = createManifest(context);
  return {
    persistence: engine.durable ? "durable" : "ephemeral",
    manifest,

    async put(bytes, mime): Promise<AttachmentRef> {
      const content = prepareAttachment({ bytes, mime });
      await engine.write((tx) => putContent(tx, ATTACHMENT_BYTES, content));
      return { id: content.id, mime, byteLength: content.bytes };
    },

    async get(id) {
      return engine.read(async (tx) => {
        const described = await describeContent(tx, ATTACHMENT_BYTES, id);
        const bytes = await getBytes(tx, ATTACHMENT_BYTES, id);
        if (described === undefined || bytes === undefined) {
          throw attachmentError("attachment_not_found", `there is no attachment ${id}`, { details: { attachmentId: id } });
        }
        return { reference: { id, mime: described.mime ?? "application/octet-stream", byteLength: bytes.length }, bytes };
      });
    },

    async delete(id) {
      await engine.write((tx) => deleteContent(tx, ATTACHMENT_BYTES, id));
    },

    async sweep(cutoffMs, home) {
      const aged = await manifest.listUncommitted(cutoffMs);
      let reclaimed = 0;
      for (const { sessionId, attachmentId } of aged) {
        const dropped = await engine.write(async (tx) => reclaim(tx, sessionId, attachmentId, cutoffMs));
        if (dropped === "spared") continue;
        reclaimed++;
        if (dropped === "last") await home?.delete(attachmentId);
      }
      return { scanned: aged.length, reclaimed };
    },
  };
}

function createManifest(context: StoreContext): AttachmentManifest {
  const { engine } = context;
  return {
    async recordIntent(sessionId, attachmentId) {
      checkBinding(context, sessionId);
      const now = context.now();
      await engine.write(async (tx) => {
        await requireUsable(tx, sessionId);
        await recordIntent(tx, sessionId, attachmentId, now);
      });
    },

    async commitRefs(sessionId, attachmentIds) {
      checkBinding(context, sessionId);
      const now = context.now();
      await engine.write((tx) => stampAttachments(tx, sessionId, attachmentIds, now));
    },

    async listUncommitted(cutoffMs) {
      const { boundSessionId } = context;
      const prefix = boundSessionId === undefined ? INTENTS : [...INTENTS, boundSessionId];
      const entries = await engine.read((tx) => tx.range(...prefixRange(prefix)));
      return entries
        .map(({ key, value }): AttachmentIntent => {
          if (typeof value !== "number") throw invalidRow("attachment intent", key, "it is no number");
          return { sessionId: textAt(key, 1), attachmentId: textAt(key, 2), intentAtMs: value };
        })
        .filter(({ intentAtMs }) => intentAtMs <= cutoffMs);
    },

    async forget(sessionId, attachmentId) {
      checkBinding(context, sessionId);
      await engine.write(async (tx) => {
        const row = await readManifest(tx, sessionId, attachmentId);
        if (row !== undefined && row.committedAtMs === undefined) removeManifest(tx, sessionId, attachmentId);
      });
    },

    async holds(sessionId, attachmentId) {
      checkBinding(context, sessionId);
      return engine.read(async (tx) => (await readManifest(tx, sessionId, attachmentId)) !== undefined);
    },
  };
}

/** Drops one intent if it is still aged and nothing in flight names it; the bytes go with their last holder. */
async function reclaim(tx: WriteTransaction, sessionId: string, attachmentId: string, cutoffMs: number): Promise<"spared" | "dropped" | "last"> {
  const intentAtMs = await tx.get(intentKey(sessionId, attachmentId));
  if (typeof intentAtMs !== "number" || intentAtMs > cutoffMs || (await isNamed(tx, sessionId, attachmentId))) return "spared";
  removeManifest(tx, sessionId, attachmentId);
  if (await isHeld(tx, attachmentId)) return "dropped";
  await deleteContent(tx, ATTACHMENT_BYTES, attachmentId);
  return "last";
}

/** Whether a waiting input, or the turn in flight with its log and journal, names the id (OP-25). */
async function isNamed(tx: ReadTransaction, sessionId: string, attachmentId: string): Promise<boolean> {
  const control = await collect(scanRows(tx, turnPrefix(sessionId)));
  const rows = [...control, ...(await collect(scanRows(tx, [...turnPrefix(sessionId), 2]))), ...(await collect(scanRows(tx, inputsPrefix(sessionId))))];
  return rows.some(({ value }) => JSON.stringify(value).includes(attachmentId));
}

/** For stores that keep nothing: every call succeeds, nothing is retained (P-44, C-9). */
export const emptyManifest: AttachmentManifest = {
  recordIntent: async () => {},
  commitRefs: async () => {},
  listUncommitted: async () => [],
  forget: async () => {},
  holds: async () => false,
};
