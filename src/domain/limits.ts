// Limits on hostile or oversized input (OP-17), as one option with defaults, and the errors that name them.
// The checks that apply them to JSON are in bounded-json.ts.
import { type LashError, runtimeError } from "./errors.ts";
import { imageSize } from "./image-size.ts";
import { invalidArgument } from "./invalid-argument.ts";
import { utf8Length } from "./utf8.ts";

/** The `limits` option. Bytes are UTF-8 bytes of the JSON text, or of the data itself for images. */
export interface Limits {
  /** Input of one turn without its images and files. Default 8 MiB. */
  readonly turnInputBytes: number;
  /** One image or file. Default 20 MiB. */
  readonly imageBytes: number;
  /** Width and height of one image, where its header tells them. Default 8,000. */
  readonly imagePixels: number;
  /** One reply of a model, streamed or not. Default 16 MiB. */
  readonly modelResponseBytes: number;
  /** Arguments of one tool call. Default 1 MiB. */
  readonly toolArgumentsBytes: number;
  /** Result of one tool call. Default 8 MiB. */
  readonly toolResultBytes: number;
  /** Text of one tool result as a model is shown it: the rest is left out between its beginning and its end, but kept. Default 64 KiB. */
  readonly toolResultModelBytes: number;
  /** Nested arrays and objects in one document; a bare string has depth 0. Default 64, at most 500. */
  readonly jsonDepth: number;
  /** Values in one document, containers included. Default 100,000. */
  readonly jsonValues: number;
}

/** The limits on sizes: each belongs to one kind of data. */
export type SizeLimit = "turnInputBytes" | "imageBytes" | "modelResponseBytes" | "toolArgumentsBytes" | "toolResultBytes";

const MIB = 1024 * 1024;

export const DEFAULT_LIMITS: Limits = Object.freeze({
  turnInputBytes: 8 * MIB,
  imageBytes: 20 * MIB,
  imagePixels: 8_000,
  modelResponseBytes: 16 * MIB,
  toolArgumentsBytes: MIB,
  toolResultBytes: 8 * MIB,
  toolResultModelBytes: 64 * 1024,
  jsonDepth: 64,
  jsonValues: 100_000,
});

/** Values travel inside rows of ours, and `canonicalJson` ends at 1,000 levels. */
const MAX_JSON_DEPTH = 500;

/**
 * @param overrides - the limits to change; the others keep their defaults.
 * @throws LashError `invalid_argument` - an unknown name, or no whole number from 1 up (500 for `jsonDepth`).
 */
export function resolveLimits(overrides: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(overrides)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) throw invalidArgument(`limits.${name}`, `one of ${Object.keys(DEFAULT_LIMITS).join(", ")}`);
    const max = name === "jsonDepth" ? MAX_JSON_DEPTH : Number.MAX_SAFE_INTEGER;
    if (!Number.isSafeInteger(value) || value < 1 || value > max) throw invalidArgument(`limits.${name}`, `a whole number from 1 to ${max}`);
  }
  return Object.freeze({ ...DEFAULT_LIMITS, ...overrides });
}

/**
 * @param field - what was too large, in the words of the caller, such as `input.items[2].text`.
 * @param limit - the option to raise.
 */
export const limitExceeded = (field: string, limit: keyof Limits, max: number): LashError =>
  runtimeError("limit_exceeded", `\`${field}\` is over \`limits.${limit}\` (${max})`, { details: { field, limit, max } });

/** @throws LashError `limit_exceeded` - `text` takes more UTF-8 bytes than `limit` allows. */
export function assertTextWithin(text: string, field: string, limit: SizeLimit, limits: Limits = DEFAULT_LIMITS): void {
  const max = limits[limit];
  // One UTF-16 unit is 1 to 3 bytes, so most texts need no counting.
  if (text.length > max || (text.length > max / 3 && utf8Length(text) > max)) throw limitExceeded(field, limit, max);
}

/** @throws LashError `limit_exceeded` - more bytes than `limit` allows. */
export function assertBytesWithin(bytes: Uint8Array, field: string, limit: SizeLimit, limits: Limits = DEFAULT_LIMITS): void {
  if (bytes.byteLength > limits[limit]) throw limitExceeded(field, limit, limits[limit]);
}

/** @throws LashError `limit_exceeded` - more bytes or pixels than one image may have. */
export function assertImageWithin(bytes: Uint8Array, field: string, limits: Limits = DEFAULT_LIMITS): void {
  assertBytesWithin(bytes, field, "imageBytes", limits);
  if (!isWithinPixels(bytes, limits)) throw limitExceeded(field, "imagePixels", limits.imagePixels);
}

/** Whether neither side of an image is longer than it may be; also where nobody can tell. */
export function isWithinPixels(bytes: Uint8Array, { imagePixels }: Pick<Limits, "imagePixels">): boolean {
  const { width, height } = imageSize(bytes) ?? { width: 0, height: 0 };
  return Math.max(width, height) <= imagePixels;
}
