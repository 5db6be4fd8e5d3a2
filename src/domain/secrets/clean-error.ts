// Errors as causes of others: what is printed with them is an error's text, its stack, its fields and its own cause.

import { isPlainObject } from "../json.ts";
import { redact } from "../redact.ts";
import { REDACTED, redactSecrets } from "./find.ts";

export type Clean = (text: string) => string;

/** Causes of causes that are looked at. */
const MAX_DEPTH = 8;
/** Of the fields of foreign errors: a client may put the whole request into one. */
const BOUNDS = { maxDepth: 12, maxValues: 2_000, maxTextLength: 8_000, maxTotalLength: 64_000 };

/**
 * @returns the cause itself where it holds no secret; else a copy of the same class without them. Reading a stranger's error may
 *   throw: then a plain error says so.
 */
export function cleanCause(cause: unknown, clean: Clean = redactSecrets, depth = 0): unknown {
  if (typeof cause === "string") return clean(cause);
  if (typeof cause !== "object" || cause === null) return cause;
  try {
    if (cause instanceof Error) return cleanError(cause, clean, depth);
    return isPlainObject(cause) || Array.isArray(cause) ? cleanValue(cause, clean) : cause;
  } catch {
    return new Error("an error that cannot be read");
  }
}

function cleanError(error: Error, clean: Clean, depth: number): Error {
  if (depth >= MAX_DEPTH) return new Error(clean(error.message));
  const fields = new Map<string, unknown>();
  let isChanged = false;
  for (const key of new Set(["message", "stack", "cause", ...Object.keys(error)])) {
    if (!Object.hasOwn(error, key)) continue;
    const value = (error as unknown as Readonly<Record<string, unknown>>)[key];
    const shown = typeof value === "object" && value !== null ? cleanCause(value, clean, depth + 1) : typeof value === "string" ? clean(value) : value;
    isChanged ||= shown !== value;
    fields.set(key, shown);
  }
  if (!isChanged) return error;
  const copy = new Error(error.message);
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object);
  for (const [key, value] of fields) Object.defineProperty(copy, key, { value, enumerable: Object.getOwnPropertyDescriptor(error, key)?.enumerable === true, configurable: true, writable: true });
  return copy;
}

function cleanValue(value: object, clean: Clean): unknown {
  const copy = redact(value, { ...BOUNDS, text: (text, maxLength) => clean(text).slice(0, maxLength) });
  return JSON.stringify(copy).includes(REDACTED) ? copy : value;
}
