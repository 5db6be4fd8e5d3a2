// The JSON Schema that models are shown of a tool's arguments, and who can make it: whoever wrote it down, a converter that the host
// gives, the schema itself, or zod for the schemas of zod 4 that cannot, such as those of zod/mini.

import { toJSONSchema } from "zod/v4/core";
import { errorText } from "../domain/error-mapping.ts";
import { wiringError, type LashError } from "../domain/errors.ts";
import { invalidArgument } from "../domain/invalid-argument.ts";
import { isJson, isPlainObject } from "../domain/json.ts";
import type { JsonSchema } from "../providers/contract.ts";
import type { StandardSchema, ToJsonSchema } from "./contract.ts";

export interface DescribedInput {
  readonly name: string;
  readonly input?: StandardSchema | undefined;
  readonly inputSchema?: JsonSchema | undefined;
  readonly toJsonSchema?: ToJsonSchema | undefined;
}

/**
 * @returns undefined where only a converter that the lash has could tell.
 * @throws LashError `tool_schema_missing`, `invalid_argument` - it cannot be told, or is no schema of an object.
 */
export function inputSchemaOf({ name, input, inputSchema, toJsonSchema }: DescribedInput): JsonSchema | undefined {
  if (inputSchema) return objectSchema(inputSchema, `tool.inputSchema (of "${name}")`);
  if (!input) return undefined;
  if (toJsonSchema) return convertedBy(toJsonSchema, name, input);
  const own = input["~standard"].jsonSchema;
  if (own) return converted(name, input, () => own.input({ target: "draft-2020-12" }));
  if ("_zod" in input) return converted(name, input, () => toJSONSchema(input as unknown as Parameters<typeof toJSONSchema>[0], { target: "draft-2020-12", io: "input" }));
  // Zod before version 4: no way to its JSON Schema is left to be found later.
  if (input["~standard"].vendor === "zod") throw schemaMissing(name, input);
  return undefined;
}

/** @throws as `inputSchemaOf`. */
export const convertedBy = (convert: ToJsonSchema, name: string, input: StandardSchema): JsonSchema => converted(name, input, () => convert(input));

/** @throws LashError `tool_schema_missing` - also with what a converter says, `invalid_argument`. */
function converted(name: string, input: StandardSchema, convert: () => unknown): JsonSchema {
  let made: unknown;
  try {
    made = convert();
  } catch (error) {
    throw schemaMissing(name, input, error);
  }
  if (!isPlainObject(made)) throw schemaMissing(name, input, new TypeError("what the converter gave is no JSON Schema"));
  const { $schema: _dialect, "~standard": _own, ...rest } = made;
  if (!isJson(rest)) throw schemaMissing(name, input, new TypeError("what the converter gave is no JSON"));
  const schema = objectSchema(rest, `tool.input (of "${name}")`);
  // A union of objects, for example, says it of each member only; providers want it said of the whole.
  return "type" in schema ? schema : { type: "object", ...schema };
}

/**
 * The JSON Schema of what a model is to answer with.
 *
 * @throws what the schema or the converter throws; TypeError - nobody can tell it.
 */
export function describedOutput(schema: StandardSchema, toJsonSchema: ToJsonSchema | undefined): unknown {
  const standard = schema["~standard"];
  const made: unknown =
    toJsonSchema && !standard.jsonSchema && !("_zod" in schema) ? toJsonSchema(schema)
    : standard.jsonSchema ? standard.jsonSchema.input({ target: "draft-2020-12" })
    : "_zod" in schema ? toJSONSchema(schema as unknown as Parameters<typeof toJSONSchema>[0], { target: "draft-2020-12", io: "input" })
    : undefined;
  if (!isPlainObject(made)) throw new TypeError(`${standard.vendor} gives no JSON Schema of it`);
  const { $schema: _dialect, "~standard": _own, ...rest } = made;
  return rest;
}

export function schemaMissing(name: string, input: StandardSchema, cause?: unknown): LashError {
  const { vendor } = input["~standard"];
  const why = cause === undefined ? `${vendor} gives no JSON Schema of its \`input\`` : `no JSON Schema can be made of its \`input\` (${vendor}: ${errorText(cause)})`;
  return wiringError("tool_schema_missing", `tool "${name}": ${why}; write one down as \`inputSchema\`, or pass a converter as \`toJsonSchema\` to tool() or createLash()`, {
    details: { tool: name },
    ...(cause !== undefined && { cause }),
  });
}

function objectSchema(schema: JsonSchema, field: string): JsonSchema {
  if (neverAnObject(schema, schema, 0)) throw invalidArgument(field, "a schema of an object, such as z.object({ city: z.string() }): models call tools with a JSON object");
  return schema;
}

/** Deeper ones are given the benefit of the doubt, and so is a schema that refers to itself. */
const MOST_LEVELS = 10;

function neverAnObject(schema: unknown, root: JsonSchema, level: number): boolean {
  if (schema === false) return true;
  if (!isPlainObject(schema) || level === MOST_LEVELS) return false;
  const { type, not, anyOf, oneOf, allOf, $ref } = schema;
  const never = (each: unknown): boolean => neverAnObject(each, root, level + 1);
  if (not === true || (isPlainObject(not) && Object.keys(not).length === 0)) return true;
  if (typeof type === "string" && type !== "object") return true;
  if (Array.isArray(type) && !type.includes("object")) return true;
  if ("const" in schema && !isPlainObject(schema["const"])) return true;
  if (Array.isArray(schema["enum"]) && !schema["enum"].some(isPlainObject)) return true;
  if ([anyOf, oneOf].some((members) => Array.isArray(members) && members.length > 0 && members.every(never))) return true;
  if (Array.isArray(allOf) && allOf.some(never)) return true;
  return typeof $ref === "string" && never(referred(root, $ref));
}

/** @returns undefined for what is not within the schema. */
function referred(root: JsonSchema, reference: string): unknown {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  let found: unknown = root;
  for (const step of reference.slice(2).split("/")) found = isPlainObject(found) ? found[step.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined;
  return found;
}
