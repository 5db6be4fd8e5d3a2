// Images: content-addressed, stored before anything refers to them, committed with their turn (S-76..S-78, E-4).

import { isWithinPixels, type Limits } from "../domain/limits.ts";
import { imageType, isImageMime } from "../domain/image-type.ts";
import { isMediaType } from "../domain/media-type.ts";
import { LashError } from "../domain/errors.ts";
import type { AttachmentRef, Message, PartDraft } from "../domain/messages.ts";
import { sha256Hex } from "../domain/sha256.ts";
import type { StoredFile } from "../domain/tool-output.ts";
import type { ToolReply } from "../domain/tool-reply.ts";
import type { TurnInputItem } from "../domain/turn-input.ts";
import type { AttachmentFacet } from "../stores/content-contract.ts";
import type { RunWrite } from "./durable/contract.ts";

/** Parts of a user message; a string says which image or file of the input cannot be used, and why. */
export async function partsOf(sessionId: string, items: readonly TurnInputItem[], attachments: AttachmentFacet): Promise<readonly PartDraft[] | string> {
  const parts: PartDraft[] = [];
  for (const item of items) {
    const part = item.type === "text" ? { kind: "Text" as const, content: item.text } : await mediaPart(sessionId, item, attachments);
    if (typeof part === "string") return part;
    parts.push(part);
  }
  return parts;
}

/**
 * The same for an input that waited: its files were looked at when it was admitted, and one that has gone since takes neither its
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

/** An image, or a file, that an input refers to. */
export type MediaItem = Exclude<TurnInputItem, { readonly type: "text" }>;

async function mediaPart(sessionId: string, item: MediaItem, attachments: AttachmentFacet): Promise<PartDraft | string> {
  const found = await findMedia(sessionId, item, attachments);
  if (typeof found === "string") return found;
  const { reference, mime } = found;
  if (item.type === "image_ref" || isImageMime(mime)) return { kind: "Image", content: "", attachment: { reference } };
  const { filename } = item;
  return { kind: "File", content: "", attachment: { reference }, ...(mime !== reference.mime && { mime }), ...(filename !== undefined && { filename }) };
}

/** @returns a text where it cannot be used. */
export async function findMedia(sessionId: string, item: MediaItem, attachments: AttachmentFacet): Promise<{ readonly reference: AttachmentRef; readonly mime: string } | string> {
  const { id, type } = item;
  const missing = type === "image_ref" ? `image ${id} has no bytes; give them in \`imageBlobs\`` : `file ${id} has no bytes; give them in \`fileBlobs\``;
  // Another session's files are not this one's: it could neither keep them nor is it meant to see them (S-80).
  if (!(await attachments.manifest.holds(sessionId, id))) return missing;
  try {
    const { reference, bytes } = await attachments.get(id);
    const image = imageType(bytes);
    const mime = type === "image_ref" ? image : (item.mediaType ?? reference.mime);
    if (mime === undefined) return `image ${id} is none that models read; use png, jpeg, gif or webp`;
    return isImageMime(mime) && image === undefined ? `file ${id} is no image, though it says ${mime}` : { reference, mime };
  } catch (error) {
    if (LashError.is(error) && error.isCode("attachment_not_found")) return missing;
    // As much the end of this turn as an image that is none: its session must not wait for somebody to find the bytes.
    if (LashError.is(error) && error.isCode("attachment_damaged")) return error.message;
    throw error;
  }
}

/** An image or a file that can be stored. */
export interface TakenFile {
  readonly bytes: Uint8Array;
  readonly mime: string;
  readonly filename?: string;
}

export interface TakenFiles {
  readonly taken: readonly TakenFile[];
  /** Of each of the others, in words: with one of them in it, no model would take the history. */
  readonly problems: readonly string[];
}

/** Those of a tool's images and files that can be stored and shown, images first. */
export function takeFiles(reply: Pick<ToolReply, "images" | "files"> | undefined, limits: Limits): TakenFiles {
  const taken: TakenFile[] = [];
  const problems: string[] = [];
  const take = (what: string, given: unknown, read: (one: unknown) => TakenFile | string): void => {
    if (!Array.isArray(given)) {
      problems.push(`the ${what}s are left out: they are no array`);
      return;
    }
    for (const [index, one] of (given as readonly unknown[]).entries()) {
      const file = read(one);
      if (typeof file === "string") problems.push(`${what} ${index + 1} of ${given.length} is left out: it is ${file}`);
      else taken.push(file);
    }
  };
  if (!reply) return { taken, problems };
  take("image", reply.images ?? [], (bytes) => imageOf(bytes, limits));
  // A reply of another copy of this package, and an older one, has none.
  take("file", reply.files ?? [], (file) => fileOf(file, limits));
  return { taken, problems };
}

function imageOf(bytes: unknown, limits: Limits): TakenFile | string {
  if (!(bytes instanceof Uint8Array)) return "no Uint8Array";
  if (bytes.byteLength > limits.imageBytes) return `over \`limits.imageBytes\` (${limits.imageBytes})`;
  if (!isWithinPixels(bytes, limits)) return `over \`limits.imagePixels\` (${limits.imagePixels})`;
  const mime = imageType(bytes);
  return mime === undefined ? "none that models read (png, jpeg, gif or webp)" : { bytes, mime };
}

function fileOf(given: unknown, limits: Limits): TakenFile | string {
  const { data, mediaType, filename } = (typeof given === "object" && given !== null ? given : {}) as Readonly<Record<string, unknown>>;
  if (!(data instanceof Uint8Array)) return "without `data`, which has to be a Uint8Array";
  if (data.byteLength === 0) return "empty";
  if (data.byteLength > limits.imageBytes) return `over \`limits.imageBytes\` (${limits.imageBytes})`;
  if (!isMediaType(mediaType)) return "without a `mediaType`, such as application/pdf";
  if (filename !== undefined && typeof filename !== "string") return "named by something that is no text";
  const named = filename === undefined ? {} : { filename };
  if (!isImageMime(mediaType)) return { bytes: data, mime: mediaType, ...named };
  if (!isWithinPixels(data, limits)) return `over \`limits.imagePixels\` (${limits.imagePixels})`;
  const mime = imageType(data);
  return mime === undefined ? `no image, though it says ${mediaType}` : { bytes: data, mime, ...named };
}

/** The part of a message that shows a tool's image or file. */
export function partOfFile({ filename, ...reference }: StoredFile): PartDraft {
  if (isImageMime(reference.mime)) return { kind: "Image", content: "", attachment: { reference } };
  return { kind: "File", content: "", attachment: { reference }, ...(filename !== undefined && { filename }) };
}

/**
 * Stores bytes under the media type that their maker gives; `image`, `image/*` and the like are looked up in the bytes. Intent
 * first, so that bytes without an owner can be found and swept.
 */
export async function storeFile(sessionId: string, bytes: Uint8Array, mime: string, attachments: AttachmentFacet, write: RunWrite): Promise<AttachmentRef> {
  await write(() => attachments.manifest.recordIntent(sessionId, sha256Hex(bytes)));
  return write(() => attachments.put(bytes, isMediaType(mime) ? mime : (imageType(bytes) ?? "application/octet-stream")));
}

/** Ids of all attachments that messages refer to. */
export const attachmentIds = (messages: readonly Message[]): readonly string[] => [
  ...new Set(messages.flatMap(({ parts }) => parts.flatMap(({ attachment }) => (attachment ? [attachment.reference.id] : [])))),
];
