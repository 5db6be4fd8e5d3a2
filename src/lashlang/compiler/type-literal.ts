// `Type { ... }` as a value (`LL-61`, `LL-62`): a record `{"$lash_type": schema}` with a JSON schema inside.
import type { LinkedExpr } from "../linker/linked-program.ts";
import { JSON_TYPE_NAMES } from "../syntax/type-expr.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import { fixedMeter, type Meter } from "../values/bounds.ts";
import { typeError } from "../values/errors.ts";
import { materialize } from "../values/materialize.ts";
import { Rec, type Value, makeList, recGet, recordOf } from "../values/value.ts";
import type { Eval } from "../vm/frame.ts";
import type { Context } from "./context.ts";

type Refs = ReadonlyMap<string, Value>;

export function typeLiteral(c: Context, expr: Extract<LinkedExpr, { kind: "TypeLiteral" }>): Eval {
  if (expr.refs.length === 0) {
    const constant = typeValue(expr.type, new Map(), fixedMeter());
    constant.shared = true;
    return () => constant;
  }
  const names = expr.refs.map((ref) => ref.name);
  const values = c.operands(
    expr.refs.map((ref) => ref.value),
    true,
  );
  return (s, f) => {
    const refs = new Map<string, Value>();
    values.forEach((value, i) => {
      const name = names[i] as string;
      refs.set(name, referencedSchema(name, value(s, f), f));
    });
    return typeValue(expr.type, refs, f);
  };
}

function referencedSchema(name: string, value: Value, meter: Meter): Value {
  const type = materialize(value, meter);
  const schema = type instanceof Rec ? recGet(type, "$lash_type") : undefined;
  if (schema === undefined) throw typeError(`\`${name}\` is not a Type value (missing \`$lash_type\`)`);
  if (schema instanceof Rec) schema.shared = true;
  return schema;
}

const typeValue = (type: TypeExpr, refs: Refs, meter: Meter): Rec =>
  recordOf([["$lash_type", schemaOf(type, refs, meter)]], meter);

function schemaOf(type: TypeExpr, refs: Refs, meter: Meter): Value {
  switch (type.kind) {
    case "Any":
    case "Process":
    case "TriggerHandle":
      return recordOf([], meter);
    case "Enum":
      return recordOf([["type", "string"], ["enum", makeList([...type.values], meter)]], meter);
    case "List":
      return recordOf([["type", "array"], ["items", schemaOf(type.item, refs, meter)]], meter);
    case "Union":
      return recordOf([["anyOf", makeList(type.members.map((member) => schemaOf(member, refs, meter)), meter)]], meter);
    case "Ref":
      return refs.get(type.name) ?? recordOf([], meter);
    case "Object":
      return recordOf(
        [
          ["type", "object"],
          ["properties", recordOf(type.fields.map((field) => [field.name, schemaOf(field.type, refs, meter)]), meter)],
          ["required", makeList(type.fields.filter((field) => !field.optional).map((field) => field.name), meter)],
          ["additionalProperties", false],
        ],
        meter,
      );
    default:
      return recordOf([["type", JSON_TYPE_NAMES[type.kind]]], meter);
  }
}
