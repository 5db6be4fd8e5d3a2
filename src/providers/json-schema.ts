import { z } from "zod";
import type { JsonSchema } from "./contract.ts";

const known = new WeakMap<JsonSchema, z.ZodType>();

/**
 * Checks a value against a JSON Schema. Schemas are compiled once per object.
 *
 * @returns what is wrong and where, or null. A schema that cannot be read is an answer too: it fits nothing.
 */
export function jsonSchemaProblem(schema: JsonSchema, value: unknown): string | null {
  let type: z.ZodType;
  try {
    type = known.get(schema) ?? z.fromJSONSchema(schema);
  } catch (error) {
    return `the schema cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
  known.set(schema, type);
  const result = type.safeParse(value);
  if (result.success) return null;
  return result.error.issues.map((issue) => `${issue.path.join(".") || "value"}: ${issue.message}`).join("; ");
}
