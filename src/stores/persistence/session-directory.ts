// Sessions as a whole: creating, finding, summing up and deleting them (P-23, P-51, P-52).

import type { SessionNode } from "../../domain/session.ts";
import type { SessionFacet, SessionMeta, SessionSeed, SessionSummary } from "../contract.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { sessionKey, turnControlKey } from "./layout.ts";
import { loadSession } from "./load.ts";
import { readMeta, seedMeta } from "./meta-row.ts";
import { beginSession } from "./new-session.ts";
import { requireNotRetired, sessionRetired } from "./retired.ts";
import { deleteSession } from "./session-deletion.ts";
import { deletionIn } from "./session-region.ts";
import { invalidRow } from "./schema.ts";

type Directory = Pick<SessionFacet, "create" | "begin" | "open" | "summarize" | "delete">;

export function createDirectory(context: StoreContext): Directory {
  const { engine } = context;
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
      const meta = await engine.read((tx) => {
        if (deletionIn(tx.get(turnControlKey(sessionId))) !== undefined) return "deleting";
        const key = sessionKey(sessionId);
        const value = tx.get(key);
        if (value !== undefined) return readMeta(key, value);
        requireNotRetired(tx, sessionId);
        return undefined;
      });
      if (meta !== "deleting") return meta;
      await deleteSession(context, sessionId);
      throw sessionRetired(sessionId);
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

    delete: (sessionId) => deleteSession(context, sessionId),
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
