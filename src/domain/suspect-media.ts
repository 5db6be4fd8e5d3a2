// Media that a model refused: left out of requests to it until the host says otherwise (ME-15).

import * as z from "zod/mini";
import { storeError } from "./errors.ts";
import type { Message, Part } from "./messages.ts";

/** A provider id and the model id that was asked for. */
export interface MediaReceiver {
  readonly provider: string;
  readonly model: string;
}

/** What one receiver is not shown any more, by part id: the ids stay the same in forks and in other frames. */
export interface RefusedMedia extends MediaReceiver {
  readonly parts: readonly string[];
}

/** Of a session; at most one entry per receiver. */
export type SuspectMedia = readonly RefusedMedia[];

/** One value, so that it is known by its identity. */
export const NO_SUSPECTS: SuspectMedia = [];

const stored = z.array(z.strictObject({ provider: z.string(), model: z.string(), parts: z.array(z.string()) }));

/** @throws LashError `stored_row_invalid` - what is stored is none. */
export function storedSuspects(body: unknown): SuspectMedia {
  if (body === undefined || body === null) return NO_SUSPECTS;
  const parsed = z.safeParse(stored, body);
  if (parsed.success) return parsed.data;
  throw storeError("stored_row_invalid", "what is stored as the session's refused media is none");
}

const isOf = (a: MediaReceiver, b: MediaReceiver): boolean => a.provider === b.provider && a.model === b.model;

/** The same object until something is added to it. */
export const refusedBy = (suspects: SuspectMedia, receiver: MediaReceiver): RefusedMedia | undefined => suspects.find((each) => isOf(each, receiver));

/** The same array where nothing is new. */
export function withSuspects(suspects: SuspectMedia, { provider, model }: MediaReceiver, parts: readonly string[]): SuspectMedia {
  const known = refusedBy(suspects, { provider, model });
  const added = parts.filter((id) => known?.parts.includes(id) !== true);
  if (added.length === 0) return suspects;
  return [...suspects.filter((each) => each !== known), { provider, model, parts: [...(known?.parts ?? []), ...added] }];
}

const MEDIA: ReadonlySet<string> = new Set<Part["kind"]>(["Image", "File", "ReasoningFile"]);

/**
 * Ids of the media that a receiver was sent and has never answered to: what stands behind its latest answer, and what that answer
 * itself brought. What it has answered to once, it takes.
 *
 * @param recorded - who was asked by then, for answers of older versions, which do not say it.
 */
export function unansweredMedia(messages: readonly Message[], receiver: MediaReceiver, recorded: MediaReceiver): readonly string[] {
  const isAnswer = ({ role, origin, answer }: Message): boolean => role === "Assistant" && origin === undefined && isOf({ ...recorded, ...answer }, receiver);
  const from = Math.max(0, messages.findLastIndex(isAnswer));
  return messages.slice(from).flatMap(({ parts }) => parts.filter(isSent).map(({ id }) => id));
}

const isSent = ({ kind, attachment, url, pruneState }: Part): boolean => MEDIA.has(kind) && pruneState === undefined && (attachment !== undefined || url !== undefined);

/** What stands for such a part. The words stay the same, because prompts are cached by them. */
export const leftOut = ({ kind, filename }: Part): string =>
  `[${kind === "Image" ? "an image" : filename === undefined ? "a file" : `the file ${filename.toWellFormed()}`} was left out: the model refused it]`;
