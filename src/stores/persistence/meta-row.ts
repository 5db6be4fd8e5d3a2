// Metadata of a session, which is also its entry in the directory of sessions. Independent of head and lease (P-22).

import * as z from "zod/mini";
import { isPlainObject, type Json } from "../../domain/json.ts";
import { STANDARD_PROTOCOL } from "../../domain/session.ts";
import { protocolPinned } from "../../domain/turn-means.ts";
import type { SessionMeta, SessionSeed } from "../contract.ts";
import type { Key, ReadTransaction, Value, WriteTransaction } from "../engine.ts";
import { sessionKey } from "./layout.ts";
import { requireNotRetired } from "./retired.ts";
import { count, opaque, parseRow } from "./schema.ts";

const assignment = z.strictObject({
  usageSource: z.string(),
  depth: count,
  maxDepth: count,
  capability: z.exactOptional(z.string()),
  hiddenTools: z.exactOptional(z.array(z.string())),
});

const relation = z.union([
  z.strictObject({ kind: z.literal("root") }),
  z.strictObject({ kind: z.literal("child"), parentSessionId: z.string(), causedBy: z.exactOptional(opaque), assignment: z.exactOptional(assignment) }),
]);

const metaRow = z.strictObject({
  sessionId: z.string(),
  sessionName: z.string(),
  createdAt: z.string(),
  model: z.string(),
  cwd: z.exactOptional(z.string()),
  relation,
  protocol: z.exactOptional(z.string()),
});

export const readMeta = (key: Key, value: Value): SessionMeta => parseRow(metaRow, "session metadata", key, value);

/** Undefined for a session that was never entered, or was deleted. */
export function findMeta(tx: ReadTransaction, sessionId: string): SessionMeta | undefined {
  const key = sessionKey(sessionId);
  const value = tx.get(key);
  return value === undefined ? undefined : readMeta(key, value);
}

/** The parent of a child session, as far as it can be read: a damaged entry must not keep its session from being deleted. */
export function parentIn(value: Value | undefined): string | undefined {
  const parsed = z.safeParse(metaRow, value);
  return parsed.success && parsed.data.relation.kind === "child" ? parsed.data.relation.parentSessionId : undefined;
}

export function setMeta(tx: WriteTransaction, meta: SessionMeta): void {
  tx.set(sessionKey(meta.sessionId), meta as unknown as Json);
}

/** The protocol that the session of an entry is bound to. One that was entered without any, as by builds that wrote none, has the standard one. */
const protocolIn = (value: Value | undefined): string => (isPlainObject(value) && typeof value["protocol"] === "string" ? value["protocol"] : STANDARD_PROTOCOL);

/** The same, of a session that exists. */
export const protocolOf = (tx: ReadTransaction, sessionId: string): string => protocolIn(tx.get(sessionKey(sessionId)));

/**
 * Enters a session into the directory if it is not there, bound to the protocol of whoever does.
 *
 * @returns its entry, where it was there.
 * @throws LashError `session_id_retired` - it was deleted.
 */
export function seedMeta(
  tx: WriteTransaction,
  sessionId: string,
  seed: Omit<SessionSeed, "sessionId"> & { readonly protocol: string },
  now: number,
): Value | undefined {
  const known = tx.get(sessionKey(sessionId));
  if (known !== undefined) return known;
  requireNotRetired(tx, sessionId);
  const { model, relation, sessionName = sessionId, cwd, protocol } = seed;
  const createdAt = new Date(now).toISOString();
  setMeta(tx, { sessionId, sessionName, createdAt, model, relation, ...(cwd !== undefined && { cwd }), ...(protocol !== STANDARD_PROTOCOL && { protocol }) });
  return undefined;
}

/**
 * The same before a turn is accepted: a session that somebody entered meanwhile may be bound to another protocol.
 *
 * @throws LashError `session_fact_pinned`, `session_id_retired`.
 */
export function seedMetaOfTurn(tx: WriteTransaction, sessionId: string, seed: Parameters<typeof seedMeta>[2], now: number): void {
  const known = seedMeta(tx, sessionId, seed, now);
  if (known === undefined) return;
  const expected = protocolIn(known);
  if (expected !== seed.protocol) throw protocolPinned(sessionId, { expected, actual: seed.protocol });
}
