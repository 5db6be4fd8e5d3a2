// Images: content-addressed, stored before anything refers to them, committed with their turn (S-76..S-78, E-4).

import { assertBytesWithin } from "../domain/limits.ts";
import { imageType } from "../domain/image-type.ts";
import { LashError } from "../domain/errors.ts";
import type { AttachmentRef, Message, PartDraft } from "../domain/messages.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { TurnInputItem } from "../domain/turn-input.ts";
import type { AttachmentFacet } from "../stores/content-contract.ts";

/** Parts of a user message; a string says which image of the input cannot be used, and why (T-9). */
export async function partsOf(items: readonly TurnInputItem[], attachments: AttachmentFacet): Promise<readonly PartDraft[] | string> {
  const parts: PartDraft[] = [];
  for (const item of items) {
    if (item.type === "text") parts.push({ kind: "Text", content: item.text });
    else {
      const reference = await find(item.id, attachments);
      if (typeof reference === "string") return reference;
      parts.push({ kind: "Image", content: "", attachment: { reference } });
    }
  }
  return parts;
}

async function find(id: string, attachments: AttachmentFacet): Promise<AttachmentRef | string> {
  try {
    const { reference, bytes } = await attachments.get(id);
    return imageType(bytes) ? reference : `image ${id} is none that models read; use png, jpeg, gif or webp`;
  } catch (error) {
    if (LashError.is(error) && error.isCode("attachment_not_found")) return `image ${id} has no bytes; give them in \`imageBlobs\``;
    throw error;
  }
}

/** Stores what a tool returned: intent first, so that bytes without an owner can be found and swept (S-77). */
export async function storeImage(sessionId: string, bytes: Uint8Array, attachments: AttachmentFacet): Promise<AttachmentRef> {
  assertBytesWithin(bytes, "image", "imageBytes");
  await attachments.manifest.recordIntent(sessionId, sha256Hex(bytes));
  return attachments.put(bytes, imageType(bytes) ?? "application/octet-stream");
}

/** Ids of all attachments that messages refer to (S-78). */
export const attachmentIds = (messages: readonly Message[]): readonly string[] => [
  ...new Set(messages.flatMap(({ parts }) => parts.flatMap(({ attachment }) => (attachment ? [attachment.reference.id] : [])))),
];
