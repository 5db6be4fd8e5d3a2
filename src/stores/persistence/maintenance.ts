// Facet `maintenance`: what a host does to a store now and then (P-48..P-50). Each operation is one transaction, before
// files are written anew.

import type { SessionNode } from "../../domain/session.ts";
import type { GcReport, MaintenanceFacet, VacuumReport } from "../upkeep-contract.ts";
import { type Bound, prefixRange, type ReadTransaction, type Value, type WriteTransaction } from "../engine.ts";
import { COMPONENTS } from "./components.ts";
import { readConfigRef } from "./config-row.ts";
import { deleteContent } from "./content.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { erase, noteErasure, notedErasures } from "./erasure.ts";
import { readHead, writeHead } from "./head-row.ts";
import { hasEnding, readEnding, readNodes, writeHistory } from "./history-row.ts";
import { endedInputs, removeEnded } from "./input-rows.ts";
import { collect, deleteRow, prepareRow, scanRows, setRow } from "./large-row.ts";
import {
  after,
  contentPrefix,
  headKey,
  historyPrefix,
  nodeIndexKey,
  SESSION_ROWS,
  sessionPrefix,
  textAt,
  tombstoneKey,
} from "./layout.ts";
import { loadSession } from "./load.ts";
import { findLiveNode, readTombstones } from "./tombstones.ts";

export function createMaintenance(context: StoreContext): MaintenanceFacet {
  const { engine } = context;
  return {
    async tombstoneNodes(sessionId, nodeIds) {
      checkBinding(context, sessionId);
      return engine.write((tx) => {
        const head = readHead(tx, sessionId);
        if (head === undefined) return 0;
        let hidden = 0;
        for (const id of new Set(nodeIds)) {
          if (findLiveNode(tx, sessionId, id) === undefined) continue;
          tx.set(tombstoneKey(sessionId, id), true);
          hidden++;
        }
        // Not a commit: the revision stays, and a commit under way that expects it still fits.
        if (hidden > 0) tx.set(headKey(sessionId), writeHead(sessionId, { ...head, hidden: head.hidden + hidden }));
        return hidden;
      });
    },

    async vacuum(sessionId) {
      if (sessionId === undefined) {
        await erase(context, await engine.read(notedErasures));
        return { removedNodeCount: 0, removedPendingTurnInputTombstoneCount: 0 };
      }
      checkBinding(context, sessionId);
      const { noted, ...report } = await engine.write((tx): VacuumReport & { readonly noted: Value | undefined } => {
        const inputs = collect(endedInputs(tx, sessionId));
        for (const row of inputs) removeEnded(tx, sessionId, row);
        const removedNodeCount = removeTombstoned(tx, sessionId);
        return { removedNodeCount, removedPendingTurnInputTombstoneCount: inputs.length, noted: notedErasures(tx) };
      });
      if (noted !== undefined) await erase(context, noted);
      return report;
    },

    async gcUnreachable() {
      return engine.write((tx): GcReport => {
        const { rootCount, refs } = componentRoots(tx);
        let [retainedBlobCount, deletedBlobCount] = [0, 0];
        for (const { key } of tx.range(...prefixRange(contentPrefix(COMPONENTS)))) {
          const ref = textAt(key, 2);
          if (refs.has(ref)) retainedBlobCount++;
          else {
            deleteContent(tx, COMPONENTS, ref);
            deletedBlobCount++;
          }
        }
        if (deletedBlobCount > 0) noteErasure(tx);
        return { rootCount, retainedBlobCount, deletedBlobCount };
      });
    },

    async orphanedNodeIds(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const full = loadSession(tx, sessionId, { kind: "full_graph" });
        const path = loadSession(tx, sessionId, { kind: "active_path" });
        const active = new Set(path?.nodes.map((node) => node.nodeId));
        return (full?.nodes ?? []).map((node) => node.nodeId).filter((id) => !active.has(id));
      });
    },
  };
}

/** Writes history rows again without their tombstoned nodes; a turn's result stays. */
function removeTombstoned(tx: WriteTransaction, sessionId: string): number {
  const tombstones = readTombstones(tx, sessionId);
  if (tombstones.size === 0) return 0;
  let removed = 0;
  for (const { key, value } of scanRows(tx, historyPrefix(sessionId))) {
    const nodes = readNodes(key, value);
    const kept = nodes.filter((node: SessionNode) => !tombstones.has(node.nodeId));
    if (kept.length === nodes.length) continue;
    removed += nodes.length - kept.length;
    const row = writeHistory(sessionId, kept, hasEnding(value) ? readEnding(key, value) : undefined);
    deleteRow(tx, key);
    if (row !== undefined) setRow(tx, key, prepareRow(row));
  }
  for (const id of tombstones) {
    tx.delete(nodeIndexKey(sessionId, id));
    tx.delete(tombstoneKey(sessionId, id));
  }
  return removed;
}

/** What the heads and configurations of all sessions name; a row that cannot be read throws (C-36). */
function componentRoots(tx: ReadTransaction): { readonly rootCount: number; readonly refs: ReadonlySet<string> } {
  const refs = new Set<string>();
  let rootCount = 0;
  const to = after(SESSION_ROWS);
  for (let from: Bound = SESSION_ROWS; ; ) {
    const [entry] = tx.range(from, to, { limit: 1 });
    if (entry === undefined) return { rootCount, refs };
    const sessionId = textAt(entry.key, 1);
    const config = readConfigRef(tx, sessionId);
    const named = [...Object.values(readHead(tx, sessionId)?.components ?? {}), ...(config === undefined ? [] : [config])];
    if (named.length > 0) rootCount++;
    for (const ref of named) refs.add(ref);
    from = after(sessionPrefix(sessionId));
  }
}
