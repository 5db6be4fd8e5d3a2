// JSON values: their types, the test for being one, canonical text, equality, freezing.

/** `null`, booleans, finite numbers, strings, and arrays and plain objects of them. */
export type Json = JsonPrimitive | JsonArray | JsonObject;
export type JsonPrimitive = null | boolean | number | string;
export type JsonArray = readonly Json[];
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Deeper values are no JSON to us: recursion below stays far from any engine's stack, and a cycle ends. */
const MAX_DEPTH = 1_000;

/** @returns whether `value` is an object literal, a parsed object or a null-prototype object: nothing with a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Not only compared with this realm's Object.prototype: values may come from a frame or a vm context.
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @returns whether `value` is a JSON value that holds no others. */
export const isJsonPrimitive = (value: unknown): value is JsonPrimitive =>
  value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);

/** @returns whether `value` is JSON, at most 1,000 levels deep. Unbounded in size: hostile values go through limits.ts. */
export const isJson = (value: unknown): value is Json => isJsonAt(value, 0);

function isJsonAt(value: unknown, depth: number): boolean {
  if (isJsonPrimitive(value)) return true;
  if (depth === MAX_DEPTH) return false;
  if (Array.isArray(value)) {
    // Not `every`, which skips holes.
    for (let i = 0; i < value.length; i++) if (!isJsonAt(value[i], depth + 1)) return false;
    return true;
  }
  return isPlainObject(value) && Object.values(value).every((member) => isJsonAt(member, depth + 1));
}

/** Says which members of an object are left out of its text. */
export type Omits = (key: string, object: object) => boolean;

const omitsNothing: Omits = () => false;

/**
 * The one text of a value: keys in UTF-16 code unit order, no spaces, numbers and strings as `JSON.stringify`
 * writes them. Equal values give equal text, before and after a round trip.
 *
 * @param value - JSON; members that are `undefined` are left out, as `JSON.stringify` does.
 * @param omits - what else is left out, at any depth; default nothing.
 * @throws TypeError - a function, symbol, bigint, class instance, NaN or infinity, or more than 1,000 levels: mistakes
 * of the caller, since input is checked where it enters.
 */
export const canonicalJson = (value: unknown, omits = omitsNothing): string => write(value, 0, omits, sortedKeys);

/** The text of a value with its keys in the order in which they are; for the rest, and for what is thrown, as `canonicalJson`. */
export const orderedJson = (value: unknown): string => write(value, 0, omitsNothing, Object.keys);

type KeysOf = (object: object) => readonly string[];

function write(value: unknown, depth: number, omits: Omits, keysOf: KeysOf): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "object") {
    if (value === null) return "null";
    if (depth === MAX_DEPTH) throw new TypeError(`no JSON: deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) return writeArray(value, depth + 1, omits, keysOf);
    if (isPlainObject(value)) return writeObject(value, depth + 1, omits, keysOf);
  } else if (isJsonPrimitive(value)) return String(value);
  throw new TypeError(`no JSON: ${typeof value}`);
}

function writeArray(array: readonly unknown[], depth: number, omits: Omits, keysOf: KeysOf): string {
  let text = "";
  for (let i = 0; i < array.length; i++) text += (i === 0 ? "" : ",") + write(array[i], depth, omits, keysOf);
  return `[${text}]`;
}

function writeObject(object: Readonly<Record<string, unknown>>, depth: number, omits: Omits, keysOf: KeysOf): string {
  let text = "";
  for (const key of keysOf(object)) {
    const member = object[key];
    if (member !== undefined && !omits(key, object)) text += (text === "" ? "" : ",") + quote(key) + ":" + write(member, depth, omits, keysOf);
  }
  return `{${text}}`;
}

/** Most objects have few keys: sorting them here takes a fifth off the whole of `canonicalJson`. */
function sortedKeys(object: object): readonly string[] {
  const keys = Object.keys(object);
  if (keys.length > 16) return keys.sort();
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] ?? "";
    let at = i;
    for (; at > 0 && (keys[at - 1] ?? "") > key; at--) keys[at] = keys[at - 1] ?? "";
    keys[at] = key;
  }
  return keys;
}

/** Whatever JSON has to escape; lone surrogates are caught with the paired ones. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;
const quote = (text: string): string => (text.length > 64 || ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`);

/**
 * Structural equality of JSON: key order does not matter, a member that is `undefined` is one that is absent.
 * Recurses: for values of ours, or such that passed limits.
 */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => jsonEqual(item, b[i]));
  }
  const [left, right] = [definedMembers(a), definedMembers(b)];
  if (left.size !== right.size) return false;
  for (const [key, member] of left) if (!right.has(key) || !jsonEqual(member, right.get(key))) return false;
  return true;
}

const definedMembers = (object: object): ReadonlyMap<string, unknown> =>
  new Map(Object.entries(object).filter(([, member]) => member !== undefined));

/** Freezes a value and all it holds, so that it can be shared; stops at what is frozen already and at bytes. */
export function deepFreeze<Value>(value: Value): Value {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    // Engines refuse to freeze views on bytes.
    if (typeof next !== "object" || next === null || Object.isFrozen(next) || ArrayBuffer.isView(next)) continue;
    for (const member of Object.values(Object.freeze(next))) open.push(member);
  }
  return value;
}
