// What a turn is asked, as the host says it and as it is kept.

import { assertJson } from "./bounded-json.ts";
import { LashError, runtimeError } from "./errors.ts";
import { imageType } from "./image-type.ts";
import { invalidArgument } from "./invalid-argument.ts";
import { canonicalJson, type Json } from "./json.ts";
import { assertImageWithin, assertTextWithin, type Limits } from "./limits.ts";
import { sha256Hex } from "./sha256.ts";
import type { TurnCause } from "./turn-cause.ts";
import { protocolTurnOptionsInvalid } from "./wiring-errors.ts";

export type TurnInputItem =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_ref"; readonly id: string };

/** Host form; a plain string stands for one text item. */
export interface TurnInput {
  readonly items: readonly TurnInputItem[];
  readonly imageBlobs?: Readonly<Record<string, Uint8Array>>;
  /** Options of the session's protocol for this turn; JSON only (ER-24). */
  readonly protocolTurnOptions?: Json;
  /** Turn id of the caller's choice; must agree with `turnId` where both are given (T-3). */
  readonly traceTurnId?: string;
}

/** The durable part of an input: JSON, hashed for replays. Image bytes travel as attachments. */
export interface AcceptedInput {
  readonly items: readonly TurnInputItem[];
  /** What else the turn is about; said before the items (T-10). */
  readonly causes?: readonly TurnCause[];
  readonly protocolTurnOptions?: Json;
}

/** Adjacent texts merged, empty ones dropped (T-9). */
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
 * @throws LashError `limit_exceeded` - larger than `turnInputBytes`; `json_invalid` - options that are no JSON.
 */
export function parseTurnInput(input: string | TurnInput, limits: Limits): TurnInput {
  if (typeof input === "string") {
    assertTextWithin(input, "input", "turnInputBytes", limits);
    return { items: [{ type: "text", text: wellFormed(input, "input") }] };
  }
  if (typeof input !== "object" || input === null) throw invalidArgument("input", "a string or an object with `items`");
  refuseLiveParts(input);
  for (const key of Object.keys(input)) {
    if (!["items", "imageBlobs", "protocolTurnOptions", "traceTurnId"].includes(key)) throw invalidArgument(`input.${key}`, "left out: a turn input has no such field");
  }
  if (!Array.isArray(input.items)) throw invalidArgument("input.items", "an array");
  input.items.forEach((item: TurnInputItem, index) => {
    const at = `input.items[${index}]`;
    if (item?.type === "text" && typeof item.text === "string") wellFormed(item.text, `${at}.text`);
    else if (!(item?.type === "image_ref" && typeof item.id === "string")) {
      throw invalidArgument(at, '{ type: "text", text } or { type: "image_ref", id }');
    }
  });
  assertJson(input.items, { field: "input.items", limit: "turnInputBytes", limits });
  checkBlobs(input.imageBlobs, limits);
  if (input.protocolTurnOptions !== undefined) checkOptions(input.protocolTurnOptions, limits);
  return input;
}

function checkBlobs(blobs: TurnInput["imageBlobs"], limits: Limits): void {
  if (blobs === undefined) return;
  if (typeof blobs !== "object" || blobs === null) throw invalidArgument("input.imageBlobs", "an object of bytes by id");
  for (const [id, bytes] of Object.entries(blobs)) {
    if (!(bytes instanceof Uint8Array)) throw invalidArgument(`input.imageBlobs.${id}`, "a Uint8Array");
    assertImageWithin(bytes, `input.imageBlobs.${id}`, limits);
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

/** What is kept of an input, and the bytes that have to be stored with it: images go by the hash of their content. */
export function acceptInput({ items, imageBlobs = {}, protocolTurnOptions }: TurnInput): {
  readonly input: AcceptedInput;
  readonly attachments: readonly { readonly bytes: Uint8Array; readonly mime: string }[];
} {
  const attachments: { readonly bytes: Uint8Array; readonly mime: string }[] = [];
  const accepted = items.map((item): TurnInputItem => {
    const bytes = item.type === "image_ref" && Object.hasOwn(imageBlobs, item.id) ? imageBlobs[item.id] : undefined;
    if (item.type === "text" || !bytes) return item;
    attachments.push({ bytes, mime: imageType(bytes) ?? "application/octet-stream" });
    return { type: "image_ref", id: sha256Hex(bytes) };
  });
  return { input: { items: accepted, ...(protocolTurnOptions !== undefined && { protocolTurnOptions }) }, attachments };
}

/**
 * Several inputs as one, in their order (T-7): the first options win. Texts of two inputs are parted by a blank line, because
 * what stands next to each other within an input becomes one text (T-9).
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

/** What a turn's input is told apart by (OP-11). */
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
