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
import { after, SESSION_ROWS, sessionPrefix, textAt } from "./layout.ts";
import { countWork, type HeldLane, requireFence } from "./lease-rules.ts";
import { listQueue } from "./ready-index.ts";
import { readyQueues, takenness, waits } from "./ready-queues.ts";
import { requireUsable } from "./retired.ts";
import { CONTENT_VERSION } from "./schema.ts";
import { readControl } from "./turn-rows.ts";
import { exactGroup, leadingCommand, nextGroup, ofTurn, readyWork, takeWork } from "./work-claims.ts";
import { addWork, findWork, queuedWork, removeWork, setWork, toBatch, type WorkRow } from "./work-rows.ts";

/** Picks the next group from what may be claimed, in sequence. */
type Select = (ready: AsyncIterable<WorkRow>) => Promise<readonly WorkRow[]>;

export function createQueue(context: StoreContext): QueueFacet {
  const { engine } = context;

  async function claim(fence: LeaseFence, claimToken: string, select: Select): Promise<WorkClaim | undefined> {
    const { sessionId } = fence;
    checkBinding(context, sessionId);
    const now = context.now();
    const next = async (tx: ReadTransaction): Promise<Pick<HeldLane, "lease"> & { rows: readonly WorkRow[] }> => {
      const { lease, work } = await requireFence(tx, sessionId, fence);
      if (work === 0) return { lease, rows: [] };
      const inFlight = (await readControl(tx, sessionId))?.turnId;
      return { lease, rows: await select(readyWork(tx, sessionId, { generation: lease.fencingToken, now, inFlight })) };
    };
    if ((await engine.read(next)).rows.length === 0) return undefined;
    return engine.write(async (tx) => {
      const { lease, rows } = await next(tx);
      return rows.length === 0 ? undefined : takeWork(tx, rows, lease, claimToken);
    });
  }

  return {
    async enqueue(draft) {
      const { sessionId, sourceKey } = draft;
      checkBinding(context, sessionId);
      checkPayloads(draft);
      const now = context.now();
      return writeWithBytes(context, draft.attachments ?? [], async (tx, attachments): Promise<QueuedBatch> => {
        const known = sourceKey === undefined ? undefined : await findWork(tx, sessionId, { source: sourceKey });
        if (known !== undefined) return toBatch(sessionId, known);
        await requireUsable(tx, sessionId);
        const seq = await nextSequence(tx, sessionId, "work");
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
        await countWork(tx, sessionId, 1);
        await setAttachments(tx, sessionId, attachments, now);
        return toBatch(sessionId, row);
      });
    },

    claimCommand: ({ fence, claimToken }) =>
      claim(fence, claimToken, async (ready) => {
        const first = await leadingCommand(ready);
        return first === undefined ? [] : [first];
      }),

    claimWork: ({ fence, claimToken, boundary, max }) => claim(fence, claimToken, (ready) => nextGroup(ready, boundary, max)),

    claimBatches: ({ fence, claimToken, boundary, batchIds }) => claim(fence, claimToken, (ready) => exactGroup(ready, boundary, batchIds)),

    async claimed(rows) {
      const { sessionId } = rows;
      checkBinding(context, sessionId);
      return engine.read(async (tx) => {
        const batches: QueuedBatch[] = [];
        for (const id of rows.ids) {
          const row = await findWork(tx, sessionId, { id });
          if (row === undefined || !belongsTo(row, rows)) throw superseded("queued_work_claim_superseded", rows);
          batches.push(toBatch(sessionId, row));
        }
        return batches;
      });
    },

    async abandon(rows) {
      const { sessionId } = rows;
      checkBinding(context, sessionId);
      await engine.write(async (tx) => {
        for (const id of rows.ids) {
          const row = await findWork(tx, sessionId, { id });
          if (row === undefined || !belongsTo(row, rows)) continue;
          setWork(tx, sessionId, ofTurn(unclaimed(row), undefined));
        }
      });
    },

    async cancel(sessionId, batchId) {
      checkBinding(context, sessionId);
      return engine.write(async (tx) => {
        const row = await findWork(tx, sessionId, { id: batchId });
        if (row === undefined || (await takenness(tx, sessionId))(row)) return undefined;
        await removeWork(tx, sessionId, row);
        await countWork(tx, sessionId, -1);
        return toBatch(sessionId, row);
      });
    },

    async list(sessionId) {
      checkBinding(context, sessionId);
      return engine.read(async (tx) => (await collect(queuedWork(tx, sessionId))).map((row) => toBatch(sessionId, row)));
    },

    async listPending(sessionId) {
      checkBinding(context, sessionId);
      const now = context.now();
      return engine.read(async (tx) => {
        const isTaken = await takenness(tx, sessionId, now);
        return (await collect(queuedWork(tx, sessionId))).filter((row) => !isTaken(row)).map((row) => toBatch(sessionId, row));
      });
    },

    async find(sessionId, batchId) {
      checkBinding(context, sessionId);
      return engine.read(async (tx) => {
        const row = await findWork(tx, sessionId, { id: batchId });
        return row && toBatch(sessionId, row);
      });
    },

    async isWaiting(sessionId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => waits(tx, sessionId, context.now()));
    },

    async waiting() {
      const now = context.now();
      return engine.read(async (tx) => {
        const found: string[] = [];
        // From session to session: one that never had either lane costs two small reads.
        for (let from: Bound = SESSION_ROWS; ; ) {
          const [entry] = await tx.range(from, after(SESSION_ROWS), { limit: 1 });
          if (entry === undefined) return found;
          const sessionId = textAt(entry.key, 1);
          if (await waits(tx, sessionId, now)) found.push(sessionId);
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
