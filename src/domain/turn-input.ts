// What a turn is asked, as the host says it and as it is kept.

import { assertJson } from "./bounded-json.ts";
import { LashError, runtimeError } from "./errors.ts";
import { imageType, isImageMime } from "./image-type.ts";
import { invalidArgument } from "./invalid-argument.ts";
import { canonicalJson, type Json } from "./json.ts";
import { isMediaType } from "./media-type.ts";
import { assertImageWithin, assertTextWithin, type Limits } from "./limits.ts";
import { sha256Hex } from "./sha256.ts";
import type { TurnCause } from "./turn-cause.ts";
import { protocolTurnOptionsInvalid } from "./wiring-errors.ts";

/** What an input says, as it is kept: files by the hash of their bytes. */
export type TurnInputItem =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_ref"; readonly id: string }
  /** A file of any media type. `id` is one of `fileBlobs`, or an attachment of the session; `mediaType` may be left out for the latter. */
  | { readonly type: "file_ref"; readonly id: string; readonly mediaType?: string; readonly filename?: string };

/** A file with its bytes, at most `limits.imageBytes`. An image that models read is shown to them as an image. */
export interface InputFile {
  readonly type: "file";
  readonly data: Uint8Array;
  /** Such as `application/pdf`. */
  readonly mediaType: string;
  readonly filename?: string;
}

export type TurnInputPart = TurnInputItem | InputFile;

/** Host form. */
export interface TurnInput {
  readonly items: readonly TurnInputPart[];
  /** Bytes of images that `items` refer to. */
  readonly imageBlobs?: Readonly<Record<string, Uint8Array>>;
  /** Bytes of files that `items` refer to. */
  readonly fileBlobs?: Readonly<Record<string, Uint8Array>>;
  /** Options of the session's protocol for this turn; JSON only. */
  readonly protocolTurnOptions?: Json;
  /** Turn id of the caller's choice; must agree with `turnId` where both are given. */
  readonly traceTurnId?: string;
}

/** A plain string stands for one text item, an array for its items. */
export type UserInput = string | readonly TurnInputPart[] | TurnInput;

/** The durable part of an input: JSON, hashed for replays. Image bytes travel as attachments. */
export interface AcceptedInput {
  readonly items: readonly TurnInputItem[];
  /** What else the turn is about; said before the items. */
  readonly causes?: readonly TurnCause[];
  readonly protocolTurnOptions?: Json;
}

/** Adjacent texts merged, empty ones dropped. */
export function normalizeItems(items: readonly TurnInputItem[]): readonly TurnInputItem[] {
  const merged: TurnInputItem[] = [];
  for (const item of items) {
    const last = merged.at(-1);
    if (item.type === "text" && last?.type === "text") merged[merged.length - 1] = { type: "text", text: last.text + item.text };
    else if (item.type !== "text" || item.text !== "") merged.push(item);
  }
  return merged;
}

/**
 * Checks what a host handed to `turn()` and gives it one shape.
 *
 * @throws LashError `invalid_argument` naming the field that is wrong; nothing durable happened.
 * @throws LashError `limit_exceeded` - larger than `turnInputBytes`, or a file larger than `imageBytes`; `json_invalid` - options that are no JSON.
 */
export function parseTurnInput(given: UserInput, limits: Limits): TurnInput {
  if (typeof given === "string") {
    assertTextWithin(given, "input", "turnInputBytes", limits);
    return { items: [{ type: "text", text: wellFormed(given, "input") }] };
  }
  const input: TurnInput = isItems(given) ? { items: given } : given;
  if (typeof input !== "object" || input === null) throw invalidArgument("input", "a string, an array of items, or an object with `items`");
  refuseLiveParts(input);
  for (const key of Object.keys(input)) {
    if (!["items", "imageBlobs", "fileBlobs", "protocolTurnOptions", "traceTurnId"].includes(key)) throw invalidArgument(`input.${key}`, "left out: a turn input has no such field");
  }
  if (!Array.isArray(input.items)) throw invalidArgument("input.items", "an array");
  checkBlobs("imageBlobs", input.imageBlobs, limits);
  checkBlobs("fileBlobs", input.fileBlobs, limits);
  input.items.forEach((item, index) => checkPart(item, `input.items[${index}]`, input.fileBlobs, limits));
  assertJson(input.items.map((item) => (item.type === "file" ? { ...item, data: null } : item)), { field: "input.items", limit: "turnInputBytes", limits });
  if (input.protocolTurnOptions !== undefined) checkOptions(input.protocolTurnOptions, limits);
  return input;
}

const isItems = (given: Exclude<UserInput, string>): given is readonly TurnInputPart[] => Array.isArray(given);

const PARTS = '{ type: "text", text }, { type: "file", data, mediaType, filename? }, { type: "image_ref", id } or { type: "file_ref", id, mediaType?, filename? }';

function checkPart(item: TurnInputPart, at: string, blobs: TurnInput["fileBlobs"], limits: Limits): void {
  if (item?.type === "text" && typeof item.text === "string") wellFormed(item.text, `${at}.text`);
  else if (item?.type === "file") {
    if (!(item.data instanceof Uint8Array)) throw invalidArgument(`${at}.data`, "a Uint8Array");
    checkFile(item, at, item.data, limits);
  } else if (item?.type === "file_ref" && typeof item.id === "string") checkFile(item, at, blobOf(blobs, item.id), limits);
  else if (!(item?.type === "image_ref" && typeof item.id === "string")) throw invalidArgument(at, PARTS);
}

/** @param bytes - undefined for one that the session is to have already. */
function checkFile({ mediaType, filename }: Pick<InputFile, "filename"> & { readonly mediaType?: string }, at: string, bytes: Uint8Array | undefined, limits: Limits): void {
  if ((bytes || mediaType !== undefined) && !isMediaType(mediaType)) throw invalidArgument(`${at}.mediaType`, "a media type, such as application/pdf");
  if (filename !== undefined) {
    if (typeof filename !== "string") throw invalidArgument(`${at}.filename`, "a text");
    wellFormed(filename, `${at}.filename`);
  }
  if (!bytes) return;
  if (bytes.byteLength === 0) throw invalidArgument(`${at}.data`, "the bytes of a file that is not empty");
  assertImageWithin(bytes, `${at}.data`, limits);
  if (mediaType !== undefined && isImageMime(mediaType) && imageType(bytes) === undefined) throw invalidArgument(`${at}.data`, `an image, as its media type ${mediaType} says`);
}

const blobOf = (blobs: TurnInput["imageBlobs"], id: string): Uint8Array | undefined => (blobs && Object.hasOwn(blobs, id) ? blobs[id] : undefined);

function checkBlobs(field: "imageBlobs" | "fileBlobs", blobs: TurnInput["imageBlobs"], limits: Limits): void {
  if (blobs === undefined) return;
  if (typeof blobs !== "object" || blobs === null) throw invalidArgument(`input.${field}`, "an object of bytes by id");
  for (const [id, bytes] of Object.entries(blobs)) {
    if (!(bytes instanceof Uint8Array)) throw invalidArgument(`input.${field}.${id}`, "a Uint8Array");
    assertImageWithin(bytes, `input.${field}.${id}`, limits);
  }
}

/** ER-24: options that are no JSON are refused by the call that takes them. */
function checkOptions(options: Json, limits: Limits): void {
  try {
    assertJson(options, { field: "input.protocolTurnOptions", limit: "turnInputBytes", limits });
  } catch (error) {
    if (LashError.is(error) && error.isCode("limit_exceeded")) throw error;
    throw protocolTurnOptionsInvalid(error);
  }
}

/** An input that is about to be accepted. */
export interface InputToAccept {
  readonly input: AcceptedInput;
  /** Bytes that have to be stored with it. */
  readonly attachments: readonly { readonly bytes: Uint8Array; readonly mime: string }[];
}

/** What is kept of an input, and the bytes that have to be stored with it: images and files go by the hash of their content. */
export function acceptInput({ items, imageBlobs, fileBlobs, protocolTurnOptions }: TurnInput): InputToAccept {
  const attachments: InputToAccept["attachments"][number][] = [];
  const store = (bytes: Uint8Array, mime: string): string => {
    attachments.push({ bytes, mime });
    return sha256Hex(bytes);
  };
  const storeFile = (bytes: Uint8Array, mediaType: string, filename: string | undefined): TurnInputItem => {
    const image = isImageMime(mediaType) ? imageType(bytes) : undefined;
    if (image !== undefined) return { type: "image_ref", id: store(bytes, image) };
    return { type: "file_ref", id: store(bytes, mediaType), mediaType, ...(filename !== undefined && { filename }) };
  };
  const accepted = items.map((item): TurnInputItem => {
    if (item.type === "text") return item;
    if (item.type === "file") return storeFile(item.data, item.mediaType, item.filename);
    const bytes = blobOf(item.type === "image_ref" ? imageBlobs : fileBlobs, item.id);
    if (!bytes) return item;
    if (item.type === "image_ref") return { type: "image_ref", id: store(bytes, imageType(bytes) ?? "application/octet-stream") };
    return storeFile(bytes, item.mediaType ?? "application/octet-stream", item.filename);
  });
  return { input: { items: accepted, ...(protocolTurnOptions !== undefined && { protocolTurnOptions }) }, attachments };
}

/** Whether a version of lash-runtime that knows only records of version 1 would misread this. */
export const inputNeedsVersion2 = ({ items }: Pick<AcceptedInput, "items">): boolean => items.some(({ type }) => type === "file_ref");

/**
 * Several inputs as one, in their order: the first options win. Texts of two inputs are parted by a blank line, because
 * what stands next to each other within an input becomes one text.
 */
export function joinInputs(inputs: readonly AcceptedInput[]): AcceptedInput {
  const items: TurnInputItem[] = [];
  for (const input of inputs) {
    const own = normalizeItems(input.items);
    if (items.at(-1)?.type === "text" && own[0]?.type === "text") items.push({ type: "text", text: "\n\n" });
    items.push(...own);
  }
  const options = inputs.find(({ protocolTurnOptions }) => protocolTurnOptions !== undefined)?.protocolTurnOptions;
  return { items: normalizeItems(items), ...(options !== undefined && { protocolTurnOptions: options }) };
}

/** What a turn's input is told apart by. */
export const inputHashOf = (input: AcceptedInput): string => sha256Hex(canonicalJson(input));

/** Live objects cannot be made durable (T-8). */
function refuseLiveParts(input: object): void {
  if ("protocolExtension" in input && input.protocolExtension !== undefined) {
    throw runtimeError("durable_effect_live_protocol_extension", "`protocolExtension` is a live object and cannot be stored; encode it as `protocolTurnOptions`");
  }
  if ("pluginInputs" in input && input.pluginInputs !== undefined) {
    throw runtimeError("durable_effect_live_plugin_input", "live plugin inputs cannot be stored; persist them as plugin state");
  }
}

function wellFormed(text: string, field: string): string {
  if (!text.isWellFormed()) throw invalidArgument(field, "well-formed Unicode, without lone surrogates");
  return text;
}
