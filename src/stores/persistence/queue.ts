// Facet `queue`: queued work (P-28..P-35). Rows: work-rows.ts; claims: work-claims.ts; as in inputs.ts a claim looks first.

import { storeError } from "../../domain/errors.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import { inputNeedsVersion2 } from "../../domain/turn-input.ts";
import type { LeaseFence } from "../contract.ts";
import type { Bound, ReadTransaction } from "../engine.ts";
import type { QueuedBatch, QueueFacet, WorkClaim, WorkDraft } from "../ingress-contract.ts";
import { writeWithBytes } from "./attachment-bytes.ts";
import { setAttachments } from "./attachment-rows.ts";
import { belongsTo, superseded, unclaimed } from "./claim-rows.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { nextSequence } from "./lane-counters.ts";
import { collect } from "./large-row.ts";
import { after, lanesKey, leaseKey, retiredKey, SESSION_ROWS, sessionKey, sessionPrefix, textAt, workSourceKey } from "./layout.ts";
import { countWork, type HeldLane, requireFence } from "./lease-rules.ts";
import { listQueue } from "./ready-index.ts";
import { readyQueues, takenness, waits } from "./ready-queues.ts";
import { requireUsable } from "./retired.ts";
import { CONTENT_VERSION } from "./schema.ts";
import { addingContent } from "./scopes.ts";
import { readControl } from "./turn-rows.ts";
import { exactGroup, leadingCommand, nextGroup, ofTurn, readyWork, takeWork } from "./work-claims.ts";
import { addWork, findWork, queuedWork, removeWork, setWork, toBatch, type WorkRow } from "./work-rows.ts";

/** Picks the next group from what may be claimed, in sequence. */
type Select = (ready: Iterable<WorkRow>) => readonly WorkRow[];

export function createQueue(context: StoreContext): QueueFacet {
  const { engine } = context;

  async function claim(fence: LeaseFence, claimToken: string, select: Select): Promise<WorkClaim | undefined> {
    const { sessionId } = fence;
    checkBinding(context, sessionId);
    const now = context.now();
    const next = (tx: ReadTransaction): Pick<HeldLane, "lease"> & { rows: readonly WorkRow[] } => {
      const { lease, work } = requireFence(tx, sessionId, fence);
      if (work === 0) return { lease, rows: [] };
      const inFlight = readControl(tx, sessionId)?.turnId;
      return { lease, rows: select(readyWork(tx, sessionId, { generation: lease.fencingToken, now, inFlight })) };
    };
    if ((await engine.read(next)).rows.length === 0) return undefined;
    return engine.write((tx) => {
      const { lease, rows } = next(tx);
      return rows.length === 0 ? undefined : takeWork(tx, rows, lease, claimToken);
    });
  }

  return {
    async enqueue(draft) {
      const { sessionId, sourceKey } = draft;
      checkBinding(context, sessionId);
      checkPayloads(draft);
      const now = context.now();
      return writeWithBytes(context, draft.attachments ?? [], (tx, attachments): QueuedBatch => {
        tx.prefetch([sessionKey(sessionId), retiredKey(sessionId), lanesKey(sessionId), leaseKey(sessionId), ...(sourceKey === undefined ? [] : [workSourceKey(sessionId, sourceKey)])]);
        const known = sourceKey === undefined ? undefined : findWork(tx, sessionId, { source: sourceKey });
        if (known !== undefined) return toBatch(sessionId, known);
        requireUsable(tx, sessionId);
        const seq = nextSequence(tx, sessionId, "work");
        const row: WorkRow = {
          ...(draft.payloads.some((payload) => payload.type === "turn_input" && inputNeedsVersion2(payload.input)) && { schemaVersion: CONTENT_VERSION }),
          seq,
          id: `qwb:${sha256Hex(JSON.stringify(["queued_work", sessionId, seq]))}`,
          ...(sourceKey !== undefined && { source: sourceKey }),
          delivery: draft.deliveryPolicy,
          slot: draft.slotPolicy,
          merge: draft.mergeKey ?? "never",
          availableAtMs: draft.availableAtMs ?? 0,
          atMs: now,
          payloads: [...(draft.payloads as WorkRow["payloads"])],
          fencing: 0,
        };
        addWork(tx, sessionId, row);
        listQueue(tx, sessionId, row.availableAtMs, now);
        countWork(tx, sessionId, 1);
        setAttachments(tx, sessionId, attachments, now);
        return toBatch(sessionId, row);
      }, addingContent(sessionId));
    },

    claimCommand: ({ fence, claimToken }) =>
      claim(fence, claimToken, (ready) => {
        const first = leadingCommand(ready);
        return first === undefined ? [] : [first];
      }),

    claimWork: ({ fence, claimToken, boundary, max }) => claim(fence, claimToken, (ready) => nextGroup(ready, boundary, max)),

    claimBatches: ({ fence, claimToken, boundary, batchIds }) => claim(fence, claimToken, (ready) => exactGroup(ready, boundary, batchIds)),

    async claimed(rows) {
      const { sessionId } = rows;
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const batches: QueuedBatch[] = [];
        for (const id of rows.ids) {
          const row = findWork(tx, sessionId, { id });
          if (row === undefined || !belongsTo(row, rows)) throw superseded("queued_work_claim_superseded", rows);
          batches.push(toBatch(sessionId, row));
        }
        return batches;
      });
    },

    async abandon(rows) {
      const { sessionId } = rows;
      checkBinding(context, sessionId);
      await engine.write((tx) => {
        for (const id of rows.ids) {
          const row = findWork(tx, sessionId, { id });
          if (row === undefined || !belongsTo(row, rows)) continue;
          setWork(tx, sessionId, ofTurn(unclaimed(row), undefined));
        }
      });
    },

    async cancel(sessionId, batchId) {
      checkBinding(context, sessionId);
      return engine.write((tx) => {
        const row = findWork(tx, sessionId, { id: batchId });
        if (row === undefined || takenness(tx, sessionId)(row)) return undefined;
        removeWork(tx, sessionId, row);
        countWork(tx, sessionId, -1);
        return toBatch(sessionId, row);
      });
    },

    async list(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => collect(queuedWork(tx, sessionId)).map((row) => toBatch(sessionId, row)));
    },

    async listPending(sessionId) {
      checkBinding(context, sessionId);
      const now = context.now();
      return engine.read((tx) => {
        const isTaken = takenness(tx, sessionId, now);
        return collect(queuedWork(tx, sessionId)).filter((row) => !isTaken(row)).map((row) => toBatch(sessionId, row));
      });
    },

    async find(sessionId, batchId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const row = findWork(tx, sessionId, { id: batchId });
        return row && toBatch(sessionId, row);
      });
    },

    async isWaiting(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => waits(tx, sessionId, context.now()));
    },

    async waiting() {
      const now = context.now();
      return engine.read((tx) => {
        const found: string[] = [];
        // From session to session: one that never had either lane costs two small reads.
        for (let from: Bound = SESSION_ROWS; ; ) {
          const [entry] = tx.range(from, after(SESSION_ROWS), { limit: 1 });
          if (entry === undefined) return found;
          const sessionId = textAt(entry.key, 1);
          if (waits(tx, sessionId, now)) found.push(sessionId);
          from = after(sessionPrefix(sessionId));
        }
      });
    },

    ready: () => readyQueues(context),
  };
}

function checkPayloads({ sessionId, payloads }: WorkDraft): void {
  const classes = new Set(payloads.map(({ type }) => (type === "session_command" ? "session_command" : "turn_work")));
  if (classes.size === 1) return;
  const problem = classes.size === 0 ? "holds no payload" : "mixes session commands and turn work";
  throw storeError("store_backend", `a batch for session ${sessionId} ${problem}`, { details: { sessionId } });
}
