// Source text to tokens (section 2 of the language). Comments are collected beside the tokens, for the formatter.
import { SourceError } from "../diagnostics/source-error.ts";
import type { ParseErrorCode } from "../diagnostics/source-error.ts";
import { isReserved } from "./token.ts";
import type { Punctuation, Token } from "./token.ts";

export interface Comment {
  readonly start: number;
  readonly end: number;
  /** As written, with its `#` or `//`. */
  readonly text: string;
}

export interface Lexed {
  /** Ends with exactly one `end` token. */
  readonly tokens: readonly Token[];
  readonly comments: readonly Comment[];
}

/**
 * Space, which `;` is no more than (`LL-4`), and in groups comments, what opens a string, words, numbers and punctuation,
 * that of two characters first.
 */
const TOKEN = /[\s;\uFEFF]+|((?:#|\/\/)[^\n]*)|([rR]?(?:"""|'''|["']))|([A-Za-z_][A-Za-z0-9_]*)|([0-9][0-9.]*)|([=!<>]=|&&|\|\||[{}()[\],:@?.!=|<>+\-*/%])/y;

/** @throws SourceError of phase `parse`; no input makes it throw anything else. */
export function lex(source: string): Lexed {
  const tokens: Token[] = [];
  const comments: Comment[] = [];
  const fail = (code: ParseErrorCode, message: string, start: number, end: number): never => {
    throw new SourceError({ phase: "parse", code, span: { start, end }, source }, message);
  };
  let at = 0;

  while (at < source.length) {
    const start = at;
    TOKEN.lastIndex = at;
    const [text = "", comment, opening, word, number, mark] = TOKEN.exec(source) ?? [];
    if (opening !== undefined) {
      const string = readString(source, at, opening);
      if (string === null) return fail("UnterminatedString", "unterminated string", at, at + opening.length);
      at = string.end;
      tokens.push({ kind: "string", text: string.value, start, end: at });
      continue;
    }
    if (text === "") {
      const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
      return fail("UnexpectedCharacter", `unexpected \`${character}\``, at, at + character.length);
    }
    at += text.length;
    const end = at;
    if (comment !== undefined) comments.push({ start, end, text: comment.trimEnd() });
    if (word !== undefined) tokens.push(isReserved(word) ? { kind: "reserved", text: word, start, end } : { kind: "identifier", text: word, start, end });
    if (mark !== undefined) tokens.push({ kind: "punctuation", text: mark as Punctuation, start, end });
    if (number === undefined) continue;
    if (number.indexOf(".") !== number.lastIndexOf(".")) fail("InvalidNumber", `invalid number \`${number}\``, start, at); // LL-5
    tokens.push({ kind: "number", text: number, value: Number(number), start, end });
  }
  tokens.push({ kind: "end", text: "", start: source.length, end: source.length });
  return { tokens, comments };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Where the search for the end of a string has to stop; an escape takes the character after it, which may be a quote. */
const STOPS = new Map(['"', "'", '"""', "'''"].map((delimiter) => [delimiter, new RegExp(`\\\\[^]|${delimiter}`, "gu")]));

/** The value and the end of the string that begins at `start`; null when it never ends (`LL-8`, `LL-9`). */
function readString(source: string, start: number, opening: string): { value: string; end: number } | null {
  const bodyStart = start + opening.length;
  const stops = STOPS.get(opening);
  if (stops === undefined) {
    const delimiter = opening.slice(1); // raw
    const close = source.indexOf(delimiter, bodyStart);
    return close < 0 ? null : { value: source.slice(bodyStart, close), end: close + delimiter.length };
  }
  stops.lastIndex = bodyStart;
  for (let stop = stops.exec(source); stop !== null; stop = stops.exec(source)) {
    if (stop[0] !== opening) continue;
    const value = source.slice(bodyStart, stop.index).replace(/\\([^])/gu, (_, character: string) => ESCAPES[character] ?? character);
    return { value, end: stops.lastIndex };
  }
  return null;
}
