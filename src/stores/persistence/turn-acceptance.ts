// Accepting a turn: the lane, the input and the turn's first step are one write (T-82). The input comes from the host, or is
// what waits for the session's next turn: inputs, else queued work (T-7, I-25..I-27).

import { configNeedsVersion2 } from "../../domain/turn-config.ts";
import { type AcceptedInput, inputHashOf, inputNeedsVersion2, joinInputs } from "../../domain/turn-input.ts";
import type { AcceptOutcome, AcceptQueued, AcceptQueuedOutcome, AcceptTurn, ConfigClaim, SessionLease, TakesUp, TurnClaim } from "../contract.ts";
import type { Read, WriteTransaction } from "../engine.ts";
import { rowsOf, workRowsOf } from "../ingress-contract.ts";
import { inputOfWork } from "../work-input.ts";
import { writeWithBytes } from "./attachment-bytes.ts";
import { readsOfAttachment, setAttachments } from "./attachment-rows.ts";
import { COMPONENTS } from "./components.ts";
import { prepareConfig, setConfig } from "./config-row.ts";
import type { PreparedContent } from "./content.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { NO_HEAD, readHead } from "./head-row.ts";
import { selectInputs, takeInputs } from "./input-claims.ts";
import type { InputRow } from "./input-rows.ts";
import { firstRows, prepareRow, setRow } from "./large-row.ts";
import { configKey, contentKey, headKey, inputsPrefix, leaseKey, nodeIndexKey, retiredKey, sessionKey, stampKey, controlKeys, turnInputKey } from "./layout.ts";
import { decideClaim, writeLease } from "./lease-rules.ts";
import { seedMetaOfTurn } from "./meta-row.ts";
import { requireUsable } from "./retired.ts";
import { CONTENT_VERSION, SCHEMA_VERSION } from "./schema.ts";
import { addingContent } from "./scopes.ts";
import { findSettled, turnConflict } from "./stamp.ts";
import { isLeft, type OfferedLane, takeUp } from "./turn-takeover.ts";
import { acceptedControl, acceptedTurn, requireControl, readInput, setControl, type TurnControl, writeInput } from "./turn-rows.ts";
import { exactGroup, leadingCommand, nextGroup, readyWork, takeWork, type WorkSearch } from "./work-claims.ts";
import type { WorkRow } from "./work-rows.ts";

export async function acceptTurn(context: StoreContext, request: AcceptTurn): Promise<AcceptOutcome> {
  const { sessionId, turnId, inputHash, config } = request;
  checkBinding(context, sessionId);
  const now = context.now();
  const configured = prepareConfig(config.value);
  const input = prepareRow(writeInput(request, now));
  return writeWithBytes(context, request.attachments ?? [], (tx, attachments): AcceptOutcome => {
    tx.prefetch([...readsOfAcceptance(sessionId, turnId, configured), ...attachments.flatMap(({ id }) => readsOfAttachment(sessionId, id))]);
    const inFlight = requireControl(tx, sessionId);
    if (inFlight?.turnId !== turnId) {
      const result = findSettled(tx, sessionId, turnId);
      if (result !== undefined && result.inputHash !== inputHash) throw turnConflict(sessionId, turnId);
      if (result !== undefined) return { kind: "settled", result };
    }
    const claim = decideClaim(tx, request, now);
    if (claim.kind === "busy") return { kind: "busy", holder: claim.holder };
    if (inFlight !== undefined && inFlight.turnId !== turnId) return { kind: "turn_in_flight", turnId: inFlight.turnId };
    if (inFlight !== undefined) {
      if (readInput(tx, sessionId, inFlight).inputHash !== inputHash) throw turnConflict(sessionId, turnId);
      return attach(context, tx, inFlight, claim, request);
    }
    if (claim.work > 0 && leadingCommand(readyWork(tx, sessionId, searchFor(claim, now))) !== undefined) return { kind: "commands_wait" };
    requireUnusedId(tx, sessionId, turnId);
    const headRevision = headRevisionOf(tx, sessionId);
    if (isMadeFromAnother(config, headRevision)) return { kind: "head_moved", headRevision };
    // From here on it is accepted: an answer that is none leaves nothing behind, no entry in the directory either.
    seedMetaOfTurn(tx, sessionId, { ...request.session, protocol: context.protocol }, now);
    writeLease(tx, claim.lease, claim.work);
    setRow(tx, turnInputKey(sessionId), input);
    setControl(tx, sessionId, acceptedControl(turnId, versionOf(config, request.input), input.chunks.length > 0));
    setConfig(tx, sessionId, config, configured, fencingOf(claim));
    setAttachments(tx, sessionId, attachments, now);
    return { kind: "accepted", lease: claim.lease, turn: acceptedTurn(request, now), headRevision };
  }, addingContent(sessionId));
}

/**
 * What it takes belongs to the turn from here on and is not merely claimed: the turn is durable, the lease under which it began
 * is not (decision 0011).
 */
export async function acceptQueued(context: StoreContext, request: AcceptQueued): Promise<AcceptQueuedOutcome> {
  const { sessionId, turnId, claimToken, max, machine, config, batchIds } = request;
  checkBinding(context, sessionId);
  const now = context.now();
  const configured = prepareConfig(config.value);
  return context.engine.write((tx): AcceptQueuedOutcome => {
    tx.prefetch([...readsOfAcceptance(sessionId, turnId, configured), firstRows(inputsPrefix(sessionId))]);
    requireUsable(tx, sessionId);
    const inFlight = requireControl(tx, sessionId);
    const result = inFlight?.turnId === turnId ? undefined : findSettled(tx, sessionId, turnId);
    if (result !== undefined) return { kind: "settled", result };
    const claim = decideClaim(tx, request, now);
    if (claim.kind === "busy") return { kind: "busy", holder: claim.holder };
    if (inFlight !== undefined) return inFlight.turnId === turnId ? attach(context, tx, inFlight, claim, request) : { kind: "turn_in_flight", turnId: inFlight.turnId };
    const { lease } = claim;
    const waiting = batchIds === undefined ? selectInputs(tx, sessionId, { generation: lease.fencingToken, max, isWanted: ({ state }) => state === "deferred_next_turn" }) : [];
    const ready = (): Iterable<WorkRow> => readyWork(tx, sessionId, searchFor(claim, now));
    if (claim.work > 0 && isCommandFirst(ready(), waiting[0])) return { kind: "commands_wait" };
    const work = waiting.length > 0 || claim.work === 0 ? [] : batchIds === undefined ? nextGroup(ready(), "idle", max) : exactGroup(ready(), "idle", batchIds);
    if (waiting.length + work.length === 0) return { kind: "nothing_queued" };
    requireUnusedId(tx, sessionId, turnId);
    const headRevision = headRevisionOf(tx, sessionId);
    if (isMadeFromAnother(config, headRevision)) return { kind: "head_moved", headRevision };
    seedMetaOfTurn(tx, sessionId, { ...request.session, protocol: context.protocol }, now);
    writeLease(tx, lease, claim.work);
    const { input, claims } = take(tx, { waiting, work }, lease, { turnId, claimToken });
    const turn = { sessionId, turnId, input, inputHash: inputHashOf(input), machine, config };
    const row = prepareRow(writeInput(turn, now));
    setRow(tx, turnInputKey(sessionId), row);
    setControl(tx, sessionId, acceptedControl(turnId, versionOf(config, input), row.chunks.length > 0, claims));
    setConfig(tx, sessionId, config, configured, fencingOf(claim));
    return { kind: "accepted", lease, turn: acceptedTurn(turn, now, claims), headRevision };
  }, addingContent(sessionId));
}

/** All that is read where a new turn is accepted; taking one up reads more. */
const readsOfAcceptance = (sessionId: string, turnId: string, configured: PreparedContent): readonly Read[] => [
  ...controlKeys(sessionId),
  stampKey(sessionId, turnId),
  leaseKey(sessionId),
  retiredKey(sessionId),
  firstNodeOf(sessionId, turnId),
  headKey(sessionId),
  sessionKey(sessionId),
  configKey(sessionId),
  contentKey(COMPONENTS, configured.id),
];

/** A drain has its commands before its inputs where they came first; otherwise they wait for the drain after it (I-25). */
function isCommandFirst(ready: Iterable<WorkRow>, firstInput: InputRow | undefined): boolean {
  const command = leadingCommand(ready);
  return command !== undefined && (firstInput === undefined || command.atMs < firstInput.atMs);
}

/** Takes what there is, inputs or work, and makes one input of it. */
function take(
  tx: WriteTransaction,
  { waiting, work }: { readonly waiting: readonly InputRow[]; readonly work: readonly WorkRow[] },
  lease: SessionLease,
  { turnId, claimToken }: { readonly turnId: string; readonly claimToken: string },
): { readonly input: AcceptedInput; readonly claims: readonly TurnClaim[] } {
  if (work.length > 0) {
    const taken = takeWork(tx, work, lease, claimToken, turnId);
    return { input: inputOfWork(taken.batches), claims: [{ lane: "work", rows: workRowsOf(taken) }] };
  }
  const taken = takeInputs(tx, waiting, lease, { claimToken, mode: { kind: "next_turn" }, accepts: true });
  return { input: joinInputs(taken.inputs.map((each) => each.input)), claims: [{ lane: "inputs", rows: rowsOf(taken) }] };
}

/** The turn is in flight under this id already: whoever asks drives it on. */
function attach(context: StoreContext, tx: WriteTransaction, inFlight: TurnControl, lane: OfferedLane, request: TakesUp): AcceptOutcome {
  const taken = takeUp(context, tx, inFlight, lane, request);
  return isLeft(taken) ? taken : { kind: "accepted", ...taken };
}

/**
 * A fork keeps the node ids of the session it came from (decision 0006): a turn id that made some of them cannot be used again,
 * which has to be said before the turn is accepted, because its commit would be refused for ever.
 */
function requireUnusedId(tx: WriteTransaction, sessionId: string, turnId: string): void {
  if (tx.get(firstNodeOf(sessionId, turnId)) !== undefined) throw turnConflict(sessionId, turnId);
}

const firstNodeOf = (sessionId: string, turnId: string) => nodeIndexKey(sessionId, `${turnId}:0`);

const isMadeFromAnother = ({ madeFrom }: ConfigClaim, headRevision: number): boolean => madeFrom !== undefined && madeFrom !== headRevision;

/** No turn is in flight yet: what another one took and did not complete is free. */
const searchFor = ({ lease }: { readonly lease: SessionLease }, now: number): WorkSearch => ({ generation: lease.fencingToken, now, inFlight: undefined });

const versionOf = ({ value }: ConfigClaim, input: AcceptedInput) => (configNeedsVersion2(value) || inputNeedsVersion2(input) ? CONTENT_VERSION : SCHEMA_VERSION);

const fencingOf = ({ lease, reentered }: { readonly lease: SessionLease; readonly reentered: boolean }) => ({ token: lease.fencingToken, reentered });

const headRevisionOf = (tx: WriteTransaction, sessionId: string): number => (readHead(tx, sessionId) ?? NO_HEAD).revision;
