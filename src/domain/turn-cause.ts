// Turn causes: what a turn is told that no user said, such as the wake of a process (T-10, I-48).

import { isId } from "./id-rules.ts";
import { isPlainObject, type Json, type JsonObject } from "./json.ts";
import { createMessage, type Message, type MessageOrigin } from "./messages.ts";

export type ProcessOrigin = Extract<MessageOrigin, { kind: "process" }>;

export interface TurnCause {
  /** Also the id of its message, so that what is told twice is said once. */
  readonly id: string;
  readonly eventType: string;
  readonly origin: ProcessOrigin;
  readonly text: string;
}

/** Ids of wakes; other ones could be those of a turn's own messages. */
const PREFIX = "wake:";

/**
 * The cause that the delivery of a wake is. Whoever wrote the delivery is trusted for its words, not for its shape.
 *
 * @param fallbackId - where the delivery names no wake id.
 */
export function wakeCause(wake: Json, fallbackId: string): TurnCause {
  const delivery: JsonObject = isPlainObject(wake) ? (wake as JsonObject) : {};
  const { wakeId, processCausedBy: causedBy } = delivery;
  const processId = textOr(delivery["processId"], "unknown");
  const eventType = textOr(delivery["eventType"], "process.wake");
  const sequence = typeof delivery["sequence"] === "number" ? delivery["sequence"] : 0;
  const id = typeof wakeId === "string" && wakeId.startsWith(PREFIX) && isId(wakeId) ? wakeId : fallbackId;
  const origin: ProcessOrigin = { kind: "process", processId, eventType, sequence, wakeId: id, ...(causedBy !== undefined && causedBy !== null && { causedBy }) };
  const input = wakeInput(delivery["input"] ?? wake);
  return { id, eventType, origin, text: `Background process wake\nProcess: ${processId}\nEvent: ${eventType} #${sequence}\nWake input:\n${input}` };
}

/** Its text, else its value, else all of it; texts as they are, anything else as JSON (I-48). */
function wakeInput(payload: Json): string {
  if (typeof payload === "string") return payload;
  if (!isPlainObject(payload)) return JSON.stringify(payload);
  const { text, value } = payload as JsonObject;
  if (typeof text === "string") return text;
  if (value === undefined) return JSON.stringify(payload);
  return typeof value === "string" ? value : JSON.stringify(value);
}

const textOr = (value: Json | undefined, fallback: string): string => (typeof value === "string" && value !== "" ? value : fallback);

/** @param id - default: the cause's own. */
export const causeMessage = ({ id: own, text, origin }: TurnCause, id = own): Message => createMessage(id, "Event", [{ kind: "Text", content: text }], origin);
