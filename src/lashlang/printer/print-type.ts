// Types as text: in canonical source and in messages.
import { isReserved } from "../syntax/token.ts";
import type { TypeExpr, TypeField } from "../syntax/type-expr.ts";

export function printType(type: TypeExpr): string {
  switch (type.kind) {
    case "Enum":
      return type.values.length === 1 ? type.values.map(printString).join("") : `enum[${type.values.map(printString).join(", ")}]`;
    case "List":
      return `list[${printType(type.item)}]`;
    case "Object":
      return type.fields.length === 0 ? "{}" : `{ ${type.fields.map(printField).join(", ")} }`;
    case "Ref":
      return type.name;
    case "Process":
      return `Process<${printType(type.input)}, ${printType(type.output)}>`;
    case "TriggerHandle":
      return `TriggerHandle<${printType(type.event)}>`;
    case "Union":
      // Without members: the item type of an empty list, which no source can write.
      return type.members.length === 0 ? "any" : type.members.map(printType).join(" | ");
    default:
      return type.kind.toLowerCase();
  }
}

function printField({ name, type, optional }: TypeField): string {
  return `${printKey(name)}: ${printType(type)}${optional ? "?" : ""}`;
}

const WORD = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A record key, or a field after a dot: bare where the grammar allows it, reserved words included. */
export function printKey(key: string): string {
  return WORD.test(key) ? key : printString(key);
}

/** Whether a name may stand where the grammar wants an identifier. */
export function isIdentifier(name: string): boolean {
  return WORD.test(name) && !isReserved(name);
}

/** Only what the language has escapes for is escaped, as in JSON. */
export function printString(text: string): string {
  return `"${text.replace(/[\\"\n\r\t]/g, (character) => JSON.stringify(character).slice(1, -1))}"`;
}
