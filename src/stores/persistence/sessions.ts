// Facet `sessions`: heads, history, frames, metadata. Keys: layout.ts; commits: commit.ts; loading: load.ts.

import type { SessionFacet } from "../contract.ts";
import { prefixRange } from "../engine.ts";
import { commitSession } from "./commit.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { NO_HEAD, readHead } from "./head-row.ts";
import { sessionKey, SESSIONS, textAt } from "./layout.ts";
import { loadSession } from "./load.ts";
import { findMeta, setMeta } from "./meta-row.ts";
import { requireNotRetired } from "./retired.ts";
import { createDirectory } from "./session-directory.ts";
import { readRegion } from "./session-region.ts";
import { findNode } from "./node-lookup.ts";
import { findLiveNode } from "./tombstones.ts";
import { readLedger, readLedgerRow } from "./usage-row.ts";

export function createSessions(context: StoreContext): SessionFacet {
  const { engine } = context;
  return {
    ...createDirectory(context),

    commit: (commit) => commitSession(context, commit),

    async load(sessionId, scope) {
      checkBinding(context, sessionId);
      return engine.read((tx) => loadSession(tx, sessionId, scope));
    },

    async restore(sessionId, scope) {
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const read = loadSession(tx, sessionId, scope);
        return { region: readRegion(tx, sessionId, read !== undefined), ...(read && { read }) };
      });
    },

    async headRevision(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => (readHead(tx, sessionId) ?? NO_HEAD).revision);
    },

    async ledger(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => readLedger(readLedgerRow(tx, sessionId)));
    },

    async loadNode(sessionId, nodeId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => findLiveNode(tx, sessionId, nodeId));
    },

    async usesNode(sessionId, nodeId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => findNode(tx, sessionId, nodeId) !== undefined);
    },

    async loadMeta(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => findMeta(tx, sessionId));
    },

    async saveMeta(meta) {
      checkBinding(context, meta.sessionId);
      await engine.write((tx) => {
        requireNotRetired(tx, meta.sessionId);
        setMeta(tx, meta);
      });
    },

    async list() {
      const { boundSessionId } = context;
      const prefix = boundSessionId === undefined ? SESSIONS : sessionKey(boundSessionId);
      const entries = await engine.read((tx) => tx.range(...prefixRange(prefix)));
      return entries.map(({ key }) => textAt(key, 1));
    },
  };
}
