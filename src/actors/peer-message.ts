// What runtimes that share a store tell each other over a PeerChannel. Foreign when it arrives: another tab may run another
// version of this package, or be another app of the same origin.

import type { Json } from "../domain/json.ts";
import type { TurnActivityBody } from "../observe/contract.ts";

/** An activity with its place in its turn as this driver tells it, from 1. */
export interface ToldActivity {
  readonly seq: number;
  readonly correlationId: string;
  readonly body: TurnActivityBody;
}

interface Telling {
  readonly lash: 1;
  readonly sessionId: string;
  /** Who drives the turn; a takeover is another driver. */
  readonly driver: string;
  readonly turnId: string;
}

export type PeerMessage =
  /** A watcher has come: whoever drives says where it is. */
  | { readonly lash: 1; readonly type: "hello"; readonly sessionId: string }
  | (Telling & { readonly type: "started"; readonly recovered: boolean })
  /** Told as they come, and once more from the beginning of what is kept after a `hello`. */
  | (Telling & { readonly type: "activities"; readonly recovered: boolean; readonly told: readonly ToldActivity[] })
  | (Telling & { readonly type: "ended" })
  | { readonly lash: 1; readonly type: "committed"; readonly sessionId: string; readonly revision: number }
  /** A row that somebody may wait for was written (change-hub.ts). */
  | { readonly lash: 1; readonly type: "changed"; readonly topic: string };

const TEXTS: Readonly<Record<PeerMessage["type"], readonly string[]>> = {
  hello: ["sessionId"],
  started: ["sessionId", "driver", "turnId"],
  activities: ["sessionId", "driver", "turnId"],
  ended: ["sessionId", "driver", "turnId"],
  committed: ["sessionId"],
  changed: ["topic"],
};

/** @returns undefined for what is no message of this version. */
export function readPeerMessage(data: unknown): PeerMessage | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const fields = data as Readonly<Record<string, unknown>>;
  const { lash, type, told, revision } = fields;
  if (lash !== 1 || typeof type !== "string" || !Object.hasOwn(TEXTS, type)) return undefined;
  const texts = TEXTS[type as PeerMessage["type"]];
  if (!texts.every((name) => typeof fields[name] === "string")) return undefined;
  if (type === "committed" && !Number.isSafeInteger(revision)) return undefined;
  if (type === "activities" && !(Array.isArray(told) && told.every(isTold))) return undefined;
  return data as PeerMessage;
}

export const asJson = (message: PeerMessage): Json => message as unknown as Json;

function isTold(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { seq, correlationId, body } = value as Readonly<Record<string, unknown>>;
  return typeof seq === "number" && typeof correlationId === "string" && typeof body === "object" && body !== null && typeof (body as { type?: unknown }).type === "string";
}
