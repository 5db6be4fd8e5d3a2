// Sessions as a whole: creating, finding, summing up and deleting them (P-23, P-51, P-52).

import type { SessionNode } from "../../domain/session.ts";
import type { SessionFacet, SessionMeta, SessionSeed, SessionSummary } from "../contract.ts";
import { type Key, prefixRange, type WriteTransaction } from "../engine.ts";
import { dropBytes } from "./attachment-bytes.ts";
import { isHeld, removeManifest } from "./attachment-rows.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { noteErasure } from "./erasure.ts";
import { childKey, manifestPrefix, retiredKey, sessionKey, sessionPrefix, textAt, turnPrefix } from "./layout.ts";
import { loadSession } from "./load.ts";
import { parentIn, readMeta, seedMeta } from "./meta-row.ts";
import { beginSession } from "./new-session.ts";
import { requireNotRetired } from "./retired.ts";
import { invalidRow } from "./schema.ts";
import { revokeWaits } from "./waits.ts";

/** Rows deleted per range: a long session is not read at once. */
const PAGE = 512;

type Directory = Pick<SessionFacet, "create" | "begin" | "open" | "summarize" | "delete">;

export function createDirectory(context: StoreContext): Directory {
  const { engine, place } = context;
  return {
    async create(seed: SessionSeed): Promise<SessionMeta> {
      const { sessionId } = seed;
      checkBinding(context, sessionId);
      const now = context.now();
      return engine.write((tx) => {
        seedMeta(tx, sessionId, { ...seed, protocol: context.protocol }, now);
        const key = sessionKey(sessionId);
        const value = tx.get(key);
        if (value === undefined) throw invalidRow("session metadata", key, "it is missing");
        return readMeta(key, value);
      });
    },

    begin: (session) => beginSession(context, session),

    async open(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const key = sessionKey(sessionId);
        const value = tx.get(key);
        if (value !== undefined) return readMeta(key, value);
        requireNotRetired(tx, sessionId);
        return undefined;
      });
    },

    async summarize(sessionId): Promise<SessionSummary | undefined> {
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const key = sessionKey(sessionId);
        const value = tx.get(key);
        if (value === undefined) return undefined;
        const said = (loadSession(tx, sessionId, { kind: "active_path" })?.nodes ?? []).flatMap(userText);
        const [firstUserText] = said;
        return { meta: readMeta(key, value), userMessageCount: said.length, ...(firstUserText !== undefined && { firstUserText }) };
      });
    },

    async delete(sessionId) {
      checkBinding(context, sessionId);
      const now = context.now();
      const existed = await engine.write((tx) => {
        const entry = tx.get(sessionKey(sessionId));
        const hasRows = tx.range(...prefixRange(sessionPrefix(sessionId)), { limit: 1 }).length > 0;
        if (entry === undefined && !hasRows) return false;
        for (const { key } of tx.range(...prefixRange(manifestPrefix(sessionId)))) release(tx, sessionId, textAt(key, 3), now);
        deleteBelow(tx, sessionPrefix(sessionId));
        deleteBelow(tx, turnPrefix(sessionId));
        revokeWaits(tx, sessionId);
        const parent = parentIn(entry);
        if (parent !== undefined) tx.delete(childKey(parent, sessionId));
        tx.delete(sessionKey(sessionId));
        tx.set(retiredKey(sessionId), { retiredAtMs: now });
        noteErasure(tx);
        return true;
      });
      // The session is gone whatever becomes of this; what is left here falls to the next sweep.
      await place?.clear(context).catch(() => undefined);
      return existed;
    },
  };
}

/** What the user said in a message of their own; nothing for other nodes. */
function userText({ body }: SessionNode): string[] {
  if (body.kind !== "message" || body.message.role !== "User" || body.message.origin !== undefined) return [];
  const { parts } = body.message;
  const texts = parts.filter((part) => part.kind === "Text").map((part) => part.content);
  if (texts.length > 0) return [texts.join("\n")];
  // Tool results travel in user messages, too.
  if (parts.some((part) => part.kind === "ToolResult")) return [];
  if (parts.some((part) => part.kind === "Image")) return ["[Image attached]"];
  return parts.some((part) => part.kind === "File") ? ["[File attached]"] : [];
}

/** Drops a session's reference; the bytes go with the last one (C-46). */
function release(tx: WriteTransaction, sessionId: string, attachmentId: string, now: number): void {
  removeManifest(tx, sessionId, attachmentId);
  if (!isHeld(tx, attachmentId)) dropBytes(tx, attachmentId, now);
}

function deleteBelow(tx: WriteTransaction, prefix: Key): void {
  for (;;) {
    const page = tx.range(...prefixRange(prefix), { limit: PAGE });
    for (const { key } of page) tx.delete(key);
    if (page.length < PAGE) return;
  }
}
