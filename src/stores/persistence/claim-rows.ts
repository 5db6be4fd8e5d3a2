// Claims on rows of both lanes: who may take a row, what taking it writes, what completing it needs (I-9..I-14, P-33, P-35).

import * as z from "zod/mini";
import { type LashError, storeError } from "../../domain/errors.ts";
import type { SessionLease } from "../contract.ts";
import type { ReadTransaction } from "../engine.ts";
import type { ClaimedRows } from "../ingress-contract.ts";
import { ownerRow, readLane } from "./lease-rules.ts";
import { count } from "./schema.ts";

/** Columns of a row that can be claimed. */
export const claimColumns = {
  /** Grows with every claim and survives its end. */
  fencing: count,
  claim: z.exactOptional(z.strictObject({ id: z.string(), token: z.string(), owner: ownerRow, generation: count })),
};
const claimable = z.strictObject({ seq: count, ...claimColumns });
export type Claimable = z.output<typeof claimable>;

/** Free, or left over from another generation: no waiting for a predecessor, no stealing from oneself. */
export const isClaimable = (row: Claimable, generation: number): boolean => row.claim === undefined || row.claim.generation !== generation;

export const belongsTo = (row: Claimable | undefined, { claimId, claimToken }: ClaimedRows): boolean =>
  row?.claim !== undefined && row.claim.id === claimId && row.claim.token === claimToken;

/**
 * Tells whether the claim on a row counts, for writers without a lease: until its lease is released or taken over. That its holder
 * has been silent for too long, only who takes it over may say (SC-2).
 */
export const claimLiveness = (tx: ReadTransaction, sessionId: string): (row: Claimable) => boolean => countsUnder(readLane(tx, sessionId).lease);

/** The same for readers: a claim whose holder seems to be gone is shown as free, and whoever then drains or writes finds out. */
export function seemingLiveness(tx: ReadTransaction, sessionId: string, now: number): (row: Claimable) => boolean {
  const { lease } = readLane(tx, sessionId);
  return countsUnder(lease !== undefined && lease.expiresAtMs > now ? lease : undefined);
}

const countsUnder =
  (lease: SessionLease | undefined) =>
  ({ claim }: Claimable): boolean =>
    claim !== undefined && claim.generation === lease?.fencingToken;

export interface Claimed<Row> {
  readonly rows: readonly Row[];
  readonly claimId: string;
  readonly fencingToken: number;
}

/** Rows as they are once claimed; `rows` is not empty. */
export function claimRows<Row extends Claimable>(prefix: "tic" | "qwc", rows: readonly Row[], lease: SessionLease, token: string): Claimed<Row> {
  const [first] = rows;
  const fencingToken = (first?.fencing ?? 0) + 1;
  const id = `${prefix}:${first?.seq ?? 0}:${fencingToken}`;
  const claim = { id, token, owner: { ...lease.owner }, generation: lease.fencingToken };
  return { rows: rows.map((row) => ({ ...row, fencing: row.fencing + 1, claim })), claimId: id, fencingToken };
}

/** The row without its claim. */
export function unclaimed<Row extends Claimable>(row: Row): Row {
  const { claim: _, ...free } = row;
  return free as Row;
}

export const superseded = (
  code: "turn_input_claim_superseded" | "queued_work_claim_superseded",
  { sessionId, claimId }: ClaimedRows,
): LashError => storeError(code, `claim ${claimId} of session ${sessionId} does not own every row that it completes`, { details: { sessionId, claimId } });
