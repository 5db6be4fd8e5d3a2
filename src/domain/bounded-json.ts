// JSON from outside: checked or parsed under limits (OP-17, design 10).
//   B1. Nothing here recurses, so no depth of input can end the stack.
//   B2. Text is measured before it is parsed, so a bomb costs a scan and never its tree.
//   B3. What passes has no own key named `__proto__`, `constructor` or `prototype`, whatever merges it later.
import { type LashError, runtimeError } from "./errors.ts";
import { isJsonPrimitive, isPlainObject, type Json } from "./json.ts";
import { assertTextWithin, DEFAULT_LIMITS, limitExceeded, type Limits, type SizeLimit } from "./limits.ts";
import { jsonStringLength } from "./utf8.ts";

export interface JsonBounds {
  /** What is checked, in the words of the caller; errors repeat it. */
  readonly field: string;
  /** The size limit that holds for it. */
  readonly limit: SizeLimit;
  /** Default `DEFAULT_LIMITS`. */
  readonly limits?: Limits;
  /** What parsing does with prototype keys: `refuse` the document, or `drop` them with their values. Default `refuse`. */
  readonly prototypeKeys?: "refuse" | "drop";
}

const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Text that can yield such a key: spelled out, or hidden behind an escape. */
const MAY_HOLD_PROTOTYPE_KEY = /__proto__|constructor|prototype|\\u/;

/** A container on the way down: its members, and how many of them were taken. */
interface Level {
  readonly container: object;
  readonly keys: readonly string[] | null;
  readonly length: number;
  taken: number;
}

/**
 * Checks a value that a caller handed over, and measures it as the text it will become.
 *
 * @returns UTF-8 bytes of its JSON text; members that are `undefined` count as absent.
 * @throws LashError `json_invalid` - a function, bigint, class instance, NaN, hole or prototype key; details name field and path.
 * @throws LashError `limit_exceeded` - too large, too deep (a cycle is endlessly deep) or too many values.
 */
export function assertJson(value: unknown, { field, limit, limits = DEFAULT_LIMITS }: JsonBounds): number {
  const maxBytes = limits[limit];
  const levels: Level[] = [];
  let [bytes, values] = [0, 0];
  let next = value;
  for (;;) {
    values += 1;
    if (values > limits.jsonValues) throw limitExceeded(field, "jsonValues", limits.jsonValues);
    if (isJsonPrimitive(next)) {
      // A string cannot be shorter as text, so a huge one is refused unread.
      if (typeof next === "string" && next.length > maxBytes) throw limitExceeded(field, limit, maxBytes);
      bytes += typeof next === "string" ? jsonStringLength(next) : String(next).length;
    } else {
      if (levels.length === limits.jsonDepth) throw limitExceeded(field, "jsonDepth", limits.jsonDepth);
      const level = open(next);
      if (level === null) throw invalidJson(field, levels, `${typeof next === "object" ? "an object of a class" : typeof next} is no JSON`);
      bytes += 2 + Math.max(0, level.length - 1);
      levels.push(level);
    }
    if (bytes > maxBytes) throw limitExceeded(field, limit, maxBytes);

    let level = levels.at(-1);
    while (level !== undefined && level.taken === level.length) {
      levels.pop();
      level = levels.at(-1);
    }
    if (level === undefined) return bytes;
    const at = level.taken++;
    const key = level.keys?.[at];
    if (key !== undefined) {
      if (PROTOTYPE_KEYS.has(key)) throw invalidJson(field, levels, "a prototype key");
      bytes += jsonStringLength(key) + 1;
    }
    next = (level.container as Record<string, unknown>)[key ?? at];
  }
}

function open(container: unknown): Level | null {
  if (Array.isArray(container)) return { container, keys: null, length: container.length, taken: 0 };
  if (!isPlainObject(container)) return null;
  const keys = Object.keys(container).filter((key) => container[key] !== undefined);
  return { container, keys, length: keys.length, taken: 0 };
}

/** `$.items[2].text`: where the walk stands. Keys are cut, since they may be as long as the document. */
const pathOf = (levels: readonly Level[]): string =>
  `$${levels.map(({ keys, taken }) => (keys === null ? `[${taken - 1}]` : `.${(keys[taken - 1] ?? "").slice(0, 40)}`)).join("")}`;

const invalidJson = (field: string, levels: readonly Level[], fault: string): LashError => {
  const path = pathOf(levels);
  return runtimeError("json_invalid", `\`${field}\` is not acceptable JSON at ${path}: ${fault}`, { details: { field, path } });
};

/**
 * Parses JSON text from a model, a tool, a row or a remote.
 *
 * @throws LashError `json_invalid` - no JSON, or a prototype key while these are refused.
 * @throws LashError `limit_exceeded` - too large, too deep or too many values; found before the text is parsed.
 */
export function parseHostileJson(text: string, bounds: JsonBounds): Json {
  const { field, limit, limits = DEFAULT_LIMITS, prototypeKeys = "refuse" } = bounds;
  assertTextWithin(text, field, limit, limits);
  assertNesting(text, field, limits);
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    // The parser's own message quotes the input, which may hold secrets: it stays in `cause`.
    throw runtimeError("json_invalid", `\`${field}\` is no JSON text`, { details: { field }, cause });
  }
  if (MAY_HOLD_PROTOTYPE_KEY.test(text)) clearPrototypeKeys(value, field, prototypeKeys);
  return value;
}

/** B2: counts brackets, separators and first members outside strings: exact for JSON, harmless for anything else. */
function assertNesting(text: string, field: string, limits: Limits): void {
  let [depth, values, opened] = [0, 1, false];
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit <= SPACE) continue;
    const closes = unit === CLOSE_ARRAY || unit === CLOSE_OBJECT;
    if (unit === COMMA || (opened && !closes)) values += 1;
    opened = unit === OPEN_ARRAY || unit === OPEN_OBJECT;
    if (opened) depth += 1;
    else if (closes) depth -= 1;
    else if (unit === QUOTE) index = endOfString(text, index);
    if (depth > limits.jsonDepth) throw limitExceeded(field, "jsonDepth", limits.jsonDepth);
    if (values > limits.jsonValues) throw limitExceeded(field, "jsonValues", limits.jsonValues);
  }
}

const [SPACE, QUOTE, COMMA, BACKSLASH] = [0x20, 0x22, 0x2c, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** @returns the index of the quote that ends the string starting at `start`, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === QUOTE) return index;
    if (unit === BACKSLASH) index += 1; // skips what it escapes
  }
  return text.length;
}

/** B3 on a tree that nobody else holds yet. */
function clearPrototypeKeys(root: Json, field: string, policy: "refuse" | "drop"): void {
  const open: unknown[] = [root];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== "object" || next === null) continue;
    const isObject = !Array.isArray(next);
    for (const [key, member] of Object.entries(next)) {
      if (!isObject || !PROTOTYPE_KEYS.has(key)) open.push(member);
      else if (policy === "drop") Reflect.deleteProperty(next, key);
      else throw runtimeError("json_invalid", `\`${field}\` holds the key ${key}`, { details: { field, key } });
    }
  }
}
