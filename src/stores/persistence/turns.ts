// Facet `turns`: turns that were accepted and have not ended (OP-1). Rows: turn-rows.ts; ended turns: stamp.ts.
//
// A turn that is in flight cannot be stamped, because the transaction that stamps it deletes its rows. So the stamp, which
// every operation checks first, is only read when the turn is not in flight.

import type { TurnCancelOutcome } from "../../domain/cancellation.ts";
import type { CollectedClaims, RecordedTurn, ResumeOutcome, StepOutcome, TurnFacet } from "../contract.ts";
import type { ReadTransaction } from "../engine.ts";
import { acceptQueued, acceptTurn } from "./turn-acceptance.ts";
import { selectWaiting, takeWaiting } from "./checkpoint-claims.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { NO_HEAD, readHead } from "./head-row.ts";
import { deferInputsOf, liveInputs } from "./input-rows.ts";
import { collect, prepareRow, setRow } from "./large-row.ts";
import { PARKED, stampKey, TURNS } from "./layout.ts";
import { decideClaim, requireFence, writeReleased } from "./lease-rules.ts";
import { requireNotRetired } from "./retired.ts";
import { readyTurns, turnsBelow } from "./ready-turns.ts";
import { listReady } from "./ready-index.ts";
import { isLeft, takeUp } from "./turn-takeover.ts";
import { parkTurn, requireStep } from "./turn-steps.ts";
import { checkClaims, completeClaims } from "./settled-claims.ts";
import { findEnded, findSettled, record, settledStamp, turnConflict } from "./stamp.ts";
import { deleteTurn, prepareDelta, readControl, readTurn, requireControl, setControl, setStep } from "./turn-rows.ts";

export function createTurns(context: StoreContext): TurnFacet {
  const { engine } = context;
  return {
    accept: (request) => acceptTurn(context, request),
    acceptQueued: (request) => acceptQueued(context, request),

    async resume(request) {
      const { sessionId, turnId } = request;
      checkBinding(context, sessionId);
      const now = context.now();
      return engine.write(async (tx): Promise<ResumeOutcome> => {
        const inFlight = await requireControl(tx, sessionId);
        if (inFlight?.turnId !== turnId) {
          await requireNotRetired(tx, sessionId);
          const result = await findSettled(tx, sessionId, turnId);
          return result === undefined ? { kind: "unknown_turn" } : { kind: "settled", result };
        }
        const claim = await decideClaim(tx, request, now);
        if (claim.kind === "busy") return { kind: "busy", holder: claim.holder };
        const taken = await takeUp(context, tx, inFlight, claim, request);
        return isLeft(taken) ? taken : { kind: "resumed", ...taken };
      });
    },

    async recordStep(step) {
      const { fence, turnId, collect: collection } = step;
      const { sessionId } = fence;
      checkBinding(context, sessionId);
      const now = context.now();
      const delta = prepareDelta(step);
      return engine.write(async (tx): Promise<StepOutcome> => {
        const begun = await requireStep(tx, step);
        if (begun.kind === "settled") return begun;
        const { inFlight, held } = begun;
        const asked = inFlight.cancel && { cancellation: inFlight.cancel };
        const waiting = collection && (await selectWaiting(tx, held, { turnId, inFlight, now }, collection));
        if (collection === undefined || waiting === undefined) {
          setStep(tx, sessionId, inFlight, step, delta);
          return { kind: "recorded", ...asked };
        }
        const { remembered, ...claimed } = await takeWaiting(tx, waiting, held, { ...collection, turnId, remembers: true });
        setStep(tx, sessionId, inFlight, step, delta, remembered);
        return { kind: "recorded", ...claimed, ...asked };
      });
    },

    park: (park) => parkTurn(context, park),

    async collect(fence, turnId, collection) {
      const { sessionId } = fence;
      checkBinding(context, sessionId);
      const now = context.now();
      const look = async (tx: ReadTransaction) => {
        const held = await requireFence(tx, sessionId, fence);
        return { held, waiting: await selectWaiting(tx, held, { turnId, inFlight: await readControl(tx, sessionId), now }, collection) };
      };
      const { waiting } = await engine.read(look);
      if (waiting.inputs.length + waiting.work.length === 0) return {};
      return engine.write(async (tx): Promise<CollectedClaims> => {
        const { held, waiting: found } = await look(tx);
        const { remembered: _, ...claimed } = await takeWaiting(tx, found, held, { ...collection, turnId, remembers: false });
        return claimed;
      });
    },

    async settle(settlement) {
      const { fence, result } = settlement;
      const { sessionId } = fence;
      const { turnId } = result;
      checkBinding(context, sessionId);
      return engine.write(async (tx): Promise<RecordedTurn> => {
        const ended = await findEnded(tx, sessionId, turnId);
        if (ended !== undefined) {
          if (ended.commitHash !== undefined || ended.turn.inputHash !== result.inputHash) throw turnConflict(sessionId, turnId);
          return ended.turn;
        }
        const { lease, work } = await requireFence(tx, sessionId, fence);
        const claims = await checkClaims(tx, sessionId, settlement);
        const inFlight = await requireControl(tx, sessionId);
        const own = inFlight?.turnId === turnId ? inFlight : undefined;
        const modelCalls = own === undefined ? [] : (await readTurn(tx, sessionId, own)).modelCalls;
        const { revision, appended } = (await readHead(tx, sessionId)) ?? NO_HEAD;
        const ending = { result, modelCalls };
        setRow(tx, stampKey(sessionId, turnId), prepareRow(settledStamp(ending, revision, appended)));
        if (own !== undefined) await deleteTurn(tx, sessionId, own);
        await completeClaims(tx, sessionId, claims);
        await deferInputsOf(tx, sessionId, turnId, await collect(liveInputs(tx, sessionId)));
        writeReleased(tx, sessionId, lease.fencingToken, work - claims.work.length);
        return record(ending, { revision, firstNode: appended, nodeCount: 0 });
      });
    },

    async requestCancel(sessionId, turnId, cancellation) {
      checkBinding(context, sessionId);
      return engine.write(async (tx): Promise<TurnCancelOutcome> => {
        const inFlight = await readControl(tx, sessionId);
        if (inFlight?.turnId === turnId) {
          if (inFlight.cancel === undefined) setControl(tx, sessionId, { ...inFlight, cancel: cancellation });
          if (inFlight.parked !== undefined) listReady(tx, sessionId, turnId);
          return { status: "accepted" };
        }
        const ended = await findSettled(tx, sessionId, turnId);
        if (ended === undefined) return { status: "unknown_turn" };
        // A turn that this very request ended before its row was written.
        return { status: ended.cancellation?.requestId === cancellation.requestId ? "accepted" : "completion_won" };
      });
    },

    async cancellation(sessionId, turnId) {
      checkBinding(context, sessionId);
      const control = await engine.read((tx) => readControl(tx, sessionId));
      return control?.turnId === turnId ? control.cancel : undefined;
    },

    async load(sessionId, turnId) {
      checkBinding(context, sessionId);
      return engine.read(async (tx) => {
        const inFlight = await readControl(tx, sessionId);
        return inFlight?.turnId === turnId ? readTurn(tx, sessionId, inFlight) : undefined;
      });
    },

    async inFlight(only = context.boundSessionId) {
      if (only !== undefined) {
        checkBinding(context, only);
        const control = await engine.read((tx) => readControl(tx, only));
        return control === undefined ? [] : [{ sessionId: only, turnId: control.turnId }];
      }
      return engine.read(async (tx) => [...(await turnsBelow(tx, TURNS)), ...(await turnsBelow(tx, PARKED))]);
    },

    async ready() {
      const now = context.now();
      return engine.read((tx) => readyTurns(tx, now, context.boundSessionId));
    },

    async settled(sessionId, turnId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => findSettled(tx, sessionId, turnId));
    },
  };
}
