// `validate(value, Type)` (`LL-63`, `LL-64`): walks value and schema together and reports the first part that does not fit.
import type { Meter } from "../values/bounds.ts";
import { equals } from "../values/compare.ts";
import { display } from "../values/display.ts";
import { typeError, valueError } from "../values/errors.ts";
import { materialize } from "../values/materialize.ts";
import { Image, List, Rec, Resource, Tuple, type Value, recGet } from "../values/value.ts";

export function validate(value: Value, type: Value, meter: Meter): Value {
  const schema = type instanceof Rec ? recGet(type, "$lash_type") : undefined;
  if (!(schema instanceof Rec)) throw typeError("`validate` requires a Type literal as the second argument");
  const problem = mismatch(value, schema, "$", meter);
  if (problem !== null) throw valueError(`validation failed: ${problem}`);
  return value;
}

/** `{path}: {detail}` of the first misfit, or null. A schema that says nothing we know accepts everything. */
function mismatch(part: Value, schema: Value, path: string, meter: Meter): string | null {
  meter.charge(1);
  if (!(schema instanceof Rec)) return null;
  const value = materialize(part, meter);
  const members = recGet(schema, "anyOf");
  if (members instanceof List) return unionMismatch(value, members, path, meter);
  const options = recGet(schema, "enum");
  if (options instanceof List) {
    if (options.items.some((option) => equals(option, value, meter))) return null;
    return `${path}: expected one of [${texts(options, meter)}], got ${display(value, meter)}`;
  }
  const expected = recGet(schema, "type");
  if (typeof expected !== "string") return null;
  if (!hasKind(value, expected)) return `${path}: expected ${expected}, got ${kindOf(value)}`;
  if (value instanceof Rec) return fieldMismatch(value, schema, path, meter);
  const items = recGet(schema, "items");
  if (!(value instanceof List || value instanceof Tuple) || items === undefined) return null;
  for (let i = 0; i < value.items.length; i += 1) {
    const problem = mismatch(value.items[i] as Value, items, `${path}[${i}]`, meter);
    if (problem !== null) return problem;
  }
  return null;
}

function fieldMismatch(value: Rec, schema: Rec, path: string, meter: Meter): string | null {
  const properties = recGet(schema, "properties");
  if (!(properties instanceof Rec)) return null;
  const required = recGet(schema, "required");
  const needed = new Set(required instanceof List ? required.items : []);
  for (const name of properties.shape.names) {
    const field = recGet(value, name);
    if (field === undefined) {
      if (needed.has(name)) return `${path}: missing required field \`${name}\``;
      continue;
    }
    const problem = mismatch(field, recGet(properties, name) as Value, `${path}.${name}`, meter);
    if (problem !== null) return problem;
  }
  return null;
}

function unionMismatch(value: Value, members: List, path: string, meter: Meter): string | null {
  if (members.items.some((member) => mismatch(value, member, path, meter) === null)) return null;
  const kinds = members.items.map((member) => {
    const type = member instanceof Rec ? recGet(member, "type") : undefined;
    return typeof type === "string" ? type : "any";
  });
  return `${path}: expected one of [${[...new Set(kinds)].join(", ")}], got ${kindOf(value)}`;
}

const texts = (list: List, meter: Meter): string => list.items.map((item) => display(item, meter)).join(", ");

function hasKind(value: Value, expected: string): boolean {
  if (expected === "integer") return Number.isInteger(value);
  if (expected === "number") return Number.isFinite(value);
  return kindOf(value) === expected;
}

function kindOf(value: Value): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number" || typeof value === "string") return typeof value;
  if (value instanceof List || value instanceof Tuple) return "array";
  return value instanceof Rec || value instanceof Image || value instanceof Resource ? "object" : "any";
}
