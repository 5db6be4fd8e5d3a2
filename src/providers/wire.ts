// What a receiver takes, as data: an adapter declares it by provider, a host may override it.

import { isMediaList } from "../domain/media-type.ts";

/** What a name may look like. */
export interface NameRule {
  /** Every character that may stand in one. */
  readonly characters: string;
  /** Every character that may begin one. Default: all of `characters`. */
  readonly first?: string;
  readonly maxLength: number;
}

/** What the id of a tool call may look like. The digits and the letters `a` to `f` are among the characters of every provider. */
export interface IdRule {
  readonly characters: string;
  /** Default 1. */
  readonly minLength?: number;
  readonly maxLength: number;
}

/**
 * What a provider takes. Each request is brought into this form just before it is sent; what is stored stays as it is.
 * The defaults are safe for a provider that nobody knows.
 */
export interface Wire {
  /** `drop`: text of nothing but white space is refused, so it is not sent. Default `drop`. */
  readonly blankText: "drop" | "keep";
  /** `note`: a tool result has to say something, so one that says nothing says that. Default `note`. */
  readonly blankResult: "note" | "keep";
  /** `user`: the first message after the system prompt has to be the user's. Default `user`. */
  readonly firstMessage: "user" | "any";
  /** `strict`: user and assistant take turns, so neighbours of one role are sent as one message. Default `any`. */
  readonly alternation: "strict" | "any";
  /** `withTools`: calls and results are refused where the request has no tools, so they are sent as text there. Default `withTools`. */
  readonly toolBlocks: "withTools" | "always";
  /** Default: letters, digits, `_` and `-`, at most 64. Other names are mapped, both ways. */
  readonly toolName: NameRule;
  /** Default: letters, digits, `_` and `-`, at most 40. */
  readonly callId: IdRule;
  /** Media types of images and files that models take; `*` stands for any main or sub type. Default: all. */
  readonly media: readonly string[];
  /**
   * Which reasoning of its own a model is sent again. `signed`: what came with metadata. `sinceLastUser`: also the text of other
   * reasoning, as long as no newer message of the user stands behind it. `always`: all of it. Default `signed`.
   */
  readonly replayReasoning: "signed" | "sinceLastUser" | "always";
  /** `drop`: reasoning is refused where nothing of its message stands behind it, so it is not sent then. Default `drop`. */
  readonly loneReasoning: "drop" | "keep";
  /**
   * How the schema of an answer gets there. `native`: with the request, as its client says it. `told`: also in words, behind the system
   * prompt, because the client or the server does not pass it on. Default `native`.
   */
  readonly outputSchema: "native" | "told";
}

export const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
export const ALPHANUMERIC = `${LETTERS}0123456789`;
export const WORD_CHARACTERS = `${ALPHANUMERIC}_-`;

export const defaultWire: Wire = Object.freeze({
  blankText: "drop",
  blankResult: "note",
  firstMessage: "user",
  alternation: "any",
  toolBlocks: "withTools",
  toolName: Object.freeze({ characters: WORD_CHARACTERS, maxLength: 64 }),
  callId: Object.freeze({ characters: WORD_CHARACTERS, maxLength: 40 }),
  media: Object.freeze(["*/*"]),
  replayReasoning: "signed",
  loneReasoning: "drop",
  outputSchema: "native",
});

const filled = new WeakMap<object, Wire>();

/**
 * A whole wire from the parts that are given.
 *
 * @throws TypeError naming the field and what it accepts; unknown fields are refused, too.
 */
export function wireOf(given: Partial<Wire> | undefined): Wire {
  if (given === undefined) return defaultWire;
  const known = filled.get(given);
  if (known !== undefined) return known;
  const problem = wireProblem(given);
  if (problem !== null) throw new TypeError(`${problem.field} must be ${problem.expected}`);
  const wire = { ...defaultWire, ...withoutUndefined(given) };
  filled.set(given, wire);
  return wire;
}

type Check = readonly [accepts: (value: unknown) => boolean, expected: string];

const oneOf = (...words: readonly string[]): Check => [(value) => words.includes(value as string), words.map((word) => `"${word}"`).join(" or ")];
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;
const isFields = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);
const HASH_DIGITS = "0123456789abcdef";
/** A name that is too long keeps room for a number, and for what tells it apart. */
const LEAST_NAME = 8;
/** As many digits as an id is ever made of. */
const LEAST_HASH = 32;

const FIELDS: Readonly<Record<keyof Wire, Check>> = {
  blankText: oneOf("drop", "keep"),
  blankResult: oneOf("note", "keep"),
  firstMessage: oneOf("user", "any"),
  alternation: oneOf("strict", "any"),
  toolBlocks: oneOf("withTools", "always"),
  toolName: [isNameRule, `{ characters, first?, maxLength }, with \`maxLength\` of at least ${LEAST_NAME}`],
  callId: [isIdRule, `{ characters, minLength?, maxLength }, with "${HASH_DIGITS}" among the characters and \`maxLength\` of at least ${LEAST_NAME}`],
  media: [isMediaList, 'a list of media types, such as "image/png" or "image/*"'],
  replayReasoning: oneOf("signed", "sinceLastUser", "always"),
  loneReasoning: oneOf("drop", "keep"),
  outputSchema: oneOf("native", "told"),
};

function isNameRule(value: unknown): boolean {
  if (!isFields(value) || !hasOnly(value, ["characters", "first", "maxLength"])) return false;
  const { characters, first = characters, maxLength } = value;
  return isText(characters) && isText(first) && [...first].every((char) => characters.includes(char)) && isCount(maxLength) && maxLength >= LEAST_NAME;
}

function isIdRule(value: unknown): boolean {
  if (!isFields(value) || !hasOnly(value, ["characters", "minLength", "maxLength"])) return false;
  const { characters, minLength = 1, maxLength } = value;
  if (!isText(characters) || !isCount(minLength) || !isCount(maxLength)) return false;
  return [...HASH_DIGITS].every((digit) => characters.includes(digit)) && maxLength >= LEAST_NAME && minLength <= Math.min(maxLength, LEAST_HASH);
}

const hasOnly = (value: object, fields: readonly string[]): boolean => Object.keys(value).every((field) => fields.includes(field));

/** What is wrong with wire data that a host wrote, or null. `expected` completes "must be …". */
export function wireProblem(given: unknown): { readonly field: string; readonly expected: string } | null {
  if (given === undefined) return null;
  if (!isFields(given)) return { field: "wire", expected: "an object" };
  for (const [field, value] of Object.entries(given)) {
    const rule = Object.hasOwn(FIELDS, field) ? FIELDS[field as keyof Wire] : undefined;
    if (rule === undefined) return { field: `wire.${field}`, expected: `left out: it is no option; known are ${Object.keys(FIELDS).join(", ")}` };
    if (value !== undefined && !rule[0](value)) return { field: `wire.${field}`, expected: rule[1] };
  }
  return null;
}

const withoutUndefined = (given: Partial<Wire>): Partial<Wire> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
