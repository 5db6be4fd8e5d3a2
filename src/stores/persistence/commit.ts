// The commit of a session: one transaction that appends to history and moves everything that depends on it (P-7..P-19).
//
// The checks run in the order of the contract, all of them before the first write (P-4). What can be computed is computed
// before the transaction (E4); inside, a commit reads the stamp, the lease, the head, the ledger and the turn in flight, and
// what it says that it completes or defers, however long the session is.

import { type LashError, storeError } from "../../domain/errors.ts";
import type { SessionNode } from "../../domain/session.ts";
import type { CommitResult, SessionCommit } from "../contract.ts";
import type { Read, ReadTransaction, WriteTransaction } from "../engine.ts";
import type { PendingTurnInput } from "../ingress-contract.ts";
import { stampAttachments } from "./attachment-rows.ts";
import { changedRefs, checkRefs, COMPONENTS, type PreparedComponents, prepareComponents } from "./components.ts";
import { putContent } from "./content.ts";
import { bookUsage } from "./booked-usage.ts";
import { rememberedInputs, workAtCheckpoint } from "./checkpoint-claims.ts";
import { checkBinding, type StoreContext } from "./context.ts";
import { setFrames } from "./frame-row.ts";
import { NO_HEAD, readHead, type StoredHead, writeHead } from "./head-row.ts";
import { ordinalWithin, writeHistory } from "./history-row.ts";
import { isClaimable } from "./claim-rows.ts";
import { admitInput } from "./input-admission.ts";
import { isNewFor } from "./input-claims.ts";
import { deferInputsOf, type InputRow, liveInputs } from "./input-rows.ts";
import { collect, firstRows, type PreparedRow, prepareRow, setRow } from "./large-row.ts";
import {
  contentKey, frameKey, headKey, historyKey, indexedUnderTurn, inputsPrefix, lanesKey, leaseKey, manifestKey, nodeIndexKey, retiredKey, sessionKey, stampKey,
  controlKeys, turnInputKey, usageKey,
} from "./layout.ts";
import { type HeldLane, releaseIfHeld, requireFence, writeLease, writeReleased } from "./lease-rules.ts";
import { seedMeta } from "./meta-row.ts";
import { findNode } from "./node-lookup.ts";
import { SCHEMA_VERSION } from "./schema.ts";
import { addingContent } from "./scopes.ts";
import { checkClaims, completeClaims, readsOfClaims } from "./settled-claims.ts";
import { findEnded, record, setStamp, turnConflict } from "./stamp.ts";
import { findLiveNode } from "./tombstones.ts";
import { readLedger, readLedgerRow } from "./usage-row.ts";
import { acceptedControl, contentVersionOf, deleteTurn, requireControl, setControl, type TurnControl, writeInput } from "./turn-rows.ts";

/** A commit with everything that could be computed before its transaction. */
interface PreparedCommit {
  readonly commit: SessionCommit;
  readonly now: number;
  /** That a session which this commit makes is bound to. */
  readonly protocol: string;
  readonly history: PreparedRow | undefined;
  readonly components: PreparedComponents;
  /** Input of the turn that this commit accepts. */
  readonly next: PreparedRow | undefined;
  /** Ids that do not name the turn of this commit and need an index row. */
  readonly foreignIds: readonly string[];
}

export async function commitSession(context: StoreContext, commit: SessionCommit): Promise<CommitResult> {
  checkBinding(context, commit.sessionId);
  const prepared = prepare(commit, context);
  const reads = readsOf(prepared);
  return context.engine.write((tx) => {
    tx.prefetch(reads);
    return apply(tx, prepared);
  }, addingContent(commit.sessionId));
}

/** All that a commit reads, but for what others queued meanwhile. */
function readsOf({ commit, components, foreignIds }: PreparedCommit): readonly Read[] {
  const { sessionId, turn, frames, usageDeltas, componentRefs = {}, committedAttachmentIds, queuedInputs = [], interruptedTurnId, expectedHeadRevision } = commit;
  const added = components.flatMap(([, content]) => (content === null ? [] : [content.id]));
  const [from, to] = indexedUnderTurn(sessionId, turn?.result.turnId ?? "");
  return [
    leaseKey(sessionId),
    headKey(sessionId),
    retiredKey(sessionId),
    ...(turn === undefined ? [] : [stampKey(sessionId, turn.result.turnId), ...controlKeys(sessionId), { from, to }]),
    ...(usageDeltas.length === 0 ? [] : [usageKey(sessionId)]),
    ...((expectedHeadRevision ?? 0) > 0 && queuedInputs.length === 0 ? [] : [sessionKey(sessionId), lanesKey(sessionId)]),
    ...(interruptedTurnId === undefined ? [] : [firstRows(inputsPrefix(sessionId))]),
    ...frames.map(({ frameId }) => frameKey(sessionId, frameId)),
    ...[...added, ...Object.values(componentRefs)].map((id) => contentKey(COMPONENTS, id)),
    ...foreignIds.map((id) => nodeIndexKey(sessionId, id)),
    ...committedAttachmentIds.map((id) => manifestKey(sessionId, id)),
    ...readsOfClaims(sessionId, commit),
  ];
}

function prepare(commit: SessionCommit, context: StoreContext): PreparedCommit {
  const now = context.now();
  const { nodes, turn } = commit;
  const history = writeHistory(commit.sessionId, nodes, turn);
  const turnId = turn?.result.turnId;
  return {
    commit,
    now,
    protocol: context.protocol,
    history: history === undefined ? undefined : prepareRow(history),
    components: prepareComponents(commit.components),
    next: turn?.next && prepareRow(writeInput(turn.next, now)),
    foreignIds: nodes.map((node) => node.nodeId).filter((id) => turnId === undefined || ordinalWithin(id, turnId) === undefined),
  };
}

function apply(tx: WriteTransaction, prepared: PreparedCommit): CommitResult {
  const { commit, now } = prepared;
  const { sessionId, turn } = commit;
  if (turn !== undefined) {
    const replay = replayed(tx, commit, turn);
    if (replay !== undefined) return replay;
  }
  const held = requireFence(tx, sessionId, commit.fence);
  const stored = readHead(tx, sessionId);
  const before = stored ?? NO_HEAD;
  checkRevision(commit, before.revision);
  const inFlight = turn && requireControl(tx, sessionId);
  const isOwn = inFlight !== undefined && inFlight.turnId === turn?.result.turnId;
  // Whoever writes first has won: a request that is recorded must not be passed over by a completion (OP-20).
  if (isOwn && inFlight.cancel !== undefined && turn?.result.cancellation === undefined) {
    return { headRevision: before.revision, replayed: false, cancelledBy: inFlight.cancel };
  }
  const claims = checkClaims(tx, sessionId, commit);
  checkNodes(tx, prepared);
  checkLeaf(tx, commit, stored);
  const takenRefs = commit.componentRefs ?? {};
  checkRefs(tx, sessionId, takenRefs);
  const waiting = waitingFor(tx, commit, claims.inputs);
  if (isAwaited(tx, commit, waiting, { held, inFlight, now })) return { headRevision: before.revision, replayed: false, inputWaits: true };

  if (stored === undefined) seedMeta(tx, sessionId, { relation: { kind: "root" }, model: commit.head.policy.model.id, protocol: prepared.protocol }, now);
  const revision = before.revision + 1;
  const place = { revision, firstNode: before.appended, nodeCount: commit.nodes.length };
  if (prepared.history !== undefined) setRow(tx, historyKey(sessionId, revision), prepared.history);
  for (const id of prepared.foreignIds) tx.set(nodeIndexKey(sessionId, id), { revision });
  setFrames(tx, sessionId, commit.frames, revision);
  for (const [, content] of prepared.components) if (content !== null) putContent(tx, COMPONENTS, content);
  const booked = commit.usageDeltas.length > 0 ? bookUsage(tx, sessionId, commit.usageDeltas, before.isChild) : undefined;
  const appended = before.appended + commit.nodes.length;
  const components = changedRefs(before.components, takenRefs, prepared.components);
  tx.set(headKey(sessionId), writeHead(sessionId, { revision, appended, hidden: before.hidden, head: commit.head, components, isChild: before.isChild }));
  if (turn !== undefined) {
    setStamp(tx, sessionId, turn.result.turnId, place);
    if (isOwn) deleteTurn(tx, sessionId, inFlight);
    if (turn.next !== undefined && prepared.next !== undefined) {
      // A session has one turn in flight; throwing rolls back what was written.
      if (inFlight !== undefined && !isOwn) throw otherInFlight(sessionId, inFlight.turnId);
      setRow(tx, turnInputKey(sessionId), prepared.next);
      setControl(tx, sessionId, acceptedControl(turn.next.turnId, inFlight === undefined ? SCHEMA_VERSION : contentVersionOf(inFlight), prepared.next.chunks.length > 0));
    }
  }
  completeClaims(tx, sessionId, claims);
  if (commit.interruptedTurnId !== undefined) deferInputsOf(tx, sessionId, commit.interruptedTurnId, waiting);
  stampAttachments(tx, sessionId, commit.committedAttachmentIds, now);
  const work = held.work - claims.work.length;
  if (commit.releaseLease) writeReleased(tx, sessionId, held.lease.fencingToken, work);
  else if (claims.work.length > 0) writeLease(tx, held.lease, work);
  const queuedInputs: PendingTurnInput[] = [];
  for (const draft of commit.queuedInputs ?? []) queuedInputs.push(admitInput(tx, { ...draft, sessionId }, now).input);
  const result = { headRevision: revision, replayed: false, ...(booked && { ledger: readLedger(booked) }), ...(queuedInputs.length > 0 && { queuedInputs }) };
  if (turn === undefined) return result;
  return { ...result, turn: record(turn, place), ...(waiting.length + work > 0 && { leaves: true as const }) };
}

/** Inputs that wait for somebody, less those that the commit completes; read only by a commit that ends a turn. */
function waitingFor(tx: ReadTransaction, { sessionId, interruptedTurnId }: SessionCommit, completed: readonly InputRow[]): readonly InputRow[] {
  if (interruptedTurnId === undefined) return [];
  const done = new Set(completed.map(({ seq }) => seq));
  return collect(liveInputs(tx, sessionId)).filter(({ seq }) => !done.has(seq));
}

/** Whether the turn would miss what came after its last look (T-57). */
function isAwaited(
  tx: ReadTransaction,
  { sessionId, unlessInputWaits, interruptedTurnId: turnId }: SessionCommit,
  waiting: readonly InputRow[],
  { held, inFlight, now }: { readonly held: HeldLane; readonly inFlight: TurnControl | undefined; readonly now: number },
): boolean {
  if (unlessInputWaits === undefined || turnId === undefined) return false;
  const remembered = rememberedInputs(sessionId, inFlight);
  if (waiting.some((row) => isNewFor(row, turnId, unlessInputWaits, remembered) && isClaimable(row, held.lease.fencingToken))) return true;
  return workAtCheckpoint(tx, held, { turnId, now }, 1).length > 0;
}

/** The result of this commit if it happened before; releases the lease if asked to, and needs none (P-8). */
function replayed(
  tx: WriteTransaction,
  { sessionId, releaseLease, fence, usageDeltas }: SessionCommit,
  turn: NonNullable<SessionCommit["turn"]>,
): CommitResult | undefined {
  const { turnId } = turn.result;
  const ended = findEnded(tx, sessionId, turnId);
  if (ended === undefined) return undefined;
  if (ended.commitHash !== turn.commitHash) throw turnConflict(sessionId, turnId);
  if (releaseLease && fence?.sessionId === sessionId) releaseIfHeld(tx, fence);
  const ledger = usageDeltas.length > 0 && readLedger(readLedgerRow(tx, sessionId));
  return { headRevision: ended.turn.headRevision, turn: ended.turn, replayed: true, ...(ledger && { ledger }) };
}

function checkRevision({ sessionId, expectedHeadRevision }: SessionCommit, actual: number): void {
  // Null is a first commit's way to say 0: design 7.3 leaves no other use for it.
  const expected = expectedHeadRevision ?? 0;
  if (expected === actual) return;
  throw storeError("head_revision_conflict", `session ${sessionId} is at revision ${actual}, not ${expected}`, {
    details: { sessionId, expected, actual },
  });
}

/** Ids must be new to the session and to the commit (P-13). */
function checkNodes(tx: ReadTransaction, { commit, foreignIds }: PreparedCommit): void {
  const { sessionId, nodes, turn } = commit;
  const seen = new Set<string>();
  for (const { nodeId } of nodes) {
    if (seen.has(nodeId)) throw nodeExists(sessionId, nodeId);
    seen.add(nodeId);
  }
  for (const nodeId of foreignIds) if (findNode(tx, sessionId, nodeId) !== undefined) throw nodeExists(sessionId, nodeId);
  if (turn === undefined || foreignIds.length === nodes.length) return;
  // The turn has no stamp, so only an index row can hold an id that names it.
  for (const { key } of tx.range(...indexedUnderTurn(sessionId, turn.result.turnId))) {
    const nodeId = String(key[key.length - 1]);
    if (seen.has(nodeId)) throw nodeExists(sessionId, nodeId);
  }
}

/** A leaf must be a live node once the commit has happened (P-13, C-42). */
function checkLeaf(tx: ReadTransaction, { sessionId, head, nodes }: SessionCommit, stored: StoredHead | undefined): void {
  const leaf = head.leafNodeId;
  if (leaf === undefined || (leaf === stored?.head.leafNodeId && stored.hidden === 0)) return;
  const isNew = (node: SessionNode): boolean => node.nodeId === leaf;
  if (nodes.findLast(isNew) !== undefined || findLiveNode(tx, sessionId, leaf) !== undefined) return;
  throw storeError("store_backend", `the leaf ${leaf} is no node of session ${sessionId}`, { details: { sessionId, leafNodeId: leaf } });
}

const otherInFlight = (sessionId: string, turnId: string): LashError =>
  storeError("turn_step_conflict", `turn ${turnId} of session ${sessionId} is in flight; no other one can follow`, { details: { sessionId, turnId } });

const nodeExists = (sessionId: string, nodeId: string): LashError =>
  storeError("store_backend", `session ${sessionId} already has a node ${nodeId}`, { details: { sessionId, nodeId } });
