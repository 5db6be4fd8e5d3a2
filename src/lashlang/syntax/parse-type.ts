// Type grammar.
import type { Cursor } from "./cursor.ts";
import type { Unspanned } from "./span.ts";
import { JSON_TYPE_NAMES } from "./type-expr.ts";
import type { ObjectType, ScalarTypeKind, TypeExpr, TypeField } from "./type-expr.ts";

const SCALARS: ReadonlyMap<string, ScalarTypeKind> = new Map([
  ["any", "Any"],
  ...Object.entries(JSON_TYPE_NAMES).flatMap(([kind, name]) => [[kind.toLowerCase(), kind], [name, kind]]),
] as [string, ScalarTypeKind][]);

/** type := term { "|" term } */
export function parseType(cursor: Cursor): TypeExpr {
  return cursor.nested(() => {
    const { start } = cursor.peek();
    const first = parseTerm(cursor);
    if (!cursor.at("|")) return first;
    const members = [first];
    while (cursor.take("|")) members.push(parseTerm(cursor));
    return { kind: "Union", members, span: cursor.spanFrom(start) };
  });
}

/** term := "null" | STRING | ["Type"] typeObject | enum | list | Process | TriggerHandle | name */
function parseTerm(cursor: Cursor): TypeExpr {
  return cursor.node<TypeExpr>(() => {
    const token = cursor.peek();
    if (cursor.at("{")) return parseObjectType(cursor);
    if (cursor.take("null")) return { kind: "Null" };
    if (token.kind !== "identifier" && token.kind !== "string") return cursor.failExpected("a type");
    cursor.next();
    if (token.kind === "string") return { kind: "Enum", values: [token.text] };
    if (token.text === "Type" && cursor.at("{")) return parseObjectType(cursor);
    if (token.text === "enum" && cursor.take("[")) return parseEnum(cursor);
    if (token.text === "list" && cursor.take("[")) {
      const item = parseType(cursor);
      cursor.expect("]");
      return { kind: "List", item };
    }
    if (token.text === "Process" && cursor.take("<")) return parseProcessType(cursor);
    if (token.text === "TriggerHandle" && cursor.take("<")) {
      const event = parseType(cursor);
      cursor.expect(">");
      return { kind: "TriggerHandle", event };
    }
    let name = token.text;
    while (cursor.take(".")) name += `.${cursor.expectIdentifier("a type name")}`;
    const scalar = SCALARS.get(name);
    return scalar === undefined ? { kind: "Ref", name } : { kind: scalar };
  });
}

/** "enum" "[" STRING {"," STRING} "]" */
function parseEnum(cursor: Cursor): Unspanned<TypeExpr> {
  const values = [cursor.expectString("at least one enum string literal")];
  while (cursor.take(",") && !cursor.at("]")) values.push(cursor.expectString("an enum string literal"));
  cursor.expect("]");
  return { kind: "Enum", values };
}

/** "Process" "<" type "," type ">". The input is one value, or an object with one field per param. */
function parseProcessType(cursor: Cursor): Unspanned<TypeExpr> {
  const input = parseType(cursor);
  cursor.expect(",");
  const output = parseType(cursor);
  cursor.expect(">");
  return { kind: "Process", input, output, inputCount: inputCountOf(input) };
}

function inputCountOf(input: TypeExpr): number {
  if (input.kind === "Null") return 0;
  return input.kind === "Object" ? input.fields.length : 1;
}

/** typeObject := "{" [ key ":" type ["?"] {"," key ":" type ["?"]} [","] ] "}" */
export function parseObjectType(cursor: Cursor): ObjectType {
  const { start } = cursor.expect("{");
  const seen = new Set<string>();
  const fields = cursor.list("}", (): TypeField => {
    const nameToken = cursor.peek();
    const name = cursor.expectKey("a field name or `}`");
    if (seen.has(name)) {
      cursor.fail("Expected", `expected unique field name, found duplicate field \`${name}\``, { span: nameToken });
    }
    seen.add(name);
    cursor.expect(":");
    return { name, type: parseType(cursor), optional: cursor.take("?") };
  });
  return { kind: "Object", fields, span: cursor.spanFrom(start) };
}
