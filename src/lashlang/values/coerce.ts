// Coercions to text and number (`LL-28`). Callers strip projections first.
import { typeError } from "./errors.ts";
import { numberText } from "./number-text.ts";
import { type Value, typeName } from "./value.ts";

/** Text coercion: text, null, bools and numbers; TypeError for the rest. */
export function toText(value: Value): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
      return numberText(value);
    case "boolean":
      return value ? "true" : "false";
    default:
      if (value === null) return "null";
      throw typeError(`expected text, got ${typeName(value)}`);
  }
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const WORDS: ReadonlyMap<string, number> = new Map([
  ["inf", Infinity],
  ["infinity", Infinity],
  ["nan", Number.NaN],
]);
/** No sensible number is longer; the bound keeps the pattern's work small. */
const MAX_NUMBER_UNITS = 4096;

/** Numeric coercion. `Number(text)` is not used on its own: it would read `0x10`. */
export function toNumber(value: Value): number {
  switch (typeof value) {
    case "number":
      return value;
    case "boolean":
      return value ? 1 : 0;
    case "string":
      return parseNumber(value);
    default:
      if (value === null) return 0;
      throw typeError(`expected a number, got ${typeName(value)}`);
  }
}

function parseNumber(raw: string): number {
  const text = raw.trim();
  if (text === "") return 0;
  if (text.length <= MAX_NUMBER_UNITS) {
    if (DECIMAL.test(text)) return Number(text);
    const sign = text.startsWith("-") ? -1 : 1;
    const word = WORDS.get((text.startsWith("-") || text.startsWith("+") ? text.slice(1) : text).toLowerCase());
    if (word !== undefined) return sign * word;
  }
  throw typeError("expected a number");
}

/** @throws ProgramError TypeError saying `requirement`, for anything but a whole number. */
export function toInteger(value: Value, requirement: string): number {
  if (typeof value !== "number") throw typeError(`${requirement}, got ${typeName(value)}`);
  if (!Number.isInteger(value)) throw typeError(requirement);
  return value;
}
