// Tokens, and how messages name them (`LL-7`, `LL-21`).

export type Punctuation =
  | "{" | "}" | "(" | ")" | "[" | "]"
  | "," | ":" | "@" | "?" | "." | "!" | "=" | "==" | "!=" | "&&" | "||" | "|"
  | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "%";

export type Token = { readonly start: number; readonly end: number } & (
  | { readonly kind: "punctuation"; readonly text: Punctuation }
  | { readonly kind: "reserved"; readonly text: ReservedWord }
  | { readonly kind: "identifier"; readonly text: string }
  | { readonly kind: "number"; readonly text: string; readonly value: number }
  /** `text` is the value, escapes resolved. */
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "end"; readonly text: "" }
);

const RESERVED = [
  "if", "else", "for", "in", "await", "cancel", "submit", "print", "call",
  "and", "or", "not", "true", "false", "null",
] as const; // LL-6

export type ReservedWord = (typeof RESERVED)[number];

/** Identifiers that mean something in some places. */
export type ContextualWord = "label" | "process" | "signals" | "type" | "until";

const reservedWords: ReadonlySet<string> = new Set(RESERVED);

export function isReserved(word: string): word is ReservedWord {
  return reservedWords.has(word);
}

export function describeToken(token: Token): string {
  switch (token.kind) {
    case "identifier":
      return `identifier \`${token.text}\``;
    case "string":
      return `string ${JSON.stringify(shorten(token.text))}`;
    case "number":
      return `number ${token.text}`;
    case "end":
      return "end of input";
    default:
      return `\`${token.text}\``;
  }
}

/** Messages go to models: a page of text in quotes would hide what is wrong. */
function shorten(text: string): string {
  const characters = Array.from(text);
  return characters.length <= 60 ? text : `${characters.slice(0, 60).join("")}…`;
}

/** Whether it is one of these marks and words; a string that spells one is not. */
export function isOneOf(token: Token | undefined, texts: readonly string[]): boolean {
  return token !== undefined && token.kind !== "string" && texts.includes(token.text);
}

/** Tokens that are an operand, or the beginning or end of one. */
export function isNamedOrLiteral({ kind }: Token): boolean {
  return kind === "identifier" || kind === "number" || kind === "string";
}

const OPERAND_STARTS = ["(", "[", "{", "-", "!", "null", "true", "false", "await", "not"];

/** Whether an expression may begin with this token. */
export function startsExpression(token: Token): boolean {
  return isNamedOrLiteral(token) || isOneOf(token, OPERAND_STARTS);
}
