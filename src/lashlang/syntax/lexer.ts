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
 * Everything but strings: space, which `;` is no more than (`LL-4`), and in groups comments, words, numbers and punctuation,
 * that of two characters first.
 */
const TOKEN = /[\s;\uFEFF]+|((?:#|\/\/)[^\n]*)|([A-Za-z_][A-Za-z0-9_]*)|([0-9][0-9.]*)|([=!<>]=|&&|\|\||[{}()[\],:@?.!=|<>+\-*/%])/y;

/** What begins a string: an `r` if it is raw, and the quotes that end it. */
const OPENING = /([rR]?)("""|'''|["'])/y;

/** @throws SourceError of phase `parse`; no input makes it throw anything else (`LL-10`). */
export function lex(source: string): Lexed {
  const tokens: Token[] = [];
  const comments: Comment[] = [];
  const fail = (code: ParseErrorCode, message: string, start: number, end: number): never => {
    throw new SourceError({ phase: "parse", code, span: { start, end }, source }, message);
  };
  let at = 0;

  while (at < source.length) {
    const start = at;
    OPENING.lastIndex = at;
    const opening = OPENING.exec(source);
    if (opening !== null) {
      const [{ length }, raw, delimiter = ""] = opening;
      const string = readString(source, at + length, delimiter, raw !== "");
      if (string === null) return fail("UnterminatedString", "unterminated string", at, at + length);
      at = string.end;
      tokens.push({ kind: "string", text: string.value, start, end: at });
      continue;
    }
    TOKEN.lastIndex = at;
    const [text = "", comment, word, number, mark] = TOKEN.exec(source) ?? [];
    if (text === "") {
      const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
      return fail("UnexpectedCharacter", `unexpected \`${character}\``, at, at + character.length);
    }
    at += text.length;
    const span = { start, end: at };
    if (comment !== undefined) comments.push({ ...span, text: comment.trimEnd() });
    if (word !== undefined) tokens.push(isReserved(word) ? { kind: "reserved", text: word, ...span } : { kind: "identifier", text: word, ...span });
    if (mark !== undefined) tokens.push({ kind: "punctuation", text: mark as Punctuation, ...span });
    if (number === undefined) continue;
    if (number.indexOf(".") !== number.lastIndexOf(".")) fail("InvalidNumber", `invalid number \`${number}\``, start, at); // LL-5
    tokens.push({ kind: "number", text: number, value: Number(number), ...span });
  }
  tokens.push({ kind: "end", text: "", start: source.length, end: source.length });
  return { tokens, comments };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** The value and the end of a string whose body begins at `start`; null when it never ends (`LL-8`, `LL-9`). */
function readString(source: string, start: number, delimiter: string, raw: boolean): { value: string; end: number } | null {
  // An escape takes the character after it, which may be one of the delimiter.
  const stops = new RegExp(raw ? delimiter : `\\\\[^]|${delimiter}`, "gu");
  stops.lastIndex = start;
  for (let stop = stops.exec(source); stop !== null; stop = stops.exec(source)) {
    if (stop[0] !== delimiter) continue;
    const body = source.slice(start, stop.index);
    const value = raw ? body : body.replace(/\\([^])/gu, (_, character: string) => ESCAPES[character] ?? character);
    return { value, end: stops.lastIndex };
  }
  return null;
}
