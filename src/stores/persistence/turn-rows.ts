// Rows of a turn in flight; a session has at most one, so its id is in the row and not in the keys:
//   ["turn", sid, 0]        control: rewritten by every step, with what the latest steps settled and appended
//   ["turn", sid, 1]        input: written once, with what never changes
//   ["turn", sid, 2, step]  deltas of earlier steps, moved out of the control row when they outgrew it; written once
// A sweep reads the first of these of every session, so a turn that waits without a driver must not be among them: when it parks,
// its rows move to ["parked", sid, ..]. Taken up again, only its control row moves back: the others are moved once per turn, and
// one that never parks moves nothing.
// Most turns never need the third kind: a small row that is rewritten costs fewer pages than one more row per step, which
// has to be deleted again (docs/decisions/0003-row-layout.md).

import * as z from "zod/mini";
import { isPlainObject, type Json, type JsonObject } from "../../domain/json.ts";
import type { Message } from "../../domain/messages.ts";
import type { ModelCallRecord } from "../../domain/outcome.ts";
import type { AcceptTurn, ConfigClaim, JournalEntry, MachineSnapshot, TurnClaim, TurnRecord, TurnStep } from "../contract.ts";
import { readConfig } from "./config-row.ts";
import { type Key, prefixRange, type ReadTransaction, type Value, type WriteTransaction } from "../engine.ts";
import { getRow, type PreparedRow, prepareRow, setRow, sizeOf } from "./large-row.ts";
import { parkedControlKey, parkedInputKey, parkedPrefix, parkedStepKey, turnControlKey, turnInputKey, turnPrefix, turnStepKey } from "./layout.ts";
import { type Fault, readMessage, writeMessage } from "./message-row.ts";
import { unlist } from "./ready-index.ts";
import { sessionRetired } from "./retired.ts";
import { CONTENT_VERSION, count, fitting, invalidRow, opaque, PARKED_VERSION, parseRecord, parseRow, SCHEMA_VERSION, versionFor } from "./schema.ts";
import { deletionIn } from "./session-region.ts";
import { shareTexts, textsOf, unshareTexts } from "./shared-texts.ts";
import { cancellationRow } from "./turn-result-row.ts";
import { modelCallRow, readModelCall, writeModelCall } from "./usage-row.ts";

const outcome = z.union([z.strictObject({ ok: opaque }), z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) })]);

/** Most characters of deltas in the control row. */
const INLINE_SIZE = 3_000;

/** What one step brought. */
const deltaRow = z.strictObject({
  settled: z.exactOptional(z.array(z.tuple([z.string(), z.string(), outcome]))),
  appended: z.exactOptional(z.array(z.looseObject({ id: z.string() }))),
  calls: z.exactOptional(z.array(modelCallRow)),
});
const deltasRow = z.array(deltaRow);

const controlRow = z.strictObject({
  /** Of the whole turn: its deltas in rows of their own are judged by it. */
  schemaVersion: z.union([z.literal(SCHEMA_VERSION), z.literal(CONTENT_VERSION), z.literal(PARKED_VERSION)]),
  turnId: z.string(),
  step: count,
  recoveries: count,
  issued: z.exactOptional(z.array(z.string())),
  snapshot: z.exactOptional(z.strictObject({ machine: z.string(), version: z.number(), value: opaque, context: opaque })),
  /** Later than those in rows of their own. Parsed when the turn is read as a whole. */
  deltas: z.exactOptional(z.array(opaque)),
  /** Steps that have a row. */
  rows: z.exactOptional(z.array(count)),
  /** Inputs that belong to it: the checkpoint that claimed them or null, claim id, token, input ids. */
  claims: z.exactOptional(z.array(z.tuple([z.nullable(z.string()), z.string(), z.string(), z.array(z.string())]))),
  /** Queued work that belongs to it, likewise. */
  work: z.exactOptional(z.array(z.tuple([z.nullable(z.string()), z.string(), z.string(), z.array(z.string())]))),
  /** Carried from step to step, so that whoever writes the turn's rows hears of it. */
  cancel: z.exactOptional(cancellationRow),
  /** Some row of this turn is chunked: its keys do not follow from these numbers. */
  chunked: z.exactOptional(z.literal(true)),
  /** Nobody drives it: it waits for one of these, or until then. */
  parked: z.exactOptional(z.strictObject({ waits: z.array(z.string()), dueAtMs: z.exactOptional(z.number()) })),
});
export type TurnControl = z.output<typeof controlRow>;

export const inputItems = z.array(
  z.union([
    z.strictObject({ type: z.literal("text"), text: z.string() }),
    z.strictObject({ type: z.literal("image_ref"), id: z.string() }),
    // Since records of version 2 (see `inputNeedsVersion2`).
    z.strictObject({ type: z.literal("file_ref"), id: z.string(), mediaType: z.exactOptional(z.string()), filename: z.exactOptional(z.string()) }),
  ]),
);

const cause = z.strictObject({
  id: z.string(),
  eventType: z.string(),
  origin: z.strictObject({
    kind: z.literal("process"),
    processId: z.string(),
    eventType: z.string(),
    sequence: z.number(),
    wakeId: z.exactOptional(z.string()),
    causedBy: z.exactOptional(opaque),
  }),
  text: z.string(),
});

const inputRow = z.strictObject({
  input: z.strictObject({ items: inputItems, causes: z.exactOptional(z.array(cause)), protocolTurnOptions: z.exactOptional(opaque) }),
  inputHash: z.string(),
  machine: z.string(),
  version: z.number(),
  madeFrom: z.exactOptional(count),
  acceptedAtMs: z.number(),
});

/** @returns undefined also for a session that is being deleted. */
export function readControl(tx: ReadTransaction, sessionId: string): TurnControl | undefined {
  const control = readControlRow(tx, sessionId);
  return control === "deleting" ? undefined : control;
}

/** For writes that move the turn on, or accept one. @throws LashError `session_id_retired` - the session is being deleted. */
export function requireControl(tx: ReadTransaction, sessionId: string): TurnControl | undefined {
  const control = readControlRow(tx, sessionId);
  if (control === "deleting") throw sessionRetired(sessionId);
  return control;
}

function readControlRow(tx: ReadTransaction, sessionId: string): TurnControl | "deleting" | undefined {
  for (const key of [turnControlKey(sessionId), parkedControlKey(sessionId)]) {
    const value = tx.get(key);
    if (deletionIn(value) !== undefined) return "deleting";
    if (value !== undefined) return parseRecord(controlRow, "turn in flight", key, value, PARKED_VERSION);
  }
  return undefined;
}

export function setControl(tx: WriteTransaction, sessionId: string, control: TurnControl): void {
  tx.set(controlKeyOf(sessionId, control), fitting(controlRow, control));
}

/** The version of what a turn says, as another one takes it over. */
export const contentVersionOf = ({ schemaVersion }: TurnControl): typeof SCHEMA_VERSION | typeof CONTENT_VERSION =>
  schemaVersion === PARKED_VERSION ? CONTENT_VERSION : schemaVersion;

// ---- where its rows lie ---------------------------------------------------------------------------------------------

/** It has parked before: its input and steps lie apart from those of turns that have not. */
const isApart = ({ schemaVersion }: TurnControl): boolean => schemaVersion === PARKED_VERSION;

const controlKeyOf = (sessionId: string, { parked }: TurnControl): Key => (parked === undefined ? turnControlKey(sessionId) : parkedControlKey(sessionId));
const inputKeyOf = (sessionId: string, control: TurnControl): Key => (isApart(control) ? parkedInputKey(sessionId) : turnInputKey(sessionId));
const stepKeyOf = (sessionId: string, control: TurnControl, step: number): Key => (isApart(control) ? parkedStepKey(sessionId, step) : turnStepKey(sessionId, step));

/** Leaves the turn in flight without a driver, where a sweep does not come across it. @param control - not parked. */
export function parkRows(tx: WriteTransaction, sessionId: string, control: TurnControl, parked: NonNullable<TurnControl["parked"]>): void {
  tx.delete(turnControlKey(sessionId));
  if (!isApart(control)) {
    const own = turnPrefix(sessionId);
    for (const { key, value } of tx.range(...prefixRange(own))) {
      tx.delete(key);
      tx.set([...parkedPrefix(sessionId), ...key.slice(own.length)], value);
    }
  }
  setControl(tx, sessionId, { ...control, schemaVersion: PARKED_VERSION, parked });
}

/** The turn as whoever drives it on writes it; `setControl` is theirs. */
export function awakened(tx: WriteTransaction, sessionId: string, control: TurnControl): TurnControl {
  const { parked, ...awake } = control;
  if (parked === undefined) return control;
  tx.delete(parkedControlKey(sessionId));
  unlist(tx, sessionId, parked.dueAtMs);
  return awake;
}

export const acceptedControl = (turnId: string, schemaVersion: TurnControl["schemaVersion"], chunked: boolean, claims: readonly TurnClaim[] = []): TurnControl => ({
  schemaVersion,
  turnId,
  step: 0,
  recoveries: 0,
  ...withClaims({}, claims),
  ...(chunked && { chunked: true }),
});

type ClaimRows = Pick<TurnControl, "claims" | "work">;
type ClaimRow = NonNullable<TurnControl["claims"]>[number];

const writeClaim = ({ replayKey, rows }: TurnClaim): ClaimRow => [replayKey ?? null, rows.claimId, rows.claimToken, [...rows.ids]];

/** What the turn has claimed so far, in the order of claiming within each lane. */
export const claimsOf = (sessionId: string, { claims = [], work = [] }: ClaimRows): readonly TurnClaim[] =>
  ([["inputs", claims], ["work", work]] as const).flatMap(([lane, rows]) =>
    rows.map(([replayKey, claimId, claimToken, ids]) => ({ lane, ...(replayKey !== null && { replayKey }), rows: { sessionId, claimId, claimToken, ids } })),
  );

function withClaims(before: ClaimRows, added: readonly TurnClaim[]): ClaimRows {
  if (added.length === 0) return {};
  const [inputs, work] = (["inputs", "work"] as const).map((lane) => added.filter((claim) => claim.lane === lane).map(writeClaim));
  return {
    ...(inputs && inputs.length > 0 && { claims: [...(before.claims ?? []), ...inputs] }),
    ...(work && work.length > 0 && { work: [...(before.work ?? []), ...work] }),
  };
}

/** What `readTurn` gives for a turn that was accepted a moment ago. */
export function acceptedTurn(
  { sessionId, turnId, input, inputHash, machine, config }: Pick<AcceptTurn, "sessionId" | "turnId" | "input" | "inputHash" | "machine" | "config">,
  acceptedAtMs: number,
  claims: readonly TurnClaim[] = [],
): TurnRecord {
  const nothing = { step: 0, log: [], journal: [], modelCalls: [], issued: [], recoveries: 0 };
  return { sessionId, turnId, input, inputHash, machine, config: config.value, ...madeFromOf(config), acceptedAtMs, ...nothing, claims };
}

/** Moves the turn to its next step: control row, and rows for deltas that do not fit in there. */
export function setStep(tx: WriteTransaction, sessionId: string, before: TurnControl, step: TurnStep, delta: PreparedDelta | undefined, claims: readonly TurnClaim[] = []): void {
  setControl(tx, sessionId, nextControl(tx, sessionId, before, step, delta, claims));
}

/** The control row of the next step, which is not set yet. */
export function nextControl(
  tx: WriteTransaction,
  sessionId: string,
  stored: TurnControl,
  step: Omit<TurnStep, "collect">,
  delta: PreparedDelta | undefined,
  claims: readonly TurnClaim[] = [],
): TurnControl {
  const before = awakened(tx, sessionId, stored);
  const { issued: _issued, deltas = [], rows = [], ...kept } = before;
  const inline = delta === undefined ? deltas : [...deltas, delta.value];
  const fits = delta === undefined || (delta.row.chunks.length === 0 && sizeOf(inline) <= INLINE_SIZE);
  const moved = [...rows];
  if (!fits) {
    // Rows stay older than inline deltas: those before this step move first, under the step they ended with.
    if (deltas.length > 0) {
      tx.set(stepKeyOf(sessionId, before, before.step), deltas);
      moved.push(before.step);
    }
    setRow(tx, stepKeyOf(sessionId, before, step.step), delta.row);
    moved.push(step.step);
  }
  return {
    ...kept,
    ...(versionFor(step.appended) === CONTENT_VERSION && !isApart(before) && { schemaVersion: CONTENT_VERSION }),
    step: step.step,
    ...withClaims(before, claims),
    // What is journaled is never run again, so a turn that settles something is not going round in circles; nor is one that
    // waits for an answer, however often its process is killed meanwhile (OP-6).
    recoveries: step.settled.length > 0 || step.waiting === true ? 0 : before.recoveries,
    ...(step.issued.length > 0 && { issued: [...step.issued] }),
    ...(step.snapshot !== undefined && { snapshot: step.snapshot }),
    ...(fits && inline.length > 0 && { deltas: inline }),
    ...(moved.length > 0 && { rows: moved }),
    ...(delta !== undefined && delta.row.chunks.length > 0 && { chunked: true as const }),
  };
}

export function writeInput({ input, inputHash, machine, config }: Pick<AcceptTurn, "input" | "inputHash" | "machine"> & Partial<Pick<AcceptTurn, "config">>, acceptedAtMs: number): JsonObject {
  return { input: input as unknown as Json, inputHash, machine: machine.machine, version: machine.version, ...madeFromOf(config), acceptedAtMs };
}

/** A turn that follows by `NextTurn` has its chain's configuration: nothing of it is news to the session. */
const madeFromOf = ({ madeFrom }: Partial<ConfigClaim> = {}) => (madeFrom === undefined ? {} : { madeFrom });

/** The delta of a step, ready for either place. */
export interface PreparedDelta {
  readonly value: Json;
  /** Of its own: a list of one. */
  readonly row: PreparedRow;
}

/** @returns undefined when the step brought nothing. */
export function prepareDelta({ settled, appended, modelCalls }: Pick<TurnStep, "settled" | "appended" | "modelCalls">): PreparedDelta | undefined {
  if (settled.length + appended.length + modelCalls.length === 0) return undefined;
  const texts = textsOf(settled.map((entry) => entry.outcome));
  const value: JsonObject = {
    ...(settled.length > 0 && { settled: settled.map((entry) => [entry.replayKey, entry.hash, entry.outcome]) }),
    ...(appended.length > 0 && { appended: appended.map((message) => shareTexts({ id: message.id, ...writeMessage(message) }, texts)) }),
    ...(modelCalls.length > 0 && { calls: modelCalls.map(writeModelCall) }),
  };
  return { value, row: prepareRow([value]) };
}

export function readInput(tx: ReadTransaction, sessionId: string, control: TurnControl): z.output<typeof inputRow> {
  const key = inputKeyOf(sessionId, control);
  const value = getRow(tx, key);
  if (value === undefined) throw invalidRow("turn input", key, "it is missing");
  return parseRow(inputRow, "turn input", key, value);
}

/** The turn that `control` belongs to, whole. */
export function readTurn(tx: ReadTransaction, sessionId: string, control: TurnControl): TurnRecord {
  const { input, inputHash, machine, version, madeFrom, acceptedAtMs } = readInput(tx, sessionId, control);
  const config = readConfig(tx, sessionId);
  const log: Message[] = [];
  const journal: JournalEntry[] = [];
  const modelCalls: ModelCallRecord[] = [];
  const replay = (key: Key, deltas: Value): void => {
    for (const delta of parseRow(deltasRow, "turn step", key, deltas)) {
      for (const [replayKey, hash, settled] of delta.settled ?? []) journal.push({ replayKey, hash, outcome: settled });
      const texts = textsOf((delta.settled ?? []).map(([, , settled]) => settled));
      for (const message of delta.appended ?? []) log.push(readMessage(unshareTexts(message, texts, fault(key)), message.id, fault(key)));
      modelCalls.push(...(delta.calls ?? []).map(readModelCall));
    }
  };
  for (const step of control.rows ?? []) {
    const key = stepKeyOf(sessionId, control, step);
    const deltas = getRow(tx, key);
    if (deltas === undefined) throw invalidRow("turn step", key, "it is missing");
    replay(key, deltas);
  }
  replay(controlKeyOf(sessionId, control), control.deltas ?? []);
  const { turnId, step, snapshot, issued = [], recoveries, cancel, parked } = control;
  const record = {
    sessionId, turnId, input, inputHash, machine: { machine, version }, config, ...(madeFrom !== undefined && { madeFrom }), acceptedAtMs,
    step, log, journal, modelCalls, issued, claims: claimsOf(sessionId, control), recoveries, ...(cancel && { cancellation: cancel }), ...(parked && { parked }),
  };
  return snapshot === undefined ? record : { ...record, snapshot: snapshot satisfies MachineSnapshot };
}

const fault =
  (key: Key): Fault =>
  (problem) =>
    invalidRow("turn step", key, problem);

/** Deletes all rows of the turn; without chunks their keys are known and nothing is read. */
export function deleteTurn(tx: WriteTransaction, sessionId: string, control: TurnControl): void {
  awakened(tx, sessionId, control);
  tx.delete(turnControlKey(sessionId));
  if (control.chunked === true) {
    for (const entry of tx.range(...prefixRange(isApart(control) ? parkedPrefix(sessionId) : turnPrefix(sessionId)))) tx.delete(entry.key);
    return;
  }
  tx.delete(inputKeyOf(sessionId, control));
  for (const step of control.rows ?? []) tx.delete(stepKeyOf(sessionId, control, step));
}

/** Whether `value` could be a row of ours at all; for listings that read nothing but the id. */
export const turnIdOf = (value: unknown): string | undefined =>
  isPlainObject(value) && typeof value["turnId"] === "string" ? value["turnId"] : undefined;
