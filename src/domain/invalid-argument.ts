import { type LashError, runtimeError } from "./errors.ts";

/**
 * A public call refused one of its arguments before anything became durable (design 10).
 *
 * @param field - the argument as the caller wrote it, such as `limits.jsonDepth`.
 * @param expected - completes "must be …".
 */
export const invalidArgument = (field: string, expected: string): LashError =>
  runtimeError("invalid_argument", `\`${field}\` must be ${expected}`, { details: { field } });
