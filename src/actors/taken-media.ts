// Which images and files a turn's model takes: refused before anything of an input is durable (ME-18). What only turns out later -
// another model, a file of a tool - is a note on the wire, or a refusal of the provider.

import { type LashError, runtimeError } from "../domain/errors.ts";
import type { TurnInputItem } from "../domain/turn-input.ts";
import { takesMedia } from "../domain/media-type.ts";
import type { AttachmentFacet, NewAttachment } from "../stores/content-contract.ts";
import { sha256Hex } from "../domain/sha256.ts";
import { findMedia, type MediaItem } from "./images.ts";

/** What a host says that a model takes. Live: told again by each process. */
export interface ModelMedia {
  readonly model: string;
  readonly media: readonly string[];
}

/** The model that is to be shown an input, and what it takes. */
export interface TakenMedia {
  readonly provider: string;
  readonly model: string;
  /** Media types; `*` stands for any main or sub type. */
  readonly media: readonly string[];
}

export interface InputMedia {
  readonly sessionId: string;
  readonly items: readonly TurnInputItem[];
  /** Those of its files that are stored with it. */
  readonly attachments: readonly NewAttachment[];
}

export const hasMedia = ({ items }: Pick<InputMedia, "items">): boolean => items.some(({ type }) => type !== "text");

/** What no model of this receiver is shown, if there is such a thing among an input; files that are not there are none. */
export async function untakenMedia({ sessionId, items, attachments: fresh }: InputMedia, taken: TakenMedia, attachments: AttachmentFacet): Promise<LashError | undefined> {
  if (taken.media.includes("*/*")) return undefined;
  const mimes = new Map(fresh.map(({ bytes, mime }) => [sha256Hex(bytes), mime]));
  for (const [index, item] of items.entries()) {
    const mime = item.type === "text" ? undefined : (mimeAtHand(item, mimes) ?? (await mimeFound(sessionId, item, attachments)));
    if (mime !== undefined && !takesMedia(taken.media, mime)) return unsupportedMedia(sessionId, index, mime, taken);
  }
  return undefined;
}

const mimeAtHand = (item: MediaItem, mimes: ReadonlyMap<string, string>): string | undefined => (item.type === "file_ref" ? item.mediaType : undefined) ?? mimes.get(item.id);

async function mimeFound(sessionId: string, item: MediaItem, attachments: AttachmentFacet): Promise<string | undefined> {
  const found = await findMedia(sessionId, item, attachments);
  return typeof found === "string" ? undefined : found.mime;
}

function unsupportedMedia(sessionId: string, index: number, mediaType: string, { provider, model, media }: TakenMedia): LashError {
  const takes = media.length === 0 ? "no images and no files" : media.join(", ");
  return runtimeError(
    "unsupported_media",
    `\`input.items[${index}]\` is ${mediaType}, and model ${model} of provider ${provider} takes ${takes}; nothing was accepted by session ${sessionId}. ` +
      "Leave it out, ask another model, or say what this one takes with `model: { media }`",
    { details: { sessionId, field: `input.items[${index}]`, mediaType, provider, model, media: [...media] } },
  );
}
