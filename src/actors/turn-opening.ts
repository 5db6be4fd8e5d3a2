// The beginning of a turn: what it is asked, what it builds on, and how far somebody else has got with it.

import { isPlainObject } from "../domain/json.ts";
import { createMessage, type Message, type PartDraft } from "../domain/messages.ts";
import type { TurnInputItem } from "../domain/turn-input.ts";
import type { HistoryReference } from "../machines/effects.ts";
import type { MachineSnapshot, TurnRecord } from "../stores/contract.ts";
import type { Resident } from "./resident.ts";

export const inputMessage = (turnId: string, parts: readonly PartDraft[]): Message => createMessage(`${turnId}:0`, "User", parts);

/** Parts of an input that is nothing but text, which may be none (T-10). */
export function textParts(items: readonly TurnInputItem[]): readonly PartDraft[] | undefined {
  if (items.length === 0) return [{ kind: "Text", content: "" }];
  return items.every((item) => item.type === "text") ? items.map(({ text }) => ({ kind: "Text", content: text })) : undefined;
}

export function referenceOf({ headRevision, head, messageCount }: Resident): HistoryReference {
  return {
    headRevision,
    frameId: head.currentFrameId,
    leafNodeId: head.leafNodeId ?? null,
    turnIndex: head.turnIndex,
    messageCount,
  };
}

/** Replay keys of the effects that a stored snapshot has open; none where it cannot be read. */
export function openKeys(snapshot: MachineSnapshot | undefined): readonly unknown[] {
  const open = isPlainObject(snapshot?.context) ? snapshot.context["open"] : undefined;
  return Array.isArray(open) ? open.map((request) => (isPlainObject(request) ? request["replayKey"] : undefined)) : [];
}

/** Length of the turn's own log; the rows hold more after a restart, and all of them where the snapshot cannot be read. */
export function loggedBy({ snapshot, log }: TurnRecord): number {
  const length = isPlainObject(snapshot?.context) ? snapshot.context["logLength"] : undefined;
  return typeof length === "number" && length >= 0 && length <= log.length ? length : log.length;
}
