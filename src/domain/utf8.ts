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

/** \b \t \n \f \r: two characters where other controls take six. */
const SHORT_ESCAPES: readonly number[] = [8, 9, 10, 12, 13];

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
