// JSON Schema to a type of the language, for hosts whose tools describe themselves that way. What the language has no word
// for becomes `any`: a type here may promise less than the schema, never something else.
import type { TypeExpr } from "../syntax/type-expr.ts";
import { ANY, BOOL, DICT, FLOAT, INT, NULL, STR } from "./type-algebra.ts";

type Schema = { readonly [keyword: string]: unknown };

/** Deeper parts of a schema are `any`. */
const MAX_DEPTH = 20;

/** @param schema - a JSON Schema; anything else gives `any`. */
export function typeFromJsonSchema(schema: unknown, depth = 0): TypeExpr {
  if (!isSchema(schema) || depth > MAX_DEPTH) return ANY;
  const inner = (part: unknown): TypeExpr => typeFromJsonSchema(part, depth + 1);
  const alternatives = schema["anyOf"] ?? schema["oneOf"];
  if (isList(alternatives)) return union(alternatives.map(inner));
  if ("const" in schema) return typeof schema["const"] === "string" ? { kind: "Enum", values: [schema["const"]] } : ANY;
  const values = schema["enum"];
  if (isList(values)) return enumOf(values);
  const type = schema["type"];
  if (isList(type)) return union(type.map((each) => inner({ ...schema, type: each })));
  switch (type) {
    case "string":
      return STR;
    case "integer":
      return INT;
    case "number":
      return FLOAT;
    case "boolean":
      return BOOL;
    case "null":
      return NULL;
    case "array":
      return { kind: "List", item: inner(schema["items"]) };
    case "object":
      return objectType(schema, inner);
    default:
      return ANY;
  }
}

function objectType(schema: Schema, inner: (part: unknown) => TypeExpr): TypeExpr {
  const { properties, required } = schema;
  if (!isSchema(properties)) return DICT;
  const needed = new Set(isList(required) ? required : []);
  const fields = Object.keys(properties).map((name) => ({ name, type: inner(properties[name]), optional: !needed.has(name) }));
  return { kind: "Object", fields };
}

function enumOf(values: readonly unknown[]): TypeExpr {
  const texts = values.filter((value) => typeof value === "string");
  if (texts.length < values.length || texts.length === 0) return ANY;
  return { kind: "Enum", values: Array.from(new Set(texts)) };
}

/** `any` swallows whatever it stands beside. */
function union(types: readonly TypeExpr[]): TypeExpr {
  const members = types.flatMap((type) => (type.kind === "Union" ? type.members : [type]));
  const [only] = members;
  if (only === undefined || members.some(({ kind }) => kind === "Any")) return ANY;
  return members.length === 1 ? only : { kind: "Union", members };
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
