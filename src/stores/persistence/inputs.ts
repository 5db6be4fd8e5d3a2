// Facet `inputs`: pending turn inputs (P-36..P-43). Rows: input-rows.ts; claims: claim-rows.ts.
//
// A claim looks first, in a read of its own, whether there is anything to claim: checkpoints of running turns ask often and
// nearly always in vain, and a write transaction would wait for the disk and for other writers.

import type { SessionLease } from "../contract.ts";
import type { ReadTransaction, WriteTransaction } from "../engine.ts";
import type {
  CancelOutcome,
  ClaimDiagnostics,
  InputClaimMode,
  InputFacet,
  PendingTurnInput,
  SuffixCancelOutcome,
  TurnInputClaim,
} from "../ingress-contract.ts";
import { writeWithBytes } from "./attachment-bytes.ts";
import { readsOfAttachment, setAttachments } from "./attachment-rows.ts";
import { belongsTo, claimLiveness, seemingLiveness, isClaimable, superseded, unclaimed } from "./claim-rows.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { admitInput, readsOfAdmission, waitingState } from "./input-admission.ts";
import { isActiveFor, selectInputs, takeInputs } from "./input-claims.ts";
import {
  deferred,
  endedInputs,
  findInput,
  type InputRow,
  isFor,
  liveInputs,
  setInput,
  toInput,
} from "./input-rows.ts";
import { collect } from "./large-row.ts";
import { requireFence } from "./lease-rules.ts";
import { addingContent } from "./scopes.ts";

type ActiveRequest = Parameters<InputFacet["claimActive"]>[0];

export function createInputs(context: StoreContext): InputFacet {
  const { engine } = context;

  /** @param isWanted - whether a row is one that this kind of claim takes. */
  async function claim(
    { fence, claimToken, max }: Omit<ActiveRequest, "turnId" | "checkpoint">,
    mode: InputClaimMode,
    isWanted: (row: InputRow) => boolean,
  ): Promise<TurnInputClaim | undefined> {
    const { sessionId } = fence;
    checkBinding(context, sessionId);
    const select = (tx: ReadTransaction, limit: number): { lease: SessionLease; rows: InputRow[] } => {
      const { lease } = requireFence(tx, sessionId, fence);
      return { lease, rows: selectInputs(tx, sessionId, { generation: lease.fencingToken, max: limit, isWanted }) };
    };
    if ((await engine.read((tx) => select(tx, Math.min(max, 1)))).rows.length === 0) return undefined;
    return engine.write((tx) => {
      const { lease, rows } = select(tx, max);
      return rows.length === 0 ? undefined : takeInputs(tx, rows, lease, { claimToken, mode, accepts: mode.kind === "active_turn" });
    });
  }

  return {
    async enqueue(draft) {
      const { sessionId } = draft;
      checkBinding(context, sessionId);
      const now = context.now();
      return writeWithBytes(context, draft.attachments ?? [], (tx, attachments): PendingTurnInput => {
        tx.prefetch([...readsOfAdmission(draft), ...attachments.flatMap(({ id }) => readsOfAttachment(sessionId, id))]);
        const { input, isNew } = admitInput(tx, draft, now);
        if (isNew) setAttachments(tx, sessionId, attachments, now);
        return input;
      }, addingContent(sessionId));
    },

    claimActive(request) {
      const { turnId, checkpoint } = request;
      return claim(request, { kind: "active_turn", turnId, checkpoint }, (row) => isActiveFor(row, turnId, checkpoint));
    },

    claimNext: (request) => claim(request, { kind: "next_turn" }, (row) => row.state === "deferred_next_turn"),

    async claimed(rows) {
      const { sessionId } = rows;
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const inputs: PendingTurnInput[] = [];
        for (const id of rows.ids) {
          const row = findInput(tx, sessionId, { kind: "input_id", value: id });
          if (row === undefined || !belongsTo(row, rows)) throw superseded("turn_input_claim_superseded", rows);
          inputs.push(toInput(sessionId, row));
        }
        return inputs;
      });
    },

    async abandon(rows) {
      const { sessionId } = rows;
      checkBinding(context, sessionId);
      await engine.write((tx) => {
        for (const id of rows.ids) {
          const row = findInput(tx, sessionId, { kind: "input_id", value: id });
          if (row === undefined || !belongsTo(row, rows)) continue;
          const free = unclaimed(row);
          setInput(tx, sessionId, row.state === "accepted" ? { ...free, state: waitingState(row.ingress) } : free);
        }
      });
    },

    async listPending(sessionId) {
      checkBinding(context, sessionId);
      const now = context.now();
      return engine.read((tx) => {
        const isLive = seemingLiveness(tx, sessionId, now);
        const rows = collect(liveInputs(tx, sessionId));
        return rows.filter((row) => row.state !== "accepted" && !isLive(row)).map((row) => toInput(sessionId, row));
      });
    },

    async cancel(sessionId, targets) {
      checkBinding(context, sessionId);
      return engine.write((tx) => {
        const isLive = claimLiveness(tx, sessionId);
        const outcomes: CancelOutcome[] = [];
        for (const target of targets) {
          const row = findInput(tx, sessionId, target);
          outcomes.push(row === undefined ? { outcome: "not_found" } : cancelRow(tx, sessionId, row, isLive));
        }
        return outcomes;
      });
    },

    async cancelSuffix(sessionId, anchor) {
      checkBinding(context, sessionId);
      return engine.write((tx): SuffixCancelOutcome => {
        const first = findInput(tx, sessionId, anchor);
        if (first === undefined) return { outcome: "anchor_not_found", data: { anchor } };
        const isLive = claimLiveness(tx, sessionId);
        const rows = [...collect(endedInputs(tx, sessionId)), ...collect(liveInputs(tx, sessionId))]
          .filter((row) => row.seq >= first.seq)
          .sort((a, b) => a.seq - b.seq);
        const outcomes: CancelOutcome[] = [];
        for (const row of rows) outcomes.push(cancelRow(tx, sessionId, row, isLive));
        return { outcome: "outcomes", data: { anchor, outcomes } };
      });
    },

    async deferOrphaned(fence, scope) {
      const { sessionId } = fence;
      checkBinding(context, sessionId);
      return engine.write((tx) => {
        const { lease } = requireFence(tx, sessionId, fence);
        const isOrphaned = (row: InputRow): boolean => {
          if (row.state !== "pending_active" && row.state !== "accepted") return false;
          if (scope.kind === "turn") return isFor(row, scope.turnId);
          return isClaimable(row, lease.fencingToken) && !(scope.turnId !== undefined && isFor(row, scope.turnId));
        };
        const orphaned = collect(liveInputs(tx, sessionId)).filter(isOrphaned).map(deferred);
        for (const row of orphaned) setInput(tx, sessionId, row);
        return orphaned.map((row) => toInput(sessionId, row));
      });
    },
  };
}

function cancelRow(tx: WriteTransaction, sessionId: string, row: InputRow, isLive: (row: InputRow) => boolean): CancelOutcome {
  if (row.state === "cancelled") return { outcome: "already_cancelled", data: toInput(sessionId, row) };
  if (row.state === "completed") return { outcome: "already_completed", data: toInput(sessionId, row) };
  if (row.state === "accepted" || isLive(row)) {
    return { outcome: "already_claimed", data: { input: toInput(sessionId, row), claim: diagnose(row) } };
  }
  const cancelled: InputRow = { ...unclaimed(row), state: "cancelled" };
  setInput(tx, sessionId, cancelled);
  return { outcome: "cancelled", data: toInput(sessionId, cancelled) };
}

const diagnose = ({ state, claim, fencing }: InputRow): ClaimDiagnostics => ({
  state,
  ...(claim !== undefined && { claimId: claim.id, claimOwner: claim.owner }),
  claimFencingToken: fencing,
});
