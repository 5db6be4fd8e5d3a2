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

/** Two characters first, so that `==` is not read as `=`. */
const PUNCTUATION: ReadonlySet<string> = new Set<Punctuation>([
  "==", "!=", "&&", "||", "<=", ">=",
  "{", "}", "(", ")", "[", "]", ",", ":", "@", "?", ".", "!", "=", "|", "<", ">", "+", "-", "*", "/", "%",
]);

const SPACE = /[\s;\uFEFF]+/y; // LL-4: `;` is nothing but a space
const COMMENT = /(?:#|\/\/)[^\n]*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9][0-9.]*/y;

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
    const space = match(SPACE, source, at);
    if (space !== null) {
      at += space.length;
      continue;
    }
    const comment = match(COMMENT, source, at);
    if (comment !== null) {
      at += comment.length;
      comments.push({ start, end: at, text: comment.trimEnd() });
      continue;
    }
    const opening = stringOpening(source, at);
    if (opening !== null) {
      const string = readString(source, at, opening);
      if (string === null) return fail("UnterminatedString", "unterminated string", at, at + opening.length);
      at = string.end;
      tokens.push({ kind: "string", text: string.value, start, end: at });
      continue;
    }
    const word = match(WORD, source, at);
    if (word !== null) {
      at += word.length;
      tokens.push(isReserved(word) ? { kind: "reserved", text: word, start, end: at } : { kind: "identifier", text: word, start, end: at });
      continue;
    }
    const number = match(NUMBER, source, at);
    if (number !== null) {
      at += number.length;
      if (number.indexOf(".") !== number.lastIndexOf(".")) fail("InvalidNumber", `invalid number \`${number}\``, start, at); // LL-5
      tokens.push({ kind: "number", text: number, value: Number(number), start, end: at });
      continue;
    }
    const punctuation = readPunctuation(source, at);
    if (punctuation === null) {
      const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
      return fail("UnexpectedCharacter", `unexpected \`${character}\``, at, at + character.length);
    }
    at += punctuation.length;
    tokens.push({ kind: "punctuation", text: punctuation, start, end: at });
  }
  tokens.push({ kind: "end", text: "", start: source.length, end: source.length });
  return { tokens, comments };
}

function match(pattern: RegExp, source: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? null;
}

function readPunctuation(source: string, at: number): Punctuation | null {
  for (const length of [2, 1]) {
    const text = source.slice(at, at + length);
    if (text.length === length && isPunctuation(text)) return text;
  }
  return null;
}

function isPunctuation(text: string): text is Punctuation {
  return PUNCTUATION.has(text);
}

interface StringOpening {
  readonly raw: boolean;
  readonly delimiter: string;
  /** Of prefix and delimiter together. */
  readonly length: number;
}

function stringOpening(source: string, at: number): StringOpening | null {
  const raw = source[at] === "r" || source[at] === "R";
  const quoteAt = raw ? at + 1 : at;
  const quote = source[quoteAt];
  if (quote !== '"' && quote !== "'") return null;
  const delimiter = source.startsWith(quote.repeat(3), quoteAt) ? quote.repeat(3) : quote;
  return { raw, delimiter, length: quoteAt - at + delimiter.length };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Null when the string never ends (`LL-8`, `LL-9`). */
function readString(source: string, start: number, { raw, delimiter, length }: StringOpening): { value: string; end: number } | null {
  const bodyStart = start + length;
  if (raw) {
    const close = source.indexOf(delimiter, bodyStart);
    return close < 0 ? null : { value: source.slice(bodyStart, close), end: close + delimiter.length };
  }
  let value = "";
  let at = bodyStart;
  let copied = bodyStart; // everything before it is in `value`
  while (at < source.length) {
    if (source.startsWith(delimiter, at)) return { value: value + source.slice(copied, at), end: at + delimiter.length };
    if (source[at] !== "\\") {
      at += 1;
      continue;
    }
    const escaped = source.codePointAt(at + 1);
    if (escaped === undefined) return null;
    const character = String.fromCodePoint(escaped);
    value += source.slice(copied, at) + (ESCAPES[character] ?? character);
    at += 1 + character.length;
    copied = at;
  }
  return null;
}
