// A linked entry as its identity sees it: no spans, no site numbers, and locals numbered instead of named (`LL-81`).
// Formatting, comments and the names of locals are gone; params, session variables, labels, types and structure remain.
//
//   F1. Everything that is not named here is kept, so a new kind of node is part of identities from its first day.
//   F2. Keys are visited in their sorted order: the numbers of locals do not depend on how an object was built.
import type { LinkedEntry, LinkedTypeLiteral } from "../linker/linked-program.ts";
import type { TypeExpr } from "../syntax/type-expr.ts";
import type { CanonicalValue } from "./canonical.ts";

/** Version of the form below; part of every hash, so that a change here makes new identities rather than wrong matches. */
export const SEMANTIC_VERSION = "lashlang-semantic-v2";

type Fields = Readonly<Record<string, unknown>>;

export function semanticEntry(entry: Pick<LinkedEntry, "variables" | "namedSlots" | "body">): CanonicalValue {
  const named = new Set(entry.namedSlots);
  const numbers = new Map<number, number>();

  const variable = (slot: number): CanonicalValue => {
    if (named.has(slot)) return entry.variables[slot] ?? null;
    const number = numbers.get(slot) ?? numbers.size;
    numbers.set(slot, number);
    return number;
  };

  const form = (value: unknown): CanonicalValue => {
    if (Array.isArray(value)) return value.map(form);
    if (!isFields(value)) return scalar(value);
    const kept: Record<string, CanonicalValue> = {};
    for (const key of Object.keys(value).sort()) {
      if (key === "span" || key === "site") continue;
      const part = value[key];
      if (key === "slot" && typeof part === "number") kept[key] = variable(part);
      else if (key === "name" && "slot" in value) continue; // of a variable; its slot speaks for it
      else kept[key] = isTypeLiteral(value) ? typeLiteralPart(value, key) : form(part);
    }
    return kept;
  };

  /** References inside are names of variables, so they count by their place among the references. */
  const typeLiteralPart = ({ kind, type, refs }: LinkedTypeLiteral, key: string): CanonicalValue => {
    if (key === "kind") return kind;
    if (key === "refs") return refs.map(({ value }) => form(value));
    const names = refs.map(({ name }) => name);
    return semanticType(type, (name) => (names.includes(name) ? names.indexOf(name) : name));
  };

  return form(entry.body);
}

/** A type without spans. `nameOf` says what stands for a reference. */
export function semanticType(type: TypeExpr, nameOf: (name: string) => CanonicalValue = (name) => name): CanonicalValue {
  const form = (value: unknown): CanonicalValue => {
    if (Array.isArray(value)) return value.map(form);
    if (!isFields(value)) return scalar(value);
    if (value["kind"] === "Ref") return { kind: "Ref", name: nameOf(String(value["name"])) };
    const keys = Object.keys(value).filter((key) => key !== "span");
    return Object.fromEntries(keys.map((key) => [key, form(value[key])]));
  };
  return form(type);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isTypeLiteral(value: Fields): value is Fields & LinkedTypeLiteral {
  return value["kind"] === "TypeLiteral";
}

function scalar(value: unknown): CanonicalValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  throw new TypeError(`a program holds no ${typeof value}`);
}
