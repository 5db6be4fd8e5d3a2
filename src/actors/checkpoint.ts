// Checkpoints: what reached a running turn becomes messages of its log (T-55..T-57a): its inputs, then queued work (I-31).
//
//   C1. What is claimed is remembered with the turn in the same write, so a turn that is taken up is told the same once more.
//   C2. Message ids follow from where a message stands in the log (T-23), or from the cause (I-34).

import type { CheckpointKind } from "../machines/effects.ts";
import { createMessage, type Message } from "../domain/messages.ts";
import { normalizeItems } from "../domain/turn-input.ts";
import type { TurnActivityBody } from "../observe/contract.ts";
import type { Persistence } from "../stores/contract.ts";
import type { PendingTurnInput, WaitingInput } from "../stores/ingress-contract.ts";
import { causesIn, inputsIn } from "../stores/work-input.ts";
import type { Collected } from "./turn/collected.ts";
import { partsAsFound } from "./images.ts";
import { causeMessages, type LogPlace } from "./opening.ts";

/** Most inputs, or batches, that a turn takes at once. */
export const MOST_INPUTS = 64;

interface Delivered {
  readonly messages: readonly Message[];
  /** Inputs of the input lane, with the message that each became. */
  readonly accepted: readonly { readonly input: PendingTurnInput; readonly message: Message }[];
}

/** One message per input and per cause, in order; an input of nothing gives none. */
export async function deliver({ inputs, batches }: Collected, place: LogPlace, persistence: Persistence): Promise<Delivered> {
  const { sessionId, turnId, log } = place;
  const messages: Message[] = [];
  const say = async (input: WaitingInput): Promise<Message | undefined> => {
    const parts = await partsAsFound(sessionId, normalizeItems(input.items), persistence.attachments);
    if (parts.length === 0) return undefined;
    const message = createMessage(`${turnId}:${log.length + messages.length}`, "User", parts);
    messages.push(message);
    return message;
  };
  const accepted: { input: PendingTurnInput; message: Message }[] = [];
  for (const input of inputs) {
    const message = await say(input.input);
    if (message) accepted.push({ input, message });
  }
  messages.push(...(await causeMessages(causesIn(batches), { ...place, log: [...log, ...messages] }, persistence)));
  for (const input of inputsIn(batches)) await say(input);
  return { messages, accepted };
}

export function announce({ accepted }: Delivered, { batches }: Collected, checkpoint: CheckpointKind, emit: (body: TurnActivityBody) => void): void {
  const inputs = accepted.map(({ input, message }) => ({ id: displayId(input), message }));
  if (inputs.length > 0) emit({ type: "queued_input_accepted", checkpoint, inputs });
  if (batches.length > 0) emit({ type: "queued_work_started", boundary: "active_turn_checkpoint", batchIds: batches.map(({ batchId }) => batchId), causes: causesIn(batches) });
}

/** As the host named it, else by its own id (ingress.md section 1). */
export const displayId = ({ sourceKey, inputId }: PendingTurnInput): string => sourceKey?.replace(/^(?:host|injection):/, "") ?? inputId;
