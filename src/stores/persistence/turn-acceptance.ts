// Accepting a turn: the lane, the input and the turn's first step are one write (T-82). The input comes from the host, or is
// what waits for the session's next turn (T-7).

import { inputHashOf, joinInputs } from "../../domain/turn-input.ts";
import type { AcceptOutcome, AcceptQueued, AcceptQueuedOutcome, AcceptTurn, ConfigClaim, SessionLease, TurnClaim } from "../contract.ts";
import type { WriteTransaction } from "../engine.ts";
import { rowsOf } from "../ingress-contract.ts";
import { writeWithBytes } from "./attachment-bytes.ts";
import { setAttachments } from "./attachment-rows.ts";
import { prepareConfig, setConfig } from "./config-row.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { NO_HEAD, readHead } from "./head-row.ts";
import { selectInputs, takeInputs } from "./input-claims.ts";
import { prepareRow, setRow } from "./large-row.ts";
import { nodeIndexKey, turnInputKey } from "./layout.ts";
import { decideClaim, writeLease } from "./lease-rules.ts";
import { seedMeta } from "./meta-row.ts";
import { requireUsable } from "./retired.ts";
import { findSettled, turnConflict } from "./stamp.ts";
import { acceptedControl, acceptedTurn, countRecovery, readControl, readInput, readTurn, setControl, type TurnControl, writeInput } from "./turn-rows.ts";

export async function acceptTurn(context: StoreContext, request: AcceptTurn): Promise<AcceptOutcome> {
  const { sessionId, turnId, inputHash, config } = request;
  checkBinding(context, sessionId);
  const now = context.now();
  const configured = prepareConfig(config.value);
  const input = prepareRow(writeInput(request, now));
  return writeWithBytes(context, request.attachments ?? [], async (tx, attachments): Promise<AcceptOutcome> => {
    await seedMeta(tx, sessionId, request.session, now);
    const inFlight = await readControl(tx, sessionId);
    if (inFlight?.turnId !== turnId) {
      const result = await findSettled(tx, sessionId, turnId);
      if (result !== undefined && result.inputHash !== inputHash) throw turnConflict(sessionId, turnId);
      if (result !== undefined) return { kind: "settled", result };
    }
    const claim = await decideClaim(tx, request, now);
    if (claim.kind === "busy") return { kind: "busy", holder: claim.holder };
    if (inFlight !== undefined && inFlight.turnId !== turnId) return { kind: "turn_in_flight", turnId: inFlight.turnId };
    if (inFlight !== undefined) {
      if ((await readInput(tx, sessionId)).inputHash !== inputHash) throw turnConflict(sessionId, turnId);
      return attach(tx, inFlight, claim);
    }
    await requireUnusedId(tx, sessionId, turnId);
    const headRevision = await headRevisionOf(tx, sessionId);
    if (isMadeFromAnother(config, headRevision)) return { kind: "head_moved", headRevision };
    writeLease(tx, claim.lease);
    setRow(tx, turnInputKey(sessionId), input);
    setControl(tx, sessionId, acceptedControl(turnId, input.chunks.length > 0));
    await setConfig(tx, sessionId, config, configured, fencingOf(claim));
    await setAttachments(tx, sessionId, attachments, now);
    return { kind: "accepted", lease: claim.lease, turn: acceptedTurn(request, now), headRevision };
  });
}

/**
 * The inputs are `accepted` from here on and not merely claimed: the turn is durable, so they belong to it and not to the lease
 * under which it began (decision 0011).
 */
export async function acceptQueued(context: StoreContext, request: AcceptQueued): Promise<AcceptQueuedOutcome> {
  const { sessionId, turnId, claimToken, max, machine, config } = request;
  checkBinding(context, sessionId);
  const now = context.now();
  const configured = prepareConfig(config.value);
  return context.engine.write(async (tx): Promise<AcceptQueuedOutcome> => {
    await requireUsable(tx, sessionId);
    const inFlight = await readControl(tx, sessionId);
    const result = inFlight?.turnId === turnId ? undefined : await findSettled(tx, sessionId, turnId);
    if (result !== undefined) return { kind: "settled", result };
    const claim = await decideClaim(tx, request, now);
    if (claim.kind === "busy") return { kind: "busy", holder: claim.holder };
    if (inFlight !== undefined) return inFlight.turnId === turnId ? attach(tx, inFlight, claim) : { kind: "turn_in_flight", turnId: inFlight.turnId };
    const { lease } = claim;
    const waiting = await selectInputs(tx, sessionId, { generation: lease.fencingToken, max, isWanted: ({ state }) => state === "deferred_next_turn" });
    if (waiting.length === 0) return { kind: "nothing_queued" };
    await requireUnusedId(tx, sessionId, turnId);
    const headRevision = await headRevisionOf(tx, sessionId);
    if (isMadeFromAnother(config, headRevision)) return { kind: "head_moved", headRevision };
    await seedMeta(tx, sessionId, request.session, now);
    writeLease(tx, lease);
    const taken = await takeInputs(tx, waiting, lease, { claimToken, mode: { kind: "next_turn" }, accepts: true });
    const claims: readonly TurnClaim[] = [{ rows: rowsOf(taken) }];
    const input = joinInputs(taken.inputs.map((each) => each.input));
    const turn = { sessionId, turnId, input, inputHash: inputHashOf(input), machine, config };
    const row = prepareRow(writeInput(turn, now));
    setRow(tx, turnInputKey(sessionId), row);
    setControl(tx, sessionId, acceptedControl(turnId, row.chunks.length > 0, claims));
    await setConfig(tx, sessionId, config, configured, fencingOf(claim));
    return { kind: "accepted", lease, turn: acceptedTurn(turn, now, claims), headRevision };
  });
}

/** The turn is in flight under this id already: whoever asks drives it on. */
async function attach(
  tx: WriteTransaction,
  inFlight: TurnControl,
  { lease, abandoned }: { readonly lease: SessionLease; readonly abandoned: boolean },
): Promise<AcceptOutcome> {
  const { sessionId } = lease;
  writeLease(tx, lease);
  const headRevision = await headRevisionOf(tx, sessionId);
  const turn = await readTurn(tx, sessionId, countRecovery(tx, sessionId, inFlight, abandoned));
  return { kind: "accepted", lease, turn, headRevision };
}

/**
 * A fork keeps the node ids of the session it came from (decision 0006): a turn id that made some of them cannot be used again,
 * which has to be said before the turn is accepted, because its commit would be refused for ever.
 */
async function requireUnusedId(tx: WriteTransaction, sessionId: string, turnId: string): Promise<void> {
  if ((await tx.get(nodeIndexKey(sessionId, `${turnId}:0`))) !== undefined) throw turnConflict(sessionId, turnId);
}

const isMadeFromAnother = ({ madeFrom }: ConfigClaim, headRevision: number): boolean => madeFrom !== undefined && madeFrom !== headRevision;

const fencingOf = ({ lease, reentered }: { readonly lease: SessionLease; readonly reentered: boolean }) => ({ token: lease.fencingToken, reentered });

const headRevisionOf = async (tx: WriteTransaction, sessionId: string): Promise<number> => ((await readHead(tx, sessionId)) ?? NO_HEAD).revision;
