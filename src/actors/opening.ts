// Opening: the messages that a turn begins with: a message per cause, then what its input says (T-9, T-10).

import { createMessage, type Message, type PartDraft } from "../domain/messages.ts";
import { causeMessage, type TurnCause } from "../domain/turn-cause.ts";
import { normalizeItems, type TurnInputItem } from "../domain/turn-input.ts";
import type { Persistence, TurnRecord } from "../stores/contract.ts";
import { partsAsFound, partsOf } from "./images.ts";

/** The opening of a turn whose input is nothing but text, which may be none; undefined where something has to be looked up. */
export function openingAtHand({ turnId, input }: TurnRecord): readonly Message[] | undefined {
  const parts = input.causes ? undefined : textParts(normalizeItems(input.items));
  return parts && [createMessage(`${turnId}:0`, "User", parts)];
}

/** @returns a text where an image of the input cannot be used: which, and why. A drain goes on without it, if it has anything else to say. */
export async function loadOpening({ sessionId, turnId, input, claims }: TurnRecord, persistence: Persistence): Promise<readonly Message[] | string> {
  const { causes = [] } = input;
  const items = normalizeItems(input.items);
  const events = await causeMessages(causes, { sessionId, turnId, log: [] }, persistence);
  // Causes alone are reason enough: no user message is invented (I-27).
  if (items.length === 0 && events.length > 0) return events;
  const isDrained = claims.some(({ replayKey }) => replayKey === undefined);
  const says = events.length > 0 || items.some(({ type }) => type === "text");
  const parts = textParts(items) ?? (await (isDrained ? partsAsFound : partsOf)(sessionId, items, persistence.attachments));
  if (isDrained && !says && typeof parts !== "string" && parts.every(({ kind }) => kind === "Text")) return parts.map(({ content }) => content).join(" ");
  return typeof parts === "string" ? parts : [...events, createMessage(`${turnId}:${events.length}`, "User", parts)];
}

export interface LogPlace {
  readonly sessionId: string;
  readonly turnId: string;
  /** What the turn has said so far. */
  readonly log: readonly Message[];
}

/**
 * Causes that the turn has not said yet, each as a message under its own id. Where an earlier turn has used that id,
 * because its sender delivered it again, the message is numbered as others are: a commit takes no node id twice.
 */
export async function causeMessages(causes: readonly TurnCause[], { sessionId, turnId, log }: LogPlace, { sessions }: Pick<Persistence, "sessions">): Promise<readonly Message[]> {
  const messages: Message[] = [];
  for (const cause of causes) {
    if (log.some(({ id, origin }) => id === cause.id || (origin?.kind === "process" && origin.wakeId === cause.id))) continue;
    const isUsed = await sessions.usesNode(sessionId, cause.id);
    messages.push(causeMessage(cause, isUsed ? `${turnId}:${log.length + messages.length}` : cause.id));
  }
  return messages;
}

/** A turn without any input still has one empty text (T-10). */
function textParts(items: readonly TurnInputItem[]): readonly PartDraft[] | undefined {
  if (items.length === 0) return [{ kind: "Text", content: "" }];
  return items.every((item) => item.type === "text") ? items.map(({ text }) => ({ kind: "Text", content: text })) : undefined;
}
