// What runtimes that share a store tell each other over a PeerChannel. Foreign when it arrives: another tab may run another
// version of this package, or be another app of the same origin.

import { isDeltaType } from "../domain/delta-type.ts";
import type { Json } from "../domain/json.ts";
import type { ReplayPlace } from "../domain/session-cursor.ts";
import type { ObservationPayload } from "../observe/contract.ts";

/** Where the buffer of whoever tells stood before what it tells, and what was committed by then. */
export interface Standing extends ReplayPlace {
  readonly revision: number;
}

/** An event with its place. Views are not sent: who hears of a commit reads it. */
export interface ToldEvent {
  readonly position: number;
  readonly payload: Extract<ObservationPayload, { type: "turn_activity" | "queue_changed" }> | { readonly type: "committed"; readonly revision: number };
}

interface Telling {
  readonly lash: 1;
  readonly sessionId: string;
  /** Who speaks; a takeover is another driver. */
  readonly driver: string;
}

interface TurnTold {
  readonly turnId: string;
  readonly recovered: boolean;
}

export type PeerMessage =
  /** A watcher has come: whoever speaks says where it is. */
  | { readonly lash: 1; readonly type: "hello"; readonly sessionId: string }
  | (Telling & TurnTold & { readonly type: "started"; readonly from: Standing })
  /** Told as they come, and once more since the last commit after a `hello`. */
  | (Telling & { readonly type: "events"; readonly from: Standing; readonly told: readonly ToldEvent[]; /** That runs. */ readonly turn: TurnTold | null })
  | (Telling & { readonly type: "ended"; readonly turnId: string })
  /** Asks whoever drives to say this: a session has one speaker at a time. */
  | { readonly lash: 1; readonly type: "queue"; readonly sessionId: string; readonly payload: QueueChange }
  /** A row that somebody may wait for was written (change-hub.ts). */
  | { readonly lash: 1; readonly type: "changed"; readonly topic: string };

export type QueueChange = Extract<ObservationPayload, { type: "queue_changed" }>;

const TEXTS: Readonly<Record<PeerMessage["type"], readonly string[]>> = {
  hello: ["sessionId"],
  started: ["sessionId", "driver", "turnId"],
  events: ["sessionId", "driver"],
  ended: ["sessionId", "driver", "turnId"],
  queue: ["sessionId"],
  changed: ["topic"],
};

type Fields = Readonly<Record<string, unknown>>;

/** @returns undefined for what is no message of this version. */
export function readPeerMessage(data: unknown): PeerMessage | undefined {
  const fields = fieldsOf(data);
  const { lash, type, from, told, turn, payload } = fields;
  if (lash !== 1 || typeof type !== "string" || !Object.hasOwn(TEXTS, type)) return undefined;
  if (!areTexts(fields, TEXTS[type as PeerMessage["type"]])) return undefined;
  if ((type === "started" || type === "events") && !isStanding(from)) return undefined;
  if (type === "events" && !(Array.isArray(told) && told.every(isTold) && (turn === null || areTexts(fieldsOf(turn), ["turnId"])))) return undefined;
  if (type === "queue" && !isPayload(payload, ["queue_changed"])) return undefined;
  return data as PeerMessage;
}

export const asJson = (message: PeerMessage): Json => message as unknown as Json;

function isStanding(value: unknown): boolean {
  const { incarnation, position, revision } = fieldsOf(value);
  return typeof incarnation === "string" && /^[^:]{1,200}$/.test(incarnation) && isCount(position) && isCount(revision);
}

function isTold(value: unknown): boolean {
  const { position, payload } = fieldsOf(value);
  return isCount(position) && isPayload(payload, ["turn_activity", "queue_changed", "committed"]);
}

function isPayload(value: unknown, types: readonly string[]): boolean {
  const payload = fieldsOf(value);
  const { type, activity, kind, batchIds, revision } = payload;
  if (typeof type !== "string" || !types.includes(type)) return false;
  if (type === "committed") return isCount(revision);
  if (type === "queue_changed") return (kind === "enqueued" || kind === "cancelled") && Array.isArray(batchIds) && batchIds.every((id) => typeof id === "string");
  const told = fieldsOf(activity);
  return areTexts(payload, ["turnId"]) && areTexts(told, ["id", "correlationId", "type", ...(isDeltaType(told["type"]) ? ["text"] : [])]);
}

const fieldsOf = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {});
const areTexts = (fields: Fields, names: readonly string[]): boolean => names.every((name) => typeof fields[name] === "string");
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
