// Building types during inference: unions, fields, items. Inferred types are bounded, because a program can nest values in
// a loop of its source (`x = [x, x]`, line after line) far beyond what anybody could read in a message.
import type { ObjectType, TypeExpr, UnionType } from "../syntax/type-expr.ts";

export const ANY: TypeExpr = { kind: "Any" };
export const STR: TypeExpr = { kind: "Str" };
export const INT: TypeExpr = { kind: "Int" };
export const FLOAT: TypeExpr = { kind: "Float" };
export const BOOL: TypeExpr = { kind: "Bool" };
export const DICT: TypeExpr = { kind: "Dict" };
export const NULL: TypeExpr = { kind: "Null" };

/** The item type of an empty list: assignable to every type, since there is no item that could be wrong. */
export const NEVER: UnionType = { kind: "Union", members: [] };

const MAX_TYPE_SIZE = 400;
const sizes = new WeakMap<TypeExpr, number>();

/** Nodes of the type when written out as a tree; exact for parsed types too, whose depth the parser bounds. */
function sizeOf(type: TypeExpr): number {
  const known = sizes.get(type);
  if (known !== undefined) return known;
  const size = 1 + partsOf(type).reduce((sum, part) => sum + sizeOf(part), 0);
  sizes.set(type, size);
  return size;
}

/** The types directly inside a type. */
export function partsOf(type: TypeExpr): readonly TypeExpr[] {
  switch (type.kind) {
    case "List":
      return [type.item];
    case "Object":
      return type.fields.map((field) => field.type);
    case "Process":
      return [type.input, type.output];
    case "TriggerHandle":
      return [type.event];
    case "Union":
      return type.members;
    default:
      return [];
  }
}

export function listOf(item: TypeExpr): TypeExpr {
  return sizeOf(item) >= MAX_TYPE_SIZE ? { kind: "List", item: ANY } : { kind: "List", item };
}

export function objectOf(fields: readonly (readonly [name: string, type: TypeExpr])[]): TypeExpr {
  const byName = new Map(fields);
  const type: ObjectType = { kind: "Object", fields: Array.from(byName, ([name, field]) => ({ name, type: field, optional: false })) };
  return sizeOf(type) > MAX_TYPE_SIZE ? DICT : type;
}

/** More ways to be are no longer kept apart, so that a union of n types takes time in proportion to n. */
const MAX_MEMBERS = 32;

/** Literals of one place beyond this count are no longer told apart: they are just text. */
const MAX_ENUM_VALUES = 16;

/**
 * One type that holds the values of all: flattened, without repeats, one member is itself. Members that a program tends
 * to mix, such as rows of one shape, become one, so that data written out in a program keeps a useful type.
 */
export function unionOf(types: readonly TypeExpr[]): TypeExpr {
  const members: TypeExpr[] = [];
  for (const type of types.flatMap((each) => (each.kind === "Union" ? each.members : [each]))) {
    if (type.kind === "Any") return ANY;
    if (!members.some((member) => sameType(member, type))) addMember(members, type);
    if (members.length > MAX_MEMBERS) return tooMany(members);
  }
  const [only] = members;
  if (only === undefined) return NEVER;
  if (members.length === 1) return only;
  return members.reduce((sum, member) => sum + sizeOf(member), 1) > MAX_TYPE_SIZE ? tooMany(members) : { kind: "Union", members };
}

/** What is left to say about values of very many shapes. */
function tooMany(members: readonly TypeExpr[]): TypeExpr {
  return members.every(({ kind }) => kind === "Object" || kind === "Dict") ? DICT : ANY;
}

function addMember(members: TypeExpr[], type: TypeExpr): void {
  for (const [index, member] of members.entries()) {
    const merged = merge(member, type);
    if (merged === null) continue;
    members[index] = merged;
    return;
  }
  members.push(type);
}

/** Null where two types are better kept apart. */
function merge(left: TypeExpr, right: TypeExpr): TypeExpr | null {
  if (left.kind === "Enum" && right.kind === "Enum") {
    const values = Array.from(new Set([...left.values, ...right.values]));
    return values.length > MAX_ENUM_VALUES ? STR : { kind: "Enum", values };
  }
  if (isTextual(left) && isTextual(right)) return STR;
  if (left.kind === "List" && right.kind === "List") return listOf(unionOf([left.item, right.item]));
  if (left.kind === "Object" && right.kind === "Object" && sameShape(left, right)) {
    const fields = left.fields.map((field, index) => ({ ...field, type: unionOf([field.type, right.fields[index]?.type ?? ANY]) }));
    return { kind: "Object", fields };
  }
  return null;
}

function isTextual(type: TypeExpr): boolean {
  return type.kind === "Str" || type.kind === "Enum";
}

/** Structural equality without resolving names; spans do not count. */
export function sameType(left: TypeExpr, right: TypeExpr): boolean {
  return left === right || (sameShape(left, right) && sameList(partsOf(left), partsOf(right), sameType));
}

/** Whether two types differ at most in the types inside them. */
function sameShape(left: TypeExpr, right: TypeExpr): boolean {
  return left.kind === right.kind && sameList(shapeOf(left), shapeOf(right), (a, b) => a === b);
}

/** What a type says beyond its kind and its parts. */
function shapeOf(type: TypeExpr): readonly unknown[] {
  switch (type.kind) {
    case "Enum":
      return type.values;
    case "Object":
      return type.fields.flatMap(({ name, optional }) => [name, optional]);
    case "Ref":
      return [type.name];
    case "Process":
      return [type.inputCount];
    default:
      return [];
  }
}

function sameList<T>(left: readonly T[], right: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return left.length === right.length && left.every((item, index) => same(item, right[index] as T));
}

/** What a result wrapper holds. `value` and `error` count as present, as code reads them after it looked at `ok`. */
export function wrapperOf(value: TypeExpr): TypeExpr {
  return objectOf([["ok", BOOL], ["value", value], ["error", STR]]);
}
