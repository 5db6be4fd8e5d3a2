// Copies of JSON as it would come back from a journal, without writing its text: strings are shared, nothing else is.

import { isJsonPrimitive, isPlainObject, type Json } from "./json.ts";

/** Deeper values go through their text, which ends on a cycle. */
const MAX_DEPTH = 100;

/**
 * What `JSON.parse(JSON.stringify(value))` gives: members that are `undefined` are dropped, what has a `toJSON` or a class
 * becomes what its text says.
 *
 * @throws TypeError - a cycle or a bigint.
 */
export function copyJson(value: unknown): Json {
  return copy(value, 0) ?? (JSON.parse(JSON.stringify(value)) as Json);
}

/** @returns undefined where only the text tells. */
function copy(value: unknown, depth: number): Json | undefined {
  if (isJsonPrimitive(value)) return Object.is(value, -0) ? 0 : value;
  if (typeof value !== "object" || depth === MAX_DEPTH) return undefined;
  if (Array.isArray(value)) {
    const items: Json[] = [];
    for (let index = 0; index < value.length; index++) {
      const item = copy(value[index], depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }
  if (!isPlainObject(value) || "toJSON" in value) return undefined;
  const members: Record<string, Json> = {};
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined) continue;
    // Assigned, it would become the copy's prototype.
    const copied = key === "__proto__" ? undefined : copy(member, depth + 1);
    if (copied === undefined) return undefined;
    members[key] = copied;
  }
  return members;
}
