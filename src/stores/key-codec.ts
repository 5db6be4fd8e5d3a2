// Keys as bytes whose order is the order of keys (E1), for engines that compare bytes: SQLite, Postgres.
//
// A key is its parts one after another:
//   integer   0x10 + n, then the n bytes (0 to 7) of its shortest big-endian form
//   string    0x20, each UTF-16 unit encoded as UTF-8 would encode that number, 0x00
//   END       0xff, in bounds only
// Encoding units instead of code points (CESU-8) keeps the order of UTF-16 and of `<` in JavaScript; real UTF-8 would put
// U+FFFF before U+10000. The terminator sorts below every unit, because keys hold no NUL, so "a" comes before "ab".

import { storeError } from "../domain/errors.ts";
import { type Bound, END, type Key, type KeyPart } from "./engine.ts";
import { integerSize, MAX_KEY_BYTES } from "./keys.ts";

const INTEGER = 0x10;
const MAX_INTEGER_BYTES = 7;
const STRING = 0x20;
const AFTER_ALL = 0xff;

/** One key at a time is being encoded; the END byte of a bound comes on top of a full key. */
const scratch = new Uint8Array(MAX_KEY_BYTES + 1);

/** @param key - has passed `checkKey` or `checkBound`; nothing is checked here. */
export function encodeKey(key: Bound): Uint8Array {
  let at = 0;
  for (const part of key) {
    if (typeof part === "string") at = writeString(part, at);
    else if (part === END) scratch[at++] = AFTER_ALL;
    else at = writeInteger(part, at);
  }
  return scratch.slice(0, at);
}

function writeString(text: string, start: number): number {
  let at = start;
  scratch[at++] = STRING;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      scratch[at++] = unit;
    } else if (unit < 0x800) {
      scratch[at++] = 0xc0 | (unit >> 6);
      scratch[at++] = 0x80 | (unit & 0x3f);
    } else {
      scratch[at++] = 0xe0 | (unit >> 12);
      scratch[at++] = 0x80 | ((unit >> 6) & 0x3f);
      scratch[at++] = 0x80 | (unit & 0x3f);
    }
  }
  scratch[at++] = 0;
  return at;
}

function writeInteger(value: number, start: number): number {
  const size = integerSize(value);
  scratch[start] = INTEGER + size;
  // Division, not shifts: safe integers have 53 bits.
  let rest = value;
  for (let i = size; i > 0; i--) {
    scratch[start + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return start + 1 + size;
}

/** @throws LashError `stored_row_invalid` - `bytes` is nothing that `encodeKey` writes for a key. */
export function decodeKey(bytes: Uint8Array): Key {
  const parts: KeyPart[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at++] ?? 0;
    if (tag === STRING) {
      const end = bytes.indexOf(0, at);
      if (end < 0) throw malformed(bytes);
      parts.push(readString(bytes, at, end));
      at = end + 1;
    } else {
      const size = tag - INTEGER;
      if (size < 0 || size > MAX_INTEGER_BYTES || at + size > bytes.length) throw malformed(bytes);
      let value = 0;
      for (let i = 0; i < size; i++) value = value * 256 + (bytes[at++] ?? 0);
      if (!Number.isSafeInteger(value)) throw malformed(bytes);
      parts.push(value);
    }
  }
  if (parts.length === 0) throw malformed(bytes);
  return parts;
}

function readString(bytes: Uint8Array, start: number, end: number): string {
  const units: number[] = [];
  for (let at = start; at < end; ) {
    const first = bytes[at++] ?? 0;
    if (first < 0x80) {
      units.push(first);
    } else if (first >= 0xc0 && first < 0xe0 && at < end) {
      units.push(((first & 0x1f) << 6) | continuation(bytes, at++));
    } else if (first >= 0xe0 && first < 0xf0 && at + 1 < end) {
      units.push(((first & 0x0f) << 12) | (continuation(bytes, at++) << 6) | continuation(bytes, at++));
    } else {
      throw malformed(bytes);
    }
  }
  return String.fromCharCode(...units);
}

function continuation(bytes: Uint8Array, at: number): number {
  const byte = bytes[at] ?? 0;
  if ((byte & 0xc0) !== 0x80) throw malformed(bytes);
  return byte & 0x3f;
}

function malformed(bytes: Uint8Array): Error {
  const hex = Array.from(bytes.subarray(0, 64), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return storeError("stored_row_invalid", `a stored key cannot be read: 0x${hex}`);
}
