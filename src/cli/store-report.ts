// What an operator wants to know of a store: sessions, turns in flight, leases, queues, sizes. No content, no tokens, no secret.

import { isPlainObject } from "../domain/json.ts";
import { LashError } from "../domain/errors.ts";
import type { LeaseOwner } from "../stores/contract.ts";
import { type Key, prefixRange, type ReadTransaction } from "../stores/engine.ts";
import { NO_HEAD, readHead } from "../stores/persistence/head-row.ts";
import { liveInputs } from "../stores/persistence/input-rows.ts";
import { collect } from "../stores/persistence/large-row.ts";
import { contentPrefix, INTENTS, parkedPrefix, RETIRED, sessionKey, sessionPrefix, SESSIONS, textAt, turnPrefix } from "../stores/persistence/layout.ts";
import { readLane } from "../stores/persistence/lease-rules.ts";
import { readMeta } from "../stores/persistence/meta-row.ts";
import { readControl, readInput } from "../stores/persistence/turn-rows.ts";
import { queuedWork } from "../stores/persistence/work-rows.ts";
import type { ReadOnlyStore } from "./read-only-store.ts";

export interface TurnReport {
  readonly turnId: string;
  readonly step: number;
  /** State of the machine, such as `running.callingModel`; undefined before the first step. */
  readonly state?: string;
  readonly acceptedAtMs: number;
  readonly recoveries: number;
  /** It was left waiting for an answer from outside; nobody drives it. */
  readonly isParked: boolean;
  /** Somebody asked for its end. */
  readonly isCancelRequested: boolean;
}

export interface LeaseReport {
  /** `<kind of liveness> <owner>`, with the process id where there is one. */
  readonly holder: string;
  readonly isLive: boolean;
  readonly expiresAtMs: number;
  readonly fencingToken: number;
}

export interface SessionReport {
  readonly sessionId: string;
  readonly model: string;
  readonly headRevision: number;
  readonly nodes: number;
  readonly turnIndex: number;
  readonly lease?: LeaseReport;
  readonly turn?: TurnReport;
  readonly waitingInputs: number;
  readonly queuedBatches: number;
  /** Keys and values, without attachments and components. */
  readonly bytes: number;
}

/** A session with rows that cannot be read. */
export interface DamagedSession {
  readonly sessionId: string;
  readonly problem: string;
}

export interface StoreReport {
  readonly store: string;
  readonly fileBytes: number;
  readonly logBytes: number;
  readonly sessions: readonly (SessionReport | DamagedSession)[];
  readonly retiredSessions: number;
  readonly attachments: { readonly count: number; readonly uncommittedIntents: number; readonly bytes: number; /** In a home of their own, outside the file. */ readonly bytesElsewhere: number };
  readonly components: { readonly count: number; readonly bytes: number };
}

/** Reads everything in one snapshot. */
export function reportOn({ engine, sizeOf, file }: ReadOnlyStore, nowMs: number): Promise<StoreReport> {
  return engine.read(async (tx) => {
    const sizeBelow = (prefix: Key): number => sizeOf(...prefixRange(prefix));
    const countBelow = async (prefix: Key): Promise<number> => (await tx.range(...prefixRange(prefix))).length;
    const sessions: (SessionReport | DamagedSession)[] = [];
    for (const { key } of await tx.range(...prefixRange(SESSIONS))) {
      const sessionId = textAt(key, 1);
      try {
        const bytes = sizeBelow(sessionPrefix(sessionId)) + sizeBelow(turnPrefix(sessionId)) + sizeBelow(parkedPrefix(sessionId));
        sessions.push({ ...(await reportSession(tx, sessionId, nowMs)), bytes });
      } catch (error) {
        if (!LashError.is(error)) throw error;
        sessions.push({ sessionId, problem: error.message });
      }
    }
    const uncommittedIntents = await countBelow(INTENTS);
    const headers = await tx.range(...prefixRange(contentPrefix("attachment")));
    const bytesElsewhere = headers.reduce((sum, { value }) => sum + (isPlainObject(value) && "home" in value && typeof value["bytes"] === "number" ? value["bytes"] : 0), 0);
    return {
      store: engine.name,
      fileBytes: file.bytes,
      logBytes: file.logBytes,
      sessions,
      retiredSessions: (await tx.range(...prefixRange(RETIRED))).filter(({ key }) => key.length > RETIRED.length).length,
      attachments: { count: headers.length, uncommittedIntents, bytes: sizeBelow(["piece", "attachment"]), bytesElsewhere },
      components: { count: await countBelow(contentPrefix("component")), bytes: sizeBelow(["piece", "component"]) },
    };
  });
}

async function reportSession(tx: ReadTransaction, sessionId: string, nowMs: number): Promise<Omit<SessionReport, "bytes">> {
  const key = sessionKey(sessionId);
  const { model } = readMeta(key, (await tx.get(key)) ?? null);
  const head = await readHead(tx, sessionId);
  const { revision, appended, hidden } = head ?? NO_HEAD;
  const { lease } = await readLane(tx, sessionId);
  const turn = await reportTurn(tx, sessionId);
  return {
    sessionId,
    model: head?.head.policy.model.id ?? model,
    headRevision: revision,
    nodes: appended - hidden,
    turnIndex: head?.head.turnIndex ?? 0,
    ...(lease !== undefined && {
      lease: { holder: nameOf(lease.owner), isLive: lease.expiresAtMs > nowMs, expiresAtMs: lease.expiresAtMs, fencingToken: lease.fencingToken },
    }),
    ...(turn !== undefined && { turn }),
    waitingInputs: (await collect(liveInputs(tx, sessionId))).length,
    queuedBatches: (await collect(queuedWork(tx, sessionId))).length,
  };
}

async function reportTurn(tx: ReadTransaction, sessionId: string): Promise<TurnReport | undefined> {
  const control = await readControl(tx, sessionId);
  if (control === undefined) return undefined;
  const { turnId, step, recoveries, snapshot, cancel, parked } = control;
  const { acceptedAtMs } = await readInput(tx, sessionId, control);
  return { turnId, step, recoveries, acceptedAtMs, isParked: parked !== undefined, isCancelRequested: cancel !== undefined, ...(snapshot !== undefined && { state: stateName(snapshot.value) }) };
}

/** The value of a state chart as a path, nested states joined by dots and parallel ones by commas. */
function stateName(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([state, inner]) => (typeof inner === "object" && inner !== null && Object.keys(inner).length === 0 ? state : `${state}.${stateName(inner)}`))
    .join(",");
}

function nameOf({ ownerId, liveness }: LeaseOwner): string {
  switch (liveness.kind) {
    case "local_process":
      return `process ${liveness.pid} on ${liveness.hostId}`;
    case "web_lock":
      return `tab ${ownerId}`;
    default:
      return ownerId;
  }
}
