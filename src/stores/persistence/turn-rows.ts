// Rows of a turn in flight; a session has at most one, so its id is in the row and not in the keys:
//   ["turn", sid, 0]        control: rewritten by every step, so it holds only what a step changes
//   ["turn", sid, 1]        input: written once, with what never changes
//   ["turn", sid, 2, step]  delta: what one step settled and appended; written once

import * as z from "zod/mini";
import { isPlainObject, type Json, type JsonObject } from "../../domain/json.ts";
import type { Message } from "../../domain/messages.ts";
import type { AcceptTurn, JournalEntry, MachineSnapshot, TurnRecord, TurnStep } from "../contract.ts";
import { prefixRange, type ReadTransaction, type WriteTransaction } from "../engine.ts";
import { getRow, joinRow } from "./large-row.ts";
import { turnControlKey, turnInputKey, turnPrefix, turnStepKey } from "./layout.ts";
import { readMessage, writeMessage } from "./message-row.ts";
import { count, invalidRow, opaque, parseRecord, parseRow, SCHEMA_VERSION, schemaVersion } from "./schema.ts";
import { modelCallRow, readModelCall, writeModelCall } from "./usage-row.ts";

const controlRow = z.object({
  schemaVersion,
  turnId: z.string(),
  step: count,
  recoveries: count,
  issued: z.exactOptional(z.array(z.string())),
  snapshot: z.exactOptional(z.object({ machine: z.string(), version: z.number(), value: opaque, context: opaque })),
  /** Some row of this turn is chunked: its keys do not follow from the step number. */
  chunked: z.exactOptional(z.literal(true)),
});
export type TurnControl = z.output<typeof controlRow>;

const inputRow = z.object({
  input: z.object({
    items: z.array(
      z.union([
        z.object({ type: z.literal("text"), text: z.string() }),
        z.object({ type: z.literal("image_ref"), id: z.string() }),
      ]),
    ),
    protocolTurnOptions: z.exactOptional(opaque),
  }),
  inputHash: z.string(),
  machine: z.string(),
  version: z.number(),
  acceptedAtMs: z.number(),
});

const outcome = z.union([z.object({ ok: opaque }), z.object({ error: z.object({ code: z.string(), message: z.string() }) })]);
const stepRow = z.object({
  settled: z.exactOptional(z.array(z.tuple([z.string(), z.string(), outcome]))),
  appended: z.exactOptional(z.array(z.looseObject({ id: z.string() }))),
  calls: z.exactOptional(z.array(modelCallRow)),
});

export async function readControl(tx: ReadTransaction, sessionId: string): Promise<TurnControl | undefined> {
  const key = turnControlKey(sessionId);
  const value = await tx.get(key);
  return value === undefined ? undefined : parseRecord(controlRow, "turn in flight", key, value);
}

export function setControl(tx: WriteTransaction, sessionId: string, control: TurnControl): void {
  tx.set(turnControlKey(sessionId), control);
}

export const acceptedControl = (turnId: string, chunked: boolean): TurnControl => ({
  schemaVersion: SCHEMA_VERSION,
  turnId,
  step: 0,
  recoveries: 0,
  ...(chunked && { chunked: true }),
});

/** What `readTurn` gives for a turn that was accepted a moment ago. */
export function acceptedTurn({ sessionId, turnId, input, inputHash, machine }: AcceptTurn, acceptedAtMs: number): TurnRecord {
  const nothing = { step: 0, log: [], journal: [], modelCalls: [], issued: [], recoveries: 0 };
  return { sessionId, turnId, input, inputHash, machine, acceptedAtMs, ...nothing };
}

export function steppedControl(before: TurnControl, step: TurnStep, chunked: boolean): TurnControl {
  const { issued: _, ...kept } = before;
  return {
    ...kept,
    step: step.step,
    ...(step.issued.length > 0 && { issued: [...step.issued] }),
    ...(step.snapshot !== undefined && { snapshot: step.snapshot }),
    ...(chunked && { chunked: true }),
  };
}

export function writeInput({ input, inputHash, machine }: AcceptTurn, acceptedAtMs: number): JsonObject {
  return { input: input as unknown as Json, inputHash, machine: machine.machine, version: machine.version, acceptedAtMs };
}

/** The delta of a step; undefined when it brought none. */
export function writeStep({ settled, appended, modelCalls }: TurnStep): JsonObject | undefined {
  if (settled.length + appended.length + modelCalls.length === 0) return undefined;
  return {
    ...(settled.length > 0 && { settled: settled.map((entry) => [entry.replayKey, entry.hash, entry.outcome]) }),
    ...(appended.length > 0 && { appended: appended.map((message) => ({ id: message.id, ...writeMessage(message) })) }),
    ...(modelCalls.length > 0 && { calls: modelCalls.map(writeModelCall) }),
  };
}

export async function readInput(tx: ReadTransaction, sessionId: string): Promise<z.output<typeof inputRow>> {
  const key = turnInputKey(sessionId);
  const value = await getRow(tx, key);
  if (value === undefined) throw invalidRow("turn input", key, "it is missing");
  return parseRow(inputRow, "turn input", key, value);
}

/** The turn that `control` belongs to, whole. */
export async function readTurn(tx: ReadTransaction, sessionId: string, control: TurnControl): Promise<TurnRecord> {
  const { input, inputHash, machine, version, acceptedAtMs } = await readInput(tx, sessionId);
  const [from, to] = prefixRange([...turnPrefix(sessionId), 2]);
  const log: Message[] = [];
  const journal: JournalEntry[] = [];
  const modelCalls: TurnRecord["modelCalls"][number][] = [];
  for (const entry of await tx.range(from, to)) {
    const { key } = entry;
    if (key.length > turnStepKey(sessionId, 0).length) continue;
    const row = parseRow(stepRow, "turn step", key, await joinRow(tx, key, entry.value));
    for (const [replayKey, hash, settled] of row.settled ?? []) journal.push({ replayKey, hash, outcome: settled });
    for (const message of row.appended ?? []) log.push(readMessage(message, message.id, (problem) => invalidRow("turn step", key, problem)));
    modelCalls.push(...(row.calls ?? []).map(readModelCall));
  }
  const { turnId, step, snapshot, issued = [], recoveries } = control;
  const record = { sessionId, turnId, input, inputHash, machine: { machine, version }, acceptedAtMs, step, log, journal, modelCalls, issued, recoveries };
  return snapshot === undefined ? record : { ...record, snapshot: snapshot satisfies MachineSnapshot };
}

/** Deletes all rows of the turn; without chunks their keys are known and nothing is read. */
export async function deleteTurn(tx: WriteTransaction, sessionId: string, control: TurnControl): Promise<void> {
  if (control.chunked === true) {
    for (const entry of await tx.range(...prefixRange(turnPrefix(sessionId)))) tx.delete(entry.key);
    return;
  }
  tx.delete(turnControlKey(sessionId));
  tx.delete(turnInputKey(sessionId));
  for (let step = 1; step <= control.step; step++) tx.delete(turnStepKey(sessionId, step));
}

/** Whether `value` could be a row of ours at all; for listings that read nothing but the id. */
export const turnIdOf = (value: unknown): string | undefined =>
  isPlainObject(value) && typeof value["turnId"] === "string" ? value["turnId"] : undefined;
