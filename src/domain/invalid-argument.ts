import { type LashError, runtimeError } from "./errors.ts";

/**
 * A public call refused one of its arguments before anything became durable (design 10).
 *
 * @param field - the argument as the caller wrote it, such as `limits.jsonDepth`.
 * @param expected - completes "must be …".
 */
export const invalidArgument = (field: string, expected: string): LashError =>
  runtimeError("invalid_argument", `\`${field}\` must be ${expected}`, { details: { field } });

/** @throws LashError `invalid_argument` - `options` is no object, or has a key that is not among `known`. */
export function refuseUnknown(options: unknown, known: readonly string[], where: string): void {
  if (typeof options !== "object" || options === null) throw invalidArgument(where, "an object");
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw invalidArgument(`${where}: ${key}`, `left out, as there is no such option; known are ${known.join(", ")}`);
  }
}
