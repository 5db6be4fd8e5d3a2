// Facet `queue`: queued work (P-28..P-35). Rows: work-rows.ts; claims: claim-rows.ts; as in inputs.ts a claim looks first.

import { storeError } from "../../domain/errors.ts";
import { jsonEqual } from "../../domain/json.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import type { LeaseFence, SessionLease } from "../contract.ts";
import type { ReadTransaction } from "../engine.ts";
import type { QueuedBatch, QueueFacet, WorkBoundary, WorkClaim, WorkDraft } from "../ingress-contract.ts";
import { belongsTo, claimLiveness, claimRows, isClaimable, unclaimed } from "./claim-rows.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { nextSequence } from "./lane-counters.ts";
import { collect } from "./large-row.ts";
import { requireFence } from "./lease-rules.ts";
import { requireUsable } from "./retired.ts";
import { addWork, classOf, findWork, queuedWork, removeWork, setWork, toBatch, type WorkRow } from "./work-rows.ts";

/** Picks the next group from what may be claimed, in sequence. */
type Select = (ready: AsyncIterable<WorkRow>) => Promise<readonly WorkRow[]>;

export function createQueue(context: StoreContext): QueueFacet {
  const { engine } = context;

  async function claim(fence: LeaseFence, claimToken: string, select: Select): Promise<WorkClaim | undefined> {
    const { sessionId } = fence;
    checkBinding(context, sessionId);
    const now = context.now();
    const next = async (tx: ReadTransaction): Promise<{ lease: SessionLease; rows: readonly WorkRow[] }> => {
      const lease = await requireFence(tx, sessionId, fence, now);
      return { lease, rows: await select(readyWork(tx, sessionId, lease, now)) };
    };
    if ((await engine.read(next)).rows.length === 0) return undefined;
    return engine.write(async (tx) => {
      const { lease, rows } = await next(tx);
      if (rows.length === 0) return undefined;
      const claimed = claimRows("qwc", rows, lease, claimToken);
      for (const row of claimed.rows) setWork(tx, sessionId, row);
      return {
        sessionId,
        claimId: claimed.claimId,
        owner: lease.owner,
        claimToken,
        fencingToken: claimed.fencingToken,
        sessionLeaseGeneration: lease.fencingToken,
        batches: claimed.rows.map((row) => toBatch(sessionId, row)),
      };
    });
  }

  return {
    async enqueue(draft) {
      const { sessionId, sourceKey } = draft;
      checkBinding(context, sessionId);
      checkPayloads(draft);
      const now = context.now();
      return engine.write(async (tx): Promise<QueuedBatch> => {
        const known = sourceKey === undefined ? undefined : await findWork(tx, sessionId, { source: sourceKey });
        if (known !== undefined) return toBatch(sessionId, known);
        await requireUsable(tx, sessionId);
        const seq = await nextSequence(tx, sessionId, "work");
        const row: WorkRow = {
          seq,
          id: `qwb:${sha256Hex(JSON.stringify(["queued_work", sessionId, seq]))}`,
          ...(sourceKey !== undefined && { source: sourceKey }),
          delivery: draft.deliveryPolicy,
          slot: draft.slotPolicy,
          merge: draft.mergeKey ?? "never",
          availableAtMs: draft.availableAtMs ?? 0,
          atMs: now,
          payloads: [...draft.payloads],
          fencing: 0,
        };
        addWork(tx, sessionId, row);
        return toBatch(sessionId, row);
      });
    },

    claimCommand: ({ fence, claimToken }) =>
      claim(fence, claimToken, async (ready) => {
        const first = await firstOf(ready);
        return first !== undefined && classOf(first) === "session_command" ? [first] : [];
      }),

    claimWork: ({ fence, claimToken, boundary, max }) => claim(fence, claimToken, (ready) => nextGroup(ready, boundary, max)),

    claimBatches: ({ fence, claimToken, boundary, batchIds }) =>
      claim(fence, claimToken, async (ready) => {
        const group = await nextGroup(ready, boundary, batchIds.length);
        const isWanted = group.length === batchIds.length && group.every((row, index) => row.id === batchIds[index]);
        return isWanted ? group : [];
      }),

    async abandon(rows) {
      const { sessionId } = rows;
      checkBinding(context, sessionId);
      await engine.write(async (tx) => {
        for (const id of rows.ids) {
          const row = await findWork(tx, sessionId, { id });
          if (row !== undefined && belongsTo(row, rows)) setWork(tx, sessionId, unclaimed(row));
        }
      });
    },

    async cancel(sessionId, batchId) {
      checkBinding(context, sessionId);
      const now = context.now();
      return engine.write(async (tx) => {
        const row = await findWork(tx, sessionId, { id: batchId });
        if (row === undefined || (await claimLiveness(tx, sessionId, now))(row)) return undefined;
        await removeWork(tx, sessionId, row);
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
        const isLive = await claimLiveness(tx, sessionId, now);
        return (await collect(queuedWork(tx, sessionId))).filter((row) => !isLive(row)).map((row) => toBatch(sessionId, row));
      });
    },
  };
}

/** Candidates, filtered before any limit: an unready or claimed row neither hides nor separates those behind it (P-30). */
async function* readyWork(tx: ReadTransaction, sessionId: string, lease: SessionLease, now: number): AsyncGenerator<WorkRow, void> {
  for await (const row of queuedWork(tx, sessionId)) {
    if (row.availableAtMs <= now && isClaimable(row, lease.fencingToken)) yield row;
  }
}

async function firstOf(rows: AsyncIterable<WorkRow>): Promise<WorkRow | undefined> {
  for await (const row of rows) return row;
  return undefined;
}

/** The group that the first candidate opens (I-20, I-21); nothing behind a command, or at a checkpoint behind later work. */
async function nextGroup(ready: AsyncIterable<WorkRow>, boundary: WorkBoundary, max: number): Promise<readonly WorkRow[]> {
  const group: WorkRow[] = [];
  if (max === 0) return group;
  for await (const row of ready) {
    const [head] = group;
    if (head === undefined) {
      const isBlocked = boundary === "active_turn_checkpoint" && row.delivery !== "earliest_safe_boundary";
      if (classOf(row) === "session_command" || isBlocked) break;
    } else if (!joins(row, head)) break;
    group.push(row);
    if (group.length === max || row.slot === "exclusive") break;
  }
  return group;
}

const joins = (row: WorkRow, head: WorkRow): boolean =>
  classOf(row) === "turn_work" &&
  row.slot === "join" &&
  row.delivery === head.delivery &&
  row.merge !== "never" &&
  jsonEqual(row.merge, head.merge);

function checkPayloads({ sessionId, payloads }: WorkDraft): void {
  const classes = new Set(payloads.map(({ type }) => type));
  if (classes.size === 1) return;
  const problem = classes.size === 0 ? "holds no payload" : "mixes session commands and turn work";
  throw storeError("store_backend", `a batch for session ${sessionId} ${problem}`, { details: { sessionId } });
}
