// Secrets by the name before them: `password=…`, `"api_key": "…"`, `Authorization: …`, `Cookie: …`, `--token …`, `?sig=…`,
// `<secret>…</secret>`, at any depth of JSON within JSON.

import { BACKSLASH, codeAt, endOf, isAlnum, isBlank, isDigit, isInsideValue, isQuote, isWord } from "./chars.ts";
import { Spans } from "./spans.ts";

/** A name and, at once, only what may stand behind one; the readers below decide. Literals and bounded gaps (X1). */
const NAME =
  /pass(?:word|wd|phrase|code)|pwd|secrets?|(?:api|access|account|admin|app|application|auth|client|deploy|encryption|fastly|functions|hmac|ingestion|instrumentation|integration|license|master|private|publishable|secret|server|service|session|shared|signing|ssh|storage|subscription|webhook)[-_. ]?keys?|token|credentials?|signature(?:-\d{1,3})?|authorization|cookie2?|PHPSESSID|JSESSIONID|connect\.sid|\bauth|\bbearer|\bbasic|[?&;#](?:key|sig|code|auth|pass|pw|jwt|sid|session|assertion|hmac)(?==)|\s(?:-u|--user|--proxy-user)(?=[ =])/gi;

/** How sure a name is: what stands behind a `weak` one may be a word of the sentence. */
type Kind = "strong" | "weak" | "line" | "scheme" | "query" | "account";

/** Of the names above, by the letters in which they differ: a text may be full of them. */
function kindOf(text: string, start: number, end: number): Kind {
  const first = codeAt(text, start);
  if (first === 63 || first === 38 || first === 59 || first === 35) return "query"; // ? & ; #
  switch (first | 0x20) {
    case 97: // auth, authorization; api key, auth key
      return end - start === 4 ? "weak" : end - start === 13 && (codeAt(text, start + 4) | 0x20) === 111 ? "line" : "strong";
    case 98: // bearer, basic
      return "scheme";
    case 99: {
      // credential; cookie; client key, connect.sid
      const second = codeAt(text, start + 1) | 0x20;
      return second === 114 ? "weak" : second === 111 && (codeAt(text, start + 2) | 0x20) === 111 ? "line" : "strong";
    }
    case 116: // token
      return "weak";
    case 115: // signature; secret, signing key
      return (codeAt(text, start + 1) | 0x20) === 105 && (codeAt(text, start + 4) | 0x20) === 97 ? "weak" : "strong";
    default:
      return isLetter(first) ? "strong" : "account";
  }
}

const isLetter = (code: number): boolean => isAlnum(code) && !isDigit(code);

export function namedSecrets(text: string): Spans {
  const spans = new Spans();
  NAME.lastIndex = 0;
  for (let match = NAME.exec(text); match !== null; match = NAME.exec(text)) {
    const after = NAME.lastIndex;
    // `tokens`, `secretary`, `passwords`: another word.
    const next = codeAt(text, after);
    if (isAlnum(next) || next === 95) continue;
    const before = spans.length;
    read(text, match.index, after, kindOf(text, match.index, after), spans);
    if (spans.length > before) NAME.lastIndex = Math.max(after, spans.to(spans.length - 1));
  }
  return spans;
}

interface Quote {
  /** Backslashes before it: 0 in a text, 1 in JSON within JSON, 3 one level deeper. */
  readonly depth: number;
  readonly mark: string;
  readonly end: number;
}

/** The quotation mark at `at`, with its backslashes, if there is one. */
function quoteAt(text: string, at: number): Quote | undefined {
  let mark = at;
  while (mark < at + 16 && codeAt(text, mark) === BACKSLASH) mark++;
  return isQuote(codeAt(text, mark)) ? { depth: mark - at, mark: text.charAt(mark), end: mark + 1 } : undefined;
}

const NEAR = 12;
const blanks = (text: string, at: number, most = NEAR): number => endOf(text, at, isBlank, Math.min(text.length, at + most));
const spaces = (text: string, at: number): number => endOf(text, at, (code) => code === 32 || code === 9, Math.min(text.length, at + NEAR));

/** Adds what is secret of that which stands behind a name. */
function read(text: string, start: number, after: number, kind: Kind, spans: Spans): void {
  if (kind === "query") return bare(text, after + 1, kind, spans);
  if (kind === "account") return account(text, after, spans);
  if (kind === "scheme") return scheme(text, after, spans);
  const quoted = quoteAt(text, after);
  const behind = quoted ? blanks(text, quoted.end, 64) : spaces(text, after);
  const separator = separatorAt(text, behind, start, quoted !== undefined);
  if (separator === undefined) return quoted ? undefined : inSentence(text, start, after, kind, spans);
  const { sign, end } = separator;
  const at = quoted ? blanks(text, end, 64) : spaces(text, end);
  if (sign === ",") return nextInList(text, at, spans);
  const sure = kind === "weak" && (quoted !== undefined || sign === "=") ? "strong" : kind;
  valueAt(text, at, sure, spans, sign === ">");
}

const ESCAPED_SIGN = /%3[ADad]|\\u003[ad]/y;

/** `=`, `:`, `=>`, `:=`, `==`, URL-encoded or not; `,` and `>` where a list or XML is meant. */
function separatorAt(text: string, at: number, start: number, isQuoted: boolean): { readonly sign: string; readonly end: number } | undefined {
  const next = text.charAt(at);
  if (next === "=" || next === ":") {
    const second = text.charAt(at + 1);
    const end = second === "=" || second === ":" ? at + 2 : at + 1;
    return { sign: next, end: text.charAt(end) === ">" ? end + 1 : end };
  }
  if (next === "%" || next === "\\") {
    ESCAPED_SIGN.lastIndex = at;
    const [sign = ""] = ESCAPED_SIGN.exec(text) ?? [];
    if (sign !== "") return { sign: /[dD]$/.test(sign) ? "=" : ":", end: at + sign.length };
  }
  if (next === "," && isQuoted) return { sign: ",", end: at + 1 };
  if (next === ">" && !isQuoted && opensTag(text, start)) return { sign: ">", end: at + 1 };
  return undefined;
}

/** Whether a name that ends at a `>` began at a `<`. */
function opensTag(text: string, start: number): boolean {
  let at = start;
  while (at > 0 && start - at < 64 && isWord(codeAt(text, at - 1))) at--;
  return text.charAt(at - 1) === "<" || text.charAt(at - 1) === ":";
}

function valueAt(text: string, from: number, kind: Kind, spans: Spans, isElement = false): void {
  if (isRedacted(text, from)) return; // no list
  const at = isQuote(codeAt(text, from + 1)) && /[bur]/i.test(text.charAt(from)) ? from + 1 : from;
  const next = text.charAt(at);
  if (next === "{" || next === "") return;
  if (next === "[" || next === "(") return list(text, at + 1, kind, spans);
  const quote = quoteAt(text, at);
  if (quote) return quotedValue(text, quote, kind, spans);
  if (isElement) return add(text, at, endOf(text, at, (code) => code !== 60), spans);
  return kind === "line" ? line(text, at, spans) : bare(text, at, kind, spans);
}

const isRedacted = (text: string, at: number): boolean => codeAt(text, at) === 91 && text.startsWith("[redacted]", at);

/** X2 of find.ts */
function add(text: string, from: number, to: number, spans: Spans): void {
  if (to > from && !isRedacted(text, from)) spans.add(from, to);
}

/** All of it, to the mark that closes it or to the end of the text around it. What names a scheme keeps it. */
function quotedValue(text: string, quote: Quote, kind: Kind, spans: Spans): void {
  const { end, isClosed } = closing(text, quote);
  const from = kind === "line" ? behindScheme(text, quote.end, end) : quote.end;
  if (end > from) spans.add(from, end, !isClosed && end === text.length ? "\\".repeat(quote.depth) + quote.mark : undefined);
}

function closing(text: string, { depth, mark, end: from }: Quote): { readonly end: number; readonly isClosed: boolean } {
  let backslashes = 0;
  for (let at = from; at < text.length; at++) {
    const code = codeAt(text, at);
    if (code === BACKSLASH) {
      backslashes++;
      continue;
    }
    if (text.charAt(at) === mark) {
      // Fewer than it was opened with: the text around it ends. As many, and pairs of those: it ends itself.
      if (backslashes < depth) return { end: at - backslashes, isClosed: false };
      if (((backslashes - depth) / (depth + 1)) % 2 === 0) return { end: at - depth, isClosed: true };
    }
    backslashes = 0;
  }
  return { end: text.length, isClosed: false };
}

const SCHEMES = /^(?:Bearer|Basic|Token|Api-?Key|Key|Bot|Negotiate|NTLM|SSWS|GenieKey|Splunk|Session|JWT|OAuth2?)(?: +|%20)(?=[^\s"'`])/i;

const behindScheme = (text: string, from: number, to: number): number => from + (SCHEMES.exec(text.slice(from, Math.min(to, from + 32)))?.[0].length ?? 0);

/** A header as it stands in a dump: what follows a known scheme, else everything to the end of its line. */
function line(text: string, at: number, spans: Spans): void {
  const from = behindScheme(text, at, text.length);
  if (from > at) return add(text, from, bareEnd(text, from), spans);
  add(text, at, endOf(text, at, (code) => code !== 10 && code !== 13 && code !== BACKSLASH && !isQuote(code)), spans);
}

/** Without quotes: to the next blank, quote or separator. */
function bare(text: string, at: number, kind: Kind, spans: Spans): void {
  const end = bareEnd(text, at);
  if (isNoValue(text, at, end)) return;
  if (kind !== "weak" || looksSecret(text.slice(at, Math.min(end, at + 64)), 6)) add(text, at, end, spans);
}

function isNoValue(text: string, at: number, end: number): boolean {
  if (end - at > 9) return false;
  const first = codeAt(text, at) | 0x20;
  // n, u, t, f, y
  const mayBe = first === 110 || first === 117 || first === 116 || first === 102 || first === 121;
  return mayBe && /^(?:null|undefined|none|nil|true|false|yes|no)$/i.test(text.slice(at, end));
}

function bareEnd(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = codeAt(text, at);
    if (isWord(code) || code > 127) continue;
    // ; < > | \
    if (isBlank(code) || isQuote(code) || code === 59 || code === 60 || code === 62 || code === 124 || code === BACKSLASH) break;
    // , and & may belong to a password, unless another pair follows.
    if ((code === 44 || code === 38) && (isPair(text, at + 1) || !isInside(text, at + 1))) break;
    // ) ] }
    if ((code === 41 || code === 93 || code === 125) && !isInside(text, at + 1)) break;
  }
  // The end of a sentence.
  for (let code = codeAt(text, at - 1); at > from && (code === 46 || code === 44 || code === 58); code = codeAt(text, at - 1)) at--;
  return at;
}

/** A name of 40 characters at most, and the sign behind it. */
function isPair(text: string, from: number): boolean {
  let at = endOf(text, from, (code) => isWord(code) || code === 46, from + 40);
  if (at === from) return false;
  const code = codeAt(text, at);
  if (code === 34 || code === 39) at++;
  const sign = codeAt(text, at);
  return sign === 61 || sign === 58;
}

const isInside = (text: string, at: number): boolean => isInsideValue(codeAt(text, at));

function list(text: string, from: number, kind: Kind, spans: Spans): void {
  for (let at = blanks(text, from, 64); ; ) {
    const quote = quoteAt(text, at);
    if (!quote) return;
    const { end } = closing(text, quote);
    quotedValue(text, quote, kind, spans);
    const next = blanks(text, end + quote.depth + 1, 64);
    if (text.charAt(next) !== ",") return;
    at = blanks(text, next + 1, 64);
  }
}

/** `["x-api-key", "…"]`, and `{"name": "x-api-key", "value": "…"}`. */
function nextInList(text: string, from: number, spans: Spans): void {
  const [label = ""] = /^\\{0,7}["']?value\\{0,7}["']?\s{0,4}:\s{0,4}/.exec(text.slice(from, from + 40)) ?? [];
  const at = from + label.length;
  const quote = quoteAt(text, at);
  if (!quote) return;
  const near = endOf(text, quote.end, (code) => !isQuote(code) && code !== BACKSLASH, Math.min(text.length, quote.end + 64));
  if (label !== "" || looksSecret(text.slice(quote.end, near), 8)) quotedValue(text, quote, "strong", spans);
}

/** `Bearer …` and `Basic …` by themselves. */
function scheme(text: string, after: number, spans: Spans): void {
  const gap = text.startsWith("%20", after) ? 3 : endOf(text, after, (code) => code === 32, Math.min(text.length, after + NEAR)) - after;
  const from = after + gap;
  const end = endOf(text, from, (code) => isWord(code) || code === 43 || code === 47 || code === 46 || code === 126 || code === 61);
  const isWordOfProse = /^(?:auth|authentication|authorization|credentials?|tokens?|required|scheme)\b/i.test(text.slice(from, from + 20));
  if (gap > 0 && end - from >= 8 && !isWordOfProse) add(text, from, text.charAt(end - 1) === "." ? end - 1 : end, spans);
}

/** `curl -u name:password` */
function account(text: string, after: number, spans: Spans): void {
  const at = after + 1;
  const quote = quoteAt(text, at);
  const from = quote?.end ?? at;
  const end = endOf(text, from, (code) => !isBlank(code) && !isQuote(code), Math.min(text.length, from + 512));
  if (text.slice(from, end).includes(":")) add(text, from, end, spans);
}

const FILLER = /(?:[ ](?:provided|given|used|supplied|specified|is|was|value|of)){0,2}[ ]?[:=]?[ ]{0,4}/y;

/** `invalid API key abc123…`, `password 'abc'`, `--token abc`. */
function inSentence(text: string, start: number, after: number, kind: Kind, spans: Spans): void {
  const isOption = optionBefore(text, start);
  FILLER.lastIndex = after;
  const [gap = ""] = FILLER.exec(text) ?? [];
  const at = after + gap.length;
  if (gap === "" || kind === "line") return;
  if (isOption) return valueAt(text, at, "strong", spans);
  const quote = quoteAt(text, at);
  if (quote) {
    if (kind === "strong" || /[:=]/.test(gap)) quotedValue(text, quote, kind, spans);
    return;
  }
  const end = bareEnd(text, at);
  if (looksSecret(text.slice(at, Math.min(end, at + 64)), 8)) add(text, at, end, spans);
}

/** Whether a name belongs to an option of a command line. */
function optionBefore(text: string, start: number): boolean {
  let at = start;
  while (at > 0 && start - at < 40 && isWord(codeAt(text, at - 1))) at--;
  return text.startsWith("--", at);
}

/** Letters and digits mixed, or longer than words are. */
function looksSecret(value: string, atLeast: number): boolean {
  if (value.length < atLeast) return false;
  if (value.length >= 24) return true;
  let [digits, letters] = [0, 0];
  for (let at = 0; at < value.length; at++) {
    const code = codeAt(value, at);
    if (isDigit(code)) digits++;
    else if (isAlnum(code)) letters++;
  }
  return digits > 0 && letters > 0;
}
