import { Validator, type Schema } from "@cfworker/json-schema";
import type { JsonSchema } from "./contract.ts";

const DRAFT = "2020-12";
const MOST_PROBLEMS = 5;
const known = new WeakMap<JsonSchema, Validator>();

/**
 * Checks a value against a JSON Schema, draft 2020-12. Schemas are prepared once per object; nothing is compiled to code, so
 * it works under a strict Content-Security-Policy.
 *
 * @returns what is wrong and where, or null. A schema that cannot be read is an answer too: it fits nothing.
 */
export function jsonSchemaProblem(schema: JsonSchema, value: unknown): string | null {
  try {
    const validator = known.get(schema) ?? new Validator(schema as Schema, DRAFT, false);
    known.set(schema, validator);
    const { valid, errors } = validator.validate(value);
    if (valid) return null;
    // The first ones say which keyword of the parent failed; the reasons are in the last.
    return errors.slice(-MOST_PROBLEMS).map(({ instanceLocation, error }) => `${instanceLocation.replace(/^#\/?/, "") || "value"}: ${error}`).join("; ");
  } catch (error) {
    return `the schema cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}
