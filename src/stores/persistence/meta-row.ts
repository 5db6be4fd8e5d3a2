// Metadata of a session, which is also its entry in the directory of sessions. Independent of head and lease (P-22).

import * as z from "zod/mini";
import type { Json } from "../../domain/json.ts";
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
});

export const readMeta = (key: Key, value: Value): SessionMeta => parseRow(metaRow, "session metadata", key, value);

/** Undefined for a session that was never entered, or was deleted. */
export async function findMeta(tx: ReadTransaction, sessionId: string): Promise<SessionMeta | undefined> {
  const key = sessionKey(sessionId);
  const value = await tx.get(key);
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

/**
 * Enters a session into the directory if it is not there (P-51).
 *
 * @throws LashError `session_id_retired` - it was deleted.
 */
export async function seedMeta(
  tx: WriteTransaction,
  sessionId: string,
  seed: Omit<SessionSeed, "sessionId">,
  now: number,
): Promise<void> {
  if ((await tx.get(sessionKey(sessionId))) !== undefined) return;
  await requireNotRetired(tx, sessionId);
  const { model, relation, sessionName = sessionId, cwd } = seed;
  const createdAt = new Date(now).toISOString();
  setMeta(tx, { sessionId, sessionName, createdAt, model, relation, ...(cwd !== undefined && { cwd }) });
}
