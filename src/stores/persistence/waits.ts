// Facet `waits`: resolutions of durable waits, first one wins (E-20), and the secret that signs their keys (OP-13).
//   ["wait", sid, keyId]   open, or resolved with what; kept as long as the session, so late resolvers are told
//   ["waits", sid]         present once all waits of the session were revoked (E-22)
//   ["secret", "wait"]     one per store; no listing, export, trace or error shows it

import * as z from "zod/mini";
import type { Resolution, ResolveOutcome } from "../../domain/waits.ts";
import type { WaitFacet, WaitState } from "../upkeep-contract.ts";
import { below, type Key, prefixRange, type ReadTransaction, type WriteTransaction } from "../engine.ts";
import type { StoreContext } from "./context.ts";
import { parkedControlKey } from "./layout.ts";
import { wakeParked } from "./ready-index.ts";
import { invalidRow, opaque, parseRow } from "./schema.ts";
import { inSession } from "./scopes.ts";

const waitKey = (sessionId: string, keyId: string): Key => ["wait", sessionId, keyId];
const revokedKey = (sessionId: string): Key => ["waits", sessionId];
const SECRET: Key = ["secret", "wait"];

const resolution = z.union([
  z.object({ status: z.literal("ok"), payload: opaque }),
  z.object({ status: z.literal("err"), payload: z.object({ code: z.string(), message: z.string(), raw: z.exactOptional(opaque) }) }),
  z.object({ status: z.enum(["timeout", "cancelled"]) }),
]);
const waitRow = z.object({ resolution: z.exactOptional(resolution) });

export function createWaits({ engine }: StoreContext): WaitFacet {
  return {
    secret: (fresh) =>
      engine.write((tx) => {
        const stored = tx.get(SECRET);
        if (stored === undefined) {
          tx.set(SECRET, fresh);
          return fresh;
        }
        if (typeof stored !== "string" || !/^[0-9a-f]{64}$/.test(stored)) throw invalidRow("wait secret", SECRET, "it is no secret");
        return stored;
      }),

    open: (sessionId, keyId) =>
      engine.write((tx) => {
        const found = peekWait(tx, sessionId, keyId);
        if (found.state === "unknown") openWait(tx, sessionId, keyId);
      }, inSession(sessionId)),

    resolve: (sessionId, keyId, answer) =>
      engine.write((tx): ResolveOutcome => {
        tx.prefetch([...readsOfWait(sessionId, keyId), parkedControlKey(sessionId)]);
        const found = peekWait(tx, sessionId, keyId);
        if (found.state === "revoked") return { status: "unknown_or_revoked" };
        if (found.state === "resolved") return { status: "already_resolved", terminal: found.resolution };
        tx.set(waitKey(sessionId, keyId), { resolution: answer });
        wakeParked(tx, sessionId, [keyId]);
        return { status: "accepted" };
      }, inSession(sessionId)),

    peek: (sessionId, keyId) => engine.read((tx) => peekWait(tx, sessionId, keyId)),

    cancelOutstanding: (sessionId) =>
      engine.write((tx) => {
        tx.prefetch([below(["wait", sessionId]), parkedControlKey(sessionId)]);
        const cancelled: string[] = [];
        for (const { key, value } of tx.range(...prefixRange(["wait", sessionId]))) {
          if (parseRow(waitRow, "wait", key, value).resolution !== undefined) continue;
          tx.set(key, { resolution: { status: "cancelled" } });
          cancelled.push(String(key[2]));
        }
        if (cancelled.length > 0) wakeParked(tx, sessionId, cancelled);
        return cancelled;
      }, inSession(sessionId)),

    revoke: (sessionId) => engine.write((tx) => revokeWaits(tx, sessionId), inSession(sessionId)),
  };
}

/** Voids all present and future waits of the session; deleting a session does so, too. */
export function revokeWaits(tx: WriteTransaction, sessionId: string): void {
  tx.set(revokedKey(sessionId), true);
  for (const { key } of tx.range(...prefixRange(["wait", sessionId]))) tx.delete(key);
  wakeParked(tx, sessionId, "all");
}

/** What is read to know of a wait. */
export const readsOfWait = (sessionId: string, keyId: string): readonly Key[] => [revokedKey(sessionId), waitKey(sessionId, keyId)];

/** Of a wait that nobody knows yet. */
export const openWait = (tx: WriteTransaction, sessionId: string, keyId: string): void => tx.set(waitKey(sessionId, keyId), {});

/** What is known of a wait, inside whatever transaction needs it. */
export function peekWait(tx: ReadTransaction, sessionId: string, keyId: string): WaitState {
  tx.prefetch(readsOfWait(sessionId, keyId));
  if (tx.get(revokedKey(sessionId)) !== undefined) return { state: "revoked" };
  const key = waitKey(sessionId, keyId);
  const value = tx.get(key);
  if (value === undefined) return { state: "unknown" };
  const row = parseRow(waitRow, "wait", key, value);
  return row.resolution === undefined ? { state: "open" } : { state: "resolved", resolution: row.resolution satisfies Resolution };
}
