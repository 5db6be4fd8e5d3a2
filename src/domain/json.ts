// JSON values: their types, and the one test that says whether a value is one.

/** `null`, booleans, finite numbers, strings, and arrays and plain objects of them. */
export type Json = JsonPrimitive | JsonArray | JsonObject;
export type JsonPrimitive = null | boolean | number | string;
export type JsonArray = readonly Json[];
export interface JsonObject {
  readonly [key: string]: Json;
}

/** @returns whether `value` is an object literal, a parsed object or a null-prototype object: nothing with a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Not compared with this realm's Object.prototype: values may come from a frame or a vm context.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
