// Completing what a turn had claimed, inside the write that ends it (P-11, P-12, I-12): all claims are checked before the first
// row changes.

import type { SettledClaims } from "../contract.ts";
import type { Key, ReadTransaction, WriteTransaction } from "../engine.ts";
import type { ClaimedRows } from "../ingress-contract.ts";
import { belongsTo, superseded } from "./claim-rows.ts";
import { inputIdKey, workIdKey } from "./layout.ts";
import { findInput, type InputRow, setInput } from "./input-rows.ts";
import { findWork, removeWork, type WorkRow } from "./work-rows.ts";

/** Rows that are complete once the write happens. */
export interface CheckedClaims {
  readonly inputs: readonly InputRow[];
  readonly work: readonly WorkRow[];
}

/** @throws LashError `queued_work_claim_superseded`, `turn_input_claim_superseded` - a row is gone or claimed by somebody else. */
export function checkClaims(tx: ReadTransaction, sessionId: string, { completedWork = [], completedInputs = [] }: SettledClaims): CheckedClaims {
  const work: WorkRow[] = [];
  for (const claim of completedWork) {
    for (const id of uniqueIds(claim)) {
      const row = claim.sessionId === sessionId ? findWork(tx, sessionId, { id }) : undefined;
      if (row === undefined || !belongsTo(row, claim)) throw superseded("queued_work_claim_superseded", claim);
      work.push(row);
    }
  }
  const inputs: InputRow[] = [];
  for (const claim of completedInputs) {
    for (const id of uniqueIds(claim)) {
      const row = claim.sessionId === sessionId ? findInput(tx, sessionId, { kind: "input_id", value: id }) : undefined;
      if (row === undefined || !belongsTo(row, claim)) throw superseded("turn_input_claim_superseded", claim);
      inputs.push(row);
    }
  }
  return { inputs, work };
}

/** What is read first of the rows that are to be completed; where they lie is known only then. */
export const readsOfClaims = (sessionId: string, { completedWork = [], completedInputs = [] }: SettledClaims): readonly Key[] => [
  ...completedWork.flatMap(({ ids }) => ids.map((id) => workIdKey(sessionId, id))),
  ...completedInputs.flatMap(({ ids }) => ids.map((id) => inputIdKey(sessionId, id))),
];

export function completeClaims(tx: WriteTransaction, sessionId: string, { inputs, work }: CheckedClaims): void {
  for (const row of work) removeWork(tx, sessionId, row);
  for (const row of inputs) setInput(tx, sessionId, { ...row, state: "completed" });
}

const uniqueIds = ({ ids }: ClaimedRows): readonly string[] => [...new Set(ids)];
