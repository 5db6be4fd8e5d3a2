// Facet `attachments`: content-addressed bytes (P-45), the manifest of who refers to them (P-44), and the sweep of what no commit
// stood behind in time (S-79). Rows: attachment-rows.ts, content.ts.

import { sha256Hex } from "../../domain/sha256.ts";
import type { AttachmentRef } from "../../domain/messages.ts";
import type { AttachmentFacet, AttachmentIntent, AttachmentManifest } from "../content-contract.ts";
import { prefixRange, type ReadTransaction, type WriteTransaction } from "../engine.ts";
import { dropBytes, readBytes, setBytes, writeWithBytes } from "./attachment-bytes.ts";
import { isHeld, readManifest, recordIntent, removeManifest, stampAttachments } from "./attachment-rows.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { collect, scanRows } from "./large-row.ts";
import { INTENTS, inputsPrefix, intentKey, parkedPrefix, textAt, turnPrefix, workPrefix } from "./layout.ts";
import { requireUsable } from "./retired.ts";
import { invalidRow } from "./schema.ts";

export function createAttachments(context: StoreContext): AttachmentFacet {
  const { engine, place, now } = context;
  const manifest = createManifest(context);
  return {
    persistence: engine.durable && place?.durable !== false ? "durable" : "ephemeral",
    manifest,

    async put(bytes, mime): Promise<AttachmentRef> {
      await writeWithBytes(context, [{ bytes, mime }], (tx, placed) => {
        for (const each of placed) setBytes(tx, each);
      }, { sessions: [], content: "add" });
      return { id: sha256Hex(bytes), mime, byteLength: bytes.length };
    },

    async get(id) {
      const { header, bytes } = await readBytes(context, id);
      return { reference: { id, mime: header.mime ?? "application/octet-stream", byteLength: bytes.length }, bytes };
    },

    async delete(id) {
      const droppedAtMs = now();
      await engine.write((tx) => dropBytes(tx, id, droppedAtMs));
      await place?.clear(context);
    },

    async sweep(cutoffMs) {
      const aged = await manifest.listUncommitted(cutoffMs);
      const droppedAtMs = now();
      let reclaimed = 0;
      for (const { sessionId, attachmentId } of aged) {
        if (await engine.write((tx) => reclaim(tx, sessionId, attachmentId, { cutoffMs, droppedAtMs }))) reclaimed++;
      }
      const reserved = (await place?.clear(context, cutoffMs)) ?? 0;
      return { scanned: aged.length + reserved, reclaimed: reclaimed + reserved };
    },
  };
}

function createManifest(context: StoreContext): AttachmentManifest {
  const { engine } = context;
  return {
    async recordIntent(sessionId, attachmentId) {
      checkBinding(context, sessionId);
      const now = context.now();
      await engine.write((tx) => {
        requireUsable(tx, sessionId);
        recordIntent(tx, sessionId, attachmentId, now);
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
      await engine.write((tx) => {
        const row = readManifest(tx, sessionId, attachmentId);
        if (row !== undefined && row.committedAtMs === undefined) removeManifest(tx, sessionId, attachmentId);
      });
    },

    async holds(sessionId, attachmentId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => readManifest(tx, sessionId, attachmentId) !== undefined);
    },
  };
}

/** Drops one intent if it is still aged and nothing in flight names it; the bytes go with their last holder. @returns whether it did. */
function reclaim(tx: WriteTransaction, sessionId: string, attachmentId: string, { cutoffMs, droppedAtMs }: { readonly cutoffMs: number; readonly droppedAtMs: number }): boolean {
  const intentAtMs = tx.get(intentKey(sessionId, attachmentId));
  if (typeof intentAtMs !== "number" || intentAtMs > cutoffMs || isNamed(tx, sessionId, attachmentId)) return false;
  removeManifest(tx, sessionId, attachmentId);
  if (!isHeld(tx, attachmentId)) dropBytes(tx, attachmentId, droppedAtMs);
  return true;
}

/** Whether an input that waits in either lane, or the turn in flight with its log and journal, names the id (OP-25). */
function isNamed(tx: ReadTransaction, sessionId: string, attachmentId: string): boolean {
  const turns = [turnPrefix(sessionId), parkedPrefix(sessionId)];
  for (const prefix of [...turns, ...turns.map((rows) => [...rows, 2]), inputsPrefix(sessionId), workPrefix(sessionId)]) {
    const rows = collect(scanRows(tx, prefix));
    if (rows.some(({ value }) => JSON.stringify(value).includes(attachmentId))) return true;
  }
  return false;
}

/** For stores that keep nothing: every call succeeds, nothing is retained. */
export const emptyManifest: AttachmentManifest = {
  recordIntent: async () => {},
  commitRefs: async () => {},
  listUncommitted: async () => [],
  forget: async () => {},
  holds: async () => false,
};
