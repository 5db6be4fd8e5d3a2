// Classes of characters, one look each.

const WORD = 1;
const ALNUM = 2;
const BASE64 = 4;
const HEX = 8;
const URL_END = 16;
const INSIDE = 32;

const CLASSES = new Uint8Array(128);
for (let code = 0; code < 128; code++) {
  const character = String.fromCharCode(code);
  const isAlnum = /[A-Za-z0-9]/.test(character);
  CLASSES[code] =
    (isAlnum || character === "_" || character === "-" ? WORD : 0) |
    (isAlnum ? ALNUM : 0) |
    (isAlnum || /[+/=]/.test(character) ? BASE64 : 0) |
    (/[0-9a-fA-F]/.test(character) ? HEX : 0) |
    (/[\s"'`/?#\\<>]/.test(character) ? URL_END : 0) |
    (isAlnum || /[_\-!$%*+/=@^~]/.test(character) ? INSIDE : 0);
}

const is = (mask: number) => (code: number): boolean => code < 128 && ((CLASSES[code] ?? 0) & mask) !== 0;

/** `[A-Za-z0-9]` */
export const isAlnum = is(ALNUM);
/** `[A-Za-z0-9_-]` */
export const isWord = is(WORD);
/** `[A-Za-z0-9+/=]` */
export const isBase64 = is(BASE64);
export const isHex = is(HEX);
/** What ends the part of a URL that names account and host. */
export const endsAuthority = is(URL_END);
/** What a value may go on with behind a comma, an ampersand or a bracket. */
export const isInsideValue = is(INSIDE);
export const isDigit = (code: number): boolean => code >= 48 && code <= 57;
/** Space, tab, line ends. */
export const isBlank = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);
export const isQuote = (code: number): boolean => code === 34 || code === 39 || code === 96;
export const BACKSLASH = 92;

/** 0 outside of the text. `charCodeAt` says NaN there, and once it has, V8 makes all calls at that place several times slower. */
export const codeAt = (text: string, at: number): number => (at >= 0 && at < text.length ? text.charCodeAt(at) : 0);

/** As `endOf` for the classes that are most of the work: a call per character would be most of its time. */
export function alnumEnd(text: string, at: number): number {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code > 127 || ((CLASSES[code] ?? 0) & ALNUM) === 0) break;
  }
  return end;
}

export function wordEnd(text: string, at: number): number {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code > 127 || ((CLASSES[code] ?? 0) & WORD) === 0) break;
  }
  return end;
}

export function base64End(text: string, at: number): number {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code > 127 || ((CLASSES[code] ?? 0) & BASE64) === 0) break;
  }
  return end;
}

/** Index of the first character from `at` on that is not of a class, or `limit`, or the end of the text. */
export function endOf(text: string, at: number, isOfClass: (code: number) => boolean, limit = text.length): number {
  const last = Math.min(limit, text.length);
  let end = at;
  while (end < last && isOfClass(text.charCodeAt(end))) end++;
  return end;
}
