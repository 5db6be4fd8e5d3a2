// Keys of an engine: which ones are allowed, and how they are ordered (OP-2, E1).

import { runtimeError } from "../domain/errors.ts";
import { type Bound, END, type Key } from "./engine.ts";

export const MAX_KEY_PARTS = 16;
/** Size of the encoded key (key-codec.ts), in bytes. */
export const MAX_KEY_BYTES = 1024;

/**
 * Refuses keys that some engine could not keep or would order differently.
 *
 * @throws LashError `invalid_argument` - a part is neither a safe integer >= 0 nor a well-formed string without NUL, or the key is empty.
 * @throws LashError `limit_exceeded` - more than 16 parts, or more than 1024 bytes encoded.
 */
export function checkKey(key: Key): void {
  if (!Array.isArray(key) || key.length === 0) throw runtimeError("invalid_argument", "a key is an array of 1 to 16 parts");
  checkParts(key);
}

/** As `checkKey`; a bound may also be empty and may end with END. */
export function checkBound(bound: Bound): void {
  if (!Array.isArray(bound)) throw runtimeError("invalid_argument", "a range bound is an array of key parts");
  checkParts(bound.at(-1) === END ? bound.slice(0, -1) : bound);
}

function checkParts(parts: Bound): void {
  if (parts.length > MAX_KEY_PARTS) {
    throw runtimeError("limit_exceeded", `a key has at most ${MAX_KEY_PARTS} parts; this one has ${parts.length}`);
  }
  let bytes = 0;
  for (let i = 0; i < parts.length; i++) bytes += checkPart(parts[i], i, parts);
  if (bytes > MAX_KEY_BYTES) {
    throw runtimeError("limit_exceeded", `a key has at most ${MAX_KEY_BYTES} bytes; ${describeKey(parts)} has ${bytes}`);
  }
}

/** @returns the encoded size of one part, in bytes. */
function checkPart(part: unknown, index: number, parts: Bound): number {
  if (typeof part === "string") {
    const bytes = encodedTextSize(part);
    if (bytes < 0) throw badPart(index, parts, "holds NUL or half of a surrogate pair");
    return bytes + 2;
  }
  if (typeof part !== "number") throw badPart(index, parts, `is ${part === END ? "END, which only ends a range bound" : typeof part}`);
  if (!Number.isSafeInteger(part) || part < 0) throw badPart(index, parts, `is ${part}`);
  return 1 + integerSize(part);
}

/** Bytes of the shortest big-endian form of a safe integer; 0 for 0. */
export function integerSize(value: number): number {
  let size = 0;
  for (let rest = value; rest >= 1; rest /= 256) size++;
  return size;
}

/** @returns bytes with each UTF-16 unit encoded on its own, or -1 for text that no key may hold. */
function encodedTextSize(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      if (unit === 0) return -1;
      bytes += 1;
    } else if (unit < 0x800) {
      bytes += 2;
    } else if (unit < 0xd800 || unit > 0xdfff) {
      bytes += 3;
    } else {
      const next = text.charCodeAt(i + 1);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return -1;
      bytes += 6;
      i++;
    }
  }
  return bytes;
}

const badPart = (index: number, parts: Bound, what: string): Error =>
  runtimeError(
    "invalid_argument",
    `part ${index} of key ${describeKey(parts)} ${what}; a part is an integer from 0 to 2^53-1 or well-formed text without NUL`,
  );

/** A key for messages: JSON, at most 200 characters. */
export function describeKey(key: Bound): string {
  const parts = key.map((part) => (typeof part === "string" ? JSON.stringify(part) : String(part === END ? "END" : part)));
  const text = `[${parts.join(", ")}]`;
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}

/** The order of E1: negative when `a` sorts before `b`, 0 when they are equal. */
export function compareKeys(a: Bound, b: Bound): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left: Part = a[i];
    const right: Part = b[i];
    if (left === right) continue;
    const byKind = rank(left) - rank(right);
    if (byKind !== 0) return byKind;
    // Same kind, not equal, not END: both are numbers or both are strings, and `<` on strings compares UTF-16 units.
    return (left as string) < (right as string) ? -1 : 1;
  }
  return a.length - b.length;
}

type Part = Bound[number] | undefined;
const rank = (part: Part): number => (typeof part === "number" ? 0 : typeof part === "string" ? 1 : 2);
