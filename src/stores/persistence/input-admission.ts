// Admission of an input to its lane: once per source key, in order (I-1 to I-3). Whoever writes admits it in a write of their own.

import { type LashError, storeError } from "../../domain/errors.ts";
import { jsonEqual } from "../../domain/json.ts";
import { sha256Hex } from "../../domain/sha256.ts";
import { inputNeedsVersion2 } from "../../domain/turn-input.ts";
import type { Key, ReadTransaction, WriteTransaction } from "../engine.ts";
import type { PendingTurnInput, TurnInputDraft, TurnInputIngress, TurnInputState } from "../ingress-contract.ts";
import { addInput, findInput, type InputRow, submittedIngress, toInput } from "./input-rows.ts";
import { nextSequence } from "./lane-counters.ts";
import { inputIdKey, inputSourceKey, lanesKey, retiredKey, sessionKey, stampKey, controlKeys } from "./layout.ts";
import { requireUsable } from "./retired.ts";
import { CONTENT_VERSION } from "./schema.ts";
import { readControl } from "./turn-rows.ts";

/** @returns the input as it waits; one that was admitted before in its present state. @throws LashError `pending_turn_input_source_key_conflict` */
export function admitInput(tx: WriteTransaction, draft: TurnInputDraft, now: number): { readonly input: PendingTurnInput; readonly isNew: boolean } {
  const { sessionId } = draft;
  const known = findAdmitted(tx, draft);
  if (known !== undefined) return { input: toInput(sessionId, known), isNew: false };
  requireUsable(tx, sessionId);
  const seq = nextSequence(tx, sessionId, "inputs");
  const row: InputRow = {
    ...(inputNeedsVersion2(draft.input) && { schemaVersion: CONTENT_VERSION }),
    seq,
    id: draft.inputId ?? `ti:${sha256Hex(JSON.stringify(["turn_input", sessionId, seq]))}`,
    ...(draft.sourceKey !== undefined && { source: draft.sourceKey }),
    ...admission(tx, draft),
    atMs: now,
    input: { ...draft.input, items: [...draft.input.items] },
    fencing: 0,
  };
  addInput(tx, sessionId, row);
  return { input: toInput(sessionId, row), isNew: true };
}

/** All that is read where a new input is admitted. */
export const readsOfAdmission = ({ sessionId, sourceKey, inputId, ingress }: TurnInputDraft): readonly Key[] => [
  sessionKey(sessionId),
  retiredKey(sessionId),
  lanesKey(sessionId),
  ...(sourceKey === undefined ? [] : [inputSourceKey(sessionId, sourceKey)]),
  ...(inputId === undefined ? [] : [inputIdKey(sessionId, inputId)]),
  ...(ingress.scope === "active_turn" ? [...controlKeys(sessionId), ...(ingress.turnId === undefined ? [] : [stampKey(sessionId, ingress.turnId)])] : []),
];

/** Where an input waits from now on: a turn that has ended takes none, and nobody else would ever defer one for it. */
function admission(tx: ReadTransaction, { sessionId, ingress: submitted }: TurnInputDraft): Pick<InputRow, "ingress" | "submitted" | "state"> {
  if (submitted.scope === "next_turn") return { ingress: { ...submitted }, state: "deferred_next_turn" };
  const { minBoundary } = submitted;
  const turnId = submitted.turnId ?? readControl(tx, sessionId)?.turnId;
  const isOver = turnId === undefined || (submitted.turnId !== undefined && tx.get(stampKey(sessionId, turnId)) !== undefined);
  const ingress: TurnInputIngress = isOver ? { scope: "next_turn" } : { scope: "active_turn", turnId, minBoundary };
  return { ingress, ...(!jsonEqual(ingress, submitted) && { submitted: { ...submitted } }), state: waitingState(ingress) };
}

export const waitingState = ({ scope }: TurnInputIngress): TurnInputState => (scope === "active_turn" ? "pending_active" : "deferred_next_turn");

/** The input that was admitted before under the same source key or id (I-2, I-3). */
function findAdmitted(tx: ReadTransaction, draft: TurnInputDraft): InputRow | undefined {
  const { sessionId, sourceKey, inputId } = draft;
  const bySource = sourceKey === undefined ? undefined : findInput(tx, sessionId, { kind: "source_key", value: sourceKey });
  const known = bySource ?? (inputId === undefined ? undefined : findInput(tx, sessionId, { kind: "input_id", value: inputId }));
  if (known === undefined) return undefined;
  const isSame = known.source === sourceKey && jsonEqual(submittedIngress(known), draft.ingress) && jsonEqual(known.input, draft.input);
  if (!isSame) throw sourceConflict(sessionId, sourceKey ?? null, known.id);
  return known;
}

const sourceConflict = (sessionId: string, sourceKey: string | null, existingInputId: string): LashError =>
  storeError("pending_turn_input_source_key_conflict", `input ${existingInputId} of session ${sessionId} was admitted with other content`, {
    details: { sessionId, sourceKey, existingInputId },
  });

