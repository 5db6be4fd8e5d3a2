// The few assertions that framework-free conformance cases need.

import { LashError } from "../domain/errors.ts";

/** @throws Error with `what` - `condition` is false. */
export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Compares JSON, bytes and undefined by content; the order of object keys does not count. */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (!isSame(actual, expected)) throw new Error(`${what}: expected ${show(expected)}, got ${show(actual)}`);
}

/** @returns the error that `promise` rejects with. */
export async function rejection(promise: Promise<unknown>, what: string): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: expected a rejection`);
}

export async function rejectsWith(code: string, promise: Promise<unknown>, what: string): Promise<void> {
  const error = await rejection(promise, what);
  check(LashError.is(error) && error.code === code, `${what}: expected ${code}, got ${String(error)}`);
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && isSameBytes(a, b);
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  return left.size === right.size && [...left].every(([key, value]) => right.has(key) && isSame(value, right.get(key)));
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes [${value.slice(0, 40).join(", ")}]`;
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}
