// Checkpoints: input that reached a running turn becomes messages of its log (T-55..T-57a).
//
//   C1. What is claimed is remembered with the turn in the same write, so a turn that is taken up is told the same once more.
//   C2. Message ids follow from where a message stands in the log (T-23).

import type { CheckpointKind } from "../machines/effects.ts";
import { createMessage, type Message, type PartDraft } from "../domain/messages.ts";
import { normalizeItems } from "../domain/turn-input.ts";
import type { AttachmentFacet } from "../stores/content-contract.ts";
import type { PendingTurnInput } from "../stores/ingress-contract.ts";
import type { Emit } from "./model-call.ts";
import { partsOf } from "./images.ts";

/** Most inputs that a turn takes at once (I-17). */
export const MOST_INPUTS = 64;

interface Delivery {
  readonly input: PendingTurnInput;
  readonly message: Message;
}

/** One message per input, in order; an input of nothing gives none (I-51). */
export async function deliveriesOf(
  inputs: readonly PendingTurnInput[],
  { turnId, from, attachments }: { readonly turnId: string; readonly from: number; readonly attachments: AttachmentFacet },
): Promise<readonly Delivery[]> {
  const deliveries: Delivery[] = [];
  for (const input of inputs) {
    const parts = await partsOfInput(input, attachments);
    if (parts.length > 0) deliveries.push({ input, message: createMessage(`${turnId}:${from + deliveries.length}`, "User", parts) });
  }
  return deliveries;
}

/** Images were looked at when the input was admitted; one that has gone since does not take the words along. */
async function partsOfInput({ sessionId, input }: PendingTurnInput, attachments: AttachmentFacet): Promise<readonly PartDraft[]> {
  const parts: PartDraft[] = [];
  for (const item of normalizeItems(input.items)) {
    const found = await partsOf(sessionId, [item], attachments);
    parts.push(...(typeof found === "string" ? [{ kind: "Text" as const, content: `[${found}]` }] : found));
  }
  return parts;
}

export function announce(deliveries: readonly Delivery[], checkpoint: CheckpointKind, emit: Emit, correlationId: string): void {
  if (deliveries.length === 0) return;
  const inputs = deliveries.map(({ input, message }) => ({ id: displayId(input), message }));
  void emit({ type: "queued_input_accepted", checkpoint, inputs }, correlationId);
}

/** As the host named it, else by its own id (ingress.md section 1). */
export const displayId = ({ sourceKey, inputId }: PendingTurnInput): string => sourceKey?.replace(/^(?:host|injection):/, "") ?? inputId;
