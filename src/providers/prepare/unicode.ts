// Text that is half a character cannot be sent: JSON readers refuse it. What stands for it is U+FFFD.

import type { JsonSchema } from "../contract.ts";

/** The text itself where it is well-formed. */
export const wellFormed = (text: string): string => (text.isWellFormed() ? text : text.toWellFormed());

const MAYBE_LONE = /\\u[dD][89a-fA-F]/;
/** Pairs and other escapes are read over, so that what is left is alone. */
const ESCAPES = /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\[^]/g;

/** JSON text whose strings are well-formed when they are read, too. The text itself where they are. */
export function wellFormedJsonText(json: string): string {
  const text = wellFormed(json);
  if (!MAYBE_LONE.test(text)) return text;
  return text.replace(ESCAPES, (escape) => (escape.length === 6 ? "\\ufffd" : escape));
}

/** Text of a tool: where it is JSON, its strings count as text as well. */
export const wellFormedContent = (content: string): string => (/^\s*[[{"]/.test(content) ? wellFormedJsonText(content) : wellFormed(content));

/** Schemas are sent with every call, and live as long as their tools. */
const schemas = new WeakMap<JsonSchema, JsonSchema>();

/** A schema whose texts are well-formed; the object itself where they are. */
export function wellFormedSchema(schema: JsonSchema): JsonSchema {
  const known = schemas.get(schema);
  if (known !== undefined) return known;
  const mended = wellFormedValue(schema) as JsonSchema;
  schemas.set(schema, mended);
  return mended;
}

function wellFormedValue(value: unknown): unknown {
  if (typeof value === "string") return wellFormed(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(wellFormedValue);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const entries = Object.entries(value);
  const mended = entries.map(([key, item]): [string, unknown] => [wellFormed(key), wellFormedValue(item)]);
  return mended.every(([key, item], index) => key === entries[index]?.[0] && item === entries[index]?.[1]) ? value : Object.fromEntries(mended);
}
