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
    const opening = stringOpening(source, at);
    if (opening !== null) {
      const string = readString(source, at, opening);
      if (string === null) return fail("UnterminatedString", "unterminated string", at, at + opening.length);
      at = string.end;
      tokens.push({ kind: "string", text: string.value, start, end: at });
      continue;
    }
    TOKEN.lastIndex = at;
    const [text = "", comment, word, number, punctuation] = TOKEN.exec(source) ?? [];
    at += text.length;
    if (comment !== undefined) comments.push({ start, end: at, text: comment.trimEnd() });
    else if (word !== undefined) {
      tokens.push(isReserved(word) ? { kind: "reserved", text: word, start, end: at } : { kind: "identifier", text: word, start, end: at });
    } else if (number !== undefined) {
      if (number.indexOf(".") !== number.lastIndexOf(".")) fail("InvalidNumber", `invalid number \`${number}\``, start, at); // LL-5
      tokens.push({ kind: "number", text: number, value: Number(number), start, end: at });
    } else if (punctuation !== undefined) {
      tokens.push({ kind: "punctuation", text: punctuation as Punctuation, start, end: at });
    } else if (text === "") {
      const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
      return fail("UnexpectedCharacter", `unexpected \`${character}\``, at, at + character.length);
    }
  }
  tokens.push({ kind: "end", text: "", start: source.length, end: source.length });
  return { tokens, comments };
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
