// Values of an engine: JSON or bytes, the same ones on every engine (E5, OP-2).
//
// What JSON.stringify would change in silence (undefined, NaN, Date, Map, class instances) is refused with its place in the
// document, so that a value comes back from SQLite as it would from memory.

import { runtimeError } from "../domain/errors.ts";
import { isPlainObject } from "../domain/json.ts";
import type { Value } from "./engine.ts";

/** Bytes, or for JSON the characters of its texts plus a few per element, which its serialized form never falls below by much. */
export const MAX_VALUE_SIZE = 8 * 1024 * 1024;
export const MAX_VALUE_DEPTH = 500;

/**
 * @returns the size that counts against `MAX_VALUE_SIZE`.
 * @throws LashError `invalid_argument` - `value` is neither JSON nor a Uint8Array; the message says where.
 * @throws LashError `limit_exceeded` - too large, or nested too deep (which a cycle is).
 */
export function checkValue(value: Value): number {
  const size = value instanceof Uint8Array ? value.byteLength : measure(value, 0);
  if (Number.isNaN(size)) throw refusal(value);
  if (size > MAX_VALUE_SIZE) {
    throw runtimeError("limit_exceeded", `a value has at most ${MAX_VALUE_SIZE} bytes, this one has about ${size}; split it`);
  }
  return size;
}

/** `checkValue`, and JSON is frozen in place all the way down. Bytes cannot be frozen; whoever keeps them copies. */
export function sealValue(value: Value): number {
  const size = checkValue(value);
  // A second walk, so that a refused value is left as it came.
  if (!(value instanceof Uint8Array)) freezeJson(value);
  return size;
}

/** Freezes a JSON document in place. Parsed and structured-cloned documents need no check first. */
export function freezeJson(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object") freezeJson(item);
  } else {
    for (const key in value) {
      const item = (value as Record<string, unknown>)[key];
      if (typeof item === "object") freezeJson(item);
    }
  }
  Object.freeze(value);
}

/** Size of one JSON value, or NaN when something in it is no JSON. */
function measure(value: unknown, depth: number): number {
  switch (typeof value) {
    case "string":
      return value.length + 2;
    case "number":
      return Number.isFinite(value) ? 8 : Number.NaN;
    case "boolean":
      return 5;
    case "object":
      return value === null ? 4 : measureContainer(value, depth + 1);
    default:
      return Number.NaN;
  }
}

function measureContainer(value: object, depth: number): number {
  if (depth > MAX_VALUE_DEPTH) return Number.NaN;
  let size = 2;
  if (Array.isArray(value)) {
    // By index: a hole is an undefined.
    for (let i = 0; i < value.length; i++) size += measure(value[i], depth) + 1;
    return size;
  }
  if (!isPlainObject(value)) return Number.NaN;
  for (const key of Object.keys(value)) size += key.length + 4 + measure(value[key], depth);
  return size;
}

/** Finds what `measure` met, to say where it is; only failures pay for paths. */
function refusal(value: unknown): Error {
  const path: string[] = [];
  let at: unknown = value;
  while (isContainer(at)) {
    if (path.length === MAX_VALUE_DEPTH) {
      return runtimeError("limit_exceeded", `a value is nested at most ${MAX_VALUE_DEPTH} levels deep; this one is deeper or holds itself`);
    }
    const container = at;
    const depth = path.length + 1;
    const keys = Array.isArray(at) ? Array.from(at, (_, i) => String(i)) : Object.keys(container);
    const next = keys.find((key) => Number.isNaN(measure(container[key], depth)));
    if (next === undefined) break;
    path.push(next);
    at = container[next];
  }
  const where = path.length === 0 ? "the value" : `the value at .${path.slice(0, 20).join(".")}`;
  return runtimeError("invalid_argument", `${where} is ${kindOf(at)}; a stored value is JSON or a Uint8Array`);
}

const isContainer = (value: unknown): value is Readonly<Record<string, unknown>> => Array.isArray(value) || isPlainObject(value);

function kindOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return typeof value === "undefined" ? "undefined" : `a ${typeof value}`;
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" ? `a ${name}` : "an object with a class";
}
