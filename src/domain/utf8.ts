/** @returns the bytes that `text` takes as UTF-8, counted without encoding it; a lone surrogate counts 3 (U+FFFD). */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    // The second half of a pair adds nothing: 2 units, 4 bytes.
    if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1))) i++;
  }
  return bytes;
}

/** @returns the UTF-8 bytes of `JSON.stringify(text)`, quotes and escapes included. */
export function jsonStringLength(text: string): number {
  let bytes = text.length + 2;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      if (unit < 0x20) bytes += SHORT_ESCAPES.includes(unit) ? 1 : 5;
      else if (unit === 0x22 || unit === 0x5c) bytes += 1;
    } else if (isHighSurrogate(unit) && isLowSurrogate(text.charCodeAt(i + 1))) {
      bytes += 2;
      i++;
    } else if (unit >= 0xd800 && unit <= 0xdfff) {
      bytes += 5; // written as \udXXX
    } else {
      bytes += unit < 0x800 ? 1 : 2;
    }
  }
  return bytes;
}

/** @returns the longest beginning of `text`, ending between characters, that takes at most `most` bytes as UTF-8. */
export const utf8Prefix = (text: string, most: number): string => prefix(text, most, utf8Length);

/** The same within a JSON string, without its quotes. */
export const jsonStringPrefix = (text: string, most: number): string => prefix(text, most, (piece) => jsonStringLength(piece) - 2);

/** @returns the longest end of `text`, beginning between characters, that takes at most `most` bytes as UTF-8. */
export function utf8Suffix(text: string, most: number): string {
  let start = text.length;
  let left = most;
  for (const step of STEPS) {
    while (start > 0) {
      const from = Math.max(0, start - step);
      const piece = text.slice(isWithinPair(text, from) ? from - 1 : from, start);
      const bytes = utf8Length(piece);
      if (bytes > left) break;
      left -= bytes;
      start -= piece.length;
    }
  }
  return text.slice(start);
}

/** Long pieces first, so that most of a text is measured by the piece. */
const STEPS = [4096, 64, 1];

function prefix(text: string, most: number, sizeOf: (piece: string) => number): string {
  let end = 0;
  let left = most;
  for (const step of STEPS) {
    while (end < text.length) {
      const to = end + step;
      const piece = text.slice(end, isWithinPair(text, to) ? to + 1 : to);
      const bytes = sizeOf(piece);
      if (bytes > left) break;
      left -= bytes;
      end += piece.length;
    }
  }
  return text.slice(0, end);
}

const isWithinPair = (text: string, index: number): boolean => isHighSurrogate(text.charCodeAt(index - 1)) && isLowSurrogate(text.charCodeAt(index));

/** \b \t \n \f \r: two characters where other controls take six. */
const SHORT_ESCAPES: readonly number[] = [8, 9, 10, 12, 13];

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
