// Secrets by their shape: keys and tokens of well-known vendors, JSON web tokens, private keys, credentials in URLs.

import { alnumEnd, BACKSLASH, base64End, codeAt, endOf, endsAuthority, isAlnum, isBase64, isBlank, isDigit, isHex, isQuote, isWord, wordEnd } from "./chars.ts";
import { Spans } from "./spans.ts";
import { VENDORS, type Vendor } from "./vendors.ts";

/** At which characters the way through a text stops: at the first of a run of letters and digits, and at these. */
const [RUN, COLON, DASH, AT, TILDE, BREAK] = [1, 2, 3, 4, 5, 6];
const STOPS = new Uint8Array(128);
for (let code = 0; code < 128; code++) if (isAlnum(code)) STOPS[code] = RUN;
for (const [characters, stop] of [[":", COLON], ["-", DASH], ["@", AT], ["~", TILDE], [" \t\n\v\f\r\"'`=(<[", BREAK]] as const) {
  for (const character of characters) STOPS[character.charCodeAt(0)] = stop;
}

/** By their first two characters, and then by the third: a text has few places at which more than that has to be compared. */
const BY_START: (readonly Vendor[] | undefined)[] = Array.from({ length: 128 * 128 });
/** 1 where a vendor's prefix begins so, or a web token. */
const STARTS = new Uint8Array(128 * 128);
const startOf = (first: number, second: number): number => (first << 7) | second;
for (const vendor of VENDORS) {
  const start = startOf(vendor.prefix.charCodeAt(0), vendor.prefix.charCodeAt(1));
  BY_START[start] = [...(BY_START[start] ?? []), vendor];
  STARTS[start] = 1;
}
STARTS[startOf(101, 121)] = 1;

const beginsKnown = (text: string, at: number): boolean => {
  const second = codeAt(text, at + 1);
  return second < 128 && STARTS[startOf(codeAt(text, at), second)] === 1;
};

const isWordSign = (code: number): boolean => code === 45 || code === 95;
/** What belongs to base64 and is neither letter nor digit. */
const isBase64Sign = (code: number): boolean => code === 43 || code === 47 || code === 61;

/** Whether a run of letters and digits is worth more than one look; most are not, and so most of a text costs no more. */
function mayBeToken(text: string, at: number, end: number): boolean {
  if (end - at >= 8) return true;
  const next = codeAt(text, end);
  return isWordSign(next) || isBase64Sign(next) || beginsKnown(text, at);
}

export function shapedSecrets(text: string): Spans {
  return new Shapes(text).find();
}

class Shapes {
  readonly #text: string;
  readonly #spans = new Spans();
  /** End of the word that was measured last, so that each is measured once (X1). */
  #wordEnd = 0;
  /** Where the next `@` and the next end of a URL are, as far as they are known. */
  #nextAt = -1;
  #nextBreak = -1;
  /** Where the part of a text begins that an `@` may end: behind the last blank, quote, bracket, `=` or `@`. */
  #partStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  find(): Spans {
    const text = this.#text;
    for (let at = 0; at < text.length; ) {
      const code = codeAt(text, at);
      switch (code < 128 ? STOPS[code] : 0) {
        case RUN: {
          at = this.#run(at, alnumEnd(text, at + 1));
          break;
        }
        case COLON:
          at = this.#behindColon(at + 1);
          break;
        case DASH:
          at = text.startsWith("-----", at) ? this.#privateKey(at) : at + 1;
          break;
        case AT:
          at = this.#beforeAt(at);
          break;
        case TILDE:
          at = this.#azureSecret(at);
          break;
        case BREAK:
          this.#partStart = ++at;
          break;
        default:
          at++;
      }
    }
    return this.#spans;
  }

  #add(from: number, to: number): number {
    return this.#spans.add(from, to);
  }

  /** Letters and digits: tokens begin here, or behind an escape (`\n`, `\u003d`, `%3D`) that seems to belong to them. */
  #run(at: number, end: number): number {
    const text = this.#text;
    const before = codeAt(text, at - 1);
    if (before !== BACKSLASH && before !== 37) return mayBeToken(text, at, end) ? (this.#token(at, end) ?? end) : end;
    const escape = before === 37 ? 2 : text.charAt(at) === "u" ? 5 : 1;
    return this.#token(at, end) ?? (at + escape < end ? this.#token(at + escape, end) : undefined) ?? end;
  }

  /** @param alnum - end of the letters and digits that begin at `at`. */
  #token(at: number, alnum: number): number | undefined {
    if (beginsKnown(this.#text, at)) {
      if (this.#text.startsWith("eyJ", at)) return this.#webToken(at, alnum);
      const end = this.#vendorToken(at);
      if (end !== undefined) return end;
    }
    return this.#unnamed(at, alnum);
  }

  #vendorToken(at: number): number | undefined {
    const text = this.#text;
    const third = codeAt(text, at + 2);
    for (const vendor of BY_START[startOf(codeAt(text, at), codeAt(text, at + 1))] ?? []) {
      const { prefix, atLeast } = vendor;
      if ((prefix.length > 2 && prefix.charCodeAt(2) !== third) || !text.startsWith(prefix, at)) continue;
      const from = at + prefix.length;
      const to = tailEnd(text, from, vendor);
      if (to - from >= atLeast && !(vendor.exact === true && to - from > atLeast)) return this.#add(vendor.keep === true ? from : at, to);
    }
    return undefined;
  }

  #endOfWord(at: number, alnum: number): number {
    if (!isWordSign(codeAt(this.#text, alnum))) return alnum;
    if (at >= this.#wordEnd) this.#wordEnd = wordEnd(this.#text, alnum);
    return this.#wordEnd;
  }

  /** JSON web tokens, signed, unsigned or encrypted. */
  #webToken(at: number, alnum: number): number | undefined {
    const text = this.#text;
    let end = this.#endOfWord(at, alnum);
    if (end - at < 12 || text.charAt(end) !== "." || !isWord(codeAt(text, end + 1))) return undefined;
    for (let part = 1; part < 5 && text.charAt(end) === "."; part++) end = wordEnd(text, end + 1);
    return this.#add(at, end);
  }

  /** Those whose parts have known lengths and no prefix. */
  #unnamed(at: number, alnum: number): number | undefined {
    const word = this.#endOfWord(at, alnum);
    const length = word - at;
    if (length < 8 && word === alnum) return this.#awsSecret(at, alnum);
    const next = codeAt(this.#text, word);
    if (next === 58 || next === 46) {
      const end = next === 58 ? this.#bot(at, word) : this.#dotted(at, word);
      if (end !== undefined) return end;
    }
    if (length >= 36 && length <= 38 && /^[0-9a-f]{32}-us\d{1,2}$/.test(this.#text.slice(at, word))) return this.#add(at, word);
    return this.#awsSecret(at, alnum);
  }

  /** <8 to 10 digits>:<35 characters> */
  #bot(at: number, word: number): number | undefined {
    const text = this.#text;
    if (word - at > 13) return undefined;
    const digits = text.startsWith("bot", at) ? at + 3 : at;
    if (word - digits < 8 || word - digits > 10 || endOf(text, digits, isDigit, word) !== word) return undefined;
    const end = wordEnd(text, word + 1);
    return end - word >= 35 ? this.#add(digits, end) : undefined;
  }

  /** `MTIz….Gh4x….…` and others of two or three parts. */
  #dotted(at: number, word: number): number | undefined {
    const text = this.#text;
    const length = word - at;
    if (length <= 17) {
      if (text.startsWith(".atlasv1.", word)) return this.#add(at, wordEnd(text, word + 9));
      if (length === 17 && text.startsWith("pat", at) && endOf(text, word + 1, isHex, word + 65) === word + 65) return this.#add(at, word + 65);
    } else if (length <= 30) {
      const second = wordEnd(text, word + 1);
      if (second - word < 6 || second - word > 9 || text.charAt(second) !== ".") return undefined;
      const third = wordEnd(text, second + 1);
      return third - second > 24 ? this.#add(at, third) : undefined;
    } else if (length === 32 && endOf(text, at, isHex, word) === word) {
      const end = alnumEnd(text, word + 1);
      if (end - word === 17) return this.#add(at, end);
    }
    return undefined;
  }

  /** Forty characters of base64 with all that belongs to it, also a sign: longer and shorter runs are something else. */
  #awsSecret(at: number, alnum: number): number | undefined {
    const text = this.#text;
    if (!isBase64Sign(codeAt(text, alnum)) || !isBase64(codeAt(text, at + 39)) || isBase64(codeAt(text, at - 1))) return undefined;
    const end = base64End(text, alnum);
    if (end - at !== 40) return undefined;
    const run = text.slice(at, end);
    return /[+/]/.test(run) && /[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run) ? this.#add(at, end) : undefined;
  }

  /** `://`, also as JSON may write it: with backslashes before each slash. */
  #behindColon(at: number): number {
    const text = this.#text;
    let end = at;
    for (let slashes = 0; slashes < 2; slashes++) {
      const most = end + 15;
      while (end < most && codeAt(text, end) === BACKSLASH) end++;
      if (codeAt(text, end) !== 47) return at;
      end++;
    }
    return this.#userInfo(end);
  }

  /** `scheme://user:password@host`, also where the password has a slash in it. */
  #userInfo(at: number): number {
    const text = this.#text;
    let end = at;
    let last = -1;
    for (; end < text.length; end++) {
      const code = codeAt(text, end);
      if (code === 64) last = end;
      else if (endsAuthority(code)) break;
    }
    if (last < 0 && hasNoPort(text, at, Math.min(end, at + 300))) last = this.#atInSameUrl(end);
    this.#partStart = at;
    return last > at ? this.#add(at, last) : at;
  }

  #atInSameUrl(from: number): number {
    const text = this.#text;
    if (this.#nextAt < from) this.#nextAt = orEnd(text.indexOf("@", from), text);
    if (this.#nextBreak < from) this.#nextBreak = endOf(text, from, (code) => !isBlank(code) && !isQuote(code) && code !== BACKSLASH);
    return this.#nextAt < this.#nextBreak ? this.#nextAt : -1;
  }

  /** `user:password@tcp(host)`, `user:password@host:5432/db`: connection strings without a scheme. */
  #beforeAt(at: number): number {
    const text = this.#text;
    const from = this.#partStart;
    this.#partStart = at + 1;
    if (at - from > 300 || !isPair(text, from, at)) return at + 1;
    const part = text.slice(from, at);
    const place = text.slice(at + 1, at + 80);
    const isAccount = /^[\w.$-]{1,64}:[^\s:]/.test(part) && /^(?:[a-z]{2,6}\(|\/\/|localhost\b|[\w.-]{1,70}(?::\d|\/\w))/.test(place);
    const isOracle = /^(?:[\w:]*thin:)?[\w$]{1,64}\/[^/@]+$/.test(part) && (part.includes("thin:") || place.startsWith("//"));
    return isAccount || isOracle ? this.#add(from, at) : at + 1;
  }

  /** `abc8Q~…` */
  #azureSecret(at: number): number {
    const text = this.#text;
    if (text.charAt(at - 1) !== "Q" || !isDigit(codeAt(text, at - 2))) return at + 1;
    const end = endOf(text, at + 1, (code) => isWord(code) || code === 46 || code === 126);
    return end - at >= 25 ? this.#add(Math.max(0, at - 5), end) : at + 1;
  }

  /** From its first line to its last, or as far as it goes where it is cut off; also what is left of one that lost its first. */
  #privateKey(at: number): number {
    const text = this.#text;
    const head = /^-----(BEGIN|END) [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----/.exec(text.slice(at, at + 80));
    if (head === null) return endOf(text, at, (code) => code === 45);
    const [line, which] = head;
    if (which === "END") {
      const previous = this.#spans.length === 0 ? 0 : this.#spans.to(this.#spans.length - 1);
      let from = at;
      while (from > previous && isKeyBody(codeAt(text, from - 1))) from--;
      return this.#add(from, at + line.length);
    }
    let end = endOf(text, at + line.length, isKeyBody);
    while (codeAt(text, end) === 45 && !text.startsWith("-----", end)) end = endOf(text, end + 1, isKeyBody);
    const tail = /^-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----/.exec(text.slice(end, end + 80));
    return this.#add(at, tail === null ? end : end + tail[0].length);
  }
}

/** Lines of base64, their ends, also escaped, and the header lines of encrypted keys. */
const isKeyBody = (code: number): boolean => isBase64(code) || isBlank(code) || code === BACKSLASH || code === 58 || code === 44 || code === 46;

const orEnd = (index: number, text: string): number => (index < 0 ? text.length : index);

/** Whether there are two to tell: user and password, or schema and user. */
function isPair(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = codeAt(text, at);
    if (code === 58 || code === 47) return true;
  }
  return false;
}

/** What stands behind the first colon of `host:port` is digits. */
function hasNoPort(text: string, from: number, to: number): boolean {
  if (codeAt(text, from) === 91) return false;
  let at = from;
  while (at < to && codeAt(text, at) !== 58) at++;
  return at > from && at < to && endOf(text, at + 1, isDigit, to) < to;
}

function tailEnd(text: string, from: number, { chars, exact, atLeast }: Vendor): number {
  const limit = exact === true ? Math.min(text.length, from + atLeast + 1) : text.length;
  const end = chars === undefined && limit === text.length ? wordEnd(text, from) : endOf(text, from, TAILS[chars ?? "word"], limit);
  // A full stop ends the sentence.
  return text.charAt(end - 1) === "." ? end - 1 : end;
}

const TAILS = {
  word: isWord,
  hex: isHex,
  dots: (code: number): boolean => isWord(code) || code === 46,
  path: (code: number): boolean => isWord(code) || code === 46 || code === 47,
};
