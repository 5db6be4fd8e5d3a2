// Images: content-addressed, stored before anything refers to them, committed with their turn (S-76..S-78, E-4).

import type { Limits } from "../domain/limits.ts";
import { imageType } from "../domain/image-type.ts";
import { LashError } from "../domain/errors.ts";
import type { AttachmentRef, Message, PartDraft } from "../domain/messages.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { TurnInputItem } from "../domain/turn-input.ts";
import type { AttachmentFacet } from "../stores/content-contract.ts";
import type { WriteForTurn } from "./turn-writes.ts";

/** Parts of a user message; a string says which image of the input cannot be used, and why (T-9). */
export async function partsOf(sessionId: string, items: readonly TurnInputItem[], attachments: AttachmentFacet): Promise<readonly PartDraft[] | string> {
  const parts: PartDraft[] = [];
  for (const item of items) {
    if (item.type === "text") parts.push({ kind: "Text", content: item.text });
    else {
      const reference = await find(sessionId, item.id, attachments);
      if (typeof reference === "string") return reference;
      parts.push({ kind: "Image", content: "", attachment: { reference } });
    }
  }
  return parts;
}

/**
 * The same for an input that waited: its images were looked at when it was admitted, and one that has gone since takes neither its
 * own words along nor those of the inputs beside it. In its place the message says what is missing.
 */
export async function partsAsFound(sessionId: string, items: readonly TurnInputItem[], attachments: AttachmentFacet): Promise<readonly PartDraft[]> {
  const parts: PartDraft[] = [];
  for (const item of items) {
    const found = await partsOf(sessionId, [item], attachments);
    parts.push(...(typeof found === "string" ? [{ kind: "Text" as const, content: `[${found}]` }] : found));
  }
  return parts;
}

async function find(sessionId: string, id: string, attachments: AttachmentFacet): Promise<AttachmentRef | string> {
  const missing = `image ${id} has no bytes; give them in \`imageBlobs\``;
  // Another session's images are not this one's: it could neither keep them nor is it meant to see them (S-80).
  if (!(await attachments.manifest.holds(sessionId, id))) return missing;
  try {
    const { reference, bytes } = await attachments.get(id);
    return imageType(bytes) ? reference : `image ${id} is none that models read; use png, jpeg, gif or webp`;
  } catch (error) {
    if (LashError.is(error) && error.isCode("attachment_not_found")) return missing;
    // As much the end of this turn as an image that is none: its session must not wait for somebody to find the bytes.
    if (LashError.is(error) && error.isCode("attachment_damaged")) return error.message;
    throw error;
  }
}

export interface TakenImages {
  readonly taken: readonly Uint8Array[];
  /** Of each of the others, in words: with one of them in it, no model would take the history. */
  readonly problems: readonly string[];
}

/** Those of a tool's images that can be stored and shown. */
export function takeImages(images: unknown, { imageBytes }: Limits): TakenImages {
  if (!Array.isArray(images)) return { taken: [], problems: ["the images are left out: they are no array"] };
  const taken: Uint8Array[] = [];
  const problems: string[] = [];
  for (const [index, bytes] of (images as readonly unknown[]).entries()) {
    const problem = imageProblem(bytes, imageBytes);
    if (problem === undefined) taken.push(bytes as Uint8Array);
    else problems.push(`image ${index + 1} of ${images.length} is left out: it is ${problem}`);
  }
  return { taken, problems };
}

function imageProblem(bytes: unknown, most: number): string | undefined {
  if (!(bytes instanceof Uint8Array)) return "no Uint8Array";
  if (bytes.byteLength > most) return `over \`limits.imageBytes\` (${most})`;
  return imageType(bytes) ? undefined : "none that models read (png, jpeg, gif or webp)";
}

/** Stores what a tool returned: intent first, so that bytes without an owner can be found and swept (S-77). */
export async function storeImage(sessionId: string, bytes: Uint8Array, attachments: AttachmentFacet, write: WriteForTurn): Promise<AttachmentRef> {
  await write(() => attachments.manifest.recordIntent(sessionId, sha256Hex(bytes)));
  return write(() => attachments.put(bytes, imageType(bytes) ?? "application/octet-stream"));
}

/** The same for what a model made, under the media type that it gives; `wildcard/*` and bare types are looked up in the bytes. */
export async function storeFile(sessionId: string, bytes: Uint8Array, mime: string, attachments: AttachmentFacet): Promise<AttachmentRef> {
  await attachments.manifest.recordIntent(sessionId, sha256Hex(bytes));
  return attachments.put(bytes, /^[^/*\s]+\/[^/*\s]+/.test(mime) ? mime : (imageType(bytes) ?? "application/octet-stream"));
}

/** Ids of all attachments that messages refer to (S-78). */
export const attachmentIds = (messages: readonly Message[]): readonly string[] => [
  ...new Set(messages.flatMap(({ parts }) => parts.flatMap(({ attachment }) => (attachment ? [attachment.reference.id] : [])))),
];
