// Text by Unicode scalar values over UTF-16 strings (section 5). Program text holds no lone surrogates: what comes in is
// made well formed at the boundary, and nothing here cuts a pair.
//   U1. Engines answer `hasPairs` for one-byte text without looking at it; the long two-byte text asked about last is
//       remembered, so that a loop over its characters does not scan it again and again.

const SURROGATE = /[\ud800-\udfff]/;
const MEMO_FROM = 256;

let lastText = "";
let lastHasPairs = false;
let lastLength = 0;

/** True if some character takes two units. */
export function hasPairs(text: string): boolean {
  if (text.length < MEMO_FROM) return SURROGATE.test(text);
  if (text !== lastText) {
    lastHasPairs = SURROGATE.test(text);
    lastLength = lastHasPairs ? countPoints(text) : text.length;
    lastText = text;
  }
  return lastHasPairs;
}

function countPoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i += 1) if (isHigh(text.charCodeAt(i))) count -= 1;
  return count;
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;

/**
 * Instructions that finding a position in `text` is worth: pairs are counted from the start, and even without them the
 * engine may have to look for them.
 */
export function scanCost(text: string): number {
  return hasPairs(text) ? text.length >> 4 : text.length >> 9;
}

/** Length in characters. */
export function charLength(text: string): number {
  if (!hasPairs(text)) return text.length;
  return text.length < MEMO_FROM ? countPoints(text) : lastLength;
}

/** Unit offset of character `index`; `text.length` when there are fewer. `index` must not be negative. */
export function unitOffset(text: string, index: number): number {
  if (!hasPairs(text)) return Math.min(index, text.length);
  let unit = 0;
  for (let left = index; left > 0 && unit < text.length; left -= 1) unit += isHigh(text.charCodeAt(unit)) ? 2 : 1;
  return unit;
}

/** How many characters lie before unit offset `unit`. */
export function charOffset(text: string, unit: number): number {
  if (!hasPairs(text)) return unit;
  let count = unit;
  for (let i = 0; i < unit; i += 1) if (isHigh(text.charCodeAt(i))) count -= 1;
  return count;
}

/** The character at `index`, or undefined when out of range. */
export function charAt(text: string, index: number): string | undefined {
  if (!hasPairs(text)) return index < text.length ? text[index] : undefined;
  const unit = unitOffset(text, index);
  const point = text.codePointAt(unit);
  return point === undefined ? undefined : String.fromCodePoint(point);
}

/** Characters `from` up to, not including, `to`. */
export function sliceChars(text: string, from: number, to: number): string {
  if (!hasPairs(text)) return text.slice(from, to);
  const start = unitOffset(text, from);
  return text.slice(start, start + unitOffset(text.slice(start), to - from));
}

/** Order by code point: negative, zero or positive. UTF-16 order differs where a pair meets U+E000..U+FFFF. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  if (!hasPairs(left) && !hasPairs(right)) return left < right ? -1 : 1;
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i += 1) {
    const a = left.charCodeAt(i);
    const b = right.charCodeAt(i);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Moves surrogates above every other unit. */
const rank = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);
