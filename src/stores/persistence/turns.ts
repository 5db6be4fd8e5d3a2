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
import { collect, firstRows, prepareRow, setRow } from "./large-row.ts";
import { configKey, controlKeys, headKey, inputsPrefix, leaseKey, PARKED, sessionKey, stampKey, turnInputKey, TURNS } from "./layout.ts";
import { decideClaim, requireFence, writeReleased } from "./lease-rules.ts";
import { requireNotRetired } from "./retired.ts";
import { readyTurns, turnsBelow } from "./ready-turns.ts";
import { listReady } from "./ready-index.ts";
import { isLeft, takeUp } from "./turn-takeover.ts";
import { addingContent, inSession } from "./scopes.ts";
import { parkTurn, readsOfTurn, requireStep } from "./turn-steps.ts";
import { checkClaims, completeClaims, readsOfClaims } from "./settled-claims.ts";
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
      return engine.write((tx): ResumeOutcome => {
        tx.prefetch([...readsOfTurn(sessionId, turnId), headKey(sessionId), sessionKey(sessionId), turnInputKey(sessionId), configKey(sessionId)]);
        const inFlight = requireControl(tx, sessionId);
        if (inFlight?.turnId !== turnId) {
          requireNotRetired(tx, sessionId);
          const result = findSettled(tx, sessionId, turnId);
          return result === undefined ? { kind: "unknown_turn" } : { kind: "settled", result };
        }
        const claim = decideClaim(tx, request, now);
        if (claim.kind === "busy") return { kind: "busy", holder: claim.holder };
        const taken = takeUp(context, tx, inFlight, claim, request);
        return isLeft(taken) ? taken : { kind: "resumed", ...taken };
      }, addingContent(sessionId));
    },

    async recordStep(step) {
      const { fence, turnId, collect: collection } = step;
      const { sessionId } = fence;
      checkBinding(context, sessionId);
      const now = context.now();
      const delta = prepareDelta(step);
      return engine.write((tx): StepOutcome => {
        tx.prefetch([...readsOfTurn(sessionId, turnId), ...(collection === undefined ? [] : [firstRows(inputsPrefix(sessionId))])]);
        const begun = requireStep(tx, step);
        if (begun.kind === "settled") return begun;
        const { inFlight, held } = begun;
        const asked = inFlight.cancel && { cancellation: inFlight.cancel };
        const waiting = collection && selectWaiting(tx, held, { turnId, inFlight, now }, collection);
        if (collection === undefined || waiting === undefined) {
          setStep(tx, sessionId, inFlight, step, delta);
          return { kind: "recorded", ...asked };
        }
        const { remembered, ...claimed } = takeWaiting(tx, waiting, held, { ...collection, turnId, remembers: true });
        setStep(tx, sessionId, inFlight, step, delta, remembered);
        return { kind: "recorded", ...claimed, ...asked };
      }, inSession(sessionId));
    },

    park: (park) => parkTurn(context, park),

    async collect(fence, turnId, collection) {
      const { sessionId } = fence;
      checkBinding(context, sessionId);
      const now = context.now();
      const look = (tx: ReadTransaction) => {
        tx.prefetch([leaseKey(sessionId), ...controlKeys(sessionId), firstRows(inputsPrefix(sessionId))]);
        const held = requireFence(tx, sessionId, fence);
        return { held, waiting: selectWaiting(tx, held, { turnId, inFlight: readControl(tx, sessionId), now }, collection) };
      };
      const { waiting } = await engine.read(look);
      if (waiting.inputs.length + waiting.work.length === 0) return {};
      return engine.write((tx): CollectedClaims => {
        const { held, waiting: found } = look(tx);
        const { remembered: _, ...claimed } = takeWaiting(tx, found, held, { ...collection, turnId, remembers: false });
        return claimed;
      }, inSession(sessionId));
    },

    async settle(settlement) {
      const { fence, result } = settlement;
      const { sessionId } = fence;
      const { turnId } = result;
      checkBinding(context, sessionId);
      return engine.write((tx): RecordedTurn => {
        tx.prefetch([...readsOfTurn(sessionId, turnId), headKey(sessionId), turnInputKey(sessionId), configKey(sessionId), firstRows(inputsPrefix(sessionId)), ...readsOfClaims(sessionId, settlement)]);
        const ended = findEnded(tx, sessionId, turnId);
        if (ended !== undefined) {
          if (ended.commitHash !== undefined || ended.turn.inputHash !== result.inputHash) throw turnConflict(sessionId, turnId);
          return ended.turn;
        }
        const { lease, work } = requireFence(tx, sessionId, fence);
        const claims = checkClaims(tx, sessionId, settlement);
        const inFlight = requireControl(tx, sessionId);
        const own = inFlight?.turnId === turnId ? inFlight : undefined;
        const modelCalls = own === undefined ? [] : readTurn(tx, sessionId, own).modelCalls;
        const { revision, appended } = readHead(tx, sessionId) ?? NO_HEAD;
        const ending = { result, modelCalls };
        setRow(tx, stampKey(sessionId, turnId), prepareRow(settledStamp(ending, revision, appended)));
        if (own !== undefined) deleteTurn(tx, sessionId, own);
        completeClaims(tx, sessionId, claims);
        deferInputsOf(tx, sessionId, turnId, collect(liveInputs(tx, sessionId)));
        writeReleased(tx, sessionId, lease.fencingToken, work - claims.work.length);
        return record(ending, { revision, firstNode: appended, nodeCount: 0 });
      }, addingContent(sessionId));
    },

    async requestCancel(sessionId, turnId, cancellation) {
      checkBinding(context, sessionId);
      return engine.write((tx): TurnCancelOutcome => {
        tx.prefetch([...controlKeys(sessionId), stampKey(sessionId, turnId)]);
        const inFlight = readControl(tx, sessionId);
        if (inFlight?.turnId === turnId) {
          if (inFlight.cancel === undefined) setControl(tx, sessionId, { ...inFlight, cancel: cancellation });
          if (inFlight.parked !== undefined) listReady(tx, sessionId, turnId);
          return { status: "accepted" };
        }
        const ended = findSettled(tx, sessionId, turnId);
        if (ended === undefined) return { status: "unknown_turn" };
        // A turn that this very request ended before its row was written.
        return { status: ended.cancellation?.requestId === cancellation.requestId ? "accepted" : "completion_won" };
      }, inSession(sessionId));
    },

    async cancellation(sessionId, turnId) {
      checkBinding(context, sessionId);
      const control = await engine.read((tx) => readControl(tx, sessionId));
      return control?.turnId === turnId ? control.cancel : undefined;
    },

    async load(sessionId, turnId) {
      checkBinding(context, sessionId);
      return engine.read((tx) => {
        const inFlight = readControl(tx, sessionId);
        return inFlight?.turnId === turnId ? readTurn(tx, sessionId, inFlight) : undefined;
      });
    },

    async inFlight(only = context.boundSessionId) {
      if (only !== undefined) {
        checkBinding(context, only);
        const control = await engine.read((tx) => readControl(tx, only));
        return control === undefined ? [] : [{ sessionId: only, turnId: control.turnId }];
      }
      return engine.read((tx) => [...turnsBelow(tx, TURNS), ...turnsBelow(tx, PARKED)]);
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
