// Keys as strings whose `<` is the order of keys (E1): comparing two strings is one native call, comparing tuples is a loop.
//
// Laid out like the bytes of key-codec.ts: a tag, then the part; strings end with NUL, which no key holds.

import { type Bound, END } from "./engine.ts";

const STRING = "\u0020";
const AFTER_ALL = "\u00ff";
/** Tags of integers by the number of their bytes; below STRING. */
const INTEGER = 0x10;

/** @param key - has passed `checkKey` or `checkBound`. */
export function orderText(key: Bound): string {
  let text = "";
  for (const part of key) {
    if (typeof part === "string") text += `${STRING}${part}\0`;
    else if (part === END) text += AFTER_ALL;
    else text += integerText(part);
  }
  return text;
}

/** One character per byte, so that keys in ASCII stay one-byte strings in memory. */
function integerText(value: number): string {
  let text = "";
  for (let rest = value; rest >= 1; rest = Math.floor(rest / 256)) text = String.fromCharCode(rest % 256) + text;
  return String.fromCharCode(INTEGER + text.length) + text;
}
